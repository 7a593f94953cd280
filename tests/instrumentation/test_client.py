"""Around the SDK's call: which span is current in there and which outside, and a host that refuses what we ask."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import inspect
import sys
from contextvars import copy_context
from importlib import import_module

import openai
import pytest
from opentelemetry import baggage, trace
from opentelemetry.context import attach, detach, get_current
from opentelemetry.trace import SpanKind, StatusCode

import agentops_otel
from agentops_otel import guard, semconv
from agentops_otel.instrumentation import _stream_usage
from agentops_otel.instrumentation._patch import PATCHES
from tests.fakes import llm_server
from tests.fakes.llm_server import LlmServer, Reply, Request

MESSAGES = [{"role": "user", "content": "Capital of France?"}]
CHAT = {"model": "gpt-4o", "messages": MESSAGES}
KINDS = {
    "chat": (lambda c: c.chat.completions, CHAT),
    "completions": (lambda c: c.completions, {"model": "davinci", "prompt": "Capital?"}),
}


class StrictServer(LlmServer):
    """A host that does not know `stream_options`."""

    def __init__(self, refusal: Reply) -> None:
        super().__init__()
        self.refusal = refusal

    def reply_to(self, request: Request) -> Reply:
        return self.refusal if b"stream_options" in request.raw else super().reply_to(request)


REFUSALS = {
    "openai's text": Reply(llm_server.error(None, "Unrecognized request argument supplied: stream_options"), 400),
    "the parameter": Reply({"error": {"message": "Extra inputs", "param": "stream_options", "code": "x"}}, 400),
    "pydantic": Reply({"detail": [{"type": "extra_forbidden", "loc": ["body", "stream_options"]}]}, 422),
    "text": Reply(b'json: unknown field "stream_options"', 400, {"content-type": "text/plain"}),
    "the inner name": Reply(llm_server.error(None, "include_usage: unexpected"), 422),
}


async def read(client, kind, *, mode="plain", **arguments):
    """Make a streamed call and read it; what the caller has got."""
    resource, usual = KINDS[kind]
    resource, arguments = resource(client), {**usual, "stream": True, **arguments}
    if isinstance(client, openai.AsyncOpenAI):
        if mode == "streaming-raw":
            async with resource.with_streaming_response.create(**arguments) as raw:
                return [chunk async for chunk in await raw.parse()]
        stream = await (resource.with_raw_response if mode == "raw" else resource).create(**arguments)
        return [chunk async for chunk in (stream.parse() if mode == "raw" else stream)]
    if mode == "streaming-raw":
        with resource.with_streaming_response.create(**arguments) as raw:
            return list(raw.parse())
    stream = (resource.with_raw_response if mode == "raw" else resource).create(**arguments)
    return list(stream.parse() if mode == "raw" else stream)


def _behind(error):
    """The exceptions that an exception names as raised before it."""
    while error is not None:
        error = error.__cause__ or error.__context__
        yield error


@pytest.mark.parametrize("refusal", REFUSALS)
@pytest.mark.parametrize("kind", KINDS)
async def test_a_host_that_refuses_stream_options_gets_the_callers_own_request(kind, refusal, either, record, provider):
    """The caller sees no error and all chunks, it is one span, and the host is asked once in the process."""
    record(stream_usage=True)
    with StrictServer(REFUSALS[refusal]) as strict:
        client = either.with_options(base_url=strict.url)
        without = await read(either, kind)
        for _ in range(3):
            assert await read(client, kind) == without
        bodies = [request.body for request in strict.requests]
    usual = KINDS[kind][1]
    assert bodies[0] == {**usual, "stream": True, "stream_options": {"include_usage": True}}
    assert bodies[1:] == [{**usual, "stream": True}] * 3
    spans = provider.capture.spans
    assert len(spans) == 4
    for span in spans[1:]:
        assert span.status.status_code is StatusCode.UNSET
        assert not span.events
        assert semconv.ERROR_TYPE not in span.attributes
        assert span.attributes[semconv.STREAM_OUTCOME] == "completed"


@pytest.mark.parametrize("mode", ["raw", "streaming-raw"])
async def test_a_raw_stream_is_never_asked_for_more(mode, either, record, provider):
    """What a caller reads as bytes is what the caller asked for, so there is nothing to take back."""
    record(stream_usage=True)
    with StrictServer(REFUSALS["pydantic"]) as strict:
        assert len(await read(either.with_options(base_url=strict.url), "chat", mode=mode)) == 5
        assert [request.body for request in strict.requests] == [{**CHAT, "stream": True}]
    assert len(provider.capture.spans) == 1


async def test_a_usage_chunk_that_nobody_asked_for_is_the_callers(either, record, provider):
    """After the refusal nothing is hidden: the chunks are those of the caller's own request."""
    record(stream_usage=True)
    with StrictServer(REFUSALS["pydantic"]) as strict:
        client = either.with_options(base_url=strict.url)
        for _ in range(2):
            strict.then(Reply(llm_server.chat_chunks(usage=True)))
            assert len(await read(client, "chat")) == 6


