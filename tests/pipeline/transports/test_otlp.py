"""What is written as OTLP: the same as the SDK writes, and something to send for what the SDK does not take."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
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

from agentops_otel.pipeline.transports.otlp import request
from tests.fakes.objects import Color, Text, Unprintable
from tests.pipeline.made_spans import ATTRIBUTES, SPANS, VALUES


def written(spans: list[ReadableSpan]) -> bytes:
    """What a receiver understands, in one order of its bytes."""
    return ExportTraceServiceRequest.FromString(request(spans)).SerializeToString(deterministic=True)


def by_the_sdk(spans: list[ReadableSpan]) -> bytes:
    message: bytes = encode_spans(spans).SerializeToString(deterministic=True)
    return message


def span(attributes: Any = None, **fields: Any) -> ReadableSpan:
    about: dict[str, Any] = {
        "name": "work",
        "context": SpanContext(1, 2, is_remote=False),
        "resource": Resource({"service.name": "test"}),
        "attributes": attributes,
        "start_time": 1,
        "end_time": 2,
    }
    return ReadableSpan(**{**about, **fields})


def value_of(made: ReadableSpan) -> Any:
    """The value of the only attribute of a span, as a receiver reads it."""
    message = ExportTraceServiceRequest.FromString(request([made]))
    (attribute,) = message.resource_spans[0].scope_spans[0].spans[0].attributes
    return attribute.value


@settings(deadline=None, max_examples=300)
@given(SPANS)
def test_a_span_is_written_as_the_sdk_writes_it(made: ReadableSpan) -> None:
    """Whatever a span holds that OTLP can carry, a receiver reads the same."""
    assert written([made]) == by_the_sdk([made])


@settings(deadline=None, max_examples=150)
@given(st.lists(ATTRIBUTES, min_size=1, max_size=20))
def test_what_an_earlier_span_said_changes_nothing(all_attributes: list[Any]) -> None:
    """Spans with the same names of attributes, one after the other: each has its own values, of their own types."""
    made = [span(attributes) for attributes in all_attributes]
    assert written(made) == by_the_sdk(made)


@settings(deadline=None, max_examples=150)
@given(st.lists(VALUES | st.sampled_from([0, 0.0, -0.0, False, 1, 1.0, True, "1", "", (), ("",), (1,), (True,)])))
def test_values_that_are_equal_keep_their_types(values: list[Any]) -> None:
    """1, 1.0 and True are equal in Python, and not in OTLP; so are 0.0 and -0.0."""
    made = [span({"value": value}) for value in values]
    assert written(made) == by_the_sdk(made)


@pytest.mark.parametrize("size", [0, 1, 60, 90, 99, 100, 101, 120, 127, 128, 129, 16_000, 16_383, 16_384, 3_000_000])
def test_texts_of_every_length(size: int) -> None:
    """The length of a text decides how many bytes each of the lengths around it takes."""
    made = [span({"n" * (1 + size % 200): "x" * size, "y": ("x" * size,)}, name="n" * size)]
    assert written(made) == by_the_sdk(made)


@pytest.mark.parametrize("number", [0, 1, 127, 128, 16_383, 16_384, 2**31, 2**63 - 1, -1, -128, -(2**63)])
def test_numbers_of_every_length(number: int) -> None:
    """Whole numbers of 64 bits, negative ones too."""
    made = [span({"n": number, "m": (number, number)})]
    assert written(made) == by_the_sdk(made)


def test_spans_of_the_sdk_are_written_as_the_sdk_writes_them() -> None:
    """With remote parents, more of everything than the limits allow, and several scopes and resources."""
    limits = SpanLimits(max_span_attributes=2, max_events=1, max_links=1, max_event_attributes=1, max_link_attributes=1)
    other = SpanContext(
        5, 6, is_remote=True, trace_flags=TraceFlags(1), trace_state=TraceState([("v", "x"), ("w", "y")])
    )
    made: list[ReadableSpan] = []
    for service in ("one", "two"):
        resource = Resource({"service.name": service, "numbers": (1, 2)}, "https://example.com/resource")
        provider = TracerProvider(resource=resource, shutdown_on_exit=False, span_limits=limits)
        for scope in ("first", "second", "first"):
            tracer = provider.get_tracer(scope, "1.0", "https://example.com/scope", {"of": scope})
            own = tracer.start_span(
                "work",
                set_span_in_context(NonRecordingSpan(other)),
                kind=SpanKind.CLIENT,
                attributes={"a": 1, "b": 2.5, "c": ("x", "y")},
                links=[Link(other), Link(other, {"a": 1, "b": 2})],
            )
            own.add_event("first", {"a": 1, "b": 2})
            own.add_event("second", {"a": 1, "b": 2})
            own.set_status(Status(StatusCode.ERROR, "broken"))
            own.end()
            made.append(own._readable_span())  # type: ignore[attr-defined]
    assert written(made) == by_the_sdk(made)


# What the SDK leaves out, or refuses a span for -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("half \ud83d an emoji", "half \\ud83d an emoji"),
        (2**70, str(2**70)),
        (-(2**63) - 1, str(-(2**63) - 1)),
        pytest.param(10**5000, "<unprintable int>", id="a number too long for text"),
        (Text("text"), "text"),
        (Color.RED, "red"),
        (Unprintable(), "<unprintable Unprintable>"),
        (object, "<class 'object'>"),
    ],
)
def test_what_otlp_cannot_carry_becomes_text(value: Any, text: str) -> None:
    """Half of an emoji, numbers beyond 64 bits, objects: the attribute is there, and says what it can."""
    assert value_of(span({"a": value})).string_value == text
    assert value_of(span({"a": (value,)})).array_value.values[0].string_value == text


def test_nested_values_arrive_nested() -> None:
    """Mappings in mappings and sequences, with names that are no text."""
    value = value_of(span({"a": {"deep": {1: (1, [2**70], None, b"x", 0.5, True)}}}))
    (inner,) = value.kvlist_value.values[0].value.kvlist_value.values
    assert inner.key == "1"
    number, big, nothing, raw, half, yes = inner.value.array_value.values
    assert (number.int_value, big.array_value.values[0].string_value) == (1, str(2**70))
    assert nothing.WhichOneof("value") is None
    assert (raw.bytes_value, half.double_value, yes.bool_value) == (b"x", 0.5, True)


def test_a_value_without_an_end_has_one() -> None:
    """A list that holds itself is written down to some depth."""
    endless: list[object] = []
    endless.append(endless)
    assert len(request([span({"a": endless})])) < 100_000


def test_names_and_texts_that_are_no_utf_8() -> None:
    """Surrogates in the names of a span, an attribute, an event and in a status do not cost the span."""
    made = span(
        {"\udfff": 1, 1: 2, Text("name"): 3},
        name="\ud800",
        events=[Event("\ud800", {"\ud800": "\ud800"}, 5)],
        status=Status(StatusCode.ERROR, "\ud800"),
        instrumentation_scope=InstrumentationScope("\ud800", "\ud800"),
    )
    message = ExportTraceServiceRequest.FromString(request([made]))
    read = message.resource_spans[0].scope_spans[0].spans[0]
    assert (read.name, read.status.message, read.events[0].name) == ("\\ud800",) * 3
    assert [attribute.key for attribute in read.attributes] == ["\\udfff", "1", "name"]


@pytest.mark.parametrize("time_ns", [None, 0, -1, 2**64])
def test_a_time_that_is_none_is_left_out(time_ns: int | None) -> None:
    """A time that OTLP has no room for is not there, and the span is."""
    message = ExportTraceServiceRequest.FromString(request([span(start_time=time_ns, end_time=7)]))
    read = message.resource_spans[0].scope_spans[0].spans[0]
    assert (read.start_time_unix_nano, read.end_time_unix_nano) == (0, 7)


def test_a_span_without_a_context_is_refused() -> None:
    """There is nothing by which a backend could know it."""
    with pytest.raises(TypeError):
        request([span(context=None)])
