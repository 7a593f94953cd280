"""Answers with status 200 that are failures: plain, streamed, raw, sync and async."""

from __future__ import annotations

import inspect

import openai
import pytest
from opentelemetry.trace import StatusCode

from agentops_otel import instrumentation, semconv
from tests.fakes import llm_server
from tests.fakes.llm_server import Reply
from tests.instrumentation.test_contract import ENDPOINTS, _drain, _maybe, call

HTML = b"<html><body>502 Bad Gateway</body></html>"
HTML_TYPE = {"content-type": "text/html"}
OVERLOADED = {"code": "overloaded", "message": "try again"}


def choice_with(**said):
    return {**llm_server.choice({"content": ""}), **said}


PLAIN = {
    "an object": (llm_server.chat(error=OVERLOADED), "overloaded", "try again"),
    "nothing but an object": ({"error": OVERLOADED}, "overloaded", "try again"),
    "a number as code": ({"error": {"code": 502, "message": "try again"}}, "502", "try again"),
    "a type": ({"error": {"code": None, "type": "server_error", "message": "try again"}}, "server_error", "try again"),
    "a code of an odd type": ({"error": {"code": ["x"], "message": {"en": "try"}}}, "error", '{"en":"try"}'),
    "text": ({"error": "try again"}, "error", "try again"),
    "a list": ({"error": ["try again"]}, "error", '["try again"]'),
    "true": ({"error": True, "message": "try again"}, "error", "try again"),
    "the answer itself": (
        {"object": "error", "message": "try again", "type": "BadRequestError", "code": 400},
        "400",
        "try again",
    ),
    "in a choice": (llm_server.chat(choices=[choice_with(error=OVERLOADED)]), "overloaded", "try again"),
    "in the second choice": (
        llm_server.chat(choices=[llm_server.choice(), choice_with(error=OVERLOADED)]),
        "overloaded",
        "try again",
    ),
    "the finish reason": (llm_server.chat(choices=[choice_with(finish_reason="error")]), "error", ""),
    "a code beside an id": (
        {"id": "x", "choices": None, "base_resp": {"status_code": 1004, "status_msg": "try again"}},
        "1004",
        "try again",
    ),
    "nothing": ({}, "invalid_response", None),
    "a list of nothing": ([], "invalid_response", None),
    "null": (b"null", "invalid_response", None),
    "JSON text": (b'"try again"', "invalid_response", "try again"),
    "a detail": ({"detail": "try again"}, "invalid_response", "try again"),
    "empty fields": ({"id": None, "choices": [], "usage": None}, "invalid_response", None),
    "empty fields of a model": ({"id": "", "object": "chat.completion", "choices": None}, "invalid_response", None),
}


def is_failed(span, code, message=None):
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes[semconv.ERROR_TYPE] == code
    if message is not None:
        assert (span.status.description or "") == message
    assert span.attributes.get(semconv.STREAM_OUTCOME) in (None, "failed")
    return True


@pytest.mark.parametrize("mode", ["plain", "raw", "streaming-raw"])
@pytest.mark.parametrize("what", PLAIN)
async def test_a_failure_in_a_plain_answer(what, mode, either, spans, server):
    """Whatever way a host has to say that a call failed with status 200, its span is a failed one."""
    body, code, message = PLAIN[what]
    server.then(Reply(body))
    await call("chat", either, ENDPOINTS["chat"][1], mode=mode)
    assert is_failed(spans.one(), code, message)


@pytest.mark.parametrize("mode", ["plain", "raw", "streaming-raw"])
@pytest.mark.parametrize("kind", ["chat", "responses", "completions"])  # the SDK fails on a page of embeddings
async def test_a_page_instead_of_an_answer(kind, mode, either, spans, server):
    """A proxy's HTML page, which the SDK hands over as text, is a failure that shows the page."""
    server.then(Reply(HTML, headers=HTML_TYPE))
    await call(kind, either, ENDPOINTS[kind][1], mode=mode)
    assert is_failed(spans.one(), "invalid_response", HTML.decode())


