"""Tools for tests of agents: spans in memory, ids and times that are the same in every run.

With pytest the fixture `agentops_session` gives a test a `captured_session()`; it is in `agentops_otel_pytest`.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from unittest import mock

from opentelemetry.sdk import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator

from . import api, events, semconv, timestamps

if TYPE_CHECKING:
    from typing_extensions import Self

_PATIENCE: Final = 30.0  # seconds; on a busy machine a thread that only copies spans may wait for long

__all__ = ["SequentialClock", "SequentialIdGenerator", "SpanCapture", "captured_session"]


class SpanCapture(SpanExporter):
    """A span exporter that keeps finished spans in memory.

    Args:
        flush: called before the spans are read, to bring in those that wait in a batch.
    """

    _agentops_destination = "the memory of this program"

    def __init__(self, flush: Callable[[], object] | None = None) -> None:
        self._flush = flush
        self._lock = threading.Lock()
        self._spans: list[ReadableSpan] = []

    @property
    def spans(self) -> list[ReadableSpan]:
        """The finished spans, in the order in which they ended; a copy."""
        if self._flush is not None:
            self._flush()
        with self._lock:
            return list(self._spans)

    def find(self, name: str) -> ReadableSpan:
        """The first finished span of that name.

        Raises:
            LookupError: there is none; the message names those there are.
        """
        spans = self.spans
        for span in spans:
            if span.name == name:
                return span
        raise LookupError(f"no span {name!r} among {[span.name for span in spans]}")

    def tree(self, attributes: Iterable[str] = (), *, durations: bool = False) -> str:
        """The finished spans as indented text, a line for each, children in the order in which they started.

        A line is the name, the kind in brackets (`agentops.span.kind`, else OpenTelemetry's), the status unless unset,
        then the chosen attributes that the span has.

        Args:
            attributes: the attributes to show.
            durations: show each span's duration in milliseconds; not the same in every run.
        """
        return _tree(self.spans, tuple(attributes), durations=durations)

    def clear(self) -> None:
        """Forget the spans, those that still wait in a batch too."""
        if self._flush is not None:
            self._flush()
        with self._lock:
            self._spans.clear()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Keep the spans."""
        with self._lock:
            self._spans.extend(spans)
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """Nothing to release; the spans stay readable."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Nothing waits here: True."""
        return True


class SequentialIdGenerator(IdGenerator):
    """Trace and span ids 1, 2, 3...: ``TracerProvider(id_generator=SequentialIdGenerator())``.

    A session's own ids are not made by the provider: the session's id decides them.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._trace_id = 0
        self._span_id = 0

    def generate_trace_id(self) -> int:
        """The next trace id."""
        with self._lock:
            self._trace_id += 1
            return self._trace_id

    def generate_span_id(self) -> int:
        """The next span id."""
        with self._lock:
            self._span_id += 1
            return self._span_id

    def is_trace_id_random(self) -> bool:
        """False: these ids are not random."""
        return False


class SequentialClock:
    """A clock that moves by `step_ns` each time it is read; inside ``with clock:`` spans and events are timed by it.

    Args:
        start_ns: nanoseconds since 1970 of the first reading.
        step_ns: nanoseconds between two readings.
    """

    def __init__(self, start_ns: int = 1_700_000_000_000_000_000, step_ns: int = 1_000_000) -> None:
        self.step_ns = step_ns
        self._lock = threading.Lock()
        self._next_ns = start_ns
        self._installed = contextlib.ExitStack()

    def __call__(self) -> int:
        """The time in nanoseconds since 1970."""
        with self._lock:
            now, self._next_ns = self._next_ns, self._next_ns + self.step_ns
            return now

    def __enter__(self) -> Self:
        # The SDK has no door for a clock; this is the name under which it reads the time, from 1.34 to this day.
        self._installed.enter_context(mock.patch.object(trace, "time_ns", self))
        for module in (events, timestamps):
            self._installed.enter_context(mock.patch.object(module, "time_ns", self))
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._installed.close()


def _tree(spans: Sequence[ReadableSpan], attributes: tuple[str, ...], *, durations: bool) -> str:
    known = {_id(span) for span in spans}
    children: dict[int | None, list[ReadableSpan]] = {}
    for span in sorted(spans, key=lambda span: span.start_time or 0):
        parent = span.parent.span_id if span.parent is not None and span.parent.span_id in known else None
        children.setdefault(parent, []).append(span)
    lines: list[str] = []
    waiting = [(span, 0) for span in reversed(children.get(None, []))]
    while waiting:
        span, depth = waiting.pop()
        lines.append("  " * depth + _line(span, attributes, durations=durations))
        waiting.extend((child, depth + 1) for child in reversed(children.get(_id(span), [])))
    return "\n".join(lines)


def _line(span: ReadableSpan, attributes: tuple[str, ...], *, durations: bool) -> str:
    own = span.attributes or {}
    words = [span.name, f"[{own.get(semconv.SPAN_KIND) or span.kind.name.lower()}]"]
    if not span.status.is_unset:
        words.append(span.status.status_code.name)
    if durations and span.start_time is not None and span.end_time is not None:
        words.append(f"{(span.end_time - span.start_time) / 1e6:.3f}ms")
    words += [f"{name}={_shown(own[name])}" for name in attributes if name in own]
    return " ".join(words)


def _shown(value: Any) -> str:
    return repr(list(value)) if isinstance(value, tuple) else repr(value)


def _id(span: ReadableSpan) -> int:
    context = span.get_span_context()
    return context.span_id if context is not None else 0


@contextlib.contextmanager
def captured_session() -> Iterator[SpanCapture]:
    """A session for the length of a `with` block; the value is the `SpanCapture` that its spans go to.

    Set up as by `init()` and taken down by `shutdown()`, before the block too, should the tested program have called
    `init()` when it was imported. The session ends as ``Success`` unless the block ended it. Nothing is sent or written
    anywhere.
    """
    api.shutdown()
    with mock.patch.dict(os.environ, {"AGENTOPS_JOURNAL": "off"}):
        for variable in ("AGENTOPS_SESSION_ID", "TRACEPARENT"):
            os.environ.pop(variable, None)  # the session of the process that runs the tests is not joined
        capture = SpanCapture(partial(api.flush, _PATIENCE))
        try:
            api.init(exporter=capture, summary=False, auto_start_session=True, env_data_opt_out=True)
            yield capture
            if api.current_session() is not None:
                api.end_session("Success")
        finally:
            api.shutdown()
