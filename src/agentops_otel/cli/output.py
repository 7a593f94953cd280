"""What commands print: text that no terminal obeys, on whatever standard output there is."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from typing import Final, TextIO

# Whole sequences first, so that nothing of a hidden link or a title stays behind (ECMA-48).
_SEQUENCES: Final = re.compile(
    r"(?:\x1b\]|\x9d)[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c|$)"  # operating system commands, such as links (OSC 8)
    r"|(?:\x1b[PX^_]|[\x90\x98\x9e\x9f])[^\x1b\x9c]*(?:\x1b\\|\x9c|$)"  # strings for devices
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # colours, movements, erasing
    r"|\x1b[ -/]*[0-~]"
)
# C0 but for tab and line feed, DEL, C1, and what turns the direction of the text around it.
_CONTROLS: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


class CannotPrint(Exception):
    """The standard output takes nothing more; `why` is empty when its reader has gone away."""

    def __init__(self, why: str) -> None:
        super().__init__(f"cannot print: {why}")
        self.why = why


def clean(text: str) -> str:
    """`text` without what a terminal would obey."""
    return _CONTROLS.sub("", _SEQUENCES.sub("", text))


def emit(text: str) -> None:
    """Print a text of several lines, cleaned, as much as the standard output can show.

    Raises:
        CannotPrint: the standard output takes nothing more.
    """
    out: TextIO | None = sys.stdout
    if out is None:  # the caller has closed it
        return
    encoding = getattr(out, "encoding", None) or "utf-8"
    try:
        out.write(clean(text).encode(encoding, "backslashreplace").decode(encoding))
        out.flush()
    except OSError as error:
        # The interpreter flushes once more at its end: https://docs.python.org/3/library/signal.html#note-on-sigpipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())
        raise CannotPrint("" if isinstance(error, BrokenPipeError) else error.strerror or str(error)) from None


def tell(text: str) -> None:
    """Print a line on the standard error, where there is one."""
    with contextlib.suppress(AttributeError, OSError, ValueError):
        sys.stderr.write(f"{clean(text)}\n")
        sys.stderr.flush()
