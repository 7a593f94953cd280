"""What is equal for every SDK, sync or async, streamed or not: one call, one span, and nothing changed for the user."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import inspect
import re

import pytest
from opentelemetry import trace
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.trace import SpanKind, StatusCode

from agentops_otel import context, guard, instrumentation, semconv
from tests.fakes.house import SESSION
from tests.fakes.llm_server import LlmServer, Reply
from tests.fakes.statement_fault import StatementFault, probes
from tests.sdks.case import cases

CASES = list(cases())
STREAMED = [case for case in CASES if case.stream is not None]
WAYS = ("sync", "async")
# Says which chunk the user did not ask for; where it cannot, the user gets that chunk and not one too few. The last two
# hand over what the SDK's generator has returned, and look a method up; neither can fail.
UNGUARDED = (
    "chat.py is_usage_only:",
    "_client.py _returned: question",
    "_stream.py _read: if hidden is None",
    "_stream.py __anext__: if hidden is None",
    "_pieces.py _read: return end.value",
    "_wrapped.py __get__: return self if instance is None",
)
TRIED = set()  # statements, in this process


def ways(tried, names=WAYS):
    """Each case with each client that it has."""
    found = [(case, way) for case in tried for way in names if way == "sync" or case.async_client is not None]
    return pytest.mark.parametrize(("case", "way"), found, ids=[f"{case} {way}" for case, way in found])


def reads(test):
    """Each case with each client that it has, plain and streamed."""
    found = [
        (case, way, read)
        for case in CASES
        for way in WAYS
        for read in (False, True)
        if (way == "sync" or case.async_client is not None) and (not read or case.stream is not None)
    ]
    ids = [f"{case} {way}{' stream' if read else ''}" for case, way, read in found]
    return pytest.mark.parametrize(("case", "way", "read"), found, ids=ids)(test)


class Caller:
    """Makes the calls of a case with a client of its own."""

    def __init__(self, case, way, server):
        self.case = case
        self.address = f"http://127.0.0.1:{server.port}"
        self.way = way
        self.client = None

    def make(self):
        self.client = (self.case.client if self.way == "sync" else self.case.async_client)(self.address)
        return self.client

    async def close(self):
        for name in ("aclose", "close"):
            if hasattr(self.client, name):
                await _maybe(getattr(self.client, name)())
                break

    async def call(self):
        return await _maybe(self.case.call(self.make()))

    async def open(self):
        return await _maybe(self.case.stream(self.make()))

    async def read(self, most=None):
        """The pieces of the stream; at most so many, and then it is closed."""
        stream = await self.open()
        if hasattr(stream, "__aenter__") and hasattr(stream, "__aexit__"):
            async with stream as entered:
                return await _pieces(entered, most)
        if hasattr(stream, "__enter__"):
            with stream as entered:
                return await _pieces(entered, most)
        return await _pieces(stream, most)


async def _maybe(value):
    return await value if inspect.isawaitable(value) else value


async def _pieces(stream, most):
    found = []
    iterator = aiter(stream) if hasattr(stream, "__aiter__") else iter(stream)
    while most is None or len(found) < most:
        try:
            found.append(await anext(iterator) if hasattr(iterator, "__anext__") else next(iterator))
        except (StopIteration, StopAsyncIteration):
            return found
    for each in (iterator, stream):
        for name in ("aclose", "close"):
            if hasattr(each, name):
                await _maybe(getattr(each, name)())
                break
    return found


def _shown(value):
    text = re.sub(r"created=\d+", "created=", repr(value))  # LiteLLM dates its chunks itself
    return [f"{type(value).__module__}.{type(value).__qualname__}", text]


async def _outcome(make):
    """What the user gets: the result, or the exception."""
    try:
        result = await make()
    except Exception as error:
        return [*_shown(error), type(error.__cause__), type(error.__context__)]
    return [_shown(each) for each in result] if isinstance(result, list) else _shown(result)


def _tokens(seen):
    return seen.get(semconv.USAGE_INPUT_TOKENS), seen.get(semconv.USAGE_OUTPUT_TOKENS)


@pytest.fixture
def plain():
    """A server for the same call without us."""
    with LlmServer() as server:
        yield server


@ways(CASES)
async def test_a_call_is_one_span_with_tokens(case, way, record, provider, server):
    """A call makes one client span that says who, what and how much; the user gets what there is without us."""
    expected = await _reply(case, way, server, Reply(case.answer))
    record()
    assert await _reply(case, way, server, Reply(case.answer)) == expected
    (span,) = provider.capture.spans
    seen = span.attributes
    assert (span.name, span.kind, span.status.status_code) == (case.span, SpanKind.CLIENT, StatusCode.UNSET)
    assert (seen[semconv.SESSION_ID], seen[semconv.PROVIDER_NAME]) == (SESSION, case.provider)
    assert seen.get(semconv.REQUEST_MODEL, "") == case.model
    assert (seen[semconv.SERVER_ADDRESS], seen[semconv.SERVER_PORT]) == ("127.0.0.1", server.port)
    assert _tokens(seen) == case.tokens
    assert case.said in seen.get(semconv.OUTPUT_MESSAGES, "")
    assert semconv.RESEND_COUNT not in seen
    assert semconv.ERROR_TYPE not in seen
    assert len(server.requests) == 2


def _through_openai(server, hook):
    """A call of OpenAI's SDK with an event hook of its HTTP client."""
    openai = pytest.importorskip("openai")
    http = openai.DefaultHttpxClient(verify=False, event_hooks={"request": [hook]})
    with openai.OpenAI(api_key="k", base_url=server.url, max_retries=0, http_client=http) as client:
        client.chat.completions.create(model="outer", messages=[])


