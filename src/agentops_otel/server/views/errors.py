"""What went wrong, by cause: how often, what became of it, what the agent did next, and what it cost."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from ...failures import passing
from ...rows import ErrorFate, SessionRow, SpanRow
from ...tree import Tree
from ..export import csv_text
from ..page import Asked, Download, page
from ..period import before, stretch
from ..store import ErrorGroup, Facets, Figures, Filter, Moved, Store

_SESSIONS: Final = 5
_PIECES: Final = 7
_LONGEST_NS: Final = 600 * 10**9
_HEAD: Final = (
    "fingerprint",
    "type",
    "message",
    "kind",
    "where",
    "count",
    "fatal",
    "recovered",
    "open",
    "sessions",
    "failed_sessions",
    "cost_of_failed_usd",
    "seconds_of_failed",
    "next",
)


@dataclass(frozen=True, slots=True)
class Cause:
    """Errors with one fingerprint."""

    group: ErrorGroup
    """Without its times and fates."""
    message: tuple[tuple[str, bool], ...]
    """The message of the last one in pieces, and whether each differs from time to time."""
    pieces: tuple[tuple[int, int], ...]
    """Errors that nothing recovered, and recovered ones, in equal parts of the period."""
    new: bool
    """Whether it is seen in this period for the first time."""
    next: str
    """What was done next most often, and how often that worked."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The last error of a cause."""

    fingerprint: str
    session_id: str
    span: SpanRow | None
    """Without its body; None when it is no longer there."""
    stack: str
    arguments: str | None
    """None when no content was captured."""
    asked_by: SpanRow | None
    """The call of a model that asked for the tool."""
    turn: int
    """The number of that call in its session."""
    sessions: Sequence[SessionRow]
    """The last ones with it."""


@dataclass(frozen=True, slots=True)
class ErrorsPage:
    """The page of errors."""

    figures: Figures
    """Of all fates."""
    before: Figures | None
    """Of the period of equal length before; None for all time."""
    trend: Sequence[Figures]
    fatal_sessions: int
    recovered_sessions: int
    failed: Figures
    """Of the sessions that failed."""
    failed_trend: Sequence[Figures]
    facets: Facets
    fate: ErrorFate | None
    """The one that is shown; None: all."""
    sort: str
    descending: bool
    causes: Sequence[Cause]
    new_causes: Sequence[str]
    """Types of those that are new."""
    start_ns: int
    end_ns: int
    sample: Sample | None

    @property
    def most(self) -> int:
        """Errors in the fullest part of any cause, for one scale."""
        return max((sum(piece) for cause in self.causes for piece in cause.pieces), default=0)

    @property
    def errors(self) -> int:
        """Of all fates."""
        return self.figures.fatal_errors + self.figures.recovered_errors + self.figures.open_errors


_SORTS: Final[Mapping[str, Callable[[ErrorGroup], Any]]] = {
    "fatal": lambda group: (group.fatal + group.open, group.count),
    "recovered": lambda group: group.recovered,
    "sessions": lambda group: group.sessions,
    "lost": lambda group: group.cost_of_failed,
    "first": lambda group: group.first_ns,
    "last": lambda group: group.last_ns,
}


@page("/errors", "errors.html")
def errors(asked: Asked) -> ErrorsPage:
    """The causes of errors; ``show`` is the fingerprint of the one whose last error is shown whole."""
    store, whole = asked.store, replace(asked.where, fates=())
    fates: Sequence[ErrorFate] = asked.where.fates
    fate = fates[-1] if fates else None
    shown = stretch(store, whole, asked.now_ns)
    groups = [group for group in store.errors(whole) if fate is None or getattr(group, fate)]
    sort = asked.one("sort") if asked.one("sort") in _SORTS else "fatal"
    descending = asked.one("order") != "asc"
    groups.sort(key=lambda group: group.last_ns, reverse=True)
    groups.sort(key=_SORTS[sort], reverse=descending)
    known = _known_before(store, whole)
    step = (shown.end_ns - shown.start_ns) / _PIECES
    edges = [shown.start_ns + step * piece for piece in range(1, _PIECES)]
    causes = [_cause(group, edges, new=known is not None and group.fingerprint not in known) for group in groups]
    earlier = before(whole, asked.now_ns)
    failed = replace(whole, states=("fail",)) if not whole.states or "fail" in whole.states else None
    return ErrorsPage(
        figures=store.figures(whole),
        before=store.figures(earlier) if earlier else None,
        trend=store.figures_over_time(whole, shown.edges_ns, percentiles=False),
        fatal_sessions=store.figures(replace(whole, fates=("fatal",))).sessions,
        recovered_sessions=store.figures(replace(whole, fates=("recovered",))).sessions,
        failed=store.figures(failed) if failed else Figures(),
        failed_trend=store.figures_over_time(failed, shown.edges_ns, percentiles=False) if failed else (),
        facets=store.facets(whole),
        fate=fate,
        sort=sort,
        descending=descending,
        causes=causes,
        new_causes=[cause.group.type for cause in causes if cause.new],
        start_ns=shown.start_ns,
        end_ns=shown.end_ns,
        sample=_sample(store, whole, groups, asked.query.get("show")),
    )


