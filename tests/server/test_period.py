"""The stretch of time that a page shows."""

from __future__ import annotations

import time
from datetime import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from agentops_otel.server.period import Stretch, before
from agentops_otel.server.store import Filter

SECOND = 1_000_000_000
DAY = 86_400 * SECOND
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def _berlin(monkeypatch):
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def ns(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=BERLIN).timestamp()) * SECOND


@pytest.mark.parametrize(
    ("start", "end", "unit", "columns"),
    [
        pytest.param((2026, 11, 20, 14, 30), (2026, 11, 21, 14, 30), "hour", 25, id="a day"),
        pytest.param((2026, 11, 21, 13, 32), (2026, 11, 21, 14, 32), "minutes", 13, id="an hour"),
        pytest.param((2026, 11, 7, 14, 30), (2026, 11, 21, 14, 30), "day", 15, id="two weeks"),
        pytest.param((2026, 10, 20), (2026, 10, 30), "day", 10, id="the day of 25 hours is one day"),
        pytest.param((2026, 10, 24, 12), (2026, 10, 25, 12), "hour", 25, id="the hour that comes twice is two"),
        pytest.param((2026, 8, 1), (2026, 11, 1), "week", 14, id="a quarter"),
        pytest.param((2024, 1, 15), (2026, 1, 1), "month", 24, id="two years"),
        pytest.param((1970, 1, 2), (2026, 1, 1), "year", 56, id="a sender without a clock"),
    ],
)
@pytest.mark.usefixtures("_berlin")
def test_columns_follow_the_local_clock(start, end, unit, columns):
    """Columns hold the whole period without a gap, each one hour, day, week or month of the clock on the wall."""
    shown = Stretch(ns(*start), ns(*end))
    found = list(shown.columns())
    assert (shown.unit, len(found)) == (unit, columns)
    assert (found[0][0], found[-1][1]) == (shown.start_ns, shown.end_ns)
    assert all(one[1] == other[0] for one, other in pairwise(found))
    begins = [datetime.fromtimestamp(first / SECOND, BERLIN) for first, _ in found[1:]]
    assert all(
        moment.second == 0 and moment.minute in ((0,) if unit != "minutes" else range(0, 60, 5)) for moment in begins
    )
    if unit not in {"minutes", "hour"}:
        assert all(moment.hour == 0 for moment in begins)
    if unit == "week":
        assert all(moment.weekday() == 0 for moment in begins)
    if unit == "month":
        assert all(moment.day == 1 for moment in begins)


def test_pieces_are_equal_and_hold_the_whole():
    """A sparkline has fourteen pieces."""
    edges = Stretch(100, 100 + 14 * 7).edges_ns
    assert edges == tuple(range(100, 199, 7))


def test_the_period_before_is_as_long():
    """Seven days are compared with the seven before, with the same other filters; all time with nothing."""
    now = 1_000 * DAY
    where = Filter(tags=("prod",), since_ns=now - 7 * DAY)
    assert before(where, now) == Filter(tags=("prod",), since_ns=now - 14 * DAY, until_ns=now - 7 * DAY)
    closed = Filter(since_ns=10, until_ns=15)
    assert before(closed, now) == Filter(since_ns=5, until_ns=10)
    assert before(Filter(until_ns=15), now) is None


@pytest.mark.usefixtures("_berlin")
def test_a_morning_is_compared_with_a_morning():
    """Today until now has yesterday until the same time before it."""
    today, now = ns(2026, 11, 21), ns(2026, 11, 21, 9, 30)
    expected = Filter(since_ns=ns(2026, 11, 20), until_ns=ns(2026, 11, 20, 9, 30))
    assert before(Filter(since_ns=today), now) == expected