@pytest.mark.parametrize("status", [400, 401, 404, 422, 429, 500])
async def test_another_error_is_the_callers(status, either, record, server, provider):
    """An error that does not speak of the option is raised as it is, and nothing is sent again."""
    record(stream_usage=True)
    text = "no" if status in (400, 422) else "stream_options"
    server.then(Reply(llm_server.error("other", text), status))
    with pytest.raises(openai.APIStatusError) as caught:
        await read(either, "chat")
    assert caught.value.status_code == status
    assert not any(isinstance(error, openai.APIError) for error in _behind(caught.value))
    assert len(server.requests) == 1
    (span,) = provider.capture.spans
    assert span.attributes[semconv.ERROR_TYPE] == "other"


async def test_the_callers_own_request_can_fail_too(either, record, server, provider):
    """The error of the caller's own request is the caller's, without a trace of ours; the host is not remembered."""
    record(stream_usage=True)
    server.then(REFUSALS["pydantic"], Reply(llm_server.error("invalid_api_key"), 401))
    with pytest.raises(openai.AuthenticationError) as caught:
        await read(either, "chat")
    assert not any(isinstance(error, openai.APIError) for error in _behind(caught.value))
    (span,) = provider.capture.spans
    assert span.attributes[semconv.ERROR_TYPE] == "invalid_api_key"
    assert len(await read(either, "chat")) == 5
    assert [("stream_options" in request.body) for request in server.requests] == [True, False, True]


async def test_a_caller_who_asks_gets_the_refusal(either, record, provider):
    """Who passes `include_usage` asked for it: the host's error is the answer."""
    record(stream_usage=True)
    with StrictServer(REFUSALS["pydantic"]) as strict:
        with pytest.raises(openai.UnprocessableEntityError):
            await read(either.with_options(base_url=strict.url), "chat", stream_options={"include_usage": True})
        assert len(strict.requests) == 1


def test_few_refusing_hosts_are_remembered(client, record, monkeypatch):
    """What is remembered of hosts is bounded."""
    monkeypatch.setattr(_stream_usage, "_MOST_HOSTS", 2)
    record(stream_usage=True)
    hosts = PATCHES["openai"].installed[0].instrumentation._hosts
    with StrictServer(REFUSALS["pydantic"]) as strict:
        for path in "abc":
            own = client.with_options(base_url=f"{strict.url}/{path}")
            list(own.chat.completions.create(stream=True, **CHAT))
    assert len(hosts._refusing) == 1


