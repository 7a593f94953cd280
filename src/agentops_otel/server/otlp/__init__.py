"""OTLP as bytes, in protobuf or in JSON -> spans and log records free of both; and back as JSON.

A request that is not OTLP is refused as a whole. Of one that is, a span that cannot be shown (it has no id, or no
start) is left out on its own, with a reason: that is what partial success is for.

https://opentelemetry.io/docs/specs/otlp/
"""

from __future__ import annotations

from .checks import DecodeError, Logs, Spans, TooMany
from .from_json import logs_from_json, spans_from_json
from .prescan import MOST_RECORDS
from .protobuf import count_metrics, logs_from_protobuf, spans_from_protobuf

__all__ = [
    "MOST_RECORDS",
    "DecodeError",
    "Logs",
    "Spans",
    "TooMany",
    "count_metrics",
    "logs_from_json",
    "logs_from_protobuf",
    "spans_from_json",
    "spans_from_protobuf",
]