@pytest.mark.parametrize("mode", ["plain", "raw", "streaming-raw"])
@pytest.mark.parametrize("kind", ["chat", "responses", "completions"])
@pytest.mark.parametrize(
    "reply", [Reply(HTML, headers=HTML_TYPE), Reply([]), Reply(["[DONE]"])], ids=["page", "0", "[DONE]"]
)
async def test_a_stream_without_a_chunk(reply, kind, mode, either, spans, server):
    """A stream that ends without a single chunk has failed, and so has a page instead of one."""
    server.then(reply)
    await call(kind, either, {**ENDPOINTS[kind][1], "stream": True}, mode=mode)
    span = spans.one()
    assert is_failed(span, "invalid_response")
    assert span.attributes[semconv.STREAM_OUTCOME] == "failed"


EVENTS = {
    "an object": ({"error": OVERLOADED}, "overloaded"),
    "text": ({"error": "try again"}, "error"),
    "the event itself": ({"object": "error", "code": 400, "message": "try again"}, "400"),
    "in a choice": (
        {**llm_server.chunk({"content": ""}), "choices": [{"index": 0, "delta": {}, "error": OVERLOADED}]},
        "overloaded",
    ),
    "the finish reason": (llm_server.chunk({}, "error"), "error"),
    "a code of its own": ({"choices": None, "base_resp": {"status_code": 1002}}, "1002"),
}


@pytest.mark.parametrize("before", [0, 2])
@pytest.mark.parametrize("mode", ["plain", "raw", "streaming-raw", "bytes"])
@pytest.mark.parametrize("what", EVENTS)
async def test_a_failure_in_a_stream(what, mode, before, either, spans, server):
    """An event that says that the call failed, the only one or after others, fails the span, which keeps what came."""
    event, code = EVENTS[what]
    server.then(Reply([*llm_server.chat_chunks()[:before], event, "[DONE]"]))
    arguments = {**ENDPOINTS["chat"][1], "stream": True}
    try:
        if mode == "bytes":  # nobody parses it, so nobody raises
            async with _Streamed(either, arguments) as raw:
                await _maybe(raw.read())
        else:
            await call("chat", either, arguments, mode=mode)
    except openai.APIError:
        # The SDK raises what it knows as an error; without a code its class is the type.
        code = code if code == "overloaded" else None
    instrumentation.drain(everything=True)  # openai 1 leaves a stream open in which it has found an error
    span = spans.one()
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes[semconv.STREAM_OUTCOME] == "failed"
    assert code is None or span.attributes[semconv.ERROR_TYPE] == code
    assert span.attributes[semconv.ERROR_TYPE]
    assert (semconv.RESPONSE_ID in span.attributes) is bool(before or "choice" in what or "reason" in what)


class _Streamed:
    """A streaming raw response, sync or async, as an asynchronous block."""

    def __init__(self, client, arguments):
        self.manager = client.chat.completions.with_streaming_response.create(**arguments)

    async def __aenter__(self):
        return await self.manager.__aenter__() if hasattr(self.manager, "__aenter__") else self.manager.__enter__()

    async def __aexit__(self, *error):
        if hasattr(self.manager, "__aexit__"):
            await self.manager.__aexit__(*error)
        else:
            self.manager.__exit__(*error)


async def test_a_named_error_event(either, spans, server):
    """An event whose name says that it is an error is one, although its data does not."""
    server.then(Reply(b'event: error\ndata: {"code": "overloaded", "message": "try again"}\n\n'))
    async with _Streamed(either, {**ENDPOINTS["chat"][1], "stream": True}) as raw:
        await _maybe(raw.read())
    assert is_failed(spans.one(), "overloaded", "try again")


