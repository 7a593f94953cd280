"""What is equal for every endpoint, sync or async, streamed or not, raw or parsed: one span, nothing changed."""

from __future__ import annotations

import asyncio
import inspect
import json

import openai
import pytest
from opentelemetry import trace
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.trace import SpanKind, StatusCode

from agentops_otel import context, semconv
from tests.fakes import llm_server
from tests.fakes.house import SESSION
from tests.fakes.llm_server import Reply

MESSAGES = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Capital of France?"}]
ENDPOINTS = {
    "chat": (lambda c: c.chat.completions, {"model": "gpt-4o", "messages": MESSAGES}, "chat gpt-4o"),
    "responses": (lambda c: c.responses, {"model": "gpt-4o", "input": "Capital of France?"}, "chat gpt-4o"),
    "completions": (lambda c: c.completions, {"model": "davinci", "prompt": "Capital?"}, "text_completion davinci"),
    "embeddings": (lambda c: c.embeddings, {"model": "ada", "input": "Paris"}, "embeddings ada"),
}
STREAMED = ["chat", "responses", "completions"]
TOKENS = {"chat": (57, 48), "responses": (57, 48), "completions": (5, 1), "embeddings": (8, None)}


async def call(kind, client, arguments, *, mode="plain"):
    """Make one call to the end, sync or async by the client's kind; what the user has got."""
    resource, _, _ = ENDPOINTS[kind]
    target = resource(client)
    if mode == "raw":
        raw = await _maybe(target.with_raw_response.create(**arguments))
        assert raw.headers["x-request-id"] == "req_1"
        result = raw.parse()
    elif mode == "streaming-raw":
        manager = target.with_streaming_response.create(**arguments)
        if hasattr(manager, "__aenter__"):
            async with manager as raw:
                return await _drain(await _maybe(raw.parse()))
        with manager as raw:
            return await _drain(raw.parse())
    else:
        result = await _maybe(target.create(**arguments))
    return await _drain(result)


async def _maybe(value):
    return await value if inspect.isawaitable(value) else value


async def _drain(result):
    if isinstance(result, openai.Stream):
        return list(result)
    if isinstance(result, openai.AsyncStream):
        return [item async for item in result]
    return result


@pytest.mark.parametrize("mode", ["plain", "raw", "streaming-raw"])
@pytest.mark.parametrize("kind", ENDPOINTS)
async def test_a_call_is_one_span_with_tokens(kind, mode, either, spans, server):
    """Each endpoint, called in each way, makes one client span that says who, what and how much."""
    _, arguments, name = ENDPOINTS[kind]
    await call(kind, either, arguments, mode=mode)
    span = spans.one()
    seen = span.attributes
    assert (span.name, span.kind, span.status.status_code) == (name, SpanKind.CLIENT, StatusCode.UNSET)
    assert seen[semconv.SESSION_ID] == SESSION
    assert seen[semconv.SPAN_KIND] == "llm"
    assert seen[semconv.PROVIDER_NAME] == "openai"
    assert seen[semconv.REQUEST_MODEL] == arguments["model"]
    assert (seen[semconv.SERVER_ADDRESS], seen[semconv.SERVER_PORT]) == ("127.0.0.1", server.port)
    assert (seen[semconv.USAGE_INPUT_TOKENS], seen.get(semconv.USAGE_OUTPUT_TOKENS)) == TOKENS[kind]
    assert seen[semconv.REQUEST_ID] == "req_1"
    assert seen[semconv.RATELIMIT_REMAINING_REQUESTS] == 99
    assert seen[semconv.RATELIMIT_REMAINING_TOKENS] == 149000
    assert semconv.RESEND_COUNT not in seen
    assert semconv.STREAM_OUTCOME not in seen
    assert "Paris" in seen.get(semconv.OUTPUT_MESSAGES, seen[semconv.INPUT_MESSAGES])
    assert len(server.requests) == 1


@pytest.mark.parametrize("mode", ["plain", "raw", "streaming-raw"])
@pytest.mark.parametrize("kind", STREAMED)
async def test_a_stream_is_one_span_with_its_text(kind, mode, either, spans, server):
    """A stream read to its end is one span with the whole text, the number of chunks and the time to the first."""
    _, arguments, _ = ENDPOINTS[kind]
    items = await call(kind, either, {**arguments, "stream": True}, mode=mode)
    seen = spans.one().attributes
    assert seen[semconv.REQUEST_STREAM] is True
    assert seen[semconv.STREAM_OUTCOME] == "completed"
    assert seen[semconv.STREAM_CHUNKS] == len(items) > 1
    assert 0 < seen[semconv.RESPONSE_TIME_TO_FIRST_CHUNK] < 60
    assert seen[semconv.RESPONSE_FINISH_REASONS] == ("stop",)
    assert "Paris" in seen[semconv.OUTPUT_MESSAGES]
    assert seen[semconv.RESPONSE_ID]
    assert server.requests[0].body == {**arguments, "stream": True}


