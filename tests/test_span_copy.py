"""A copy of a finished span: what is asked for is different, and nothing else."""

from __future__ import annotations

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from agentops_otel.span_copy import SpanCopy

PARTS = (
    "name", "context", "parent", "resource", "attributes", "events", "links", "kind", "status", "start_time",
    "end_time", "instrumentation_scope", "dropped_attributes", "dropped_events", "dropped_links",
)  # fmt: skip


def finished() -> ReadableSpan:
    """A span whose limits dropped one attribute, two events and three links."""
    limits = SpanLimits(max_span_attributes=1, max_events=1, max_links=1)
    provider = TracerProvider(resource=Resource({"service.name": "tests"}), span_limits=limits, shutdown_on_exit=False)
    tracer = provider.get_tracer("tests", "1")
    with tracer.start_as_current_span("outer"):
        span = tracer.start_span(
            "inner",
            kind=SpanKind.CLIENT,
            attributes={"a": 1, "b": 2},
            links=[
                Link(SpanContext(number, number, is_remote=True, trace_flags=TraceFlags(1))) for number in (1, 2, 3, 4)
            ],
        )
        for name in ("first", "second", "third"):
            span.add_event(name)
        span.set_status(Status(StatusCode.ERROR, "bad"))
        span.end()
    return span


def test_a_copy_is_the_same_but_for_what_is_asked():
    """A copy without changes has every part of the span, the counts of what was dropped too; with one, only that."""
    span = finished()
    same, other = SpanCopy(span), SpanCopy(span, resource=Resource({"host.name": "h"}), attributes={"c": 3})
    assert (span.dropped_attributes, span.dropped_events, span.dropped_links) == (1, 2, 3)
    for part in PARTS:
        assert getattr(same, part) == getattr(span, part), part
        if part not in ("resource", "attributes"):
            assert getattr(other, part) == getattr(span, part), part
    assert other.attributes == {"c": 3}
    assert other.resource.attributes == {"host.name": "h"}


def test_a_copy_of_a_copy_keeps_what_only_copies_have():
    """The counts of what was dropped and the place of the record go from copy to copy."""
    first = SpanCopy(finished())
    assert first.ref is None
    first.ref = ("segment", 7)
    second = SpanCopy(first, name="renamed")
    assert (second.name, second.ref) == ("renamed", ("segment", 7))
    assert (second.dropped_attributes, second.dropped_events, second.dropped_links) == (1, 2, 3)
