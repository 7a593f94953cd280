"""Mistral in a session: one call, and one stream.

MISTRAL_API_KEY=... python examples/sdks/with_mistralai.py
"""

from __future__ import annotations

import os

from mistralai.client import Mistral

import agentops_otel as agentops

MODEL = "mistral-large-2512"

agentops.init(tags=["mistral"])
with Mistral(api_key=os.environ["MISTRAL_API_KEY"], server_url=os.environ.get("MISTRAL_URL")) as client:
    question = {"role": "user", "content": "Capital of France?"}
    answer = client.chat.complete(model=MODEL, messages=[question])
    print(answer.choices[0].message.content)

    for event in client.chat.stream(model=MODEL, messages=[question]):
        print(event.data.choices[0].delta.content or "", end="")
print()
agentops.end_session("Success")
