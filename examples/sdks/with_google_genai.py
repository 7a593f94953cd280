"""Gemini in a session: one call with a tool, and a stream.

GOOGLE_API_KEY=... python examples/sdks/with_google_genai.py
"""

from __future__ import annotations

from google import genai

import agentops_otel as agentops

MODEL = "gemini-2.5-flash"
PLACE = {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}}
WEATHER = {"function_declarations": [{"name": "weather", "description": "The weather.", "parameters": PLACE}]}

agentops.init(tags=["gemini"])
client = genai.Client()
question = {"model": MODEL, "contents": "How is the weather in Paris?"}
answer = client.models.generate_content(**question, config={"tools": [WEATHER]})
print(*(call.args for call in answer.function_calls or ()))

for chunk in client.models.generate_content_stream(model=MODEL, contents="Capital of France?"):
    print(chunk.text, end="")
agentops.end_session("Success")