def _through_bedrock(server, hook):
    """A call of boto3 with an event handler."""
    test_bedrock = pytest.importorskip("tests.sdks.test_bedrock")

    def before(request, **_):
        hook(request)
        server.then(Reply(test_bedrock.answers.converse()))

    client = test_bedrock.connect(server)
    client.meta.events.register("before-send.bedrock-runtime.*", before)
    client.converse(**{**test_bedrock.ASK, "modelId": "outer"})


INNER = [(case, read) for case in CASES for read in (False, True) if not read or case.stream is not None]


@pytest.mark.parametrize("through", [_through_openai, _through_bedrock])
@pytest.mark.parametrize(("case", "read"), INNER, ids=[f"{case}{' stream' if read else ''}" for case, read in INNER])
def test_a_call_inside_a_call_of_another_sdk(through, case, read, record, provider, server):
    """What asks a judge before a request is sent: two calls, both counted. Only LiteLLM's are made by other SDKs."""
    if through is _through_bedrock and case.name.startswith("bedrock"):
        pytest.skip("the same SDK")
    reply = Reply(case.events, headers=case.headers) if read else Reply(case.answer)
    record()
    through(server, lambda _request: asyncio.run(_reply(case, "sync", server, reply, read=read)))
    assert sorted(span.name for span in provider.capture.spans) == sorted([case.span, "chat outer"])
    inner, outer = sorted(provider.capture.spans, key=lambda span: span.name == "chat outer")
    assert _tokens(inner.attributes)[0] == case.tokens[0]
    assert inner.parent == outer.parent
    assert len(server.requests) == 2


@ways(CASES, ["async"])
async def test_a_call_inside_an_asynchronous_call(case, way, record, provider, server):
    """The same with an asynchronous client."""
    openai = pytest.importorskip("openai")

    async def hook(_request):
        await _reply(case, way, server, Reply(case.answer))

    record()
    http = openai.DefaultAsyncHttpxClient(verify=False, event_hooks={"request": [hook]})
    async with openai.AsyncOpenAI(api_key="k", base_url=server.url, max_retries=0, http_client=http) as client:
        await client.chat.completions.create(model="outer", messages=[])
    assert [span.name for span in provider.capture.spans] == [case.span, "chat outer"]


async def _reply(case, way, server, reply, *, read=False, most=None):
    server.then(reply)
    caller = Caller(case, way, server)
    try:
        return await _outcome((lambda: caller.read(most)) if read else caller.call)
    finally:
        await caller.close()