@page("/errors.csv", "")
def errors_csv(asked: Asked) -> Download:
    """The causes as a table."""
    rows = [
        (
            group.fingerprint,
            group.type,
            group.message,
            group.kind,
            group.label,
            group.count,
            group.fatal,
            group.recovered,
            group.open,
            group.sessions,
            group.failed_sessions,
            group.cost_of_failed,
            group.time_of_failed_ns / 1e9,
            cause.next,
        )
        for cause in errors(asked).causes
        for group in (cause.group,)
    ]
    return Download("errors.csv", "text/csv", csv_text(_HEAD, rows))


def _known_before(store: Store, where: Filter) -> set[str] | None:
    """The fingerprints of errors before the period; None for all time, in which nothing is new."""
    if where.since_ns is None:
        return None
    return {group.fingerprint for group in store.errors(replace(where, since_ns=None, until_ns=where.since_ns))}


def _cause(group: ErrorGroup, edges_ns: Sequence[float], *, new: bool) -> Cause:
    pieces = [[0, 0] for _ in range(_PIECES)]
    for time_ns, fate in zip(group.times_ns, group.fates, strict=False):
        pieces[bisect_right(edges_ns, time_ns)][fate == "recovered"] += 1
    return Cause(
        group=replace(group, times_ns=(), fates=()),
        message=passing(group.message),
        pieces=tuple((fatal, recovered) for fatal, recovered in pieces),
        new=new,
        next=what_next(group),
    )


def what_next(group: ErrorGroup) -> str:
    """One sentence of what was done next most often, such as ``same call again, 8 of 8 failed``."""
    if not group.moves:
        return ""
    most = max(group.moves, key=lambda moved: moved.count)
    said = _said(most, group)
    if most.move in {"answer", "nothing"}:
        return f"{said}, {most.count:,} of {sum(moved.count for moved in group.moves):,}"
    if not most.worked:
        return f"{said}, {most.count:,} of {most.count:,} failed"
    later = f", {_seconds(most.after_ns)} later" if group.kind == "llm" and most.after_ns < _LONGEST_NS else ""
    return f"{said}, worked {most.worked:,} of {most.count:,}{later}"


def _said(moved: Moved, group: ErrorGroup) -> str:
    if moved.move == "same call":
        return "retry" if group.kind == "llm" else "same call again"
    if moved.move == "other arguments":
        return "other arguments"
    if moved.move == "other tool":
        return f"{moved.label} instead" if moved.label else "another one"
    return "answered without it" if moved.move == "answer" else "nothing more"


def _seconds(ns: int) -> str:
    return f"{ns / 1e6:.0f}\u202fms" if ns < 10**9 else f"{ns / 1e9:.1f}\u202fs"


def _sample(store: Store, where: Filter, groups: Iterable[ErrorGroup], show: Sequence[str] | None) -> Sample | None:
    """The last error of the cause that is asked for; of the first one when none is; of none for ``show=-``."""
    group = next((group for group in groups if show is None or group.fingerprint == show[-1]), None)
    if group is None:
        return None
    span = store.span(group.last_session_id, group.last_span_id, where.project)
    asked_by, turn = (None, 0) if span is None else _asked_by(span, store.spans(group.last_session_id))
    body = span.body if span else None
    return Sample(
        fingerprint=group.fingerprint,
        session_id=group.last_session_id,
        span=replace(span, body=None) if span else None,
        stack=(body.stack or "") if body else "",
        arguments=body.arguments if body else None,
        asked_by=asked_by,
        turn=turn,
        sessions=store.sessions(replace(where, errors=(group.fingerprint,)), limit=_SESSIONS).rows,
    )


def _asked_by(span: SpanRow, spans: Sequence[SpanRow]) -> tuple[SpanRow | None, int]:
    """The last call of a model before a tool that asks for it, and its number among the calls."""
    calls = Tree(spans).calls()
    for number in range(len(calls), 0, -1):
        call = calls[number - 1]
        if call.start_ns <= span.start_ns and span.label in call.calls:
            return call, number
    return None, 0
