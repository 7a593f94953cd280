"""LLM spans of other tracers inside and around calls of ours: each call is recorded once, with its tokens once."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest
from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import NonRecordingSpan, SpanContext, Status, StatusCode, TraceFlags, set_span_in_context

from agentops_otel import semconv
from agentops_otel.config import Configuration
from agentops_otel.context import Scope
from agentops_otel.dialects import kinds
from agentops_otel.dialects.order import ORDER
from agentops_otel.dialects.spending import spending
from agentops_otel.pipeline import ids, nesting, processor
from agentops_otel.pipeline.processor import SessionSpanProcessor, SessionSpans
from agentops_otel.redaction import Redactor
from agentops_otel.testing import SpanCapture
from tests.fakes.house import SESSION, House

CALL = {semconv.SPAN_KIND: "llm", semconv.OPERATION_NAME: "chat", semconv.PROVIDER_NAME: "openai"}
MODEL = {semconv.REQUEST_MODEL: "gpt-4o-mini", semconv.RESPONSE_MODEL: "gpt-4o-mini"}
USAGE = {semconv.USAGE_INPUT_TOKENS: 1000, semconv.USAGE_OUTPUT_TOKENS: 10}
GENAI = {semconv.OPERATION_NAME: "chat", semconv.PROVIDER_NAME: "openai", **MODEL, **USAGE}
OPENINFERENCE = {
    "openinference.span.kind": "LLM",
    "llm.token_count.prompt": 1000,
    "llm.token_count.completion": 10,
    "llm.token_count.total": 1010,
    "llm.cost.total": 0.25,
    "llm.model_name": "gpt-4o-mini",
}
OPENLLMETRY = {"llm.request.type": "chat", "llm.usage.total_tokens": 1010, **MODEL, **USAGE}
DIALECTS = {"genai": GENAI, "openinference": OPENINFERENCE, "openllmetry": OPENLLMETRY}


@pytest.fixture(params=["leaf", "sdk", "host"])
def world(request):
    """Our provider with leaves, without them, and one of the program's that has exporters of its own."""
    capture, first, last = SpanCapture(), SpanCapture(), SpanCapture()
    if request.param == "host":
        trace_id = ids.trace_id(SESSION)
        recorder = SimpleNamespace(record=lambda span, session=None: capture.export([span]))
        session = SessionSpans(SESSION, trace_id, ids.root_span_id(trace_id), recorder, Redactor())
        ours = SessionSpanProcessor(lambda context: None)
        ours.add(session)
        provider = TracerProvider(shutdown_on_exit=False)
        for part in (SimpleSpanProcessor(first), ours, SimpleSpanProcessor(last)):
            provider.add_span_processor(part)
        tracer = provider.get_tracer(semconv.SCOPE_NAME)
        root = NonRecordingSpan(SpanContext(trace_id, session.root_span_id, True, TraceFlags(1)))
    else:
        house = House(capture, leaves=request.param == "leaf")
        session, provider, tracer, root, ours = (
            house.session, house.provider, house.tracer, house.root, house.processor,
        )  # fmt: skip
    yield World(session, ours, provider, tracer, root, capture, [first, last] if request.param == "host" else [])
    provider.shutdown()


class World:
    def __init__(self, session, ours, provider, tracer, root, capture, others):
        self.session, self.processor, self.provider, self.root = session, ours, provider, root
        self.capture, self.others = capture, others
        place = {"session_id": SESSION, "trace_id": session.trace_id, "root": root}
        self.scope = Scope(tracer, Configuration(), **place)

    def call(self, below=None):
        """Start a call of ours."""
        parent = set_span_in_context(below or self.root, Context())
        return self.scope.start_span("chat gpt-4o-mini", attributes=CALL, parent=parent, leaf=True)

    def foreign(self, below=None, name="foreign", **attributes):
        """Start a span of another tracer."""
        context = set_span_in_context(below or self.root, Context())
        return self.provider.get_tracer("another").start_span(name, context, attributes=attributes)

    def recorded(self):
        """The finished spans by name, as our pipeline gets them."""
        found = {span.name: span for span in self.capture.spans}
        assert len(found) == len(self.capture.spans)
        return found


