"""The span processor: whose a span is, what it keeps, and that nothing of it harms the host."""

from __future__ import annotations

import logging
import threading

import pytest
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from agentops_otel import guard, semconv
from agentops_otel.pipeline import ids, processor
from agentops_otel.pipeline.processor import SessionSpanProcessor, SessionSpans
from agentops_otel.redaction import Redactor
from agentops_otel.testing import SpanCapture

MODEL = {
    semconv.OPERATION_NAME: "chat",
    semconv.PROVIDER_NAME: "openai",
    semconv.REQUEST_MODEL: "gpt-4o-mini",
    semconv.RESPONSE_MODEL: "gpt-4o-mini",
    semconv.USAGE_INPUT_TOKENS: 1000,
    semconv.USAGE_OUTPUT_TOKENS: 10,
}
CURRENT = otel_context.create_key("test-current")


class Batch:
    def __init__(self):
        self.spans = []

    def record(self, span, session=None):
        self.spans.append(span)
        if session is not None:
            session.recorded += 1


class World:
    """A provider of its own with our processor between two exporters of the host's."""

    def __init__(self, *, batched=True, limit=128, sampler=None):
        self.first, self.last, self.batch = SpanCapture(), SpanCapture(), Batch()
        self.processor = SessionSpanProcessor(lambda context: otel_context.get_value(CURRENT, context))
        self.provider = TracerProvider(
            sampler=sampler, span_limits=SpanLimits(max_span_attributes=limit), shutdown_on_exit=False
        )
        for part in (SimpleSpanProcessor(self.first), self.processor, SimpleSpanProcessor(self.last)):
            self.provider.add_span_processor(part)
        self.batched = batched

    def session(self):
        number = ids.trace_id(ids.new_session_id())
        batcher = self.batch if self.batched else None
        session = SessionSpans(ids.session_id(number), number, ids.root_span_id(number), batcher, Redactor())
        self.processor.add(session)
        return session

    def inside(self, session) -> Context:
        parent = trace.SpanContext(session.trace_id, session.root_span_id, True, trace.TraceFlags(1))
        return trace.set_span_in_context(trace.NonRecordingSpan(parent), Context())

    def current(self, session) -> Context:
        return otel_context.set_value(CURRENT, session.trace_id, Context())

    def span(self, context=None, name="work", scope="other", **attributes):
        span = self.provider.get_tracer(scope).start_span(name, context or Context())
        span.set_attributes(attributes)
        return span


def test_a_span_in_the_trace_of_a_session_is_its():
    """Another instrumentation's span is stamped, counted and handed on."""
    world = World()
    session = world.session()
    world.span(world.inside(session)).end()
    (span,) = world.batch.spans
    assert span.attributes[semconv.SESSION_ID] == session.session_id
    assert session.recorded == 1


def test_a_span_of_another_trace_is_the_current_sessions():
    """A trace that began elsewhere, such as a web request, goes to the session that is current where a span starts."""
    world = World()
    one, two = world.session(), world.session()
    span = world.span(world.current(two))
    span.end()
    assert span.get_span_context().trace_id not in (one.trace_id, two.trace_id)
    assert world.batch.spans[0].attributes[semconv.SESSION_ID] == two.session_id


def test_a_span_outside_sessions_is_let_alone():
    """Without a session a span is neither stamped nor exported, unless work outside sessions is wanted."""
    world = World()
    world.session()
    world.span(name="one").end()
    world.processor.sessionless(world.batch, Redactor())
    world.span(name="two").end()
    world.processor.sessionless(None, Redactor())
    world.span(name="three").end()
    assert [(span.name, dict(span.attributes)) for span in world.batch.spans] == [("two", {})]


def test_a_span_that_ends_after_its_session_still_arrives():
    """A stream that is read after `end_session()` is not lost."""
    world = World()
    session = world.session()
    span = world.span(world.inside(session))
    world.processor.retire(session)
    span.end()
    assert len(world.batch.spans) == 1


def test_old_sessions_are_forgotten():
    """A process that runs a million sessions keeps the books of few."""
    world = World()
    sessions = [world.session() for _ in range(300)]
    for session in sessions:
        world.processor.retire(session)
    world.span(world.inside(sessions[0])).end()
    assert world.batch.spans == []
    world.span(world.inside(sessions[-1])).end()
    assert len(world.batch.spans) == 1
    assert len(world.processor._sessions) <= processor._MOST_RETIRED


def test_spans_that_nobody_ends_do_not_fill_the_memory(monkeypatch):
    """The number of remembered open spans is limited."""
    monkeypatch.setattr(processor, "_MOST_FOREIGN", 10)
    world = World()
    session = world.session()
    for _ in range(30):
        world.span(world.current(session))
    assert len(world.processor.foreign) == 10


