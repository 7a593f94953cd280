"""Events become spans: names, attributes, times, links."""

from __future__ import annotations

import json
import logging
import uuid
from datetime import datetime, timedelta, timezone
from enum import IntEnum

import pytest
from opentelemetry import context as otel_context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import SpanKind, StatusCode, set_span_in_context

from agentops_otel import context, events, guard
from agentops_otel.config import Configuration
from agentops_otel.events import ActionEvent, ErrorEvent, Event, LLMEvent, ToolEvent, record
from agentops_otel.testing import SpanCapture

START = "2024-01-02T03:04:05+00:00"
START_NS = 1_704_164_645_000_000_000


@pytest.fixture(autouse=True)
def strict(monkeypatch):
    monkeypatch.setattr(guard, "reraise", True)


@pytest.fixture
def begin():
    """Make a session's scope the process's; the spans go to the capture."""
    provider = TracerProvider(shutdown_on_exit=False)

    def start(**settings):
        capture = SpanCapture()
        provider.add_span_processor(SimpleSpanProcessor(capture))
        tracer = provider.get_tracer("tests")
        root = tracer.start_span("session")
        own = {"session_id": str(uuid.uuid4()), "trace_id": root.get_span_context().trace_id, "root": root}
        context.set_process(context.Scope(tracer, Configuration(**settings), **own))
        return capture

    yield start
    context.set_process(None)
    context.set_sessionless(None)
    provider.shutdown()


@pytest.fixture
def capture(begin):
    return begin()


def one(capture):
    (span,) = capture.spans
    return span


def warnings(caplog):
    return [entry.getMessage() for entry in caplog.records if entry.levelno >= logging.WARNING]


def test_an_action_becomes_a_span_of_its_name(capture):
    """The first argument names the action; params, returns, logs and screenshot are attributes."""
    event = ActionEvent("search", params={"q": "cats"}, returns=["a"], logs="quick", screenshot="https://x/y.png")
    record(event)
    span = one(capture)
    assert (span.name, span.kind) == ("search", SpanKind.INTERNAL)
    attributes = dict(span.attributes)
    assert attributes.pop("session.id")
    assert json.loads(attributes.pop("agentops.action.params")) == {"q": "cats"}
    assert json.loads(attributes.pop("agentops.action.returns")) == ["a"]
    assert attributes == {
        "agentops.span.kind": "action",
        "openinference.span.kind": "CHAIN",
        "input.value": '{"q":"cats"}',
        "output.value": '["a"]',
        "agentops.action.type": "search",
        "agentops.action.logs": "quick",
        "agentops.action.screenshot": "https://x/y.png",
        "agentops.event.id": str(event.id),
    }


def test_an_action_without_a_type_is_named_after_its_event_type(capture):
    """AgentOps lets the action type out; the span still has a name."""
    record(ActionEvent(params={"a": 1}))
    assert one(capture).name == "action"


def test_a_tool_becomes_an_execute_tool_span(capture):
    """Tools follow the GenAI conventions."""
    record(ToolEvent("lookup", params={"key": 1}, returns="found", logs={"hits": 1}))
    span = one(capture)
    assert span.name == "execute_tool lookup"
    shown = {key: span.attributes[key] for key in span.attributes if key.startswith(("gen_ai", "agentops.span"))}
    assert json.loads(shown.pop("gen_ai.tool.call.arguments")) == {"key": 1}
    assert shown == {
        "agentops.span.kind": "tool",
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.type": "function",
        "gen_ai.tool.name": "lookup",
        "gen_ai.tool.call.result": "found",
    }
    assert json.loads(span.attributes["agentops.logs"]) == {"hits": 1}


