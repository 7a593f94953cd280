"""Rows -> OTLP JSON that any OTLP backend takes, and of which `otlp.py` and `normalize()` make the same rows again."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from ... import semconv
from ...messages import as_json, dumped
from ...rows import Score, SessionEvent, Source, SpanBody, SpanRow

_EVENTS = {
    "start": semconv.EVENT_SESSION_START,
    "join": semconv.EVENT_SESSION_JOIN,
    "heartbeat": semconv.EVENT_SESSION_HEARTBEAT,
    "end": semconv.EVENT_SESSION_END,
}
_STATUS_CODES = {"unset": 0, "ok": 1, "error": 2}


def to_otlp_json(spans: Iterable[SpanRow], events: Iterable[SessionEvent] = (), scores: Iterable[Score] = ()) -> bytes:
    """One JSON object with ``resourceSpans`` and ``resourceLogs``.

    Messages are in the names of the GenAI conventions, whatever dialect said them. Spans that are still open are in
    the heartbeats, and not spans of OTLP.

    Args:
        spans: with their bodies.
    """
    logs = [(event.source, _event(event)) for event in events]
    logs += [(Source(scope=semconv.SCOPE_NAME), _score(score)) for score in scores]
    finished = [(_body(row).source, _span(row)) for row in spans if row.end_ns is not None]
    document = {
        "resourceSpans": _grouped(finished, "scopeSpans", "spans"),
        "resourceLogs": _grouped(logs, "scopeLogs", "logRecords"),
    }
    return msgspec.json.encode(document)


def _grouped(records: Iterable[tuple[Source, Any]], scopes: str, name: str) -> list[dict[str, Any]]:
    """The records under their resources and scopes, in the order in which each comes first."""
    resources: dict[bytes, dict[str, Any]] = {}
    groups: dict[tuple[bytes, str, str], list[Any]] = {}
    encoded: dict[int, bytes] = {}  # the spans of a process share one source
    for source, record in records:
        key = encoded.get(id(source))
        if key is None:
            key = encoded[id(source)] = msgspec.json.encode(_attributes(source.resource))
        place = key, source.scope, source.scope_version
        found = groups.get(place)
        if found is None:
            resource = resources.setdefault(key, {"resource": {"attributes": msgspec.Raw(key)}, scopes: []})
            found = groups[place] = []
            scope = {"name": source.scope, "version": source.scope_version}
            resource[scopes].append({"scope": scope, name: found})
        found.append(record)
    return [*resources.values()]


def _body(row: SpanRow) -> SpanBody:
    return row.body or SpanBody()


def _span(row: SpanRow) -> dict[str, Any]:
    body = _body(row)
    return {
        "traceId": row.trace_id,
        "spanId": row.span_id,
        **({"parentSpanId": row.parent_id} if row.parent_id else {}),
        **({"traceState": body.trace_state} if body.trace_state else {}),
        "flags": body.flags,
        "name": row.name,
        "kind": body.otel_kind,
        "startTimeUnixNano": str(row.start_ns),
        "endTimeUnixNano": str(row.end_ns),
        "attributes": _attributes({**body.attributes, **_content(body)}),
        "events": [
            {"timeUnixNano": str(each.time_ns), "name": each.name, "attributes": _attributes(each.attributes)}
            for each in body.events
        ],
        "links": [
            {"traceId": each.trace_id, "spanId": each.span_id, "attributes": _attributes(each.attributes)}
            for each in body.links
        ],
        "status": {"code": _STATUS_CODES[row.status], "message": row.status_message},
    }


def _content(body: SpanBody) -> dict[str, str]:
    return {
        **({semconv.SYSTEM_INSTRUCTIONS: as_json(body.system)} if body.system else {}),
        **({semconv.INPUT_MESSAGES: dumped(body.input)} if body.input else {}),
        **({semconv.OUTPUT_MESSAGES: dumped(body.output)} if body.output else {}),
        **({semconv.TOOL_DEFINITIONS: as_json(body.tools)} if body.tools is not None else {}),
    }


def _event(event: SessionEvent) -> dict[str, Any]:
    return _log(_EVENTS[event.name], event.time_ns, event.trace_id, event.trace_id[:16], event.attributes)


def _score(score: Score) -> dict[str, Any]:
    said = {
        semconv.SESSION_ID: score.session_id,
        semconv.EVALUATION_NAME: score.name,
        semconv.EVALUATION_SCORE_VALUE: score.value,
        semconv.EVALUATION_SCORE_LABEL: score.label,
        semconv.EVALUATION_EXPLANATION: score.comment,
    }
    known = {name: value for name, value in said.items() if value is not None}
    span_id = score.span_id or score.trace_id[:16]
    return _log(semconv.EVENT_EVALUATION_RESULT, score.time_ns, score.trace_id, span_id, known)


def _log(name: str, time_ns: int, trace_id: str, span_id: str, attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "timeUnixNano": str(time_ns),
        "eventName": name,
        "traceId": trace_id,
        "spanId": span_id,
        "attributes": _attributes(attributes),
    }


def _attributes(attributes: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": name, "value": _value(value)} for name, value in attributes.items()]


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, str):
        return {"stringValue": value}
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value if math.isfinite(value) else _not_finite(value)}
    if isinstance(value, bytes):
        return {"bytesValue": base64.b64encode(value).decode()}
    if isinstance(value, Mapping):
        return {"kvlistValue": {"values": _attributes(value)}}
    if isinstance(value, (list, tuple)):
        return {"arrayValue": {"values": [_value(each) for each in value]}}
    return {}


def _not_finite(value: float) -> str:
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
