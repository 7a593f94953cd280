"""Points in time as people and APIs give them, and nanoseconds since 1970, which OTLP carries."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from time import time_ns
from typing import Final

Timestamp = str | datetime | float
"""ISO 8601 text, a datetime, or seconds since 1970; without an offset it is UTC."""

LAST_NS: Final = 2**63 - 1
"""The latest that OTLP can carry."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
# Python 3.10 reads neither "Z" nor a fraction of other than 3 or 6 digits, which Go, Java and JavaScript write.
_ISO: Final = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d)?)(?:[.,](\d+))?\s*(?:([Zz])|([+-]\d\d):?(\d\d)?)?")


def now() -> str:
    """The current time as ISO 8601, in UTC."""
    return iso(time_ns())


def iso(nanoseconds: int) -> str:
    """Nanoseconds since 1970 as ISO 8601, in UTC."""
    return (_EPOCH + timedelta(microseconds=nanoseconds // 1000)).isoformat()


def nanoseconds(value: object) -> int | None:
    """Nanoseconds since 1970, None for what is no time that OTLP can carry."""
    try:
        found = _parse(value)
    except Exception:  # (a user's object can raise anything)
        return None
    return found if found is not None and 0 <= found <= LAST_NS else None


def _parse(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return int(value * 1_000_000_000)
    moment = _from_iso(value) if isinstance(value, str) else value
    if not isinstance(moment, datetime):
        return None
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=timezone.utc)
    return (aware - _EPOCH) // timedelta(microseconds=1) * 1000


def _from_iso(text: str) -> datetime | None:
    match = _ISO.fullmatch(text.strip())
    if match is None:
        return None
    date, time, fraction, zulu, hours, minutes = match.groups()
    offset = "+00:00" if zulu or hours is None else f"{hours}:{minutes or '00'}"
    seconds = time if time.count(":") == 2 else f"{time}:00"
    return datetime.fromisoformat(f"{date}T{seconds}.{(fraction or '0')[:6]:0<6}{offset}")