def test_an_llm_event_becomes_a_client_span_with_usage_and_cost(capture):
    """The span looks like one of an instrumented SDK call; the event's own cost is the provider's."""
    record(
        LLMEvent(
            prompt="hi",
            completion={"role": "assistant", "content": "hello", "tool_calls": []},
            prompt_tokens=3,
            completion_tokens=2,
            model="gpt-4o",
            cost=0.25,
            thread_id="thread-1",
        )
    )
    span = one(capture)
    assert (span.name, span.kind) == ("chat gpt-4o", SpanKind.CLIENT)
    wanted = {
        "agentops.span.kind": "llm",
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.provider.name": "openai",
        "gen_ai.conversation.id": "thread-1",
        "gen_ai.usage.input_tokens": 3,
        "gen_ai.usage.output_tokens": 2,
        "gen_ai.usage.cost.amount": 0.25,
        "gen_ai.usage.cost.currency": "USD",
        "gen_ai.usage.cost.source": "provider",
    }
    assert {key: span.attributes.get(key) for key in wanted} == wanted
    assert json.loads(span.attributes["gen_ai.input.messages"]) == [
        {"role": "user", "parts": [{"type": "text", "content": "hi"}]}
    ]
    assert json.loads(span.attributes["gen_ai.output.messages"]) == [
        {"role": "assistant", "parts": [{"type": "text", "content": "hello"}]}
    ]


def test_chat_messages_keep_roles_parts_and_tool_calls(capture):
    """A prompt in the form of the chat APIs is written in the conventions' schema."""
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    record(
        LLMEvent(
            prompt=[
                {"role": "system", "content": "be brief"},
                {"role": "user", "content": [{"type": "text", "text": "hi"}, {"type": "image_url", "image_url": "u"}]},
                {"role": "assistant", "content": None, "tool_calls": [call]},
            ]
        )
    )
    assert json.loads(one(capture).attributes["gen_ai.input.messages"]) == [
        {"role": "system", "parts": [{"type": "text", "content": "be brief"}]},
        {"role": "user", "parts": [{"type": "text", "content": "hi"}, {"type": "image_url", "image_url": "u"}]},
        {"role": "assistant", "parts": [{"type": "tool_call", "id": "c1", "name": "f", "arguments": "{}"}]},
    ]


@pytest.mark.parametrize(
    ("model", "provider"),
    [
        ("gpt-4o-mini", "openai"),
        ("o3", "openai"),
        ("claude-sonnet-4-5", "anthropic"),
        ("grok-4", "x_ai"),
        ("gpt-oss-120b", None),
        ("claude-3-5-sonnet@20240620", None),
        ("gemini-2.5-pro", None),
        ("llama-3", None),
        ("o300", None),
    ],
)
def test_the_provider_is_named_only_when_the_model_is_certain(capture, model, provider):
    """A model that several providers serve under one name says nothing about the provider."""
    record(LLMEvent(model=model))
    assert one(capture).attributes.get("gen_ai.provider.name") == provider


@pytest.mark.parametrize(
    "fields",
    [
        *({"cost": wrong} for wrong in ("much", float("nan"), float("inf"), -1)),
        *({"prompt_tokens": wrong} for wrong in ("many", -1, 5.5, float("nan"), float("inf"), True, 10**400, "-4")),
    ],
)
def test_a_wrong_number_of_an_llm_event_is_left_out_with_a_warning(capture, caplog, fields):
    """The rest of the event is recorded all the same."""
    record(LLMEvent(model="gpt-4o", **fields))
    assert not {"gen_ai.usage.cost.amount", "gen_ai.usage.input_tokens"} & one(capture).attributes.keys()
    [told] = warnings(caplog)
    [(name, value)] = fields.items()
    assert f"LLMEvent: {name}={value!r}"[:70] in told
    assert "is not valid: expected " in told


@pytest.mark.parametrize("value", [5, 5.0, "5", " 5 ", IntEnum("Five", {"FIVE": 5}).FIVE])
def test_a_number_of_tokens_as_programs_have_it(capture, caplog, value):
    """A whole number is one in each of its types."""
    record(LLMEvent(prompt_tokens=value, completion_tokens=value))
    attributes = one(capture).attributes
    assert (attributes["gen_ai.usage.input_tokens"], attributes["gen_ai.usage.output_tokens"]) == (5, 5)
    assert warnings(caplog) == []


