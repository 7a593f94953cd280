"""Signals that end the process: the reason is on disk at once, what was recorded is delivered, the exit code stays.

Where a signal has its default action, ours delivers everything and lets the process die of the signal. Where the
program or a server has a handler, that one decides: ours writes down the reason and calls it.
"""

from __future__ import annotations

import _thread
import functools
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, Final, Protocol

from . import guard
from .clock import monotonic

_TIME_TO_TELL: Final = 0.2  # seconds for the last line, after all others are used up
_PATIENCE: Final = 0.1  # seconds that a signal handler waits before the interrupted code goes on for a moment
_MOMENT: Final = 0.02  # seconds
_GRACE: Final = 120.0  # seconds after a signal in which an end of the process is put down to it

Handler = Callable[[int, "FrameType | None"], Any]


class EndingProcess(Protocol):
    """What has to be done for a process that ends, as the client does it."""

    def budget(self) -> float:
        """How many seconds the end may take."""

    def note_reason(self, reason: str | None) -> None:
        """Write down why open sessions may never be ended; None takes that back. Called in a signal handler."""

    def end_on_signal(self, reason: str, deadline: float, budget: float) -> None:
        """End and deliver everything until `deadline`; called in another thread than the interrupted one."""

    def in_background(self, task: Callable[[], object]) -> None:
        """Run a task where no new thread can be started."""


