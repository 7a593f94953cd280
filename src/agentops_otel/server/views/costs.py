"""What the models cost: by day, by class of token, by model, agent, tag, tool, session; and the calls without a price.

Every amount is a sum over leaf LLM calls, made by the store from the rows of its sessions: the sum of the models, the
figures here and the column of the list of sessions are one number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, get_args

from ... import pricing
from ...rows import ModelUse
from ...usage import Usage
from ..address import Address
from ..export import csv_text
from ..page import Asked, Download, action, page
from ..period import Stretch, Unit, before, stretch
from ..problem import Problem
from ..split import Split, split, together
from ..spread import Spread, spread
from ..store import Figures, Filter, Price, Store, UseOfModel
from ..svg.chart import span_name

By = Literal["model", "agent", "tag", "tool", "name", "day"]
_TOP: Final = 3
"""The models that have a shade of their own in the chart of days."""
_FOR_EVER: Final = 10**9
"""Hours of a bucket that holds everything: the times of single calls are read only without buckets."""
_RATES: Final = ("input", "output", "cache_read", "cache_write")
_HEAD: Final = (
    "name",
    "provider",
    "sessions",
    "calls",
    "failed_calls",
    "unpriced_calls",
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
    "cost_usd",
    "median_seconds",
    "p95_seconds",
)


@dataclass(frozen=True, slots=True)
class CostRow:
    """What one model, agent, tag, tool, session name or day used."""

    name: str
    provider: str
    """Of a model."""
    sessions: int | None
    """None where it is not known."""
    calls: int
    failed: int
    usage: Usage
    cost: float
    unpriced: int
    """Calls without a known price, which are in no sum."""
    split: Split
    duration: Spread
    output_per_second: float | None
    """Tokens put out in a second of the calls' time."""
    since_ns: int | None = None
    """Of a day."""
    until_ns: int | None = None
    """Of a day; None of the last one while the period has no end."""

    @property
    def known_cost(self) -> float | None:
        """The cost; None when there were calls and none could be priced."""
        return None if self.unpriced and self.unpriced == self.calls else self.cost

    @property
    def a_session(self) -> float | None:
        """The mean cost of a session."""
        return self.cost / self.sessions if self.sessions and self.known_cost is not None else None


@dataclass(frozen=True, slots=True)
class Column:
    """What an hour, day, week, month or year cost; by when its sessions began."""

    start_ns: int
    until_ns: int | None
    """None of the last one while the period has no end."""
    cost: float
    parts: tuple[float, ...]
    """Of each of `CostsPage.top`, then of all others."""


@dataclass(frozen=True, slots=True)
class Unpriced:
    """A model with calls that have no price."""

    provider: str
    model: str
    calls: int
    tokens: int | None
    """None when some of its calls have a price."""


@dataclass(frozen=True, slots=True)
class CostsPage:
    """The page of costs."""

    figures: Figures
    before: Figures | None
    """Of the period of equal length before; None for all time."""
    trend: Sequence[Figures]
    failed: Figures
    """Of the sessions that failed."""
    failed_trend: Sequence[Figures]
    split: Split
    unit: Unit
    columns: Sequence[Column]
    top: Sequence[str]
    """The models that cost most."""
    others: int
    """How many more there are."""
    by: By
    overlaps: bool
    """Whether a session may count in several rows, so that they do not add up to `total`."""
    sort: str
    descending: bool
    rows: Sequence[CostRow]
    total: CostRow
    priced_calls: int
    unpriced: Sequence[Unpriced]
    prices: Sequence[Price]
    """Those that were set here."""
    price_table: str
    """The version of genai-prices that is installed."""

    @property
    def timed(self) -> bool:
        """Whether the durations of the rows are known."""
        return any(row.duration.p50_ns is not None for row in self.rows)


_SORTS: Final[Mapping[str, Callable[[CostRow], Any]]] = {
    "name": lambda row: (row.since_ns or 0, row.name.lower()),
    "calls": lambda row: row.calls,
    "in": lambda row: row.usage.input_tokens,
    "out": lambda row: row.usage.output_tokens,
    "reasoning": lambda row: row.usage.reasoning_tokens,
    "cost": lambda row: row.cost,
    "session": lambda row: row.a_session or 0.0,
    "median": lambda row: row.duration.p50_ns or 0,
    "p95": lambda row: row.duration.p95_ns or 0,
    "rate": lambda row: row.output_per_second or 0.0,
    "failed": lambda row: row.failed / row.calls if row.calls else 0.0,
}


