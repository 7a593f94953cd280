"""Starting, starting again, ending twice, never ending: no thread more, no span twice, no span lost."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import threading
import time
from collections import Counter

import openai
import pytest
from opentelemetry import trace

import agentops_otel as agentops
from agentops_otel import api
from agentops_otel.testing import SpanCapture
from tests.fakes.fault_server import FaultServer
from tests.fakes.llm_server import LlmServer, Reply, chat
from tests.fakes.program import run

CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Capital of France?"}]}
WORKER, BATCHER, SENDER = "agentops-worker", "OtelBatchSpanRecordProcessor", "agentops-otel-sender"


@agentops.tool
def dig():
    return "gold"


@pytest.fixture
def logged(caplog):
    """The lines of a level that we and the SDK have logged."""
    caplog.set_level(logging.DEBUG, "agentops_otel")

    def lines(level):
        names = ("agentops_otel", "opentelemetry.sdk")
        return [r.getMessage() for r in caplog.records if r.levelno == level and r.name.startswith(names)]

    return lines


def threads():
    """How many of our threads there are, by kind; those that were told to end are waited for."""
    return Counter(thread.name for thread in threading.enumerate() if thread.name in (WORKER, BATCHER, SENDER))


def settled(most, seconds=30.0):
    deadline = time.monotonic() + seconds
    while not threads() <= most:
        assert time.monotonic() < deadline, threads()
        time.sleep(0.02)


def init(**settings):
    return agentops.init(summary=False, env_data_opt_out=True, **settings)


def at_once(number, work):
    barrier = threading.Barrier(number)

    def go():
        barrier.wait()
        work()

    started = [threading.Thread(target=go) for _ in range(number)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()


# L1: init twice


def test_l1_init_from_sixteen_threads(logged):
    """One client, one session, one thread of each kind; the fifteen others are debug lines."""
    settled(Counter())
    capture, ids = SpanCapture(agentops.flush), []
    at_once(16, lambda: ids.append(init(exporter=capture)))
    assert len(set(ids)) == 1
    dig()
    assert agentops.flush(10)
    assert threads() == {WORKER: 1, BATCHER: 1, SENDER: 1}
    assert logged(logging.WARNING) == []
    assert sum("init() was called before" in line for line in logged(logging.DEBUG)) == 15
    agentops.end_session("Success")
    assert [span.name for span in capture.spans] == ["execute_tool dig", "session"]


def test_l1_init_twice(logged):
    """The same client and session, one debug line."""
    session_id = init(exporter=SpanCapture())
    first = api._client
    assert agentops.init() == session_id
    assert api._client is first
    assert logged(logging.WARNING) == []
    assert len([line for line in logged(logging.DEBUG) if "init() was called before" in line]) == 1


def test_l1_init_with_other_settings(logged):
    """Exactly one warning; the settings stay, and the session goes on."""
    first = SpanCapture(agentops.flush)
    session_id = init(exporter=first)
    assert init(exporter=SpanCapture()) == session_id
    assert api._client.config.exporter is first
    (line,) = logged(logging.WARNING)
    assert "other settings" in line
    agentops.end_session("Success")
    assert [span.name for span in first.spans] == ["session"]


# L2: two processors to the same place

HOST = """
import agentops_otel as agentops
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
provider = TracerProvider()
trace.set_tracer_provider(provider)

@agentops.tool
def dig(): pass
"""


def test_l2_nothing_is_exported_twice():
    """A host's provider that two `init()` use has our processor once, and each span arrives once."""
    with FaultServer() as server:
        ended = run(
            HOST
            + f"""
for _ in range(2):
    for _ in range(2):
        agentops.init(endpoint={server.url!r}, summary=False, env_data_opt_out=True)
    with trace.get_tracer("host").start_as_current_span("host"):
        dig()
    agentops.end_session("Success")
    agentops.shutdown()
agentops.init(endpoint={server.url!r}, summary=False, env_data_opt_out=True)
agentops.end_session("Success")
print(len(provider._active_span_processor._span_processors))
"""
        )
        assert ended.out == "1\n", ended.err
        names = sorted(span.name for span in server.spans())
        assert names == ["execute_tool dig"] * 2 + ["host"] * 2 + ["session"] * 3
        assert len(server.span_ids()) == len(set(server.span_ids())) == 7


def test_l2_two_sessions_with_one_destination():
    """Sessions with the same destination share a pipeline; one processor is on our provider, whatever was before."""
    capture = SpanCapture(agentops.flush)
    init(exporter=capture, auto_start_session=False)
    for name in ("a", "b"):
        with agentops.session(name=name):
            dig()
    assert len(api._client.provider.pipelines) == 1
    names = sorted(span.name for span in capture.spans)
    assert names == ["execute_tool dig", "execute_tool dig", "session a", "session b"]


# L3: init after shutdown


