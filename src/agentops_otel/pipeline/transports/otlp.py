"""Spans as OTLP, in protobuf's wire format, written in plain Python.

The SDK makes a message object of each attribute first, which takes several times as long.
https://protobuf.dev/programming-guides/encoding/

Whatever an attribute holds, there is something to send: what OTLP cannot carry becomes text.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.trace import DEFAULT_TRACE_STATE, SpanKind

from ...redaction import plain_dict
from ...text import encodable, unprintable

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope
    from opentelemetry.trace import SpanContext, Status, TraceState

_BYTES: Final = [bytes([number]) for number in range(256)]
_KINDS: Final = [b"\x30%c" % (kind.value + 1) for kind in SpanKind]
_SIMPLE: Final = frozenset({bool, int, float})
_HAS_IS_REMOTE: Final = 0x100
_IS_REMOTE: Final = 0x200
_TIMES: Final = struct.Struct("<cQcQ").pack
_TIME: Final = struct.Struct("<cQ").pack
_DOUBLE: Final = struct.Struct("<d").pack
_LINK_FLAGS: Final = {flags: b"\x35" + struct.pack("<I", flags) for flags in (_HAS_IS_REMOTE, 0x300)}
_FLAGS: Final = {flags: b"\x85\x01" + struct.pack("<I", flags) for flags in (_HAS_IS_REMOTE, 0x300)}
_MOST_KNOWN: Final = 1024
_SHORT: Final = 100  # with its name, its value and three lengths of one byte each, an attribute stays below 128 bytes


def request(spans: Iterable[ReadableSpan]) -> bytes:
    """Spans as an `ExportTraceServiceRequest`."""
    resources: dict[bytes, dict[bytes, list[bytes]]] = {}
    for span in spans:
        scopes = resources.setdefault(_resource_fields(span.resource), {})
        parts = scopes.setdefault(_scope_fields(span.instrumentation_scope), [])
        fields = span_fields(span)
        parts += b"\x12", _varint(len(fields)), fields
    return b"".join(
        _message(b"\x0a", [resource, *(_message(b"\x12", [*parts, scope]) for scope, parts in scopes.items())])
        for resource, scopes in resources.items()
    )


def span_fields(span: ReadableSpan) -> bytes:
    """The fields of a finished span.

    Raises:
        Exception: it has no context.
    """
    trace_id, span_id, _, _, state = span.get_span_context()[:5]  # type: ignore[index]
    parent, dropped = span.parent, span.dropped_attributes
    # The properties copy lists that are mostly empty. Private names, so only a hint: without them they are asked.
    events = span.events if getattr(span, "_events", True) else ()
    links = span.links if getattr(span, "_links", True) else ()
    parts = [b"\x0a\x10", trace_id.to_bytes(16, "big"), b"\x12\x08", span_id.to_bytes(8, "big")]
    if state is not DEFAULT_TRACE_STATE and state:
        parts.append(_text(b"\x1a", _joined(state)))
    if parent is not None:
        parts += b"\x22\x08", parent.span_id.to_bytes(8, "big")
    parts += _text(b"\x2a", span.name), _KINDS[span.kind.value], _times(span.start_time, span.end_time)
    parts += _attributes(b"\x4a", plain_dict(span.attributes))
    if dropped:
        parts.append(_count(b"\x50", dropped))
    if events:
        parts += [_message(b"\x5a", _event(event)) for event in events]
    if span.dropped_events:
        parts.append(_count(b"\x60", span.dropped_events))
    if links:
        parts += [_message(b"\x6a", _link(link)) for link in links]
    if span.dropped_links:
        parts.append(_count(b"\x70", span.dropped_links))
    parts += _status(span.status), _FLAGS[_remote(parent)]
    return b"".join(parts)


def _status(status: Status) -> bytes:
    code, description = status.status_code.value, status.description
    if not code and not description:
        return b"\x7a\x00"
    return _message(b"\x7a", [_text(b"\x12", description or ""), b"\x18" + _BYTES[code]])


def _event(event: Any) -> list[bytes]:
    parts = [_time(b"\x09", event.timestamp), _text(b"\x12", event.name)]
    parts += _attributes(b"\x1a", plain_dict(event.attributes))
    if event.dropped_attributes:
        parts.append(_count(b"\x20", event.dropped_attributes))
    return parts


def _link(link: Any) -> list[bytes]:
    context = link.context
    parts = [b"\x0a\x10", context.trace_id.to_bytes(16, "big"), b"\x12\x08", context.span_id.to_bytes(8, "big")]
    parts += _attributes(b"\x22", plain_dict(link.attributes))
    if link.dropped_attributes:
        parts.append(_count(b"\x28", link.dropped_attributes))
    parts.append(_LINK_FLAGS[_remote(context)])
    return parts


def _remote(context: SpanContext | None) -> int:
    return _HAS_IS_REMOTE | _IS_REMOTE if context and context.is_remote else _HAS_IS_REMOTE


def _joined(state: TraceState) -> str:
    return ",".join([f"{key}={value}" for key, value in state.items()])


# What many spans have in common ---------------------------------------------------------------------------------------

_scopes: Final[dict[int, tuple[InstrumentationScope, bytes]]] = {}  # by id
_resources: Final[dict[int, tuple[Resource, bytes]]] = {}  # by id


def _scope_fields(scope: InstrumentationScope | None) -> bytes:
    """The fields of `ScopeSpans` that say whose spans they are."""
    if scope is None:
        return b"\x0a\x00"
    known = _scopes.get(id(scope))
    if known is not None and known[0] is scope:
        return known[1]
    parts = [_text(b"\x0a", scope.name), _text(b"\x12", scope.version or "")]
    parts += _attributes(b"\x1a", plain_dict(scope.attributes))
    fields = _message(b"\x0a", parts) + _text(b"\x1a", scope.schema_url or "")
    if len(_scopes) >= _MOST_KNOWN:
        _scopes.clear()
    _scopes[id(scope)] = scope, fields
    return fields


def _resource_fields(resource: Resource) -> bytes:
    known = _resources.get(id(resource))
    if known is not None and known[0] is resource:
        return known[1]
    attributes = _attributes(b"\x0a", plain_dict(resource.attributes))
    fields = _message(b"\x0a", attributes) + _text(b"\x1a", resource.schema_url or "")
    if len(_resources) >= _MOST_KNOWN:
        _resources.clear()
    _resources[id(resource)] = resource, fields
    return fields


# Attributes -----------------------------------------------------------------------------------------------------------

_names: Final[dict[Any, bytes]] = {}  # the first field of a `KeyValue`, by name
# By tag and name, the last value, its type, and their bytes: most of what a span says, the one before it has said.
_last: Final[defaultdict[bytes, dict[Any, tuple[Any, type, bytes]]]] = defaultdict(dict)


def _attributes(tag: bytes, attributes: Mapping[Any, Any]) -> list[bytes]:
    """Each attribute as one field with this tag."""
    parts: list[bytes] = []
    known = _last[tag]
    for name, value in attributes.items():
        kind, last = type(value), known.get(name)
        if last is not None and last[1] is kind and last[0] == value:
            parts.append(last[2])
            continue
        field = _names.get(name) or _name(name)
        if kind is str:
            text = _utf8(value)
            length = len(text)
            size = length + len(field)
            if size < _SHORT:
                own = b"%b%c%b\x12%c\x0a%c%b" % (tag, size + 4, field, length + 2, length, text)
                _remember(known, name, value, own)
                parts.append(own)
                continue
            content: tuple[bytes, ...] = b"\x0a", _varint(length), text
        elif kind is int and 0 <= value < 128:
            content = b"\x18", _BYTES[value]
        else:
            content = tuple(_any_value(value))
        size = sum(map(len, content))
        length_of_value = _varint(size)
        own_parts = (
            tag,
            _varint(len(field) + 1 + len(length_of_value) + size),
            field,
            b"\x12",
            length_of_value,
            *content,
        )
        if size < _SHORT and (kind in _SIMPLE or (kind is tuple and all(type(item) is str for item in value))):
            own = b"".join(own_parts)
            _remember(known, name, value, own)
            parts.append(own)
        else:
            parts += own_parts
    return parts


def _remember(known: dict[Any, tuple[Any, type, bytes]], name: Any, value: Any, field: bytes) -> None:
    kind = type(value)
    if type(name) is not str or (kind is float and not value):  # 0.0 and -0.0 are equal
        return
    if len(known) >= _MOST_KNOWN:
        known.clear()
    known[name] = value, kind, field


def _name(name: Any) -> bytes:
    if type(name) is not str:
        return _text(b"\x0a", _as_text(name))
    field = _text(b"\x0a", name)
    if len(_names) >= _MOST_KNOWN:
        _names.clear()
    _names[name] = field
    return field


def _any_value(value: Any, depth: int = 16) -> list[bytes]:
    """The fields of an `AnyValue`."""
    if value is None:
        return []
    if isinstance(value, bool):
        return [b"\x10\x01" if value else b"\x10\x00"]
    if isinstance(value, str):
        return [_field(b"\x0a", _utf8(str.__str__(value)))]
    if isinstance(value, int):
        if -(2**63) <= value < 2**63:
            return [b"\x18", _varint(int(value) & 0xFFFF_FFFF_FFFF_FFFF)]
        return [_field(b"\x0a", _utf8(_as_text(value)))]
    if isinstance(value, float):
        return [b"\x21", _DOUBLE(value)]
    if isinstance(value, bytes):
        return [_field(b"\x3a", bytes(value))]
    try:
        if isinstance(value, Enum):
            return _any_value(value.value, depth)
        if depth and isinstance(value, Mapping):
            pairs = [(_text(b"\x0a", _as_text(key)), _any_value(item, depth - 1)) for key, item in value.items()]
            return [_message(b"\x32", [_message(b"\x0a", [key, _message(b"\x12", item)]) for key, item in pairs])]
        if depth and isinstance(value, Sequence):
            return [_message(b"\x2a", [_message(b"\x0a", _any_value(item, depth - 1)) for item in value])]
    except Exception as error:
        return [_field(b"\x0a", unprintable(value, error).encode())]
    return [_field(b"\x0a", _utf8(_as_text(value)))]


def _as_text(value: Any) -> str:
    try:
        return str.__str__(value) if isinstance(value, str) else str(value)
    except Exception as error:
        return unprintable(value, error)


# Fields ---------------------------------------------------------------------------------------------------------------


def _varint(number: int) -> bytes:
    if number < 128:
        return _BYTES[number]
    if number < 16384:
        return bytes((number & 127 | 128, number >> 7))
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    found.append(number)
    return bytes(found)


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        return encodable(text).encode()


def _text(tag: bytes, text: str) -> bytes:
    """A text; b"" for an empty one, which is what is understood without it."""
    return _field(tag, _utf8(text)) if text else b""


def _field(tag: bytes, data: bytes) -> bytes:
    return tag + _varint(len(data)) + data


def _message(tag: bytes, parts: Sequence[bytes]) -> bytes:
    return b"".join((tag, _varint(sum(map(len, parts))), *parts))


def _count(tag: bytes, number: int) -> bytes:
    return tag + _varint(min(max(number, 0), 0xFFFF_FFFF))


def _times(start: int | None, end: int | None) -> bytes:
    try:
        return _TIMES(b"\x39", start or 0, b"\x41", end or 0)
    except struct.error:
        return _time(b"\x39", start) + _time(b"\x41", end)


def _time(tag: bytes, time_ns: int | None) -> bytes:
    return _TIME(tag, time_ns) if time_ns and 0 < time_ns < 2**64 else b""
