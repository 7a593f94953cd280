"""What a record of the journal says, and how it looks as bytes.

A record is a header of 22 bytes and a payload in MessagePack. The header has a magic number, by which a reader finds
the next record after a damaged one, and a checksum over header and payload. Records are read as a stranger's: what is
not of the expected type is no record.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum, IntEnum
from typing import Annotated, Any, Final, NamedTuple

import msgspec
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

from .transport import LogEvent

_MAGIC: Final = b"\xf7AJ\xff"
_VERSION: Final = 1
_HEADER: Final = struct.Struct("<4sBBIQ")  # magic, version, kind, length of the payload, sequence number
_CHECKSUM: Final = struct.Struct("<I")
_OVERHEAD: Final = _HEADER.size + _CHECKSUM.size
_DEEPEST: Final = 16


class Kind(IntEnum):
    """What a record is about."""

    HOST = 1  # attributes of the host, for every resource of this writer
    RESOURCE = 2  # a resource, which spans name by its number
    START = 3  # a session has started
    SPAN = 4
    ROOT = 5  # a span without a parent
    EVENT = 6
    END = 7  # how a session is going to end
    ACKNOWLEDGED = 8  # in a file of its own: which records are settled
    WISH = 9  # in a file of its own: how another process wants a session to end


class Place(NamedTuple):
    """Where a record is; `size` is that of the whole record in bytes."""

    seq: int
    segment: int
    offset: int
    size: int


class Frame(NamedTuple):
    """A record whose checksum is right."""

    kind: int
    seq: int
    offset: int
    size: int
    payload: memoryview


def frame(kind: int, seq: int, payload: bytes) -> bytes:
    """A record as bytes."""
    header = _HEADER.pack(_MAGIC, _VERSION, kind, len(payload), seq)
    return b"%b%b%b" % (header, zlib.crc32(payload, zlib.crc32(header)).to_bytes(4, "little"), payload)


def frames(data: bytes) -> Iterator[Frame | None]:
    """The records in the content of a file, in order; None for each stretch that cannot be read."""
    view, position, damaged = memoryview(data), 0, False
    patience = 4 * len(data)  # bytes that may be summed up in vain: a forged file must not cost the square of its size
    while 0 <= position <= len(data) - _OVERHEAD:
        magic, version, kind, length, seq = _HEADER.unpack_from(data, position)
        start = position + _OVERHEAD
        end = start + length
        if magic == _MAGIC and version == _VERSION and end <= len(data) and patience >= 0:
            (checksum,) = _CHECKSUM.unpack_from(data, start - _CHECKSUM.size)
            payload = view[start:end]
            if checksum == zlib.crc32(payload, zlib.crc32(view[position : position + _HEADER.size])):
                damaged = False
                yield Frame(kind, seq, position, end - position, payload)
                position = end
                continue
            patience -= length
        if not damaged:
            damaged = True
            yield None
        position = data.find(_MAGIC, position + 1)
    if 0 <= position < len(data) and not damaged:
        yield None


# Payloads -------------------------------------------------------------------------------------------------------------

_TraceId = Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]
_State = list[tuple[str, str]]


class _Array(msgspec.Struct, array_like=True, gc=False):
    """On disk an array: fields may be added at the end only."""


class _Context(_Array):
    trace_id: _TraceId
    span_id: int
    remote: bool
    flags: int
    state: _State | None


class _Scope(_Array):
    name: str
    version: str | None
    schema_url: str | None
    attributes: dict[Any, Any]


class _Event(_Array):
    name: str
    timestamp: int
    attributes: dict[Any, Any]
    dropped: int


class _Link(_Array):
    context: _Context
    attributes: dict[Any, Any]
    dropped: int


class Sign(_Array):
    """The beginning of every record of a session; of a span and a log event the second field is its time."""

    trace_id: _TraceId
    time_ns: Any


class _Span(_Array):
    trace_id: _TraceId
    end: int | None
    start: int | None
    resource: int
    span_id: int
    flags: int
    state: _State | None
    parent: _Context | None
    name: str
    kind: Any
    status: Any
    description: str | None
    scope: _Scope | None
    attributes: dict[Any, Any]
    events: list[_Event]
    links: list[_Link]
    dropped: tuple[int, int, int]


class _LogEvent(_Array):
    trace_id: _TraceId
    time_ns: int
    resource: int
    span_id: int
    name: str
    severity: int
    attributes: dict[Any, Any]


class Start(_Array):
    """A session has started."""

    trace_id: _TraceId
    span_id: int
    name: str
    start_ns: int
    resource: int
    attributes: dict[Any, Any]


class End(_Array):
    """How a session is going to end."""

    trace_id: _TraceId
    state: str
    reason: str | None


class Wish(_Array):
    """How a process that joined a session wants it to end."""

    state: str
    reason: str | None


class Table(_Array):
    """A resource and its number."""

    number: int
    attributes: dict[Any, Any]
    schema_url: str | None


class Host(_Array):
    """What is known of the host."""

    attributes: dict[Any, Any]


class Acknowledged(_Array):
    """First and last sequence number of each range that is settled."""

    ranges: list[tuple[int, int]]


_encode: Final = msgspec.msgpack.Encoder().encode


def encode(payload: object) -> bytes:
    """A payload as bytes. What MessagePack has no form for becomes text."""
    try:
        return _encode(payload)
    except Exception:
        return _encode(tame(payload))


def tame(value: object, depth: int = _DEEPEST) -> object:
    """A value of which nothing is foreign to MessagePack and JSON: what is foreign becomes text."""
    if value is None or isinstance(value, (bool, bytes)):
        return value
    if isinstance(value, str):
        return str.encode(value, "utf-8", "replace").decode()
    if isinstance(value, int) and -(2**63) <= value < 2**63:
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, Enum):
        return tame(value.value, depth)
    if depth:
        if isinstance(value, msgspec.Struct):
            value = msgspec.structs.astuple(value)
        if isinstance(value, Mapping):
            return {str(tame(key, 0)): tame(item, depth - 1) for key, item in value.items()}
        if isinstance(value, Sequence):
            return [tame(item, depth - 1) for item in value]
    try:
        return str(value).encode("utf-8", "replace").decode()
    except Exception:
        return f"<unprintable {type(value).__name__}>"


def plain(attributes: Any) -> dict[str, Any]:
    """A dict of what a span, an event or a link calls its attributes.

    `copy()` of the SDK's mapping is one C call; reading it item by item costs more than all the rest here.
    """
    copy = getattr(attributes, "copy", None)
    return dict(attributes or ()) if copy is None else copy()


def _context(context: SpanContext) -> _Context:
    trace_id, span_id, remote, flags, state, *_ = context
    return _Context(trace_id.to_bytes(16, "big"), span_id, remote, int(flags), list(state.items()) if state else None)


def _scope(scope: InstrumentationScope) -> _Scope:
    return _Scope(scope.name, scope.version, scope.schema_url, plain(scope.attributes))


def span_payload(span: ReadableSpan, resource: int) -> bytes:
    """The payload of a finished span.

    Raises:
        Exception: it has no context.
    """
    trace_id, span_id, _, flags, state, *_ = span.context
    parent, scope, status, events, links = span.parent, span.instrumentation_scope, span.status, span.events, span.links
    return encode(
        _Span(
            trace_id.to_bytes(16, "big"),
            span.end_time,
            span.start_time,
            resource,
            span_id,
            int(flags),
            list(state.items()) if state else None,
            None if parent is None else _context(parent),
            span.name,
            span.kind,
            status.status_code,
            status.description,
            None if scope is None else _scope(scope),
            plain(span.attributes),
            [_Event(e.name, e.timestamp, plain(e.attributes), e.dropped_attributes) for e in events] if events else [],
            [_Link(_context(e.context), plain(e.attributes), e.dropped_attributes) for e in links] if links else [],
            (span.dropped_attributes, span.dropped_events, span.dropped_links),
        )
    )


def event_payload(event: LogEvent, resource: int) -> bytes:
    """The payload of a log event."""
    trace_id = event.trace_id.to_bytes(16, "big")
    attributes = dict(event.attributes)
    return encode(_LogEvent(trace_id, event.time_ns, resource, event.span_id, event.name, event.severity, attributes))


class RecordedSpan(ReadableSpan):
    """A span as it was recorded, with what its limits had dropped."""

    dropped: tuple[int, int, int] = (0, 0, 0)

    @property
    def dropped_attributes(self) -> int:
        """How many attributes."""
        return self.dropped[0]

    @property
    def dropped_events(self) -> int:
        """How many events."""
        return self.dropped[1]

    @property
    def dropped_links(self) -> int:
        """How many links."""
        return self.dropped[2]


_decode_span: Final = msgspec.msgpack.Decoder(_Span).decode
_decode_event: Final = msgspec.msgpack.Decoder(_LogEvent).decode


def read_span(payload: memoryview, resource: Callable[[int], Resource]) -> ReadableSpan:
    """The span of a payload.

    Args:
        payload: of a record.
        resource: gives the resource of a number.

    Raises:
        Exception: it is no span.
    """
    data = _decode_span(payload)
    trace_id = int.from_bytes(data.trace_id, "big")
    scope = data.scope
    span = RecordedSpan(
        name=data.name,
        context=SpanContext(trace_id, data.span_id, False, TraceFlags(data.flags), _trace_state(data.state)),
        parent=None if data.parent is None else _span_context(data.parent),
        resource=resource(data.resource),
        attributes=attributes(data.attributes),
        events=tuple(Event(e.name, _counted(e.attributes, e.dropped), e.timestamp) for e in data.events),
        links=tuple(Link(_span_context(link.context), _counted(link.attributes, link.dropped)) for link in data.links),
        kind=SpanKind(data.kind),
        status=Status(StatusCode(data.status), data.description),
        start_time=data.start,
        end_time=data.end,
        instrumentation_scope=None
        if scope is None
        else InstrumentationScope(scope.name, scope.version, scope.schema_url, attributes(scope.attributes)),
    )
    span.dropped = data.dropped
    return span


def read_event(payload: memoryview) -> tuple[LogEvent, int]:
    """The log event of a payload, and the number of its resource.

    Raises:
        Exception: it is no log event.
    """
    data = _decode_event(payload)
    trace_id = int.from_bytes(data.trace_id, "big")
    return LogEvent(data.name, data.time_ns, trace_id, data.span_id, attributes(data.attributes), data.severity), (
        data.resource
    )


def _trace_state(state: _State | None) -> TraceState | None:
    return TraceState(state) if state else None


def _span_context(data: _Context) -> SpanContext:
    trace_id = int.from_bytes(data.trace_id, "big")
    return SpanContext(trace_id, data.span_id, data.remote, TraceFlags(data.flags), _trace_state(data.state))


def attributes(data: Mapping[Any, Any]) -> dict[str, Any]:
    """Attributes as OpenTelemetry has them: a sequence is a tuple."""
    return {str(name): _value(value) for name, value in data.items()}


def _value(value: Any) -> Any:
    if type(value) is list:
        return tuple(_value(item) for item in value)
    return attributes(value) if type(value) is dict else value


def _counted(data: Mapping[Any, Any], dropped: int) -> Mapping[str, Any]:
    """Attributes of an event or a link, which keep the count of what was dropped with them."""
    if not dropped:
        return attributes(data)
    counted = BoundedAttributes(attributes=attributes(data))
    counted.dropped = dropped
    return counted
