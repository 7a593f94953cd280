"""Together in a session: a stream, and embeddings.

TOGETHER_API_KEY=... python examples/sdks/with_together.py
"""

from __future__ import annotations

from together import Together

import agentops_otel as agentops

agentops.init(tags=["together"])
client = Together()
question = {"role": "user", "content": "Capital of France?"}
model = "meta-llama/Llama-3.3-70B-Instruct-Turbo"
for chunk in client.chat.completions.create(model=model, messages=[question], stream=True):
    print(*(choice.delta.content or "" for choice in chunk.choices), end="")

vectors = client.embeddings.create(model="intfloat/multilingual-e5-large-instruct", input=["Paris", "Rome"])
print(len(vectors.data))
agentops.end_session("Success")