@ways(STREAMED)
async def test_a_stream_is_one_span_with_its_text(case, way, record, provider, server):
    """A stream that is read to its end is one span with the whole text, its tokens and the time to the first piece."""
    reply = Reply(case.events, headers=case.headers)
    expected = await _reply(case, way, server, reply, read=True)
    record()
    assert await _reply(case, way, server, reply, read=True) == expected
    (span,) = provider.capture.spans
    seen = span.attributes
    assert (span.name, span.status.status_code) == (case.span, StatusCode.UNSET)
    assert seen[semconv.REQUEST_STREAM] is True
    assert seen[semconv.STREAM_OUTCOME] == "completed"
    assert seen[semconv.STREAM_CHUNKS] > 1
    assert 0 < seen[semconv.RESPONSE_TIME_TO_FIRST_CHUNK] < 60
    assert bool(seen.get(semconv.RESPONSE_FINISH_REASONS)) is case.finishes
    assert case.said in seen[semconv.OUTPUT_MESSAGES]
    assert _tokens(seen) == case.tokens
    assert len(server.requests) == 2


@reads
async def test_a_refused_call_is_one_failed_span(case, way, read, record, provider, server):
    """An error status is the SDK's own exception for the user, and one failed span with the provider's code."""
    reply = Reply(case.refusal, status=400)
    expected = await _reply(case, way, server, reply, read=read)
    record()
    found = await _reply(case, way, server, reply, read=read)
    assert found[:1] == expected[:1]
    assert found[2:] == expected[2:]
    (span,) = provider.capture.spans
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes[semconv.ERROR_TYPE] == case.code
    assert len(server.requests) == 2


@ways(CASES)
async def test_a_refused_call_tells_the_same_of_its_request(case, way, record, provider, server):
    """What was asked is recorded as it is of a call that is answered: an SDK takes out of it what was not given."""
    record()
    await _reply(case, way, server, Reply(case.answer))
    await _reply(case, way, server, Reply(case.refusal, status=400))
    answered, refused = (span.attributes for span in provider.capture.spans)
    asked = {name for name in answered if ".request." in name} | {
        semconv.INPUT_MESSAGES, semconv.SYSTEM_INSTRUCTIONS, semconv.TOOL_DEFINITIONS,
    }  # fmt: skip
    assert {name: refused.get(name) for name in asked} == {name: answered.get(name) for name in asked}


@ways(CASES)
async def test_a_server_that_is_not_there(case, way, record, provider, server):
    """A refused connection is one failed span, and the SDK's own exception."""
    caller = Caller(case, way, server)
    caller.address = "http://127.0.0.1:1"
    expected = await _outcome(caller.call)
    await caller.close()
    record()
    assert (await _outcome(caller.call))[0] == expected[0]
    await caller.close()
    (span,) = provider.capture.spans
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes[semconv.ERROR_TYPE]


@ways(STREAMED)
async def test_a_stream_that_breaks_off(case, way, record, provider, server):
    """A connection that is cut in the stream is the SDK's own exception, and one span without output tokens."""
    reply = Reply(case.events, headers=case.headers, cut=min(2, len(case.events) - 1))
    expected = await _reply(case, way, server, reply, read=True)
    record()
    assert (await _reply(case, way, server, reply, read=True))[0] == expected[0]
    (span,) = provider.capture.spans
    assert span.attributes[semconv.STREAM_OUTCOME] in ("failed", "completed")
    assert semconv.USAGE_OUTPUT_TOKENS not in span.attributes


@ways(STREAMED)
async def test_a_stream_that_is_left_early(case, way, record, provider, server):
    """A stream that is closed after its first piece is one span, without an error."""
    record()
    await _reply(case, way, server, Reply(case.events, headers=case.headers), read=True, most=1)
    for _ in range(200):  # the event loop closes asynchronous generators that the SDK has left
        if provider.capture.spans or case.held:
            break
        await asyncio.sleep(0.01)
    instrumentation.drain(everything=case.held)
    (span,) = provider.capture.spans
    assert span.status.status_code is StatusCode.UNSET
    assert span.attributes[semconv.STREAM_OUTCOME] in ("closed", "abandoned", "completed")


