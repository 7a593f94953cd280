"""What a notebook keeps of the spans of its sessions, to show them: rows without bodies, made of the cleaned spans."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from . import guard
from .pipeline.processor import Recorder, SessionSpans

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

    from .rows import SpanRow

MOST: Final = 1_000
"""Spans of one session; the latest are kept."""


class Notebook:
    """Whether sessions that begin now are a notebook's.

    Attributes:
        is_open: set by `%load_ext agentops_otel`.
    """

    is_open: bool = False


class Kept:
    """Hands finished spans on, and keeps what is shown of them.

    Args:
        recorder: where the spans go.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._rows: deque[SpanRow] = deque(maxlen=MOST)

    @property
    def rows(self) -> list[SpanRow]:
        """The spans that have ended, in this order."""
        return list(self._rows)

    def record(self, span: ReadableSpan, session: SessionSpans | None = None) -> None:
        """Hand on, then keep."""
        self._recorder.record(span, session)
        try:
            self._rows.append(_row(span))
        except Exception:
            guard.report("keeping a span for the notebook")


def _row(span: ReadableSpan) -> SpanRow:
    """A span as the box reads it, of whose texts only the beginning is there."""
    from .normalize import ReceivedSpan, normalize  # which no program needs that is not in a notebook
    from .rows import Source, SpanEvent

    context, scope = span.get_span_context(), span.instrumentation_scope
    assert context is not None  # noqa: S101  (it has ended)
    received = ReceivedSpan(
        trace_id=f"{context.trace_id:032x}",
        span_id=f"{context.span_id:016x}",
        parent_id=f"{span.parent.span_id:016x}" if span.parent else None,
        name=span.name,
        start_ns=span.start_time or 0,
        end_ns=span.end_time or span.start_time or 0,
        attributes=_plain(span.attributes),
        status_code=span.status.status_code.value,
        status_message=span.status.description or "",
        events=tuple(SpanEvent(each.name, each.timestamp, _plain(each.attributes)) for each in span.events),
        source=Source({}, scope.name if scope else "", (scope and scope.version) or ""),
    )
    return replace(normalize(received), body=None)


def _plain(attributes: Mapping[str, Any] | None) -> dict[str, Any]:
    """As OTLP has them: lists, no tuples."""
    named = (attributes or {}).items()
    return {name: list(value) if isinstance(value, tuple) else value for name, value in named}