# ---- the server of a call ----


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://name.invalid/v1", ("openai", "name.invalid", 80)),
        ("https://name.invalid/v1", ("openai", "name.invalid", 443)),
        ("https://name.invalid:8443/v1", ("openai", "name.invalid", 8443)),
        ("https://api.groq.com.invalid/v1", ("openai", "api.groq.com.invalid", 443)),
        ("http://[::1]:1/v1", ("openai", "::1", 1)),
    ],
)
def test_the_server_of_a_call(url, expected, client, spans):
    """Host and port of the client's own base URL, the port by its scheme when it names none."""
    with pytest.raises(openai.APIConnectionError):
        client.with_options(base_url=url).chat.completions.create(**CHAT)
    seen = spans.one().attributes
    assert (seen[semconv.PROVIDER_NAME], seen[semconv.SERVER_ADDRESS], seen[semconv.SERVER_PORT]) == expected


def test_a_server_that_cannot_be_told(server, record, provider, monkeypatch):
    """A client without a readable address has the SDK's provider, and no address and port that we made up."""
    monkeypatch.setattr(guard, "reraise", False)
    record()

    class Odd(openai.OpenAI):
        def __getattribute__(self, name):
            if "base_url" in name and sys._getframe(1).f_code.co_name == "_server":
                raise LookupError
            return super().__getattribute__(name)

    with Odd(api_key="k", base_url=server.url) as client:
        client.chat.completions.create(**CHAT)
    (span,) = provider.capture.spans
    assert span.attributes[semconv.PROVIDER_NAME] == "openai"
    assert span.attributes.keys().isdisjoint({semconv.SERVER_ADDRESS, semconv.SERVER_PORT})


def test_a_client_that_gets_another_address(client, server, spans):
    """The address is that of the call, also when the client's is exchanged between two calls."""
    for url in (server.url, "http://name.invalid:8443/v1", server.url):
        client.base_url = url
        with contextlib.suppress(openai.APIConnectionError):
            client.chat.completions.create(**CHAT)
        assert f":{spans.one().attributes[semconv.SERVER_PORT]}/v1" in url


# ---- the current span ----

# The HTTP library of this release of openai: httpx, or httpx2 since openai 3.
HTTP = import_module(openai.DefaultHttpxClient.__mro__[1].__module__.partition(".")[0])


class Watched:
    """What is current while the SDK sends a request, and while it reads each piece of the answer."""

    def __init__(self):
        self.seen = []

    def look(self, step):
        self.seen.append((step, trace.get_current_span(), baggage.get_baggage("of"), get_current()))

    @property
    def spans(self):
        return {span.get_span_context().span_id for _, span, _, _ in self.seen}

    def transport(self):
        watched = self

        class Pieces(HTTP.SyncByteStream):
            def __init__(self, inner):
                self.inner = inner

            def __iter__(self):
                for piece in self.inner:
                    watched.look("read")
                    yield piece

            def close(self):
                self.inner.close()

        class Transport(HTTP.HTTPTransport):
            def handle_request(self, request):
                watched.look("send")
                response = super().handle_request(request)
                response.stream = Pieces(response.stream)
                return response

        return Transport()

    def async_transport(self):
        watched = self

        class Pieces(HTTP.AsyncByteStream):
            def __init__(self, inner):
                self.inner = inner

            async def __aiter__(self):
                async for piece in self.inner:
                    await asyncio.sleep(0)
                    watched.look("read")
                    yield piece

            async def aclose(self):
                await self.inner.aclose()

        class Transport(HTTP.AsyncHTTPTransport):
            async def handle_async_request(self, request):
                await asyncio.sleep(0)
                watched.look("send")
                response = await super().handle_async_request(request)
                response.stream = Pieces(response.stream)
                return response

        return Transport()


@pytest.fixture
def watched():
    return Watched()


@pytest.fixture(params=["sync", "async"])
async def looked_at(request, server, watched):
    """A client of either kind whose transport looks at what is current."""
    if request.param == "sync":
        with HTTP.Client(transport=watched.transport()) as http:
            yield openai.OpenAI(api_key="k", base_url=server.url, max_retries=1, http_client=http)
    else:
        async with HTTP.AsyncClient(transport=watched.async_transport()) as http:
            yield openai.AsyncOpenAI(api_key="k", base_url=server.url, max_retries=1, http_client=http)