@pytest.mark.parametrize("mode", ["plain", "raw", "streaming-raw"])
@pytest.mark.parametrize(
    ("kind", "stream"),
    [(kind, stream) for kind in ENDPOINTS for stream in (False, True) if kind in STREAMED or not stream],
)
async def test_a_refused_call_is_one_failed_span(kind, stream, mode, either, spans, server):
    """An error status is the SDK's own exception for the user and one failed span with the provider's code for us."""
    server.then(Reply(llm_server.error("model_not_found"), status=404))
    arguments = {**ENDPOINTS[kind][1], **({"stream": True} if stream else {})}
    with pytest.raises(openai.NotFoundError) as caught:
        await call(kind, either, arguments, mode=mode)
    assert caught.value.__cause__ is None
    span = spans.one()
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes[semconv.ERROR_TYPE] == "model_not_found"
    assert span.attributes[semconv.REQUEST_ID] == "req_1"
    assert [event.name for event in span.events] == ["exception"]


@pytest.mark.parametrize(
    ("status", "code", "exception"),
    [
        (400, "context_length_exceeded", "BadRequestError"),
        (401, "invalid_api_key", "AuthenticationError"),
        (404, None, "NotFoundError"),
        (429, "rate_limit_exceeded", "RateLimitError"),
        (500, None, "InternalServerError"),
    ],
)
async def test_error_type_is_the_code_else_the_class(status, code, exception, either, spans, server):
    """`error.type` is the provider's code where there is one, else the name of the exception's class."""
    server.then(Reply(llm_server.error(code), status=status))
    with pytest.raises(getattr(openai, exception)):
        await call("chat", either, ENDPOINTS["chat"][1])
    assert spans.one().attributes[semconv.ERROR_TYPE] == (code or f"openai.{exception}")


async def test_retries_are_one_span_that_counts_them(either, spans, server):
    """Retries happen inside one span, which says how many there were; the answer is the user's as ever."""
    again = {"retry-after-ms": "1"}
    server.then(Reply(llm_server.error(None), 429, again), Reply(llm_server.error(None), 500, again))
    answer = await call("chat", either.with_options(max_retries=2), ENDPOINTS["chat"][1])
    assert answer.choices[0].message.content == "Paris"
    span = spans.one()
    assert span.status.status_code is StatusCode.UNSET
    assert span.attributes[semconv.RESEND_COUNT] == 2
    assert len(server.requests) == 3


async def test_retries_that_fail_are_counted_too(either, spans, server):
    """A call that fails after its retries says how many there were, from the last request of the exception."""
    again = {"retry-after-ms": "1"}
    server.then(*(Reply(llm_server.error("rate_limit_exceeded"), 429, again) for _ in range(3)))
    with pytest.raises(openai.RateLimitError):
        await call("chat", either.with_options(max_retries=2), ENDPOINTS["chat"][1])
    seen = spans.one().attributes
    assert seen[semconv.RESEND_COUNT] == 2
    assert seen[semconv.ERROR_TYPE] == "rate_limit_exceeded"


async def test_timeout(either, spans, server):
    """A timeout is the SDK's exception, with its cause, and one failed span."""
    server.then(Reply(llm_server.chat(), delay=5))
    with pytest.raises(openai.APITimeoutError) as caught:
        await call("chat", either.with_options(timeout=0.1), ENDPOINTS["chat"][1])
    assert caught.value.__cause__ is not None
    assert spans.one().attributes[semconv.ERROR_TYPE] == "openai.APITimeoutError"


async def test_connection_refused(either, spans, server):
    """A server that is not there is one failed span."""
    with pytest.raises(openai.APIConnectionError):
        await call("chat", either.with_options(base_url="http://127.0.0.1:1/v1"), ENDPOINTS["chat"][1])
    seen = spans.one().attributes
    assert seen[semconv.ERROR_TYPE] == "openai.APIConnectionError"
    assert seen[semconv.SERVER_PORT] == 1


async def test_malformed_json(either, spans, server):
    """A body that is no JSON raises what it raised before, and fails one span."""
    server.then(Reply(b"{not json"))
    with pytest.raises(json.JSONDecodeError):
        await call("chat", either, ENDPOINTS["chat"][1])
    span = spans.one()
    assert span.attributes[semconv.ERROR_TYPE] == "json.decoder.JSONDecodeError"
    assert span.status.status_code is StatusCode.ERROR


