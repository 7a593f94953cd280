"""Values as bytes and as columns, and back. Nothing here is ever read with pickle."""

from __future__ import annotations

import hashlib
import math
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

LARGEST: Final = 2**63 - 1
_RAW: Final = b"\0"
_DEFLATED: Final = b"\1"
_SMALL: Final = 300  # bytes below which compressing saves less than it takes
_DEEPEST: Final = 100
decode: Final = msgspec.msgpack.Decoder().decode
encode: Final = msgspec.msgpack.Encoder(enc_hook=str).encode
_to_json: Final = msgspec.json.Encoder().encode
_of_json: Final = msgspec.json.Decoder(tuple[Any, ...]).decode
UNWRITABLE: Final = (OverflowError, UnicodeEncodeError, RecursionError, TypeError, ValueError)
"""What `encode` says of a value that `clean()` mends."""


def encoded(value: Any) -> bytes:
    """Any plain value as bytes."""
    try:
        return encode(value)
    except UNWRITABLE:
        return encode(clean(value))


def pack(value: Any) -> bytes:
    """Any plain value as bytes, compressed when that helps."""
    return deflate(encoded(value))


def deflate(data: bytes, small: int = _SMALL) -> bytes:
    """Bytes with a first byte that says how they are kept."""
    if len(data) < small:
        return _RAW + data
    # A small window and little memory: most contents are of a few kilobytes, and setting up 256 kB takes longer than
    # compressing them.
    compressor = zlib.compressobj(1, zlib.DEFLATED, -13 if len(data) < 8192 else -15, 6)
    return _DEFLATED + compressor.compress(data) + compressor.flush()


def inflate(data: bytes) -> bytes:
    """The bytes that `deflate` was given."""
    return zlib.decompress(data[1:], -15) if data[:1] == _DEFLATED else data[1:]


def unpack(data: bytes) -> Any:
    """The value that `pack` was given; tuples have become lists."""
    return decode(inflate(data))


def clean(value: Any, depth: int = 0) -> Any:
    """A value that can be written: lone surrogates, numbers of more than 64 bits and foreign objects are replaced."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if value is None or isinstance(value, (bool, float, bytes)):
        return value
    if isinstance(value, int):
        return value if -LARGEST <= value <= LARGEST else float(value) if abs(value) < 2**1023 else math.inf
    if depth >= _DEEPEST:
        return "..."
    if isinstance(value, Mapping):
        return {clean(str(key), depth): clean(each, depth + 1) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [clean(each, depth + 1) for each in value]
    return clean(str(value), depth)


def column(value: Any) -> Any:
    """A value that SQLite takes: a number of at most 64 bits, and text without lone surrogates."""
    if isinstance(value, int):
        return max(-LARGEST, min(LARGEST, value))
    return clean(value) if isinstance(value, str) else value


def digest_of(*parts: bytes) -> bytes:
    """16 bytes that stand for some others."""
    sum_of = hashlib.blake2b(digest_size=16)
    for part in parts:
        sum_of.update(part)
    return sum_of.digest()


def listed(values: Sequence[Any]) -> str | None:
    """Texts or numbers as a JSON list; None when there are none."""
    if not values:
        return None
    try:
        return _to_json(values).decode()
    except (UnicodeEncodeError, OverflowError):
        return _to_json(clean(values)).decode()


def unlisted(text: str | None) -> tuple[Any, ...]:
    """What `listed` was given."""
    return _of_json(text) if text else ()
