"""What came of spans that were handed over: of one pass over them, and of all so far."""

from __future__ import annotations

from typing import Final

import msgspec
from opentelemetry.sdk.trace import ReadableSpan

# Why a span was dropped: the keys of `Counts.dropped`.
REJECTED: Final = "rejected"  # the backend refused this span for good
TOO_LARGE: Final = "too large"  # refused because of its size, also after its long values were cut
NOT_ENCODABLE: Final = "not encodable"
EXPORTER_FAILED: Final = "exporter failed"  # the user's own exporter
UNREADABLE: Final = "unreadable"  # damaged on disk
UNDELIVERED: Final = "undelivered"  # the backend could not be reached, and there was no more room or time


class Counts(msgspec.Struct, frozen=True):
    """How many spans the backend acknowledged, and how many were dropped for which reason."""

    acknowledged: int = 0
    dropped: dict[str, int] = {}


class Outcome(msgspec.Struct):
    """What one pass came to; every span of it is in exactly one of the four lists.

    After a partial success the backend tells only how many spans it rejected: then the last ones stand for them, in
    `unnamed`.
    """

    acknowledged: list[ReadableSpan] = []
    rejected: list[tuple[ReadableSpan, str]] = []
    unnamed: list[ReadableSpan] = []
    unsent: list[ReadableSpan] = []
    unreadable: int = 0  # spans that could not be read back from where they were
    retry_after: float | None = None  # seconds the backend asked to wait
    again: bool = True  # whether repeating soon can help with what is unsent
    server_error: bool = False  # the backend failed inside
