"""For which tokens a cost was: a model's sum divided by class, and what the cache saved. Pure.

The sum is the truth: prices of today only say how to divide it, so that the parts always add up to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from ..rows import ModelUse
from ..usage import Usage

TokenClass = Literal["cache read", "input", "cache write", "output"]
CLASSES: Final[tuple[TokenClass, ...]] = ("cache read", "input", "cache write", "output")
"""In the order in which they are drawn; ``input`` is what was neither read from a cache nor written to one."""
_RATES: Final[Mapping[TokenClass, str]] = {
    "cache read": "cache_read",
    "input": "input",
    "cache write": "cache_write",
    "output": "output",
}


@dataclass(frozen=True, slots=True)
class Share:
    """The tokens of one class, and what they cost."""

    name: TokenClass
    tokens: int
    cost: float


@dataclass(frozen=True, slots=True)
class Split:
    """A cost by class. The costs of `shares` and `unknown` add up to it."""

    shares: tuple[Share, ...]
    unknown: float = 0.0
    """Cost of calls whose model has no price here: a provider told the amount."""
    saved: float = 0.0
    """What more the same tokens would have cost without a cache; below zero when it cost more than it saved."""

    @property
    def tokens(self) -> int:
        """Of all classes."""
        return sum(share.tokens for share in self.shares)

    @property
    def cost(self) -> float:
        """Of all classes, and what is unknown."""
        return sum(share.cost for share in self.shares) + self.unknown

    def share(self, name: TokenClass) -> Share:
        """The share of one class."""
        return next(share for share in self.shares if share.name == name)


NOTHING: Final = Split(tuple(Share(name, 0, 0.0) for name in CLASSES))


def classes(usage: Usage) -> dict[TokenClass, int]:
    """Tokens by class, each token once; a class larger than its total is cut to it."""
    read = min(usage.cache_read_tokens, usage.input_tokens)
    write = min(usage.cache_write_tokens, usage.input_tokens - read)
    return {
        "cache read": read,
        "input": usage.input_tokens - read - write,
        "cache write": write,
        "output": usage.output_tokens,
    }


def split(use: ModelUse, rates: Mapping[str, float] | None) -> Split:
    """Divide what one model cost.

    Args:
        use: the tokens and cost of the model.
        rates: US dollars per million tokens of ``input``, ``cache_read``, ``cache_write`` and ``output``; None when
            they are not known.
    """
    tokens = classes(use.usage)
    at_rates = {} if rates is None else {name: tokens[name] * rates[_RATES[name]] / 1e6 for name in CLASSES}
    computed = sum(at_rates.values())
    if rates is None or computed <= 0:
        return Split(tuple(Share(name, tokens[name], 0.0) for name in CLASSES), unknown=use.cost)
    scale = use.cost / computed
    shares = tuple(Share(name, tokens[name], at_rates[name] * scale) for name in CLASSES)
    uncached = (tokens["cache read"] + tokens["cache write"]) * rates["input"] / 1e6
    return Split(shares, saved=scale * (uncached - at_rates["cache read"] - at_rates["cache write"]))


def together(splits: Iterable[Split]) -> Split:
    """The sum of splits."""
    total = NOTHING
    for one in splits:
        shares = tuple(
            Share(a.name, a.tokens + b.tokens, a.cost + b.cost) for a, b in zip(total.shares, one.shares, strict=True)
        )
        total = Split(shares, total.unknown + one.unknown, total.saved + one.saved)
    return total
