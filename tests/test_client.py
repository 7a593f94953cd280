"""`init()`, `shutdown()`, `flush()` and the documented snippets of AgentOps.

Host providers in processes of their own.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
import time
import uuid

import pytest
from opentelemetry import trace

import agentops_otel as agentops
from agentops_otel import api
from agentops_otel.pipeline.worker import Worker
from agentops_otel.testing import SpanCapture
from tests.fakes import fault_server
from tests.fakes.fault_server import FaultServer
from tests.fakes.program import run


@pytest.fixture
def warnings(caplog):
    caplog.set_level(logging.DEBUG, "agentops_otel")
    return lambda: [
        r.getMessage() for r in caplog.records if r.levelno == logging.WARNING and r.name == "agentops_otel"
    ]


@agentops.tool
def dig():
    return "gold"


# The documentation of AgentOps, with only the import changed


def test_init_starts_a_session(monkeypatch, tmp_path):
    """`session_id = agentops.init()`."""
    monkeypatch.setenv("AGENTOPS_ENDPOINT", str(tmp_path / "spans.jsonl"))
    monkeypatch.setenv("AGENTOPS_PROTOCOL", "file")
    session_id = agentops.init()
    assert isinstance(session_id, str)
    assert agentops.current_session().session_id == session_id
    agentops.end_session("Success")
    assert session_id in (tmp_path / "spans.jsonl").read_text()


def test_init_without_a_session():
    """`agentops.init(auto_start_session=False)`, then `agentops.start_session()`."""
    capture = SpanCapture(agentops.flush)
    assert agentops.init(auto_start_session=False, exporter=capture, summary=False) is None
    dig()
    assert agentops.current_session() is None
    session_id = agentops.start_session()
    dig()
    agentops.end_session("Success")
    assert [span.attributes["session.id"] for span in capture.spans] == [session_id] * 2


@pytest.mark.parametrize("require_session", [True, False])
def test_background_work_at_any_moment_of_init(require_session, monkeypatch):
    """The worker does what is due each second while `init()` still waits for a processor."""
    submit = Worker.submit

    def late(worker, task):
        worker._tick()
        return submit(worker, task)

    monkeypatch.setattr(Worker, "submit", late)
    capture = SpanCapture(agentops.flush)
    agentops.init(exporter=capture, summary=False, require_session=require_session)
    dig()
    agentops.end_session("Success")
    assert [span.name for span in capture.spans] == ["execute_tool dig", "session"]


def test_inherited_sessions():
    """`agentops.init(inherited_session_id=...)` and `agentops.start_session(inherited_session_id=...)`."""
    session_id = str(uuid.uuid4())
    assert agentops.init(inherited_session_id=session_id, exporter=SpanCapture(), summary=False) == session_id
    agentops.end_session("Success")
    assert agentops.start_session(inherited_session_id=session_id) == session_id
    assert not agentops.current_session().owner


def test_a_configuration_for_a_session():
    """`agentops.start_session(config=agentops.Configuration(max_wait_time=..., max_queue_size=...))`."""
    agentops.init(auto_start_session=False, exporter=SpanCapture(), summary=False)
    agentops.start_session(config=agentops.Configuration(max_wait_time=5000, max_queue_size=100))
    session = agentops.current_session()
    assert (session.config.max_wait_time, session.config.max_queue_size) == (5000, 100)
    assert session._pipeline.config.max_queue_size == 100


def test_start_session_without_init(monkeypatch):
    """A program that never called `init()` is set up from the environment by its first session."""
    monkeypatch.setenv("AGENTOPS_PROTOCOL", "console")
    assert agentops.start_session() == agentops.current_session().session_id


def test_is_auto_end(monkeypatch):
    """With `skip_auto_end_session` a framework's automatic end is ignored, and a user's is not."""
    agentops.init(exporter=SpanCapture(), summary=False, skip_auto_end_session=True)
    agentops.end_session("Success", is_auto_end=True)
    assert agentops.current_session() is not None
    agentops.end_session("Success")
    assert agentops.current_session() is None


# init() and shutdown()


def test_init_twice_sets_nothing_up_twice(warnings):
    """The second `init()` returns the active session, without a warning or a thread more."""
    session_id = agentops.init(exporter=(capture := SpanCapture(agentops.flush)), summary=False)
    threads = threading.active_count()
    assert agentops.init() == session_id
    assert threading.active_count() == threads
    assert warnings() == []
    dig()
    agentops.end_session()
    assert len(capture.spans) == 2
    assert agentops.init() != session_id


def test_init_again_with_other_settings(warnings):
    """What cannot be changed any more is told in one line."""
    first = SpanCapture()
    session_id = agentops.init(exporter=first, summary=False)
    assert agentops.init(exporter=SpanCapture(), tags=["x"]) == session_id
    assert len(warnings()) == 2
    assert "init() was called before with other settings" in warnings()[0]
    assert api._client.config.exporter is first


def test_sixteen_threads_init_at_once():
    """One client, one session, one worker, one processor."""
    capture, barrier, ids = SpanCapture(agentops.flush), threading.Barrier(16), []

    def work():
        barrier.wait()
        ids.append(agentops.init(exporter=capture, summary=False))

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(ids)) == 1
    assert sum(thread.name == "agentops-worker" for thread in threading.enumerate()) == 1
    dig()
    agentops.end_session()
    assert [span.name for span in capture.spans] == ["execute_tool dig", "session"]


def test_init_and_shutdown_leave_nothing_behind():
    """After 200 rounds there is at most one thread more than before, and the hooks are the ones from before."""
    agentops.init(exporter=SpanCapture(), summary=False)
    agentops.shutdown()
    hooks, threads = (sys.excepthook, threading.excepthook), threading.active_count()
    for _ in range(200):
        agentops.init(exporter=SpanCapture(), summary=False, env_data_opt_out=True)
        agentops.shutdown()
    for _ in range(100):
        if threading.active_count() <= threads + 1:
            break
        time.sleep(0.02)
    assert threading.active_count() <= threads + 1, [thread.name for thread in threading.enumerate()]
    assert (sys.excepthook, threading.excepthook) == hooks


def test_init_after_shutdown_records_everything():
    """A second life is as good as the first, for our spans and for those of tracers made in the first."""
    tracer = trace.get_tracer("other")
    for _ in range(2):
        capture = SpanCapture(agentops.flush)
        agentops.init(exporter=capture, summary=False)
        for _ in range(10):
            dig()
            tracer.start_span("other").end()
        agentops.shutdown()
        assert len(capture._spans) == 21


def test_shutdown_ends_what_is_open():
    """An open session ends as Indeterminate and says why; a second `shutdown()` does nothing."""
    agentops.init(exporter=(capture := SpanCapture()), summary=False)
    agentops.shutdown()
    agentops.shutdown()
    (root,) = capture.spans
    assert root.attributes["agentops.session.end_state"] == "Indeterminate"
    assert root.attributes["agentops.session.end_state_reason"] == "shutdown() was called without end_session()"
    assert agentops.current_session() is None
    assert dig() == "gold"


def test_shutdown_keeps_its_time():
    """A backend that never answers does not hold `shutdown()` up."""
    with FaultServer(mode=fault_server.blackhole()) as server:
        agentops.init(endpoint=server.url, summary=False)
        started = time.monotonic()
        agentops.shutdown(0.5)
        assert time.monotonic() - started < 1.5


# flush()


def test_flush_tells_the_truth():
    """True only when the backend acknowledged everything; a loss is told once."""
    assert agentops.flush()
    with FaultServer() as server:
        agentops.init(endpoint=server.url, summary=False)
        dig()
        assert agentops.flush()
        assert len(server.spans()) == 1
        assert agentops.flush()
        server.mode = fault_server.status(400)
        dig()
        assert not agentops.flush()
        server.mode = fault_server.ok
        assert agentops.flush()
        server.mode = fault_server.status(503)
        dig()
        assert not agentops.flush(0.3)
        assert not agentops.flush(0.3)
        server.mode = fault_server.ok
        assert agentops.flush(5)
        assert len(server.spans()) == 2
        server.mode = fault_server.partial(1)
        dig()
        assert not agentops.flush()
        agentops.end_session()


def test_the_providers_own_flush_is_ours():
    """`force_flush()` of the global provider delivers the session's spans."""
    with FaultServer() as server:
        agentops.init(endpoint=server.url, summary=False)
        dig()
        assert trace.get_tracer_provider().force_flush(5000)
        assert len(server.spans()) == 1
        server.mode = fault_server.status(400)
        dig()
        assert not trace.get_tracer_provider().force_flush(5000)


