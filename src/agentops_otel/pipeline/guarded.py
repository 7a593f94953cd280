"""What our provider does to keep the peace: span processors that raise, calls on spans that have ended.

OpenTelemetry lets what they raise out of `start_span()` and `end()`, into the program's own code. Where the provider is
the program's own that stays so: it was there before us.
"""

from __future__ import annotations

import logging

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, SynchronousMultiSpanProcessor

from .. import guard
from ..clock import monotonic


class GuardedProcessors(SynchronousMultiSpanProcessor):
    """All processors of a provider: one that raises is reported, and the others are called all the same."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._processors: tuple[SpanProcessor, ...] = ()

    def add_span_processor(self, span_processor: SpanProcessor) -> None:
        """Call it after those that are there."""
        super().add_span_processor(span_processor)
        self._processors += (span_processor,)

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Tell each."""
        for processor in self._processors:
            try:
                processor.on_start(span, parent_context=parent_context)
            except Exception:
                _report(processor, "on_start")

    def _on_ending(self, span: Span) -> None:
        """A private name of newer SDKs; older ones never call it."""
        for processor in self._processors:
            try:
                processor._on_ending(span)  # noqa: SLF001
            except Exception:
                _report(processor, "_on_ending")

    def on_end(self, span: ReadableSpan) -> None:
        """Tell each."""
        for processor in self._processors:
            try:
                processor.on_end(span)
            except Exception:
                _report(processor, "on_end")

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Flush one after the other, by a clock that nobody sets; the SDK goes by the one on the wall."""
        deadline = monotonic() + timeout_millis / 1000
        flushed = True
        for processor in self._processors:
            left = int((deadline - monotonic()) * 1000)
            try:
                flushed = left > 0 and processor.force_flush(left) is not False and flushed
            except Exception:
                _report(processor, "force_flush")
                flushed = False
        return flushed


class LateCalls(logging.Filter):
    """Puts the SDK's warnings of calls on a span that has ended on debug level.

    The first end wins and the late call changes nothing: with a session around many libraries that is no news.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is shown."""
        if record.levelno != logging.WARNING or not str(record.msg).endswith("ended span."):
            return True
        record.levelno, record.levelname = logging.DEBUG, "DEBUG"
        return logging.getLogger(record.name).isEnabledFor(logging.DEBUG)


def _report(theirs: object, method: str) -> None:
    guard.report(f"{type(theirs).__qualname__}.{method}()", ours=False)
