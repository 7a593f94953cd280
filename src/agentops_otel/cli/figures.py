"""How figures of sessions look on a terminal; `columns` of the tables that several commands share."""

from __future__ import annotations

import time
from typing import Any, Final

from ..figures import format_cost, format_duration
from .output import Column

STATES: Final = {"success": "●", "fail": "✗", "running": "◌", "indeterminate": "?"}
_STYLES: Final = {"fail": "red", "running": "blue", "indeterminate": "yellow"}


def state(name: str) -> str:
    """A state with its mark."""
    return f"{STATES.get(name, ' ')} {name}"


def state_style(name: str) -> str:
    """A state's colour; success has none, so that what went wrong is seen."""
    return _STYLES.get(name, "")


def tokens(number: int) -> str:
    """A number of tokens: exact below 10,000, then ``105.7k``, ``1.20M``."""
    if number < 10_000:
        return f"{number:,}"
    return f"{number / 1e3:.1f}k" if number < 999_950 else f"{number / 1e6:.2f}M"


def nanoseconds(duration: float) -> str:
    """A duration given in nanoseconds."""
    return format_duration(duration / 1e9)


def ago(ns: int) -> str:
    """How long before now."""
    passed = time.time() - ns / 1e9
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if passed >= size:
            return f"{passed / size:.0f}{unit} ago"
    return "now" if passed < 5 else f"{passed:.0f}s ago"


def words(values: Any) -> str:
    """A list of words."""
    return " ".join(map(str, values))


def money(key: str = "cost") -> Column:
    """A column of amounts."""
    return Column(key, "COST", format_cost, right=True)