def test_flush_keeps_its_time():
    """A backend that never answers does not hold `flush()` up."""
    with FaultServer(mode=fault_server.blackhole()) as server:
        agentops.init(endpoint=server.url, summary=False, shutdown_timeout=0.2)
        dig()
        started = time.monotonic()
        assert not agentops.flush(0.3)
        assert time.monotonic() - started < 1


def test_an_overflow_is_counted_exactly():
    """What the queue has no room for is counted to the span; the root is always let in."""
    go = threading.Event()

    class Slow(SpanCapture):
        def export(self, spans):
            go.wait(10)
            return super().export(spans)

    capture = Slow()
    agentops.init(exporter=capture, summary=False, max_queue_size=50, max_wait_time=100_000)
    for _ in range(1000):
        dig()
    session = agentops.current_session()
    go.set()
    assert not agentops.flush()
    agentops.end_session("Success")
    pipeline = api._client.provider.pipelines[0]
    lost = pipeline.dropped()["queue full"]
    assert lost > 0
    assert len(capture.spans) + lost == 1001 == session.delivered[1]
    assert capture.spans[-1].name == "session"
    assert capture.spans[-1].attributes["agentops.dropped_spans"] == lost
    assert agentops.flush()


# Hosts


HOST = """
import os
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from agentops_otel.testing import SpanCapture
import agentops_otel as agentops

@agentops.tool
def dig(): pass

host = SpanCapture()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(host))
trace.set_tracer_provider(provider)
tracer = trace.get_tracer("host")
"""


