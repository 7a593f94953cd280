"""A clock for our own waits, which goes on while a test has frozen the program's.

freezegun puts functions of its own into the place of ``time.monotonic`` in every module that has it, and time-machine
changes what ``time.time`` does. Times that are recorded are the program's; a wait must end.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Final

# The clock that `time.monotonic()` reads, see https://docs.python.org/3/library/time.html#time.monotonic; on macOS it
# stands still while the machine sleeps.
_CLOCK: Final = getattr(time, "CLOCK_UPTIME_RAW", getattr(time, "CLOCK_MONOTONIC", None))

# A partial, because freezegun looks for the functions themselves.
monotonic: Final[Callable[[], float]] = (
    partial(time.monotonic) if _CLOCK is None else partial(time.clock_gettime, _CLOCK)
)
"""As `time.monotonic()`."""
