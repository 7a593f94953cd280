"""Requests of protobuf -> spans and log records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from google.protobuf.message import DecodeError as ProtobufError  # type: ignore[import-untyped]
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from ...normalize import ReceivedLog, ReceivedSpan
from ...rows import Source, SpanEvent, SpanLink
from .checks import (
    LAST_NS,
    DecodeError,
    Invalid,
    Logs,
    Spans,
    TooMany,
    event_name,
    id_of,
    is_link,
    log_time,
    optional_id,
    parent_of,
    times_of,
)
from .from_json import metrics_in_json
from .prescan import NotProtobuf, TooMuch, prescan

_Request = TypeVar("_Request", ExportTraceServiceRequest, ExportLogsServiceRequest)


def spans_from_protobuf(body: bytes) -> Spans:
    """The spans of an ``ExportTraceServiceRequest``.

    Raises:
        DecodeError: it is none.
        TooMany: it holds more than `MOST_RECORDS` spans.
    """
    found = Spans([], [])
    request = _parsed(ExportTraceServiceRequest, body)
    for span, source in _records(request.resource_spans, "scope_spans", "spans"):
        try:
            found.spans.append(_span(span, source))
        except Invalid as error:
            found.rejected.append(f"span {span.name[:100]!r}: {error}")
    return found


def logs_from_protobuf(body: bytes) -> Logs:
    """The log records of an ``ExportLogsServiceRequest``.

    Raises:
        DecodeError: it is none.
        TooMany: it holds more than `MOST_RECORDS` log records.
    """
    found = Logs([], [])
    request = _parsed(ExportLogsServiceRequest, body)
    for record, source in _records(request.resource_logs, "scope_logs", "log_records"):
        try:
            found.logs.append(_log(record, source))
        except Invalid as error:
            found.rejected.append(f"log record {record.event_name[:100]!r}: {error}")
    return found


def count_metrics(body: bytes, *, as_json: bool) -> int:
    """How many metrics stand in an ``ExportMetricsServiceRequest``, of which nothing else is read.

    Raises:
        DecodeError: it is none.
        TooMany: it holds more than `MOST_RECORDS` metrics.
    """
    return metrics_in_json(body) if as_json else _scanned(body)


def _scanned(body: bytes) -> int:
    """How many records there are, all of which may be made into objects."""
    try:
        return prescan(body)
    except TooMuch as error:
        raise TooMany(f"the request holds more than {error}: send it in parts") from None
    except NotProtobuf as error:
        raise DecodeError(f"the body is not OTLP: {error}") from None


def _parsed(kind: type[_Request], body: bytes) -> _Request:
    _scanned(body)
    try:
        request = kind()
        request.ParseFromString(body)
        return request
    except (ProtobufError, RecursionError) as error:
        raise DecodeError(f"the body is not an {kind.DESCRIPTOR.name}: {error}") from None


def _records(groups: Iterable[Any], scopes: str, records: str) -> Iterator[tuple[Any, Source]]:
    for group in groups:
        resource = _attributes(group.resource.attributes)
        for scoped in getattr(group, scopes):
            source = Source(resource, scoped.scope.name, scoped.scope.version)
            for record in getattr(scoped, records):
                yield record, source


def _span(span: Any, source: Source) -> ReceivedSpan:
    start, end = times_of(span.start_time_unix_nano, span.end_time_unix_nano)
    events, links = span.events, span.links
    status, kind = span.status, span.kind
    code = status.code
    return ReceivedSpan(
        trace_id=id_of(span.trace_id.hex(), 32, "trace_id"),
        span_id=id_of(span.span_id.hex(), 16, "span_id"),
        parent_id=parent_of(span.parent_span_id.hex()),
        name=span.name,
        start_ns=start,
        end_ns=end,
        attributes=_attributes(span.attributes),
        status_code=code if 0 <= code <= 2 else 0,
        status_message=status.message,
        events=tuple(map(_event, events)) if events else (),
        links=tuple(link for each in links if (link := _link(each)) is not None) if links else (),
        source=source,
        otel_kind=kind if 0 <= kind <= 5 else 0,
        trace_state=span.trace_state,
        flags=span.flags,
    )


def _event(event: Any) -> SpanEvent:
    return SpanEvent(event.name, min(event.time_unix_nano, LAST_NS), _attributes(event.attributes))


def _link(link: Any) -> SpanLink | None:
    trace_id, span_id = link.trace_id.hex(), link.span_id.hex()
    return SpanLink(trace_id, span_id, _attributes(link.attributes)) if is_link(trace_id, span_id) else None


def _log(record: Any, source: Source) -> ReceivedLog:
    attributes = _attributes(record.attributes)
    return ReceivedLog(
        name=record.event_name or event_name(attributes),
        time_ns=log_time(record.time_unix_nano or record.observed_time_unix_nano),
        trace_id=optional_id(record.trace_id.hex(), 32),
        span_id=optional_id(record.span_id.hex(), 16),
        body=_value(record.body),
        attributes=attributes,
        source=source,
    )


def _attributes(pairs: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for pair in pairs:
        value = pair.value
        # Most are texts, and a text that is not empty can be nothing else: to ask for the kind takes as long again.
        found[pair.key] = value.string_value or _value(value)
    return found


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(each) for each in value.array_value.values]
    if kind == "kvlist_value":
        return _attributes(value.kvlist_value.values)
    return None if kind is None else getattr(value, kind)
