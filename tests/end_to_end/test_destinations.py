"""Every way to a backend: both protocols, with and without the Collector, one for each session, long prompts."""

from __future__ import annotations

import re

import pytest

from tests.end_to_end.trace import log_events

SMALL = """
import agentops_otel as agentops

@agentops.tool
def weigh(what):
    return 3

session_id = agentops.init(name="small", tags=["a"])
weigh("tea")
agentops.end_session("Success", "weighed")
print(session_id)
"""
TWO_DESTINATIONS = """
import sys
import threading

import agentops_otel as agentops

@agentops.tool
def weigh(what):
    return 3

agentops.init(auto_start_session=False, service_name="direct")
elsewhere = agentops.Configuration(endpoint=sys.argv[1], service_name="collected", default_tags=["collected"])
both_open = threading.Barrier(2)
ids = {}

def run(name, config):
    with agentops.session(name=name, config=config) as session:
        ids[name] = session.session_id
        both_open.wait()
        weigh("tea")
        both_open.wait()

threads = [threading.Thread(target=run, args=each) for each in (("one", None), ("other", elsewhere))]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(ids["one"], ids["other"])
"""
LONG_PROMPT = """
import sys

import openai

import agentops_otel as agentops

client = openai.OpenAI(max_retries=0)
session_id = agentops.init(name="long")

def ask(text, model):
    client.chat.completions.create(model=model, messages=[{"role": "user", "content": text}])

for number in range(3):
    ask("short", f"before-{number}")
ask("x" * 10_000_000, "long")
for number in range(3):
    ask("short", f"after-{number}")
agentops.end_session("Success")
print(session_id)
"""


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
@pytest.mark.parametrize("way", ["directly", "through-the-collector"])
def test_a_session_arrives(programs, read, request, protocol, way):
    """Both protocols reach Jaeger, directly and through the Collector, and nobody is warned of anything."""
    server = request.getfixturevalue("jaeger" if way == "directly" else "collector")
    endpoint = server.otlp_grpc if protocol == "grpc" else server.otlp_http
    done = programs.run(SMALL, AGENTOPS_ENDPOINT=endpoint, AGENTOPS_PROTOCOL=protocol)

    trace = read(done.stdout.strip(), spans=2)
    assert trace.tree().splitlines() == ["session small [session] OK", "  execute_tool weigh [tool]"]
    assert trace.span("execute_tool weigh").json("gen_ai.tool.call.arguments") == {"what": "tea"}
    assert done.warnings == []
    assert "2/2 spans delivered" in done.stderr


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_session_events_reach_a_backend_with_logs(programs, collector, protocol):
    """The Collector gets the start and the end of a session as log events with the root's ids."""
    endpoint = collector.otlp_grpc if protocol == "grpc" else collector.otlp_http
    session_id = programs.run(SMALL, AGENTOPS_ENDPOINT=endpoint, AGENTOPS_PROTOCOL=protocol).stdout.strip()

    trace_id = session_id.replace("-", "")
    events = log_events(collector, trace_id, "session.start", "session.end")
    assert {"session.start", "session.end"} <= set(events)
    for event in events.values():
        assert f"Span ID: {trace_id[:16]}" in event
        assert f"session.id: Str({session_id})" in event
        assert "agentops.session.name: Str(small)" in event
        assert "agentops.session.role: Str(owner)" in event
    assert "agentops.session.end_state: Str(Success)" in events["session.end"]
    assert "agentops.session.end_state_reason: Str(weighed)" in events["session.end"]
    assert "agentops.session.tool_calls: Int(1)" in events["session.end"]


def test_each_session_goes_where_its_configuration_says(programs, read, collector):
    """Two sessions at the same time in one process go two ways; each span is in its own session."""
    done = programs.run(TWO_DESTINATIONS, collector.otlp_http)
    one, other = done.stdout.split()

    for session_id, name, service in ((one, "one", "direct"), (other, "other", "collected")):
        trace = read(session_id, spans=2)
        assert trace.tree().splitlines() == [f"session {name} [session] OK", "  execute_tool weigh [tool]"]
        assert {span.service for span in trace.spans} == {service}
        assert {span.attributes["session.id"] for span in trace.spans} == {session_id}
    assert read(other).root.json("agentops.session.tags") == ["collected"]
    # Only what went through the Collector left session events there.
    assert "session.end" in log_events(collector, other.replace("-", ""), "session.end")
    assert not log_events(collector, one.replace("-", ""))
    assert done.warnings == []


@pytest.mark.parametrize(
    ("limit", "mark"),
    [
        pytest.param(None, r"\.\.\. \[9,934,\d{3} characters cut\]", id="default"),
        pytest.param("20000000", r"\.\.\. \[[\d,]+ characters cut\]$", id="uncut"),
    ],
)
def test_a_prompt_of_ten_megabytes_takes_nothing_with_it(programs, read, jaeger, limit, mark):
    """Jaeger takes at most 4 MiB by gRPC: the long prompt arrives cut, and every other span arrives too."""
    done = programs.run(
        LONG_PROMPT, AGENTOPS_ENDPOINT=jaeger.otlp_grpc, AGENTOPS_PROTOCOL="grpc", AGENTOPS_MAX_CONTENT_LENGTH=limit
    )

    trace = read(done.stdout.strip(), spans=8)
    siblings = [f"chat {when}-{number}" for when in ("before", "after") for number in range(3)]
    assert sorted(trace.names) == sorted(["session long", "chat long", *siblings])
    long = trace.span("chat long").attributes
    assert long["gen_ai.usage.input_tokens"] == 57
    assert long["gen_ai.input.messages"].startswith('[{"role":"user","parts":[{"type":"text","content":"xxx')
    assert re.search(mark, long["gen_ai.input.messages"])
    assert trace.root.status == "OK"
    assert "8/8 spans delivered" in done.stderr