def test_a_plain_event_is_an_action_of_its_type(capture):
    """`Event` itself can be recorded."""
    record(Event("checkpoint", {"step": 1}))
    span = one(capture)
    assert span.name == span.attributes["agentops.action.type"] == "checkpoint"


def test_an_error_event_reads_its_exception_and_lets_it_go(capture):
    """Type, text and stack trace come from the exception; the event keeps no frames alive."""
    try:
        raise KeyError("missing")
    except KeyError as error:
        event = ErrorEvent(exception=error, code=501, logs="tail")
    assert (event.exception, event.error_type, event.details) == (None, "KeyError", "'missing'")
    record(event)
    span = one(capture)
    assert (span.name, span.status.status_code) == ("error KeyError", StatusCode.ERROR)
    assert span.status.description == "KeyError: 'missing'"
    shown = {key: value for key, value in span.attributes.items() if key not in ("session.id", "agentops.event.id")}
    assert shown == {
        "agentops.span.kind": "error",
        "error.type": "KeyError",
        "agentops.error.code": "501",
        "agentops.error.details": "'missing'",
        "agentops.error.logs": "tail",
    }
    (exception,) = span.events
    assert exception.name == "exception"
    assert exception.attributes["exception.type"] == "KeyError"
    assert "test_events.py" in exception.attributes["exception.stacktrace"]


def test_given_error_type_and_details_win_over_the_exception(capture):
    """The exception fills only what the user left out."""
    event = ErrorEvent(exception=ValueError("x"), error_type="Timeout", details="slow")
    record(event)
    assert one(capture).name == "error Timeout"
    assert one(capture).attributes["agentops.error.details"] == "slow"


def test_an_error_links_to_the_span_of_its_trigger(capture):
    """The trigger's span is found through the event object."""
    trigger = ToolEvent("lookup")
    record(trigger)
    event = ErrorEvent(trigger_event=trigger, error_type="Timeout")
    record(event)
    tool, error = capture.spans
    assert (event.trigger_event_id, event.trigger_event_type) == (trigger.id, "tools")
    assert [link.context.span_id for link in error.links] == [tool.context.span_id]
    assert error.attributes["agentops.error.trigger_span_id"] == f"{tool.context.span_id:016x}"


def test_an_error_of_an_unrecorded_trigger_is_recorded_alone(capture):
    """No link to nowhere, and the trigger is not recorded behind the user's back."""
    record(ErrorEvent(trigger_event=ToolEvent("lookup"), error_type="Timeout"))
    span = one(capture)
    assert not span.links
    assert "agentops.error.trigger_span_id" not in span.attributes


def test_an_exception_is_recorded_as_an_error_event(capture):
    """`record(exception)` is short for `record(ErrorEvent(exception=exception))`."""
    record(ValueError("bad"))
    span = one(capture)
    assert (span.name, span.status.description, len(span.events)) == ("error ValueError", "ValueError: bad", 1)


def test_an_exception_without_a_usable_text_is_recorded(capture):
    """A raising `__str__` stays inside."""

    class Rude(Exception):
        def __str__(self):
            raise RuntimeError("no")

    record(Rude())
    assert one(capture).attributes["agentops.error.details"] == "<unprintable Rude>"


def test_an_event_is_recorded_once(capture, caplog):
    """The second time is a warning that names the event."""
    event = ActionEvent("search")
    record(event)
    record(event)
    assert len(capture.spans) == 1
    (warning,) = warnings(caplog)
    assert str(event.id) in warning


