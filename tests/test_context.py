"""Which session is current, and what a scope makes of the context it is asked in."""

from __future__ import annotations

import contextvars

import pytest
from opentelemetry import baggage, trace
from opentelemetry import context as otel_context
from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider

from agentops_otel import context
from agentops_otel.config import Configuration
from agentops_otel.context import Scope
from agentops_otel.pipeline import ids


@pytest.fixture(autouse=True)
def _no_process_session():
    yield
    context.set_process(None)
    context.set_sessionless(None)


def make():
    session_id = ids.new_session_id()
    number = ids.trace_id(session_id)
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("test")
    root = trace.NonRecordingSpan(trace.SpanContext(number, ids.root_span_id(number), False, trace.TraceFlags(1)))
    return Scope(tracer, Configuration(), session_id=session_id, trace_id=number, root=root)


def test_the_contexts_own_session_wins():
    """A context's session is current there, the process's everywhere else; an ended one nowhere."""
    own, process = make(), make()
    assert context.current() is None
    context.set_process(process)
    assert context.current() is process
    token = context.attach(own)
    assert context.current() is own
    assert contextvars.copy_context().run(context.current) is own
    assert contextvars.Context().run(context.current) is process
    own.ended = True
    assert context.current() is process
    process.ended = True
    assert context.current() is None
    context.detach(token, own)


def test_work_outside_sessions():
    """The scope for work outside sessions is current only where there is no session."""
    plain, process = Scope(trace.NoOpTracer(), Configuration()), make()
    context.set_sessionless(plain)
    assert context.current() is plain
    assert context.session_scope() is None
    context.set_process(process)
    assert context.current() is process


def test_a_span_hangs_below_the_root_or_the_current_span():
    """In the session's trace the current span is the parent; outside it, or in another trace, the root is."""
    scope = make()
    span = scope.start_span("one")
    assert span.parent.span_id == ids.root_span_id(scope.trace_id)
    with trace.use_span(span):
        assert scope.start_span("two").parent.span_id == span.get_span_context().span_id
    other = TracerProvider(shutdown_on_exit=False).get_tracer("other").start_span("other", Context())
    with trace.use_span(other):
        assert scope.start_span("three").parent.span_id == ids.root_span_id(scope.trace_id)
    assert (
        scope.start_span("four", parent=trace.set_span_in_context(span)).parent.span_id
        == span.get_span_context().span_id
    )


def test_a_span_says_its_session_last():
    """The session id comes after the attributes given, because the limit of the SDK drops the oldest."""
    scope = make()
    assert list(scope.start_span("x", attributes={"a": 1, "b": 2}).attributes) == ["a", "b", "session.id"]
    assert dict(scope.start_span("x").attributes) == {"session.id": scope.session_id}


def test_making_a_span_changes_no_context():
    """The caller's context is the same before and after."""
    scope = make()
    before = otel_context.get_current()
    scope.start_span("x").end()
    scope.parent()
    assert otel_context.get_current() is before


def test_baggage_stays():
    """What else is in the caller's context goes on into the span's."""
    scope = make()
    token = otel_context.attach(baggage.set_baggage("k", "v"))
    try:
        assert baggage.get_baggage("k", scope.parent()) == "v"
        inner = context.attach(scope)
        assert baggage.get_baggage("k") == "v"
        context.detach(inner, scope)
    finally:
        otel_context.detach(token)


def test_detach_elsewhere_is_quiet(caplog):
    """A session that ends in another context than it began in leaves that context as it is."""
    scope = make()
    token = contextvars.copy_context().run(context.attach, scope)
    context.detach(token, scope)
    other = context.attach(make())
    context.detach(token, scope)
    assert context.current() is not scope
    otel_context.detach(other)
    assert not [record for record in caplog.records if record.levelname in ("WARNING", "ERROR")]


def test_the_variable_of_the_parent_process(monkeypatch):
    """An empty variable is none."""
    assert context.inherited_session_id() is None
    monkeypatch.setenv("AGENTOPS_SESSION_ID", "")
    assert context.inherited_session_id() is None
    monkeypatch.setenv("AGENTOPS_SESSION_ID", "x")
    assert context.inherited_session_id() == "x"


def test_the_current_context_is_that_of_opentelemetry():
    """What is set here is OpenTelemetry's current context, and the other way round."""
    before, inside = otel_context.get_current(), Context({"a": 1})
    token = context.CURRENT.set(inside)
    assert otel_context.get_current() is context.CURRENT.get() is inside
    context.CURRENT.reset(token)
    assert otel_context.get_current() is context.CURRENT.get() is before


def test_a_context_that_is_kept_elsewhere(monkeypatch):
    """A program may have OpenTelemetry keep its context in something else than a variable."""

    class Stack:
        def __init__(self):
            self.contexts = [Context()]

        def attach(self, given):
            self.contexts.append(given)
            return len(self.contexts)

        def get_current(self):
            return self.contexts[-1]

        def detach(self, token):
            assert token == len(self.contexts)
            self.contexts.pop()

    monkeypatch.setattr(otel_context, "_RUNTIME_CONTEXT", Stack())
    current, inside = context._variable(), Context({"a": 1})
    token = current.set(inside)
    assert otel_context.get_current() is current.get() is inside
    current.reset(token)
    assert otel_context.get_current() == Context()
