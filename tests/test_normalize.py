"""Spans and log events of ours, sent by our own exporter -> rows."""

from __future__ import annotations

import time

import openai
import pytest

import agentops_otel as agentops
from agentops_otel.normalize import ReceivedLog, ReceivedSpan, normalize, normalize_log
from agentops_otel.rows import Message, SpanEvent
from agentops_otel.server.otlp import logs_from_protobuf, spans_from_protobuf
from tests.fakes.llm_server import LlmServer, Reply, chat, choice, error
from tests.fakes.otlp_sink import OtlpSink

CALL = {"id": "call_1", "type": "function", "function": {"name": "search", "arguments": '{"query": "Ada"}'}}


@pytest.fixture
def llm():
    with LlmServer() as server:
        yield server


def _received(sink):
    spans = [normalize(span) for body in sink.traces for span in spans_from_protobuf(body).spans]
    return {row.name: row for row in spans}, [
        row for body in sink.logs for log in logs_from_protobuf(body).logs if (row := normalize_log(log)) is not None
    ]


def _client(llm):
    return openai.OpenAI(api_key="none", base_url=llm.url, max_retries=0)


@pytest.fixture
def rows(llm):
    """The rows of one session with everything in it: spans by their name, and log events."""

    @agentops.tool(name="search")
    def search(query):
        return {"found": query}

    @agentops.action(name="mail")
    def mail(to):
        raise ConnectionError("no route to host")

    @agentops.agent(name="planner")
    def plan(question):
        client = _client(llm)
        asked = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": question}]
        answer = client.chat.completions.create(model="gpt-4.1", messages=asked).choices[0].message
        search(query="Ada")
        asked += [answer, {"role": "tool", "tool_call_id": "call_1", "content": "found"}]
        answer = client.chat.completions.create(model="gpt-4o-mini", messages=asked).choices[0].message
        with pytest.raises(openai.NotFoundError):
            client.chat.completions.create(model="gpt-none", messages=asked[:2])
        with pytest.raises(ConnectionError):
            mail("ada")
        return answer.content

    @agentops.workflow(name="trip")
    def work(question):
        return plan(question)

    llm.then(
        Reply(
            chat(
                {"content": None, "tool_calls": [CALL]},
                choices=[choice({"content": None, "tool_calls": [CALL]}, 0, "tool_calls")],
            )
        ),
        Reply(chat({"content": "Ada Lovelace"})),
        Reply(error("model_not_found", "there is no such model"), status=404),
    )
    with OtlpSink() as sink:
        agentops.init("key", endpoint=sink.url, summary=False, name="trip", tags=["a", "b"])
        work("Who wrote the first program?")
        agentops.record(agentops.ErrorEvent(error_type="Oops", details="it broke", code="E1"))
        agentops.record(
            agentops.LLMEvent(prompt="Hi", completion="Hello", model="gpt-4o", prompt_tokens=3, completion_tokens=2)
        )
        deadline = time.monotonic() + 5
        while not any(b"open_spans" in body for body in sink.logs) and time.monotonic() < deadline:
            time.sleep(0.05)
        agentops.end_session("Fail", "it broke")
        agentops.shutdown()
        yield _received(sink)


def test_a_session_of_ours(rows):
    """Every kind of span that we write has its kind, label, texts, tokens, errors and the session's identity."""
    spans, _ = rows
    root = spans["session trip"]
    assert (root.kind, root.label, root.session_name, root.tags) == ("session", "trip", "trip", ("a", "b"))
    assert (root.end_state, root.end_reason, root.status) == ("fail", "it broke", "error")
    assert root.asked == "Who wrote the first program?"
    assert root.parent_id is None
    assert {row.session_id for row in spans.values()} == {root.session_id}
    assert root.session_id.replace("-", "") == root.trace_id
    assert {row.dialect for row in spans.values()} == {"agentops"}
    assert root.process.runtime.startswith("python 3.")
    assert root.process.sdk.startswith("agentops-otel ")
    assert root.process.pid

    agent = spans["invoke_agent planner"]
    assert (agent.kind, agent.label, agent.agent) == ("agent", "planner", "planner")
    assert (agent.asked, agent.answered) == ("Who wrote the first program?", "Ada Lovelace")
    assert spans["invoke_workflow trip"].kind == "workflow"
    assert spans["invoke_workflow trip"].label == "trip"

    tool = spans["execute_tool search"]
    assert (tool.kind, tool.label, tool.body.arguments) == ("tool", "search", '{"query":"Ada"}')
    assert tool.body.result == '{"found":"Ada"}'
    assert tool.arguments_digest

    action = spans["mail"]
    assert (action.kind, action.label, action.status) == ("action", "mail", "error")
    assert (action.error_type, action.error_message) == ("ConnectionError", "no route to host")
    assert "raise ConnectionError" in action.body.stack

    failure = spans["error Oops"]
    assert (failure.kind, failure.label, failure.error_type, failure.error_message) == (
        "error",
        "Oops",
        "Oops",
        "it broke",
    )