@pytest.mark.parametrize("provider", ["own", "host"])
def test_l3_init_after_shutdown(provider):
    """Ten spans of ten, in each of ten lives, with a tracer from the first as well."""
    with FaultServer() as server:
        ended = run(
            (HOST if provider == "host" else HOST.replace("trace.set_tracer_provider(provider)", ""))
            + f"""
tracer = trace.get_tracer("early")
for _ in range(10):
    agentops.init(endpoint={server.url!r}, summary=False, env_data_opt_out=True)
    for _ in range(5):
        dig()
        tracer.start_span("other").end()
    agentops.shutdown()
"""
        )
        assert ended.code == 0, ended.err
        names = Counter(span.name for span in server.spans())
        assert names == {"execute_tool dig": 50, "other": 50, "session": 10}
        assert len({span.trace_id for span in server.spans()}) == 10


# L4: two hundred times


LIVES = """
import gc, os, pathlib, threading, time
from collections import Counter
import psutil
import agentops_otel as agentops

ENDS, NAMES = {ends!r}, {names!r}

@agentops.tool
def dig(): pass

def life():
    agentops.init(endpoint={url!r}, summary=False, env_data_opt_out=True)
    dig()
    agentops.end_session("Success")
    if ENDS: agentops.shutdown()

def threads():
    return Counter(thread.name for thread in threading.enumerate() if thread.name in NAMES)

def links():  # as Linux tells them, also pipes, folders and files that were removed
    found = []
    for link in pathlib.Path("/proc/self/fd").glob("*"):
        try: found.append(os.readlink(link))
        except OSError: pass  # that of this very list
    return sorted(found)

def until(holds):
    end = time.monotonic() + 30
    while not holds():  # once is enough: a search in the background opens files for a moment
        assert time.monotonic() < end, (threads(), before, links())
        time.sleep(0.02)

life()
process = psutil.Process()
gc.collect()
files, before = process.num_fds(), links()
for _ in range(200): life()
gc.collect()
more = 0 if ENDS else 3  # a connection and files, of which two threads may have one each
until(lambda: process.num_fds() <= files + more)
until(lambda: threads() <= Counter(NAMES))
agentops.shutdown()
until(lambda: not threads())
"""


@pytest.mark.parametrize("ends", [True, False], ids=["with shutdown", "without shutdown"])
def test_l4_two_hundred_times(ends):
    """At most one thread of each kind is left, no file and no socket more, and all spans arrived."""
    with FaultServer() as server:
        names = [WORKER, BATCHER, SENDER]
        ended = run(LIVES.format(ends=ends, names=names, url=server.url), timeout=240)
        assert (ended.code, ended.err) == (0, "")
        spans = {span.span_id: span.name for span in server.spans()}  # one without an answer in time is sent again
        assert Counter(spans.values()) == {"execute_tool dig": 201, "session": 201}


# L5: before init


def test_l5_before_init():
    """Decorators and `record()` work as without us and warn once in all; spans of a tracer fetched before come later.

    A plain OpenTelemetry span before `init()` is a no-op that nobody can see; that is documented.
    """
    ended = run("""
    from opentelemetry import trace
    import agentops_otel as agentops
    from agentops_otel.testing import SpanCapture

    @agentops.tool
    def dig():
        return "gold"

    tracer = trace.get_tracer("early")
    for _ in range(3):
        assert dig() == "gold"
        agentops.record(agentops.ActionEvent("search"))
        assert not tracer.start_span("lost").is_recording()
    capture = SpanCapture(agentops.flush)
    agentops.init(exporter=capture, summary=False)
    dig()
    tracer.start_span("early").end()
    agentops.end_session("Success")
    print(*(span.name for span in capture.spans), sep=",")
    """)
    assert ended.out == "execute_tool dig,early,session\n", ended.err
    (line,) = ended.err.splitlines()
    assert "@tool: nothing is recorded" in line


# L6: the end, twice


def test_l6_a_second_end_changes_nothing(logged):
    """The first end wins; our API warns of a late call, as it says, and the SDK's log is quiet."""
    capture = SpanCapture(agentops.flush)
    init(exporter=capture)
    session = agentops.current_session()
    spans = []

    @agentops.tool
    def keep():
        spans.append(trace.get_current_span())
        trace.get_current_span().set_attribute("when", "in time")

    keep()
    (span,) = spans
    span.set_attribute("when", "late")
    span.set_attributes({"when": "late"})
    span.add_event("late")
    span.set_status(trace.StatusCode.ERROR)
    span.update_name("late")
    span.end()
    root = session._root
    session.end("Success", "the first")
    assert logged(logging.WARNING) == []
    session.end("Fail", "the second")
    session.add_tags(["late"])
    session.record(agentops.ActionEvent("late"))
    assert len(logged(logging.WARNING)) == 3
    root.set_attribute("agentops.session.end_state", "Fail")
    root.end()
    assert len(logged(logging.WARNING)) == 3
    tool, ended = capture.spans
    assert (tool.name, tool.attributes["when"], tool.events) == ("execute_tool keep", "in time", ())
    assert tool.status.is_unset
    assert ended.attributes["agentops.session.end_state"] == "Success"
    assert ended.attributes["agentops.session.end_state_reason"] == "the first"


