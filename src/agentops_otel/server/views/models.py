"""The models that were called: how often, how long until the first token and the last, how well, for how much."""

from __future__ import annotations

from ..page import Asked, page
from ..spread import Scale, spread
from ..store import UseOfModel
from .calls import CallsPage, CallsRow, calls_page


@page("/models", "models.html")
def models(asked: Asked) -> CallsPage:
    """The models of the sessions of a filter; ``show`` is the one whose slowest calls are shown."""
    return calls_page(asked, "llm", asked.store.costs(asked.where), _row)


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
