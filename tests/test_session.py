"""Sessions: ids, the state machine, tags, totals, log events, and joining from elsewhere."""

from __future__ import annotations

import asyncio
import contextvars
import json
import logging
import threading
import time
import uuid

import pytest
from opentelemetry import context as otel_context
from opentelemetry import trace

import agentops_otel as agentops
from agentops_otel import api, context
from agentops_otel.end_state import EndState
from agentops_otel.pipeline.ids import project_id
from agentops_otel.pipeline.resource import HOST, HostResource
from agentops_otel.testing import SpanCapture
from tests.fakes import fault_server
from tests.fakes.fault_server import FaultServer, event_name
from tests.fakes.program import Program, run


@pytest.fixture
def capture():
    """What the sessions of a test export; `init()` was called and started none."""
    capture = SpanCapture(agentops.flush)
    agentops.init(exporter=capture, auto_start_session=False, summary=False)
    return capture


@pytest.fixture
def warnings(caplog):
    caplog.set_level(logging.DEBUG, "agentops_otel")
    return lambda: [
        r.getMessage() for r in caplog.records if r.levelno == logging.WARNING and r.name == "agentops_otel"
    ]


@agentops.tool
def dig(name="gold"):
    return name


def roots(capture):
    return [span for span in capture.spans if span.parent is None]


def attributes(message):
    found = {}
    for pair in message.attributes:
        kind = pair.value.WhichOneof("value")
        value = getattr(pair.value, kind) if kind else None
        found[pair.key] = [item.string_value for item in value.values] if kind == "array_value" else value
    return found


# Ids and roots


def test_the_id_names_trace_and_root(capture):
    """The session id is the trace id, and its first half is the id of the root span."""
    session_id = agentops.start_session()
    session = agentops.current_session()
    dig()
    agentops.end_session("Success")
    root, tool = capture.find("session"), capture.find("execute_tool dig")
    assert f"{root.context.trace_id:032x}" == session.trace_id == session_id.replace("-", "")
    assert f"{root.context.span_id:016x}" == session.trace_id[:16]
    assert tool.parent.span_id == root.context.span_id
    assert root.parent is None
    assert tool.attributes["session.id"] == root.attributes["session.id"] == session_id


def test_what_the_root_says(capture):
    """Kind, name, tags and project are on the root, the key is not."""
    config = agentops.Configuration("my-key", default_tags=["prod"], exporter=capture)
    agentops.start_session(["b", "a", "b"], config, name="checkout")
    agentops.end_session("Success", "all sold")
    root = capture.find("session checkout")
    found = {key: value for key, value in root.attributes.items() if ".usage." not in key}
    assert found == {
        "agentops.span.kind": "session",
        "openinference.span.kind": "CHAIN",
        "agentops.session.name": "checkout",
        "agentops.session.tags": ("prod", "b", "a"),
        "agentops.project.id": project_id("my-key"),
        "agentops.session.end_state": "Success",
        "agentops.session.end_state_reason": "all sold",
        "agentops.session.llm_calls": 0,
        "agentops.session.tool_calls": 0,
        "agentops.session.actions": 0,
        "agentops.session.errors": 0,
        "agentops.session.recovered_errors": 0,
        "session.id": found["session.id"],
    }
    assert root.kind is trace.SpanKind.INTERNAL


def test_a_project_id_is_made_of_the_key():
    """The same key is the same project everywhere; the id is a UUID that does not show the key."""
    assert project_id("k") == project_id("k") != project_id("l")
    assert str(uuid.UUID(project_id("k"))) == project_id("k")
    assert project_id(None) is None


@pytest.mark.parametrize(
    ("state", "reason", "status", "description"),
    [
        ("Success", "why", "OK", None),
        (EndState.Fail, "why", "ERROR", "why"),
        ("fail", None, "ERROR", None),
        ("Indeterminate", "why", "UNSET", None),
        ("INDETERMINATE", None, "UNSET", None),
        (EndState.SUCCESS, None, "OK", None),
        ("Failure", "why", "ERROR", "why"),
        ("Error", None, "ERROR", None),
        ("OK", None, "OK", None),
        (None, None, "UNSET", None),
    ],
)
def test_end_states(capture, state, reason, status, description):
    """The end state is always an attribute, and the span's status follows it."""
    agentops.start_session()
    session = agentops.current_session()
    agentops.end_session(state, reason)
    root = capture.find("session")
    assert (
        root.attributes["agentops.session.end_state"]
        == session.end_state.value
        == EndState.parse(state or "Indeterminate").value
    )
    assert root.attributes.get("agentops.session.end_state_reason") == session.end_state_reason == reason
    assert (root.status.status_code.name, root.status.description) == (status, description)
    assert session.end_timestamp >= session.init_timestamp
    assert not session.is_running