async def plain(client):
    result = client.embeddings.create(model="ada", input="Paris")
    return await result if inspect.isawaitable(result) else result


WAYS = {
    "plain": plain,
    "stream": lambda client: read(client, "chat"),
    "raw stream": lambda client: read(client, "chat", mode="raw"),
    "streaming raw": lambda client: read(client, "chat", mode="streaming-raw"),
}


@pytest.mark.parametrize("way", WAYS)
async def test_our_span_is_current_inside_the_sdk_only(way, looked_at, watched, spans, provider):
    """From the request to the last piece of the answer the call's span is current; before and after, the caller's."""
    with provider.tracer.start_as_current_span("caller"):
        token = attach(baggage.set_baggage("of", "caller"))
        before = get_current()
        await WAYS[way](looked_at)
        assert get_current() is before
        detach(token)
    (span,) = [span for span in spans() if span.kind is SpanKind.CLIENT]
    assert {step for step, *_ in watched.seen} == {"send", "read"}
    assert watched.spans == {span.context.span_id}
    assert {value for _, _, value, _ in watched.seen} == {"caller"}


@pytest.mark.parametrize("way", WAYS)
async def test_nothing_is_current_after_a_call_without_context(way, looked_at, watched, spans):
    """Where the caller has no context at all there is none afterwards, and the call's span is current inside."""
    before = get_current()
    await WAYS[way](looked_at)
    assert get_current() is before
    assert watched.spans == {spans.one().context.span_id}


async def test_between_the_chunks_the_context_is_the_callers(looked_at, watched, spans, provider):
    """Each step of a lazy stream takes the caller's context of that step, with our span in place of the caller's."""
    stream = looked_at.chat.completions.create(stream=True, **CHAT)
    stream = await stream if inspect.isawaitable(stream) else stream
    watched.seen.clear()
    with provider.tracer.start_as_current_span("reader") as reader:
        token = attach(baggage.set_baggage("of", "reader"))
        before = get_current()
        chunks = 0
        async for _ in _both(stream):
            chunks += 1
            assert get_current() is before
            assert trace.get_current_span() is reader
        assert get_current() is before
        detach(token)
    assert chunks == 5
    (span,) = [span for span in spans() if span.kind is SpanKind.CLIENT]
    assert watched.spans == {span.context.span_id}
    assert {value for _, _, value, _ in watched.seen} == {"reader"}


async def _both(stream):
    if isinstance(stream, openai.Stream):
        for chunk in stream:
            yield chunk
    else:
        async for chunk in stream:
            yield chunk


@pytest.mark.parametrize("reply", [Reply(llm_server.error(None), 404), Reply(b"{not json")], ids=["refused", "broken"])
async def test_a_failure_leaves_nothing_attached(reply, looked_at, spans, server):
    """After an exception the context is the caller's."""
    before = get_current()
    server.then(reply)
    with pytest.raises((openai.NotFoundError, ValueError)):
        await plain(looked_at)
    assert get_current() is before
    spans.one()


async def test_retries_are_under_the_same_span(looked_at, watched, spans, server):
    """Each attempt of the SDK is made under the call's span."""
    server.then(Reply(llm_server.error(None), 500, {"retry-after-ms": "1"}))
    await plain(looked_at)
    assert [step for step, *_ in watched.seen if step == "send"] == ["send", "send"]
    assert watched.spans == {spans.one().context.span_id}


async def test_tasks_do_not_see_each_others_span(server, watched, spans):
    """Calls at the same time, in one loop: each is current in its own task alone."""
    async with HTTP.AsyncClient(transport=watched.async_transport()) as http:
        client = openai.AsyncOpenAI(api_key="k", base_url=server.url, max_retries=0, http_client=http)
        before = get_current()

        async def one():
            await read(client, "chat")
            assert get_current() is before

        await asyncio.gather(*(one() for _ in range(8)))
    found = spans()
    assert watched.spans == {span.context.span_id for span in found}
    assert len(watched.spans) == 8
    assert watched.spans.isdisjoint(span.parent.span_id for span in found if span.parent is not None)


