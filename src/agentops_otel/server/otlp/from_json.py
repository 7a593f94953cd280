"""OTLP JSON -> spans and log records.

https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from ...normalize import ReceivedLog, ReceivedSpan
from ...rows import Source, SpanEvent, SpanLink
from ...text import encodable
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
from .prescan import MOST_RECORDS

_MOST_DEPTH: Final = 64
_MOST_OBJECTS: Final = 1_000_000
_MOST_ITEMS: Final = 3_000_000
_INT64: Final = 2**63
_SPAN_KINDS: Final = {
    f"SPAN_KIND_{name}": number
    for number, name in enumerate(("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"))
}
_STATUS_CODES: Final = {"STATUS_CODE_UNSET": 0, "STATUS_CODE_OK": 1, "STATUS_CODE_ERROR": 2}
_NOTHING: Final[Mapping[str, Any]] = {}


def spans_from_json(body: bytes, *, bounded: bool = True) -> Spans:
    """The spans of an ``ExportTraceServiceRequest`` in OTLP JSON; what else stands in it is ignored.

    Args:
        bounded: False for a file of the user's own, which may be of any size.

    Raises:
        DecodeError: it is none.
        TooMany: it holds more than `MOST_RECORDS` spans.
    """
    found = Spans([], [])
    for record, source in _records(
        _document(body, bounded=bounded), "resourceSpans", "scopeSpans", "spans", bounded=bounded
    ):
        try:
            found.spans.append(_span_of(record, source))
        except Invalid as error:
            found.rejected.append(f"span {_text(record.get('name'))[:100]!r}: {error}")
    return found


def logs_from_json(body: bytes, *, bounded: bool = True) -> Logs:
    """The log records of an ``ExportLogsServiceRequest`` in OTLP JSON; what else stands in it is ignored.

    Args:
        bounded: False for a file of the user's own, which may be of any size.

    Raises:
        DecodeError: it is none.
        TooMany: it holds more than `MOST_RECORDS` log records.
    """
    found = Logs([], [])
    for record, source in _records(
        _document(body, bounded=bounded), "resourceLogs", "scopeLogs", "logRecords", bounded=bounded
    ):
        try:
            found.logs.append(_log_of(record, source))
        except Invalid as error:
            found.rejected.append(f"log record {_text(record.get('eventName'))[:100]!r}: {error}")
    return found


def metrics_in_json(body: bytes) -> int:
    """How many metrics stand in an ``ExportMetricsServiceRequest`` in OTLP JSON.

    Raises:
        DecodeError: it is none.
        TooMany: it holds more than `MOST_RECORDS` metrics.
    """
    document = _document(body, bounded=True)
    return sum(1 for _ in _records(document, "resourceMetrics", "scopeMetrics", "metrics", bounded=True))


def _document(body: bytes, *, bounded: bool) -> Mapping[str, Any]:
    # Two bytes of JSON make an object of 64 in memory. What stands in texts counts too, which is little beside these.
    if bounded and (body.count(b"{") + body.count(b"[") > _MOST_OBJECTS or body.count(b",") > _MOST_ITEMS):
        raise TooMany(f"the request holds more than {_MOST_OBJECTS:,} objects: send it in parts")
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        document = _leniently(body)
    if not isinstance(document, dict):
        raise DecodeError("the body is not OTLP JSON: expected an object")
    return document


def _leniently(body: bytes) -> Any:
    """What only Python's parser takes: half of a pair of surrogates, where a sender has cut a text in an emoji."""
    try:
        return _encodable(json.loads(body))
    except RecursionError:
        raise DecodeError("the body is not OTLP JSON: it is nested too deep") from None
    except ValueError as error:
        raise DecodeError(f"the body is not JSON: {str(error)[:200]}") from None


def _encodable(value: Any, depth: int = 0) -> Any:
    if depth > 4 * _MOST_DEPTH:
        raise DecodeError("the body is not OTLP JSON: it is nested too deep")
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, list):
        return [_encodable(each, depth + 1) for each in value]
    if isinstance(value, dict):
        return {encodable(name): _encodable(each, depth + 1) for name, each in value.items()}
    return value


def _records(
    document: Mapping[str, Any], groups: str, scopes: str, records: str, *, bounded: bool
) -> Iterator[tuple[Mapping[str, Any], Source]]:
    count = 0
    for group in _objects(document, groups):
        resource = _attributes_of(_object(group, "resource"))
        for scoped in _objects(group, scopes):
            scope = _object(scoped, "scope")
            source = Source(resource, _text(scope.get("name")), _text(scope.get("version")))
            for record in _objects(scoped, records):
                count += 1
                if bounded and count > MOST_RECORDS:
                    raise TooMany(f"the request holds more than {MOST_RECORDS:,} {records}: send it in parts")
                yield record, source


