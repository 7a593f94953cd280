"""A short limit for recorded texts cuts no picture in two: what would be left of one is no text either."""

from __future__ import annotations

import base64
import contextlib
import json
import random

import openai
import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import agentops_otel as agentops
from tests.fakes.llm_server import LlmServer, Reply, chat

PICTURE = b"\x89PNG\r\n\x1a\n" + random.Random(1).randbytes(3000)
BASE64 = base64.b64encode(PICTURE).decode()
TEXTS = {
    "alone": BASE64,
    "in a sentence": f"see {BASE64} there",
    "URL": f"data:image/png;base64,{BASE64}",
    "Markdown": f"![a](data:image/png;base64,{BASE64}) and read on",
    "bytes": repr(PICTURE),
    "JSON": json.dumps({"data": BASE64, "mimeType": "image/png"}),
}


@agentops.tool
def fail(text):
    raise ValueError(text)


def _record(client, server, text):
    """One of everything that can say a text."""
    with contextlib.suppress(ValueError):
        fail(text)
    agentops.record(agentops.ErrorEvent(exception=ValueError(text), details=text, logs=text))
    agentops.record(agentops.ActionEvent("act", params={"a": text}, returns=text, logs=text))
    agentops.record(agentops.LLMEvent(prompt=text, completion=text, model="gpt-4o"))
    refused = {"error": {"message": text, "code": "x"}}
    replies = (chat({"content": text}), refused, {"detail": text}, text.encode())
    for reply in (*map(Reply, replies), Reply(refused, 400)):
        server.then(reply)
        messages = [{"role": "user", "content": text}, {"role": "tool", "tool_call_id": "a", "content": text}]
        with contextlib.suppress(openai.OpenAIError, ValueError):
            client.chat.completions.create(model="gpt-4o", messages=messages)


@pytest.mark.parametrize("limit", [64, 150, 600, 65536])
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_nothing_of_a_picture_is_left_by_a_cut(text, limit):
    """In no message, argument, result, log, error or stack trace, whatever the limit is."""
    exporter = InMemorySpanExporter()
    agentops.init(exporter=exporter, summary=False, max_content_length=limit)
    with (
        LlmServer() as server,
        openai.OpenAI(api_key="sk-test", base_url=server.url, max_retries=0) as client,
    ):
        _record(client, server, text)
    agentops.end_session("Success")
    agentops.flush()

    spans = exporter.get_finished_spans()
    assert len(spans) == 10  # and the root
    for span in spans:
        said = span.to_json()
        for piece in (
            BASE64[20:40],
            BASE64[60:80],
            BASE64[200:220],
            BASE64[-60:-40],
            json.dumps(repr(PICTURE[20:30])[2:-1])[1:-1],
        ):
            assert piece not in said, span.name
