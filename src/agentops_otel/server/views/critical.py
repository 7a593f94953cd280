"""The critical path: from the end of a session back, the span that ended last."""

from __future__ import annotations

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
    waiting: list[tuple[Key | None, list[SpanRow], int, int]] = [(None, run.tree.tops(), 0, run.length_ns)]
    while waiting:
        key, spans, start, end = waiting.pop()
        cursor = end
        for span in sorted(spans, key=lambda span: (-run.until(span), span.start_ns, span.span_id)):
            begins, ends = max(run.start(span), start), min(run.until(span), end)
            if begins >= ends or ends > cursor:  # what was still open then was not waited for
                continue
            if ends < cursor and key is not None:
                path.setdefault(key, []).append((ends, cursor))
            waiting.append((key_of(span), run.tree.children(span), begins, ends))
            cursor = begins
        if start < cursor and key is not None:
            path.setdefault(key, []).append((start, cursor))
    return {key: sorted(intervals) for key, intervals in path.items()}
