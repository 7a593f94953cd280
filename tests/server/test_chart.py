"""The geometry of charts."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentops_otel.server.split import Share, Split
from agentops_otel.server.svg.chart import FLOOR, TALLEST, bars, flows, histogram, names, shares, slower, tick, ticks
from agentops_otel.server.views.costs import Column

HOUR = 3600 * 10**9


def column(start, *parts):
    return Column(start, None, sum(parts), parts)


def number(percent):
    return float(percent.removesuffix("%"))


COLUMNS = st.lists(
    st.builds(lambda a, b, c: column(0, a, b, c), *[st.floats(0, 1e6, allow_subnormal=False)] * 3),
    max_size=40,
)


@given(COLUMNS)
def test_columns_stand_on_the_floor_and_beside_each_other(columns):
    """Parts are stacked without a gap, the tallest column has the whole height, and none covers another."""
    drawn = bars(columns, "hour")
    assert len(drawn) == len(columns)
    for bar in drawn:
        floor = FLOOR
        for block in bar.blocks:
            assert block.y + block.height == pytest.approx(floor, abs=0.02)
            floor = block.y
    ends = [(number(bar.x), number(bar.x) + number(bar.width)) for bar in drawn]
    assert all(one[1] <= other[0] + 0.02 for one, other in pairwise(ends))
    if any(sum(each.parts) > 0 for each in columns):
        assert FLOOR - min(bar.top for bar in drawn) == pytest.approx(TALLEST, abs=1.6)


def test_what_is_not_nothing_is_seen():
    """A thousandth of the highest column has a height."""
    small, _ = bars([column(0, 0.0001), column(HOUR, 1000.0)], "hour")
    assert small.blocks[0].height == 0.5
    assert bars([column(0, 0.0)], "hour")[0].blocks == ()


def test_names_beside_the_last_column_do_not_overlap():
    """They stand at their blocks, twelve pixels apart."""
    (bar,) = bars([column(0, 100.0, 0.01, 0.01, 0.01)], "hour")
    found = names(bar, ["a", "b", "c", "2 others"])
    assert [name for _, name in found] == ["a", "b", "c", "2 others"]
    assert all(one[0] - other[0] >= 12 for one, other in pairwise(found))
    assert names(None, ["a"]) == []


def test_what_stands_below_a_column_says_the_month_once():
    """And again when it is another one."""
    nov, dec = (int(datetime(2026, month, 9).astimezone().timestamp()) * 10**9 for month in (11, 12))
    assert tick(nov, "day") == "9 Nov"
    assert tick(nov + 24 * HOUR, "day", nov) == "10"
    assert tick(dec, "day", nov) == "9 Dec"
    assert tick(nov + 14 * HOUR + HOUR // 2, "hour", nov) == "14:00"
    assert tick(nov + 14 * HOUR + HOUR // 2 + 10**11, "minutes", nov) == "14:30"
    assert tick(nov, "month") == "Nov 2026"
    assert tick(dec, "month", nov) == "Dec"
    assert tick(nov, "year", 0) == "2026"


def test_bands_go_from_tokens_to_money():
    """Each class has its share of both lines; an amount that cannot be divided is money without tokens."""
    split = Split((Share("cache read", 75, 1.0), Share("input", 25, 2.0)), unknown=1.0)
    found = flows(split)
    assert [(band.name, band.above, band.below) for band in found] == [
        ("cache read", (0, 75), (0, 25)),
        ("input", (75, 25), (25, 50)),
        ("not divided", (100, 0), (75, 25)),
    ]
    assert found[0].path == "M0 20H750C750 42 250 42 250 64H0C0 42 0 42 0 20z"
    assert [(x, width) for _, x, width in shares(split, 8.0)] == [("0%", "12.5%"), ("12.5%", "25%"), ("37.5%", "12.5%")]


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=30))
def test_a_histogram_has_a_bar_for_each_count(counts):
    """The highest has the whole height; what is not nothing is seen."""
    found = histogram(counts)
    assert len(found) == sum(count > 0 for count in counts)
    assert all(1 <= height <= 20 and y + height == pytest.approx(20) for _, _, y, height in found)


def test_ticks_stack_fatal_below_recovered():
    """On a scale that several rows share; one error of many is two pixels."""
    found = ticks([(0, 0), (5, 5), (1, 0)], 10)
    assert [(one.x, one.fatal, one.recovered) for one in found] == [
        (28, (10, 10.0), (0, 10.0)),
        (56, (18, 2.0), (18, 0.0)),
    ]


def test_a_difference_goes_from_the_middle():
    """To the right is slower."""
    assert slower(50, 100) == ("50%", "25%")
    assert slower(-100, 100) == ("0%", "50%")
    assert slower(None, 100) == ("50%", "0%")
