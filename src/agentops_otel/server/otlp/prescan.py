"""How much a request of protobuf holds, without making one object of it.

Two bytes of the wire make an object of 50 to 170 bytes: four megabytes of them are two million spans. So they are
counted first, in traces, logs and metrics alike: request, resource and scope hold what is inside of them in the fields
1, 2 and 2. In a large request what spans hold is counted too.

https://protobuf.dev/programming-guides/encoding/ and https://github.com/open-telemetry/opentelemetry-proto
"""

from __future__ import annotations

import contextlib
from typing import Final

MOST_RECORDS: Final = 50_000
"""The most spans, or log records, or metrics, of one request."""
MOST_PARTS: Final = 2_000_000
"""The most attributes and their values, events, links and items of lists in all of them together."""
_LARGE: Final = 2 << 20
"""Bytes; what is smaller cannot hold more parts than that."""
_DEEPEST: Final = 100
"""Levels that protobuf's own parser goes down."""
# What each message holds that is a message itself, by number. A record is a span or a log record, so a name or an id
# may be taken for a message: it is none, and then nothing is counted in it.
_INSIDE: Final[dict[str, dict[int, str]]] = {
    "request": {1: "resource"},
    "resource": {1: "origin", 2: "scope"},
    "origin": {1: "pair"},
    "scope": {1: "library", 2: "record"},
    "library": {3: "pair"},
    "record": {5: "value", 6: "pair", 9: "pair", 11: "event", 13: "link"},
    "event": {3: "pair"},
    "link": {4: "pair"},
    "pair": {2: "value"},
    "value": {5: "values", 6: "pairs"},
    "values": {1: "value"},
    "pairs": {1: "pair"},
}


class NotProtobuf(ValueError):
    """The bytes are no protobuf."""


class TooMuch(ValueError):
    """There is more in it than may be; the message says of what."""


def prescan(body: bytes) -> int:
    """The number of spans, log records or metrics of a request.

    Raises:
        NotProtobuf: it is none.
        TooMuch: it holds more than `MOST_RECORDS`, or in them more than `MOST_PARTS`.
    """
    scan = _Scan(body)
    scan.down(0, len(body), "request", 0)
    return scan.records


class _Scan:
    """One pass over a body."""

    def __init__(self, body: bytes) -> None:
        self.records = 0
        self._parts = 0
        self._body = body
        self._is_large = len(body) > _LARGE

    def down(self, at: int, end: int, kind: str, depth: int) -> None:
        """Count what is inside of one message, between two offsets."""
        inside, body = _INSIDE[kind], self._body
        while at < end:
            tag, at = self._number(at, end)
            wire = tag & 7
            if wire == 2:
                length, at = self._number(at, end)
                if length > end - at:
                    raise NotProtobuf("a field is longer than what it is in")
                found = inside.get(tag >> 3)
                if found is not None:
                    self._count(found)
                    if found in ("resource", "scope"):
                        self.down(at, at + length, found, depth + 1)
                    elif self._is_large and length and depth < _DEEPEST:
                        with contextlib.suppress(NotProtobuf):  # the parser decides
                            self.down(at, at + length, found, depth + 1)
                at += length
            elif wire == 0:
                while at < end and body[at] > 127:
                    at += 1
                at += 1
            elif wire == 1:
                at += 8
            elif wire == 5:
                at += 4
            else:
                raise NotProtobuf("a field has no known type")

    def _count(self, found: str) -> None:
        if found == "record":
            self.records += 1
            if self.records > MOST_RECORDS:
                raise TooMuch(f"{MOST_RECORDS:,} spans, log records or metrics")
        else:
            self._parts += 1
            if self._parts > MOST_PARTS:
                raise TooMuch(f"{MOST_PARTS // 2:,} attributes, events and links")

    def _number(self, at: int, end: int) -> tuple[int, int]:
        body, value, shift = self._body, 0, 0
        while at < end and shift < 70:
            byte = body[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value, at
            shift += 7
        raise NotProtobuf("it ends within a number")
