"""The geometry of columns, flows and histograms, as SVG attributes. Pure.

Widths are percent of the picture and heights pixels: a picture is as wide as its place and keeps its text upright.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from ..format import MONTHS, day, local
from ..period import Unit
from ..split import Split

FLOOR: Final = 170
"""Where columns stand, in pixels from the top."""
TALLEST: Final = 146
_PLOT: Final = 91.0
"""Percent of the width for columns; the names of the shades stand to the right."""
_SLOTS: Final = 12
"""A column is never wider than if there were so many."""
_LABELS: Final = 20
_SHADES: Final[Mapping[str, str]] = {"cache read": "q4", "input": "q2", "cache write": "q3", "output": "q1"}
_LINE: Final = 13
_LEAST: Final = 0.5
"""A column or bar that is not nothing is seen: at least so many pixels."""


def percent(value: float) -> str:
    """A percentage as an attribute, such as ``31.9%``."""
    return f"{value:.2f}".rstrip("0").rstrip(".") + "%"


class Stacked(Protocol):
    """What a column shows."""

    @property
    def start_ns(self) -> int:
        """When it begins."""

    @property
    def parts(self) -> tuple[float, ...]:
        """From the floor up."""


@dataclass(frozen=True, slots=True)
class Block:
    """One part of a column."""

    shade: str
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Bar:
    """A column as it is drawn."""

    x: str
    middle: str
    width: str
    top: float
    blocks: tuple[Block, ...]
    label: str
    """Below it; empty when there is no room."""
    short: str
    """The same where there is less room."""
    valued: bool
    """Whether there is room for its value above it."""
    after: str
    """Where the room beside it begins."""


def bars(columns: Sequence[Stacked], unit: Unit) -> list[Bar]:
    """Columns of stacked parts on a scale that starts at zero."""
    if not columns:
        return []
    sums = [sum(column.parts) for column in columns]
    highest = max(sums)
    step = _PLOT / max(len(columns), _SLOTS)
    every = 1 if len(columns) <= _LABELS else -(-len(columns) // 12)
    found = []
    for index, column in enumerate(columns):
        x, y, blocks = index * step, float(FLOOR), []
        for shade, part in enumerate(column.parts):
            height = max(_LEAST, TALLEST * part / highest) if part > 0 and highest > 0 else 0.0
            y -= height
            if height:
                blocks.append(Block(f"q{min(shade, 3) + 1}", round(y, 2), round(height, 2)))
        before = columns[index - every].start_ns if index >= every else None
        found.append(
            Bar(
                x=percent(x),
                middle=percent(x + step * 0.42),
                width=percent(step * 0.84),
                top=round(y, 2),
                blocks=tuple(blocks),
                label="" if index % every else tick(column.start_ns, unit, before),
                short="" if index % every else tick(column.start_ns, unit, column.start_ns),
                valued=sums[index] > 0 and (len(columns) <= _LABELS or sums[index] == highest),
                after=percent(x + step + 0.5),
            )
        )
    return found


def names(bar: Bar | None, labels: Sequence[str]) -> list[tuple[float, str]]:
    """Where the names of the shades stand beside the last column: at their blocks, 13 pixels apart at least."""
    blocks = {block.shade: block for block in bar.blocks} if bar else {}
    found: list[tuple[float, str]] = []
    last = float(FLOOR) + _LINE
    for index, label in enumerate(labels):
        block = blocks.get(f"q{index + 1}")
        if not block:
            continue
        last = min(block.y + block.height / 2 + 4, last - _LINE)
        found.append((round(last, 2), label))
    return found


def tick(ns: int, unit: Unit, before_ns: int | None = None) -> str:
    """What stands below a column: ``14:00``, ``8 Nov``, ``9``, ``Nov``, ``2026``; the month where it is a new one."""
    moment = local(ns)
    if unit == "minutes":
        return f"{moment:%H}:{moment.minute // 5 * 5:02d}"
    if unit == "hour":
        return f"{moment:%H}:00"
    if unit == "year":
        return str(moment.year)
    before = None if before_ns is None else local(before_ns)
    month = MONTHS[moment.month - 1]
    if unit == "month":
        return month if before and before.year == moment.year else f"{month} {moment.year}"
    return str(moment.day) if before and before.month == moment.month else f"{moment.day} {month}"


def filled(bars: Sequence[Bar]) -> Bar | None:
    """The last column with something in it."""
    return next((bar for bar in reversed(bars) if bar.blocks), None)


def span_name(ns: int, unit: Unit) -> str:
    """What a column is called in a sentence: ``Sat 21 Nov 2026``, ``21 Nov 2026, 14:00``, ``Week of 16 Nov 2026``."""
    moment = local(ns)
    date = f"{moment.day} {MONTHS[moment.month - 1]} {moment.year}"
    if unit in {"minutes", "hour"}:
        return f"{date}, {moment:%H:%M}"
    if unit == "day":
        return day(moment)
    if unit == "week":
        return f"Week of {date}"
    return f"{MONTHS[moment.month - 1]} {moment.year}" if unit == "month" else str(moment.year)


@dataclass(frozen=True, slots=True)
class Flow:
    """One class of token: its share of all tokens above, of all money below, and the band between."""

    name: str
    shade: str
    above: tuple[float, float]
    """Start and width in percent."""
    below: tuple[float, float]
    path: str
    """In a box of 1,000 by 84."""


def flows(split: Split) -> list[Flow]:
    """The bands from tokens to money; what cost could not be divided is the last one, and is no share of the tokens."""
    tokens, money = split.tokens, split.cost
    parts: list[tuple[str, float, float]] = [(share.name, share.tokens, share.cost) for share in split.shares]
    if split.unknown > 0:
        parts.append(("not divided", 0.0, split.unknown))
    found, x, y = [], 0.0, 0.0
    for name, part, cost in parts:
        above, below = _share(part, tokens), _share(cost, money)
        if above or below:
            found.append(Flow(name, _SHADES.get(name, "idle"), (x, above), (y, below), _band(x, above, y, below)))
        x, y = x + above, y + below
    return found


def _share(part: float, whole: float) -> float:
    return 100 * part / whole if whole > 0 else 0.0


def _band(x: float, above: float, y: float, below: float) -> str:
    a, b, c, d = (f"{10 * edge:.2f}".rstrip("0").rstrip(".") for edge in (x, x + above, y, y + below))
    return f"M{a} 20H{b}C{b} 42 {d} 42 {d} 64H{c}C{c} 42 {a} 42 {a} 20z"


def shares(split: Split, most: float) -> list[tuple[str, str, str]]:
    """One row's money by class: shade, start and width, on a scale whose end is the dearest row."""
    found, x = [], 0.0
    for name, cost in [*((share.name, share.cost) for share in split.shares), ("", split.unknown)]:
        width = _share(cost, most)
        if width > 0:
            found.append((_SHADES.get(name, "q3"), percent(x), percent(width)))
        x += width
    return found


