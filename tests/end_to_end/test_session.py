"""One run of an agent is one trace in Jaeger that says all there is to say about it."""

from __future__ import annotations

import json
from types import SimpleNamespace
from uuid import UUID

import pytest

from tests.end_to_end.program import Programs
from tests.end_to_end.trace import Trace
from tests.fakes.llm_server import LlmServer

API_KEY = "agentops-key-4711"
SEVERAL_SESSIONS = """
import agentops_otel as agentops

agentops.init(auto_start_session=False)

@agentops.tool
def flaky():
    raise TimeoutError("no answer")

@agentops.agent
def robust():
    try:
        flaky()
    except TimeoutError:
        pass

try:
    with agentops.session(name="failed", tags=["bad"]) as failed:
        flaky()
except TimeoutError:
    print(failed.session_id)
with agentops.session(name="recovered") as recovered:
    robust()
print(recovered.session_id)
with agentops.session(name="given up") as given_up:
    given_up.end("Fail", end_state_reason="no such order")
print(given_up.session_id)
"""
AGENT = """
from datetime import datetime, timedelta, timezone

import openai

import agentops_otel as agentops

client = openai.OpenAI(max_retries=0)
QUESTION = [{"role": "user", "content": "Capital of France?"}]


@agentops.tool
def look_up(country):
    return {"capital": "Paris"}


@agentops.action
def plan():
    return client.chat.completions.create(model="gpt-4o", messages=QUESTION, temperature=0.5).choices[0].message.content


@agentops.agent("researcher")
def research():
    plan()
    look_up("France")
    stream = client.chat.completions.create(
        model="gpt-4o", messages=QUESTION, stream=True, stream_options={"include_usage": True}
    )
    for chunk in stream:
        pass
    agentops.record(agentops.ErrorEvent(error_type="Hesitation", details="is it Paris?", code="E7"))


session_id = agentops.init(name="research", tags=["e2e", "first"], service_name="researcher")
research()
ended = datetime.now(timezone.utc)
began = ended - timedelta(seconds=1.5)
upload = agentops.ActionEvent("upload", {"to": "archive"}, "stored", init_timestamp=began, end_timestamp=ended)
agentops.record(upload)
agentops.record(agentops.ErrorEvent(trigger_event=upload, exception=TimeoutError("archive is slow")))
agentops.record(agentops.LLMEvent(
    model="gpt-4o-mini", prompt="And of Spain?", completion="Madrid", prompt_tokens=1000, completion_tokens=100
))
agentops.add_tags(["done", "first"])
agentops.end_session("Success", end_state_reason="answered", video="https://example.org/run.mp4")
print(session_id, began.timestamp())
"""
TREE = """\
session research [session] OK
  invoke_agent researcher [agent]
    plan [action]
      chat gpt-4o [llm]
    execute_tool look_up [tool]
    chat gpt-4o [llm]
    error Hesitation [error] ERROR
  upload [action]
  error TimeoutError [error] ERROR
  chat gpt-4o-mini [llm]"""
# gpt-4o per million tokens: 2.50 $ in, 1.25 $ cached, 10 $ out; the API reports 57 in, 32 of them cached, and 48 out.
COST_OF_A_CALL = (25 * 2.5 + 32 * 1.25 + 48 * 10) / 1e6
# gpt-4o-mini: 0.15 $ in, 0.60 $ out.
COST_OF_THE_EVENT = (1000 * 0.15 + 100 * 0.6) / 1e6


@pytest.fixture(scope="module")
def agent(jaeger, tmp_path_factory):
    """The agent's session, read back from Jaeger; the program runs once for all tests here."""
    with LlmServer() as llm:
        programs = Programs(tmp_path_factory.mktemp("agent"), jaeger.otlp_http, llm.url)
        try:
            done = programs.run(AGENT, AGENTOPS_API_KEY=API_KEY)
        finally:
            programs.stop()
        session_id, uploaded = done.stdout.split()
        trace = Trace(session_id, jaeger.trace(session_id, wait=20.0, spans=TREE.count("\n") + 1))
        return SimpleNamespace(done=done, trace=trace, uploaded=float(uploaded), port=llm.port)


def _below(trace, parent):
    return [span for span in trace.spans if span.parent == parent.id]


