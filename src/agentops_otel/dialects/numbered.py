"""Lists that are written as numbered attributes: ``gen_ai.prompt.0.role``.

Names are only ever looked at as texts: a name is no path into an object, whatever it says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_MOST_DIGITS: Final = 6


def numbered(attributes: Mapping[str, Any], prefix: str, used: set[str] | None = None) -> list[dict[str, Any]]:
    """The entries under a prefix in the order of their numbers, each with what follows the number in its names.

    Args:
        prefix: with the dot at its end.
        used: takes up the names that were read.
    """
    found: dict[int, dict[str, Any]] = {}
    start = len(prefix)
    for name, value in attributes.items():
        if not name.startswith(prefix):
            continue
        number, _, rest = name[start:].partition(".")
        if number.isascii() and number.isdigit() and len(number) <= _MOST_DIGITS:
            found.setdefault(int(number), {})[rest] = value
            if used is not None:
                used.add(name)
    return [found[number] for number in sorted(found)]
