"""The list of sessions: six figures of those that a filter leaves, ways to filter further, and a page of rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any, Final, cast, get_args

from ...rows import Score, SessionRow, State, Strip
from .. import demo
from ..address import Address, Period, segment
from ..counts import Received
from ..format import decimals
from ..page import Asked, Missing, action, page
from ..period import before, stretch
from ..store import Facet, Figures, Filter, SessionList, Sort, Store

LIMIT: Final = 50
_MOST: Final = 500
_FEWEST: Final = 3
"""Sessions of which a line makes sense."""
_SORTS: Final = get_args(Sort)
_MENUS: Final = (
    ("Agent", "agent", "agents"),
    ("Model", "model", "models"),
    ("Tool", "tool", "tools"),
    ("Tag", "tag", "tags"),
    ("Error", "error", "errors"),
    ("Host", "host", "hosts"),
)
"""Label, name in the query, field of `Filter` and of `Facets`."""
_ALL: Final = Filter()
_FIELDS: Final = {
    "q": "text",
    "state": "states",
    **{name: of for _, name, of in _MENUS},
    "fate": "fates",
    "since": "since_ns",
    "until": "until_ns",
    "project": "project",
}
"""Name in the query, field of `Filter`."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A session in the list."""

    session_id: str
    trace_id: str
    """The first trace."""
    name: str
    state: State
    reason: str | None
    """Why it ended so, where that is known."""
    start: str
    """ISO 8601, UTC."""
    duration: float
    """Seconds, to the end or to the last thing known."""
    llm_calls: int
    tool_calls: int
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    """Of the input tokens."""
    cost: float | None
    """US dollars, sum of the priced calls; None when there were calls and none has a price."""
    errors: int
    """All of them."""
    recovered_errors: int
    """Of the errors."""
    tags: tuple[str, ...]
    asked: str
    ending: str
    """One sentence: the answer, the error, what it does now, its last act."""
    ending_since_ns: int | None
    """Of a running session: since when it does what `ending` says."""
    fatal_errors: int
    open_errors: int
    """Of a running session: those of which nothing is known yet."""
    priced_calls: int
    unpriced_calls: int
    started_ns: int
    duration_ns: int
    llm_ns: int
    tool_ns: int
    own_ns: int
    strip: Strip
    hosts: tuple[str, ...]
    score: float | None
    """The mean of the values of `scores`; None when none has one."""
    scores: tuple[Score, ...]
    """The last one of each name, of the session as a whole."""

    @property
    def known_cost(self) -> float | None:
        """The cost."""
        return self.cost

    @classmethod
    def of(cls, row: SessionRow, now_ns: int) -> Listed:
        """What the list shows of a session; a running one lasts until now."""
        duration_ns = max(0, now_ns - row.started_ns) if row.state == "running" else row.duration_ns
        return cls(
            session_id=row.session_id,
            trace_id=row.trace_id,
            name=row.name,
            state=row.state,
            reason=row.reason,
            start=_utc(row.started_ns),
            duration=duration_ns / 1e9,
            llm_calls=row.llm_calls,
            tool_calls=row.tool_calls,
            input_tokens=row.usage.input_tokens,
            output_tokens=row.usage.output_tokens,
            cache_read_tokens=row.usage.cache_read_tokens,
            cost=row.known_cost,
            errors=row.fatal_errors + row.open_errors + row.recovered_errors,
            recovered_errors=row.recovered_errors,
            tags=row.tags,
            asked=row.asked,
            ending=row.ending,
            ending_since_ns=row.ending_since_ns if row.state == "running" else None,
            fatal_errors=row.fatal_errors,
            open_errors=row.open_errors,
            priced_calls=row.priced_calls,
            unpriced_calls=row.unpriced_calls,
            started_ns=row.started_ns,
            duration_ns=duration_ns,
            llm_ns=row.llm_ns,
            tool_ns=row.tool_ns,
            own_ns=row.own_ns,
            strip=row.strip,
            hosts=tuple(dict.fromkeys(each.host for each in row.processes if each.host)),
            score=row.score,
            scores=row.last_scores(),
        )


@dataclass(frozen=True, slots=True)
class Trends:
    """The figures over the period, in equal parts, oldest first; None where a part has no such number."""

    sessions: Sequence[float] = ()
    success: Sequence[float | None] = ()
    """Share of those that ended."""
    cost: Sequence[float] = ()
    tokens: Sequence[float] = ()
    median_ns: Sequence[float | None] = ()
    errors: Sequence[float] = ()
    """Fatal ones."""


@dataclass(frozen=True, slots=True)
class Menu:
    """A field by which the list can be filtered. Its values are a page of their own: few people open a menu."""

    label: str
    name: str
    """In the query."""
    chosen: Sequence[str]


@dataclass(frozen=True, slots=True)
class FacetsPage:
    """The values of one field of the sessions that a filter leaves, most frequent first."""

    field: str
    """In the query."""
    values: Sequence[Facet]
    """Without this field's own filter, so that another value can be chosen."""
    chosen: Sequence[str]


