"""The few messages that a receiver answers with, as bytes: their classes would take another package.

https://github.com/open-telemetry/opentelemetry-proto (``Export…ServiceResponse``, whose fields are the same for each
signal) and https://github.com/googleapis/googleapis/tree/master/google/rpc (``Status``, ``RetryInfo``).
"""

from __future__ import annotations

from typing import Final

# https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto
CODES: Final = {400: 3, 401: 16, 403: 7, 404: 5, 405: 12, 408: 4, 413: 8, 415: 3, 429: 8, 500: 13, 503: 14}
"""The code of gRPC for a status of HTTP."""
_RETRY_INFO: Final = "type.googleapis.com/google.rpc.RetryInfo"


def response(rejected: int, reason: str) -> bytes:
    """An ``Export…ServiceResponse``; empty when all was stored."""
    if not rejected:
        return b""
    return _bytes(1, _varint(1, rejected) + _text(2, reason))


def status(code: int, message: str, retry_after: int | None = None) -> bytes:
    """A ``google.rpc.Status``, with a ``RetryInfo`` when the same request may be sent again.

    Args:
        code: of gRPC.
        message: for people.
        retry_after: seconds.
    """
    found = _varint(1, code) + _text(2, message)
    if retry_after is not None:
        info = _bytes(1, _varint(1, retry_after))
        found += _bytes(3, _text(1, _RETRY_INFO) + _bytes(2, info))
    return found


def _varint(field: int, value: int) -> bytes:
    return bytes([field << 3]) + _length(value)


def _text(field: int, text: str) -> bytes:
    return _bytes(field, text.encode("utf-8", "replace"))


def _bytes(field: int, content: bytes) -> bytes:
    return bytes([field << 3 | 2]) + _length(len(content)) + content


def _length(value: int) -> bytes:
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    found.append(value)
    return bytes(found)