@pytest.mark.parametrize("junk", [None, "search", {"a": 1}, ActionEvent, ValueError], ids=repr)
def test_what_is_no_event_is_a_warning_that_names_its_type(capture, caplog, junk):
    """Nothing is recorded and nothing raised."""
    record(junk)
    assert capture.spans == []
    (warning,) = warnings(caplog)
    assert type(junk).__name__ in warning


def test_without_a_session_there_is_one_warning(caplog):
    """Events outside of a session are not recorded, and said so once."""
    context.set_sessionless(None)
    event = ActionEvent("search")
    record(event)
    record(event)
    (warning,) = warnings(caplog)
    assert "record()" in warning
    assert "no session" in warning


def test_an_event_is_nested_under_the_current_span(capture):
    """The current span of the session's trace is the parent, else the root."""
    scope = context.current()
    parent = scope.start_span("parent")
    token = otel_context.attach(set_span_in_context(parent))
    record(ActionEvent("inside"))
    otel_context.detach(token)
    record(ActionEvent("outside"))
    inside, outside = capture.spans
    assert inside.parent.span_id == parent.get_span_context().span_id
    assert outside.context.trace_id == inside.context.trace_id
    assert outside.parent.span_id != inside.parent.span_id


@pytest.mark.parametrize("mode", ["metadata", "off"])
def test_content_stays_out_of_the_span_when_not_captured(begin, mode):
    """Neither params nor prompts nor logs, in any event."""
    capture = begin(capture_content=mode)
    secret = "the-secret"
    record(ActionEvent("a", params=secret, returns=secret, logs=secret, screenshot=secret))
    record(ToolEvent("t", params=secret, returns=secret, logs=secret))
    record(LLMEvent(params=secret, returns=secret, prompt=secret, completion=secret))
    record(ErrorEvent(error_type="E", logs=secret))
    assert len(capture.spans) == 4
    assert secret not in "".join(span.to_json() for span in capture.spans)


@pytest.mark.parametrize(("mode", "kept"), [("metadata", True), ("off", False)])
def test_exception_texts_are_left_out_only_when_capture_is_off(begin, mode, kept):
    """An exception's text can quote a prompt."""
    capture = begin(capture_content=mode)
    record(ValueError("the-secret"))
    assert ("the-secret" in one(capture).to_json()) is kept
    assert one(capture).status.status_code is StatusCode.ERROR


def test_long_content_is_cut(begin):
    """Text over `max_content_length` is cut with a marker."""
    capture = begin(max_content_length=100)
    record(ActionEvent("a", returns="x" * 10_000))
    text = one(capture).attributes["agentops.action.returns"]
    assert text.startswith("x" * 50)
    assert len(text) < 300


@pytest.mark.parametrize(
    "moment",
    [
        "2024-01-02T03:04:05Z",
        "2024-01-02T03:04:05.000000000Z",
        "2024-01-02 03:04:05.0",
        "2024-01-02T03:04:05",
        "2024-01-02T04:04:05+01:00",
        "2024-01-02T02:04:05-0100",
        datetime(2024, 1, 2, 3, 4, 5, tzinfo=timezone.utc),
        datetime(2024, 1, 2, 3, 4, 5),  # noqa: DTZ001  (that is the case)
        datetime(2024, 1, 2, 5, 4, 5, tzinfo=timezone(timedelta(hours=2))),
        1_704_164_645,
        1_704_164_645.0,
    ],
    ids=str,
)
def test_every_way_to_write_a_time(capture, caplog, moment):
    """ISO 8601 text, datetimes and epoch seconds; UTC unless they say otherwise."""
    record(ActionEvent("a", init_timestamp=moment, end_timestamp="2024-01-02T03:04:06.123456789Z"))
    span = one(capture)
    assert (span.start_time, span.end_time) == (START_NS, START_NS + 1_123_456_000)
    assert warnings(caplog) == []


