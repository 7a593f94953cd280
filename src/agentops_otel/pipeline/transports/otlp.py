"""Spans as OTLP, in protobuf's wire format, written in plain Python: see `fields.py`."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.trace import DEFAULT_TRACE_STATE, SpanKind

from ...redaction import plain_dict
from .fields import BYTES, attribute_fields, count_field, message, text_field, time_field, times, varint

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope
    from opentelemetry.trace import SpanContext, Status, TraceState

_KINDS: Final = [b"\x30%c" % (kind.value + 1) for kind in SpanKind]
_HAS_IS_REMOTE: Final = 0x100
_IS_REMOTE: Final = 0x200
_LINK_FLAGS: Final = {flags: b"\x35" + struct.pack("<I", flags) for flags in (_HAS_IS_REMOTE, 0x300)}
_FLAGS: Final = {flags: b"\x85\x01" + struct.pack("<I", flags) for flags in (_HAS_IS_REMOTE, 0x300)}
_MOST_KNOWN: Final = 1024


def request(spans: Iterable[ReadableSpan]) -> bytes:
    """Spans as an `ExportTraceServiceRequest`."""
    resources: dict[bytes, dict[bytes, list[bytes]]] = {}
    for span in spans:
        scopes = resources.setdefault(resource_fields(span.resource), {})
        parts = scopes.setdefault(_scope_fields(span.instrumentation_scope), [])
        fields = span_fields(span)
        parts += b"\x12", varint(len(fields)), fields
    return b"".join(
        message(b"\x0a", [resource, *(message(b"\x12", [*parts, scope]) for scope, parts in scopes.items())])
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
        parts.append(text_field(b"\x1a", _joined(state)))
    if parent is not None:
        parts += b"\x22\x08", parent.span_id.to_bytes(8, "big")
    parts += text_field(b"\x2a", span.name), _KINDS[span.kind.value], times(span.start_time, span.end_time)
    parts += attribute_fields(b"\x4a", plain_dict(span.attributes))
    if dropped:
        parts.append(count_field(b"\x50", dropped))
    if events:
        parts += [message(b"\x5a", _event(event)) for event in events]
    if span.dropped_events:
        parts.append(count_field(b"\x60", span.dropped_events))
    if links:
        parts += [message(b"\x6a", _link(link)) for link in links]
    if span.dropped_links:
        parts.append(count_field(b"\x70", span.dropped_links))
    parts += _status(span.status), _FLAGS[_remote(parent)]
    return b"".join(parts)


def _status(status: Status) -> bytes:
    code, description = status.status_code.value, status.description
    if not code and not description:
        return b"\x7a\x00"
    return message(b"\x7a", [text_field(b"\x12", description or ""), b"\x18" + BYTES[code]])


def _event(event: Any) -> list[bytes]:
    parts = [time_field(b"\x09", event.timestamp), text_field(b"\x12", event.name)]
    parts += attribute_fields(b"\x1a", plain_dict(event.attributes))
    if event.dropped_attributes:
        parts.append(count_field(b"\x20", event.dropped_attributes))
    return parts


def _link(link: Any) -> list[bytes]:
    context = link.context
    parts = [b"\x0a\x10", context.trace_id.to_bytes(16, "big"), b"\x12\x08", context.span_id.to_bytes(8, "big")]
    parts += attribute_fields(b"\x22", plain_dict(link.attributes))
    if link.dropped_attributes:
        parts.append(count_field(b"\x28", link.dropped_attributes))
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
    parts = [text_field(b"\x0a", scope.name), text_field(b"\x12", scope.version or "")]
    parts += attribute_fields(b"\x1a", plain_dict(scope.attributes))
    fields = message(b"\x0a", parts) + text_field(b"\x1a", scope.schema_url or "")
    if len(_scopes) >= _MOST_KNOWN:
        _scopes.clear()
    _scopes[id(scope)] = scope, fields
    return fields


def resource_fields(resource: Resource) -> bytes:
    """The fields of `ResourceSpans` and `ResourceLogs` that say whose they are."""
    known = _resources.get(id(resource))
    if known is not None and known[0] is resource:
        return known[1]
    attributes = attribute_fields(b"\x0a", plain_dict(resource.attributes))
    fields = message(b"\x0a", attributes) + text_field(b"\x1a", resource.schema_url or "")
    if len(_resources) >= _MOST_KNOWN:
        _resources.clear()
    _resources[id(resource)] = resource, fields
    return fields
