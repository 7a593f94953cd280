"""Percentiles and histograms of durations."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentops_otel.server.spread import BINS, Spread, scale, spread


def test_percentiles_are_durations_that_were_measured():
    """By nearest rank: of 100 calls the 95th is the 95 % one."""
    assert spread(range(100, 0, -1)) == Spread(50, 95, 99, 100)
    assert spread([7]) == Spread(7, 7, 7, 7)
    assert spread([]) == Spread()


@given(st.lists(st.integers(0, 10**14), min_size=1))
def test_percentiles_rise_and_are_values(durations):
    """50 % <= 95 % <= 99 % <= longest, and each was measured."""
    found = spread(durations)
    values = [found.p50_ns, found.p95_ns, found.p99_ns, found.longest_ns]
    assert values == sorted(values)
    assert set(values) <= set(durations)


@given(st.lists(st.integers(0, 10**14)))
def test_every_duration_is_in_one_bin(durations):
    """A histogram loses nothing, and longer durations stand further right."""
    whole = scale(durations)
    counts = whole.counts(durations)
    assert len(counts) == BINS
    assert sum(counts) == len(durations)
    bins = [whole.bin(duration) for duration in sorted(durations)]
    assert bins == sorted(bins)


def test_a_scale_goes_from_power_to_power():
    """Rows with other durations share it, and it does not change with every call."""
    whole = scale([3_000_000, 420_000_000])
    assert (whole.low_ns, whole.high_ns) == (1_000_000, 1_000_000_000)
    assert whole.bin(1_000_000) == 0
    assert whole.bin(999_999_999) == BINS - 1
    assert whole.bin(31_622_776) == pytest.approx(BINS / 2, abs=1)
