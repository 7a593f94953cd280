"""The geometry of small pictures, as SVG attributes: what a style sheet may not say under the security policy."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from ..views.session import Minimap, Work

SPARK_WIDTH: Final = 72
SPARK_HEIGHT: Final = 16


def spark(values: Sequence[float | None]) -> tuple[tuple[float, float], ...]:
    """The points of a sparkline, 72 by 16 with 1 above; its scale starts at zero. Empty below two values.

    Where nothing is known (None), the line goes on from neighbour to neighbour.
    """
    known = [(index, value) for index, value in enumerate(values) if value is not None and math.isfinite(value)]
    highest = max((value for _, value in known), default=0)
    if len(known) < 2:
        return ()
    scale = SPARK_HEIGHT / highest if highest > 0 else 0
    step = SPARK_WIDTH / (len(values) - 1)
    return tuple((round(index * step, 2), round(1 + SPARK_HEIGHT - max(0, value) * scale, 2)) for index, value in known)


def points(pairs: Iterable[tuple[float, float]]) -> str:
    """Points as a ``<polyline>`` takes them."""
    return " ".join(f"{x:g},{y:g}" for x, y in pairs)


def runs(pieces: Iterable[tuple[int, int]], top: int, bottom: int) -> str:
    """Path data of rectangles from cell to cell, all of one height."""
    return "".join(f"M{start} {top}h{end - start}v{bottom - top}H{start}z" for start, end in pieces if end > start)


def minimap_path(minimap: Minimap, kind: Work) -> str:
    """Path data of all work of a kind; a row is 1 high and its bars are a little less."""
    here = (bar for bar in minimap.bars if bar.kind == kind)
    return "".join(f"M{bar.start} {bar.row}h{bar.stop - bar.start}v.8H{bar.start}z" for bar in here)


def strip_width(duration_ns: int, longest_ns: int, *, linear: bool = False) -> str:
    """The width of a strip: the root of its share of the longest on the page, or that share; at least 12 %, or 1 %."""
    share = duration_ns / longest_ns if longest_ns > 0 else 0.0
    if linear:
        return f"{max(1, min(100, round(100 * share)))}%"
    share = math.sqrt(share)
    return f"{max(12, min(100, round(100 * share)))}%"


FILTERS: Final[Mapping[str, Callable[..., object]]] = {
    "spark": spark,
    "points": points,
    "runs": runs,
    "minimap_path": minimap_path,
    "strip_width": strip_width,
}