def test_a_host_provider_is_reused(tmp_path):
    """Never replaced, our processor once, no exporter; its spans are children of the session and stamped."""
    ended = run(
        HOST
        + """
processors = len(provider._active_span_processor._span_processors)
for _ in range(3):
    session_id = agentops.init(summary=False)
    assert trace.get_tracer_provider() is provider
    assert len(provider._active_span_processor._span_processors) == processors + 1
    assert agentops.current_session()._pipeline is None
    with tracer.start_as_current_span("host span"):
        dig()
    with tracer.start_as_current_span("gpt", attributes={
        "gen_ai.operation.name": "chat", "gen_ai.system": "openai", "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.usage.input_tokens": 1000, "gen_ai.usage.output_tokens": 100}):
        pass
    agentops.end_session("Success")
    assert agentops.flush()
    with tracer.start_as_current_span("outside"):
        pass
    agentops.shutdown()
    spans = {span.name: span for span in host.spans}
    root = spans["session"]
    assert root.context.trace_id == int(session_id.replace("-", ""), 16)
    for name in ("host span", "gpt", "execute_tool dig", "session"):
        assert spans[name].attributes["session.id"] == session_id, name
        assert spans[name].context.trace_id == root.context.trace_id
    assert spans["host span"].parent.span_id == spans["gpt"].parent.span_id == root.context.span_id
    assert spans["execute_tool dig"].parent.span_id == spans["host span"].context.span_id
    assert abs(spans["gpt"].attributes["gen_ai.usage.cost.amount"] - 0.00021) < 1e-9
    assert abs(root.attributes["agentops.session.cost"] - 0.00021) < 1e-9
    assert spans["outside"].parent is None and "session.id" not in spans["outside"].attributes
    host.clear()
print("fine")
""",
        home=tmp_path,
    )
    assert ended.out == "fine\n", ended.err
    assert ended.err == ""


@pytest.mark.parametrize("given", ["endpoint", "exporter", "variable"])
def test_a_host_provider_and_a_destination_of_ours(given):
    """With an endpoint or exporter the session's spans go there as well, and the host's others do not."""
    with FaultServer() as server:
        arguments = {
            "endpoint": f"endpoint={server.url!r}",
            "exporter": "exporter=(mine := SpanCapture())",
            "variable": "",
        }[given]
        ended = run(
            HOST
            + f"""
with tracer.start_as_current_span("before"):
    pass
agentops.init(summary=False, {arguments})
with tracer.start_as_current_span("inside"):
    dig()
agentops.end_session("Success")
agentops.flush()
names = sorted(span.name for span in host.spans)
assert names == ["before", "execute_tool dig", "inside", "session"], names
if {given!r} == "exporter":
    print(*sorted(span.name for span in mine.spans), sep=",")
""",
            {"AGENTOPS_ENDPOINT": server.url} if given == "variable" else {},
        )
        assert ended.code == 0, ended.err
        sent = ended.out.strip() if given == "exporter" else ",".join(sorted(span.name for span in server.spans()))
        assert sent == "execute_tool dig,inside,session"


