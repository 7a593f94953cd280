"""Cohere in a session: one call, and one stream.

CO_API_KEY=... python examples/sdks/with_cohere.py
"""

from __future__ import annotations

import cohere

import agentops_otel as agentops

MODEL = "command-a-03-2025"

agentops.init(tags=["cohere"])
client = cohere.ClientV2()
question = {"role": "user", "content": "Capital of France?"}
answer = client.chat(model=MODEL, messages=[question])
print(*(part.text for part in answer.message.content))

for event in client.chat_stream(model=MODEL, messages=[question]):
    if event.type == "content-delta":
        print(event.delta.message.content.text or "", end="")
print()
agentops.end_session("Success")
