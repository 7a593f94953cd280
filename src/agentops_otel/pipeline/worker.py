"""The one background thread of a process: heartbeats, log events, and whatever must not run on the user's thread.

Flushing runs here as well, with the caller waiting for a bounded time.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable

from .. import guard
from ..clock import monotonic

Task = Callable[[], object]


class Worker:
    """Runs tasks in order, and `tick` about once a second; the thread starts with the first need of it."""

    def __init__(self, tick: Task, interval: float = 1.0) -> None:
        self._tick = tick
        self._interval = interval
        self._tasks: queue.SimpleQueue[tuple[Task, threading.Event] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._starting = threading.RLock()
        self._stand_ins: set[int] = set()  # threads

    def after_fork(self) -> None:
        """In a forked child: the thread and its tasks stayed in the parent."""
        self._thread = None
        self._starting = threading.RLock()
        self._stand_ins = set()

    def start(self) -> bool:
        """Whether the thread runs; False late in the interpreter's life, when no thread can be started any more."""
        thread = self._thread
        if thread is not None and thread.is_alive():
            return True
        with self._starting:
            if self._thread is not None and self._thread.is_alive():
                return True
            # A queue of its own: the one before may have a slow thread still, or be older than a patch by gevent, whose
            # threads must not block in it.
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
        return self.submit(task).wait(max(0.0, timeout))

    def stand_in(self, task: Task) -> None:
        """Run a task that makes calls: what it calls for runs on this thread, as the worker may be busy or this one."""
        here = threading.get_ident()
        self._stand_ins.add(here)
        try:
            task()
        finally:
            self._stand_ins.discard(here)

    def stop(self) -> None:
        """End the thread after the tasks queued so far; a later task starts a new one."""
        thread, self._thread = self._thread, None
        if thread is not None and thread.is_alive():
            self._tasks.put(None)
            if thread is not threading.current_thread():
                thread.join(0.5)

    def _run(self) -> None:
        tasks, pid = self._tasks, os.getpid()
        due = monotonic() + self._interval
        while os.getpid() == pid:
            try:
                item = tasks.get(timeout=max(0.0, due - monotonic()))
            except queue.Empty:
                due = monotonic() + self._interval
                self._do(self._tick, threading.Event())
                continue
            if item is None:
                return
            self._do(*item)

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
