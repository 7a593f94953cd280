"""The tools that agents called: how often, how long, how well, and how often in vain."""

from __future__ import annotations

from ..page import Asked, page
from ..period import before, stretch
from ..spread import Scale, scale, spread
from ..store import UseOfTool
from .calls import CallsPage, CallsRow, ordered, shown_name, slowest


@page("/tools", "tools.html")
def tools(asked: Asked) -> CallsPage:
    """The tools of the sessions of a filter; ``show`` is the one whose slowest calls are shown."""
    store, where = asked.store, asked.where
    uses = store.tools(where)
    whole = scale(duration for one in uses for duration in one.use.durations_ns)
    sort, descending, rows = ordered(asked, [_row(one, whole) for one in uses])
    name = shown_name(asked, rows)
    earlier = before(where, asked.now_ns)
    return CallsPage(
        kind="tool",
        figures=store.figures(where),
        before=store.figures(earlier) if earlier else None,
        trend=store.figures_over_time(where, stretch(store, where, asked.now_ns).edges_ns, percentiles=False),
        rows=rows,
        scale=whole,
        sort=sort,
        descending=descending,
        facets=store.facets(where),
        slowest=None if name is None else slowest(store, where, "tool", name),
    )


def _row(one: UseOfTool, whole: Scale) -> CallsRow:
    use = one.use
    return CallsRow(
        name=use.tool,
        provider="",
        sessions=one.sessions,
        calls=use.calls,
        failed=use.failed,
        recovered=use.recovered,
        repeated=use.repeated,
        time_ns=use.duration_ns,
        spread=spread(use.durations_ns),
        counts=whole.counts(use.durations_ns),
        measured=len(use.durations_ns),
    )
