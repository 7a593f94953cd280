"""The ways out of a stream: each ends the span once, and the caller's stream stays the SDK's own."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import time
import weakref

import openai
import pytest
from opentelemetry import trace
from opentelemetry.trace import StatusCode

from agentops_otel import instrumentation, semconv
from agentops_otel.instrumentation import _raw, _reading
from tests.fakes import llm_server
from tests.fakes.llm_server import Reply

CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Capital of France?"}]}


def outcome(span):
    return span.attributes[semconv.STREAM_OUTCOME], span.attributes[semconv.STREAM_CHUNKS]


def test_the_stream_is_the_sdks_own(client, spans):
    """`isinstance`, `next()`, `for`, `with` and `.response` work as on the SDK's stream, because it is it."""
    stream = client.chat.completions.create(stream=True, **CHAT)
    assert type(stream) is openai.Stream
    assert stream.response.headers["x-request-id"] == "req_1"
    first = next(stream)
    with stream as entered:
        assert entered is stream
        rest = list(stream)
    assert [chunk.choices[0].delta.content for chunk in [first, *rest]] == ["", "Pa", "r", "is", None]
    assert outcome(spans.one()) == ("completed", 5)
    assert not {"close", "aclose"} & set(vars(stream.response))


async def test_the_async_stream_is_the_sdks_own(async_client, spans):
    """The same for an async stream."""
    stream = await async_client.chat.completions.create(stream=True, **CHAT)
    assert type(stream) is openai.AsyncStream
    await stream.__anext__()
    async with stream as entered:
        assert len([chunk async for chunk in entered]) == 4
    assert outcome(spans.one()) == ("completed", 5)
    assert not {"close", "aclose"} & set(vars(stream.response))


def test_break_and_close(client, spans):
    """Leaving early and closing ends the span as closed, with the text so far."""
    stream = client.chat.completions.create(stream=True, **CHAT)
    for number, _ in enumerate(stream):
        if number == 2:
            break
    assert spans() == []
    stream.close()
    stream.close()
    span = spans.one()
    assert outcome(span) == ("closed", 3)
    assert '"Par"' in span.attributes[semconv.OUTPUT_MESSAGES]
    assert span.status.status_code is StatusCode.UNSET


def test_users_exception_in_a_with_block(client, spans):
    """An exception of the user's in the loop passes as it is; the stream was only closed."""
    mine = KeyError("mine")
    with pytest.raises(KeyError) as caught, client.chat.completions.create(stream=True, **CHAT) as stream:
        for _ in stream:
            raise mine
    assert caught.value is mine
    assert outcome(spans.one()) == ("closed", 1)


async def test_async_break_in_a_with_block(async_client, spans):
    """Leaving an `async with` block early closes the stream."""
    async with await async_client.chat.completions.create(stream=True, **CHAT) as stream:
        async for _ in stream:
            break
    assert outcome(spans.one()) == ("closed", 1)


@pytest.mark.parametrize("read", [0, 3])
def test_abandoned(read, client, spans):
    """A stream that is dropped, even unread, ends its span when it is collected and leaves nothing behind."""
    stream = client.chat.completions.create(stream=True, **CHAT)
    response = weakref.ref(stream.response)
    for _ in range(read):
        next(stream)
    del stream
    gc.collect()
    assert outcome(spans.one()) == ("abandoned", read)
    assert response() is None
    assert not _reading._followed
    assert not _reading.collected


async def test_abandoned_async(async_client, spans):
    """A dropped async stream ends its span, too."""
    stream = await async_client.chat.completions.create(stream=True, **CHAT)
    await stream.__anext__()
    del stream
    gc.collect()
    assert outcome(spans.one()) == ("abandoned", 1)
    await asyncio.sleep(0)


@pytest.mark.parametrize("stream", [False, True])
def test_raw_response_never_parsed(stream, client, spans):
    """A raw response that nobody reads is one span: complete when its body had come with it, else abandoned."""
    raw = client.chat.completions.with_raw_response.create(stream=stream, **CHAT)
    assert raw.headers["x-request-id"] == "req_1"
    del raw
    gc.collect()
    seen = spans.one().attributes
    assert seen.get(semconv.STREAM_OUTCOME) == ("abandoned" if stream else None)
    assert seen.get(semconv.USAGE_INPUT_TOKENS) == (None if stream else 57)


def test_streaming_response_left_unread(client, spans):
    """A streamed response that is closed unread is one span without an answer."""
    with client.chat.completions.with_streaming_response.create(**CHAT):
        assert spans() == []
    assert semconv.RESPONSE_ID not in spans.one().attributes


def test_streaming_response_read_by_lines(client, spans):
    """Lines read by the user are read along: the span has the tokens."""
    arguments = {**CHAT, "stream": True, "stream_options": {"include_usage": True}}
    with client.chat.completions.with_streaming_response.create(**arguments) as raw:
        lines = [line for line in raw.iter_lines() if line]
    assert lines[-1] == "data: [DONE]"
    span = spans.one()
    assert outcome(span) == ("completed", 6)
    assert span.attributes[semconv.USAGE_INPUT_TOKENS] == 57


