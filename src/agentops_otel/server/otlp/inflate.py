"""Bodies as they come over the wire -> bytes, within bounds: a few bytes of gzip can stand for gigabytes."""

from __future__ import annotations

import zlib
from typing import Final

MOST_WIRE: Final = 16 << 20
"""Bytes of a request as it comes."""
MOST_INFLATED: Final = 64 << 20
"""Bytes of a request when it is unpacked."""
_MOST_RATIO: Final = 200
"""Text of a model packs 3 to 60 to 1. Only what is made to be large packs better."""
_FREE: Final = 1 << 20
_STEP: Final = 1 << 20
_GZIP: Final = 31  # https://docs.python.org/3/library/zlib.html#zlib.decompress


class TooLarge(ValueError):
    """The body is larger than the bounds allow; the message says which."""


class NotPacked(ValueError):
    """The body is not what its ``Content-Encoding`` says."""


def inflated(body: bytes) -> bytes:
    """The content of a body that was packed with gzip.

    Raises:
        TooLarge: there is more in it than may be.
        NotPacked: it is damaged, or not gzip.
    """
    found = bytearray()
    rest = body
    while rest:
        packed = zlib.decompressobj(_GZIP)
        while not packed.eof:
            try:
                found += packed.decompress(rest, _STEP)
            except zlib.error as error:
                raise NotPacked(f"the body is not gzip: {error}") from None
            rest = packed.unconsumed_tail
            used = len(body) - len(rest)
            if len(found) > MOST_INFLATED:
                raise TooLarge(f"the request is larger than {MOST_INFLATED >> 20} MiB when it is unpacked")
            if len(found) > _FREE and len(found) > _MOST_RATIO * used:
                raise TooLarge(f"the request is packed more than {_MOST_RATIO} to 1")
            if not rest and not packed.eof:
                # All is read; what zlib still holds comes without input, and nothing means that the end is missing.
                more = packed.decompress(b"", _STEP)
                if not more and not packed.eof:
                    raise NotPacked("the body ends in the middle of gzip")
                found += more
        rest = packed.unused_data  # a gzip file may have several members
    return bytes(found)
