"""Log events as OTLP, in protobuf's wire format, written in plain Python: see `fields.py`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ... import semconv
from ..log_event import SEVERITY_INFO, LogEvent
from .fields import attribute_fields, message, text_field, time_field, varint
from .otlp import resource_fields

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource


def logs_request(events: Sequence[LogEvent], resource: Resource) -> bytes:
    """Log events as an `ExportLogsServiceRequest`."""
    scope = message(b"\x0a", [text_field(b"\x0a", semconv.SCOPE_NAME)])
    records = [message(b"\x12", _record(event)) for event in events]
    return message(b"\x0a", [resource_fields(resource), message(b"\x12", [scope, *records])])


def _record(event: LogEvent) -> list[bytes]:
    """The fields of a `LogRecord`; its name has one of its own since OTLP 1.5."""
    attributes = {name: value for name, value in event.attributes.items() if value is not None}
    return [
        time_field(b"\x09", event.time_ns),
        b"\x10" + varint(event.severity),
        text_field(b"\x1a", "INFO" if event.severity == SEVERITY_INFO else ""),
        *attribute_fields(b"\x32", attributes),
        b"\x4a\x10" + event.trace_id.to_bytes(16, "big"),
        b"\x52\x08" + event.span_id.to_bytes(8, "big"),
        time_field(b"\x59", event.time_ns),
        text_field(b"\x62", event.name),
    ]