def test_collected_while_a_lock_may_be_held(client, spans, provider):
    """A stream collected inside a span processor, where a lock may be held, ends later with the time of now."""
    stream = client.chat.completions.create(stream=True, **CHAT)
    frame = {"__name__": "opentelemetry.sdk.trace.export", "holder": [stream], "gc": gc}
    del stream
    exec("holder.clear(); gc.collect()", frame)
    assert spans() == []
    before = time.time_ns()
    instrumentation.drain()
    span = spans.one()
    assert outcome(span) == ("abandoned", 0)
    assert span.end_time < before


def test_open_streams_at_the_end_of_the_process(client, spans):
    """`drain(everything=True)` ends the spans of streams that are still open."""
    stream = client.chat.completions.create(stream=True, **CHAT)
    next(stream)
    instrumentation.drain(everything=True)
    assert outcome(spans.one()) == ("abandoned", 1)
    assert len(list(stream)) == 4
    assert spans() == []


def test_stream_read_on_another_thread(client, spans):
    """A stream may be read where it was not made."""
    stream = client.chat.completions.create(stream=True, **CHAT)
    found = []
    thread = threading.Thread(target=lambda: found.extend(stream))
    thread.start()
    thread.join()
    assert len(found) == 5
    assert outcome(spans.one()) == ("completed", 5)


async def test_stream_read_in_another_task(async_client, spans):
    """An async stream may be read in another task than the one that made it."""
    stream = await async_client.chat.completions.create(stream=True, **CHAT)

    async def read():
        return [chunk async for chunk in stream]

    assert len(await asyncio.create_task(read())) == 5
    assert outcome(spans.one()) == ("completed", 5)


def test_keyboard_interrupt_while_waiting(client, spans, monkeypatch):
    """A KeyboardInterrupt inside the SDK's reading is the user's, and fails the span."""
    parse, parsed = client._process_response_data, []

    def interrupted(**given):
        if parsed:
            raise KeyboardInterrupt
        parsed.append(parse(**given))
        return parsed[0]

    monkeypatch.setattr(client, "_process_response_data", interrupted)
    stream = client.chat.completions.create(stream=True, **CHAT)
    assert next(stream) is parsed[0]
    with pytest.raises(KeyboardInterrupt):
        next(stream)
    span = spans.one()
    assert outcome(span) == ("failed", 1)
    assert span.attributes[semconv.ERROR_TYPE] == "KeyboardInterrupt"


def test_the_iterator_inside_is_closed_as_before(client, spans):
    """`stream._iterator.close()`, which programs call to let go of a stream, closes the SDK's own iterator."""
    stream = client.chat.completions.create(stream=True, **CHAT)
    next(stream)
    stream._iterator.close()
    stream.close()  # which older SDKs have left to the program
    assert list(stream) == []
    assert outcome(spans.one()) == ("closed", 1)


async def test_the_async_iterator_inside_is_closed_as_before(async_client, spans):
    """`stream._iterator.aclose()` closes the SDK's own iterator."""
    stream = await async_client.chat.completions.create(stream=True, **CHAT)
    await stream.__anext__()
    await stream._iterator.aclose()
    await stream.close()  # which older SDKs have left to the program
    assert [chunk async for chunk in stream] == []
    assert outcome(spans.one()) == ("closed", 1)


@pytest.mark.parametrize("read", ["next", "for"])
def test_an_exception_thrown_into_the_iterator_inside_is_the_sdks(read, client, spans):
    """`stream._iterator.throw()` reaches the SDK's own code, as every other attribute of the iterator does."""
    stream = client.chat.completions.create(stream=True, **CHAT)
    next(stream) if read == "next" else next(iter(stream))
    mine = KeyError("mine")
    with pytest.raises(KeyError) as caught:
        stream._iterator.throw(mine)
    assert caught.value is mine
    assert stream._iterator.gi_frame is None
    stream.close()
    assert outcome(spans.one()) == ("closed", 1)


def test_a_stream_closed_on_another_thread_while_it_is_read(client, spans, monkeypatch):
    """While one thread reads, `close()` on another does not end the span; the end of the reading does, and once."""
    parse, inside, go_on, ended = client._process_response_data, threading.Event(), threading.Event(), []

    def slow(**given):
        inside.set()
        assert go_on.wait(10)
        return parse(**given)

    def read():
        try:
            ended.append(len(list(stream)))
        except Exception as error:
            ended.append(error)

    monkeypatch.setattr(client, "_process_response_data", slow)
    stream = client.chat.completions.create(stream=True, **CHAT)
    reader = threading.Thread(target=read)
    reader.start()
    assert inside.wait(10)
    stream.close()
    assert spans() == []
    go_on.set()
    reader.join(10)
    assert len(ended) == 1
    assert outcome(spans.one())[0] == ("completed" if ended == [5] else "failed")


