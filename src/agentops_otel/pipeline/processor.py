"""The span processor of sessions: stamps what belongs to a session, counts it, cleans it and hands it to its pipeline.

One processor sits on the provider for the life of the process; sessions come and go in it by their trace id. A span in
a session's trace is that session's; a span in another trace belongs to the session that is current where it starts.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Protocol

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.trace import SpanContext, TraceFlags, get_current_span

from .. import clock, guard, pricing, semconv, text
from ..clock import corrected
from ..conversation import Conversation
from ..dialects.spending import spending
from ..redaction import Redactor, in_hook
from ..span_copy import SpanCopy
from ..totals import Totals
from .nesting import STEP, Nesting, is_foreign

_SESSION_ID_LENGTH: Final = 36
_MOST_RETIRED: Final = 256
_MOST_FOREIGN: Final = 10_000
# Newer SDKs call `_on_ending()` of every processor before `on_end()` of the first one.
_IS_TOLD_OF_ENDING: Final = hasattr(SpanProcessor, "_on_ending")


class Recorder(Protocol):
    """Where finished spans go: a pipeline."""

    def record(self, span: ReadableSpan, session: SessionSpans | None = None) -> None:
        """Take a finished span that is clean, and count it in the `recorded` of its session."""


class SessionSpans:
    """What the processor keeps of one session.

    Attributes:
        recorder: where its finished spans go; None when the host's provider exports them: they are only stamped and
            priced.
        recorded: how many spans have gone there.
    """

    __slots__ = (
        "_parents", "conversation", "recorded", "recorder", "redactor", "root_span_id", "session_id", "totals",
        "trace_id",
    )  # fmt: skip

    def __init__(
        self, session_id: str, trace_id: int, root_span_id: int, recorder: Recorder | None, redactor: Redactor
    ) -> None:
        self.session_id: str = session_id
        self.trace_id: int = trace_id
        self.root_span_id: int = root_span_id
        self.recorder: Recorder | None = recorder
        self.redactor: Redactor = redactor
        self._parents: frozenset[int] = frozenset()  # ids of spans that are the parent process's to end
        self._begin()

    def _begin(self) -> None:
        self.totals: Totals = Totals()
        self.conversation: Conversation = Conversation()
        self.recorded: int = 0

    def after_fork(self) -> None:
        """In a forked child: what was counted and what is open is the parent's."""
        self._parents = frozenset((*self._parents, *self.totals.open_ids(), self.root_span_id))
        self._begin()

    def finish(self, span: ReadableSpan) -> None:
        """Count a span that has ended; clean it and give it to the recorder, unless the parent process will do so."""
        context = span.context
        if context is None:
            return
        span_id, flags = context[1], context[3]  # (its properties are calls)
        self.totals.end(span, span_id)
        if not flags & TraceFlags.SAMPLED or span_id in self._parents:
            return
        if self.recorder is None:
            self.conversation.note(span.attributes)
        else:
            _record(span, self.recorder, self.redactor, self)


