"""Log events as an OTLP request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ... import semconv
from ...text import encodable
from ..log_event import SEVERITY_INFO, LogEvent

if TYPE_CHECKING:
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
    from opentelemetry.sdk.resources import Resource


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
