"""The mark of a step: which symbol of the sprite, in which hue, and what it is called."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from ..format import decimals
from ..views.session import Step, WaterfallRow

_SYMBOLS: Final[Mapping[str, str]] = {
    "llm": "llm",
    "tool": "tool",
    "action": "tool",
    "agent": "agent",
    "workflow": "agent",
    "session": "session",
    "user": "user",
    "error": "fail",
}
_NAMES: Final[Mapping[str, str]] = {
    "llm": "LLM",
    "gap": "own code",
    "placeholder": "not arrived",
}
_HUES: Final[Mapping[str, str]] = {"llm": "llm", "tool": "tool", "action": "tool", "error": "fatal", "user": "user"}
_FATES: Final[Mapping[str, str]] = {"fatal": "fatal", "open": "fatal", "recovered": "warn"}


def symbol(kind: str) -> str:
    """The symbol of a kind of step."""
    return _SYMBOLS.get(kind, "idle")


def kind_name(kind: str) -> str:
    """What a kind is called where a reader hears it."""
    return _NAMES.get(kind, kind)


def hue(step: Step) -> str:
    """The class that colours a step: that of its kind, but an error's where it failed."""
    if step.error is not None:
        return _FATES[step.error.fate]
    return kind_hue(step.kind)


def kind_hue(kind: str) -> str:
    """The class that colours a kind: containers are ink, own code is pale."""
    return _HUES.get(kind, "idle" if kind in {"gap", "placeholder", "step"} else "agent")


def longest_cost(steps: Iterable[Step]) -> int:
    """Decimals of the longest cost among steps and what is inside of them, so that all points stand in one line."""
    return max((decimals(step.numbers.cost) for step in _all(steps)), default=0)


def longest_sum(steps: Iterable[Step]) -> int:
    """The same of what the session cost so far."""
    return max((decimals(step.numbers.so_far) for step in _all(steps)), default=0)


def _all(steps: Iterable[Step]) -> Iterator[Step]:
    for step in steps:
        yield step
        yield from _all(step.children)


def longest_row_cost(rows: Iterable[WaterfallRow]) -> int:
    """The same of the rows of a waterfall."""
    return max((decimals(row.numbers.cost) for row in rows), default=0)


FILTERS: Final[Mapping[str, Callable[..., object]]] = {
    "symbol": symbol,
    "kind_name": kind_name,
    "hue": hue,
    "kind_hue": kind_hue,
    "longest_cost": longest_cost,
    "longest_sum": longest_sum,
    "longest_row_cost": longest_row_cost,
}
