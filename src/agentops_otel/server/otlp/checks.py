"""What a request of OTLP has to be, in protobuf and in JSON alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from ...normalize import ReceivedLog, ReceivedSpan

LAST_NS: Final = 2**63 - 1
_ZEROS: Final = ("0" * 16, "0" * 32)


class DecodeError(ValueError):
    """The body is not OTLP; the message says what is wrong, for the sender."""


class TooMany(DecodeError):
    """The body holds more than `MOST_RECORDS` spans or log records; the sender has to send them in parts."""


class Spans(NamedTuple):
    """The spans of a request, and why others of it were left out."""

    spans: list[ReceivedSpan]
    rejected: list[str]


class Logs(NamedTuple):
    """The log records of a request, and why others of it were left out."""

    logs: list[ReceivedLog]
    rejected: list[str]


class Invalid(ValueError):
    """One span or log record is not valid."""


def id_of(digits: str, length: int, name: str) -> str:
    """An id in hex, of this length."""
    if len(digits) != length or digits in _ZEROS:
        raise Invalid(f"{name} is not valid: expected {length} hex digits that are not all 0")
    return digits


def optional_id(digits: str, length: int) -> str:
    """An id in hex, or nothing."""
    return digits if len(digits) == length and digits not in _ZEROS else ""


def parent_of(digits: str) -> str | None:
    """The id of the parent; None for a root."""
    if not digits or digits == _ZEROS[0]:
        return None
    return id_of(digits, 16, "parent_span_id")


def is_link(trace_id: str, span_id: str) -> bool:
    """A link to nowhere is left out; its span is worth more than the link."""
    return len(trace_id) == 32 and len(span_id) == 16


def times_of(start: int, end: int) -> tuple[int, int]:
    """Both; an end before the start, as of a clock that was set back, is the start."""
    if not 0 < start <= LAST_NS:
        raise Invalid("start_time_unix_nano is not valid: expected nanoseconds since 1970, above 0")
    return start, min(max(start, end), LAST_NS)


def log_time(time: int) -> int:
    """The time of a log record."""
    if not 0 <= time <= LAST_NS:
        raise Invalid("time_unix_nano is not valid: expected nanoseconds since 1970")
    return time


def event_name(attributes: Mapping[str, Any]) -> str:
    """The name of an event in the attributes of older senders."""
    name = attributes.get("event.name")
    return name if isinstance(name, str) else ""