@page("/costs", "costs.html")
def costs(asked: Asked) -> CostsPage:
    """What the sessions of a filter cost; ``by`` is model, agent, tag, tool, name or day."""
    store, where = asked.store, asked.where
    shown = stretch(store, where, asked.now_ns)
    rates = Rates(store.prices())
    of_models = store.costs(where)
    figures = store.figures(where)
    total = replace(cost_row("All", of_models, rates), sessions=figures.sessions)
    top = _top(of_models)
    by = _by(asked)
    columns, days = _columns(store, where, shown, top, rates, hours=0 if by == "day" else _FOR_EVER)
    rows = days if by == "day" else _rows(store, where, by, of_models, rates)
    sort = asked.one("sort") if asked.one("sort") in _SORTS else "name" if by == "day" else "cost"
    descending = asked.one("order", "asc" if sort == "name" else "desc") != "asc"
    earlier = before(where, asked.now_ns)
    failed = _failed(where)
    return CostsPage(
        figures=figures,
        before=store.figures(earlier) if earlier else None,
        trend=store.figures_over_time(where, shown.edges_ns, percentiles=False),
        failed=store.figures(failed) if failed else Figures(),
        failed_trend=store.figures_over_time(failed, shown.edges_ns, percentiles=False) if failed else (),
        split=total.split,
        unit=shown.unit,
        columns=columns,
        top=top,
        others=len({one.use.model for one in of_models}) - len(top),
        by=by,
        overlaps=by in {"agent", "tag", "tool"},
        sort=sort,
        descending=descending,
        rows=sorted(sorted(rows, key=_SORTS["name"]), key=_SORTS[sort], reverse=descending),
        total=total,
        priced_calls=total.calls - total.unpriced,
        unpriced=_unpriced(of_models),
        prices=store.prices(),
        price_table=pricing.table_version(),
    )


@page("/costs.csv", "")
def costs_csv(asked: Asked) -> Download:
    """The rows of the page as a table."""
    shown = costs(asked)
    rows = [
        (
            row.name,
            row.provider,
            row.sessions,
            row.calls,
            row.failed,
            row.unpriced,
            row.usage.input_tokens,
            row.usage.cache_read_tokens,
            row.usage.cache_write_tokens,
            row.usage.output_tokens,
            row.usage.reasoning_tokens,
            row.known_cost,
            None if row.duration.p50_ns is None else row.duration.p50_ns / 1e9,
            None if row.duration.p95_ns is None else row.duration.p95_ns / 1e9,
        )
        for row in shown.rows
    ]
    return Download(f"costs-by-{shown.by}.csv", "text/csv", csv_text(_HEAD, rows))


@action("/prices")
def set_price(asked: Asked) -> str:
    """Price the calls of a model that no table knows: ``provider``, ``model``, and US dollars per million tokens."""
    form = {name: values[-1].strip() for name, values in asked.form.items() if values}
    if not form.get("model"):
        raise Problem(400, "The price names no model.", "Nothing was changed.", "Give model, input and output.")
    rates = {name: _rate(name, form.get(name, "")) for name in _RATES}
    paid_in, paid_out = rates["input"], rates["output"]
    if paid_in is None or paid_out is None:
        raise Problem(400, "The price is not whole.", "Nothing was changed.", "Give both input and output; free is 0.")
    price = Price(
        provider=form.get("provider", ""),
        model=form["model"],
        input=paid_in,
        output=paid_out,
        cache_read=rates["cache_read"],
        cache_write=rates["cache_write"],
        set_ns=asked.now_ns,
    )
    asked.store.set_price(price)
    return ("/costs" + Address(asked.query).having()).rstrip("?")


def _rate(name: str, text: str) -> float | None:
    if not text:
        return None
    try:
        rate = float(text)
    except ValueError:
        rate = math.nan
    if not 0 <= rate < math.inf:
        raise Problem(400, f"{name}={text[:40]} is not a price.", "Nothing was changed.", "Give US dollars, 0 or more.")
    return rate


# --------------------------------------------------------------------------------------------------------- the rows


