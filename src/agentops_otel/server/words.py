"""Small pieces of sentences that templates make from data."""

from __future__ import annotations

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


def day_of(ns: int) -> str:
    """A local day, such as ``21 Nov``."""
    moment = local(ns)
    return f"{moment.day} {MONTHS[moment.month - 1]}"


FILTERS: Final[Mapping[str, Callable[..., object]]] = {"nth": nth, "called": called, "day_of": day_of}