async def test_no_loop_has_to_close_an_iterator_of_ours(async_client, spans):
    """An event loop is told of the SDK's own asynchronous generators and of no other."""
    stream = await async_client.chat.completions.create(stream=True, **CHAT)
    told = []
    before = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(firstiter=told.append)
    try:
        async for _ in stream:
            pass
    finally:
        sys.set_asyncgen_hooks(*before)
    assert told
    assert not [generator for generator in told if "agentops_otel" in generator.ag_code.co_filename]
    assert outcome(spans.one()) == ("completed", 5)


def test_the_span_is_the_current_one_for_each_step_of_the_sdk(client, spans, provider, monkeypatch):
    """What the SDK does for a chunk is below the call's span, also when the caller's own span has changed meanwhile."""
    parse, parents = client._process_response_data, []

    def spied(**given):
        with provider.tracer.start_as_current_span("inside") as inside:
            parents.append(inside.parent.span_id)
        return parse(**given)

    monkeypatch.setattr(client, "_process_response_data", spied)
    stream = client.chat.completions.create(stream=True, **CHAT)
    next(stream)
    before = trace.get_current_span()
    with provider.tracer.start_as_current_span("caller") as caller:
        next(stream)
        assert trace.get_current_span() is caller
        for _ in stream:
            assert trace.get_current_span() is caller
    assert trace.get_current_span() is before
    call = next(span for span in spans() if span.name == "chat gpt-4o")
    assert parents == [call.context.span_id] * 5


def test_long_stream_keeps_order(client, server, spans):
    """Chunks folded in batches give the text in its order, whatever the length."""
    words = [f"w{number} " for number in range(200)]
    chunks = [llm_server.chunk({"content": word}) for word in words]
    server.then(Reply([*chunks, llm_server.chunk({}, "stop"), "[DONE]"]))
    assert len(list(client.chat.completions.create(stream=True, **CHAT))) == 201
    span = spans.one()
    assert outcome(span) == ("completed", 201)
    assert "".join(words) in span.attributes[semconv.OUTPUT_MESSAGES]


def _helper(client):
    chat = client.chat.completions if hasattr(client.chat.completions, "stream") else client.beta.chat.completions
    return chat.stream(**CHAT)


def test_stream_helper(client, spans):
    """The SDK's helper for chat streams works on, and is one span."""
    with _helper(client) as stream:
        for _ in stream:
            pass
        assert stream.get_final_completion().choices[0].message.content == "Paris"
    assert outcome(spans.one()) == ("completed", 5)


def test_stream_helper_left_early(client, spans):
    """Leaving the helper's block early closes the stream below it."""
    with _helper(client) as stream:
        next(stream)
    assert spans.one().attributes[semconv.STREAM_OUTCOME] == "closed"


async def test_async_stream_helper(async_client, spans):
    """The async helper works on, and is one span."""
    async with _helper(async_client) as stream:
        async for _ in stream:
            pass
        assert (await stream.get_final_completion()).choices[0].message.content == "Paris"
    assert outcome(spans.one()) == ("completed", 5)


def test_responses_stream_helper(client, spans):
    """The helper of the Responses API works on, and its span has the tokens of the last event."""
    if not hasattr(client.responses, "stream"):
        pytest.skip("this release has no responses.stream")
    with client.responses.stream(model="gpt-4o", input="hi") as stream:
        for _ in stream:
            pass
        assert stream.get_final_response().status == "completed"
    span = spans.one()
    assert outcome(span) == ("completed", 9)
    assert span.attributes[semconv.USAGE_OUTPUT_TOKENS] == 48


@pytest.mark.parametrize("given", [None, {}, {"include_usage": True}, {"include_usage": False}])
def test_stream_usage_is_asked_for_on_request_only(given, client, record, server, provider):
    """With `stream_usage` a stream that said nothing asks for usage; arguments and chunks stay the caller's."""
    record(stream_usage=True)
    options = None if given is None else dict(given)
    arguments = {**CHAT, "stream": True, **({} if options is None else {"stream_options": options})}
    chunks = list(client.chat.completions.create(**arguments))
    asked = server.requests[0].body.get("stream_options", {}).get("include_usage")
    assert asked is (given != {"include_usage": False})
    assert len(chunks) == (6 if given == {"include_usage": True} else 5)
    assert options == given
    seen = provider.capture.spans[0].attributes
    assert (semconv.USAGE_INPUT_TOKENS in seen) is asked


@pytest.mark.parametrize("kept", [True, False], ids=["up to the bound", "beyond it"])
def test_of_a_long_raw_body_no_text_is_kept(kept, client, spans, monkeypatch):
    """The program reads all of the body; what is kept of it for the span has a bound in bytes."""
    monkeypatch.setattr(_raw, "_MOST_BYTES", 1_000_000 if kept else 20)
    with client.chat.completions.with_streaming_response.create(**CHAT) as raw:
        body = b"".join(raw.iter_bytes(10))
    assert b"Paris" in body
    assert (semconv.OUTPUT_MESSAGES in spans.one().attributes) is kept
