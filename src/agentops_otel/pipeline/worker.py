"""A background thread that runs tasks in order and something now and then.

The worker of the process sends heartbeats, log events and the backlog, and does whatever must not run on the user's
thread; flushing, too, with the caller waiting for a bounded time.
"""

from __future__ import annotations

import os
import queue
import threading
import time
import weakref
from collections.abc import Callable
from typing import Final

from .. import guard
from ..clock import monotonic

Task = Callable[[], object]

_LOOK: Final = 0.2  # seconds after which a waiting caller looks whether the thread was ended for a fork


class Worker:
    """Runs tasks in order, and `tick` every `interval` seconds; the thread starts with the first need of it.

    For a fork the thread is ended between two tasks; the next need starts another one, which goes on with the tasks.
    """

    def __init__(self, tick: Task, interval: float = 1.0) -> None:
        self._tick = tick
        self._interval = interval
        self._begin()
        WORKERS.add(self)

    def _begin(self) -> None:
        """The state that belongs to one process."""
        self._tasks: queue.SimpleQueue[tuple[Task, threading.Event] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._leaving: threading.Thread | None = None  # for a fork
        self._held = False
        self._starting = threading.RLock()
        self._stand_ins: set[int] = set()  # threads

    def after_fork(self) -> None:
        """In a forked child: the thread and its tasks stayed in the parent."""
        self._begin()

    def hold(self) -> None:
        """Begin no further task and no thread until `release()`."""
        self._leaving, self._held = self._thread, True
        self._tasks.put((_nothing, threading.Event()))  # it may be waiting for a task

    def join(self, until: float) -> bool:
        """Wait for the end of the thread until `until` (`monotonic()`); whether it has come."""
        return ended(self._leaving, until)

    def release(self) -> None:
        """Go on, with the next need of the thread."""
        self._held, self._leaving = False, None

    @property
    def is_running(self) -> bool:
        """Whether there is a thread; after a fork there may be none for a while."""
        return self._thread is not None

    def start(self) -> bool:
        """Whether the thread runs; False late in the interpreter's life, when no thread can be started any more."""
        thread = self._thread
        if thread is not None and thread.is_alive():
            return True
        with self._starting:
            if self._held or (self._thread is not None and self._thread.is_alive()):
                return True
            if not isinstance(self._tasks, queue.SimpleQueue):  # older than a patch by gevent, in which none may block
                self._tasks = queue.SimpleQueue()
            thread = threading.Thread(target=self._run, name="agentops-worker", daemon=True)
            try:
                thread.start()
            except RuntimeError:
                return False
            self._thread = thread
        return True

    def submit(self, task: Task) -> threading.Event:
        """Queue a task; the event is set once it has run. Runs it at once where no thread can be had."""
        done = threading.Event()
        if not self.start():
            self._do(task, done)
            return done
        self._tasks.put((task, done))
        return done

    def call(self, task: Task, timeout: float) -> bool:
        """Run a task and wait for it for at most `timeout` seconds; whether it finished.

        A task that stands in for the worker runs it at once. From any other task of the worker only the program
        can call this, for example a log handler of its own that flushes. The worker cannot wait for itself, so the
        answer is False.
        """
        here = threading.get_ident()
        if here in self._stand_ins:
            self._stand_ins.discard(here)
            try:
                self._do(task, threading.Event())
            finally:
                self._stand_ins.add(here)
            return True
        if threading.current_thread() is self._thread:
            return False
        done, until = self.submit(task), monotonic() + timeout
        while not done.wait(max(0.0, min(until - monotonic(), _LOOK))):
            if monotonic() >= until:
                return False
            self.start()  # the fork of another thread may have ended it
        return True

    def stand_in(self, task: Task) -> None:
        """Run a task that makes calls: what it calls for runs on this thread, as the worker may be busy or this one."""
        here = threading.get_ident()
        self._stand_ins.add(here)
        try:
            task()
        finally:
            self._stand_ins.discard(here)

    def stop(self, timeout: float = 0.5) -> None:
        """End the thread after the tasks queued so far, and wait for that; a later task starts a new one."""
        thread, self._thread = self._thread, None
        tasks, self._tasks = self._tasks, queue.SimpleQueue()  # a slow thread may still be at the one before
        if thread is not None and thread.is_alive():
            tasks.put(None)
            if thread is not threading.current_thread():
                thread.join(max(0.0, timeout))

    def _run(self) -> None:
        tasks, pid = self._tasks, os.getpid()
        due = monotonic() + self._interval
        while os.getpid() == pid:
            if self._held and self._leaves():
                return
            left = due - monotonic()
            try:
                if left <= 0:  # `get()` would give a task all the same, and one comes after the other in a busy server
                    raise queue.Empty
                item = tasks.get(timeout=left)
            except queue.Empty:
                if self._tasks is not tasks and tasks.empty():  # stopped, though the word of it was lost
                    return
                due = monotonic() + self._interval
                self._do(self._tick, threading.Event())
                continue
            if item is None:
                return
            self._do(*item)

    def _leaves(self) -> bool:
        """Whether this thread ends for a fork: nobody is to think from now on that it is there."""
        with self._starting:
            if self._held and self._thread is threading.current_thread():
                self._thread = None
                return True
        return False

    @staticmethod
    def _do(task: Task, done: threading.Event) -> None:
        try:
            task()
        except Exception:
            guard.report("a background task")
        except BaseException:  # SystemExit in a callback of the program: the thread must live
            if threading.current_thread() is threading.main_thread():
                raise
            guard.report("a background task")
        finally:
            done.set()


def _nothing() -> None:
    pass


def ended(thread: threading.Thread | None, until: float) -> bool:
    """Wait for the end of a thread until `until` (`monotonic()`); whether it has come. None waits for itself."""
    if thread is None or thread is threading.current_thread():
        return thread is None
    thread.join(max(0.0, until - monotonic()))
    if thread.is_alive():
        return False
    # For the system, which Python asks how many there are, it goes a moment later.
    task = f"/proc/self/task/{thread.native_id}"
    while os.path.exists(task):
        if monotonic() >= until:
            return False
        time.sleep(0)
    return True


WORKERS: Final[weakref.WeakSet[Worker]] = weakref.WeakSet()
"""All that there are; `forks.py` sees to them."""
