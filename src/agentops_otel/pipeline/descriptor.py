"""A descriptor that stays open, in a process whose other code may close it.

A program that becomes a daemon closes all that it does not know, and the numbers are soon those of its own files: to
these we must not write, nor close them.
"""

from __future__ import annotations

import os
import sys
from typing import Final

from typing_extensions import Self

if sys.platform != "win32":
    import fcntl

_STREAMS: Final = 3  # input, output and error; where they are closed, others use their numbers all the same


class Descriptor(int):
    """A number for the functions of `os` that knows for which file it was opened."""

    file: tuple[int, ...] | None  # None: it is none for Windows, whose sockets have other numbers

    def __new__(cls, number: int) -> Self:
        """Take over a descriptor that was just opened."""
        made = super().__new__(cls, number)
        made.file = _file(number)
        return made

    @property
    def is_ours(self) -> bool:
        """Whether it is still open, for the same file."""
        return _file(self) == self.file

    def close(self) -> None:
        """Close it, unless it is somebody else's by now."""
        if self.is_ours:
            os.close(self)


def _file(number: int) -> tuple[int, ...] | None:
    try:
        return os.fstat(number)[1:3]  # number and device
    except OSError:
        return None


def behind_streams(number: int) -> int:
    """A descriptor that was just opened, with a number that no standard stream has."""
    if sys.platform == "win32" or number >= _STREAMS:
        return number
    try:
        return fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, _STREAMS)
    finally:
        os.close(number)
