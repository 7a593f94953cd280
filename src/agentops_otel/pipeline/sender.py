"""The thread that makes the calls of a transport, so that a call that does not return can be left behind."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final, TypeVar

from ..clock import monotonic
from ..suppression import suppressed
from .worker import ended

T = TypeVar("T")

_MOST_LEFT_BEHIND: Final = 3  # calls at a time


class LeftBehind(Exception):
    """The call did not come back in time; it goes on without anybody waiting for it."""


class _Job:
    __slots__ = ("begun", "done", "error", "function", "result")

    def __init__(self, function: Callable[[], Any]) -> None:
        self.function = function
        self.begun = monotonic()
        self.done = False
        self.result: Any = None
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            with suppressed():
                self.result = self.function()
        except BaseException as error:  # also SystemExit from a user's exporter: the thread must live
            self.error = error


class Sender:
    """One daemon thread that makes the calls of a transport, so that a call that hangs can be left behind.

    Socket time-outs are not enough: they bound neither name resolution, nor a reply that comes byte by byte, nor a
    user's exporter.
    """

    def __init__(self, changed: threading.Condition, abandon: Callable[[], bool]) -> None:
        self._changed = changed
        self._abandon = abandon
        self._thread: threading.Thread | None = None
        self._job: _Job | None = None
        self._left_behind = 0
        self._closed = False
        self._held = False

    def hold(self, until: float) -> bool:
        """Let the thread end for a fork, when its call has come back, until `until`; whether it has ended."""
        with self._changed:
            self._held, thread = True, self._thread
            self._changed.notify_all()
        return ended(thread, until)

    def release(self) -> None:
        """Take calls again; the first one starts the thread."""
        with self._changed:
            self._held = False
            self._changed.notify_all()

    @property
    def busy_for(self) -> float:
        """For how many seconds a call has been under way; 0 without one."""
        job = self._job
        return 0.0 if job is None else monotonic() - job.begun

    def call(self, function: Callable[[], T], time_left: Callable[[], float]) -> T:
        """The function's result or exception; raises `LeftBehind` when `time_left()` reaches 0 first."""
        with self._changed:
            while self._job is not None or self._held:
                self._wait(time_left)
            job = self._job = _Job(function)
            inline = not self._started()
            self._changed.notify_all()
        if inline:
            job.run()
            self._finish(job)
        else:
            self._await(job, time_left)
        if job.error is not None:
            if inline or isinstance(job.error, Exception):
                raise job.error
            raise RuntimeError(type(job.error).__name__) from job.error  # SystemExit is not for the waiting thread
        result: T = job.result
        return result

    def close(self) -> None:
        """Let the thread end when its call has come back."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _wait(self, time_left: Callable[[], float]) -> None:
        left = time_left()
        if left <= 0:
            raise LeftBehind
        self._changed.wait(left)

    def _await(self, job: _Job, time_left: Callable[[], float]) -> None:
        try:
            with self._changed:
                while not job.done:
                    self._wait(time_left)
        except BaseException:
            self._leave(job)
            raise

    def _leave(self, job: _Job) -> None:
        if self._left_behind >= _MOST_LEFT_BEHIND or not self._abandon():
            return  # the next call waits for this one
        with self._changed:
            if self._job is job:
                self._job = self._thread = None
                self._left_behind += 1

    def _started(self) -> bool:
        if self._thread is not None and self._thread.is_alive():
            return True
        self._thread = threading.Thread(target=self._work, name="agentops-otel-sender", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # no new threads while the interpreter shuts down (Python 3.12)
            self._thread = None
            return False
        return True

    def _work(self) -> None:
        me = threading.current_thread()
        while True:
            with self._changed:
                while self._thread is me and (self._job is None or self._job.done):
                    if self._closed or self._held:
                        self._thread = None
                        return
                    self._changed.wait()
                job = self._job
                if self._thread is not me or job is None:
                    return
            job.run()
            if not self._finish(job):
                return

    def _finish(self, job: _Job) -> bool:
        """Hand the result over; False when this job had been left behind."""
        with self._changed:
            job.done = True
            current = self._job is job
            if current:
                self._job = None
            else:
                self._left_behind -= 1
            self._changed.notify_all()
            return current
