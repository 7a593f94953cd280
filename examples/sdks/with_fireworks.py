"""Fireworks in a session: a stream in OpenAI's shape, and a call in Anthropic's.

FIREWORKS_API_KEY=fw_... python examples/sdks/with_fireworks.py
"""

from __future__ import annotations

from fireworks import Fireworks

import agentops_otel as agentops

MODEL = "accounts/fireworks/models/deepseek-v3p2"

agentops.init(tags=["fireworks"])
client = Fireworks()
messages = [{"role": "user", "content": "Capital of France?"}]
for chunk in client.chat.completions.create(model=MODEL, messages=messages, stream=True):
    print(*(choice.delta.content or "" for choice in chunk.choices), end="")

answer = client.messages.create(model=MODEL, max_tokens=100, messages=messages)
print(*(block.text for block in answer.content if block.type == "text"))
agentops.end_session("Success")
