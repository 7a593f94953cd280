"""Numbers and times as pages show them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from agentops_otel.server import format as formats

NOW = int(datetime(2026, 11, 21, 15, 0).astimezone().timestamp()) * 1_000_000_000


def _text(markup: Markup) -> str:
    """What a person reads; narrow spaces as spaces."""
    return re.sub(r"<[^>]*>", "", str(markup)).replace("\u202f", " ").replace("&lt;", "<")


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (152.14455, "$152.14"),
        (12345.678, "$12,345.68"),
        (1.74, "$1.74"),
        (0.9996, "$1.00"),
        (0.99949, "$0.999"),
        (0.0999592, "$0.100"),
        (0.0252, "$0.0252"),
        (0.000386, "$0.000386"),
        (0.0000000012, "$0.00000000120"),
        (1e-12, "$1.00e-12"),
        (0, "$0"),
        (-0.0043, "\u2212$0.00430"),
        (None, "no price"),
        (float("nan"), "no price"),
        (float("inf"), "no price"),
    ],
)
def test_small_costs_are_exact(amount, text):
    """A cost has two decimals from a dollar on and three digits that matter below; nothing is rounded to nothing."""
    assert _text(formats.usd(amount)) == text


def test_leading_zeros_of_a_cost_are_quiet_and_the_value_is_whole():
    """The sign and the leading zeros are in <i>, the exact amount is the value."""
    assert formats.usd(0.0999592) == '<data class="usd" value="0.0999592"><i>$0.</i>100</data>'
    assert formats.usd(0.1 + 0.2) == '<data class="usd" value="0.3"><i>$0.</i>300</data>'


@given(st.lists(st.one_of(st.just(0.0), st.floats(1e-8, 1e6)), min_size=1, max_size=20))
def test_points_of_a_column_stand_in_one_line(amounts):
    """With the padding of the longest, every amount has the same number of characters from its point on."""
    pad = max(map(formats.decimals, amounts))
    lengths = set()
    for amount in amounts:
        markup = formats.usd(amount, pad)
        shown = _text(markup) + (re.findall(r'data-pad="([^"]*)"', markup) or [""])[0]
        lengths.add(len(shown.partition(".")[2]))
    assert lengths == {pad}


@given(st.floats(1e-300, 1e9))
def test_no_cost_is_shown_as_nothing(amount):
    """What costs something never reads as $0, and what is read is within half a percent or half a cent."""
    text = _text(formats.usd(amount)).replace("$", "").replace(",", "")
    assert float(text) > 0
    assert float(text) == pytest.approx(amount, rel=0.0051)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (9377, "9,377"),
        (9999, "9,999"),
        (10_000, "10.0k"),
        (105_658, "105.7k"),
        (999_949, "999.9k"),
        (999_950, "1.00M"),
        (1_204_880, "1.20M"),
        (12_900_000, "12.9M"),
        (152_000_000, "152M"),
        (1_500_000_000, "1.50B"),
        (None, ""),
    ],
)
def test_tokens_are_exact_below_ten_thousand(number, text):
    """Tokens are shortened from 10,000 on; the exact number stays in the title."""
    markup = formats.tokens(number)
    assert _text(markup) == text
    if number and number >= 10_000:
        assert f'title="{number:,}"' in markup


@pytest.mark.parametrize(
    ("ns", "text", "iso"),
    [
        (0, "0 ms", "PT0S"),
        (900, "<0.01 ms", "PT0.0000009S"),
        (420_000, "0.42 ms", "PT0.00042S"),
        (420_000_000, "420 ms", "PT0.42S"),
        (999_600_000, "1.00 s", "PT0.9996S"),
        (5_660_000_000, "5.66 s", "PT5.66S"),
        (9_996_000_000, "10.0 s", "PT9.996S"),
        (11_250_000_000, "11.2 s", "PT11.25S"),
        (41_300_000_000, "41.3 s", "PT41.3S"),
        (59_960_000_000, "1 m 00 s", "PT59.96S"),
        (94_200_000_000, "1 m 34 s", "PT94.2S"),
        (3_599_600_000_000, "1 h 00 m", "PT3599.6S"),
        (4_320_000_000_000, "1 h 12 m", "PT4320S"),
        (-5, "0 ms", "PT0S"),
    ],
)
def test_durations_have_three_digits(ns, text, iso):
    """A duration is read at a glance, and its exact value is in datetime."""
    markup = formats.duration(ns)
    assert _text(markup) == text
    assert f'datetime="{iso}"' in markup


def test_a_duration_that_is_not_known_yet_is_a_live_mark():
    """An open span has no duration."""
    assert formats.duration(None) == '<span class="live">…</span>'


@given(st.integers(0, 10**17), st.integers(0, 10**17))
def test_a_longer_duration_never_reads_shorter(first, second):
    """Rounding keeps the order of durations."""

    def read(ns: int) -> float:
        units = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}
        return sum(
            float(number.replace(",", "")) * units[unit]
            for number, unit in re.findall(r"([\d.,]+) (ms|s|m|h)", _text(formats.duration(ns)))
        )

    low, high = sorted((first, second))
    assert read(low) <= read(high)


@pytest.mark.parametrize(
    ("ns", "text"),
    [(5_900_000_000, "0:05.9"), (80_700_000_000, "1:20.7"), (3_723_400_000_000, "1:02:03.4"), (-1, "0:00.0")],
)
def test_an_offset_counts_from_the_start_of_the_session(ns, text):
    """Minutes, seconds and tenths, hours when there are some."""
    assert _text(formats.offset(ns)) == text


@pytest.mark.parametrize(
    ("ago", "text"),
    [
        (timedelta(minutes=28), "14:32"),
        (timedelta(days=1), "Fri 15:00"),
        (timedelta(days=6), "Sun 15:00"),
        (timedelta(days=9), "12 Nov"),
        (timedelta(days=365), "21 Nov 2025"),
        (timedelta(days=-1), "22 Nov"),
    ],
)
def test_a_moment_is_as_short_as_its_distance_allows(ago, text):
    """Today has a time, this week a day and a time, what is older a date; the whole moment is beside it."""
    then = NOW - int(ago.total_seconds()) * 1_000_000_000
    markup = formats.clock(then, NOW)
    assert _text(markup) == text
    stated = re.search(r'datetime="([^"]+)"', markup)
    assert stated
    assert datetime.fromisoformat(stated[1]).timestamp() * 1e9 == then


@given(st.integers(-(2**70), 2**70))
def test_any_number_is_some_moment(ns):
    """A wrong clock of a sender does not break a page."""
    assert formats.clock(ns, NOW).startswith("<time")


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [
        (31, 100, "31 %"),
        (4, 1000, "0.4 %"),
        (1, 100_000, "<0.1 %"),
        (9999, 10_000, "99.9 %"),
        (0, 5, "0 %"),
        (5, 5, "100 %"),
        (1, 0, ""),
        (None, 4, ""),
    ],
)
def test_only_all_is_a_hundred_percent(part, whole, text):
    """A share is a whole percent; what is nearly all or nearly nothing says so."""
    assert _text(formats.share(part, whole)) == text


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 B"), (999, "999 B"), (212_000, "212 kB"), (1_200_000, "1.20 MB"), (2**31, "2.15 GB")]
)
def test_sizes_count_in_thousands(number, text):
    """As disks do."""
    assert _text(formats.size(number)) == text
