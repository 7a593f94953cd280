"""A clock for our own waits, which goes on while a test has frozen the program's, and whether that one was set.

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
monotonic_ns: Final[Callable[[], int]] = (
    partial(time.monotonic_ns) if _CLOCK is None else partial(time.clock_gettime_ns, _CLOCK)
)
"""The same in nanoseconds."""

_WAS_SET: Final = 1_000_000_000  # nanoseconds of difference; adjusting a clock a little is not setting it


def offset() -> int:
    """What the program's clock shows beyond the monotonic one, in nanoseconds; another value after it was set."""
    return time.time_ns() - monotonic_ns()


def corrected(end: int, started: int) -> int:
    """The end of a span without what the clock was set ahead by since its start; `started` is the offset then.

    An end that the program gave is not the current time, so it says nothing about the clock.
    """
    now = time.time_ns()
    step = now - monotonic_ns() - started
    return end - step if abs(step) > _WAS_SET and abs(now - end) < _WAS_SET else end
