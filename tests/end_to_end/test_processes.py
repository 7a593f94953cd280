"""Sessions over several processes, and what becomes of a session when its process ends."""

from __future__ import annotations

import signal
import uuid

import pytest

from tests.end_to_end.trace import log_events

OWNER = """
import os
import subprocess
import sys

import agentops_otel as agentops

session_id = agentops.init(name="parent", service_name="owner")
if len(sys.argv) > 1:
    environ = {**os.environ, **agentops.current_session().environ(), "AGENTOPS_SERVICE_NAME": "worker"}
    subprocess.run([sys.executable, "-c", sys.argv[1]], env=environ, check=True)
print(session_id, flush=True)
sys.stdin.readline()
agentops.end_session("Success")
"""
WORKER = """
import agentops_otel as agentops

agentops.init()

@agentops.tool
def dig():
    return "gold"

@agentops.agent
def dwarf():
    dig()

dwarf()
agentops.end_session("Fail")
"""
JOINER = """
import sys

import agentops_otel as agentops

print(agentops.init(inherited_session_id=sys.argv[1], service_name="worker"))

@agentops.tool
def dig():
    return "gold"

dig()
"""
ENDING = """
import os
import sys
import time

import agentops_otel as agentops

agentops.init(name="ending")

@agentops.tool
def begin():
    return "begun"

def wait():
    while True:  # a handler written in Python may miss a signal that comes just as a long sleep begins
        time.sleep(0.1)

begin()
agentops.record(agentops.LLMEvent(model="gpt-4o", prompt_tokens=1_000_000, completion_tokens=0))
print(agentops.current_session().session_id, flush=True)
"""
ENDINGS = [
    pytest.param("sys.exit(3)", 3, "Indeterminate", "Process exited without calling end_session()", "UNSET", id="exit"),
    pytest.param("", 0, "Indeterminate", "Process exited without calling end_session()", "UNSET", id="end"),
    pytest.param("raise ValueError('no order 7')", 1, "Fail", "ValueError: no order 7", "ERROR", id="exception"),
    pytest.param("raise KeyboardInterrupt", -signal.SIGINT, "Fail", "Interrupted (SIGINT)", "ERROR", id="interrupt"),
    pytest.param("wait()", -signal.SIGTERM, "Fail", "Terminated (SIGTERM)", "ERROR", id="terminated"),
]


def test_a_child_process_is_seen_while_its_parent_still_runs(programs, read):
    """A child joins by the variables it is given: its spans hang below the open root, whose end alone counts."""
    owner = programs.start(OWNER, WORKER)
    session_id = owner.line()

    early = read(session_id, spans=2)
    assert early.names == ["invoke_agent dwarf", "execute_tool dig"]
    assert [span.parent for span in early.spans] == [early.root_id, early.span("invoke_agent dwarf").id]

    owner.go_on()
    assert owner.wait().code == 0
    trace = read(session_id, spans=3)
    assert trace.tree().splitlines() == [
        "session parent [session] OK",
        "  invoke_agent dwarf [agent]",
        "    execute_tool dig [tool]",
    ]
    assert trace.root.attributes["agentops.session.end_state"] == "Success"
    assert {span.attributes["session.id"] for span in trace.spans} == {session_id}
    assert [span.service for span in trace.spans] == ["owner", "worker", "worker"]
    assert len({span.resource["service.instance.id"] for span in trace.spans}) == 2


def test_the_id_alone_makes_a_process_join(programs, read):
    """`init(inherited_session_id=...)` needs nothing else to name trace and parent, and makes no second root."""
    owner = programs.start(OWNER)
    session_id = owner.line()
    assert programs.run(JOINER, session_id).stdout.strip() == session_id
    owner.go_on()
    assert owner.wait().code == 0

    trace = read(session_id, spans=2)
    assert trace.tree().splitlines() == ["session parent [session] OK", "  execute_tool dig [tool]"]
    assert trace.span("execute_tool dig").parent == trace.root_id


def test_any_uuid_is_an_id(programs, read):
    """A session id that some other software made is a trace too, also when its owner never says anything."""
    session_id = str(uuid.uuid4())
    programs.run(JOINER, session_id)

    (span,) = read(session_id).spans
    assert (span.name, span.parent) == ("execute_tool dig", session_id.replace("-", "")[:16])
    assert span.attributes["session.id"] == session_id


@pytest.mark.parametrize(("last", "code", "state", "reason", "status"), ENDINGS)
def test_however_the_process_ends_its_session_arrives(programs, read, last, code, state, reason, status):
    """Without `end_session()` the trace has its root too, with the end state that the way of ending implies."""
    program = programs.start(ENDING + last + "\n")
    session_id = program.line()
    if code == -signal.SIGTERM:
        program.process.terminate()
    done = program.wait()
    assert done.code == code
    assert "internal error" not in done.stderr
    if state == "Indeterminate":
        assert done.warnings == []

    trace = read(session_id, spans=3)
    assert sorted(trace.names) == ["chat gpt-4o", "execute_tool begin", "session ending"]
    root = trace.root
    assert root.attributes["agentops.session.cost"] == pytest.approx(2.5)
    assert root.attributes["agentops.session.end_state"] == state
    assert root.attributes["agentops.session.end_state_reason"] == reason
    assert root.status == status
    if code == 1:
        assert [event["exception.message"] for event in root.events] == ["no order 7"]
        assert done.stderr.count("ValueError: no order 7\n") == 1


@pytest.mark.parametrize(("last", "code", "state", "reason", "status"), ENDINGS)
def test_however_the_process_ends_its_end_is_told(programs, collector, last, code, state, reason, status):
    """The log event `session.end` leaves with the last words of the process, so that a reader knows at once."""
    program = programs.start(ENDING + last + "\n", AGENTOPS_ENDPOINT=collector.otlp_http)
    trace_id = program.line().replace("-", "")
    if code == -signal.SIGTERM:
        program.process.terminate()
    program.wait()

    event = log_events(collector, trace_id, "session.end")["session.end"]
    assert f"agentops.session.end_state: Str({state})" in event
    assert f"agentops.session.end_state_reason: Str({reason})" in event