def test_a_web_request_of_the_host():
    """A span that continues a remote trace keeps it, and is the session's all the same."""
    ended = run(
        HOST
        + """
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context
agentops.init(summary=False, exporter=(mine := SpanCapture(agentops.flush)))
remote = set_span_in_context(NonRecordingSpan(SpanContext(0x1234, 0x56, True, TraceFlags(1))))
with tracer.start_as_current_span("request", remote) as span:
    assert span.get_span_context().trace_id == 0x1234
session_id = agentops.current_session().session_id
agentops.end_session("Success")
assert mine.find("request").attributes["session.id"] == session_id
print("fine")
"""
    )
    assert ended.out == "fine\n", ended.err


def test_a_ratio_sampler_of_the_host():
    """A host that samples a tenth of its traces samples about a tenth of the sessions, whole ones."""
    ended = run(
        HOST.replace(
            "TracerProvider()",
            "TracerProvider(sampler=__import__('opentelemetry.sdk.trace.sampling').sdk.trace.sampling.ParentBasedTraceIdRatio(0.1))",
        )
        + """
agentops.init(summary=False, auto_start_session=False)
ids = set()
for _ in range(300):
    with agentops.session() as session:
        dig()
kept = [span.name for span in host.spans]
assert kept.count("session") == kept.count("execute_tool dig")
assert 10 <= kept.count("session") <= 60, len(kept)
print("fine")
"""
    )
    assert ended.out == "fine\n", ended.err


def test_a_host_that_cannot_be_told(tmp_path):
    """A sampler or processor of the host that raises is the host's own affair, before and after `init()`."""
    ended = run(
        HOST
        + """
from opentelemetry.sdk.trace import SpanProcessor
class Broken(SpanProcessor):
    on = False
    def on_end(self, span):
        if self.on:
            raise RuntimeError("the host's")
broken = Broken()
provider.add_span_processor(broken)
agentops.init(summary=False)
broken.on = True
try:
    tracer.start_span("x").end()
except RuntimeError as error:
    print(error)
broken.on = False
dig()
agentops.end_session("Success")
print(len(host.spans))
"""
    )
    assert ended.out == "the host's\n3\n", ended.err


def test_a_disabled_sdk():
    """`OTEL_SDK_DISABLED` turns everything off; no call breaks, nothing is sent, not even log events."""
    with FaultServer() as server:
        ended = run(
            f"""
            import agentops_otel as agentops
            session_id = agentops.init(endpoint={server.url!r}, summary=False)
            assert agentops.current_session().session_id == session_id
            agentops.record(agentops.ActionEvent("x"))
            agentops.add_tags(["a"])
            @agentops.tool
            def dig(): return 1
            assert dig() == 1
            agentops.end_session("Success")
            with agentops.session(): dig()
            assert agentops.flush()
            agentops.current_session()
            """,
            {"OTEL_SDK_DISABLED": "true"},
        )
        assert (ended.code, ended.err) == (0, "")
        assert server.requests == []


QUIET = """
import sys
import agentops_otel as agentops
session_id = agentops.init()
assert agentops.current_session().session_id == session_id
agentops.record(agentops.ActionEvent("x"))
@agentops.tool
def dig(): return 1
assert dig() == 1
assert agentops.flush()
agentops.end_session("Success")
with agentops.session() as session: dig()
assert session.totals.tool_calls == 1
"""


