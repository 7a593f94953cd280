"""Places on a line as SVG attributes: shares of a width, bands, divisions, the rows of a flame.

A style attribute is blocked by our Content-Security-Policy; an SVG attribute is not, and works without scripts too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from markupsafe import Markup

from ..views.session import WaterfallRow
from .marks import kind_hue

_STEPS: Final = (1.0, 1.2, 1.6, 2.0, 2.4, 3.0, 4.0, 5.0, 6.0, 8.0)
_SECOND: Final = 1_000_000_000
_UNSEEN: Final = 0.3
"""Thousandths of a width between two pieces that are drawn as one."""
DIVISIONS: Final = 5


def along(part: float, whole: float) -> str:
    """A share of a width, such as ``31.9%``: at most four decimals, so that one can zoom; 0 of nothing."""
    if whole <= 0:
        return "0%"
    return f"{100 * part / whole:.4f}".rstrip("0").rstrip(".") + "%"


def thousandths(part: float, whole: float) -> str:
    """The same in a box that is 1,000 wide."""
    if whole <= 0:
        return "0"
    return _short(1000 * part / whole)


def band(start: float, end: float, whole: float, left: float, right: float, sum_of_all: float) -> str:
    """The path from a stretch of time (top, y 20) to its stretch of money (bottom, y 64), in a box 1,000 wide."""
    a, b = thousandths(start, whole), thousandths(end, whole)
    c, d = thousandths(left, sum_of_all), thousandths(right, sum_of_all)
    return f"M{a} 20H{b}C{b} 42 {d} 42 {d} 64H{c}C{c} 42 {a} 42 {a} 20z"


def stretches(pieces: Iterable[tuple[str, int, int]], kind: str, whole: float, top: int) -> str:
    """The path of all pieces of a kind, 16 deep, in a box 1,000 wide.

    Pieces that nobody could tell apart are one, so that a day of calls makes no longer a path than a minute.

    Args:
        pieces: kind, start and end, by start.
        kind: which of them.
        whole: what the width stands for.
        top: where they begin above.
    """
    if whole <= 0:
        return ""
    path: list[tuple[float, float]] = []
    for name, start, end in pieces:
        if name != kind:
            continue
        if path and 1000 * start / whole - path[-1][1] < _UNSEEN:
            path[-1] = (path[-1][0], max(path[-1][1], 1000 * end / whole))
        else:
            path.append((1000 * start / whole, 1000 * end / whole))
    return "".join(f"M{_short(start)} {top}H{_short(end)}V16H{_short(start)}z" for start, end in path)


def _short(number: float) -> str:
    return f"{number:.2f}".rstrip("0").rstrip(".")


def scale_of(duration_ns: int) -> int:
    """What the width of a time line stands for: five divisions of a round length that hold the duration."""
    power = 1_000  # a division of a microsecond is the shortest
    while True:
        for step in _STEPS:
            scale = int(DIVISIONS * step * power)
            if scale >= duration_ns:
                return scale
        power *= 10


def divisions(scale_ns: int) -> list[str]:
    """What stands at the five divisions: ``0 s``, ``20``, ``40``, ``60``, ``80``."""
    step = scale_ns / DIVISIONS
    marks = [step * index for index in range(DIVISIONS)]
    if step >= 60 * _SECOND:
        return [_minutes(mark / _SECOND) for mark in marks]
    unit, length = ("s", _SECOND) if step >= _SECOND / 10 else ("ms", 1_000_000)
    return [f"{mark / length:g}" + (f"\u202f{unit}" if index == 0 else "") for index, mark in enumerate(marks)]


def end_mark(duration_ns: int) -> str:
    """What stands at the end of a line: ``7.84 s``, ``1:34``, ``1:02:03``."""
    seconds = duration_ns / _SECOND
    if seconds < 1:
        return f"{duration_ns / 1_000_000:.0f}\u202fms"
    return f"{seconds:.3g}\u202fs" if seconds < 59.95 else _minutes(seconds)


def _minutes(seconds: float) -> str:
    hours, rest = divmod(round(seconds), 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"


def lane(row: WaterfallRow, scale_ns: int, now_ns: int) -> Markup:
    """The bar of a row: leaves are ink and containers brackets, an LLM call is pale until its first token.

    Args:
        row: where it starts and ends.
        scale_ns: what the whole width stands for.
        now_ns: where what is running ends, from the session's start.
    """
    end = now_ns if row.end_ns is None else row.end_ns
    x, width, right = along(row.start_ns, scale_ns), along(end - row.start_ns, scale_ns), along(end, scale_ns)
    hue = kind_hue(row.kind)
    if row.kind == "gap":
        bars = f'<rect class="gap" x="{x}" y="7" width="{width}" height="12"/>'
    elif not row.leaf:
        bars = f'<rect class="agent" x="{x}" y="12" width="{width}" height="2"/>{_post(x, 0)}'
        bars += "" if row.end_ns is None else _post(right, -2)
    elif row.first_token_ns:
        token = min(row.start_ns + row.first_token_ns, end)
        at, rest = along(token, scale_ns), along(end - token, scale_ns)
        bars = (
            f'<rect class="{hue} bar pale" x="{x}" y="7" width="{width}" height="12"/>'
            f'<rect class="{hue}" x="{at}" y="7" width="{rest}" height="12"/>'
            f'<rect class="{hue}" x="{at}" y="4" width="1.5" height="15"/>'
        )
    else:
        bars = f'<rect class="{hue} bar" x="{x}" y="7" width="{width}" height="12"/>'
    if row.fate and row.leaf:
        tone = "warn" if row.fate == "recovered" else "fatal"
        bars += f'<rect class="{tone}" x="{right}" y="5" width="3" height="16" transform="translate(-3)"/>'
    for start, stop in row.critical:
        stretch = f'x="{along(start, scale_ns)}" y="21" width="{along(stop - start, scale_ns)}"'
        bars += f'<rect class="path" {stretch} height="1.5"/>'
    if row.end_ns is None:
        bars += f'<rect class="live" x="{right}" y="0" width="2" height="26"/>'
    return Markup(bars)  # noqa: S704  (numbers, and classes of ours)


def _post(x: str, shift: int) -> str:
    moved = f' transform="translate({shift})"' if shift else ""
    return f'<rect class="agent" x="{x}" y="9" width="2" height="8"{moved}/>'


class Timed(Protocol):
    """What stands somewhere in the tree and on the time line."""

    @property
    def id(self) -> str:
        """Unique among all."""

    @property
    def parent(self) -> str | None:
        """The id of what it is inside of."""

    @property
    def start_ns(self) -> int:
        """From the session's start."""

    @property
    def end_ns(self) -> int | None:
        """None while it runs."""