class SessionSpanProcessor(SpanProcessor):
    """See the module.

    Args:
        current_trace_id: the trace id of the session that is current in a context, or None.
    """

    def __init__(self, current_trace_id: Callable[[Context | None], int | None]) -> None:
        self._current_trace_id = current_trace_id
        self._keep({})
        self.foreign: dict[tuple[int, int], SessionSpans] = {}
        """Open spans of other traces that belong to a session, by trace and span id."""
        self._sessionless: tuple[Recorder, Redactor] | None = None
        self._nesting = Nesting()
        self._retired: deque[SessionSpans] = deque()
        self._ending = threading.local()
        self.flush: Callable[[float], bool] = lambda seconds: True
        """What `force_flush()` of the provider does; set by who owns the pipelines."""

    def _keep(self, sessions: dict[int, SessionSpans]) -> None:
        self._sessions = sessions
        self.session: Callable[[int], SessionSpans | None] = sessions.get
        """The session of a trace."""

    def follower(self) -> SessionSpanProcessor:
        """A processor for another provider: of its spans, those in the traces of our sessions take part in them."""
        other = SessionSpanProcessor(lambda context: None)
        other._keep(self._sessions)
        other.flush = lambda seconds: self.flush(seconds)  # noqa: PLW0108  (which is replaced later)
        return other

    def add(self, session: SessionSpans) -> None:
        """Take part in a session from now on."""
        self._sessions[session.trace_id] = session

    def retire(self, session: SessionSpans) -> None:
        """The session has ended.

        Spans of it that end later still reach its pipeline, as long as few sessions came after it.
        """
        self._retired.append(session)
        while len(self._retired) > _MOST_RETIRED:
            old = self._retired.popleft()
            if self._sessions.get(old.trace_id) is old:
                del self._sessions[old.trace_id]

    def sessionless(self, recorder: Recorder | None, redactor: Redactor) -> None:
        """Send spans outside every session here, or nowhere."""
        self._sessionless = None if recorder is None else (recorder, redactor)

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Stamp the span of a session and begin to count it."""
        try:
            self._on_start(span, parent_context)
        except Exception:
            guard.report("the start of a span")

    def _on_start(self, span: Span, parent_context: Context | None) -> None:
        context = span.get_span_context()
        session = self._sessions.get(context.trace_id)
        if session is None:
            current = self._current_trace_id(parent_context)
            session = self._sessions.get(current) if current is not None else None
            if session is None:
                if self._sessionless is not None and is_foreign(span):
                    self._nesting.start(span, parent_context)
                return
            if len(self.foreign) >= _MOST_FOREIGN:  # spans that nobody ends must not fill the memory
                self.foreign.pop(next(iter(self.foreign)), None)
            self.foreign[context.trace_id, context.span_id] = session
        inside = None
        if is_foreign(span):
            span.set_attribute(semconv.SESSION_ID, session.session_id)
            inside = self._nesting.start(span, parent_context)
        if inside is not None and inside.repeats():
            session.totals.begin(span, context.span_id, {}, clock.offset())  # (as no call)
        elif context.span_id != session.root_span_id:
            session.totals.on_start(span)
            if self.foreign:
                self.place(session, context)

    def place(self, session: SessionSpans, context: SpanContext) -> None:
        """Tell the totals of the span in which one of a session's trace starts, where that is in another trace."""
        around = get_current_span().get_span_context()
        if (
            context.trace_id == session.trace_id != around.trace_id
            and (around.trace_id, around.span_id) in self.foreign
        ):
            session.totals.place(context.span_id, around.span_id)

    def _on_ending(self, span: Span) -> None:
        """A private name of the SDK; where it does not exist, the same is done in `on_end()`."""
        self._complete(span)

    def _complete(self, span: ReadableSpan) -> None:
        """Correct the end, put back what the attribute limit dropped, add the cost where no exporter of ours will.

        A span that says a call a second time becomes a step.
        """
        try:
            session = self._of(span)
            if session is not None or self._sessionless is not None:
                _correct_end(span, session)
            if self._nesting.is_step(span, None if session is None else session.totals):
                _write(span, STEP, without=spending(span.attributes or ()))
            if session is None:
                return
            missing = self._identity(span, session) if _may_have_lost(span) else {}
            if session.recorder is None and semconv.COST_AMOUNT not in (span.attributes or {}):
                cost = pricing.span_cost(span.attributes or {})
                if cost is not None:
                    missing.update(pricing.attributes(cost))
            if missing:
                _write(span, missing)
        except Exception:
            guard.report("the completion of a span")

    def on_end(self, span: ReadableSpan, session: SessionSpans | None = None) -> None:
        """Let the session of a span finish it; `session` is given by a leaf, which knows it."""
        # A garbage collection in here may end another span in this very thread, while a lock of the batcher is held:
        # let it wait.
        waiting = getattr(self._ending, "spans", None)
        if waiting is not None:
            if in_hook():  # the user's hook has made it, and no lock is held: at once, while we know that
                self._finish(span, session)
            else:
                waiting.append((span, session))
            return
        self._ending.spans = waiting = []
        try:
            self._finish(span, session)
            while waiting:
                self._finish(*waiting.pop(0))
        finally:
            self._ending.spans = None

    def _finish(self, span: ReadableSpan, session: SessionSpans | None) -> None:
        try:
            if session is None:
                self._finish_found(span)
            else:
                session.finish(span)
        except Exception:
            guard.report("the end of a span")

    def _finish_found(self, span: ReadableSpan) -> None:
        """Find the session of a span of the SDK's, and what its limits have cost it."""
        context = span.get_span_context()
        if context is None:
            return
        if not _IS_TOLD_OF_ENDING:
            self._complete(span)
        session = self._of(span)
        self.foreign.pop((context.trace_id, context.span_id), None)
        recorded = self._nesting.end(span, None if session is None else session.totals)
        if recorded is None:
            if session is not None:
                session.totals.forget(context.span_id)
            return
        span = recorded
        if session is None:
            if self._sessionless is not None and context.trace_flags.sampled:
                _record(span, *self._sessionless)
            return
        missing = self._identity(span, session) if _may_have_lost(span) else None
        if missing:  # the SDK's span could not be changed, so ours goes on as a copy
            span = SpanCopy(span, attributes={**(span.attributes or {}), **missing})
        session.finish(span)

    @staticmethod
    def _identity(span: ReadableSpan, session: SessionSpans) -> dict[str, Any]:
        """What a span must have to be found again and has lost."""
        attributes, context = span.attributes or {}, span.get_span_context()
        identity: dict[str, Any] = {semconv.SESSION_ID: session.session_id}
        kind = None if context is None else session.totals.open_kind(context.span_id)
        if kind is not None:
            identity[semconv.SPAN_KIND] = kind
        found = attributes.get(semconv.SESSION_ID, "")
        cut = found != session.session_id and session.session_id.startswith(str(found))
        return {
            name: value
            for name, value in identity.items()
            if name not in attributes or (cut and name == semconv.SESSION_ID)
        }

    def _of(self, span: ReadableSpan) -> SessionSpans | None:
        context = span.get_span_context()
        if context is None:
            return None
        return self._sessions.get(context.trace_id) or self.foreign.get((context.trace_id, context.span_id))

    def shutdown(self) -> None:
        """Nothing to do: pipelines are closed by their owner, and the processor outlives them for a later `init()`."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Flush the sessions' pipelines, so that the provider's own `force_flush()` means what it says."""
        return self.flush(timeout_millis / 1000)


