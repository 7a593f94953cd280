"""How long calls take: percentiles, and a histogram on a scale that all rows of a page share. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

BINS: Final = 24


@dataclass(frozen=True, slots=True)
class Spread:
    """Percentiles of durations in nanoseconds; None without any."""

    p50_ns: int | None = None
    p95_ns: int | None = None
    p99_ns: int | None = None
    longest_ns: int | None = None


def percentile(sorted_values: Sequence[int], percent: float) -> int | None:
    """The smallest value that at least so many percent are not above (nearest rank); None without values."""
    if not sorted_values:
        return None
    rank = math.ceil(percent / 100 * len(sorted_values))
    return sorted_values[max(0, rank - 1)]


def spread(durations_ns: Iterable[int]) -> Spread:
    """The percentiles of durations in any order."""
    values = sorted(durations_ns)
    if not values:
        return Spread()
    return Spread(percentile(values, 50), percentile(values, 95), percentile(values, 99), values[-1])


@dataclass(frozen=True, slots=True)
class Scale:
    """A logarithmic scale of durations in `BINS` equal steps."""

    low_ns: int
    high_ns: int

    def bin(self, duration_ns: int) -> int:
        """Which step a duration is in."""
        if duration_ns <= self.low_ns:
            return 0
        whole = math.log(self.high_ns / self.low_ns)
        return min(BINS - 1, int(BINS * math.log(duration_ns / self.low_ns) / whole))

    def counts(self, durations_ns: Iterable[int]) -> tuple[int, ...]:
        """How many durations are in each step."""
        found = [0] * BINS
        for duration in durations_ns:
            found[self.bin(duration)] += 1
        return tuple(found)


def scale(durations_ns: Iterable[int]) -> Scale:
    """The scale that holds all durations, from one power of ten to another; 1 ms to 1 s when there are none."""
    positive = [duration for duration in durations_ns if duration > 0]
    if not positive:
        return Scale(10**6, 10**9)
    low = 10 ** math.floor(math.log10(min(positive)))
    high = 10 ** math.ceil(math.log10(max(positive)))
    return Scale(low, max(high, low * 10))
