"""The tools that agents called: how often, how long, how well, and how often in vain."""

from __future__ import annotations

from ..page import Asked, page
from ..spread import Scale, spread
from ..store import UseOfTool
from .calls import CallsPage, CallsRow, calls_page


@page("/tools", "tools.html")
def tools(asked: Asked) -> CallsPage:
    """The tools of the sessions of a filter; ``show`` is the one whose slowest calls are shown."""
    return calls_page(asked, "tool", asked.store.tools(asked.where), _row)


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
