"""LLM spans of other tracers that lie inside or around a call of ours, and say it a second time.

Inside an open call of ours another tracer's LLM span is the same call again: it is not recorded, and what lies below it
hangs one higher. Around a call it is a wrapper: it is recorded as a step, without tokens and without a cost; but with
a tool or an agent between them it is another call, which has asked for what makes ours. What our pipelines get is
always right. Exporters of the program's own cannot be kept from a span; they get the inner one as a
step, too.
"""

from __future__ import annotations

from typing import Any, Final

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import Span, SpanContext, get_current_span

from .. import semconv
from ..dialects.kinds import kind_in
from ..dialects.spending import spending
from ..redaction import plain_dict
from ..span_copy import SpanCopy
from ..totals import Totals

STEP: Final = {semconv.SPAN_KIND: semconv.KIND_STEP}
"""What an LLM span becomes that is no call of its own; it loses tokens and cost."""
_MOST_INSIDE: Final = 10_000


class Inside:
    """A span of another tracer inside a call of ours.

    Args:
        span: the span.
        call: the call.
        above: the span of another tracer between them, if there is one.
    """

    __slots__ = ("_repeats", "above", "call", "has_below", "span")

    def __init__(self, span: ReadableSpan, call: SpanContext, above: Inside | None) -> None:
        self.span = span
        self.call = call
        self.above = above
        self.has_below = False  # whether a span is recorded that names it as its parent
        self._repeats = False

    def repeats(self) -> bool:
        """Whether it says the call again; some tracers say what a span is only at its end."""
        self._repeats = self._repeats or _says_a_call(self.span)
        return self._repeats

    def is_left_out(self) -> bool:
        """Whether it is not recorded: it says the call again, and has done so before anything below it ended."""
        return self.repeats() and not self.has_below

    def parent(self) -> SpanContext | None:
        """The parent as it is recorded: the nearest span above that is not left out."""
        above = self.above
        while above is not None and above.is_left_out():
            above = above.above
        if above is None:
            return self.call
        above.has_below = True
        return above.span.get_span_context()


class Nesting:
    """The open spans of other tracers inside calls of ours, and what becomes of spans of other tracers that end."""

    def __init__(self) -> None:
        self._inside: dict[int, Inside] = {}  # by span id

    def start(self, span: ReadableSpan, context: Context | None) -> Inside | None:
        """Note a span of another tracer that starts in a context; None when it is not inside a call."""
        parent, own = span.parent, span.get_span_context()
        if parent is None or parent.is_remote or own is None:
            return None
        above = self._inside.get(parent.span_id)
        if above is None and not _is_open_call(get_current_span(context)):
            return None
        if len(self._inside) >= _MOST_INSIDE:  # spans that nobody ends must not fill the memory
            self._inside.pop(next(iter(self._inside), 0), None)
        inside = Inside(span, parent if above is None else above.call, above)
        self._inside[own.span_id] = inside
        return inside

    def is_step(self, span: ReadableSpan, totals: Totals | None) -> bool:
        """Whether an LLM span of another tracer, which is about to end, is no call of its own."""
        context = span.get_span_context()
        if context is None or not is_foreign(span):
            return False
        inside = self._inside.get(context.span_id)
        if inside is not None:
            return inside.repeats()
        return totals is not None and _says_a_call(span) and totals.wraps_a_call(span, context.span_id)

    def end(self, span: ReadableSpan, totals: Totals | None) -> ReadableSpan | None:
        """A span that has ended as it is recorded; None when it is left out."""
        context = span.get_span_context()
        if context is None or not is_foreign(span):
            return span
        changes: dict[str, Any] = {}
        if _says_a_call(span) and self.is_step(span, totals):  # (where it could not be changed itself)
            changes["attributes"] = _as_step(span)
        inside = self._inside.pop(context.span_id, None)
        if inside is not None:
            if inside.is_left_out():
                return None
            parent = inside.parent()
            if parent != span.parent:
                changes["parent"] = parent
        return SpanCopy(span, **changes) if changes else span


def is_foreign(span: ReadableSpan) -> bool:
    """Whether another tracer has made a span."""
    scope = span.instrumentation_scope
    return scope is None or scope.name != semconv.SCOPE_NAME


def _as_step(span: ReadableSpan) -> dict[str, Any]:
    attributes = plain_dict(span.attributes)
    for name in spending(attributes):
        del attributes[name]
    return attributes | STEP


def _says_a_call(span: ReadableSpan) -> bool:
    return kind_in(plain_dict(span.attributes)) == semconv.KIND_LLM


def _is_open_call(span: Span) -> bool:
    return (
        isinstance(span, ReadableSpan)
        and span.end_time is None
        and not is_foreign(span)
        and (span.attributes or {}).get(semconv.SPAN_KIND) == semconv.KIND_LLM
    )
