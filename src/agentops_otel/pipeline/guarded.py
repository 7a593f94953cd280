"""What our provider does to keep the peace: processors and exceptions that raise, calls on spans that have ended.

OpenTelemetry lets what they raise out of `start_span()` and `end()`, into the program's own code. Where the provider is
the program's own that stays so: it was there before us.
"""

from __future__ import annotations

import functools
import logging
import sys
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, SynchronousMultiSpanProcessor
from opentelemetry.trace import Status, StatusCode

from .. import guard, semconv
from ..clock import monotonic
from ..text import shown, stacktrace_of


class GuardedProcessors(SynchronousMultiSpanProcessor):
    """All processors of a provider: one that raises is reported, and the others are called all the same.

    Attributes:
        sole: the only one; None where there are none or several.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._processors: tuple[SpanProcessor, ...] = ()
        self.sole: SpanProcessor | None = None

    def add_span_processor(self, span_processor: SpanProcessor) -> None:
        """Call it after those that are there."""
        super().add_span_processor(span_processor)
        self._processors += (span_processor,)
        self.sole = span_processor if len(self._processors) == 1 else None

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
        """Flush one after the other, by the monotonic clock; the SDK uses the wall clock, which can be set."""
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


class GuardedSpan(Span):
    """A span on which an exception is recorded whatever its own code does, when it is asked for its text, say.

    OpenTelemetry writes that text into the span while it handles the exception, and what is raised then would reach the
    program in the exception's place.
    """

    def record_exception(
        self,
        exception: BaseException,
        attributes: Any = None,
        timestamp: int | None = None,
        escaped: bool = False,  # noqa: FBT001, FBT002  (OpenTelemetry's signature)
    ) -> None:
        """As the SDK does it, and with what can be read where it cannot."""
        try:
            super().record_exception(exception, attributes, timestamp, escaped)
        except Exception:
            self.add_event(semconv.EXCEPTION_EVENT, {**_read(exception), **(attributes or {})}, timestamp)

    def is_recording(self) -> bool:
        """Whether it is; not for `use_span()` that handles an exception without a text, which then is recorded here.

        It has nothing else between it and the text that could be ours.
        """
        error = sys.exc_info()[1]
        if error is None or not super().is_recording():
            return super().is_recording()
        asking = sys._getframe(1)  # noqa: SLF001  (there is no other way to know who asks)
        if asking.f_globals.get("__name__") != trace.__name__ or _has_text(error):
            return True
        given = asking.f_locals
        self._fail(
            error,
            record=given.get("record_exception", True),
            set_status=given.get("set_status_on_exception", True),
        )
        return False

    def __exit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        """As the SDK does it."""
        if exc_val is None or _has_text(exc_val):
            super().__exit__(exc_type, exc_val, exc_tb)
            return
        if super().is_recording():
            chosen = vars(self)  # (the SDK's own names: without them, what is its default)
            self._fail(
                exc_val,
                record=chosen.get("_record_exception", True),
                set_status=chosen.get("_set_status_on_exception", True),
            )
        self.end()

    def _fail(self, error: BaseException, *, record: bool, set_status: bool) -> None:
        try:
            if record:
                self.record_exception(error)
            if set_status:
                self.set_status(Status(StatusCode.ERROR, type(error).__name__))
        except Exception:
            guard.report("the recording of an exception", ours=False)


def guarded(span: trace.Span) -> trace.Span:
    """The same span, guarded where it is one of the SDK's."""
    if isinstance(span, Span):
        try:
            span.__class__ = _guarded_class(type(span))
        except TypeError:  # of a release whose spans have another layout
            guard.report("the guard of a span")
    return span


@functools.cache
def _guarded_class(kind: type) -> type:
    return kind if issubclass(kind, GuardedSpan) else type(kind.__name__, (GuardedSpan, kind), {})


def _has_text(error: BaseException) -> bool:
    try:
        f"{type(error).__name__}: {error}"  # as OpenTelemetry does it
    except Exception:
        return False
    return True


def _read(error: BaseException) -> Mapping[str, str]:
    """The attributes of an `exception` event, as far as the exception lets itself be read."""
    attributes = {semconv.EXCEPTION_TYPE: type(error).__qualname__, semconv.EXCEPTION_MESSAGE: shown(error)}
    stacktrace = stacktrace_of(error)
    return {**attributes, semconv.EXCEPTION_STACKTRACE: stacktrace} if stacktrace else attributes


class LateCalls(logging.Filter):
    """Puts the SDK's warnings of calls on a span that has ended on debug level.

    The first end counts and the late call changes nothing. With many libraries in one session that is common.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is shown."""
        if record.levelno != logging.WARNING or not str(record.msg).endswith("ended span."):
            return True
        record.levelno, record.levelname = logging.DEBUG, "DEBUG"
        return logging.getLogger(record.name).isEnabledFor(logging.DEBUG)


def _report(theirs: object, method: str) -> None:
    guard.report(f"{type(theirs).__qualname__}.{method}()", ours=False)