def test_l6_a_late_call_is_on_debug_level(caplog):
    """Who wants to see it still can."""
    caplog.set_level(logging.DEBUG, "opentelemetry.sdk.trace")
    init(exporter=SpanCapture())
    span = trace.get_tracer("other").start_span("other")
    span.end()
    span.end()
    levels = {r.levelno for r in caplog.records if r.name == "opentelemetry.sdk.trace"}
    assert levels == {logging.DEBUG}


# L7: generators


def test_l7_a_generator_leaves_no_span_in_its_readers_context():
    """Between two steps, after the last, after `close()` and after a half-read one is garbage."""
    capture = SpanCapture(agentops.flush)
    init(exporter=capture)
    tracer = trace.get_tracer("reader")

    @agentops.tool
    def steps():
        with tracer.start_as_current_span("inside"):
            yield 1
        yield 2

    before = trace.get_current_span()
    reader = steps()
    next(reader)
    assert trace.get_current_span() is before
    tracer.start_span("between").end()
    list(reader)
    half, closed = steps(), steps()
    next(half)
    next(closed)
    closed.close()
    del half
    gc.collect()
    assert trace.get_current_span() is before
    tracer.start_span("after").end()
    agentops.end_session("Success")
    found = {span.name: span for span in capture.spans}
    root = found["session"].context.span_id
    assert found["between"].parent.span_id == found["after"].parent.span_id == root
    assert found["inside"].parent.span_id != root
    assert Counter(span.name for span in capture.spans)["execute_tool steps"] == 3


async def test_l7_an_async_generator_leaves_no_span_in_its_readers_context():
    """With `aclosing()`, left half-way, and garbage: the reader's next span is not its child, and its own span ends."""
    capture = SpanCapture(agentops.flush)
    init(exporter=capture)
    tracer = trace.get_tracer("reader")

    @agentops.tool
    async def steps():
        for number in range(3):
            await asyncio.sleep(0)
            yield number

    before = trace.get_current_span()
    async with contextlib.aclosing(steps()) as reader:
        async for _ in reader:
            assert trace.get_current_span() is before
            tracer.start_span("between").end()
            break
    half = steps()
    await anext(half)
    del half
    gc.collect()
    await asyncio.sleep(0.05)  # the loop closes it
    assert trace.get_current_span() is before
    tracer.start_span("after").end()
    session = agentops.current_session()
    session.end("Success")
    await asyncio.get_running_loop().run_in_executor(None, agentops.flush, 10.0)
    spans = capture._spans
    root = next(span for span in spans if span.name == "session").context.span_id
    assert {span.parent.span_id for span in spans if span.name in ("between", "after")} == {root}
    assert sum(span.name == "execute_tool steps" for span in spans) == 2


def test_l7_a_half_read_stream_that_is_garbage():
    """Its span ends as abandoned, and the reader's context never had it."""
    capture = SpanCapture(agentops.flush)
    init(exporter=capture)
    before = trace.get_current_span()
    with LlmServer() as server, openai.OpenAI(api_key="k", base_url=server.url, max_retries=0) as sdk:
        chunks = sdk.chat.completions.create(stream=True, **CHAT)
        next(chunks)
        assert trace.get_current_span() is before
        del chunks
        gc.collect()
        assert trace.get_current_span() is before
        agentops.end_session("Success")
    call = capture.find("chat gpt-4o")
    assert call.attributes["agentops.stream.outcome"] == "abandoned"
    assert call.status.is_unset


# L8: cancelled


async def test_l8_cancelled_work():
    """A cancelled tool, LLM call and session are exported and marked as cancelled; none is an error."""
    capture = SpanCapture()
    init(exporter=capture, auto_start_session=False)

    @agentops.tool
    async def wait(started):
        started.set()
        await asyncio.sleep(60)

    async def work(sdk, started):
        async with agentops.session():
            call = asyncio.ensure_future(sdk.chat.completions.create(**CHAT))
            await asyncio.sleep(0)
            try:
                await wait(started)
            finally:
                call.cancel()
                await asyncio.wait([call])

    with LlmServer() as server:
        server.then(Reply(chat(), delay=5))
        async with openai.AsyncOpenAI(api_key="k", base_url=server.url, max_retries=0) as sdk:
            started = asyncio.Event()
            task = asyncio.ensure_future(work(sdk, started))
            await started.wait()
            while not server.requests:  # noqa: ASYNC110  (a list, of another thread)
                await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert await asyncio.get_running_loop().run_in_executor(None, agentops.flush, 10.0)
    found = {span.name: span for span in capture._spans}
    assert set(found) == {"execute_tool wait", "chat gpt-4o", "session"}
    assert all(span.status.is_unset for span in found.values())
    assert found["execute_tool wait"].attributes["agentops.cancelled"] is True
    assert found["chat gpt-4o"].attributes["agentops.cancelled"] is True
    assert found["session"].attributes["agentops.session.end_state"] == "Indeterminate"
    assert found["session"].attributes["agentops.session.end_state_reason"] == "Cancelled"