def histogram(counts: Iterable[int], height: float = 20) -> list[tuple[str, str, float, float]]:
    """Bars of a histogram: x, width, y and height of each that is not empty, on a scale that starts at zero."""
    every = list(counts)
    highest = max(every, default=0)
    if not highest:
        return []
    step = 100 / len(every)
    tall = [(index, round(max(1.0, height * count / highest), 2)) for index, count in enumerate(every) if count]
    return [(percent(index * step), percent(step * 0.86), round(height - one, 2), one) for index, one in tall]


@dataclass(frozen=True, slots=True)
class Tick:
    """How many errors of each fate a piece of time has, as it is drawn."""

    x: float
    fatal: tuple[float, float]
    """y and height."""
    recovered: tuple[float, float]


def ticks(pieces: Sequence[tuple[int, int]], highest: int, *, width: float = 84, height: float = 20) -> list[Tick]:
    """Small columns of (fatal, recovered) on a scale that several rows share; fatal stands below."""
    step = width / len(pieces) if pieces else 0.0
    found = []
    for index, (fatal, recovered) in enumerate(pieces):
        if not fatal and not recovered:
            continue
        low, high = (max(2.0, round(height * n / highest, 2)) if n and highest else 0.0 for n in (fatal, recovered))
        found.append(Tick(round(index * step, 2), (round(height - low, 2), low), (round(height - low - high, 2), high)))
    return found


def slower(difference_ns: int | None, most_ns: int) -> tuple[str, str]:
    """The bar of a difference: from the middle to the right for slower, to the left for faster."""
    if not difference_ns or not most_ns:
        return "50%", "0%"
    width = 50 * min(1.0, abs(difference_ns) / most_ns)
    return percent(50 if difference_ns > 0 else 50 - width), percent(width)


FILTERS: Final[Mapping[str, Callable[..., object]]] = {
    "bars": bars,
    "names": names,
    "filled": filled,
    "span_name": span_name,
    "flows": flows,
    "shares": shares,
    "histogram": histogram,
    "ticks": ticks,
    "slower": slower,
    "percent": percent,
}
