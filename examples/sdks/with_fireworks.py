"""Fireworks in a session: a call, and a stream.

FIREWORKS_API_KEY=fw_... python examples/sdks/with_fireworks.py
"""

from __future__ import annotations

from fireworks import Fireworks

import agentops_otel as agentops

MODEL = "accounts/fireworks/models/deepseek-v3p2"

agentops.init(tags=["fireworks"])
client = Fireworks()
asked = {"model": MODEL, "messages": [{"role": "user", "content": "Capital of France?"}]}
print(client.chat.completions.create(**asked).choices[0].message.content)

for chunk in client.chat.completions.create(**asked, stream=True):
    print(*(choice.delta.content or "" for choice in chunk.choices), end="")
agentops.end_session("Success")
