"""Tokens and dollars as others write them -> ours."""

from __future__ import annotations

import math
from typing import Any

from ..usage import Usage


def count(value: object) -> int | None:
    """A number of tokens; None for anything else. JSON may have them as 12.0."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
        return None
    return int(value)


def dollars(value: object) -> float | None:
    """An amount; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
        return None
    return float(value)


def usage_of(given: int | None, said: int | None, **classes: int | None) -> Usage | None:
    """A usage of two totals and the classes that are inside of them; None without any total.

    Where the cached tokens are more than the input that they should be a part of, they were counted beside it.
    """
    if given is None and said is None:
        return None
    names = {"input_tokens": given, "output_tokens": said}
    known: dict[str, Any] = {name: tokens for name, tokens in (names | classes).items() if tokens is not None}
    usage = Usage(**known, missing=frozenset(name for name, tokens in names.items() if tokens is None))
    return total(usage) if usage.cache_read_tokens + usage.cache_write_tokens > usage.input_tokens else usage


def total(usage: Usage) -> Usage:
    """The same with cached tokens inside of the input, beside which they were counted."""
    from dataclasses import replace

    return replace(usage, input_tokens=usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens)
