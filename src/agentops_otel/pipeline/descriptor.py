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

_STANDARD: Final = 3  # streams; where they are closed, others write to their numbers all the same


class Descriptor(int):
    """A number for the functions of `os` that knows for which file it was opened."""

    file: tuple[int, ...]

    def __new__(cls, number: int) -> Self:
        """Take over a descriptor that was just opened."""
        if sys.platform != "win32" and number < _STANDARD:
            taken, number = number, fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, _STANDARD)
            os.close(taken)
        made = super().__new__(cls, number)
        made.file = os.fstat(number)[1:3]  # number and device
        return made

    @property
    def is_ours(self) -> bool:
        """Whether it is still open, for the same file."""
        try:
            return os.fstat(self)[1:3] == self.file
        except OSError:
            return False

    def close(self) -> None:
        """Close it, unless it is somebody else's by now."""
        if self.is_ours:
            os.close(self)
