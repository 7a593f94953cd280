"""The critical path: from the end of a session back, the span that ended last."""

from __future__ import annotations

from operator import itemgetter
from typing import Final

from ...rows import SpanRow
from ...strip import Interval
from ...tree import Key
from .run import Run, key_of


def critical_path(run: Run) -> dict[Key, list[Interval]]:
    """The times in which the end of the session waited for each span and for none below it, from the session's start.

    A span waits for the one below it that ended last, and before that one's start for the one that had ended last then.

    No two of them overlap.
    """
    path: dict[Key, list[Interval]] = {}
    bounds, children = run.bounds, run.tree.children
    waiting: list[tuple[Key | None, list[SpanRow], int, int]] = [(None, run.tree.tops(), 0, run.length_ns)]
    while waiting:
        key, spans, start, end = waiting.pop()
        cursor = end
        by_end = [(-bounds[key_of(span)][1], span.start_ns, span.span_id, span) for span in spans]
        by_end.sort(key=_BY_END)
        for until, _, _, span in by_end:
            ends = min(-until, end)
            if ends > cursor:  # what was still open then was not waited for
                continue
            own = key_of(span)
            begins = max(bounds[own][0], start)
            if begins >= ends:
                continue
            if ends < cursor and key is not None:
                path.setdefault(key, []).append((ends, cursor))
            inside = children(span)
            if inside:
                waiting.append((own, inside, begins, ends))
            else:
                path.setdefault(own, []).append((begins, ends))
            cursor = begins
        if start < cursor and key is not None:
            path.setdefault(key, []).append((start, cursor))
    return {key: sorted(intervals) for key, intervals in path.items()}


_BY_END: Final = itemgetter(0, 1, 2)