@pytest.mark.parametrize("variables", [{"OTEL_TRACES_EXPORTER": "none"}, {"OTEL_SDK_DISABLED": "true"}])
def test_nothing_is_exported_kept_or_printed(variables, tmp_path):
    """`OTEL_TRACES_EXPORTER=none` silences us, as `OTEL_SDK_DISABLED` does; the program runs as ever."""
    counted = QUIET if "OTEL_TRACES_EXPORTER" in variables else QUIET.rpartition("assert")[0]
    with FaultServer() as server:
        silent = {**variables, "XDG_STATE_HOME": str(tmp_path), "OTEL_EXPORTER_OTLP_ENDPOINT": server.url}
        ended = run(counted, silent)
        assert (ended.code, ended.out, ended.err) == (0, "", "")
        assert server.requests == []
        assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_disabled_sdk_changes_nothing_in_the_program():
    """No hook, no thread, no patch, no provider."""
    ended = run(
        """
        import signal, sys, threading
        def world():
            return sys.excepthook, threading.excepthook, signal.getsignal(signal.SIGTERM), threading.enumerate()
        before = world()
        import openai
        request = openai._base_client.SyncAPIClient.request
        import agentops_otel as agentops
        agentops.init()
        assert openai._base_client.SyncAPIClient.request is request
        assert before == world()
        from opentelemetry import trace
        from opentelemetry.sdk.trace import TracerProvider
        provider = TracerProvider()
        trace.set_tracer_provider(provider)
        assert trace.get_tracer_provider() is provider
        """,
        {"OTEL_SDK_DISABLED": "true"},
    )
    assert (ended.code, ended.err) == (0, "")


@pytest.mark.parametrize(
    "variables",
    [
        {"AGENTOPS_ENDPOINT": "{}"},
        {"AGENTOPS_ENDPOINT": "{}", "AGENTOPS_SUMMARY": "true"},
        {"AGENTOPS_SUMMARY": "true"},
    ],
)
def test_what_the_user_asks_of_us_counts_more_than_the_name_of_an_exporter(variables):
    """An endpoint of ours gets the session, and a summary that was asked for is printed."""
    with FaultServer() as server:
        named = {name: text.format(server.url) for name, text in variables.items()}
        ended = run(QUIET, {"OTEL_TRACES_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none", **named})
        assert ended.code == 0, ended.err
        assert bool(server.spans()) is ("AGENTOPS_ENDPOINT" in variables)
        assert "Success" in ended.err


def test_log_events_alone_are_silenced():
    """`OTEL_LOGS_EXPORTER=none` sends spans and no log events."""
    with FaultServer() as server:
        ended = run(QUIET, {"OTEL_LOGS_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": server.url})
        assert ended.code == 0, ended.err
        assert {request.path for request in server.requests} == {fault_server.TRACES}


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        (
            {"OTEL_LOGS_EXPORTER": "console"},
            "OTEL_LOGS_EXPORTER: a part is left out: expected otlp or none; log events are neither",
        ),
        ({"OTEL_LOGS_EXPORTER": "otlp,Console"}, "a part is left out: expected otlp or none; log events are not"),
        ({"OTEL_TRACES_EXPORTER": "console,otlp"}, "OTEL_TRACES_EXPORTER: a part is left out: expected one exporter"),
        ({"OTEL_TRACES_EXPORTER": "none,otlp"}, "OTEL_TRACES_EXPORTER: a part is left out: expected one exporter"),
        ({"OTEL_TRACES_EXPORTER": "otlp, OTLP", "OTEL_LOGS_EXPORTER": "none"}, None),
        ({"OTEL_TRACES_EXPORTER": "console,otlp", "OTEL_LOGS_EXPORTER": "console", "AGENTOPS_ENDPOINT": "{}"}, None),
    ],
)
def test_an_exporter_that_is_not_used_is_told(variables, said):
    """A line says once which of the named exporters is not used; where they can be another's, there is none."""
    with FaultServer() as server:
        named = {name: value.format(server.url) for name, value in variables.items()}
        ended = run(QUIET, {"OTEL_EXPORTER_OTLP_ENDPOINT": server.url, **named})
        assert ended.code == 0, ended.err
        assert server.spans()
    lines = [line for line in ended.err.splitlines() if "_EXPORTER" in line]
    assert len(lines) == bool(said), lines
    assert not said or said in lines[0]