def _may_have_lost(span: ReadableSpan) -> bool:
    """Whether limits of the SDK may have cost a span what it is found by."""
    longest = text.longest()
    return bool(span.dropped_attributes) or (longest is not None and longest < _SESSION_ID_LENGTH)


def _correct_end(span: ReadableSpan, session: SessionSpans | None) -> None:
    """A clock that was set meanwhile makes a span neither longer nor shorter, and none ends before it starts."""
    start, end, context = span.start_time, span.end_time, span.get_span_context()
    if not isinstance(start, int) or not isinstance(end, int) or context is None:
        return
    offset = None if session is None else session.totals.clock_offset(context.span_id)
    right = max(start, end if offset is None else corrected(end, offset))
    if right != end and hasattr(span, "_end_time"):
        span._end_time = right  # noqa: SLF001  (as for `_write()`, there is no public way)


def _record(span: ReadableSpan, recorder: Recorder, redactor: Redactor, session: SessionSpans | None = None) -> None:
    try:
        clean = redactor.clean(span)
    except BaseException:  # Ctrl-C in the user's hook: it passes, and the span is kept
        recorder.record(redactor.hide(span), session)
        raise
    if session is not None:
        session.conversation.note(clean.attributes)
    recorder.record(clean, session)


def _write(span: ReadableSpan, attributes: Mapping[str, Any], *, without: Iterable[str] = ()) -> None:
    """Change an ended span, for all processors to see; nothing happens where the SDK keeps its attributes otherwise.

    The SDK has no public way to do it: it forbids changes before it tells the first processor of the end.
    """
    held: Any = getattr(span, "_attributes", None)
    locked = getattr(held, "_immutable", None)
    if locked is None:
        return
    held._immutable = False  # noqa: SLF001
    try:
        for name in without:
            del held[name]
        for name, value in attributes.items():
            held[name] = value
    finally:
        held._immutable = locked  # noqa: SLF001
