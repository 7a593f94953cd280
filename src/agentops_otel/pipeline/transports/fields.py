"""Fields of OTLP's messages in protobuf's wire format, written in plain Python.

OpenTelemetry's exporter makes a message object of each attribute first, which takes several times as long, and loading
protobuf for it takes as long as loading this package.
https://protobuf.dev/programming-guides/encoding/

Whatever an attribute holds, there is something to send: what OTLP cannot carry becomes text.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, Final

from ...text import encodable, unprintable

BYTES: Final = [bytes([number]) for number in range(256)]
_SIMPLE: Final = frozenset({bool, int, float})
_TIMES: Final = struct.Struct("<cQcQ").pack
_TIME: Final = struct.Struct("<cQ").pack
_DOUBLE: Final = struct.Struct("<d").pack
_MOST_KNOWN: Final = 1024
_SHORT: Final = 100  # with its name, its value and three lengths of one byte each, an attribute stays below 128 bytes

# Attributes -----------------------------------------------------------------------------------------------------------

_names: Final[dict[Any, bytes]] = {}  # the first field of a `KeyValue`, by name
# By tag and name, the last value, its type, and their bytes: most of what a span says, the one before it has said.
_last: Final[defaultdict[bytes, dict[Any, tuple[Any, type, bytes]]]] = defaultdict(dict)


def attribute_fields(tag: bytes, attributes: Mapping[Any, Any]) -> list[bytes]:
    """Each attribute as one field with this tag."""
    parts: list[bytes] = []
    known = _last[tag]
    for name, value in attributes.items():
        kind, last = type(value), known.get(name)
        if last is not None and last[1] is kind and last[0] == value:
            parts.append(last[2])
            continue
        field = _names.get(name) or _name(name)
        if kind is str:
            text = utf8(value)
            length = len(text)
            size = length + len(field)
            if size < _SHORT:
                own = b"%b%c%b\x12%c\x0a%c%b" % (tag, size + 4, field, length + 2, length, text)
                _remember(known, name, value, own)
                parts.append(own)
                continue
            content: tuple[bytes, ...] = b"\x0a", varint(length), text
        elif kind is int and 0 <= value < 128:
            content = b"\x18", BYTES[value]
        else:
            content = tuple(any_value(value))
        size = sum(map(len, content))
        length_of_value = varint(size)
        own_parts = (
            tag,
            varint(len(field) + 1 + len(length_of_value) + size),
            field,
            b"\x12",
            length_of_value,
            *content,
        )
        if size < _SHORT and (kind in _SIMPLE or (kind is tuple and all(type(item) is str for item in value))):
            own = b"".join(own_parts)
            _remember(known, name, value, own)
            parts.append(own)
        else:
            parts += own_parts
    return parts


def _remember(known: dict[Any, tuple[Any, type, bytes]], name: Any, value: Any, field: bytes) -> None:
    kind = type(value)
    if type(name) is not str or (kind is float and not value):  # 0.0 and -0.0 are equal
        return
    if len(known) >= _MOST_KNOWN:
        known.clear()
    known[name] = value, kind, field


def _name(name: Any) -> bytes:
    if type(name) is not str:
        return text_field(b"\x0a", _as_text(name))
    field = text_field(b"\x0a", name)
    if len(_names) >= _MOST_KNOWN:
        _names.clear()
    _names[name] = field
    return field


def any_value(value: Any, depth: int = 16) -> list[bytes]:
    """The fields of an `AnyValue`."""
    if value is None:
        return []
    if isinstance(value, bool):
        return [b"\x10\x01" if value else b"\x10\x00"]
    if isinstance(value, str):
        return [bytes_field(b"\x0a", utf8(str.__str__(value)))]
    if isinstance(value, int):
        if -(2**63) <= value < 2**63:
            return [b"\x18", varint(int(value) & 0xFFFF_FFFF_FFFF_FFFF)]
        return [bytes_field(b"\x0a", utf8(_as_text(value)))]
    if isinstance(value, float):
        return [b"\x21", _DOUBLE(value)]
    if isinstance(value, bytes):
        return [bytes_field(b"\x3a", bytes(value))]
    try:
        if isinstance(value, Enum):
            return any_value(value.value, depth)
        if depth and isinstance(value, Mapping):
            pairs = [(text_field(b"\x0a", _as_text(key)), any_value(item, depth - 1)) for key, item in value.items()]
            return [message(b"\x32", [message(b"\x0a", [key, message(b"\x12", item)]) for key, item in pairs])]
        if depth and isinstance(value, Sequence):
            return [message(b"\x2a", [message(b"\x0a", any_value(item, depth - 1)) for item in value])]
    except Exception as error:
        return [bytes_field(b"\x0a", unprintable(value, error).encode())]
    return [bytes_field(b"\x0a", utf8(_as_text(value)))]


def _as_text(value: Any) -> str:
    try:
        return str.__str__(value) if isinstance(value, str) else str(value)
    except Exception as error:
        return unprintable(value, error)


# Fields ---------------------------------------------------------------------------------------------------------------


def varint(number: int) -> bytes:
    """A number that is not negative."""
    if number < 128:
        return BYTES[number]
    if number < 16384:
        return bytes((number & 127 | 128, number >> 7))
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    found.append(number)
    return bytes(found)


def utf8(text: str) -> bytes:
    """A text as UTF-8, a lone surrogate as an escape."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return encodable(text).encode()


def text_field(tag: bytes, text: str) -> bytes:
    """A text; b"" for an empty one, which is what is understood without it."""
    return bytes_field(tag, utf8(text)) if text else b""


def bytes_field(tag: bytes, data: bytes) -> bytes:
    """Bytes with their tag and length."""
    return tag + varint(len(data)) + data


def message(tag: bytes, parts: Sequence[bytes]) -> bytes:
    """A message of these fields as a field."""
    return b"".join((tag, varint(sum(map(len, parts))), *parts))


def count_field(tag: bytes, number: int) -> bytes:
    """A number of 32 bits."""
    return tag + varint(min(max(number, 0), 0xFFFF_FFFF))


def times(start: int | None, end: int | None) -> bytes:
    """Start and end of a span, in nanoseconds; one that is none is left out."""
    try:
        return _TIMES(b"\x39", start or 0, b"\x41", end or 0)
    except struct.error:
        return time_field(b"\x39", start) + time_field(b"\x41", end)


def time_field(tag: bytes, time_ns: int | None) -> bytes:
    """A time in nanoseconds; nothing for one that is none."""
    return _TIME(tag, time_ns) if time_ns and 0 < time_ns < 2**64 else b""