def _objects(value: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    found = value.get(name)
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise DecodeError(f"the body is not OTLP JSON: {name} is not a list of objects")
    return found


def _object(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = value.get(name)
    return found if isinstance(found, dict) else _NOTHING


def _span_of(span: Mapping[str, Any], source: Source) -> ReceivedSpan:
    get = span.get
    start, end = times_of(_whole(get("startTimeUnixNano")), _whole(get("endTimeUnixNano")))
    status = _object(span, "status")
    return ReceivedSpan(
        trace_id=id_of(_digits(get("traceId")), 32, "traceId"),
        span_id=id_of(_digits(get("spanId")), 16, "spanId"),
        parent_id=parent_of(_digits(get("parentSpanId"))),
        name=_text(get("name")),
        start_ns=start,
        end_ns=end,
        attributes=_attributes_of(span),
        status_code=_enum(status.get("code"), _STATUS_CODES),
        status_message=_text(status.get("message")),
        events=tuple(_event_of(event) for event in _items(span, "events")),
        links=tuple(link for each in _items(span, "links") if (link := _link_of(each)) is not None),
        source=source,
        otel_kind=_enum(get("kind"), _SPAN_KINDS),
        trace_state=_text(get("traceState")),
        flags=_whole(get("flags")) & 0xFFFFFFFF,
    )


def _event_of(event: Mapping[str, Any]) -> SpanEvent:
    time = _whole(event.get("timeUnixNano"))
    return SpanEvent(_text(event.get("name")), min(max(time, 0), LAST_NS), _attributes_of(event))


def _link_of(link: Mapping[str, Any]) -> SpanLink | None:
    trace_id, span_id = _digits(link.get("traceId")), _digits(link.get("spanId"))
    return SpanLink(trace_id, span_id, _attributes_of(link)) if is_link(trace_id, span_id) else None


def _log_of(record: Mapping[str, Any], source: Source) -> ReceivedLog:
    get = record.get
    attributes = _attributes_of(record)
    return ReceivedLog(
        name=_text(get("eventName")) or event_name(attributes),
        time_ns=log_time(_whole(get("timeUnixNano")) or _whole(get("observedTimeUnixNano"))),
        trace_id=optional_id(_digits(get("traceId")), 32),
        span_id=optional_id(_digits(get("spanId")), 16),
        body=_value_of(get("body")),
        attributes=attributes,
        source=source,
    )


def _attributes_of(value: Mapping[str, Any], name: str = "attributes", depth: int = 0) -> dict[str, Any]:
    return {
        key: _value_of(pair.get("value"), depth)
        for pair in _items(value, name)
        if isinstance(key := pair.get("key"), str)
    }


def _items(value: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """The objects of a list; anything else in its place, or in it, is lost alone."""
    found = value.get(name)
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _value_of(value: object, depth: int = 0) -> Any:
    """What an AnyValue says; None where it is not valid."""
    if not isinstance(value, dict) or depth > _MOST_DEPTH:
        return None
    for kind, content in value.items():
        read = _READERS.get(kind)
        if read is not None and content is not None:
            return read(content, depth)
    return None


def _string(content: object, depth: int) -> str | None:
    return content if isinstance(content, str) else None


def _boolean(content: object, depth: int) -> bool | None:
    return content if isinstance(content, bool) else None


def _integer(content: object, depth: int) -> int | None:
    number = _number(content)
    return number if number is not None and -_INT64 <= number < _INT64 else None


def _double(content: object, depth: int) -> float | None:
    if isinstance(content, bool):
        return None
    try:
        return float(content) if isinstance(content, (int, float, str)) else None
    except (ValueError, OverflowError):
        return None


def _bytes(content: object, depth: int) -> bytes | None:
    try:
        return base64.b64decode(content, validate=True) if isinstance(content, str) else None
    except (binascii.Error, ValueError):
        return None


def _array(content: object, depth: int) -> list[Any] | None:
    values = content.get("values") if isinstance(content, dict) else None
    return [_value_of(each, depth + 1) for each in values] if isinstance(values, list) else []


def _kvlist(content: object, depth: int) -> dict[str, Any] | None:
    return _attributes_of(content, "values", depth + 1) if isinstance(content, dict) else None


_READERS: Final[Mapping[str, Any]] = {
    "stringValue": _string,
    "boolValue": _boolean,
    "intValue": _integer,
    "doubleValue": _double,
    "bytesValue": _bytes,
    "arrayValue": _array,
    "kvlistValue": _kvlist,
}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _digits(value: object) -> str:
    """Hex digits in lower case; what is none has no length that is valid."""
    if not isinstance(value, str) or len(value) > 32:
        return "" if value is None else "?"
    digits = value.lower()
    return digits if all(digit in "0123456789abcdef" for digit in digits) else "?"


def _number(value: object) -> int | None:
    """A whole number, or its text, as JSON has numbers of 64 bits; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return int(value) if math.isfinite(value) and value.is_integer() else None
    if not isinstance(value, str) or not value.isascii() or not value.removeprefix("-").isdigit() or len(value) > 20:
        return None
    return int(value)


def _whole(value: object) -> int:
    return _number(value) or 0


def _enum(value: object, names: Mapping[str, int]) -> int:
    """A value of an enumeration, as a number or by its name; 0 for an unknown one."""
    number = names.get(value) if isinstance(value, str) else None
    number = _number(value) if number is None else number
    return number if number is not None and 0 <= number < len(names) else 0
