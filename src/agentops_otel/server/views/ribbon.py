"""The ribbon of a session: its time above, its money below, and which time cost which money."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from ...figures import format_count
from ...rows import ErrorFate, SpanRow
from ...strip import shape
from ...summarize import Call
from .run import Run
from .session import Mention, Money, Ribbon

_LEAST: Final = 0.002
"""The share of the width that is two pixels of a page of 1,000."""
_PLACES: Final = 500
"""Ticks of errors that can be told apart."""
_MOST_OPEN: Final = 3
_WORK: Final = frozenset({"tool", "action"})


def ribbon(run: Run) -> Ribbon:
    """The ribbon of a session."""
    money = _money(run)
    return Ribbon(
        duration_ns=run.length_ns,
        # Spans may have arrived after the session's row was read: its cost is then too small to be the whole.
        cost=max(run.row.cost, money[-1].before + money[-1].cost) if money else run.row.cost,
        time=_time(run),
        money=money,
        errors=_errors(run),
        running=run.running,
        slowest=_slowest(run),
        dearest=_dearest(run),
        open=_open(run),
        after_error=_after_error(run),
    )


def _time(run: Run) -> tuple[tuple[Literal["llm", "tool", "own"], int, int], ...]:
    times = shape(run.tree, run.began_ns, run.end_ns)
    parts: list[tuple[Literal["llm", "tool", "own"], int, int]] = []
    parts += [("llm", run.at(start), run.at(end)) for start, end in times.llm]
    parts += [("tool", run.at(start), run.at(end)) for start, end in times.tool]
    parts += [("own", run.at(start), run.at(end)) for start, end in times.own()]
    return tuple(sorted(parts, key=lambda part: part[1]))


def _money(run: Run) -> tuple[Money, ...]:
    """A band for each call; those that are too small to be seen in time and in money are one for each model."""
    seen: list[list[Call]] = []
    small: dict[str, list[Call]] = {}
    for call in run.calls:
        if call.cost is None and not call.usage:
            continue
        if _is_small(run, call):
            group = small.setdefault(run.title(call.span), [])
            if not group:
                seen.append(group)
            group.append(call)
        else:
            seen.append([call])
    bands: list[Money] = []
    before = 0.0
    for calls in seen:
        band = _band(run, calls, before)
        before += band.cost
        bands.append(band)
    return tuple(bands)


def _is_small(run: Run, call: Call) -> bool:
    share_of_time = (run.until(call.span) - run.start(call.span)) / run.length_ns if run.length_ns else 0.0
    share_of_cost = (call.cost or 0.0) / run.row.cost if run.row.cost else 0.0
    return share_of_time < _LEAST and share_of_cost < _LEAST


def _band(run: Run, calls: Sequence[Call], before: float) -> Money:
    spans = [call.span for call in calls]
    label = run.title(spans[0])
    several = f"{format_count(len(calls))} calls of {label}"
    return Money(
        id=run.id(spans[0]),
        title=several if len(calls) > 1 else run.call_name(spans[0]),
        label=label,
        start_ns=min(map(run.start, spans)),
        end_ns=max(map(run.until, spans)),
        duration_ns=sum(run.until(span) - run.start(span) for span in spans),
        cost=sum(call.cost or 0.0 for call in calls),
        before=before,
        calls=len(calls),
    )


def _errors(run: Run) -> tuple[tuple[int, ErrorFate, str], ...]:
    """A tick for each error; of those at one place of the picture the first of each fate."""
    ticks: dict[tuple[int, ErrorFate], tuple[int, ErrorFate, str]] = {}
    for error in run.origins.values():
        at = run.at(error.time_ns)
        place = at * _PLACES // max(run.length_ns, 1)
        ticks.setdefault((place, error.fate), (at, error.fate, run.ids[error.trace_id, error.span_id]))
    return tuple(ticks.values())


def _working(run: Run) -> list[SpanRow]:
    return [span for span in run.tree.spans if span.kind in _WORK or run.is_call(span)]


def _slowest(run: Run) -> Mention | None:
    """The call or tool that took longest; not one that is around others."""
    ended = [span for span in _working(run) if span.end_ns is not None and not run.tree.has_llm_below(span)]
    if len(ended) < 2:
        return None
    span = max(ended, key=lambda span: (span.duration_ns or 0, -span.start_ns))
    return Mention(run.id(span), _short_name(run, span), span.duration_ns, note="failed" if span.failed else "")


def _dearest(run: Run) -> Mention | None:
    priced = [call for call in run.calls if call.cost]
    if len(priced) < 2:
        return None
    call = max(priced, key=lambda call: (call.cost or 0.0, -call.span.start_ns))
    return Mention(run.id(call.span), _short_name(run, call.span), cost=call.cost)


def _open(run: Run) -> tuple[Mention, ...]:
    if not run.running:
        return ()
    spans = [span for span in _working(run) if span.end_ns is None]
    return tuple(Mention(run.id(span), _short_name(run, span), since_ns=span.start_ns) for span in spans[-_MOST_OPEN:])


def _short_name(run: Run, span: SpanRow) -> str:
    return run.call_name(span).replace(", turn", " turn")


def _after_error(run: Run) -> tuple[float, float] | None:
    first = next((error for error in run.origins.values() if error.fate == "fatal"), None)
    if run.row.state != "fail" or first is None or not run.length_ns:
        return None
    spent = sum(call.cost or 0.0 for call in run.calls if call.span.start_ns >= first.time_ns)
    of_cost = spent / run.row.cost if run.row.cost else 0.0
    return 1 - run.at(first.time_ns) / run.length_ns, of_cost