def test_a_session_is_one_trace(agent):
    """The session's id names trace and root; every span is in it, where it belongs, with the status it has."""
    trace = agent.trace
    assert trace.trace_id == UUID(trace.session_id).hex
    assert trace.root.id == trace.root_id
    assert {number for span in trace.spans for number in span.trace_ids} == {trace.trace_id}
    # `upload` says itself when it was, which is before or while the agent ran.
    assert sorted(trace.tree().splitlines()) == sorted(TREE.splitlines())
    assert [span.name for span in _below(trace, trace.span("invoke_agent researcher"))] == [
        "plan",
        "execute_tool look_up",
        "chat gpt-4o",
        "error Hesitation",
    ]


def test_every_span_says_whose_it_is(agent):
    """Each span has the session's id, the service and the process; the root has project, name, tags, end and video."""
    trace = agent.trace
    assert {span.attributes["session.id"] for span in trace.spans} == {trace.session_id}
    assert {span.service for span in trace.spans} == {"researcher"}
    assert all(span.resource["process.runtime.name"] and span.resource["service.instance.id"] for span in trace.spans)
    root = trace.root
    assert root.attributes["agentops.session.name"] == "research"
    assert root.json("agentops.session.tags") == ["e2e", "first", "done"]
    assert root.attributes["agentops.session.end_state"] == "Success"
    assert root.attributes["agentops.session.end_state_reason"] == "answered"
    assert root.attributes["agentops.session.video"] == "https://example.org/run.mp4"
    assert UUID(root.attributes["agentops.project.id"])


def test_totals_tokens_and_cost_are_right(agent):
    """The root's totals and each call's cost are those of a calculation by hand."""
    total = {name.removeprefix("agentops.session."): value for name, value in agent.trace.root.attributes.items()}
    counts = ("llm_calls", "tool_calls", "actions", "errors", "recovered_errors")
    assert [total[name] for name in counts] == [3, 1, 2, 2, 2]
    classes = ("input", "output", "cache_read", "cache_write", "reasoning")
    assert [total[f"usage.{name}_tokens"] for name in classes] == [57 + 57 + 1000, 48 + 48 + 100, 64, 0, 32]
    assert total["cost"] == pytest.approx(2 * COST_OF_A_CALL + COST_OF_THE_EVENT)
    assert "unpriced_calls" not in total
    assert "dropped_spans" not in agent.trace.root.attributes
    calls = [span for span in agent.trace.spans if span.name == "chat gpt-4o"]
    assert [span.attributes["gen_ai.usage.cost.amount"] for span in calls] == [pytest.approx(COST_OF_A_CALL)] * 2
    event = agent.trace.span("chat gpt-4o-mini").attributes
    assert event["gen_ai.usage.cost.amount"] == pytest.approx(COST_OF_THE_EVENT)
    assert not [name for name in agent.trace.root.attributes if name.startswith("gen_ai.usage")]


def test_llm_calls_follow_the_genai_conventions(agent):
    """A call of the `openai` package has request, answer, usage and messages under their standard names."""
    plain, streamed = (span.attributes for span in agent.trace.spans if span.name == "chat gpt-4o")
    for call in (plain, streamed):
        assert call["span.kind"] == "client"
        assert call["gen_ai.operation.name"] == "chat"
        assert call["gen_ai.provider.name"] == "openai"
        assert call["gen_ai.request.model"] == "gpt-4o"
        assert call["gen_ai.response.model"] == "gpt-4o-2024-08-06"
        assert call["gen_ai.response.id"] == "chatcmpl-1"
        assert json.loads(call["gen_ai.response.finish_reasons"]) == ["stop"]
        assert call["gen_ai.usage.input_tokens"] == 57
        assert call["gen_ai.usage.output_tokens"] == 48
        assert call["gen_ai.usage.cache_read.input_tokens"] == 32
        assert call["gen_ai.usage.reasoning.output_tokens"] == 16
        assert (call["server.address"], call["server.port"]) == ("127.0.0.1", agent.port)
        (question,) = json.loads(call["gen_ai.input.messages"])
        assert question == {"role": "user", "parts": [{"type": "text", "content": "Capital of France?"}]}
        (answer,) = json.loads(call["gen_ai.output.messages"])
        assert (answer["role"], answer["parts"]) == ("assistant", [{"type": "text", "content": "Paris"}])
    assert plain["gen_ai.request.temperature"] == 0.5
    assert "gen_ai.request.stream" not in plain
    assert streamed["gen_ai.request.stream"] is True
    assert streamed["agentops.stream.outcome"] == "completed"