@pytest.mark.parametrize("mode", ["plain", "raw", "streaming-raw"])
@pytest.mark.parametrize(
    ("events", "code"),
    [
        ([{"type": "error", "code": "server_error", "message": "it broke"}], "server_error"),
        (
            [{"type": "response.failed", "response": llm_server.response("failed", error={"code": "server_error"})}],
            "server_error",
        ),
        ([{"type": "response.failed", "response": llm_server.response("failed")}], "failed"),
    ],
    ids=["event", "response", "status"],
)
async def test_a_failure_in_a_stream_of_responses(events, code, mode, either, spans, server):
    """The Responses API has an event for a failure, and an end; either fails the span."""
    server.then(Reply([*llm_server.response_events()[:5], *events]))
    await call("responses", either, {**ENDPOINTS["responses"][1], "stream": True}, mode=mode)
    span = spans.one()
    assert is_failed(span, code)
    assert span.attributes[semconv.STREAM_OUTCOME] == "failed"


@pytest.mark.parametrize(
    "body",
    [
        llm_server.chat(error=None),
        llm_server.chat(error={}),
        llm_server.chat(error=""),
        llm_server.chat(error=False),
        llm_server.chat(choices=[llm_server.choice(finish_reason="content_filter")]),
        llm_server.chat(choices=[]),
        llm_server.chat(id=None, usage=None),
    ],
)
async def test_answers_that_are_no_failure(body, either, spans, server):
    """An empty `error`, a filtered answer, an answer with an id and no choices, or choices and no id: no failure."""
    server.then(Reply(body))
    await call("chat", either, ENDPOINTS["chat"][1])
    assert spans.one().status.status_code is StatusCode.UNSET


@pytest.mark.parametrize("read", [0, 1])
async def test_a_stream_that_was_left_early_is_no_failure(read, either, spans, server):
    """What was closed before anything of an answer came has not failed."""
    first = llm_server.chunk(id="", model="", prompt_filter_results=[])
    server.then(Reply([first, *llm_server.chat_chunks()]))
    stream = await _maybe(either.chat.completions.create(**ENDPOINTS["chat"][1], stream=True))
    for _ in range(read):
        await _maybe(stream.__next__() if hasattr(stream, "__next__") else stream.__anext__())
    await _maybe(stream.close())
    span = spans.one()
    assert span.status.status_code is StatusCode.UNSET
    assert span.attributes[semconv.STREAM_OUTCOME] == "closed"


@pytest.mark.parametrize("kind", ["chat", "responses"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_a_raw_response_that_was_read_already(stream, kind, either, spans, server):
    """A body that an event hook has read before the SDK sees it is read as the document, or the events, that it is."""

    def read(response):
        response.read()

    async def aread(response):
        await response.aread()

    is_async = isinstance(either, openai.AsyncOpenAI)
    either._client.event_hooks = {"response": [aread if is_async else read], "request": []}
    arguments = {**ENDPOINTS[kind][1], "stream": stream} if stream else ENDPOINTS[kind][1]
    if stream and kind == "chat":
        arguments["stream_options"] = {"include_usage": True}
    raw = await _maybe(ENDPOINTS[kind][0](either).with_raw_response.create(**arguments))
    seen = spans.one().attributes
    assert (seen[semconv.USAGE_INPUT_TOKENS], seen[semconv.USAGE_OUTPUT_TOKENS]) == (57, 48)
    assert "Paris" in seen[semconv.OUTPUT_MESSAGES]
    assert seen.get(semconv.STREAM_OUTCOME) == ("completed" if stream else None)
    result = raw.parse()
    assert await _drain(await result if inspect.isawaitable(result) else result)
    assert spans() == []


async def test_of_a_long_page_the_beginning_is_shown(either, spans, server):
    """A page instead of an answer is described by some hundred characters of it."""
    server.then(Reply(b"<html>" + b"a long page " * 1000, headers=HTML_TYPE))
    await call("chat", either, ENDPOINTS["chat"][1], mode="plain")
    shown = spans.one().status.description
    assert "<html>a long page" in shown
    assert "characters cut]" in shown
    assert len(shown) < 700