@dataclass(frozen=True, slots=True)
class Hidden:
    """How many sessions there were without one part of the filter."""

    name: str
    """In the query."""
    values: Sequence[str]
    sessions: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a box says that has no session yet."""

    endpoint: str
    """For OTLP over HTTP, without a path."""
    grpc_endpoint: str
    """Empty where gRPC is not served."""
    port: str
    received: Received


@dataclass(frozen=True, slots=True)
class SessionsPage:
    """A page of the list."""

    sessions: Sequence[Listed]
    total: int
    """Sessions that the filter leaves."""
    first: int
    """Number of the first row in the list, from 1; 0 when there is none."""
    next: str | None
    """Cursor of the next page."""
    previous: str | None
    sort: Sort
    descending: bool
    limit: int
    figures: Figures
    before: Figures | None
    """Of the same time before the period; None for all time, or when nothing was there."""
    states: Figures
    """The figures without the filter of states, for their chips."""
    menus: Sequence[Menu]
    trends: Trends
    period: Period
    longest_ns: int
    """Of the sessions on this page."""
    decimals: int
    """Of the longest cost on this page."""
    scored: bool = False
    """Whether a session on this page has a score, or the scores are the order."""
    hidden: Sequence[Hidden] = ()
    """Only when no session is left."""
    waiting: Waiting | None = None
    """Only when there is no session at all."""


@page("/", "sessions.html")
def sessions(asked: Asked) -> SessionsPage:
    """The sessions that a filter leaves, newest first unless another order is asked for."""
    store, where = asked.store, asked.where
    sort = cast("Sort", asked.one("sort")) if asked.one("sort") in _SORTS else "started"
    descending = asked.one("order") != "asc"
    limit = _number(asked.one("limit"), LIMIT, _MOST)
    found = store.sessions(where, sort=sort, descending=descending, limit=limit, cursor=asked.one("cursor") or None)
    address = Address(asked.query)
    rows = tuple(Listed.of(row, asked.now_ns) for row in found.rows)
    is_empty = not found.total and not store.sessions(_ALL, limit=1).total
    figures = store.figures(where)
    return SessionsPage(
        sessions=rows,
        total=found.total,
        first=_first(found, asked),
        next=found.next,
        previous=found.previous,
        sort=sort,
        descending=descending,
        limit=limit,
        figures=figures,
        before=_before(store, where, asked.now_ns),
        states=store.figures(_without(where, "state")) if where.states else figures,
        menus=tuple(Menu(label, name, address.values(name)) for label, name, _ in _MENUS),
        trends=_trends(store, where, asked.now_ns) if figures.sessions >= _FEWEST else Trends(),
        period=address.period,
        longest_ns=max((row.duration_ns for row in rows), default=0),
        decimals=max((decimals(row.cost) for row in rows if row.llm_calls), default=0),
        scored=sort == "score" or any(row.scores for row in rows),
        hidden=() if found.total or is_empty else _hidden(store, where, address),
        waiting=_waiting(asked) if is_empty else None,
    )


@page("/facets", "facets.html")
def facets(asked: Asked) -> FacetsPage:
    """The values of the field that ``field`` names: agent, model, tool, tag, error or host."""
    name = asked.one("field", "agent")
    of = {name: of for _, name, of in _MENUS}.get(name)
    if of is None:
        raise Missing(f"There are no values of {name[:40]}. Ask for one of agent, model, tool, tag, error and host.")
    found: Sequence[Facet] = getattr(asked.store.facets(_without(asked.where, name)), of)
    return FacetsPage(name, found, Address(asked.query).values(name))


@action("/demo")
def load_demo(asked: Asked) -> str:
    """Load the recorded sessions, and go to the one that is worth a look."""
    ids = demo.load(asked.store, asked.now_ns)
    return f"/s/{segment(ids[1])}"


def _utc(ns: int) -> str:
    moment = datetime.fromtimestamp(min(max(ns, 0) / 1e9, 2e11), timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _number(text: str, default: int, most: int) -> int:
    return min(max(1, int(text)), most) if text.isascii() and text.isdigit() and len(text) < 12 else default


def _first(found: SessionList, asked: Asked) -> int:
    """A page that begins with a cursor does not know its place; the link to it does."""
    if not found.rows:
        return 0
    return _number(asked.one("at"), 1, found.total) if asked.one("cursor") else 1


def _before(store: Store, where: Filter, now_ns: int) -> Figures | None:
    earlier = before(where, now_ns)
    figures = store.figures(earlier) if earlier else None
    return figures if figures and figures.sessions else None


def _trends(store: Store, where: Filter, now_ns: int) -> Trends:
    parts = store.figures_over_time(where, stretch(store, where, now_ns).edges_ns)
    return Trends(
        sessions=[part.sessions for part in parts],
        success=[part.success / ended if (ended := part.sessions - part.running) else None for part in parts],
        cost=[part.cost for part in parts],
        tokens=[part.usage.input_tokens + part.usage.output_tokens for part in parts],
        median_ns=[part.median_ns for part in parts],
        errors=[part.fatal_errors for part in parts],
    )


def _without(where: Filter, name: str) -> Filter:
    """A filter without what one name of the query says."""
    empty: dict[str, Any] = {_FIELDS[name]: getattr(_ALL, _FIELDS[name])}
    return replace(where, **empty)


def _hidden(store: Store, where: Filter, address: Address) -> list[Hidden]:
    return [
        Hidden(name, address.values(name), store.sessions(_without(where, name), limit=1).total)
        for name in _FIELDS
        if address.values(name)
    ]


def _waiting(asked: Asked) -> Waiting:
    endpoint = asked.box.endpoint or "http://127.0.0.1:4318"
    return Waiting(
        endpoint=endpoint,
        grpc_endpoint=asked.box.grpc_endpoint,
        port=endpoint.rpartition(":")[2],
        received=asked.box.counts.read(asked.now_ns),
    )
