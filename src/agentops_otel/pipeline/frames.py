"""How the journal's records lie in a file.

A record is a header of 22 bytes and a payload. The header begins with a magic number, by which a reader finds the next
record after a damaged one, and ends with a checksum over both.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple
from zlib import crc32

_MAGIC: Final = b"\xf7AJ\xff"
_VERSION: Final = 1
_HEADER: Final = struct.Struct("<4sBBIQ")  # magic, version, kind, length of the payload, sequence number
_CHECKSUM: Final = struct.Struct("<I")
_OVERHEAD: Final = _HEADER.size + _CHECKSUM.size
_BEGINNING: Final = _MAGIC + bytes([_VERSION])


class Kind:
    """What a record is; plain numbers, because looking up a member of an enumeration takes time."""

    TORN: Final = 0  # never written: the beginning of a record, with which a file ends
    RESOURCE: Final = 2  # (1 is free: it described the host)
    START: Final = 3  # of a session
    SPAN: Final = 4
    ROOT: Final = 5  # the root span of a session
    EVENT: Final = 6
    END: Final = 7  # how a session is meant to end
    SETTLED: Final = 8  # which records are acknowledged


class RecordRef(NamedTuple):
    """Where a record is: its number, its file, and where in it, in bytes."""

    seq: int
    segment: int
    offset: int
    size: int


NO_RECORD: Final = RecordRef(0, 0, 0, 0)  # of what is not written down


class Frame(NamedTuple):
    """A record whose checksum is right."""

    kind: int
    seq: int
    offset: int
    size: int
    payload: memoryview


def frame(kind: int, seq: int, payload: bytes) -> bytes:
    """A record as bytes."""
    header = _HEADER.pack(_MAGIC, _VERSION, kind, len(payload), seq)
    return header + crc32(payload, crc32(header)).to_bytes(4, "little") + payload


def frames(data: bytes) -> Iterator[Frame | None]:
    """The records in the content of a file, in order; None for each stretch that is damaged.

    When the file ends with the beginning of a record, the last one is of the kind `TORN`: the write was cut short, by
    the death of the process or because it is going on right now. The program has never seen the end of that write.
    """
    view, position, damaged, torn = memoryview(data), 0, False, -1
    patience = 4 * len(data)  # bytes to sum up in vain: a forged file must not cost the square of its size
    while 0 <= position < len(data):
        start = position + _OVERHEAD
        if data.startswith(_MAGIC, position) and start <= len(data) and patience > 0:
            _, version, kind, length, seq = _HEADER.unpack_from(data, position)
            end = start + length
            if version == _VERSION and end <= len(data):
                header = view[position : position + _HEADER.size]
                if _CHECKSUM.unpack_from(data, start - 4) == (crc32(view[start:end], crc32(header)),):
                    if torn >= 0:  # not the end of the file, so it was no beginning of a record
                        yield None
                    yield Frame(kind, seq, position, end - position, view[start:end])
                    position, damaged, torn = end, False, -1
                    continue
                patience -= length
        if not damaged and _is_cut_short(data, position):
            torn = position
        elif not damaged:
            yield None
        damaged = True
        position = data.find(_MAGIC, position + 1)
    if torn >= 0:
        yield Frame(Kind.TORN, 0, torn, len(data) - torn, view[torn:])


def _is_cut_short(data: bytes, position: int) -> bool:
    """Whether what is here can be the beginning of a record that would go on behind the end of the data."""
    rest = data[position : position + _HEADER.size]
    if len(rest) < _HEADER.size:
        return rest[:5] == _BEGINNING[: len(rest)]
    length: int = _HEADER.unpack(rest)[3]
    return rest.startswith(_BEGINNING) and position + _OVERHEAD + length > len(data)
