"""The work of a whole session as a picture a few rows high, over which a reader chooses a range of time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from ...rows import ErrorFate
from ...strip import Interval, union
from .session import Minimap, MinimapBar, Work

CELLS: Final = 400
"""Of the width: a reader sees no smaller part of a time line this wide."""
_MOST_ROWS: Final = 24
_FEWEST_ROWS: Final = 6
"""So that the bars of a session of few spans are no blocks."""


def minimap(work: Sequence[tuple[Work, int, int]], errors: Iterable[tuple[int, ErrorFate]], scale_ns: int) -> Minimap:
    """Draw spans in the order of the tree, from above to below; what falls into one place is drawn once.

    Args:
        work: kind, start and end of each leaf, in the order of the tree.
        errors: when each error happened, and what became of it.
        scale_ns: what the width stands for.
    """
    rows = max(_FEWEST_ROWS, min(_MOST_ROWS, len(work)))
    placed: dict[tuple[int, Work], list[Interval]] = {}
    for index, (kind, start, end) in enumerate(work):
        row = index if len(work) <= rows else index * rows // len(work)
        first = min(CELLS - 1, start * CELLS // scale_ns)
        last = min(CELLS, max(first + 1, -(-end * CELLS // scale_ns)))
        placed.setdefault((row, kind), []).append((first, last))
    bars = [MinimapBar(kind, row, *run) for (row, kind), runs in placed.items() for run in union(runs)]
    ticks = {(min(CELLS - 1, at * CELLS // scale_ns), fate) for at, fate in errors}
    return Minimap(CELLS, rows, tuple(bars), tuple(sorted(ticks)))
