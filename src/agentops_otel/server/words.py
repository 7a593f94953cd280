"""Small pieces of sentences that templates make from data."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

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


FILTERS: Final[Mapping[str, Callable[..., object]]] = {
    "nth": nth,
    "called": called,
    "anchor": anchor,
    "days_to": days_to,
    "long_time": long_time,
}