def end(span, **attributes):
    span.set_attributes(attributes)
    span.end()


def is_step(span):
    return span.attributes[semconv.SPAN_KIND] == "step" and not spending(span.attributes)


def one_call(world):
    """Assert that one call is counted, and its tokens once."""
    totals = world.session.totals.snapshot()
    assert (totals.llm_calls, totals.usage.input_tokens, totals.usage.output_tokens) == (1, 1000, 10)
    assert totals.unpriced_calls == 0
    assert totals.cost > 0
    assert world.session.totals.open_ids() == []
    assert world.processor._nesting._inside == {}


@pytest.mark.parametrize("late", [False, True], ids=["kind at once", "kind at the end"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_span_inside_a_call_is_left_out(world, dialect, late):
    """Another tracer's LLM span inside a call is neither counted nor recorded; other exporters get a step."""
    said = DIALECTS[dialect]
    call = world.call()
    inner = world.foreign(call, **({} if late else said))
    world.session.totals.settle()
    end(inner, **said)
    end(call, **MODEL, **USAGE)
    assert list(world.recorded()) == [call.name]
    one_call(world)
    for exporter in world.others:
        assert [is_step(span) for span in exporter.spans] == [True, False]


@pytest.mark.parametrize("settled", [False, True])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_span_around_a_call_becomes_a_step(world, dialect, settled):
    """Another tracer's LLM span around a call is recorded without tokens and cost, whoever exports it."""
    outer = world.foreign(**DIALECTS[dialect], **{semconv.COST_AMOUNT: 0.5})
    between = world.foreign(outer, "http")
    end(world.call(between), **MODEL, **USAGE)
    between.end()
    if settled:
        world.session.totals.settle()
    end(outer)
    recorded = world.recorded()
    assert is_step(recorded["foreign"])
    assert recorded["foreign"].attributes.items() >= {semconv.SESSION_ID: SESSION}.items()
    assert recorded["chat gpt-4o-mini"].attributes.items() >= (CALL | USAGE).items()
    one_call(world)
    for exporter in world.others:
        assert [is_step(span) for span in exporter.spans if span.name == "foreign"] == [True]


@pytest.mark.parametrize("operation", ["execute_tool", "invoke_agent"])
def test_a_span_that_asks_for_what_makes_a_call_stays_a_call(world, operation):
    """Between them lies a tool or an agent, so they are two calls."""
    outer = world.foreign(**GENAI)
    between = world.foreign(outer, "between", **{semconv.OPERATION_NAME: operation})
    ours = world.call(between)
    for each in (ours, between, outer):
        end(each, **(MODEL | USAGE if each is not between else {}))
    assert not any(is_step(span) for span in world.recorded().values() if semconv.SPAN_KIND in span.attributes)
    totals = world.session.totals.snapshot()
    assert (totals.llm_calls, totals.usage.input_tokens) == (2, 2000)


@pytest.mark.parametrize("operation", ["execute_tool", "invoke_agent"])
def test_a_span_inside_an_agent_inside_a_call_is_left_out(world, operation):
    """An SDK that traces itself tells of a conversation as an agent that makes a call: it is one request."""
    ours = world.call()
    agent = world.foreign(ours, "agent", **{semconv.OPERATION_NAME: operation})
    end(world.foreign(agent, "inner", **GENAI), **MODEL, **USAGE)
    agent.end()
    end(ours, **MODEL, **USAGE)
    assert set(world.recorded()) == {"agent", ours.name}
    one_call(world)


def test_a_span_around_a_call_that_goes_on_becomes_a_step(world):
    """A stream may outlive the span around it."""
    outer = world.foreign(**GENAI)
    call = world.call(outer)
    end(outer)
    end(call, **MODEL, **USAGE)
    assert is_step(world.recorded()["foreign"])
    one_call(world)


def test_a_span_around_a_call_in_another_trace_becomes_a_step(world, monkeypatch):
    """A span of a trace of its own, in a program's own provider, has the call inside of it and not below it."""
    monkeypatch.setattr(world.processor, "_current_trace_id", lambda context: world.session.trace_id)
    tracer = world.provider.get_tracer("another")
    with (
        tracer.start_as_current_span("outer", set_span_in_context(_remote(), Context()), attributes=GENAI),
        tracer.start_as_current_span("between"),
    ):
        end(world.call(), **MODEL, **USAGE)
    recorded = world.recorded()
    assert recorded["outer"].context.trace_id != recorded["chat gpt-4o-mini"].context.trace_id
    assert is_step(recorded["outer"])
    one_call(world)


def _remote():
    return NonRecordingSpan(SpanContext(1, 2, True, TraceFlags(1)))


@pytest.mark.parametrize("settled", [False, True])
def test_a_span_that_is_made_after_a_call_is_a_step(world, settled):
    """OpenLLMetry makes the span of a response when it has come, with the start that the request had."""
    answer = {semconv.RESPONSE_ID: "resp_1"}
    before = time.time_ns()
    end(world.call(), **MODEL, **USAGE, **answer)
    if settled:
        world.session.totals.settle()
    context = set_span_in_context(world.root, Context())
    another = world.provider.get_tracer("another")
    end(another.start_span("late", context, attributes=GENAI | answer, start_time=before))
    assert is_step(world.recorded()["late"])
    one_call(world)


def test_a_span_with_an_answer_that_it_has_not_seen_is_a_call(world):
    """An answer of a cache has the id of the first one."""
    answer = {semconv.RESPONSE_ID: "resp_1"}
    end(world.call(), **MODEL, **USAGE, **answer)
    end(world.foreign(**GENAI, **answer))
    assert world.session.totals.snapshot().llm_calls == 2
    assert world.recorded()["foreign"].attributes.items() >= USAGE.items()


def test_spans_without_a_call_of_ours_stay_as_they_are(world):
    """Another tracer's LLM span is a call where nothing of ours says it."""
    tool = world.foreign(name="tool", **{semconv.OPERATION_NAME: "execute_tool"})
    end(world.foreign(tool, **GENAI))
    end(tool)
    recorded = world.recorded()["foreign"]
    assert recorded.attributes.items() >= GENAI.items()
    assert recorded.attributes.get(semconv.SPAN_KIND) != "step"
    one_call(world)


def test_a_call_beside_another_tracers_span_leaves_it_alone(world):
    """Only what lies inside or around a call is the same call."""
    end(world.foreign(name="other", **GENAI))
    call = world.call()
    end(call, **MODEL, **USAGE)
    end(world.foreign(call, **GENAI))  # the call has ended: this one comes later
    assert set(world.recorded()) == {"other", call.name, "foreign"}


def test_what_lies_below_a_span_that_is_left_out_hangs_one_higher(world):
    """A request that another tracer has made inside its LLM span is below our call."""
    call = world.call()
    first = world.foreign(call, "first", **GENAI)
    second = world.foreign(first, "second", **OPENINFERENCE)
    request = world.foreign(second, "request")
    connect = world.foreign(request, "connect")
    end(connect)
    late = world.foreign(second, "late")
    end(request)
    end(second)
    end(first)
    end(late)
    end(call, **MODEL, **USAGE)
    recorded = world.recorded()
    assert set(recorded) == {"connect", "request", "late", call.name}
    ids_of = {name: span.context.span_id for name, span in recorded.items()}
    assert recorded["connect"].parent.span_id == ids_of["request"]
    assert recorded["request"].parent.span_id == recorded["late"].parent.span_id == ids_of[call.name]
    one_call(world)


def test_a_span_that_has_something_below_stays_as_a_step(world):
    """One that says only at its end that it is a call keeps its place, so that nothing loses its parent."""
    call = world.call()
    inner = world.foreign(call, "inner")
    end(world.foreign(inner, "request"))
    end(inner, **GENAI)
    end(call, **MODEL, **USAGE)
    recorded = world.recorded()
    assert recorded["request"].parent.span_id == recorded["inner"].context.span_id
    assert is_step(recorded["inner"])
    one_call(world)


def test_other_spans_inside_a_call_are_recorded(world):
    """What another tracer records besides calls, such as a request, is recorded where it is."""
    call = world.call()
    end(world.foreign(call, "request", **{"http.request.method": "POST"}))
    end(call, **MODEL, **USAGE)
    assert world.recorded()["request"].parent.span_id == call.get_span_context().span_id


def test_a_wrapper_that_is_done_again_recovers(world):
    """A failed call below a wrapper is recovered when the wrapper's second try succeeds."""
    for failed in (True, False):
        outer = world.foreign(**{semconv.OPERATION_NAME: "chat"})
        call = world.call(outer)
        for span in (call, outer):
            if failed:
                span.set_status(Status(StatusCode.ERROR))
            end(span)
    totals = world.session.totals.snapshot()
    assert (totals.errors, totals.recovered_errors) == (1, 1)


def test_outside_of_sessions(world):
    """A span inside a call is left out where calls outside of sessions are recorded."""
    found = SpanCapture()
    world.processor.sessionless(SimpleNamespace(record=lambda span, session=None: found.export([span])), Redactor())
    tracer = world.provider.get_tracer(semconv.SCOPE_NAME)
    call = tracer.start_span("call", Context(), attributes=CALL)
    inner = world.provider.get_tracer("another").start_span("inner", set_span_in_context(call, Context()))
    end(world.provider.get_tracer("another").start_span("request", set_span_in_context(inner, Context())))
    end(world.provider.get_tracer("another").start_span("again", set_span_in_context(call, Context())), **GENAI)
    end(inner)
    end(call)
    assert [span.name for span in found.spans] == ["request", "inner", "call"]


def test_where_the_sdk_keeps_attributes_otherwise(world, monkeypatch):
    """What cannot be changed for all is right at least for us."""
    monkeypatch.setattr(processor, "_write", lambda span, attributes, without=(): None)
    outer = world.foreign(**GENAI)
    call = world.call(outer)
    inner = world.foreign(call, "inner", **GENAI)
    end(inner)
    end(call, **MODEL, **USAGE)
    end(outer)
    assert set(world.recorded()) == {"foreign", call.name}
    assert is_step(world.recorded()["foreign"])
    one_call(world)


def test_spans_that_nobody_ends_do_not_fill_the_memory(world, monkeypatch):
    """The oldest are forgotten, and recorded as if no call were around them."""
    monkeypatch.setattr(nesting, "_MOST_INSIDE", 8)
    call = world.call()
    inner = [world.foreign(call, f"inner {number}", **GENAI) for number in range(20)]
    assert len(world.processor._nesting._inside) == 8
    for span in inner:
        end(span)
    assert len(world.recorded()) == 12
    assert world.processor._nesting._inside == {}


@pytest.mark.parametrize("dialect", ORDER, ids=lambda dialect: dialect.name)
def test_kinds_are_those_of_the_dialects(dialect):
    """A program that is recorded knows the kinds that a reader of its spans knows."""
    for name, table in dialect.kinds:
        if table not in (kinds.OURS, kinds.GENAI) and dialect.name == "agentops04":
            continue  # (a name that is ours today)
        for value, kind in table.items():
            assert kinds.kind_in({name: value}) == kind
            assert kinds.kind_in({name: value.upper()}) == kind


@pytest.mark.parametrize("dialect", ORDER, ids=lambda dialect: dialect.name)
def test_a_step_has_no_tokens_and_no_cost_in_any_dialect(dialect):
    """What is taken from a wrapper is what dialects read."""
    said = {
        **GENAI, **OPENINFERENCE, **OPENLLMETRY,
        semconv.COST_AMOUNT: 1.0, semconv.PRICE_TABLE: "1", "operation.cost": 1.0, "gen_ai.usage.total_cost": 1.0,
        "gen_ai.usage.raw": '{"prompt_tokens": 1}', "gen_ai.usage.details.reasoning_tokens": 1,
        "langfuse.observation.usage_details": '{"input": 1}', "langfuse.observation.cost_details": '{"total": 1.0}',
    }  # fmt: skip
    left = {name: value for name, value in said.items() if name not in spending(said)}
    assert dialect.usage is None or dialect.usage(left) is None
    assert dialect.cost is None or dialect.cost(left) is None


@pytest.mark.parametrize("value", [None, 3, True, ["llm"], b"llm", {"llm": 1}, "", "llm "])
def test_odd_kinds_say_nothing(value):
    """A value of any type is no kind, and does no harm."""
    assert kinds.kind_in({name: value for name, _ in kinds._SAID}) is None