class Rates:
    """What models cost today: the prices that were set here, else those of the table. Each model is looked up once."""

    def __init__(self, prices: Sequence[Price] = ()) -> None:
        self._set = {(price.provider, price.model): price for price in prices}
        self._known: dict[tuple[str, str], Mapping[str, float] | None] = {}

    def of(self, provider: str, model: str) -> Mapping[str, float] | None:
        """US dollars per million tokens of each class; None when nobody knows."""
        key = provider, model
        if key not in self._known:
            self._known[key] = pricing.rates(provider, model) or self._own(provider, model)
        return self._known[key]

    def _own(self, provider: str, model: str) -> Mapping[str, float] | None:
        price = self._set.get((provider, model)) or self._set.get(("", model))
        if price is None:
            return None
        read, write = price.cache_read, price.cache_write
        return {
            "input": price.input,
            "cache_read": price.input if read is None else read,
            "cache_write": price.input if write is None else write,
            "output": price.output,
        }


def cost_row(name: str, uses: Iterable[UseOfModel], rates: Rates, *, provider: str = "") -> CostRow:
    """The sum of uses as a row."""
    every = [one.use for one in uses]
    usage = sum((use.usage for use in every), Usage())
    duration_ns = sum(use.duration_ns for use in every)
    return CostRow(
        name=name,
        provider=provider,
        sessions=None,
        calls=sum(use.calls for use in every),
        failed=sum(use.failed for use in every),
        usage=usage,
        cost=math.fsum(use.cost for use in every),
        unpriced=sum(use.unpriced for use in every),
        split=together(split(use, rates.of(use.provider, use.model)) for use in every),
        duration=spread(duration for use in every for duration in use.durations_ns),
        output_per_second=usage.output_tokens / (duration_ns / 1e9) if duration_ns and usage.output_tokens else None,
    )


def _rows(store: Store, where: Filter, by: By, of_models: Sequence[UseOfModel], rates: Rates) -> list[CostRow]:
    if by == "model":
        return [
            replace(cost_row(one.use.model, [one], rates, provider=one.use.provider), sessions=one.sessions)
            for one in of_models
        ]
    groups: dict[str, list[UseOfModel]] = {}
    for one in store.costs(where, by="name" if by == "day" else by):
        groups.setdefault(one.by, []).append(one)
    found = store.facets(where)
    counted = {"agent": found.agents, "tag": found.tags, "tool": found.tools}.get(by, ())
    sessions = {facet.value: facet.sessions for facet in counted}
    return [replace(cost_row(name, uses, rates), sessions=sessions.get(name)) for name, uses in groups.items()]


def _columns(
    store: Store, where: Filter, shown: Stretch, top: Sequence[str], rates: Rates, *, hours: int
) -> tuple[list[Column], list[CostRow]]:
    """The columns of the chart, and the same as rows. What lies beyond an open end is in the column at that end."""
    columns, days = [], []
    for start, end in shown.columns():
        since = where.since_ns if start == shown.start_ns else start
        until = where.until_ns if end == shown.end_ns else end
        uses = store.costs(replace(where, since_ns=since, until_ns=until), hours=hours)
        parts = [math.fsum(one.use.cost for one in uses if one.use.model == model) for model in top]
        row = replace(cost_row(span_name(start, shown.unit), uses, rates), since_ns=start, until_ns=until)
        columns.append(Column(start, until, row.cost, (*parts, max(0.0, row.cost - math.fsum(parts)))))
        days.append(row)
    return columns, days


def _top(uses: Sequence[UseOfModel]) -> list[str]:
    costs: dict[str, float] = {}
    for one in uses:
        costs[one.use.model] = costs.get(one.use.model, 0.0) + one.use.cost
    return [model for model in sorted(costs, key=lambda model: (-costs[model], model)) if costs[model] > 0][:_TOP]


def _unpriced(uses: Sequence[UseOfModel]) -> list[Unpriced]:
    return sorted(
        (
            Unpriced(use.provider, use.model, use.unpriced, _tokens(use))
            for use in (one.use for one in uses)
            if use.unpriced
        ),
        key=lambda one: -one.calls,
    )


def _tokens(use: ModelUse) -> int | None:
    return use.usage.input_tokens + use.usage.output_tokens if use.unpriced == use.calls else None


def _failed(where: Filter) -> Filter | None:
    """The sessions of a filter that failed; None when it leaves those out."""
    if where.states and "fail" not in where.states:
        return None
    return replace(where, states=("fail",))


def _by(asked: Asked) -> By:
    given = asked.one("by")
    return next((by for by in get_args(By) if by == given), "model")
