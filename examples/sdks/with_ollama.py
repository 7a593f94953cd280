"""A model of your own machine in a session: one call with a tool, and one stream.

ollama pull qwen3 && python examples/sdks/with_ollama.py
"""

from __future__ import annotations

import ollama

import agentops_otel as agentops

MODEL = "qwen3"
WEATHER = {"type": "function", "function": {"name": "weather", "description": "The weather of a city"}}

agentops.init(tags=["ollama"])
question = {"role": "user", "content": "How is the weather in Paris?"}
answer = ollama.chat(MODEL, messages=[question], tools=[WEATHER])
print(*(call.function.arguments for call in answer.message.tool_calls or ()))

for piece in ollama.generate(MODEL, "Capital of France?", stream=True):
    print(piece.response, end="")
print()
agentops.end_session("Success")