class Signals:
    """The handlers of one client; they are installed and removed by the main thread alone.

    Attributes:
        dies_of: the signal that the process dies of; 0 while there is none.
        in_subinterpreter: whether Python has refused them for that.
    """

    def __init__(self, client: EndingProcess) -> None:
        self.dies_of: int = 0
        self.in_subinterpreter: bool = False
        self._client = client
        self._mine: Handler = self._on_signal
        self._between: Handler = self._pass_on
        self._installed: dict[int, Handler] = {}
        self._theirs: dict[int, Handler] = {}  # called by `_pass_on()`, by signal
        self._seen = 0  # the last signal that a handler of the program's got
        self._seen_at = 0.0
        self._restore_setter: Callable[[], None] | None = None
        self._ended = threading.Event()  # everything, after the signal
        self._until = 0.0
        self._waiting = False

    def install(self) -> None:
        """Install the handlers; only from the main thread, as Python allows it nowhere else."""
        if threading.current_thread() is not threading.main_thread():
            return
        terminate, interrupt = _before_us(signal.SIGTERM), _before_us(signal.SIGINT)
        for number in (getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)):
            handler = _before_us(number)
            if handler is signal.SIG_DFL:
                self._put(number, self._mine)
            elif number == signal.SIGTERM and callable(handler):
                self._put_before(number, handler)
        # SIGINT is left to Python: asyncio needs it, and KeyboardInterrupt says enough. But a server that handles both
        # alike has taken it from Python.
        if callable(interrupt) and interrupt == terminate and interrupt is not signal.default_int_handler:
            self._put_before(signal.SIGINT, interrupt)

    def _put(self, number: int, handler: Handler) -> bool:
        try:
            signal.signal(number, handler)
        except ValueError:  # the main thread of a subinterpreter is not the program's
            self.in_subinterpreter = True
            return False
        self._installed[number] = handler
        return True

    def _put_before(self, number: int, theirs: Handler) -> None:
        self._theirs[number] = theirs
        if not self._put(number, self._between):
            return
        if getattr(theirs, "__module__", None) == "asyncio.unix_events" and hasattr(signal, "siginterrupt"):
            signal.siginterrupt(number, False)  # as asyncio has asked for; a new handler sets it back

    def remove(self) -> None:
        """Restore what was there before, except where somebody has put in a handler after us."""
        if self._restore_setter is not None:
            self._restore_setter()
        if threading.current_thread() is threading.main_thread():
            for number, handler in self._installed.items():
                if signal.getsignal(number) == handler:
                    signal.signal(number, self._theirs.get(number, signal.SIG_DFL))
        self._installed.clear()  # `_theirs` stays: a handler that another thread could not take out passes on to them
        self._seen = 0

    def after_fork(self) -> None:
        """In a forked child: what the parent was told to die of was for the parent."""
        self._seen = 0

    # A handler of the program's decides -------------------------------------------------------------------------------

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        """Write down the reason, and call the program's own handler, which decides what happens."""
        try:
            if self._installed:  # else `shutdown()` was called in another thread, which could not take this out
                self._seen, self._seen_at = number, monotonic()
                self._client.note_reason(_reason(number))
                self._take_the_default_action(number)
        except Exception:
            guard.report("a signal handler")
        theirs = self._theirs.get(number)
        if theirs is not None:
            theirs(number, frame)

    @property
    def reason(self) -> str | None:
        """The signal that a handler of the program's got a short while ago, as the reason of an end."""
        if not self._seen or monotonic() - self._seen_at > _GRACE:
            return None
        return _reason(self._seen)

    def tick(self) -> None:
        """When the process has outlived a signal for long, it will not have died of it."""
        if self._seen and self.reason is None:
            self._seen = 0
            self._client.note_reason(None)

    def _take_the_default_action(self, number: int) -> None:
        """From now on, setting the default action of this signal sets our handler, which ends with the default action.

        Handlers that stop gracefully put the default action back then, and send the signal again (uvicorn's do): at
        once the process would be gone, with all that waits. Nothing but `signal.signal()` sees that moment. It is
        replaced when such a handler has got the signal, no earlier, and for no other signal and action.
        """
        if self._restore_setter is not None or number == signal.SIGINT:
            return
        before = signal.signal

        @functools.wraps(before)
        def set_handler(signalnum: int, handler: Any) -> Any:
            last = self._seen == signalnum and handler == signal.SIG_DFL and self.reason is not None
            return before(signalnum, self._mine if last else handler)

        def restore() -> None:
            self._restore_setter = None
            if signal.signal is set_handler:
                signal.signal = before

        self._restore_setter = restore
        signal.signal = set_handler

    # The process dies of the signal -----------------------------------------------------------------------------------

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        """End everything on another thread, then die of the signal.

        The interrupted code may hold any lock: one of ours, of the SDK, of an import, of logging. So nothing in here
        takes one, and while the other thread is not done, that code goes on for a moment now and then, as if the signal
        had come a little later.
        """
        if self._waiting:  # a second signal
            return
        self._waiting = dies = True
        try:
            if not self.dies_of:
                self.dies_of = number
                budget = self._client.budget()
                self._until = monotonic() + budget + _TIME_TO_TELL
                if on_greenlets():
                    dies = not _in_thread(self._end_and_die, budget)
                    return
                if not _in_thread(self._end_everything, budget):
                    self._client.in_background(lambda: self._end_everything(budget))
            dies = self._ended.wait(self._time_left(_PATIENCE)) or not self._goes_on()
        finally:
            if dies:
                self.die()

    def _end_and_die(self, budget: float) -> None:
        self._end_everything(budget)
        self.die()

    def die(self) -> None:
        """Wait until everything is ended, as long as there is time, and die of the signal."""
        try:
            self._ended.wait(self._time_left())
        finally:
            if self._restore_setter is not None:
                self._restore_setter()
            signal.signal(self.dies_of, signal.SIG_DFL)
            os.kill(os.getpid(), self.dies_of)

    def _time_left(self, most: float = math.inf) -> float:
        return max(0.0, min(self._until - monotonic(), most))

    def _end_everything(self, budget: float) -> None:
        try:
            self._client.end_on_signal(_reason(self.dies_of), self._until - _TIME_TO_TELL, budget)
        except Exception:
            guard.report("the signal handler")
        finally:
            self._ended.set()

    def _goes_on(self) -> bool:
        """Whether the interrupted code goes on for a moment; it does not when another handler calls ours."""
        alone = signal.getsignal(self.dies_of) == self._mine
        if not alone or not hasattr(signal, "pthread_kill") or not self._time_left():
            return False
        self._waiting = False
        return _in_thread(self._interrupt_again)

    def _interrupt_again(self) -> None:
        time.sleep(_MOMENT)
        while not self._waiting:  # a signal that comes just before the thread blocks is not seen at once
            signal.pthread_kill(threading.main_thread().ident or 0, self.dies_of)
            time.sleep(_MOMENT)


def _reason(number: int) -> str:
    name = signal.Signals(number).name
    return f"Interrupted ({name})" if number == signal.SIGINT else f"Terminated ({name})"


def _before_us(number: int) -> Any:
    """The handler that is there; for one of an earlier client, what that one has found.

    It is still there when the client was shut down by another thread than the main one.
    """
    handler: Any = signal.getsignal(number)
    while isinstance(earlier := getattr(handler, "__self__", None), Signals):
        handler = earlier._theirs.get(number, signal.SIG_DFL)  # noqa: SLF001  (its own class)
    return handler


def on_greenlets() -> bool:
    """Whether gevent has put greenlets in the place of threads: the handler may run in its hub, which must not wait."""
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and monkey.is_module_patched("threading")


def _in_thread(function: Callable[..., object], *args: object) -> bool:
    """Whether a thread could be started for a call. Not a `threading.Thread`, whose start takes locks."""
    try:
        _thread.start_new_thread(function, args)
    except RuntimeError:  # while the interpreter shuts down (Python 3.12)
        return False
    return True
