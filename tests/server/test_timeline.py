"""Places on a time line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentops_otel.server.svg.timeline import along, band, divisions, end_mark, flame, scale_of, stretches

SECOND = 10**9


@dataclass(frozen=True)
class Row:
    id: str
    parent: str | None
    start_ns: int
    end_ns: int | None


@pytest.mark.parametrize(
    ("part", "whole", "place"), [(1, 3, "33.3333%"), (0, 5, "0%"), (5, 5, "100%"), (1, 0, "0%"), (1, 10**9, "0%")]
)
def test_place_is_a_share_of_the_width(part, whole, place):
    """Four decimals, since one zooms; nothing of nothing is at the start."""
    assert along(part, whole) == place


@pytest.mark.parametrize(
    ("seconds", "marks"),
    [
        (94.2, ["0\u202fs", "20", "40", "60", "80"]),
        (7.84, ["0\u202fs", "1.6", "3.2", "4.8", "6.4"]),
        (0.3, ["0\u202fms", "60", "120", "180", "240"]),
        (560, ["0:00", "2:00", "4:00", "6:00", "8:00"]),
    ],
)
def test_scale_has_five_round_divisions(seconds, marks):
    """What stands below the lane is easily read."""
    assert divisions(scale_of(int(seconds * SECOND))) == marks


@given(st.integers(0, 10**18))
def test_scale_holds_its_duration(duration_ns):
    """Nothing ends outside of the lane, and half of it at least is used."""
    scale = scale_of(duration_ns)
    assert scale >= duration_ns
    assert duration_ns < 5_000 or scale <= 2 * duration_ns


@pytest.mark.parametrize(
    ("seconds", "mark"), [(0.42, "420\u202fms"), (7.84, "7.84\u202fs"), (94.2, "1:34"), (3723, "1:02:03")]
)
def test_end_of_a_line_says_how_long_it_is(seconds, mark):
    """In the units in which one thinks of it."""
    assert end_mark(int(seconds * SECOND)) == mark


def test_band_goes_from_time_to_money():
    """Its upper edge is the call's time, its lower one the call's money."""
    path = band(100, 200, 1000, 0.5, 1.0, 1.0)
    assert path.startswith("M100 20H200C")
    assert "1000 64H500C" in path


def test_calls_at_once_stand_under_each_other():
    """A bar is below its parent, and below a sibling that runs at the same time; after it, beside it."""
    rows = [
        Row("root", None, 0, 100),
        Row("a", "root", 0, 50),
        Row("b", "root", 10, 60),
        Row("c", "root", 70, 90),
        Row("inside b", "b", 20, 30),
        Row("open", "root", 95, None),
    ]
    made = flame(rows, 100)
    assert made.depths == {"root": 0, "a": 1, "b": 2, "c": 1, "inside b": 3, "open": 1}
    assert made.depth == 4


@given(st.lists(st.tuples(st.sampled_from(["llm", "tool"]), st.integers(0, 10**6), st.integers(0, 10**4)), max_size=60))
def test_stretches_cover_all_pieces_of_their_kind(pieces):
    """Each piece is inside of one, and no two could be one."""
    pieces = sorted(((kind, start, start + long) for kind, start, long in pieces), key=lambda piece: piece[1])
    path = stretches(pieces, "llm", 2 * 10**6, 2)
    drawn = [(float(a), float(b)) for a, b in re.findall(r"M([\d.]+) 2H([\d.]+)V16H[\d.]+z", path)]
    for kind, start, end in pieces:
        if kind == "llm":
            assert any(a <= start / 2000 + 0.01 and end / 2000 <= b + 0.01 for a, b in drawn)
    assert all(after[0] - before[1] > 0.28 for before, after in pairwise(drawn))


def test_a_day_of_calls_makes_no_long_path():
    """There are no more pieces than one could see."""
    pieces = [("llm", number * 10, number * 10 + 5) for number in range(100_000)]
    assert len(stretches(pieces, "llm", 10**6, 2)) < 100