def test_the_console_by_the_name_of_its_exporter(tmp_path):
    """`OTEL_TRACES_EXPORTER=console` prints the spans, and nothing is sent or kept."""
    with FaultServer() as server:
        variables = {"XDG_STATE_HOME": str(tmp_path), "OTEL_EXPORTER_OTLP_ENDPOINT": server.url}
        ended = run(QUIET, {"OTEL_TRACES_EXPORTER": "console", **variables})
        assert ended.code == 0, ended.err
        assert server.requests == []
    assert "execute_tool dig" in ended.out
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_the_password_of_an_endpoint_is_nowhere(tmp_path):
    """Neither in a line, nor in the journal, nor in what is sent, also where the program repeats it."""
    program = """
    import agentops_otel as agentops
    agentops.init()
    agentops.record(agentops.ActionEvent("x", params={"url": "db://ada:geheim%2F4711@host", "word": "geheim/4711"}))
    agentops.end_session("Fail", "geheim/4711")
    """
    with FaultServer() as server:
        where = server.url.partition("//")[2]
        variables = {
            "AGENTOPS_ENDPOINT": f"http://ada:geheim%2F4711@{where}/?key=geheim",
            "XDG_STATE_HOME": str(tmp_path),
        }
        server.mode = fault_server.status(503)
        ended = run(program, variables)
        assert ended.code == 0
        kept = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert kept
        assert "kept in" in ended.err
        server.mode = fault_server.ok
        again = run("from agentops_otel import cli; cli.main(['flush']); cli.main(['journal'])", variables)
        spans = server.spans()
        assert {span.name for span in spans} == {"x", "session"}
        assert {request.path for request in server.requests if request.stored and request.spans} == {
            f"{fault_server.TRACES}?key=geheim"
        }
        written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
        for text in (ended.err, ended.out, again.out, again.err, str(spans), written.decode("latin-1")):
            assert "geheim" not in text


# What users give to calls that they make by hand


class Silent:
    """Says nothing of itself."""

    def __repr__(self):
        raise RuntimeError("no")

    __str__ = __repr__


@pytest.mark.parametrize("timeout", ["1", " 2.5 ", 1, None, True, float("inf"), 10**400])
def test_a_timeout_with_an_obvious_meaning(timeout, warnings):
    """Digits as a text are a number, and None is the default."""
    with FaultServer() as server:
        agentops.init(endpoint=server.url, summary=False)
        dig()
        assert agentops.flush(timeout)
        agentops.shutdown(timeout)
    assert warnings() == []


@pytest.mark.parametrize("timeout", ["soon", [], float("nan"), {}, b"x", object(), Silent()])
def test_a_timeout_without_meaning(timeout, warnings):
    """It is told in clear words, and the default is used."""
    with FaultServer() as server:
        agentops.init(endpoint=server.url, summary=False)
        dig()
        assert agentops.flush(timeout)
        agentops.shutdown(timeout)
        assert {span.name for span in server.spans()} == {"execute_tool dig", "session"}
    told = [line for line in warnings() if "timeout=" in line]
    assert len(told) == 2
    assert told[0].startswith("agentops-otel: flush(): timeout=")
    assert told[1].startswith("agentops-otel: shutdown(): timeout=")
    assert all("is not valid: expected a number of seconds" in line for line in told)


def test_the_configuration_of_a_session_as_a_dict():
    """A dict is its settings."""
    capture = SpanCapture()
    agentops.init(auto_start_session=False, exporter=SpanCapture(), summary=False)
    session_id = agentops.start_session(config={"default_tags": ["a"], "exporter": capture})
    assert agentops.current_session().tags == ["a"]
    agentops.end_session("Success")
    with agentops.session(config={"exporter": capture, "api_key": "k"}) as session:
        assert session.config.api_key == "k"
    agentops.flush()
    assert [str(span.attributes["session.id"]) for span in capture.spans] == [session_id, session.session_id]


@pytest.mark.parametrize(
    ("config", "error", "words"),
    [
        (["a"], TypeError, "config=['a'] is not valid: expected a Configuration, or a dict of its settings"),
        (7, TypeError, "config=7 is not valid"),
        ({"endpiont": "http://a"}, TypeError, "Did you mean 'endpoint'?"),
        ({1: 2}, TypeError, "unexpected keyword argument '1'"),
        ({"timeout": "soon"}, agentops.ConfigurationError, "timeout='soon' is not valid: expected"),
        ({"timeout": Silent()}, agentops.ConfigurationError, "timeout=<unprintable Silent> is not valid: expected"),
        (Silent(), TypeError, "config=<unprintable Silent> is not valid"),
        ({Silent(): 1}, TypeError, "unexpected keyword argument '<unprintable Silent>'"),
    ],
)
@pytest.mark.parametrize("call", [agentops.start_session, agentops.session])
def test_a_wrong_configuration_of_a_session(call, config, error, words):
    """It is an error in clear words, and no session is started."""
    agentops.init(auto_start_session=False, exporter=SpanCapture(), summary=False)
    with pytest.raises(error) as raised:
        call(config=config)
    assert words in str(raised.value)
    assert agentops.current_session() is None


