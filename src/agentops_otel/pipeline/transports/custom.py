"""An exporter of the user."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from .attempt import Reply, Verdict

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan

    from ..log_event import LogEvent


class CustomTransport:
    """Any `SpanExporter` of the user.

    Repeating is that exporter's own business, and a batch that it failed is dropped:
    https://opentelemetry.io/docs/specs/otel/trace/sdk/#exportbatch
    """

    box: str | None = None

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        kind = type(exporter)
        self.name: str = getattr(kind, "_agentops_destination", None) or kind.__name__

    def send(self, spans: Sequence[ReadableSpan], timeout: float) -> Reply:
        """One call of `export()`; what it raises, whatever it is, means that the spans did not arrive."""
        try:
            result = self._exporter.export(tuple(spans))
        except BaseException as error:
            return Reply(Verdict.DROPPED, f"export() raised {type(error).__name__}")
        if result is SpanExportResult.FAILURE:
            return Reply(Verdict.DROPPED, "export() returned FAILURE")
        return Reply(Verdict.ACCEPTED)

    def send_events(self, events: Sequence[LogEvent], resource: Resource, timeout: float) -> Reply:
        """A span exporter takes no logs."""
        return Reply(Verdict.UNSUPPORTED)

    def flush(self, timeout: float) -> bool:
        """The exporter's own force_flush()."""
        return self._exporter.force_flush(int(timeout * 1000)) is not False

    def abandon(self) -> bool:
        """export() of one exporter is never called twice at a time."""
        return False

    def reset(self) -> None:
        """The user's exporter looks after itself."""

    def close(self) -> None:
        """The exporter's own shutdown()."""
        self._exporter.shutdown()
