"""Cerebras in a session: a call, and a stream.

CEREBRAS_API_KEY=csk-... python examples/sdks/with_cerebras.py
"""

from __future__ import annotations

from cerebras.cloud.sdk import Cerebras

import agentops_otel as agentops

agentops.init(tags=["cerebras"])
client = Cerebras()
asked = {"model": "gpt-oss-120b", "messages": [{"role": "user", "content": "Capital of France?"}]}
print(client.chat.completions.create(**asked).choices[0].message.content)

for chunk in client.chat.completions.create(**asked, stream=True):
    print(*(choice.delta.content or "" for choice in chunk.choices or ()), end="")
agentops.end_session("Success")
