"""Two providers through LiteLLM in a session: a call, and a stream.

OPENAI_API_KEY=sk-... ANTHROPIC_API_KEY=sk-ant-... python examples/sdks/with_litellm.py
"""

from __future__ import annotations

import litellm

import agentops_otel as agentops

agentops.init(tags=["litellm"])
question = [{"role": "user", "content": "Capital of France?"}]
answer = litellm.completion(model="openai/gpt-4o-mini", messages=question)
print(answer.choices[0].message.content)

stream = litellm.completion(model="anthropic/claude-opus-4-8", messages=question, stream=True)
print(*(chunk.choices[0].delta.content or "" for chunk in stream), sep="")
agentops.end_session("Success")