@pytest.mark.parametrize("batched", [True, False])
def test_identity_survives_the_attribute_limit(batched, caplog):
    """Session and kind of a span are there when the limit dropped its first attributes, also for the host."""
    caplog.set_level(logging.ERROR)
    world = World(batched=batched, limit=8)
    session = world.session()
    tracer = world.provider.get_tracer(semconv.SCOPE_NAME)
    identity = {semconv.SPAN_KIND: "llm", semconv.SESSION_ID: session.session_id}
    span = tracer.start_span("chat", world.inside(session), attributes=identity)
    span.set_attributes({f"a{n}": n for n in range(20)})
    span.end()
    exported = [world.last.find("chat"), *world.batch.spans]
    if processor._IS_TOLD_OF_ENDING:
        exported.append(world.first.find("chat"))
    assert len(exported) == (2 if batched else 1) + processor._IS_TOLD_OF_ENDING
    for found in exported:
        assert {key: found.attributes.get(key) for key in identity} == identity
        assert found.attributes["a19"] == 19
        assert len(found.attributes) == 8
    assert session.totals.snapshot().llm_calls == 1


def test_identity_survives_where_the_sdk_keeps_attributes_otherwise(monkeypatch):
    """When a span cannot be changed after its end, what we export is a copy with the identity."""
    monkeypatch.setattr(processor, "_write", lambda span, attributes: None)
    world = World(limit=8)
    session = world.session()
    world.span(world.inside(session), **{semconv.OPERATION_NAME: "chat"}, **{f"a{n}": n for n in range(20)}).end()
    (span,) = world.batch.spans
    assert span.attributes[semconv.SESSION_ID] == session.session_id
    assert semconv.SESSION_ID not in world.last.find("work").attributes


def test_a_cost_is_put_on_the_hosts_llm_spans():
    """Where only the host exports, its LLM spans say what they cost; no attribute is put on others."""
    world = World(batched=False)
    session = world.session()
    world.span(world.inside(session), "chat", **MODEL).end()
    world.span(world.inside(session), "other").end()
    assert world.last.find("chat").attributes[semconv.COST_AMOUNT] == pytest.approx(0.000156)
    assert set(world.last.find("other").attributes) == {semconv.SESSION_ID}
    if processor._IS_TOLD_OF_ENDING:
        assert semconv.COST_AMOUNT in world.first.find("chat").attributes


def test_what_is_not_sampled_is_not_exported():
    """A span that records but is not sampled is counted and not handed on."""
    world = World(sampler=ALWAYS_OFF)
    session = world.session()
    world.span(world.inside(session)).end()
    assert world.batch.spans == []


def test_a_span_that_ends_inside_the_end_of_another_waits():
    """A garbage collection may end a span while another one ends in the same thread.

    Both arrive, one after the other.
    """
    world = World()
    session = world.session()
    inner = world.span(world.inside(session), "inner")
    depth = []

    class Nested(Batch):
        def record(self, span, session=None):
            depth.append(len(depth))
            if span.name == "outer":
                inner.end()
                assert depth == [0]
            super().record(span, session)

    session.recorder = nested = Nested()
    world.span(world.inside(session), "outer").end()
    assert [span.name for span in nested.spans] == ["outer", "inner"]


def test_our_errors_never_reach_the_host(monkeypatch, caplog):
    """Whatever breaks inside is logged once per place, and the host's spans go on."""
    monkeypatch.setattr(guard, "reraise", False)
    world = World()
    session = world.session()

    class Broken(Batch):
        def record(self, span, session=None):
            raise OSError("broken")

    session.recorder = Broken()
    world.processor._current_trace_id = None
    with caplog.at_level(logging.WARNING, "agentops_otel"):
        for _ in range(3):
            world.span(world.inside(session)).end()
            world.span(Context()).end()
    assert len(caplog.records) == 2
    assert len(world.last.spans) == 6


def test_counts_are_exact_over_threads():
    """Eight threads that end spans at once are counted one by one."""
    world = World()
    session = world.session()

    def work():
        for _ in range(200):
            world.span(world.inside(session), **{semconv.SPAN_KIND: "tool"}).end()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(world.batch.spans) == 1600
    assert session.totals.snapshot().tool_calls == 1600


def test_the_providers_flush_is_ours():
    """`TracerProvider.force_flush()` flushes our pipelines too, and says what they say."""
    world = World()
    asked = []
    world.processor.flush = lambda seconds: asked.append(seconds) or False
    assert world.processor.force_flush(1500) is False
    assert asked == [1.5]