@pytest.mark.parametrize(
    "moment",
    ["yesterday", "2024-13-01T00:00:00Z", -5, True, float("nan"), 1e300, 1_704_164_645_000_000, object()],
    ids=str,
)
def test_a_wrong_time_is_a_warning_and_now(capture, caplog, moment):
    """A time that OTLP cannot carry would lose the whole batch."""
    events_before = events.time_ns()
    record(ActionEvent("a", init_timestamp=moment))
    span = one(capture)
    assert events_before <= span.start_time <= span.end_time <= events.time_ns()
    (warning,) = warnings(caplog)
    assert "init_timestamp" in warning


def test_a_wrong_time_of_an_error_is_one_warning(capture, caplog):
    """It is start and end, and wrong once."""
    record(ErrorEvent(error_type="E", timestamp="yesterday"))
    span = one(capture)
    assert span.start_time == span.end_time
    assert len(warnings(caplog)) == 1


def test_an_end_before_the_start_is_a_warning_and_now(capture, caplog):
    """No span has a negative duration."""
    record(ActionEvent("a", init_timestamp=START, end_timestamp=START_NS / 1e9 - 5))
    assert one(capture).end_time > START_NS
    assert len(warnings(caplog)) == 1


def test_the_end_is_the_moment_of_recording(capture):
    """An event without an end gets one, which it keeps."""
    event = ActionEvent("a", init_timestamp=START)
    assert event.end_timestamp is None
    before = events.time_ns()
    record(event)
    assert one(capture).start_time == START_NS
    assert before <= one(capture).end_time <= events.time_ns()
    assert datetime.fromisoformat(event.end_timestamp).tzinfo is not None


def test_an_error_is_a_point_in_time(capture):
    """Start, end and exception event are at the error's timestamp."""
    record(ErrorEvent(error_type="E", timestamp=START))
    span = one(capture)
    assert {span.start_time, span.end_time, span.events[0].timestamp} == {START_NS}


def test_the_agent_of_an_event_is_the_one_whose_code_runs(capture):
    """An explicit agent wins over the context's."""
    token = otel_context.attach(otel_context.set_value(events.AGENT_KEY, "agent-1"))
    record(ActionEvent("a"))
    record(ActionEvent("b", agent_id="agent-2"))
    otel_context.detach(token)
    record(ActionEvent("c"))
    assert [span.attributes.get("agentops.event.agent_id") for span in capture.spans] == ["agent-1", "agent-2", None]


@pytest.mark.parametrize(
    ("kind", "required", "fields"),
    [
        (Event, ("custom",), "event_type params returns init_timestamp end_timestamp agent_id id"),
        (ActionEvent, (), "action_type logs screenshot"),
        (LLMEvent, (), "thread_id prompt prompt_tokens completion completion_tokens model cost"),
        (ToolEvent, (), "name logs"),
        (ErrorEvent, (), "trigger_event error_type code details logs timestamp"),
    ],
)
def test_every_field_of_agentops_is_a_keyword_and_an_attribute(kind, required, fields):
    """Code written for AgentOps finds the same fields."""
    common = ["params", "returns", "init_timestamp", "end_timestamp", "agent_id", "id", "event_type"]
    for name in {*fields.split(), *common}:
        value = object()
        event = kind(**{name: value}) if name == "event_type" else kind(*required, **{name: value})
        assert getattr(event, name) is value


def test_an_error_of_ours_never_reaches_the_user(capture, monkeypatch, caplog):
    """A bug while the event is read is logged once, its text left out, and the user's call returns."""
    monkeypatch.setattr(guard, "reraise", False)
    monkeypatch.setattr(guard, "_reported", set())

    def broken(*_):
        raise ZeroDivisionError("the-secret")

    monkeypatch.setattr(events, "_write_action", broken)
    record(ActionEvent("a"))
    record(ActionEvent("b"))
    assert [span.name for span in capture.spans] == ["a", "b"]
    (warning,) = warnings(caplog)
    assert "ZeroDivisionError" in warning
    assert "the-secret" not in warning
