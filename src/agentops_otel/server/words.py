"""Small pieces of sentences that templates make from data."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from ..rows import Score
from .format import MONTHS, local


def nth(number: int) -> str:
    """``2nd``, ``11th``."""
    ending = "th" if 10 < number % 100 < 14 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def called(arguments: str) -> str:
    """The arguments of a tool as they stand in a call: ``order=1907, amount="412.90"``; else as they were sent."""
    try:
        value: Any = json.loads(arguments)
    except (ValueError, RecursionError):
        return arguments
    if not isinstance(value, dict):
        return arguments
    return ", ".join(f"{name}={json.dumps(each, ensure_ascii=False)}" for name, each in value.items())


def anchor(text: str) -> str:
    """12 letters and digits that stand for a text in an ``id``."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def days_to(start_ns: int, end_ns: int) -> str:
    """Local days from one to another: ``15 to 21 Nov``, ``21 Nov``; a dash instead of "to" between two months."""
    start, end = local(start_ns), local(end_ns)
    last = f"{end.day} {MONTHS[end.month - 1]}"
    if start.date() == end.date():
        return last
    if (start.year, start.month) == (end.year, end.month):
        return f"{start.day} to {last}"
    return f"{start.day} {MONTHS[start.month - 1]}\u2013{last}"


def long_time(ns: int) -> str:
    """A time that is set in days or hours: ``30 days``, ``12 hours``, ``90 minutes``."""
    for name, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        number, rest = divmod(ns // 10**9, length)
        if number and not rest:
            return f"{number:,} {name}" + ("" if number == 1 else "s")
    return f"{ns / 1e9:,g} seconds"


def long_size(number: int) -> str:
    """A size that is set in powers of two: ``2 GiB``, ``512 MiB``, ``1.5 KiB``."""
    for name, length in (("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if number >= length:
            return f"{number / length:,.2f}".rstrip("0").rstrip(".") + f"\u202f{name}"
    return f"{number}\u202fB"


def score_value(score: Score) -> str:
    """What a score says: its word, its number, or both: ``good``, ``0.82``, ``0.4 poor``."""
    if score.label and (score.value is None or score.value in {0, 1}):
        return score.label
    return " ".join(filter(None, (short_number(score.value), score.label)))


def short_number(number: float | None) -> str:
    """A number of any scale in a few digits: ``1``, ``0.82``, ``1,240``, ``2.5e+09``; empty for None."""
    if number is None:
        return ""
    if number and not 0.01 <= abs(number) < 1e6:
        return f"{number:.3g}"
    return f"{number:,.2f}".rstrip("0").rstrip(".")


FILTERS: Final[Mapping[str, Callable[..., object]]] = {
    "nth": nth,
    "called": called,
    "anchor": anchor,
    "days_to": days_to,
    "long_time": long_time,
    "long_size": long_size,
    "score_value": score_value,
    "short_number": short_number,
}
