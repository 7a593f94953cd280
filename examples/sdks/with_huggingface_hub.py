"""An open model in a session, through Hugging Face's router or a server of your own: one call, and one stream.

HF_TOKEN=hf_... python examples/sdks/with_huggingface_hub.py
python examples/sdks/with_huggingface_hub.py http://localhost:8080/v1
"""

from __future__ import annotations

import sys

from huggingface_hub import InferenceClient

import agentops_otel as agentops

agentops.init(tags=["huggingface"])
client = InferenceClient(base_url=sys.argv[1]) if sys.argv[1:] else InferenceClient("openai/gpt-oss-120b:groq")
question = [{"role": "user", "content": "Capital of France?"}]
print(client.chat_completion(question, max_tokens=100).choices[0].message.content)

usage = {"include_usage": True}
for chunk in client.chat_completion(question, stream=True, stream_options=usage):
    print("".join(choice.delta.content or "" for choice in chunk.choices), end="")
print()
agentops.end_session("Success")
