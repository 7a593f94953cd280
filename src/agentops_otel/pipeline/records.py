"""What a record of the journal says: its payload, in MessagePack.

Nothing that is read is trusted: a record whose fields do not have the expected types is not a record. Spans are not
kept as OTLP, which takes three times as long to write, and the program waits for what is written here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Annotated, Any, Final, TypeVar

import msgspec
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    DEFAULT_TRACE_STATE,
    Link,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
)

from ..redaction import plain_dict
from ..span_copy import CountedSpan
from ..text import encodable
from .leaf import Leaf
from .log_event import LogEvent

T = TypeVar("T")

# Arrays, to which a later version may add something at the end.
_TraceId = Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]
_Attributes = dict[Any, Any]
_TraceState = list[tuple[str, str]] | None
_Context = tuple[_TraceId, int, bool, int, _TraceState]  # trace id, span id, is remote, flags, state
_Scope = tuple[str, str | None, str | None, _Attributes]  # name, version, schema URL, attributes
_Event = tuple[str, int, _Attributes, int]  # name, time, attributes, dropped
_Link = tuple[_Context, _Attributes, int]  # context, attributes, dropped

_NONE_DROPPED: Final = (0, 0, 0)

Ranges = list[tuple[int, int]]  # first and last sequence number


class _Payload(msgspec.Struct, array_like=True, gc=False):
    pass


class RecordHead(_Payload):
    """The beginning of a span and of a log event: its trace, and its end in nanoseconds."""

    trace_id: _TraceId
    time_ns: int | None


class _Span(RecordHead):
    start_ns: int | None
    resource: int
    span_id: int
    flags: int
    trace_state: _TraceState
    parent: _Context | None
    name: str
    kind: Any
    status: Any
    description: str | None
    scope: _Scope | None
    attributes: _Attributes
    events: list[_Event]
    links: list[_Link]
    dropped: tuple[int, int, int]


class _LogEvent(RecordHead):
    resource: int
    span_id: int
    name: str
    severity: int
    attributes: _Attributes


class Start(_Payload):
    """How a session has started."""

    trace_id: _TraceId
    span_id: int
    name: str
    start_ns: int
    resource: int
    attributes: _Attributes


class End(_Payload):
    """How a session is meant to end."""

    state: str
    reason: str | None


NO_END: Final = End("", None)  # what was said of the end before is not true any more


class Description(_Payload):
    """A resource and its number."""

    number: int
    attributes: _Attributes
    schema_url: str | None


_encode: Final = msgspec.msgpack.Encoder().encode
_decode_span: Final = msgspec.msgpack.Decoder(_Span).decode
_decode_event: Final = msgspec.msgpack.Decoder(_LogEvent).decode


def encode(payload: object) -> bytes:
    """A payload as bytes; what MessagePack does not know becomes text."""
    try:
        return _encode(payload)
    except Exception:
        return _encode(_tame(payload))


def decode(payload: memoryview, kind: type[T]) -> T:
    """A payload of this type.

    Raises:
        Exception: it is none.
    """
    return msgspec.msgpack.decode(payload, type=kind)


def _tame(value: Any, depth: int = 16) -> Any:
    """A value as MessagePack takes it, whatever it is."""
    if value is None or isinstance(value, (bool, bytes)):
        return value
    if isinstance(value, str):
        return encodable(str.__str__(value))
    if isinstance(value, float) or (isinstance(value, int) and -(2**63) <= value < 2**63):
        return float(value) if isinstance(value, float) else int(value)
    try:
        if isinstance(value, Enum):
            return _tame(value.value, depth)
        if depth and isinstance(value, Mapping):
            return {str(_tame(key, 0)): _tame(item, depth - 1) for key, item in value.items()}
        if depth and isinstance(value, (Sequence, msgspec.Struct)):
            items = msgspec.structs.astuple(value) if isinstance(value, msgspec.Struct) else value
            return [_tame(item, depth - 1) for item in items]
        return _tame(str(value), 0)
    except Exception:
        return f"<unprintable {type(value).__name__}>"


def _context(context: SpanContext) -> _Context:
    trace_id, span_id, is_remote, flags, state = context[:5]
    pairs = None if state is DEFAULT_TRACE_STATE or not state else list(state.items())
    return trace_id.to_bytes(16, "big"), span_id, is_remote, flags & 255, pairs


_parents: Final[dict[int, tuple[SpanContext, _Context]]] = {}  # by id: all calls of a session have the same


def _parent(parent: SpanContext) -> _Context:
    known = _parents.get(id(parent))
    if known is not None and known[0] is parent:
        return known[1]
    if len(_parents) >= 1024:
        _parents.clear()
    own = _context(parent)
    _parents[id(parent)] = parent, own
    return own


_scopes: Final[dict[int, tuple[InstrumentationScope, _Scope]]] = {}  # by id: many spans share one


def _scope(scope: InstrumentationScope) -> _Scope:
    known = _scopes.get(id(scope))
    if known is not None and known[0] is scope:
        return known[1]
    if len(_scopes) >= 1024:
        _scopes.clear()
    own = scope.name, scope.version, scope.schema_url, plain_dict(scope.attributes)
    _scopes[id(scope)] = scope, own
    return own


def _events(events: Sequence[Event]) -> list[_Event]:
    return [(e.name, e.timestamp, plain_dict(e.attributes), e.dropped_attributes) for e in events]


def _links(links: Sequence[Link]) -> list[_Link]:
    return [(_context(e.context), plain_dict(e.attributes), e.dropped_attributes) for e in links]


def span_payload(span: ReadableSpan, resource: int) -> bytes:
    """The payload of a finished span; `resource` is the number of its resource.

    Raises:
        Exception: it has no context.
    """
    if isinstance(span, Leaf):
        return _leaf_payload(span, resource)
    trace_id, span_id, _, flags, state = span.context[:5]
    parent, scope, status = span.parent, span.instrumentation_scope, span.status
    # The properties copy lists that are mostly empty. Private names, so only a hint: without them they are asked.
    events = span.events if getattr(span, "_events", True) else ()
    links = span.links if getattr(span, "_links", True) else ()
    own = getattr(span, "_attributes", None)  # mostly a dict already
    return encode(
        _Span(
            trace_id.to_bytes(16, "big"),
            span.end_time,
            span.start_time,
            resource,
            span_id,
            flags & 255,
            None if state is DEFAULT_TRACE_STATE or not state else list(state.items()),
            _parent(parent) if parent is not None else None,
            span.name,
            span.kind,
            status.status_code,
            status.description,
            _scope(scope) if scope is not None else None,
            own if type(own) is dict else plain_dict(span.attributes),
            _events(events) if events else [],
            _links(links) if links else [],
            (span.dropped_attributes, span.dropped_events, span.dropped_links),
        )
    )


def _leaf_payload(leaf: Leaf, resource: int) -> bytes:
    """The same of a leaf, whose fields are known."""
    trace_id, span_id, _, flags, state, _ = leaf._context  # type: ignore[misc]  # noqa: SLF001
    parent, status, attributes = leaf._parent, leaf._status, leaf._attributes  # noqa: SLF001
    return encode(
        _Span(
            trace_id.to_bytes(16, "big"),
            leaf._end_time,  # noqa: SLF001
            leaf._start_time,  # noqa: SLF001
            resource,
            span_id,
            flags & 255,
            None if state is DEFAULT_TRACE_STATE or not state else list(state.items()),
            _parent(parent),  # type: ignore[arg-type]
            leaf._name,  # noqa: SLF001
            leaf._kind._value_,  # noqa: SLF001  (which msgspec looks up through three calls)
            status._status_code._value_,  # noqa: SLF001
            status.description,
            _scope(leaf._instrumentation_scope),  # type: ignore[arg-type]  # noqa: SLF001
            attributes,
            _events(leaf.events) if leaf._events else [],  # noqa: SLF001
            _links(leaf.links) if leaf._links else [],  # noqa: SLF001
            (0, leaf.dropped_events, leaf.dropped_links) if leaf._events or leaf._links else _NONE_DROPPED,  # noqa: SLF001
        )
    )


def event_payload(event: LogEvent, resource: int) -> bytes:
    """The payload of a log event; `resource` is the number of its resource."""
    trace_id, data = event.trace_id.to_bytes(16, "big"), dict(event.attributes)
    return encode(_LogEvent(trace_id, event.time_ns, resource, event.span_id, event.name, event.severity, data))


def read_span(payload: memoryview, resource: Callable[[int], Resource]) -> ReadableSpan:
    """The span of a payload; `resource` gives the resource of a number.

    Raises:
        Exception: it is none.
    """
    data = _decode_span(payload)
    scope = data.scope
    return CountedSpan(
        name=data.name,
        context=_span_context((data.trace_id, data.span_id, False, data.flags, data.trace_state)),
        parent=_span_context(data.parent) if data.parent is not None else None,
        resource=resource(data.resource),
        attributes=attributes(data.attributes),
        events=[Event(name, attributes(own, dropped), time_ns) for name, time_ns, own, dropped in data.events],
        links=[Link(_span_context(context), attributes(own, dropped)) for context, own, dropped in data.links],
        kind=SpanKind(data.kind),
        status=Status(StatusCode(data.status), data.description),
        start_time=data.start_ns,
        end_time=data.time_ns,
        instrumentation_scope=InstrumentationScope(*scope[:3], attributes(scope[3])) if scope is not None else None,
    ).with_dropped(*data.dropped)


def read_event(payload: memoryview) -> tuple[LogEvent, int]:
    """The log event of a payload, and the number of its resource.

    Raises:
        Exception: it is none.
    """
    data = _decode_event(payload)
    trace_id, time_ns = int.from_bytes(data.trace_id, "big"), data.time_ns or 0
    event = LogEvent(data.name, time_ns, trace_id, data.span_id, attributes(data.attributes), data.severity)
    return event, data.resource


def _span_context(data: _Context) -> SpanContext:
    trace_id, span_id, is_remote, flags, state = data
    trace_state = TraceState(state) if state else None
    return SpanContext(int.from_bytes(trace_id, "big"), span_id, is_remote, TraceFlags(flags), trace_state)


def attributes(data: _Attributes, dropped: int = 0) -> Mapping[str, Any]:
    """Attributes as OpenTelemetry has them: sequences are tuples, and some know how many of them were dropped."""
    own = {str(name): _value(value) for name, value in data.items()}
    if not dropped:
        return own
    counted = BoundedAttributes(attributes=own)
    counted.dropped = dropped
    return counted


def _value(value: Any) -> Any:
    if type(value) is list:
        return tuple(map(_value, value))
    return attributes(value) if type(value) is dict else value