def test_tools_actions_and_agents_keep_what_went_in_and_out(agent):
    """Arguments and results of tools and actions are on their spans, and what an agent does names the agent."""
    trace = agent.trace
    tool = trace.span("execute_tool look_up")
    assert tool.attributes["gen_ai.operation.name"] == "execute_tool"
    assert tool.attributes["gen_ai.tool.name"] == "look_up"
    assert tool.json("gen_ai.tool.call.arguments") == {"country": "France"}
    assert tool.json("gen_ai.tool.call.result") == {"capital": "Paris"}
    assert trace.span("plan").attributes["agentops.action.returns"] == "Paris"
    upload = trace.span("upload")
    assert upload.attributes["agentops.action.type"] == "upload"
    assert upload.json("agentops.action.params") == {"to": "archive"}
    assert trace.span("invoke_agent researcher").attributes["gen_ai.agent.name"] == "researcher"


def test_a_recorded_event_keeps_its_own_times(agent):
    """An event that is recorded afterwards starts and ends when it says; everything else lies within the session."""
    upload = agent.trace.span("upload")
    assert upload.start == pytest.approx(agent.uploaded, abs=1e-5)
    assert upload.duration == pytest.approx(1.5, abs=1e-5)
    root = agent.trace.root
    for span in agent.trace.spans:
        if span is not upload:
            assert span.start >= root.start
            assert span.start + span.duration <= root.start + root.duration + 1e-5


def test_an_error_says_what_failed(agent):
    """An error has type, code, text and stack trace, and points to the event that failed."""
    trace = agent.trace
    hesitation = trace.span("error Hesitation").attributes
    assert hesitation["error.type"] == "Hesitation"
    assert hesitation["agentops.error.code"] == "E7"
    assert hesitation["agentops.error.details"] == "is it Paris?"
    error, upload = trace.span("error TimeoutError"), trace.span("upload")
    assert error.attributes["agentops.error.trigger_span_id"] == upload.id
    assert error.links == [upload.id]
    assert error.status_text == "TimeoutError: archive is slow"
    (event,) = error.events
    assert event["event"] == "exception"
    assert event["exception.type"] == "TimeoutError"
    assert event["exception.message"] == "archive is slow"


def test_a_backend_without_logs_is_no_fault(agent):
    """Jaeger has no endpoint for session events: nobody is told, and the summary counts every span as delivered."""
    assert agent.done.warnings == []
    (summary,) = agent.done.stderr.splitlines()
    assert "10/10 spans delivered" in summary


def test_the_session_is_found_by_its_id_and_by_its_tags(agent, jaeger):
    """Jaeger's search finds the trace by `session.id` and by the tags, and finds nothing by another one's."""
    trace = agent.trace
    (found,) = jaeger.search("researcher", {"session.id": trace.session_id})
    assert found["traceID"] == trace.trace_id
    tags = json.dumps(trace.root.json("agentops.session.tags"), separators=(",", ":"))
    assert trace.trace_id in {one["traceID"] for one in jaeger.search("researcher", {"agentops.session.tags": tags})}
    assert not jaeger.search("researcher", {"agentops.session.tags": '["other"]'}, wait=0)


def test_failed_and_recovered_sessions_are_told_apart(programs, read):
    """An exception out of `with session()` or an end as Fail fails the session; a survived error does not."""
    failed, recovered, given_up = programs.run(SEVERAL_SESSIONS).stdout.split()

    root = read(failed, spans=2).root
    assert (root.status, root.status_text) == ("ERROR", "TimeoutError: no answer")
    assert root.attributes["agentops.session.end_state"] == "Fail"
    assert root.attributes["agentops.session.end_state_reason"] == "TimeoutError: no answer"
    assert (root.attributes["agentops.session.errors"], root.attributes["agentops.session.recovered_errors"]) == (1, 0)
    assert [event["exception.type"] for event in root.events] == ["TimeoutError"]

    trace = read(recovered, spans=3)
    assert trace.tree().splitlines() == [
        "session recovered [session] OK",
        "  invoke_agent robust [agent]",
        "    execute_tool flaky [tool] ERROR",
    ]
    root = trace.root
    assert root.attributes["agentops.session.end_state"] == "Success"
    assert (root.attributes["agentops.session.errors"], root.attributes["agentops.session.recovered_errors"]) == (1, 1)

    root = read(given_up).root
    assert (root.status, root.status_text) == ("ERROR", "no such order")
    assert root.attributes["agentops.session.end_state"] == "Fail"