@pytest.mark.parametrize("value", ["order 1842", 7, Silent(), float("nan")])
@pytest.mark.parametrize("call", [agentops.init, agentops.start_session])
def test_a_wrong_session_to_join(call, value):
    """The error shows what was given."""
    with pytest.raises(ValueError, match="is not a valid session id: expected a UUID such as") as raised:
        call(inherited_session_id=value, **({"exporter": SpanCapture()} if call is agentops.init else {}))
    shown = "<unprintable Silent>" if isinstance(value, Silent) else repr(value)
    assert str(raised.value).startswith(f"{shown} is not")


def test_an_empty_key_or_session_to_join_is_none():
    """What comes of a variable that is not set is no error, and no id of a session that nobody has started."""
    session_id = agentops.init(api_key="", inherited_session_id="", exporter=SpanCapture(), summary=False)
    session = agentops.current_session()
    assert (session.session_id, session.config.api_key, session.owner) == (session_id, None, True)


def test_the_attribute_limit_of_the_environment():
    """Session and kind of every span, and the end of the root, survive a limit of eight attributes."""
    with FaultServer() as server:
        ended = run(
            f"""
            from opentelemetry import trace
            import agentops_otel as agentops
            agentops.init("key", endpoint={server.url!r}, summary=False, tags=["t"], name="n")
            agentops.record(agentops.LLMEvent(prompt="p", model="gpt-4o-mini", prompt_tokens=3, completion_tokens=4))
            span = trace.get_tracer("other").start_span("other", attributes={{"gen_ai.operation.name": "execute_tool"}})
            span.set_attributes({{f"a{{n}}": n for n in range(30)}})
            span.end()
            agentops.end_session("Fail", "why")
            """,
            {"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "8"},
        )
        assert ended.code == 0, ended.err
        found = {}
        for span in server.spans():
            found[span.name] = {pair.key: pair.value.string_value for pair in span.attributes}
        assert len(found) == 3
        assert {name: values["agentops.span.kind"] for name, values in found.items()} == {
            "session n": "session",
            "chat gpt-4o-mini": "llm",
            "other": "tool",
        }
        assert len({values["session.id"] for values in found.values()}) == 1
        assert found["session n"]["agentops.session.end_state"] == "Fail"
        assert found["session n"]["agentops.session.end_state_reason"] == "why"


def test_a_sampler_of_the_environment():
    """A session that the sampler drops sends nothing, no log event either, and names no trace that no backend has."""
    with FaultServer() as server:
        ended = run(
            f"""
            import agentops_otel as agentops
            agentops.init(endpoint={server.url!r}, trace_url="http://jaeger/{{trace_id}}")
            agentops.record(agentops.ActionEvent("x"))
            agentops.end_session("Success")
            """,
            {"OTEL_TRACES_SAMPLER": "always_off"},
        )
        assert ended.code == 0
        assert re.fullmatch(
            r"agentops-otel: Session - Success; [^;]+; not sampled, nothing is recorded\n", ended.err
        ), ended.err
        assert server.requests == []


# Start


def test_import_loads_little():
    """`import agentops_otel` loads no LLM SDK, no price table and nothing that only a request needs."""
    ended = run(
        """
        import sys
        import agentops_otel
        names = ("openai", "anthropic", "genai_prices", "pydantic", "grpc", "requests", "starlette", "google.protobuf")
        print(sorted(set(names) & set(sys.modules)))
        """
    )
    assert ended.out == "[]\n", ended.err


def test_init_does_not_wait_for_the_host():
    """A host that does not answer, such as a hanging disk, holds neither `init()` nor a call up."""
    ended = run(
        """
        import time
        from agentops_otel.pipeline import resource
        called = []
        def hangs():
            called.append(1)
            time.sleep(30)
        resource.HOST._host_pieces = (hangs, *resource.HOST._host_pieces)
        import agentops_otel as agentops
        from agentops_otel.testing import SpanCapture
        began = time.perf_counter()
        agentops.init(exporter=SpanCapture(), summary=False)
        seconds = time.perf_counter() - began
        time.sleep(0.2)
        assert called
        agentops.end_session("Success")
        print(seconds < 1, time.perf_counter() - began < 3)
        """
    )
    assert ended.out == "True True\n", ended.err
