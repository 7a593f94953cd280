"""A program that knows nothing of agentops-otel; it is recorded from outside.

    export OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318 OPENAI_API_KEY=sk-...
    opentelemetry-instrument python examples/zero_code.py

The session starts with the program and ends with it.
"""

from __future__ import annotations

from openai import OpenAI

client = OpenAI()
question = "Why is the sky blue? One sentence."
reply = client.chat.completions.create(model="gpt-4.1-mini", messages=[{"role": "user", "content": question}])
print(reply.choices[0].message.content)
