"""Code that is not ours, or is wrong, at the places where it meets ours: the program never notices."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import gc
import logging
import threading
import time
from contextlib import contextmanager
from types import SimpleNamespace

import openai
import pytest
from openai._base_client import AsyncAPIClient, SyncAPIClient
from opentelemetry import context as otel_context
from opentelemetry import trace

import agentops_otel as agentops
from agentops_otel import api, context, guard
from agentops_otel.instrumentation import _reading
from agentops_otel.pipeline.delivery import DeliveryExporter
from agentops_otel.pipeline.worker import WORKERS, Worker
from agentops_otel.testing import SpanCapture
from tests.fakes import fault_server, llm_server
from tests.fakes.fault_server import FaultServer
from tests.fakes.llm_server import LlmServer, Reply
from tests.fakes.program import run
from tests.fakes.statement_fault import StatementFault, probes

CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Capital of France?"}]}

# C1: other processors and samplers ------------------------------------------------------------------------------------

BROKEN = """
from opentelemetry import trace
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.sampling import Sampler
import agentops_otel as agentops
from agentops_otel.testing import SpanCapture

class OnStart(SpanProcessor):
    def on_start(self, span, parent_context=None):
        raise RuntimeError("secret")

class OnEnd(SpanProcessor):
    def on_end(self, span):
        raise RuntimeError("secret")

class Sampling(Sampler):
    def should_sample(self, *args, **options):
        raise RuntimeError("secret")
    def get_description(self):
        return "broken"

@agentops.tool
def dig():
    return "gold"

def use():
    assert dig() == "gold"
    agentops.record(agentops.ActionEvent("search"))
    with agentops.session():
        dig()
    agentops.add_tags(["x"])
    agentops.end_session("Success")
    with agentops.session(name="own") as session:
        assert dig() == "gold"
    agentops.flush(5)

capture = SpanCapture(lambda: agentops.flush(5))
NAMES = ["execute_tool dig", "execute_tool dig", "execute_tool dig", "search", "session", "session own"]
"""


@pytest.mark.parametrize("broken", ["OnStart", "OnEnd"])
def test_c1_a_processor_that_raises_on_our_provider(broken):
    """The program's own spans and ours are started, ended and exported; one line for what raises, without its text."""
    ended = run(
        BROKEN
        + f"""
agentops.init(exporter=capture, summary=False, env_data_opt_out=True)
provider = trace.get_tracer_provider()
provider.add_span_processor({broken}())
provider.add_span_processor(SimpleSpanProcessor(behind := SpanCapture()))
tracer = trace.get_tracer("the program's")
with tracer.start_as_current_span("plain") as span:
    assert span.is_recording()
use()
names = sorted(span.name for span in capture.spans)
assert names == sorted([*NAMES, "plain"]), names
assert sorted(span.name for span in behind.spans) == names
print("fine")
"""
    )
    assert ended.out == "fine\n", ended.err
    (line,) = ended.err.splitlines()
    assert line.startswith(f"agentops-otel: error in {broken}.on_")
    assert "RuntimeError" in line
    assert "secret" not in line


@pytest.mark.parametrize("order", ["before", "after"])
@pytest.mark.parametrize("broken", ["OnStart", "OnEnd", "Sampling"])
def test_c1_what_raises_on_the_programs_own_provider(broken, order):
    """No call of ours raises, and what ends behind ours is exported.

    A plain span of the program does raise: its provider was so before us. A span that its own processor or sampler
    keeps from starting is no span of ours either.
    """
    sampler = "Sampling()" if broken == "Sampling" else "None"
    add = f"provider.add_span_processor({broken}())" if broken != "Sampling" else ""
    ended = run(
        BROKEN
        + f"""
provider = TracerProvider(sampler={sampler})
trace.set_tracer_provider(provider)
{add if order == "before" else ""}
session_id = agentops.init(exporter=capture, summary=False, env_data_opt_out=True)
{add if order == "after" else ""}
assert agentops.current_session().session_id == session_id
use()
try:
    trace.get_tracer("the program's").start_span("plain").end()
except RuntimeError:
    print("raised")
print(*sorted(span.name for span in capture.spans), sep=",")
"""
    )
    assert ended.code == 0, ended.err
    raised, names = ended.out.splitlines()
    assert raised == "raised"
    if (broken, order) == ("OnEnd", "after"):
        assert names.split(",") == [*["execute_tool dig"] * 3, "search", "session", "session own"]
    places = [line.split(": ")[1] for line in ended.err.splitlines()]
    assert places
    assert len(set(places)) == len(places), "a place was told of twice"
    assert "secret" not in ended.err


