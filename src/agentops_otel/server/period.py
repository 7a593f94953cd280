"""The stretch of time that a page shows: its pieces, for sparklines and columns, and the one before it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal

from .format import local
from .store import Filter, Store

Unit = Literal["minutes", "hour", "day", "week", "month", "year"]
"""``minutes`` are five of them."""
_PIECES: Final = 14
_SECOND: Final = 1_000_000_000
_HOUR: Final = 3600 * _SECOND
_DAY: Final = 24 * _HOUR


@dataclass(frozen=True, slots=True)
class Stretch:
    """From one moment to another, in nanoseconds since the epoch."""

    start_ns: int
    end_ns: int

    @property
    def edges_ns(self) -> tuple[int, ...]:
        """The edges of equal pieces of it."""
        return tuple(self.start_ns + (self.end_ns - self.start_ns) * piece // _PIECES for piece in range(_PIECES + 1))

    @property
    def unit(self) -> Unit:
        """The unit in which a chart of about 30 columns shows it."""
        length = self.end_ns - self.start_ns
        if length <= 3 * _HOUR:
            return "minutes"
        if length <= 1.5 * _DAY:
            return "hour"
        if length <= 32 * _DAY:
            return "day"
        if length <= 220 * _DAY:
            return "week"
        return "month" if length <= 1100 * _DAY else "year"

    def columns(self) -> Iterator[tuple[int, int]]:
        """Its parts of a unit by the local clock; the first and the last may be shorter."""
        start, unit = self.start_ns, self.unit
        while start < self.end_ns:
            after = _after(start, unit)
            after = min(after if after > start else start + _HOUR, self.end_ns)
            yield start, after
            start = after


def stretch(store: Store, where: Filter, now_ns: int) -> Stretch:
    """The period of a filter: to now where it names no end, from the first session where it names no beginning."""
    end = now_ns + 1 if where.until_ns is None else min(where.until_ns, now_ns + 1)
    start = where.since_ns
    if start is None:
        first = store.sessions(where, sort="started", descending=False, limit=1).rows
        start = first[0].started_ns if first else end - _DAY
    start = max(start, 0)  # a sender without a clock says 1970, and a year before it is no year of ours
    return Stretch(start, max(end, start + _SECOND))


def before(where: Filter, now_ns: int) -> Filter | None:
    """The filter of the time of equal length before; None for all time.

    A day that is not over yet is compared with the same hours of the day before: a morning with a morning.
    """
    if where.since_ns is None:
        return None
    end = now_ns if where.until_ns is None else where.until_ns
    length = end - where.since_ns
    if length < _DAY and where.until_ns is None and _is_midnight(where.since_ns):
        length = _DAY
    return replace(where, since_ns=where.since_ns - length, until_ns=end - length)


def _is_midnight(ns: int) -> bool:
    moment = local(ns)
    return not (moment.hour or moment.minute or moment.second or ns % _SECOND)


def _after(ns: int, unit: Unit) -> int:
    """The start of the next five minutes, hour, day, week, month or year."""
    moment = local(ns)
    day = datetime(moment.year, moment.month, moment.day)  # noqa: DTZ001  (local days have 23 to 25 hours)
    if unit == "minutes":
        return ns - (moment.minute % 5 * 60 + moment.second) * _SECOND - ns % _SECOND + 300 * _SECOND
    if unit == "hour":
        return ns - (moment.minute * 60 + moment.second) * _SECOND - ns % _SECOND + _HOUR
    if unit == "day":
        return _ns(day + timedelta(days=1))
    if unit == "week":
        return _ns(day + timedelta(days=7 - day.weekday()))
    if unit == "month":
        return _ns((day.replace(day=1) + timedelta(days=32)).replace(day=1))
    return _ns(datetime(moment.year + 1, 1, 1))  # noqa: DTZ001


def _ns(local_time: datetime) -> int:
    return round(local_time.astimezone().timestamp()) * _SECOND