def test_llm_calls_of_ours(rows):
    """Model, tokens, cost, finish reason, tool calls; an answer is the same message when it is sent again."""
    spans, _ = rows
    second = spans["chat gpt-4o-mini"]
    first = spans["chat gpt-4.1"]
    assert (first.kind, first.label, first.request_model) == ("llm", "gpt-4o-2024-08-06", "gpt-4.1")
    assert first.provider == "openai"
    usage = first.usage
    assert (usage.input_tokens, usage.cache_read_tokens, usage.output_tokens, usage.reasoning_tokens) == (
        57,
        32,
        48,
        16,
    )
    assert first.cost == pytest.approx(0.0005825)
    assert (first.cost_source, first.calls, first.finish_reasons) == ("local", ("search",), ("tool_calls",))
    assert first.price_table
    assert first.asked == "Who wrote the first program?"
    assert first.answered is None
    assert first.server.startswith("127.0.0.1:")
    assert second.answered == "Ada Lovelace"
    assert [message.role for message in second.body.input] == ["system", "user", "assistant", "tool"]
    assert second.body.input[2].digest == first.body.output[0].digest
    assert [message.digest for message in second.body.input[:2]] == [message.digest for message in first.body.input]
    assert "gen_ai.input.messages" not in second.body.attributes
    failed = spans["chat gpt-none"]
    assert (failed.status, failed.error_type, failed.usage, failed.cost) == ("error", "model_not_found", None, None)
    assert "there is no such model" in failed.error_message
    event = spans["chat gpt-4o"]
    assert (event.asked, event.answered, event.provider) == ("Hi", "Hello", "openai")


def test_log_events_of_ours(rows):
    """Start, heartbeats with the spans that are open, and the end."""
    spans, events = rows
    root = spans["session trip"]
    assert events[0].name == "start"
    assert events[-1].name == "end"
    assert {event.session_id for event in events} == {root.session_id}
    assert (events[0].session_name, events[0].tags, events[0].role) == ("trip", ("a", "b"), "owner")
    assert (events[-1].end_state, events[-1].end_reason) == ("fail", "it broke")
    assert any(event.name == "heartbeat" for event in events)


def _heartbeat(*lines):
    attributes = {"session.id": "a" * 32, "agentops.session.open_spans": list(lines)}
    return normalize_log(ReceivedLog("agentops.session.heartbeat", 5, "a" * 32, "a" * 16, attributes=attributes))


def test_open_spans_of_a_heartbeat():
    """Each line of a heartbeat is a row without an end, labelled as it will be when it has ended."""
    beat = _heartbeat(
        f"{'b' * 16} {'0' * 16} llm 17 chat gpt-4o",
        f"{'c' * 16} {'b' * 16} tool 18 execute_tool web search",
        f"{'d' * 16} {'b' * 16} - 19 GET",
        f"{'e' * 16} {'b' * 16} agent 20 invoke_agent",
        "no line",
        f"{'e' * 16} {'b' * 16} agent later x",
    )
    assert [(row.kind, row.label, row.start_ns, row.end_ns) for row in beat.open_spans] == [
        ("llm", "gpt-4o", 17, None),
        ("tool", "web search", 18, None),
        ("step", "GET", 19, None),
        ("agent", "invoke_agent", 20, None),
    ]
    assert beat.open_spans[0].parent_id is None
    assert beat.open_spans[1].parent_id == "b" * 16
    assert beat.open_spans[0].model == "gpt-4o"


def test_the_heartbeat_of_another_is_no_event():
    """A log record that is none of ours is nothing."""
    assert normalize_log(ReceivedLog("app.started", 5, "a" * 32, "")) is None
    assert normalize_log(ReceivedLog("session.start", 5, "", "", attributes={"session.id": "no uuid"})) is None


@pytest.mark.parametrize(("span_id", "of"), [("a" * 16, None), ("b" * 16, "b" * 16), ("", None)])
def test_a_score(span_id, of):
    """A score of the root is one of the session, another one of its span."""
    said = {
        "gen_ai.evaluation.name": "helpful",
        "gen_ai.evaluation.score.value": 1,
        "gen_ai.evaluation.score.label": "yes",
        "gen_ai.evaluation.explanation": "short",
        "session.id": "s",
    }
    score = normalize_log(ReceivedLog("gen_ai.evaluation.result", 5, "a" * 32, span_id, attributes=said))
    assert (score.name, score.value, score.label, score.comment) == ("helpful", 1.0, "yes", "short")
    assert (score.session_id, score.span_id) == ("s", of)


def span(attributes, **fields):
    return ReceivedSpan("a" * 32, "b" * 16, None, fields.pop("name", "span"), 10**18, 2 * 10**18, attributes, **fields)


def test_a_failed_span_says_its_last_exception():
    """Of several exception events the last one is the one that it failed with."""
    events = tuple(SpanEvent("exception", 1, {"exception.type": kind, "exception.message": kind}) for kind in "AB")
    row = normalize(span({}, status_code=2, events=events))
    assert (row.error_type, row.error_message) == ("B", "B")
    assert normalize(span({}, events=events)).error_type is None


def test_the_price_is_that_of_the_day_of_the_call():
    """The same span has the same cost whenever it is read."""
    said = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.usage.input_tokens": 1_000_000,
        "gen_ai.usage.output_tokens": 0,
    }
    row = normalize(span(said))
    assert row.cost == pytest.approx(2.5)
    assert normalize(span({**said, "gen_ai.request.model": "nobody-knows"})).cost is None
    assert normalize(span({**said, "openai.request.service_tier": "scale"})).cost is None  # the answer says none
    arn = "arn:aws:bedrock:us-east-1:123456789012:provisioned-model/abc123def456"
    bedrock = {**said, "gen_ai.provider.name": "aws.bedrock", "gen_ai.response.model": "claude-3-haiku-20240307"}
    assert normalize(span({**bedrock, "gen_ai.request.model": arn})).cost is None
    assert normalize(span({**bedrock, "gen_ai.request.model": "anthropic.claude-3-haiku-20240307-v1:0"})).cost


def test_a_message_is_a_message():
    """The messages of the row are those of the conventions."""
    row = normalize(span({"gen_ai.input.messages": '[{"role": "user", "parts": [{"type": "text", "content": "Hi"}]}]'}))
    (message,) = row.body.input
    assert isinstance(message, Message)
    assert (message.role, message.parts) == ("user", ({"type": "text", "content": "Hi"},))
    assert len(message.digest) == 32
