"""Cerebras: how long a call takes at the provider, and the connection that is warmed up."""

from __future__ import annotations

import inspect

import pytest
from cerebras.cloud import sdk

from agentops_otel import semconv
from tests.fakes import llm_server
from tests.fakes.llm_server import Reply
from tests.sdks.answers_compatible import TIME_INFO
from tests.sdks.compatible import BOTH, call


@BOTH
@pytest.mark.parametrize("stream", [False, True])
async def test_seconds_at_the_provider(asynchronous, stream, connect, server, spans):
    """How long a call has waited, been read and been answered."""
    chunks = [llm_server.chunk({"content": "Paris"}), llm_server.chunk({}, "stop", time_info=TIME_INFO), "[DONE]"]
    server.then(Reply(chunks if stream else llm_server.chat(time_info=TIME_INFO)))
    await call(connect("cerebras", asynchronous=asynchronous), "chat", "gpt-oss-120b", stream=stream)
    seen = spans.one().attributes
    times = (semconv.SERVER_QUEUE_TIME, semconv.SERVER_PROMPT_TIME, semconv.SERVER_COMPLETION_TIME)
    assert [seen[name] for name in times] == [0.0375, 0.011, 0.46]


@pytest.mark.skipif(
    "warm_tcp_connection" not in inspect.signature(sdk.Cerebras).parameters, reason="this release does not warm up"
)
@BOTH
async def test_warming_up_is_no_call(asynchronous, connect, server, spans):
    """The request that a new client makes by itself makes no span; the call after it makes one."""
    server.then(Reply({}))
    client = connect("cerebras", asynchronous=asynchronous, warm_tcp_connection=True)
    await call(client, "chat", "gpt-oss-120b")
    assert spans.one().name == "chat gpt-oss-120b"
    assert [request.path for request in server.requests][-1] == "/v1/chat/completions"
