"""Finished spans of every kind that OpenTelemetry allows, for properties."""

from __future__ import annotations

from hypothesis import strategies as st
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util import BoundedList
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SCALARS = (st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(), TEXT, st.binary(max_size=10))
VALUES = st.one_of(*SCALARS, *(st.lists(kind, max_size=3).map(tuple) for kind in SCALARS[:4]))
ATTRIBUTES = st.dictionaries(TEXT.filter(bool), VALUES, max_size=6)
TIMES = st.integers(0, 2**64 - 1)
DROPPED = st.integers(0, 2**32 - 1)
TRACE_STATES = st.dictionaries(st.sampled_from(["a", "b", "c"]), st.sampled_from("xyz")).map(
    lambda pairs: TraceState(list(pairs.items()))
)


def contexts(is_remote):
    ids = st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1)
    return st.builds(SpanContext, *ids, is_remote, st.integers(0, 3).map(TraceFlags), st.none() | TRACE_STATES)


CONTEXTS = contexts(st.booleans())
RESOURCES = st.builds(Resource, ATTRIBUTES, st.just("https://example.com"))
SCOPES = st.none() | st.builds(InstrumentationScope, TEXT, st.none() | TEXT, st.none() | TEXT, st.none() | ATTRIBUTES)
STATUSES = st.one_of(
    st.builds(Status, st.sampled_from([StatusCode.OK, StatusCode.UNSET])),
    st.builds(Status, st.just(StatusCode.ERROR), st.none() | TEXT),
)


@st.composite
def counted(draw, attributes=ATTRIBUTES):
    """Attributes as the SDK keeps them, of which some may have been dropped."""
    bounded = BoundedAttributes(attributes=draw(attributes))
    bounded.dropped = draw(st.just(0) | DROPPED)
    return draw(st.sampled_from([bounded, dict(bounded)]))


@st.composite
def listed(draw, items):
    """Events or links as the SDK keeps them."""
    bounded = BoundedList.from_seq(10, draw(st.lists(items, max_size=3)))
    bounded.dropped = draw(st.just(0) | DROPPED)
    return draw(st.sampled_from([bounded, list(bounded), tuple(bounded)]))


SPANS = st.builds(
    ReadableSpan,
    name=TEXT,
    context=contexts(st.just(False)),
    parent=st.none() | CONTEXTS,
    resource=RESOURCES,
    attributes=st.none() | counted(),
    events=listed(st.builds(Event, TEXT, counted(), TIMES)),
    links=listed(st.builds(Link, CONTEXTS, st.none() | counted())),
    kind=st.sampled_from(SpanKind),
    status=STATUSES,
    start_time=st.none() | TIMES,
    end_time=st.none() | TIMES,
    instrumentation_scope=SCOPES,
)
