"""Requests of OTLP, as small as they can be."""

from __future__ import annotations

import json
import time

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

TRACE = "0af7651916cd43dd8448eb211c80319c"


def spans(count=1, *, trace=TRACE, first=1, **attributes) -> ExportTraceServiceRequest:
    """A request with so many spans of one trace; the first is its root."""
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    now = time.time_ns()
    for number in range(first, first + count):
        span = scope.spans.add(
            trace_id=bytes.fromhex(trace),
            span_id=number.to_bytes(8, "big"),
            name=f"step {number}",
            start_time_unix_nano=now - 1_000_000,
            end_time_unix_nano=now,
        )
        if number > 1:
            span.parent_span_id = (1).to_bytes(8, "big")
        for key, value in attributes.items():
            span.attributes.append(KeyValue(key=key.replace("_", "."), value=AnyValue(string_value=value)))
    return request


def traces(count=1, **more) -> bytes:
    """The same, as protobuf."""
    return spans(count, **more).SerializeToString()


def traces_json(trace=TRACE, **changes) -> bytes:
    """One span as OTLP JSON, with these fields of it changed."""
    now = time.time_ns()
    span = {"traceId": trace, "spanId": "00000000000000a1", "name": "step"}
    span |= {"startTimeUnixNano": str(now - 1_000_000), "endTimeUnixNano": str(now), **changes}
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).encode()


def logs() -> bytes:
    """One log record that is no event of ours."""
    request = ExportLogsServiceRequest()
    record = request.resource_logs.add().scope_logs.add().log_records.add(time_unix_nano=time.time_ns())
    record.body.string_value = "hello"
    return request.SerializeToString()
