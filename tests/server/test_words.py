"""Small pieces of sentences."""

from __future__ import annotations

from datetime import datetime

import pytest

from agentops_otel.server.words import called, days_to, long_size, long_time, nth

SECOND = 10**9


def _midnight(*day):
    return int(datetime(*day).astimezone().timestamp()) * SECOND


@pytest.mark.parametrize(
    ("number", "text"), [(2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (12, "12th"), (21, "21st"), (113, "113th")]
)
def test_ordinals(number, text):
    """As they are written."""
    assert nth(number) == text


def test_arguments_as_they_stand_in_a_call():
    """Objects by name; everything else as it was sent."""
    assert called('{"order": 1907, "amount": "412.90", "deep": {"ü": [1]}}') == (
        'order=1907, amount="412.90", deep={"ü": [1]}'
    )
    assert called("[1]") == "[1]"
    assert called("not JSON") == "not JSON"
    assert called("[" * 100_000) == "[" * 100_000


def test_days_from_one_to_another():
    """The month is said once where it can be."""
    days = [_midnight(2026, *day) for day in ((10, 28), (11, 15), (11, 21))]
    assert days_to(days[1], days[2]) == "15 to 21 Nov"
    assert days_to(days[0], days[2]) == "28 Oct\u201321 Nov"
    assert days_to(days[2], days[2] + SECOND) == "21 Nov"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(30 * 86_400, "30 days"), (86_400, "1 day"), (36 * 3600, "36 hours"), (90 * 60, "90 minutes"), (45, "45 seconds")],
)
def test_times_that_are_set(seconds, text):
    """In the unit in which they are whole."""
    assert long_time(seconds * SECOND) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [(2 << 30, "2 GiB"), (3 << 39, "1.5 TiB"), (2 * 10**9, "1.86 GiB"), (512 << 20, "512 MiB"), (1 << 50, "1,024 TiB")],
)
def test_sizes_that_are_set(size, text):
    """In powers of two, as they are given on the command line."""
    assert long_size(size).replace("\u202f", " ") == text
    assert long_size(1000).replace("\u202f", " ") == "1000 B"
