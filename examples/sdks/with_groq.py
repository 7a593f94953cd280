"""Groq in a session: a stream of a model that reasons, and a compound system that searches by itself.

GROQ_API_KEY=gsk_... python examples/sdks/with_groq.py
"""

from __future__ import annotations

from groq import Groq

import agentops_otel as agentops

agentops.init(tags=["groq"])
client = Groq()
question = {"role": "user", "content": "Capital of France?"}
for chunk in client.chat.completions.create(model="openai/gpt-oss-120b", messages=[question], stream=True):
    print(chunk.choices[0].delta.content or "", end="")

answer = client.chat.completions.create(model="groq/compound", messages=[question])
print(answer.choices[0].message.content)
agentops.end_session("Success")
