"""Which spans of a large session a view reads with their bodies: only those that it shows."""

from __future__ import annotations

from ...rows import SpanRow
from .run import Run, key_of
from .session import Tab
from .story import STEPS
from .tables import PAGE
from .waterfall import waterfall

_CALLS_BEFORE = 20
"""Calls before one whose messages tell which of its own are new."""
_MOST_ERRORS = 200
_STEPS = frozenset({"llm", "tool", "action", "agent", "workflow", "error"})


def wanted(
    run: Run,
    tab: Tab | None,
    *,
    selected: str | None = None,
    at: int | None = None,
    offset: int = 0,
    under: str | None = None,
) -> set[str]:
    """The ids of the spans whose bodies a view shows.

    Args:
        run: the session, without bodies.
        tab: the view.
        selected: the span whose panel is open.
        at: the step of the replay.
        offset: of the raw view.
        under: only the rows of the waterfall inside of this one.
    """
    chosen = run.by_id.get(selected) if selected else None
    found = before(run, chosen) if chosen is not None else set()
    if tab == "story":
        steps = [span.span_id for span in run.order if span.kind in _STEPS]
        found.update(steps[:STEPS])
    elif tab == "waterfall":
        rows = waterfall(run, selected=selected, under=under).rows
        found.update(run.by_id[row.id].span_id for row in rows if row.kind in {"tool", "action"})
    elif tab == "replay":
        position = len(run.calls) if at is None else at
        found |= _around(run, min(max(position, 1), len(run.calls)) - 1)
    elif tab == "calls":
        found.update(call.span.span_id for call in run.calls[:STEPS])
    elif tab == "raw":
        found.update(span.span_id for span in run.tree.spans[offset : offset + PAGE])
    if tab in {"story", "errors"}:
        for error in list(run.origins.values())[:_MOST_ERRORS]:
            span = run.tree.by_key[error.trace_id, error.span_id]
            found |= {span.span_id, run.failures.place(span).span_id}
    return found


def before(run: Run, span: SpanRow) -> set[str]:
    """The ids of a span and of the calls before it that tell which of its messages are new."""
    found = {span.span_id}
    position = next((at for at, call in enumerate(run.calls) if key_of(call.span) == key_of(span)), None)
    if position is not None:
        found |= _around(run, position)
        found.update(call.span.span_id for call in run.calls[max(0, position - _CALLS_BEFORE) : position])
    return found


def _around(run: Run, position: int) -> set[str]:
    """A call, and the one before it by the same agent."""
    if not 0 <= position < len(run.calls):
        return set()
    shown = run.calls[position].span
    found = {shown.span_id}
    for at in range(position - 1, -1, -1):
        span = run.calls[at].span
        if run.speaker(span) == run.speaker(shown):
            found.add(span.span_id)
            break
    return found
