"""The ways a process ends without ending its sessions: an uncaught exception, its last line, a signal.

Each hook is chained in front of what is there. What is to be done then is told by callables: nothing in here knows a
session.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Final

from . import guard
from .signals import Signals
from .waker import Waker

_CONSOLES: Final = ("code", "codeop")


class Exits:
    """The hooks of one client, from `install()` to `remove()`.

    Args:
        signals: the handlers of signals, which are installed and removed with the others.
        failed: called with an exception that nothing has caught, in any thread.
        ended: called when the process ends, with the signal that it ends because of, as a sentence, or None.
        interrupted: called in place of the rest of `ended` when the user does not want to wait for it.
    """

    def __init__(
        self,
        signals: Signals,
        *,
        failed: Callable[[BaseException], None],
        ended: Callable[[str | None], None],
        interrupted: Callable[[], None],
    ) -> None:
        self.signals: Signals = signals
        self._failed = failed
        self._ended = ended
        self._gave_up = interrupted
        self._excepthook = sys.excepthook
        self._thread_excepthook = threading.excepthook
        self._interrupted = False
        self._waker = Waker()

    def install(self) -> None:
        """Install every hook."""
        self._excepthook, sys.excepthook = sys.excepthook, self._on_exception
        self._thread_excepthook, threading.excepthook = threading.excepthook, self._on_thread_exception
        atexit.register(self.on_exit)
        multiprocessing = sys.modules.get("multiprocessing")
        if multiprocessing is not None and multiprocessing.parent_process() is not None:
            self._end_with_worker_process()
        self.signals.install()

    def remove(self) -> None:
        """Restore what was there before, except where something else has hooked in after us."""
        if sys.excepthook == self._on_exception:
            sys.excepthook = self._excepthook
        if threading.excepthook == self._on_thread_exception:
            threading.excepthook = self._thread_excepthook
        atexit.unregister(self.on_exit)
        self.signals.remove()
        self._waker.stop()

    def after_fork(self) -> None:
        """In a forked child, which may be a worker process of multiprocessing."""
        self.signals.after_fork()
        multiprocessing = sys.modules.get("multiprocessing.util")
        if multiprocessing is not None:
            multiprocessing.register_after_fork(self, Exits._end_with_worker_process)

    def _end_with_worker_process(self) -> None:
        """In a child of multiprocessing, which leaves past atexit by `os._exit()`, but runs its own finalizers."""
        from multiprocessing.util import Finalize

        Finalize(None, self.on_exit, exitpriority=0)
        guard.run(self._waker.start)

    def _on_exception(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        console = _console()
        if console is not None:  # the program goes on
            self._show(console, kind, error, trace)
            return
        self._note(error)
        self._interrupted = isinstance(error, KeyboardInterrupt)
        self._excepthook(kind, error, trace)

    def _show(self, console: Any, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        """Show the error of a line in a console as the console itself does without a hook of ours."""
        if self._excepthook is not sys.__excepthook__:
            self._excepthook(kind, error, trace)
            return
        while trace is not None and trace.tb_frame.f_globals.get("__name__") in _CONSOLES:
            trace = trace.tb_next
        console.write("".join(traceback.format_exception(kind, error, trace)))

    def _on_thread_exception(self, args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None and not isinstance(args.exc_value, SystemExit):
            self._note(args.exc_value)
        self._thread_excepthook(args)

    def _note(self, error: BaseException) -> None:
        try:
            self._failed(error)
        except Exception:
            guard.report("excepthook")

    def on_exit(self) -> None:
        """The process ends."""
        if self.signals.dies_of:  # the code that it interrupted has come to its end
            self.signals.die()
        try:
            self._ended(self.signals.reason)
        except KeyboardInterrupt:
            self._gave_up()
        except Exception:
            guard.report("the exit hook")
        if self._interrupted:
            _remember_interrupt()


def _console() -> Any:
    """The interactive console whose line has failed, if one calls the hook; it may write to somewhere else.

    A console of the module `code` calls a hook that is not Python's own, and writes nothing itself
    (https://docs.python.org/3/library/code.html#code.InteractiveInterpreter.showtraceback).
    """
    frame: FrameType | None = sys._getframe()  # noqa: SLF001  (documented, and there in CPython)
    while frame is not None:
        console = frame.f_locals.get("self") if frame.f_globals.get("__name__") in _CONSOLES else None
        if callable(getattr(console, "write", None)):
            return console
        frame = frame.f_back
    return None


def is_interrupt(error: BaseException | None) -> bool:
    """Whether a cancellation comes of Ctrl-C: `asyncio.run()` cancels its tasks for it before it passes it on.

    Up to Python 3.10 KeyboardInterrupt is raised in the event loop, and so is the context of the cancellation. Since
    then the runner's own handler only counts it, under a private name
    (https://docs.python.org/3/library/asyncio-runner.html#handling-keyboard-interruption).
    """
    if not isinstance(error, asyncio.CancelledError):
        return False
    runner = getattr(getattr(signal.getsignal(signal.SIGINT), "func", None), "__self__", None)
    if getattr(runner, "_interrupt_count", 0):
        return True
    before = error.__context__
    while isinstance(before, asyncio.CancelledError):  # of the tasks that this one waited for
        before = before.__context__
    return isinstance(before, KeyboardInterrupt)


def _remember_interrupt() -> None:
    """Let the interpreter die of SIGINT, as it does after an uncaught KeyboardInterrupt.

    It keeps that in a flag that every `exec()` of a text sets anew, also those of modules that were imported for the
    last spans (https://github.com/python/cpython/blob/v3.13.0/Python/pythonrun.c, `unhandled_keyboard_interrupt`).
    """
    with contextlib.suppress(KeyboardInterrupt):
        exec("raise KeyboardInterrupt")  # noqa: S102
