"""Spans and log records as OTLP said them, freed of protobuf and of JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from ..frozen import dataclass
from ..rows import Source, SpanEvent, SpanLink


@dataclass(frozen=True, slots=True)
class ReceivedSpan:
    """A span as OTLP said it, freed of protobuf and of JSON."""

    trace_id: str
    """32 hex digits, lower case."""
    span_id: str
    parent_id: str | None
    name: str
    start_ns: int
    end_ns: int
    attributes: Mapping[str, Any]
    """Values are str, bool, int, float, bytes, None, lists and dicts of these."""
    status_code: int = 0
    """0 unset, 1 ok, 2 error."""
    status_message: str = ""
    events: tuple[SpanEvent, ...] = ()
    links: tuple[SpanLink, ...] = ()
    source: Source = field(default_factory=Source)
    otel_kind: int = 0
    trace_state: str = ""
    flags: int = 0


@dataclass(frozen=True, slots=True)
class ReceivedLog:
    """A log record as OTLP said it."""

    name: str
    """``event_name``, or the attribute ``event.name`` of older senders."""
    time_ns: int
    trace_id: str
    span_id: str
    body: Any = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    source: Source = field(default_factory=Source)