# botocore leaves the connection to the garbage collector, too.
@pytest.mark.filterwarnings(
    "ignore:unclosed <socket:ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)
@ways(STREAMED)
async def test_a_stream_that_is_forgotten(case, way, record, provider, server):
    """A stream that is garbage before its end is one span; one that is never read is at most one."""
    record()
    server.then(Reply(case.events, headers=case.headers))
    caller = Caller(case, way, server)
    stream = await caller.open()
    del stream
    gc.collect()
    await asyncio.sleep(0.01)  # the event loop closes asynchronous generators
    gc.collect()
    instrumentation.drain(everything=case.held)
    await caller.close()
    assert len(provider.capture.spans) == len(server.requests) <= 1


@ways([case for case in CASES if case.async_client is not None], ["async"])
async def test_a_cancelled_call(case, way, record, provider, server):
    """A call that is cancelled ends its span without an error."""
    record()
    server.then(Reply(case.answer, delay=5))
    caller = Caller(case, way, server)
    task = asyncio.ensure_future(caller.call())
    while not server.requests:  # noqa: ASYNC110  (another thread's)
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await caller.close()
    (span,) = provider.capture.spans
    assert span.status.status_code is StatusCode.UNSET
    assert span.attributes[semconv.CANCELLED] is True


@ways(CASES)
async def test_without_a_session_nothing_is_recorded(case, way, record, provider, server):
    """Without a session, in a block that suppresses instrumentation, and after `uninstrument()`, calls go through."""
    record()
    with suppress_instrumentation():
        await _reply(case, way, server, Reply(case.answer))
    context.set_process(None)
    await _reply(case, way, server, Reply(case.answer))
    instrumentation.uninstrument()
    await _reply(case, way, server, Reply(case.answer))
    assert provider.capture.spans == []
    assert len(server.requests) == 3


@ways(STREAMED)
async def test_the_callers_context_stays(case, way, record, provider, server):
    """The current span is the caller's before and after a stream, and nothing else is left in the context."""
    record()
    with provider.tracer.start_as_current_span("caller") as caller:
        server.then(Reply(case.events, headers=case.headers))
        before = contextvars.copy_context()
        reader = Caller(case, way, server)
        await reader.read()
        assert trace.get_current_span() is caller
        after = contextvars.copy_context()
        await reader.close()
    changed = {variable.name for variable in after if before.get(variable) is not after[variable]}
    assert not {name for name in changed if name.startswith(("agentops", "current_context"))}
    assert [span.name for span in provider.capture.spans if span is not caller].count(case.span) == 1


@pytest.mark.parametrize("provider", ["leaf"], indirect=True)  # both ways would take minutes
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # a fault where garbage is collected
@reads
async def test_a_fault_of_ours_changes_nothing(case, way, read, record, server, monkeypatch):
    """Whichever statement of ours fails, the user gets the same from one request.

    Each is tried by the first call that comes to it, and some by others.
    """
    reply = Reply(case.events, headers=case.headers) if read else Reply(case.answer)
    expected = await _reply(case, way, server, reply, read=read)
    record()
    await _reply(case, way, server, reply, read=read)  # all is imported
    monkeypatch.setattr(guard, "reraise", False)
    wrong = {}
    with probes():
        with StatementFault(0) as executed:
            await _reply(case, way, server, reply, read=read)
        for number, place in enumerate(executed.numbers, len(case.name)):
            if place in TRIED and number % 97:
                continue
            server.requests.clear()
            with StatementFault(executed.numbers[place]) as fault:
                found = await _reply(case, way, server, reply, read=read)
            TRIED.add(fault.place)
            if (found != expected or len(server.requests) != 1) and not str(fault.place).startswith(UNGUARDED):
                wrong[fault.place] = found
            server._replies.clear()
    assert wrong == {}, "\n".join(wrong)
    assert len(executed.numbers) > 80
