"""Spans and log events as OTLP requests, and what an OTLP answer says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from ... import semconv
from ...text import encodable
from ..log_event import SEVERITY_INFO, LogEvent
from .attempt import Reply, Verdict, one_line

if TYPE_CHECKING:
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan

MAX_REQUEST_BYTES: Final = 3 * 1024 * 1024  # before gzip; gRPC servers refuse 4 MiB by default


def encode(spans: Sequence[ReadableSpan]) -> ExportTraceServiceRequest:
    """Spans as an OTLP request; raises whatever the encoder raises for a span that cannot be encoded."""
    from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

    return encode_spans(spans)


def encode_events(events: Sequence[LogEvent], resource: Resource) -> ExportLogsServiceRequest:
    """Log events as an OTLP request, made from the messages themselves: the SDK's logs API changed between releases."""
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
    from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
    from opentelemetry.proto.resource.v1.resource_pb2 import Resource as ResourceMessage

    names_itself = "event_name" in LogRecord.DESCRIPTOR.fields_by_name  # OTLP 1.5; before it the name was an attribute

    def record(event: LogEvent) -> LogRecord:
        attributes = dict(event.attributes) if names_itself else {"event.name": event.name, **event.attributes}
        message = LogRecord(
            time_unix_nano=event.time_ns,
            observed_time_unix_nano=event.time_ns,
            severity_number=event.severity,  # type: ignore[arg-type]
            severity_text="INFO" if event.severity == SEVERITY_INFO else "",
            attributes=_key_values(attributes),
            trace_id=event.trace_id.to_bytes(16, "big"),
            span_id=event.span_id.to_bytes(8, "big"),
        )
        if names_itself:
            message.event_name = event.name
        return message

    scope = ScopeLogs(
        scope=InstrumentationScope(name=semconv.SCOPE_NAME), log_records=[record(event) for event in events]
    )
    about = ResourceMessage(attributes=_key_values(resource.attributes))
    return ExportLogsServiceRequest(
        resource_logs=[ResourceLogs(resource=about, scope_logs=[scope], schema_url=resource.schema_url)]
    )


def _key_values(attributes: Mapping[str, Any]) -> list[Any]:
    from opentelemetry.proto.common.v1.common_pb2 import KeyValue

    return [
        KeyValue(key=encodable(key), value=_any_value(value)) for key, value in attributes.items() if value is not None
    ]


def _any_value(value: Any) -> Any:
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue

    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int) and -(2**63) <= value < 2**63:
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, bytes):
        return AnyValue(bytes_value=value)
    if isinstance(value, (list, tuple)):
        return AnyValue(array_value=ArrayValue(values=[_any_value(item) for item in value]))
    return AnyValue(string_value=encodable(value if isinstance(value, str) else str(value)))


def not_encodable(error: Exception) -> Reply:
    """What is said of a request that the encoder does not take."""
    return Reply(Verdict.REJECTED, f"not encodable: {type(error).__name__}", reached=False)


def request_body(spans: Sequence[ReadableSpan]) -> bytes | Reply:
    """The request body, or why it is not sent: one span may have any size, several share `MAX_REQUEST_BYTES`."""
    try:
        body: bytes = encode(spans).SerializeToString()
    except Exception as error:
        return not_encodable(error)
    if len(body) > MAX_REQUEST_BYTES and len(spans) > 1:
        return Reply(Verdict.TOO_LARGE, f"{len(body)} bytes in one request", reached=False)
    return body


def acknowledged(response: Any, field: str) -> Reply:
    """An answer to an OTLP request: accepted, less what the partial success says."""
    rejected = max(0, int(getattr(response.partial_success, field)))
    return Reply(Verdict.ACCEPTED, one_line(response.partial_success.error_message), rejected=rejected)
