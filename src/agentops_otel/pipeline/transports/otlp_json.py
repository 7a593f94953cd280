"""Spans as a line of OTLP JSON."""

from __future__ import annotations

import json
from typing import Any


def json_line(body: bytes) -> bytes:
    """The body of a request as one line of OTLP JSON.

    Ids are hex in lower case (not protobuf's base64), enumerations numbers.
    https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
    """
    from google.protobuf.json_format import MessageToDict  # type: ignore[import-untyped]
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    request = ExportTraceServiceRequest.FromString(body)
    data = MessageToDict(request, use_integers_for_enums=True)
    for resource_spans, resource_data in zip(request.resource_spans, data.get("resourceSpans", ()), strict=True):
        for scope_spans, scope_data in zip(
            resource_spans.scope_spans, resource_data.get("scopeSpans", ()), strict=True
        ):
            for span, span_data in zip(scope_spans.spans, scope_data.get("spans", ()), strict=True):
                _set_hex_ids(span, span_data)
                for link, link_data in zip(span.links, span_data.get("links", ()), strict=True):
                    _set_hex_ids(link, link_data)
    return json.dumps(data, separators=(",", ":")).encode() + b"\n"


def _set_hex_ids(message: Any, data: dict[str, Any]) -> None:
    data["traceId"], data["spanId"] = message.trace_id.hex(), message.span_id.hex()
    if "parentSpanId" in data:
        data["parentSpanId"] = message.parent_span_id.hex()
