"""Numbers and times as a page shows them: markup with the exact value beside the short one. All are Jinja filters.

Between a number and its unit stands a narrow no-break space; units and leading zeros are in ``<i>``, quieter than the
digits that matter. What is not known is ``None`` and gives a mark, never 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from html import unescape
from typing import Final

from markupsafe import Markup

MINUS: Final = "\u2212"
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_BYTES: Final = ("B", "kB", "MB", "GB", "TB")
_SMALLEST: Final = 1e-9
"""Amounts below have an exponent: more zeros can no longer be counted by eye."""


def usd(amount: float | None, pad: int = 0) -> Markup:
    """An amount in US dollars: from $1 two decimals, below three digits that matter; free is ``$0``.

    Args:
        amount: None says "no price".
        pad: decimals of the longest amount of the column, see `decimals`; points then stand in one line.
    """
    if amount is None or not math.isfinite(amount):
        return Markup('<span class="warn">no price</span>')
    places = decimals(amount)
    sign = MINUS if amount < 0 else ""
    quiet, digits = _digits(abs(amount), places)
    padding = "" if pad <= places else "0" * (pad - places) if places else "." + "0" * pad
    padded = f' data-pad="{padding}"' if padding else ""
    return _of_numbers(f'<data class="usd" value="{amount:.12g}"{padded}>{sign}<i>${quiet}</i>{digits}</data>')


def _of_numbers(markup: str) -> Markup:
    """Markup that was made of numbers and of our own words alone; `Markup.format` takes ten times as long."""
    return Markup(markup)  # noqa: S704


def decimals(amount: float | None) -> int:
    """How many decimals `usd` shows of an amount."""
    if amount is None or not math.isfinite(amount) or amount == 0 or abs(amount) < _SMALLEST:
        return 0
    if abs(amount) >= 0.9995:
        return 2
    return 2 - int(f"{abs(amount):.2e}".partition("e")[2])


def _digits(amount: float, places: int) -> tuple[str, str]:
    """The leading zeros, and the digits that matter."""
    if amount == 0:
        return "", "0"
    if not places:
        return "", f"{amount:.2e}"
    text = f"{amount:,.{places}f}"
    digits = text.lstrip("0.") if amount < 0.9995 else text
    return text[: len(text) - len(digits)], digits


def tokens(number: int | None) -> Markup:
    """Tokens: exact below 10,000, then ``105.7k``, then ``1.20M`` with three digits."""
    if number is None:
        return Markup("")
    if abs(number) < 10_000:
        return _of_numbers(f'<data value="{number:d}">{number:,}</data>')
    short, unit = _thousands(number)
    return Markup('<data value="{}" title="{:,}">{}<i>{}</i></data>').format(number, number, short, unit)


def _thousands(number: int) -> tuple[str, str]:
    if abs(number) < 999_950:
        return f"{number / 1e3:.1f}", "k"
    if abs(number) < 999_500_000:
        return _three_digits(number / 1e6), "M"
    return _three_digits(number / 1e9), "B"


def _three_digits(number: float) -> str:
    if abs(number) < 9.995:
        return f"{number:.2f}"
    return f"{number:.1f}" if abs(number) < 99.95 else f"{number:,.0f}"


def count(number: int | None) -> Markup:
    """A whole number with separators; None is blank."""
    return Markup("") if number is None else Markup("{:,}").format(number)


def duration(ns: float | None) -> Markup:
    """A duration: ``420 ms``, ``5.66 s``, ``41.3 s``, ``1 m 34 s``, ``1 h 12 m``; None is still running."""
    if ns is None:
        return Markup('<span class="live">\u2026</span>')
    ns = max(0, ns)
    parts = " ".join(f"{number}\u202f<i>{unit}</i>" for number, unit in _parts(ns))
    return _of_numbers(f'<time datetime="{iso_duration(ns)}">{parts}</time>')


def duration_text(ns: float) -> str:
    """A duration in a sentence: as `duration`, without markup."""
    return " ".join(f"{unescape(number)}\u202f{unit}" for number, unit in _parts(max(0, ns)))


def _parts(ns: float) -> tuple[tuple[str, str], ...]:
    seconds = ns / 1e9
    if 0 < ns < 5_000:
        return (("&lt;0.01", "ms"),)
    if ns < 999_500:
        return ((f"{ns / 1e6:.2f}".rstrip("0").rstrip("."), "ms"),)
    if seconds < 0.9995:
        return ((f"{ns / 1e6:.0f}", "ms"),)
    if seconds < 59.95:
        return ((_three_digits(seconds), "s"),)
    if seconds < 3599.5:
        minutes, rest = divmod(round(seconds), 60)
        return (str(minutes), "m"), (f"{rest:02d}", "s")
    hours, minutes = divmod(round(seconds / 60), 60)
    return (f"{hours:,}", "h"), (f"{minutes:02d}", "m")


def iso_duration(ns: float) -> str:
    """An ISO 8601 duration in seconds, such as ``PT11.25S``."""
    whole, rest = divmod(round(ns), 1_000_000_000)
    return f"PT{whole}.{rest:09d}".rstrip("0").rstrip(".") + "S"


def offset(ns: float) -> Markup:
    """A moment of a session, from its start: ``0:05.9``, ``1:20.7``, ``1:02:03.4``."""
    ns = max(0, ns)
    minutes, tenths = divmod(round(ns / 1e8), 600)
    hours, minutes = divmod(minutes, 60)
    rest = f"{tenths / 10:04.1f}"
    text = f"{hours:,}:{minutes:02d}:{rest}" if hours else f"{minutes}:{rest}"
    return Markup('<time datetime="{}">{}</time>').format(iso_duration(ns), text)


def clock(ns: int, now_ns: int, *, seconds: bool = False) -> Markup:
    """A moment in local time: today ``14:32``, in the six days before ``Fri 17:40``, then ``12 Nov``.

    Args:
        ns: since the epoch; the exact value is in ``datetime``, the zone in ``title``.
        now_ns: what "today" means.
        seconds: ``14:32:07`` also of other days, for the head of a page.
    """
    then, now = local(ns), local(now_ns)
    text = f"{then:%H:%M:%S}" if seconds else f"{then:%H:%M}"
    days = (now.date() - then.date()).days
    if 0 < days < 7 and not seconds:
        text = f"{_DAYS[then.weekday()]} {text}"
    elif days and not seconds:
        text = f"{then.day} {MONTHS[then.month - 1]}" + ("" if then.year == now.year else f" {then.year}")
    return Markup('<time datetime="{}" title="{}">{}</time>').format(iso(ns), f"{day(then)}, {then:%H:%M:%S %Z}", text)


def local(ns: int) -> datetime:
    """A moment in the zone of this machine; the epoch where the number is no moment."""
    try:
        return datetime.fromtimestamp(ns // 1_000_000_000).astimezone() + timedelta(
            microseconds=ns % 1_000_000_000 // 1000
        )
    except (OverflowError, OSError, ValueError):
        return datetime.fromtimestamp(0).astimezone()


def day(moment: datetime) -> str:
    """Such as ``Sat 21 Nov 2026``."""
    return f"{_DAYS[moment.weekday()]} {moment.day} {MONTHS[moment.month - 1]} {moment.year}"


def date(ns: int) -> str:
    """A day without its year, such as ``Sat 21 Nov``."""
    return day(local(ns)).rpartition(" ")[0]


def iso(ns: int) -> str:
    """A moment as ISO 8601 with milliseconds and zone."""
    return local(ns).isoformat(timespec="milliseconds")


def share(part: float | None, whole: float | None, places: int = 0) -> Markup:
    """A part in percent: whole, with one decimal under 1 and over 99; only nothing is 0, only all is 100.

    Args:
        part: None gives nothing.
        whole: None or 0 gives nothing.
        places: decimals.
    """
    if part is None or not whole:
        return Markup("")
    percent = 100 * part / whole
    edge = 0 < percent < 1 or 99 < percent < 100
    text = f"{min(max(percent, 0.1), 99.9):.1f}" if edge else f"{percent:.{places}f}"
    if percent in {0, 100}:
        text = f"{percent:.0f}"
    return Markup("{}\u202f<i>%</i>").format(f"<{text}" if 0 < percent < 0.05 else text)


def size(number: float | None) -> Markup:
    """Bytes: ``212 kB``, ``1.20 MB``; thousands, as disks and networks count."""
    if number is None:
        return Markup("")
    value, unit = float(number), 0
    while value >= 999.5 and unit < len(_BYTES) - 1:
        value, unit = value / 1000, unit + 1
    text = _three_digits(value) if unit else f"{value:.0f}"
    return Markup('<data value="{}">{}\u202f<i>{}</i></data>').format(round(number), text, _BYTES[unit])


FILTERS: Final[Mapping[str, Callable[..., object]]] = {
    "usd": usd,
    "decimals": decimals,
    "tokens": tokens,
    "count": count,
    "duration": duration,
    "iso_duration": iso_duration,
    "offset": offset,
    "clock": clock,
    "date": date,
    "iso": iso,
    "share": share,
    "size": size,
}
