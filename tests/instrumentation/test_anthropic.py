"""The `anthropic` package traces itself since version 2; what it records belongs to the session as our own calls do."""

from __future__ import annotations

import asyncio

import pytest

import agentops_otel
from tests.fakes.llm_server import LlmServer, Reply

anthropic = pytest.importorskip("anthropic")

MODEL = "claude-opus-4-8"
HELLO = {"max_tokens": 10, "model": MODEL, "messages": [{"role": "user", "content": "Capital of France?"}]}
USAGE = {"input_tokens": 10, "output_tokens": 3, "cache_read_input_tokens": 5, "cache_creation_input_tokens": 0}
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": MODEL,
    "content": [{"type": "text", "text": "Paris"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": USAGE,
}
EVENTS = [
    {"type": "message_start", "message": {**MESSAGE, "content": [], "stop_reason": None}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Paris"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": USAGE},
    {"type": "message_stop"},
]


@pytest.fixture
def backend():
    with LlmServer() as server:
        yield server


def _options(backend):
    return {"api_key": "none", "base_url": backend.url.removesuffix("/v1"), "max_retries": 0}


def _plain(backend):
    with anthropic.Anthropic(**_options(backend)) as client:
        return client.messages.create(**HELLO).content[0].text


def _streamed(backend):
    with anthropic.Anthropic(**_options(backend)) as client, client.messages.stream(**HELLO) as stream:
        return "".join(stream.text_stream)


@pytest.mark.parametrize(("call", "reply"), [(_plain, MESSAGE), (_streamed, EVENTS)], ids=["plain", "streamed"])
def test_a_call_is_recorded_with_tokens_and_cost(backend, agentops_session, call, reply):
    """Its span is in the session's trace, with all its tokens; the price is added; the session counts it once."""
    backend.then(Reply(reply))
    assert call(backend) == "Paris"
    session = agentops_otel.current_session()
    totals = session.totals
    (span,) = [span for span in agentops_session.spans if span.name.startswith("anthropic.messages")]
    assert f"{span.context.trace_id:032x}" == session.trace_id
    assert span.attributes["gen_ai.provider.name"] == "anthropic"
    assert span.attributes["gen_ai.usage.input_tokens"] == 15
    assert span.attributes["gen_ai.usage.output_tokens"] == 3
    assert span.attributes["gen_ai.usage.cost.amount"] > 0
    assert (totals.llm_calls, totals.usage.input_tokens, totals.usage.output_tokens) == (1, 15, 3)
    assert totals.cost > 0


def test_an_asynchronous_failure_is_an_error(backend, agentops_session):
    """A refused call of the asynchronous client is an error of the session."""

    async def call():
        async with anthropic.AsyncAnthropic(**_options(backend)) as client:
            await client.messages.create(**HELLO)

    backend.then(Reply({"type": "error", "error": {"type": "rate_limit_error", "message": "no"}}, status=429))
    with pytest.raises(anthropic.RateLimitError):
        asyncio.run(call())
    (span,) = [span for span in agentops_session.spans if span.name.startswith("anthropic.messages")]
    assert not span.status.is_ok
    assert agentops_otel.current_session().totals.errors == 1


@pytest.mark.parametrize(("propagation", "sent"), [(None, True), ("false", False)])
def test_what_the_provider_is_told(backend, agentops_session, monkeypatch, propagation, sent):
    """The package sends the trace id to Anthropic in the header `traceparent`, unless its own variable forbids it."""
    if propagation:
        monkeypatch.setenv("ANTHROPIC_OPEN_TELEMETRY_PROPAGATION", propagation)
    backend.then(Reply(MESSAGE))
    _plain(backend)
    (request,) = backend.requests
    found = request.headers.get("traceparent", "")
    assert (agentops_otel.current_session().trace_id in found) is sent
