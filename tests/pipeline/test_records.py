"""What is read back is what was recorded, and what is read is never trusted."""

from __future__ import annotations

import contextlib
import random
import tracemalloc

import msgspec
import pytest
from hypothesis import given, settings
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
    set_span_in_context,
)

from agentops_otel.pipeline.log_event import LogEvent
from agentops_otel.pipeline.records import Start, decode, encode, event_payload, read_event, read_span, span_payload
from tests.fakes.objects import Color, Text, Unprintable
from tests.pipeline.made_spans import SPANS

RESOURCE = Resource({"service.name": "test", "numbers": (1, 2)}, "https://example.com/resource")


def read_back(span: ReadableSpan) -> ReadableSpan:
    return read_span(memoryview(span_payload(span, 7)), {7: span.resource}.__getitem__)


def on_the_wire(span: ReadableSpan) -> bytes:
    return encode_spans([span]).SerializeToString(deterministic=True)


# Spans ----------------------------------------------------------------------------------------------------------------


def said(context):
    return context and (*context[:4], dict(context.trace_state or {}))


@settings(deadline=None, max_examples=300)
@given(SPANS)
def test_a_span_is_read_as_it_was_written(span):
    """All that OTLP carries of a span survives, and a second time as well."""
    once = read_back(span)
    assert on_the_wire(once) == on_the_wire(span)
    assert on_the_wire(read_back(once)) == on_the_wire(span)
    assert said(once.context) == said(span.context)
    assert said(once.parent) == said(span.parent)
    assert once.resource == span.resource


def test_a_span_of_the_sdk_is_read_as_it_was_written():
    """A span that the SDK made, with a remote parent and more of everything than its limits allow."""
    limits = SpanLimits(max_span_attributes=2, max_events=1, max_links=1, max_event_attributes=1, max_link_attributes=1)
    provider = TracerProvider(resource=RESOURCE, shutdown_on_exit=False, span_limits=limits)
    tracer = provider.get_tracer("test", "1.0", "https://example.com/scope", {"of": "the scope"})
    other = SpanContext(5, 6, is_remote=True, trace_flags=TraceFlags(1), trace_state=TraceState([("vendor", "x")]))
    parent = set_span_in_context(NonRecordingSpan(other))
    span = tracer.start_span(
        "work",
        parent,
        kind=SpanKind.CLIENT,
        attributes={"a": 1, "b": 2.5, "c": ("x", "y")},
        links=[Link(other), Link(other, {"a": 1, "b": 2})],
    )
    span.add_event("first", {"a": 1, "b": 2})
    span.add_event("second", {"a": 1, "b": 2})
    span.set_status(Status(StatusCode.ERROR, "broken"))
    span.end()
    read = read_back(span)
    assert on_the_wire(read) == on_the_wire(span)
    assert (read.dropped_attributes, read.dropped_events, read.dropped_links) == (1, 1, 1)
    assert read.events[0].dropped_attributes == 1
    assert read.links[0].dropped_attributes == 1
    assert read.parent.is_remote


# Surprises ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("half \ud83d an emoji", "half \\ud83d an emoji"),
        (2**70, str(2**70)),
        (Text("text"), "text"),
        (Color.RED, "red"),
        (Unprintable(), "<unprintable Unprintable>"),
        ((1, 2**70), (1, str(2**70))),
        ({"deep": {"er": (1, object)}}, {"deep": {"er": (1, "<class 'object'>")}}),
        (None, None),
        (range(3), (0, 1, 2)),
        (float("inf"), float("inf")),
    ],
)
def test_a_value_that_should_not_be_there_does_not_harm(value, read):
    """What OpenTelemetry does not know becomes text, and the span is kept."""
    span = ReadableSpan("work", SpanContext(1, 2, is_remote=False), attributes={"a": value}, resource=RESOURCE)
    assert dict(read_back(span).attributes) == {"a": read}


def test_other_things_that_should_not_be_there():
    """Names that are no text, values without an end, and mappings that only pretend."""
    endless: list[object] = []
    endless.append(endless)

    class Pretender(dict):
        def copy(self):
            raise AttributeError

    span = ReadableSpan(
        "\ud800",
        SpanContext(1, 2, is_remote=False),
        attributes=Pretender({1: "number", "\udfff": endless, Text("name"): True, "big": 10**5000}),
        resource=RESOURCE,
    )
    read = read_back(span)
    assert read.name == "\\ud800"
    assert read.attributes["1"] == "number"
    assert read.attributes["name"] is True
    assert isinstance(read.attributes["big"], str)
    assert on_the_wire(read)


def test_a_log_event_is_read_as_it_was_written():
    """All of a log event survives."""
    event = LogEvent("session.start", 123, 2**127, 2**63, {"a": (1, 2), "b": b"x"}, severity=13)
    assert read_event(memoryview(event_payload(event, 3))) == (event, 3)


# What is forged -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xc1",
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        b"\xdd\x7f\xff\xff\xff" * 1000,
        b"\x91" * 100_000,
        msgspec.msgpack.encode([b"short", 1]),
        msgspec.msgpack.encode({"trace_id": 1}),
        msgspec.msgpack.encode([b"x" * 16, "time"] + [0] * 20),
    ],
)
def test_a_forged_payload_is_refused(payload):
    """Neither a crash nor more memory than a small multiple of its size."""
    tracemalloc.start()
    try:
        for read in (lambda data: read_span(data, lambda _: RESOURCE), read_event, lambda data: decode(data, Start)):
            with pytest.raises((msgspec.MsgspecError, RecursionError)):
                read(memoryview(payload))
        assert tracemalloc.get_traced_memory()[1] < 1_000_000 + 100 * len(payload)
    finally:
        tracemalloc.stop()


def test_random_changes_of_a_payload_are_harmless():
    """A payload with another byte in it is a span, or refused with an Exception."""
    span = ReadableSpan("work", SpanContext(1, 2, is_remote=False), attributes={"a": (1, "x")}, resource=RESOURCE)
    payload, chance = span_payload(span, 1), random.Random(1)
    for _ in range(2000):
        changed = bytearray(payload)
        changed[chance.randrange(len(changed))] = chance.randrange(256)
        with contextlib.suppress(Exception):
            assert read_span(memoryview(bytes(changed)), lambda _: RESOURCE).context.is_valid is not None


def test_a_later_version_may_say_more():
    """Fields that are added at the end are passed over."""
    start = Start(b"x" * 16, 1, "session", 2, 3, {})
    fields = [*msgspec.structs.astuple(start), "later"]
    assert decode(memoryview(encode(fields)), Start) == start
