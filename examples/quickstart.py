"""The shortest program: two lines around what you have.

    OPENAI_API_KEY=sk-... python examples/quickstart.py

Without a key: run `python examples/openai_server.py` in another terminal and paste the line it prints.
"""

from __future__ import annotations

from openai import OpenAI

import agentops_otel as agentops

agentops.init(tags=["quickstart"])

client = OpenAI()
question = "Why is the sky blue? One sentence."
reply = client.chat.completions.create(model="gpt-4.1-mini", messages=[{"role": "user", "content": question}])
print(reply.choices[0].message.content)

agentops.end_session("Success")
