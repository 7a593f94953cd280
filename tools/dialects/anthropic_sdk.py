"""The package `anthropic`, which traces itself since version 2."""

from __future__ import annotations

import anthropic
from scenario import LLM_URL, QUESTION, provider, search

made = provider()
TOOLS = [{"name": "search", "description": "Searches", "input_schema": {"type": "object", "properties": {}}}]
client = anthropic.Anthropic(api_key="none", base_url=LLM_URL.removesuffix("/v1"), max_retries=0)
asked = [{"role": "user", "content": QUESTION}]
usual = {"model": "claude-sonnet-4-5", "max_tokens": 100, "system": "Be brief.", "tools": TOOLS}
with made.get_tracer("museum").start_as_current_span("visit"):
    first = client.messages.create(messages=asked, **usual)
    call = next(part for part in first.content if part.type == "tool_use")
    asked.append({"role": "assistant", "content": [part.model_dump() for part in first.content]})
    result = {"type": "tool_result", "tool_use_id": call.id, "content": search("Ada")}
    asked.append({"role": "user", "content": [result]})
    client.messages.create(messages=asked, **usual)
    with client.messages.stream(messages=asked[:1], **usual) as stream:
        for _ in stream.text_stream:
            pass
    try:
        client.messages.create(messages=asked[:1], **{**usual, "model": "claude-none"})
    except anthropic.NotFoundError as error:
        print(f"as expected: {type(error).__name__}")
made.shutdown()