# Q3: SystemExit on our threads ----------------------------------------------------------------------------------------


@agentops.tool
def dig():
    return "gold"


@pytest.fixture
def quiet(monkeypatch):
    monkeypatch.setattr(guard, "reraise", False)


def eventually(condition, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def our_threads():
    names = ("agentops-worker", "agentops-otel-sender", "OtelBatchSpanRecordProcessor")
    return {thread for thread in threading.enumerate() if thread.name in names}


class Exiting(SpanCapture):
    """An exporter whose methods leave by SystemExit while they are named in `exits`."""

    def __init__(self):
        super().__init__()
        self.exits = set()
        self.exported = 0

    def export(self, spans):
        if "export" in self.exits:
            raise SystemExit(3)
        self.exported += len(spans)
        return super().export(spans)

    def shutdown(self):
        if "shutdown" in self.exits:
            raise SystemExit(3)


def test_q3_systemexit_in_a_users_exporter(quiet):
    """All three threads live; the spans of that call are counted as dropped, all others arrive."""
    exporter = Exiting()
    agentops.init(exporter=exporter, summary=False, max_wait_time=20, env_data_opt_out=True)
    dig()
    assert agentops.flush(10)
    threads = our_threads()
    assert len(threads) == 3
    pipeline = api._client.provider.pipelines[0]
    exporter.exits.add("export")
    dig()
    dig()
    eventually(lambda: pipeline.dropped() == {"exporter failed": 2})
    assert not agentops.flush(10)
    exporter.exits = {"shutdown"}
    dig()
    eventually(lambda: exporter.exported == 2)
    assert agentops.flush(10)
    assert our_threads() == threads
    agentops.end_session("Success")
    agentops.shutdown()
    assert exporter.exported + 2 == pipeline.recorded == 5
    eventually(lambda: not our_threads() & threads)


def test_q3_systemexit_in_a_tick(quiet):
    """A redaction hook that leaves by SystemExit on the worker: its thread lives, and ticks again."""
    calls = threading.Semaphore(0)

    def redact(value, path):
        if threading.current_thread().name == "agentops-worker":
            calls.release()
            raise SystemExit(3)
        return value

    exporter = Exiting()
    agentops.init(exporter=exporter, summary=False, redact=redact, tags=["t"], env_data_opt_out=True)
    threads = our_threads()
    for _ in range(2):
        dig()  # the set of open spans has changed: a heartbeat is due
        assert calls.acquire(timeout=20)
        while calls.acquire(blocking=False):
            pass
    assert our_threads() >= threads
    assert agentops.flush(10)
    assert exporter.exported == 2


def test_q3_systemexit_in_the_programs_logging(quiet):
    """A log handler that leaves by SystemExit on the batcher's thread: that lives, and delivers by its timer."""
    called = threading.Event()

    class Leaving(logging.Handler):
        def emit(self, entry):
            if threading.current_thread() is not threading.main_thread():
                called.set()
                raise SystemExit(3)

    handler = Leaving()
    guard.logger.addHandler(handler)
    try:
        with FaultServer(mode=fault_server.status(503)) as server:
            agentops.init(endpoint=server.url, summary=False, max_wait_time=20, timeout=1, journal="memory")
            dig()
            assert called.wait(20)
            server.mode = fault_server.ok
            threads = our_threads()
            dig()
            eventually(lambda: len(server.spans()) == 2)
            assert our_threads() == threads
            agentops.end_session("Success")
            agentops.shutdown()
            assert len(server.spans()) == 3
    finally:
        guard.logger.removeHandler(handler)


# C4: logging that comes back to us -----------------------------------------------------------------------------------

LOGGING = """
import logging, threading, time, warnings
warnings.simplefilter("ignore")  # newer SDKs have moved the handler
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, SimpleLogRecordProcessor
import agentops_otel as agentops

class Counting(logging.Handler):
    lines = []
    def emit(self, entry):
        self.lines.append((entry.name, entry.getMessage()))

class Failing:
    calls = 0
    def export(self, batch):
        Failing.calls += 1
        agentops.record(agentops.ActionEvent("from the exporter"))  # as an instrumented HTTP client would
        agentops.flush(0.1)
    def shutdown(self): pass
    def force_flush(self, timeout_millis=30000): return True
"""


@pytest.mark.parametrize("kind", ["failing", "otlp"])
def test_c4_logging_that_comes_back_to_us(kind):
    """OpenTelemetry's handler on the root logger, and exporters that fail: no recursion, and no growth of messages."""
    with FaultServer(mode=fault_server.status(503)) as server:
        ended = run(
            LOGGING
            + f"""
provider = LoggerProvider()
if {kind!r} == "failing":  # exports in the thread that logs
    provider.add_log_record_processor(SimpleLogRecordProcessor(Failing()))
else:
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    exporter = OTLPLogExporter({server.url!r} + "/v1/logs", timeout=1)
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter, schedule_delay_millis=50))
root = logging.getLogger()
root.addHandler(LoggingHandler(logger_provider=provider))
root.addHandler(counting := Counting())
root.setLevel(logging.WARNING)
agentops.init(endpoint={server.url!r}, summary=False, max_wait_time=20, timeout=1, journal="memory")

@agentops.tool
def dig():
    logging.getLogger("program").warning("digging")

def ours():
    return sum(name == "agentops_otel" for name, _ in counting.lines)

for _ in range(3):
    dig()
    agentops.flush(0.3)
    time.sleep(0.3)
before, calls = ours(), Failing.calls
time.sleep(1.5)  # nothing happens in the program
assert ours() == before, counting.lines
assert Failing.calls == calls
assert len(counting.lines) < 40, counting.lines
agentops.end_session("Success")
print(ours(), threading.active_count() < 12, flush=True)
import os
os._exit(0)  # the handler would have much to say at the end
"""
        )
    assert ended.code == 0, ended.err
    lines, few_threads = ended.out.split()
    assert 1 <= int(lines) <= 3, ended.err
    assert few_threads == "True"


# C3: a bug of ours in any statement ----------------------------------------------------------------------------------

# What no guard may hide or can make good, and why; the beginnings of places.
READS_ARGUMENTS = "reads what the user has given: what is wrong with that, he must hear"
ASKS_FOR_USAGE = "says which chunk the user did not ask for; where it cannot, he gets that chunk and not one too few"
UNGUARDED = {
    "_wrapped.py __get__: return self if instance is None": "it looks a method up, as Python itself does",
    "checks.py": READS_ARGUMENTS,
    "config.py": READS_ARGUMENTS,
    "environment.py value:": READS_ARGUMENTS,
    "environment.py flag:": READS_ARGUMENTS,
    "environment.py length_limit:": READS_ARGUMENTS,
    "api.py init:": READS_ARGUMENTS,
    "api.py start_session:": READS_ARGUMENTS,
    "api.py end_session:": READS_ARGUMENTS,
    "api.py __enter__: inherited": READS_ARGUMENTS,
    "api.py _inherited:": READS_ARGUMENTS,
    "api.py __init__: self._config": READS_ARGUMENTS,
    "api.py _told_apart:": READS_ARGUMENTS,
    "api.py _configured:": READS_ARGUMENTS,
    "context.py inherited_session_id:": READS_ARGUMENTS,
    "_session.py end:": READS_ARGUMENTS,
    "end_state.py parse:": READS_ARGUMENTS,
    "chat.py is_usage_only:": ASKS_FOR_USAGE,
    "_client.py _returned: question": ASKS_FOR_USAGE,
    "_stream.py _read: if hidden is None": ASKS_FOR_USAGE,
    "_stream.py __anext__: if hidden is None": ASKS_FOR_USAGE,
}
# These put the user's context back, and there is no second way to do it. Nothing else may go wrong with them.
RESTORING = (
    "call.py leave: CURRENT.set(previous)",
    "api.py __exit__: context.detach(",
    "context.py detach:",
    "context.py leave: token.var.reset(",
    "_reading.py leave: CURRENT.reset(",
    "_client.py leave:",
)


class ContextChanged(AssertionError):
    """The current span, or anything else of the context, is not what it was."""


@contextmanager
def same_context():
    before, span = otel_context.get_current(), trace.get_current_span()
    yield
    if otel_context.get_current() is not before or trace.get_current_span() is not span:
        otel_context.attach(before)
        raise ContextChanged


def spied(original, seen):
    """An SDK's method that keeps what it returned or raised; below our wrapper."""

    @functools.wraps(original)
    def sync(*args, **kwargs):
        try:
            result = original(*args, **kwargs)
        except BaseException as error:
            seen.append(error)
            raise
        seen.append(result)
        return result

    @functools.wraps(original)
    async def coroutine(*args, **kwargs):
        try:
            result = await original(*args, **kwargs)
        except BaseException as error:
            seen.append(error)
            raise
        seen.append(result)
        return result

    return coroutine if asyncio.iscoroutinefunction(original) else sync


@pytest.fixture(scope="module")
def probed():
    with probes():
        yield


@pytest.fixture
def world(probed, monkeypatch):
    """A session, an instrumented client, and what the SDK below has really returned."""
    seen = []
    for owner in (SyncAPIClient, AsyncAPIClient):
        monkeypatch.setattr(owner, "request", spied(owner.request, seen))
        monkeypatch.setattr(owner, "_process_response", owner._process_response)  # put back, whatever a fault leaves
    capture = SpanCapture(agentops.flush)
    agentops.init(exporter=capture, summary=False, stream_usage=True, env_data_opt_out=True)
    loop = asyncio.new_event_loop()
    with LlmServer() as server, openai.OpenAI(api_key="k", base_url=server.url, max_retries=0) as sync:
        sdk = openai.AsyncOpenAI(api_key="k", base_url=server.url, max_retries=0)
        yield SimpleNamespace(
            server=server, client=sync, async_client=sdk, seen=seen, loop=loop, capture=capture, work=Work()
        )
        loop.run_until_complete(sdk.close())
        loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
    agentops.shutdown()
    for left in gc.get_objects():  # by a fault in `init()` or `shutdown()`
        if type(left) is Worker:
            left.stop()
        elif type(left).__name__ == "BatchProcessor" and type(left._exporter) is DeliveryExporter:
            left.shutdown()  # inside of a `Batcher`, which a fault may have lost
        elif type(left) is DeliveryExporter:
            left._sender.close()


# Each of these makes the same calls each time it is called, and asserts that they end as they would without us.


def chat(world):
    world.client.chat.completions.create(**CHAT)
    answer = world.client.chat.completions.create(**CHAT)
    assert answer is world.seen[-1]
    assert len(world.server.requests) == 2


def refused(world):
    world.server.then(Reply(llm_server.error("bad"), status=400))
    with pytest.raises(openai.BadRequestError) as caught:
        world.client.chat.completions.create(**CHAT)
    assert caught.value is world.seen[-1]
    assert len(world.server.requests) == 1


def stream(world):
    chunks = world.client.chat.completions.create(stream=True, **CHAT)
    assert chunks is world.seen[-1]
    assert [chunk.choices[0].delta.content for chunk in chunks] == ["", "Pa", "r", "is", None]
    assert len(world.server.requests) == 1


def closed_stream(world):
    with world.client.chat.completions.create(stream=True, **CHAT) as chunks:
        assert chunks is world.seen[-1]
        assert next(chunks).choices
    assert len(world.server.requests) == 1


def broken_stream(world):
    world.server.then(Reply(llm_server.chat_chunks(), cut=2))
    with pytest.raises(Exception) as caught:
        for chunk in world.client.chat.completions.create(stream=True, **CHAT):
            assert chunk.choices
    assert not isinstance(caught.value, AssertionError)
    assert type(caught.value).__module__.partition(".")[0] in ("httpx", "httpx2", "openai")
    assert len(world.server.requests) == 1


def raw_stream(world):
    with world.client.chat.completions.with_streaming_response.create(stream=True, **CHAT) as response:
        assert response is world.seen[-1]
        assert len(list(response.parse())) == 5
    assert len(world.server.requests) == 1


def async_chat(world):
    async def go():
        with same_context():
            assert await world.async_client.chat.completions.create(**CHAT) is world.seen[-1]

    world.loop.run_until_complete(go())
    assert len(world.server.requests) == 1


def async_stream(world):
    async def go():
        with same_context():
            chunks = await world.async_client.chat.completions.create(stream=True, **CHAT)
            assert chunks is world.seen[-1]
            texts = [chunk.choices[0].delta.content async for chunk in chunks]
            assert texts == ["", "Pa", "r", "is", None]

    world.loop.run_until_complete(go())
    assert len(world.server.requests) == 1


class Work:
    """A user's function, decorated; `calls` is what was done in it."""

    def __init__(self):
        self.calls = []
        self.result = object()
        self.error = ValueError("the user's")
        self.tool = agentops.tool(self.work)
        self.fails = agentops.action(self.fail)
        self.steps = agentops.tool(self.step)
        self.coroutine = agentops.tool(self.async_work)
        self.async_steps = agentops.action(self.async_step)
        self.miner = agentops.agent(type("Miner", (), {"dig": lambda self: self}))()

    def work(self, what, *, more=1):
        self.calls.append(what)
        return self.result

    def fail(self):
        self.calls.append("fail")
        raise self.error

    def step(self):
        self.calls.append("step")
        got = yield self.result
        assert got == "sent"
        yield got
        return self.result

    async def async_work(self, *, fails):
        self.calls.append("async")
        await asyncio.sleep(0)
        if fails:
            raise self.error
        return self.result

    async def async_step(self):
        self.calls.append("async step")
        for _ in range(2):
            yield self.result


def function(world):
    work = world.work
    with same_context():
        assert work.tool("what") is work.result
    assert work.calls == ["what"]


def failing_function(world):
    work = world.work
    with same_context(), pytest.raises(ValueError) as caught:
        work.fails()
    assert caught.value is work.error
    assert work.calls == ["fail"]


def method(world):
    with same_context():
        assert world.work.miner.dig() is world.work.miner


def generator(world):
    work = world.work
    with same_context():
        steps = work.steps()
        assert next(steps) is work.result
        assert steps.send("sent") == "sent"
        with pytest.raises(StopIteration) as end:
            next(steps)
        assert end.value.value is work.result
        other = work.steps()
        next(other)
        other.close()
    assert work.calls == ["step", "step"]


def coroutine(world):
    work = world.work

    async def go():
        with same_context():
            assert await work.coroutine(fails=False) is work.result
            with pytest.raises(ValueError) as caught:
                await work.coroutine(fails=True)
            assert caught.value is work.error

    world.loop.run_until_complete(go())
    assert work.calls == ["async", "async"]


def async_generator(world):
    work = world.work

    async def go():
        with same_context():
            assert [item async for item in work.async_steps()] == [work.result] * 2
            steps = work.async_steps()
            await anext(steps)
            await steps.aclose()

    world.loop.run_until_complete(go())
    assert work.calls == ["async step", "async step"]


def record(world):
    with same_context():
        failed = agentops.ActionEvent("search", params={"a": 1})
        agentops.record(failed)
        agentops.record(agentops.ToolEvent("search", logs="x"))
        agentops.record(agentops.LLMEvent(prompt="x", completion="y", model="gpt-4o", prompt_tokens=1, cost=1.0))
        agentops.record(agentops.ErrorEvent(failed, ValueError("x")))
        agentops.record(ValueError("x"))


def joined_session(world):
    error = ValueError("the user's")
    with same_context(), pytest.raises(ValueError) as caught, agentops.session(tags=["a"]) as session:
        session.record(agentops.ActionEvent("search"))
        raise error
    assert caught.value is error


def own_session(world):
    error = ValueError("the user's")
    context.set_process(None)
    with same_context(), pytest.raises(ValueError) as caught, agentops.session(tags=["a"], name="n") as session:
        assert isinstance(session.session_id, str)
        session.add_tags(["b"])
        raise error
    assert caught.value is error
    with same_context(), agentops.session() as session:
        session.end("Success")


def calls(world):
    context.set_process(None)
    with same_context():
        assert isinstance(agentops.start_session(tags=["a"]), str)
        agentops.add_tags(["b"])
        agentops.set_tags(["c"])
        agentops.current_session()
        assert agentops.flush() in (True, False)
        agentops.end_session("Success")


def life(world):
    with same_context():
        agentops.shutdown()
        agentops.init(exporter=world.capture, summary=False, stream_usage=True, env_data_opt_out=True)


SDK = [chat, refused, stream, closed_stream, broken_stream, raw_stream, async_chat, async_stream]
OWN = [function, failing_function, method, generator, coroutine, async_generator, record, joined_session, own_session]


# Of what takes long, every n-th statement in the normal run.
STEPS = {
    chat: 3, broken_stream: 13, stream: 2, closed_stream: 4, raw_stream: 4, async_chat: 2, async_stream: 3,
    own_session: 7, calls: 5, life: 53,
}  # fmt: skip


@pytest.mark.parametrize("use", [*SDK, *OWN, calls, life], ids=lambda use: use.__name__)
def test_c3_a_bug_in_any_statement(use, world, monkeypatch):
    """Whichever statement of ours fails: same result or exception, one call, the context as it was; then it works."""
    monkeypatch.setattr(guard, "reraise", False)
    assert not _try_all(use, world, STEPS.get(use, 1))


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("use", STEPS, ids=lambda use: use.__name__)
def test_c3_a_bug_in_each_statement(use, world, monkeypatch):
    """As above, without a gap."""
    monkeypatch.setattr(guard, "reraise", False)
    assert not _try_all(use, world, 1)


def _try_all(use, world, step):
    """Let one statement after the other fail; what went wrong, by place."""
    use(world)
    wrong, number, place = {}, 1 + step // 2, ""
    while place is not None:
        world.server.requests.clear()
        world.server._replies.clear()
        world.work.calls.clear()
        error = None
        with StatementFault(number) as fault:
            try:
                # In a context of its own, as nothing puts that one back when just this is what fails.
                contextvars.copy_context().run(use, world)
            except BaseException as caught:
                error = caught
        number, place = number + step, fault.place
        if error is not None and not _may(place or "", error):
            wrong[place] = repr(error)
        _settle(world)
    assert number > 50, "nothing was tried"
    world.capture.clear()
    world.work.calls.clear()
    world.server.requests.clear()
    use(world)
    assert world.capture.spans, "nothing is recorded any more"
    _let_go()
    return wrong


def _let_go():
    """Forget what a fault has lost, for the tests that come after: a stream's end; a thread ends by itself."""
    _reading._followed.clear()
    for worker in list(WORKERS):
        worker.stop()


def _may(place, error):
    if isinstance(error, ContextChanged):
        return place.startswith(RESTORING)
    return place.startswith(tuple(UNGUARDED))


def _settle(world):
    """End what a fault has left open."""
    if api._client is None:
        agentops.init(exporter=world.capture, summary=False, stream_usage=True, env_data_opt_out=True)
    for session in list(api._client.sessions.values()):
        if session._scope is not context._process:
            session.end()
    if context._process is None or context._process.ended:
        agentops.start_session()
