"""Lets the main thread of a worker process see a signal that came just as it began to wait.

Python runs handlers between two steps of the main thread
(https://docs.python.org/3/library/signal.html#execution-of-python-signal-handlers). A signal that comes after the last
look for one, and before the system waits, is seen when the waiting is over. A worker of `multiprocessing.Pool` waits
for its next task without end; the pool sends SIGTERM in just that moment, and waits without end for the worker's death.
With the default action the worker dies at once, so a handler of ours must not keep it.

For this the system's own note of a signal is read by a thread, which ends the wait of the main thread for a moment.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import sys
import threading
import time
import weakref
from typing import Any, Final

from .pipeline.descriptor import Descriptor
from .pipeline.worker import ended
from .signals import on_greenlets

if sys.platform != "win32":
    import fcntl

    _WATCHED: Final = frozenset({signal.SIGTERM, signal.SIGHUP})
    # "The terminal has another size": a worker shows nothing on one, and by default nothing is done. A handler that
    # does nothing ends the wait all the same. Not SIGURG: libraries written in Go have their own handler of it.
    _KNOCK: Final = signal.SIGWINCH
_WAITS: Final = (0.02, 0.04, 0.08, 0.16, 0.32, 0.64)  # seconds before each knock: that thread may be slow to wait
_END: Final = 0  # no signal has this number
# Code that closes all it does not know gets the lowest numbers for its next files: notes must not go into these.
_LOWEST: Final = 200


class Waker:
    """Watches the signals of a process from `start()` to `stop()`, both called by the main thread; not on Windows.

    It takes nothing that the program uses: an event loop that reads the notes of the system sees signals by itself.
    """

    def __init__(self) -> None:
        self._begin()
        WAKERS.add(self)

    def _begin(self) -> None:
        """The state that belongs to one process."""
        self._pipe: tuple[Descriptor, Descriptor] | None = None
        self._watches = False
        self._thread: threading.Thread | None = None
        self._leaving: threading.Thread | None = None  # for a fork

    def start(self) -> None:
        """Begin to watch."""
        if sys.platform == "win32" or self._watches or not _is_free():
            return
        try:
            self._pipe = self._pipe or _new_pipe()
            before = signal.set_wakeup_fd(self._pipe[1], warn_on_full_buffer=False)
        except (OSError, ValueError):  # too few descriptors; a subinterpreter
            return
        if before != -1:
            signal.set_wakeup_fd(before)
            return
        signal.signal(_KNOCK, _nothing)
        self._watches = True
        self.release()

    def stop(self) -> None:
        """Give back what was taken."""
        if self._watches and threading.current_thread() is threading.main_thread():
            self.hold()
            self._give_back()

    def _give_back(self) -> None:
        self._watches = False
        before = signal.set_wakeup_fd(-1)
        if self._pipe is not None and before not in {self._pipe[1], -1}:  # of an event loop that has begun since
            signal.set_wakeup_fd(before)
        if signal.getsignal(_KNOCK) is _nothing:
            signal.signal(_KNOCK, signal.SIG_DFL)

    def _run(self, notes: Descriptor) -> None:
        with contextlib.suppress(OSError):  # closed by the program
            while notes.is_ours and _END not in (numbers := os.read(notes, 64)) and numbers:
                if not _WATCHED.isdisjoint(numbers):
                    _knock()

    # For forks:

    def hold(self) -> None:
        """End the thread until `release()`."""
        if self._thread is not None and self._pipe is not None:
            self._leaving, self._thread = self._thread, None
            if self._pipe[1].is_ours:
                with contextlib.suppress(OSError):  # full: the thread is busy
                    os.write(self._pipe[1], bytes([_END]))

    def join(self, until: float) -> bool:
        """Wait for the end of the thread until `until` (`monotonic()`); whether it has come."""
        return ended(self._leaving, until)

    def release(self) -> None:
        """Go on."""
        self._leaving = None
        if self._watches and self._thread is None and self._pipe is not None:
            thread = threading.Thread(target=self._run, args=self._pipe[:1], name="agentops-waker", daemon=True)
            with contextlib.suppress(RuntimeError):  # where no thread can be had
                thread.start()
                self._thread = thread

    def after_fork(self) -> None:
        """In a forked child: what is watched is the parent's."""
        if self._watches:
            with contextlib.suppress(ValueError):
                self._give_back()
        for end in self._pipe or ():
            end.close()
        self._begin()


def _is_free() -> bool:
    """Whether the program leaves to us what is needed. Trio warns when somebody else has the notes."""
    return (
        threading.current_thread() is threading.main_thread()
        and not on_greenlets()
        and signal.getsignal(_KNOCK) is signal.SIG_DFL
        and "trio" not in sys.modules
        and importlib.util.find_spec("trio") is None
    )


def _new_pipe() -> tuple[Descriptor, Descriptor]:
    """A pipe whose ends have high numbers; a full one takes no more notes, as those in it are enough."""
    low = os.pipe()
    try:
        read, write = (Descriptor(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, _LOWEST)) for end in low)
    finally:
        for end in low:
            os.close(end)
    os.set_blocking(write, False)
    return read, write


def _knock() -> None:
    for seconds in _WAITS:
        time.sleep(seconds)
        signal.pthread_kill(threading.main_thread().ident or 0, _KNOCK)


def _nothing(_number: int, _frame: Any) -> None:
    """The handler of the knock."""


WAKERS: Final[weakref.WeakSet[Waker]] = weakref.WeakSet()
"""All that there are; `forks.py` sees to them."""
