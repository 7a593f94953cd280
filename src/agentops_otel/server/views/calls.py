"""What the pages of tools and of models have in common: rows of calls, and the slowest of one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, TypeVar

from ...rows import SessionRow, SpanRow
from ...usage import Usage
from ..page import Asked
from ..period import before, stretch
from ..spread import Scale, Spread, scale
from ..store import Example, Facets, Figures, Filter, Store, UseOfModel, UseOfTool
from ..words import called

_SESSIONS: Final = 5
_LONGEST: Final = 200


@dataclass(frozen=True, slots=True)
class CallsRow:
    """The calls of one tool or model."""

    name: str
    provider: str
    """Of a model."""
    sessions: int
    calls: int
    failed: int
    recovered: int | None
    """Failed calls that a later one made good; None of a model."""
    repeated: int | None
    """Calls with the same arguments as one before in their session; None of a model."""
    time_ns: int
    """Sum over the calls that ended."""
    spread: Spread
    counts: tuple[int, ...]
    """How many calls are in each step of the page's scale."""
    measured: int
    """Calls that `spread` and `counts` are made of."""
    usage: Usage | None = None
    """Of a model."""
    cost: float | None = None
    """Of a model; None when none of its calls could be priced."""
    first_token_ns: int | None = None
    """Median time to the first token, of a model."""
    output_per_second: float | None = None
    """Tokens put out in a second of the calls' time, of a model."""

    @property
    def success(self) -> float:
        """The share of calls that did not fail."""
        return 1 - self.failed / self.calls if self.calls else 1.0


@dataclass(frozen=True, slots=True)
class Slow:
    """One slow call."""

    session_id: str
    span: SpanRow
    """Without its body."""
    said: str
    """What a tool was called with, what a model answered; at most 200 characters."""


@dataclass(frozen=True, slots=True)
class Slowest:
    """The slowest calls of one tool or model, and the last sessions that used it."""

    name: str
    examples: Sequence[Slow]
    sessions: Sequence[SessionRow]


@dataclass(frozen=True, slots=True)
class CallsPage:
    """The page of tools, or of models."""

    kind: Literal["tool", "llm"]
    figures: Figures
    before: Figures | None
    """Of the period of equal length before; None for all time."""
    trend: Sequence[Figures]
    rows: Sequence[CallsRow]
    scale: Scale
    sort: str
    descending: bool
    facets: Facets
    slowest: Slowest | None

    @property
    def calls(self) -> int:
        """Of all rows."""
        return sum(row.calls for row in self.rows)

    @property
    def failed(self) -> int:
        """Of all rows."""
        return sum(row.failed for row in self.rows)

    @property
    def time_ns(self) -> int:
        """Of all rows."""
        return sum(row.time_ns for row in self.rows)

    def most(self, name: str) -> CallsRow | None:
        """The row with the most of a field."""
        return max(self.rows, key=lambda row: getattr(row, name) or 0, default=None)


Use = TypeVar("Use", UseOfModel, UseOfTool)


def calls_page(
    asked: Asked, kind: Literal["tool", "llm"], uses: Sequence[Use], row: Callable[[Use, Scale], CallsRow]
) -> CallsPage:
    """The page of what the sessions of a filter used; ``show`` is the one whose slowest calls are shown."""
    store, where = asked.store, asked.where
    whole = scale(duration for one in uses for duration in one.use.durations_ns)
    sort, descending, rows = _ordered(asked, [row(one, whole) for one in uses])
    name = _shown_name(asked, rows)
    earlier = before(where, asked.now_ns)
    return CallsPage(
        kind=kind,
        figures=store.figures(where),
        before=store.figures(earlier) if earlier else None,
        trend=store.figures_over_time(where, stretch(store, where, asked.now_ns).edges_ns, percentiles=False),
        rows=rows,
        scale=whole,
        sort=sort,
        descending=descending,
        facets=store.facets(where),
        slowest=None if name is None else _slowest(store, where, kind, name),
    )


def _slowest(store: Store, where: Filter, kind: Literal["tool", "llm"], name: str) -> Slowest:
    """The slowest calls of one tool or model."""
    used = replace(where, tools=(name,)) if kind == "tool" else replace(where, models=(name,))
    examples = [
        Slow(one.session_id, one.span, _said(store, one, where.project)[:_LONGEST])
        for one in store.slowest(where, kind, name)
    ]
    return Slowest(name, examples, store.sessions(used, limit=_SESSIONS).rows)


def _said(store: Store, example: Example, project: str | None) -> str:
    span = example.span
    if span.kind == "llm":
        return span.answered or (f"asks for {', '.join(span.calls)}" if span.calls else span.asked or span.name)
    whole = store.span(example.session_id, span.span_id, project)
    arguments = whole.body.arguments if whole and whole.body else None
    return f"{span.label}({called(arguments)})" if arguments else span.name


SORTS: Final[Mapping[str, Callable[[CallsRow], Any]]] = {
    "name": lambda row: row.name.lower(),
    "sessions": lambda row: row.sessions,
    "calls": lambda row: row.calls,
    "failed": lambda row: row.failed / row.calls if row.calls else 0.0,
    "repeated": lambda row: row.repeated or 0,
    "time": lambda row: row.time_ns,
    "p50": lambda row: row.spread.p50_ns or 0,
    "p95": lambda row: row.spread.p95_ns or 0,
    "p99": lambda row: row.spread.p99_ns or 0,
    "first": lambda row: row.first_token_ns or 0,
    "rate": lambda row: row.output_per_second or 0.0,
    "cost": lambda row: row.cost or 0.0,
}


def _ordered(asked: Asked, rows: Sequence[CallsRow]) -> tuple[str, bool, list[CallsRow]]:
    """The order that is asked for, whether it is descending, and the rows in it."""
    sort = asked.one("sort") if asked.one("sort") in SORTS else "calls"
    descending = asked.one("order", "asc" if sort == "name" else "desc") != "asc"
    return sort, descending, sorted(sorted(rows, key=SORTS["name"]), key=SORTS[sort], reverse=descending)


def _shown_name(asked: Asked, rows: Sequence[CallsRow]) -> str | None:
    """Whose slowest calls are shown: the one that is asked for, else the first; none for ``show=-``."""
    show = asked.query.get("show")
    return next((row.name for row in rows if show is None or row.name == show[-1]), None)
