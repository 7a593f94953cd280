"""Claude in a session: a stream, and one call with a tool.

ANTHROPIC_API_KEY=sk-ant-... python examples/sdks/with_anthropic.py
"""

from __future__ import annotations

from anthropic import Anthropic

import agentops_otel as agentops

MODEL = "claude-opus-4-8"
WEATHER = {"name": "weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}

agentops.init(tags=["claude"])
client = Anthropic()
question = {"role": "user", "content": "Capital of France?"}
with client.messages.stream(model=MODEL, max_tokens=100, messages=[question]) as stream:
    print("".join(stream.text_stream))

question = {"role": "user", "content": "How is the weather in Paris?"}
answer = client.messages.create(model=MODEL, max_tokens=100, tools=[WEATHER], messages=[question])
print(*(block.input for block in answer.content if block.type == "tool_use"))
agentops.end_session("Success")