@pytest.mark.parametrize("streamed", [False, True])
async def test_cancellation_leaves_nothing_attached(streamed, async_client, spans, server):
    """A task that goes on after its call was cancelled has its own context again."""
    server.then(Reply(llm_server.chat_chunks()[:2], hang=True) if streamed else Reply(llm_server.chat(), delay=5))
    after = []

    async def work():
        before = get_current()
        try:
            if streamed:
                await read(async_client, "chat")
            else:
                await async_client.chat.completions.create(**CHAT)
        finally:
            after.append(get_current() is before)

    task = asyncio.ensure_future(work())
    await asyncio.sleep(0.2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert after == [True]
    spans.one()


async def test_a_coroutine_that_nobody_finishes(server, watched, spans, caplog):
    """The garbage collector closes it in another context: no error is logged, and that context stays as it is."""
    async with HTTP.AsyncClient(transport=watched.async_transport()) as http:
        client = openai.AsyncOpenAI(api_key="k", base_url=server.url, max_retries=0, http_client=http)
        client._platform = "Linux"  # else a thread is asked for it
        coroutine = client.chat.completions.create(**CHAT)
        inside = copy_context()
        inside.run(coroutine.send, None)
        assert inside.run(trace.get_current_span).is_recording()
        before = get_current()
        del coroutine
        gc.collect()
        assert get_current() is before
    assert not caplog.records
    spans.one()


def test_a_call_inside_another_one_stands_beside_it(agentops_session, server):
    """A hook of the HTTP client that makes a call of its own: two calls, both counted, of which neither wraps one."""
    own = openai.OpenAI(api_key="k", base_url=server.url, max_retries=0)

    def moderate(request):
        own.embeddings.create(model="ada", input="Paris")

    @agentops_otel.agent
    def work():
        with HTTP.Client(event_hooks={"request": [moderate]}) as http:
            client = openai.OpenAI(api_key="k", base_url=server.url, max_retries=0, http_client=http)
            client.chat.completions.create(**CHAT)

    work()
    own.close()
    agent = agentops_session.find("invoke_agent work")
    for name in ("embeddings ada", "chat gpt-4o"):
        assert agentops_session.find(name).parent.span_id == agent.context.span_id
    totals = agentops_otel.current_session().totals
    assert (totals.llm_calls, totals.usage.input_tokens) == (2, 65)


@pytest.mark.parametrize("streamed", [False, True])
def test_spans_of_another_instrumentation_are_children(streamed, server, spans, provider):
    """The HTTP span of OpenTelemetry's own instrumentation hangs below the call, and `traceparent` names it."""
    httpx = pytest.importorskip("opentelemetry.instrumentation.httpx")
    name = {"httpx": "SyncOpenTelemetryTransport", "httpx2": "SyncOpenTelemetryTransportHttpx2"}[HTTP.__name__]
    transport = getattr(httpx, name)(HTTP.HTTPTransport(), tracer_provider=provider.sdk)
    with HTTP.Client(transport=transport) as http:
        client = openai.OpenAI(api_key="k", base_url=server.url, max_retries=0, http_client=http)
        result = client.chat.completions.create(stream=streamed, **CHAT)
        _ = list(result) if streamed else result
    post, call = sorted(spans(), key=lambda span: span.name.startswith("chat"))
    assert post.parent.span_id == call.context.span_id
    assert post.context.trace_id == call.context.trace_id
    assert server.requests[0].headers["traceparent"].split("-")[2] == f"{post.context.span_id:016x}"


def test_we_send_no_trace_context_to_the_vendor(client, spans, server):
    """Without another instrumentation the request has no header of tracing."""
    client.chat.completions.create(**CHAT)
    assert server.requests[0].headers.keys().isdisjoint({"traceparent", "tracestate", "baggage"})
