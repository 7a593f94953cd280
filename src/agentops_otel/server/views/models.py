"""The models that were called: how often, how long until the first token and the last, how well, for how much."""

from __future__ import annotations

from ..page import Asked, page
from ..period import before, stretch
from ..spread import Scale, scale, spread
from ..store import UseOfModel
from .calls import CallsPage, CallsRow, ordered, shown_name, slowest


@page("/models", "models.html")
def models(asked: Asked) -> CallsPage:
    """The models of the sessions of a filter; ``show`` is the one whose slowest calls are shown."""
    store, where = asked.store, asked.where
    uses = store.costs(where)
    whole = scale(duration for one in uses for duration in one.use.durations_ns)
    sort, descending, rows = ordered(asked, [_row(one, whole) for one in uses])
    name = shown_name(asked, rows)
    earlier = before(where, asked.now_ns)
    return CallsPage(
        kind="llm",
        figures=store.figures(where),
        before=store.figures(earlier) if earlier else None,
        trend=store.figures_over_time(where, stretch(store, where, asked.now_ns).edges_ns, percentiles=False),
        rows=rows,
        scale=whole,
        sort=sort,
        descending=descending,
        facets=store.facets(where),
        slowest=None if name is None else slowest(store, where, "llm", name),
    )


def _row(one: UseOfModel, whole: Scale) -> CallsRow:
    use = one.use
    out = use.usage.output_tokens
    return CallsRow(
        name=use.model,
        provider=use.provider,
        sessions=one.sessions,
        calls=use.calls,
        failed=use.failed,
        recovered=None,
        repeated=None,
        time_ns=use.duration_ns,
        spread=spread(use.durations_ns),
        counts=whole.counts(use.durations_ns),
        measured=len(use.durations_ns),
        usage=use.usage,
        cost=None if use.unpriced == use.calls else use.cost,
        first_token_ns=spread(use.first_token_ns).p50_ns,
        output_per_second=out / (use.duration_ns / 1e9) if out and use.duration_ns else None,
    )
