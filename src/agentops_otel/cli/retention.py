"""How long and how much is kept, as people write it: ``30d``, ``2GB``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import click

_AGE: Final = {"m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_SIZE: Final = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_FORM: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(?:([mhdw])|([kmgt])i?b)", re.IGNORECASE)


@dataclass(frozen=True)
class Retention:
    """What is kept; None is no limit."""

    age_ns: int | None
    size: int | None


def retention(limits: Iterable[str], default: Retention) -> Retention:
    """What the values of an option say; a kind of limit that none of them names is the default's.

    Raises:
        click.BadParameter: one is not valid.
    """
    age_ns, size = default.age_ns, default.size
    for limit in limits:
        if limit.lower() in ("all", "forever"):
            age_ns = size = None
        elif not (found := _FORM.fullmatch(limit.strip())):
            raise click.BadParameter(f"expected an age such as 30d or a size such as 2GB, got {limit!r}")
        elif found[2]:
            age_ns = int(float(found[1]) * _AGE[found[2].lower()] * 1e9)
        else:
            size = int(float(found[1]) * _SIZE[found[3].lower()])
    return Retention(age_ns, size)