@pytest.mark.parametrize("mode", ["plain", "raw", "streaming-raw"])
@pytest.mark.parametrize("kind", ["chat", "responses"])
async def test_connection_lost_in_mid_stream(kind, mode, either, spans, server):
    """A connection that breaks in mid-stream fails the span, which keeps what had come."""
    events = llm_server.chat_chunks() if kind == "chat" else llm_server.response_events()
    server.then(Reply(events, cut=4))
    with pytest.raises(Exception) as caught:
        await call(kind, either, {**ENDPOINTS[kind][1], "stream": True}, mode=mode)
    span = spans.one()
    seen = span.attributes
    assert span.status.status_code is StatusCode.ERROR
    assert seen[semconv.STREAM_OUTCOME] == "failed"
    assert seen[semconv.STREAM_CHUNKS] == 4
    assert seen[semconv.RESPONSE_ID]
    assert ("Paris" if kind == "chat" else "city") in seen[semconv.OUTPUT_MESSAGES]
    if mode == "plain":
        assert seen[semconv.ERROR_TYPE] == f"{type(caught.value).__module__}.{type(caught.value).__qualname__}"


async def test_error_event_in_mid_stream(either, spans, server):
    """An error that the API sends as an event is raised by the SDK and fails the span."""
    server.then(Reply([*llm_server.chat_chunks()[:3], llm_server.error("server_error")]))
    with pytest.raises(openai.APIError):
        await call("chat", either, {**ENDPOINTS["chat"][1], "stream": True})
    seen = spans.one().attributes
    assert seen[semconv.ERROR_TYPE] == "server_error"
    assert seen[semconv.STREAM_CHUNKS] == 3


async def test_slow_chunks_do_not_count_as_first(either, spans, server):
    """The time to the first chunk is that of the first one, not of the stream."""
    server.then(Reply(llm_server.chat_chunks(), gap=0.05))
    await call("chat", either, {**ENDPOINTS["chat"][1], "stream": True})
    span = spans.one()
    assert span.attributes[semconv.RESPONSE_TIME_TO_FIRST_CHUNK] < (span.end_time - span.start_time) / 1e9 - 0.1


async def test_cancelled_call(async_client, spans, server):
    """A cancelled call ends its span without an error."""
    server.then(Reply(llm_server.chat(), delay=5))
    task = asyncio.ensure_future(call("chat", async_client, ENDPOINTS["chat"][1]))
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    span = spans.one()
    assert span.status.status_code is StatusCode.UNSET
    assert span.attributes[semconv.CANCELLED] is True
    assert semconv.ERROR_TYPE not in span.attributes


async def test_cancelled_stream(async_client, spans, server):
    """A stream cancelled while it waits for a chunk ends its span as cancelled, with the text so far."""
    server.then(Reply(llm_server.chat_chunks()[:4], hang=True))
    task = asyncio.ensure_future(call("chat", async_client, {**ENDPOINTS["chat"][1], "stream": True}))
    await asyncio.sleep(0.2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    span = spans.one()
    assert span.status.status_code is StatusCode.UNSET
    assert span.attributes[semconv.STREAM_OUTCOME] == "cancelled"
    assert "Paris" in span.attributes[semconv.OUTPUT_MESSAGES]


async def test_other_requests_pass_untouched(either, spans, server):
    """What is no LLM call makes no span."""
    await _maybe(either.models.list())
    await _maybe(either.responses.input_items.list("resp_1"))
    assert spans() == []


async def test_no_session_no_span(either, record, server, provider):
    """Without a session the call goes through and nothing is recorded."""
    record()
    context.set_process(None)
    await call("chat", either, ENDPOINTS["chat"][1])
    assert provider.capture.spans == []


async def test_suppressed_instrumentation(either, spans, server):
    """OpenTelemetry's switch for a block of code is respected."""
    with suppress_instrumentation():
        await call("chat", either, ENDPOINTS["chat"][1])
    assert spans() == []


async def test_the_callers_context_stays(either, spans, server, provider):
    """The current span is the caller's all the way through a stream."""
    with provider.tracer.start_as_current_span("caller") as caller:
        stream = await _maybe(either.chat.completions.create(stream=True, **ENDPOINTS["chat"][1]))
        assert trace.get_current_span() is caller
        if isinstance(stream, openai.Stream):
            for _ in stream:
                assert trace.get_current_span() is caller
        else:
            async for _ in stream:
                assert trace.get_current_span() is caller
        assert trace.get_current_span() is caller