@dataclass(frozen=True, slots=True)
class Flame:
    """Where each row of a tree stands when bars are stacked."""

    depths: dict[str, int]
    depth: int
    """How many rows there are."""


def flame(rows: Iterable[Timed], end_ns: int) -> Flame:
    """Stack a tree: a bar stands under its parent, and lower where another one is in its way (calls at once)."""
    depths: dict[str, int] = {}
    taken: list[list[tuple[int, int]]] = []
    for row in rows:
        end = end_ns if row.end_ns is None else row.end_ns
        depth = depths.get(row.parent, -1) + 1 if row.parent else 0
        while depth < len(taken) and _overlaps(taken[depth], row.start_ns, end):
            depth += 1
        while len(taken) <= depth:
            taken.append([])
        taken[depth].append((row.start_ns, end))
        depths[row.id] = depth
    return Flame(depths, len(taken))


def _overlaps(stretches: Sequence[tuple[int, int]], start: int, end: int) -> bool:
    """Whether one of the stretches shares time; the latest are looked at first, and 200 of them at most."""
    return any(start < b and a < end for a, b in stretches[:-201:-1])


FILTERS: Final[Mapping[str, Callable[..., object]]] = {
    "along": along,
    "thousandths": thousandths,
    "band": band,
    "divisions": divisions,
    "end_mark": end_mark,
    "flame": flame,
    "lane": lane,
    "stretches": stretches,
}