def test_a_session_is_ended_by_agentops_name_of_the_call(capture):
    """An old program ends the session that it has."""
    with agentops.session() as session:
        assert session.end_session("Failure", end_state_reason="why")
    assert capture.find("session").attributes["agentops.session.end_state"] == session.end_state.value == "Fail"


@pytest.mark.parametrize("wrong", ["Done", "", 3, b"\xff\xfe", float("nan"), "Success!"])
def test_an_unknown_end_state_leaves_the_session_open(capture, wrong):
    """The error names what is allowed, and the session can still be ended."""
    session_id = agentops.start_session()
    with pytest.raises(ValueError, match="expected one of Success, Fail, Indeterminate") as raised:
        agentops.end_session(wrong)
    assert str(raised.value).startswith(f"{wrong!r} is not a valid end state")
    assert agentops.current_session().session_id == session_id
    assert roots(capture) == []
    agentops.end_session("Success")
    assert len(roots(capture)) == 1


# The state machine


def test_one_session_is_active(capture, warnings):
    """A second start warns, names the active one and returns its id; nothing of it changes."""
    first = agentops.start_session(["a"], name="one")
    assert agentops.start_session(["b"], name="two") == first
    assert warnings() == [f"agentops-otel: session {first} is active; another one is not started"]
    agentops.end_session("Success")
    (root,) = roots(capture)
    assert (root.name, root.attributes["agentops.session.tags"]) == ("session one", ("a",))
    assert agentops.start_session() != first


def test_calls_without_a_session(capture, warnings):
    """Without a session nothing is recorded or raised; each call warns, all that is not recorded warns once."""
    agentops.end_session("Success")
    agentops.add_tags(["a"])
    agentops.set_tags(["a"])
    assert dig() == "gold"
    assert dig() == "gold"
    agentops.record(agentops.ActionEvent("x"))
    agentops.record(agentops.ActionEvent("x"))
    assert agentops.current_session() is None
    assert capture.spans == []
    texts = warnings()
    assert len(texts) == 4, texts
    assert all("no session is active" in text for text in texts)


def test_calls_after_the_end(capture, warnings):
    """A session that has ended warns and changes no more."""
    agentops.start_session(["a"])
    session = agentops.current_session()
    assert session.end("Success", "first")
    assert not session.end("Fail", "second")
    session.add_tags(["b"])
    session.set_tags(["c"])
    session.record(agentops.ActionEvent("x"))
    assert (session.end_state, session.end_state_reason, session.tags) == (EndState.Success, "first", ["a"])
    assert [span.name for span in capture.spans] == ["session"]
    assert len(warnings()) == 4
    assert all(f"session {session.session_id} has already ended (Success)" in text for text in warnings())


def test_tags(capture, warnings):
    """Tags are strings without repetition in the order given; what is none is refused with a warning."""
    agentops.start_session("one")
    agentops.add_tags(["b", "a", "b"])
    agentops.add_tags("b")
    assert agentops.current_session().tags == ["one", "b", "a"]
    agentops.set_tags(["z", "a", "z"])
    agentops.current_session().tags.append("not kept")
    for wrong in (17, [1], [""], {"a": 1}, b"x"):
        agentops.add_tags(wrong)
        agentops.set_tags(wrong)
    assert len(warnings()) == 10
    agentops.end_session()
    assert roots(capture)[0].attributes["agentops.session.tags"] == ("z", "a")


def test_threads_see_the_process_session(capture):
    """A thread without a context records into the process's session."""
    agentops.start_session()
    thread = threading.Thread(target=dig)
    thread.start()
    thread.join()
    agentops.end_session()
    assert {span.context.trace_id for span in capture.spans} == {roots(capture)[0].context.trace_id}
    assert len(capture.spans) == 2


def test_concurrent_ends_end_once(capture, warnings):
    """Of sixteen threads that end a session at once one does."""
    agentops.start_session()
    session, barrier, ended = agentops.current_session(), threading.Barrier(16), []

    def end():
        barrier.wait()
        ended.append(session.end("Success"))

    threads = [threading.Thread(target=end) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ended) == [False] * 15 + [True]
    assert len(roots(capture)) == 1


# with session()


def test_a_scoped_session(capture):
    """A block is a session for its length: Success, and nothing of it stays in the context."""
    before = otel_context.get_current()
    with agentops.session(["a"], name="block") as session:
        assert agentops.current_session() is session
        dig()
    assert agentops.current_session() is None
    assert otel_context.get_current() == before
    assert session.end_state is EndState.Success
    assert [span.name for span in capture.spans] == ["execute_tool dig", "session block"]


@pytest.mark.parametrize(
    ("error", "state", "reason"),
    [
        (ValueError("bad luck"), "Fail", "ValueError: bad luck"),
        (KeyboardInterrupt(), "Fail", "Interrupted (SIGINT)"),
        (SystemExit(3), "Indeterminate", "sys.exit() was called"),
        (asyncio.CancelledError(), "Indeterminate", "Cancelled"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_an_exception_passes_and_ends_the_block(capture, error, state, reason):
    """The very exception that was raised leaves the block, and the session says so."""
    with pytest.raises(type(error)) as raised, agentops.session() as session:
        raise error
    assert raised.value is error
    assert (session.end_state.value, session.end_state_reason) == (state, reason)
    assert len(roots(capture)[0].events) == (state == "Fail")


def test_an_exception_with_broken_text(capture):
    """An exception whose `str()` raises ends the session all the same."""

    class Broken(Exception):
        def __str__(self):
            raise RuntimeError

    with pytest.raises(Broken), agentops.session() as session:
        raise Broken
    assert session.end_state_reason == "Broken: <unprintable Broken>"


def test_a_block_that_ends_its_session_itself(capture, warnings):
    """The end that the block chose stays, with an exception after it too."""
    with agentops.session():
        agentops.end_session("Indeterminate", "mine")
    with pytest.raises(ValueError), agentops.session() as session:
        session.end("Success")
        raise ValueError
    assert [root.attributes["agentops.session.end_state"] for root in roots(capture)] == ["Indeterminate", "Success"]
    assert warnings() == []


def test_a_block_inside_a_session_joins_it(capture):
    """Inside an active session a block adds its tags and does not end it."""
    session_id = agentops.start_session(["a"])
    with agentops.session(["b"]) as outer, agentops.session(["c"]) as inner:
        assert outer.session_id == inner.session_id == session_id
    with pytest.raises(ValueError), agentops.session():
        raise ValueError
    assert agentops.current_session().is_running
    agentops.end_session("Success")
    assert [root.attributes["agentops.session.tags"] for root in roots(capture)] == [("a", "b", "c")]


def test_a_block_that_would_join_another_session(capture, warnings):
    """Inside an active session no other one is joined, and a warning says so."""
    session_id = agentops.start_session()
    with agentops.session(inherited_session_id=session_id), agentops.session(inherited_session_id=str(uuid.uuid4())):
        dig()
    assert warnings() == [f"agentops-otel: session {session_id} is active; another one is not joined"]


def test_start_session_in_a_block(capture, warnings):
    """Inside a block no second session is started."""
    with agentops.session() as session:
        assert agentops.start_session() == session.session_id
    assert len(warnings()) == 1
    assert len(roots(capture)) == 1


async def test_blocks_in_tasks_are_independent(capture):
    """Twenty tasks with a block each make twenty traces, and each span is in its own."""
    go = asyncio.Event()

    async def work(n):
        async with agentops.session(name=f"s{n}") as session:
            await go.wait()
            dig(n)
            with trace.get_tracer("other").start_as_current_span(f"other {n}"):
                await asyncio.sleep(0)
                dig(n)
            return session.session_id

    tasks = [asyncio.ensure_future(work(n)) for n in range(20)]
    await asyncio.sleep(0)
    go.set()
    ids = await asyncio.gather(*tasks)
    check_independent(capture, ids)


def test_blocks_in_threads_are_independent(capture):
    """Twenty threads with a block each make twenty traces, and each span is in its own."""
    barrier, ids = threading.Barrier(20), {}

    def work(n):
        with agentops.session(name=f"s{n}") as session:
            barrier.wait()
            dig(n)
            with trace.get_tracer("other").start_as_current_span(f"other {n}"):
                dig(n)
            ids[n] = session.session_id

    threads = [threading.Thread(target=work, args=(n,)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check_independent(capture, [ids[n] for n in range(20)])


def check_independent(capture, ids):
    assert len(set(ids)) == 20
    spans = capture.spans
    assert len(spans) == 80
    for n, session_id in enumerate(ids):
        own = [span for span in spans if span.attributes["session.id"] == session_id]
        assert len(own) == 4
        assert {f"{span.context.trace_id:032x}" for span in own} == {session_id.replace("-", "")}
        assert {span.name for span in own} == {f"session s{n}", "execute_tool dig", f"other {n}"}
        arguments = [
            json.loads(s.attributes["gen_ai.tool.call.arguments"]) for s in own if s.name == "execute_tool dig"
        ]
        assert arguments == [{"name": n}] * 2


async def test_a_session_in_a_task_leaves_the_loop_alone(capture):
    """Ending a session inside an event loop does not wait for the backend."""
    go = threading.Event()

    class Slow(SpanCapture):
        def export(self, spans):
            go.wait(5)
            return super().export(spans)

    started = time.monotonic()
    async with agentops.session(config=agentops.Configuration(exporter=Slow())):
        dig()
    assert time.monotonic() - started < 1
    go.set()


def test_a_block_that_is_left_in_another_context(capture):
    """A block entered in one context and left in another, as async generators do, ends and is current nowhere."""
    block = agentops.session()
    contextvars.copy_context().run(block.__enter__)
    block.__exit__(None, None, None)
    assert agentops.current_session() is None
    assert len(roots(capture)) == 1


def test_a_generator_keeps_its_session_when_each_step_has_a_context_of_its_own(capture):
    """As Starlette runs the steps of a body that is no asynchronous generator."""

    @agentops.agent
    def answer():
        for n in range(3):
            dig()
            yield n

    def body():
        with agentops.session():
            yield from answer()

    steps = body()
    assert [contextvars.copy_context().run(next, steps, None) for _ in range(4)] == [0, 1, 2, None]
    assert [span.name for span in capture.spans].count("execute_tool dig") == 3
    assert len({span.context.trace_id for span in capture.spans}) == 1


# Other instrumentation


def test_spans_of_other_tracers_land_in_the_session(capture):
    """Any tracer's span, in a thread without a context too, is a child of the session."""
    tracer = trace.get_tracer("other")
    session_id = agentops.start_session()

    def work():
        with tracer.start_as_current_span("outer"):
            tracer.start_span("inner").end()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    agentops.end_session()
    root, outer, inner = capture.find("session"), capture.find("outer"), capture.find("inner")
    assert outer.parent.span_id == root.context.span_id
    assert inner.parent.span_id == outer.context.span_id
    assert inner.attributes["session.id"] == outer.attributes["session.id"] == session_id


def test_work_outside_a_session_can_be_recorded():
    """With `require_session=False` work outside a session is plain spans, without a session id."""
    capture = SpanCapture(agentops.flush)
    agentops.init(exporter=capture, auto_start_session=False, summary=False, require_session=False)
    dig()
    with agentops.session():
        dig()
    found = [span.attributes.get("session.id") for span in capture.spans]
    assert found[0] is None
    assert found[1] == found[2] is not None


# Log events and delivery


def test_log_events():
    """Start, heartbeat after a change of open spans, and end, with the root's ids."""
    with FaultServer() as server:
        session_id = agentops.init("key", endpoint=server.url, summary=False, name="n", tags=["t"])
        with trace.get_tracer("other").start_as_current_span("open"):
            dig()

            def beats():
                return [log for log in server.logs() if event_name(log) == "agentops.session.heartbeat"]

            changed = time.monotonic()
            assert server.wait_for(beats, 5)
            assert time.monotonic() - changed < 2.5
        agentops.end_session("Success", "done")
        logs = server.logs()
        names = [event_name(log) for log in logs]
        assert names[0] == "session.start"
        assert names[-1] == "session.end"
        assert set(names[1:-1]) == {"agentops.session.heartbeat"}
        assert {log.trace_id.hex() for log in logs} == {session_id.replace("-", "")}
        assert {log.span_id.hex() for log in logs} == {session_id.replace("-", "")[:16]}
        first, beat, last = attributes(logs[0]), attributes(beats()[0]), attributes(logs[-1])
        assert first["agentops.session.name"] == "n"
        assert first["agentops.session.tags"] == ["t"]
        assert first["agentops.project.id"] == project_id("key")
        assert len(beat["agentops.session.open_spans"]) == 1
        assert beat["agentops.session.open_spans"][0].endswith(" open")
        assert beat["agentops.session.tool_calls"] == 1
        assert last["agentops.session.end_state"] == "Success"
        assert last["agentops.session.end_state_reason"] == "done"
        assert last["agentops.session.role"] == "owner"
        assert last["session.id"] == session_id


def test_the_start_of_a_session_names_the_packages():
    """They are on its event and on no resource, where a backend would show them with each span."""
    with FaultServer() as server:
        agentops.init(endpoint=server.url, summary=False)
        assert server.wait_for(server.logs, 5)
        packages = agentops.current_session().host_env["agentops.python.packages"]
        agentops.end_session("Success")
        agentops.shutdown()
        first, *others = [attributes(log) for log in server.logs()]
        assert first["agentops.python.packages"] == packages
        assert "opentelemetry-sdk==" in packages
        assert not any("agentops.python.packages" in other for other in others)


def test_the_packages_are_in_no_resource(capture):
    """Not even when they have been known for long."""
    agentops.start_session()
    HOST.get(20)
    assert "agentops.python.packages" in agentops.current_session().host_env
    dig()
    agentops.end_session("Success")
    for span in capture.spans:
        assert "host.name" in span.resource.attributes
        assert "agentops.python.packages" not in span.resource.attributes


def test_a_session_that_ends_at_once_does_not_wait_for_the_packages(monkeypatch):
    """They are left out where the host has not told them yet."""
    monkeypatch.setattr(HostResource, "packages", lambda self: None)
    with FaultServer() as server:
        agentops.init(endpoint=server.url, summary=False)
        agentops.end_session("Success")
        assert agentops.flush(5)
        assert event_name(server.logs()[0]) == "session.start"
        assert "agentops.python.packages" not in attributes(server.logs()[0])


def test_a_heartbeat_is_sent_after_ten_quiet_seconds(monkeypatch):
    """Without a change the heartbeat comes every ten seconds, and not before."""
    with FaultServer() as server:
        agentops.init(endpoint=server.url, summary=False)
        session = agentops.current_session()

        def beats():
            return [log for log in server.logs() if event_name(log) == "agentops.session.heartbeat"]

        session._beat()
        agentops.flush()
        assert beats() == []
        session._last_beat -= 10.1
        session._beat()
        agentops.flush()
        assert len(beats()) == 1


def test_a_backend_without_logs(warnings):
    """404 on the logs signal turns log events off without a word; spans go on."""
    with FaultServer(mode=fault_server.status(404, signal=fault_server.LOGS)) as server:
        agentops.init(endpoint=server.url, summary=False)
        assert server.wait_for(lambda: len(server.requests) == 1)
        dig()
        agentops.end_session("Success")
        assert agentops.flush()
        assert len(server.spans()) == 2
        assert sum(request.path == fault_server.LOGS for request in server.requests) == 1
    assert warnings() == []


def test_each_session_goes_where_its_configuration_says():
    """Two sessions with two endpoints reach two servers, with their own keys; equal settings share one pipeline."""
    with FaultServer() as one, FaultServer() as two:
        agentops.init("key-1", endpoint=one.url, summary=False, auto_start_session=False)
        there = agentops.Configuration("key-2", endpoint=two.url, default_tags=["there"])
        sessions = []
        for config in (None, there, agentops.Configuration(default_tags=["x"]), there):
            with agentops.session(config=config) as session:
                sessions.append(session)
                dig()
        assert len(api._client.provider.pipelines) == 2
        assert agentops.flush(10)

        def ids(server):
            return {attributes(span)["session.id"] for span in server.spans()}

        assert ids(one) == {sessions[0].session_id, sessions[2].session_id}
        assert ids(two) == {sessions[1].session_id, sessions[3].session_id}
        assert {request.headers["authorization"] for request in one.requests} == {"Bearer key-1"}
        assert {request.headers["authorization"] for request in two.requests} == {"Bearer key-2"}
        assert sessions[0].project_id != sessions[1].project_id
        assert sessions[0].delivered == (2, 2)


# Joining


def test_joining_and_leaving(capture):
    """A joiner's spans hang below the root it does not own; its end is a wish, and no second root."""
    session_id = str(uuid.uuid4())
    with FaultServer() as server:
        config = agentops.Configuration(endpoint=server.url)
        assert agentops.start_session(config=config, inherited_session_id=session_id.upper()) == session_id
        session = agentops.current_session()
        assert not session.owner
        dig()
        agentops.end_session("Fail", "so I think")
        assert agentops.current_session() is None
        (span,) = server.spans()
        assert span.parent_span_id.hex() == session_id.replace("-", "")[:16]
        assert span.trace_id.hex() == session_id.replace("-", "")
        first, last = server.logs()[0], server.logs()[-1]
        assert (event_name(first), event_name(last)) == ("agentops.session.join", "session.end")
        assert attributes(first)["agentops.session.role"] == attributes(last)["agentops.session.role"] == "member"
        assert attributes(last)["agentops.session.end_state"] == "Fail"
        assert {log.span_id.hex() for log in server.logs()} == {session_id.replace("-", "")[:16]}


JOINER = """
import os, sys
import agentops_otel as agentops
agentops.init(summary=False, **eval(sys.argv[1]) if len(sys.argv) > 1 else {})

@agentops.tool
def far():
    pass
far()
print(agentops.current_session().session_id, agentops.current_session().owner)
"""


@pytest.mark.parametrize("given", [str, uuid.UUID])
@pytest.mark.parametrize("call", [agentops.start_session, agentops.session], ids=["start_session", "session"])
def test_an_inherited_id_by_position(capture, call, given):
    """AgentOps' second argument, as text and as a UUID; what is no id is refused, and so are two of them."""
    session_id = str(uuid.uuid4())
    started = call(["tag"], given(session_id))
    if call is agentops.session:
        with started as session:
            assert (session.session_id, session.tags) == (session_id, ["tag"])
            assert agentops.current_session() is session
    else:
        assert started == session_id
        assert agentops.current_session().tags == ["tag"]
        agentops.end_session()
    assert roots(capture) == []
    with pytest.raises(ValueError, match="no id"), call(["tag"], "no id"):
        pass
    with pytest.raises(TypeError, match="config"):
        call(None, session_id, session_id)


@pytest.mark.parametrize("way", ["argument", "environ"])
def test_another_process_joins(way):
    """The id alone, or `environ()`, makes another process add children to the root, and not end it."""
    with FaultServer() as server:
        session_id = agentops.init(
            "key", endpoint=server.url, summary=False, headers={"x-y": "a,b=c"}, env_data_opt_out=True
        )
        if way == "argument":
            source = JOINER.replace(
                "**eval(sys.argv[1]) if len(sys.argv) > 1 else {}", f"inherited_session_id={session_id!r}"
            )
            ended = run(source, {"AGENTOPS_ENDPOINT": server.url})
        else:
            ended = run(JOINER, agentops.current_session().environ())
        assert ended.out.split() == [session_id, "False"], ended.err
        agentops.end_session("Success")
        tool, root = sorted(server.spans(), key=lambda span: span.name)
        assert (tool.name, root.name) == ("execute_tool far", "session")
        assert tool.parent_span_id == root.span_id
        assert tool.trace_id == root.trace_id
        assert attributes(root)["agentops.session.end_state"] == "Success"
        ends = [attributes(log)["agentops.session.role"] for log in server.logs() if event_name(log) == "session.end"]
        assert ends == ["owner"]
        if way == "environ":
            assert {request.headers["x-y"] for request in server.requests} == {"a,b=c"}


def test_environ_names_the_session_for_others_too(capture):
    """`TRACEPARENT` is the current span and `BAGGAGE` the session id, as W3C writes them."""
    session_id = agentops.start_session()
    root = session_id.replace("-", "")
    found = agentops.current_session().environ()
    assert found["AGENTOPS_SESSION_ID"] == session_id
    assert found["BAGGAGE"] == f"session.id={session_id}"
    assert found["TRACEPARENT"].split("-")[1:3] == [root, root[:16]]
    with trace.get_tracer("other").start_as_current_span("x") as span:
        assert (
            agentops.current_session().environ()["TRACEPARENT"].split("-")[2]
            == f"{span.get_span_context().span_id:016x}"
        )


def test_a_useless_variable_is_ignored(monkeypatch, warnings):
    """A variable that is no session id is a warning; an argument is an error that sets nothing up."""
    monkeypatch.setenv("AGENTOPS_SESSION_ID", "nonsense")
    agentops.init(exporter=SpanCapture(), summary=False)
    assert agentops.current_session().owner
    assert len(warnings()) == 1
    agentops.shutdown()
    with pytest.raises(ValueError, match="'nonsense' is not a valid session id"):
        agentops.init(inherited_session_id="nonsense")
    assert api._client is None


def test_an_owner_that_is_killed_leaves_the_joiners_wish():
    """When the owner dies without an end, what a joiner said of it counts."""
    with FaultServer() as server:
        with Program(
            "import agentops_otel as a, time\n"
            f"print(a.init(endpoint={server.url!r}, summary=False), flush=True)\n"
            "time.sleep(20)"
        ) as owner:
            session_id = owner.line()
            owner.send(9)
            owner.end()
        agentops.init(endpoint=server.url, inherited_session_id=session_id, summary=False)
        agentops.end_session("Success")
        deadline = time.monotonic() + 20
        while not any(not span.parent_span_id for span in server.spans()) and time.monotonic() < deadline:
            time.sleep(0.05)
        agentops.flush(5.0)
        ended = [attributes(log) for log in server.logs() if event_name(log) == "session.end"]
        ends = {end["agentops.session.role"]: end["agentops.session.end_state"] for end in ended}
        assert (len(ended), ends) == (2, {"member": "Success", "owner": "Success"})
        (root,) = [attributes(span) for span in server.spans() if not span.parent_span_id]
        assert root["agentops.session.end_state"] == "Success"
        assert root["agentops.replayed"]


# Odds and ends


def test_a_session_for_a_notebook(capture):
    """The card of a notebook has escaped texts and no key."""
    agentops.start_session(["<b>"], agentops.Configuration("my-key", exporter=capture), name="<script>")
    text = agentops.current_session()._repr_html_()
    assert "&lt;script&gt;" in text
    assert "&lt;b&gt;" in text
    assert "<script>" not in text + repr(agentops.current_session())
    assert "my-key" not in text + repr(agentops.current_session())


def test_what_a_session_says_of_itself(capture):
    """Totals, timestamps and the host, as an AgentOps user knows them."""
    agentops.start_session()
    session = agentops.current_session()
    dig()
    agentops.record(agentops.ActionEvent("x"))
    assert (session.totals.tool_calls, session.totals.actions, session.totals.llm_calls) == (1, 1, 0)
    assert session.end_timestamp is session.end_state is session.video is None
    assert session.init_timestamp.endswith("+00:00")
    assert session.host_env["telemetry.sdk.language"] == "python"
    assert isinstance(session.config, agentops.Configuration)
    session.end("Success", video="https://example.org/v.mp4")
    assert session.video == roots(capture)[0].attributes["agentops.session.video"] == "https://example.org/v.mp4"
    assert session.delivered == (3, 3)


def test_a_clock_that_is_set_back(capture, monkeypatch):
    """The length of a session is measured, not computed from the wall clock."""
    agentops.start_session()
    real = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: real() - 3_600_000_000_000)
    agentops.end_session()
    monkeypatch.undo()
    (root,) = roots(capture)
    assert 0 < root.end_time - root.start_time < 60_000_000_000


def test_the_scope_warning_names_the_way_out(warnings):
    """What is not recorded says what to call, once; other kinds of calls say it on debug level."""
    for _ in range(3):
        assert context.scope_for("@tool") is None
        assert context.scope_for("record()") is None
    (line,) = warnings()
    assert line.startswith("agentops-otel: @tool: nothing is recorded, because no session is active. ")
    assert line.endswith("Call agentops_otel.start_session() first.")


def test_a_card_shows_a_small_cost_in_full():
    """A small cost is written with all its zeros, in a notebook too."""
    agentops.start_session()
    agentops.record(agentops.LLMEvent(model="m", prompt="p", completion="c", prompt_tokens=1, cost=0.000024))
    text = agentops.current_session()._repr_html_()
    assert "<td>$0.000024</td>" in text
    assert "e-05" not in text
