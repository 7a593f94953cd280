"""The one writer of a store: a thread with its connection, which commits what many callers ask for at once.

While one transaction is written, the next callers wait; then all of them share the next one. So a single request waits
for nobody, and a hundred small ones cost one commit.
"""

from __future__ import annotations

import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeVar

from ...log import logger
from . import StoreFull
from .database import Database, StoreUnusable, transaction

Result = TypeVar("Result")
Transaction = Literal["shared", "own", "none"]
_SHARED: Final = 64
"""So many callers share one transaction at most."""
_AGAIN_SECONDS: Final = 5.0
_FULL: Final = ("database or disk is full", "disk I/O error")
_BUSY: Final = ("database is locked", "database table is locked")


@dataclass(slots=True)
class _Job:
    run: Callable[[sqlite3.Connection], Any]
    transaction: Transaction
    future: Future[Any] = field(default_factory=Future)
    result: Any = None


class Writer:
    """Runs functions with the one connection that writes, each whole or not at all.

    Args:
        finish: called at the end of each transaction, before it is committed.
        forget: called when a transaction was not committed.
        rest: called when there is nothing to do; returns after how many seconds to call again, None for never.
    """

    def __init__(
        self,
        database: Database,
        *,
        finish: Callable[[sqlite3.Connection], None],
        forget: Callable[[], None],
        rest: Callable[[sqlite3.Connection], float | None],
    ) -> None:
        self._database = database
        self._finish = finish
        self._forget = forget
        self._rest = rest
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._closed = False
        self._last: Callable[[sqlite3.Connection], object] = rest

    def run(self, work: Callable[[sqlite3.Connection], Result], *, transaction: Transaction = "own") -> Result:
        """Run a function in a transaction, and return when that is committed.

        Args:
            transaction: ``shared`` with what others ask for at the same time, which the work may see half done; its
                ``own``; or ``none``, for work that has transactions of its own, such as VACUUM.

        Raises:
            StoreFull: there is no room; nothing is changed.
            RuntimeError: no thread can be started, as while the interpreter shuts down.
        """
        job = _Job(work, transaction)
        with self._lock:
            if self._closed:
                raise StoreUnusable("the store is closed")
            if self._thread is None:
                self._thread = self._started()
            self._jobs.put(job)
        result: Result = job.future.result()
        return result

    def _started(self) -> threading.Thread:
        connection = self._database.connect()
        thread = threading.Thread(target=self._work, args=(connection,), name="agentops-store", daemon=True)
        try:
            thread.start()
        except BaseException:  # no more threads: the next caller tries again
            connection.close()
            raise
        return thread

    def close(self, last: Callable[[sqlite3.Connection], object]) -> None:
        """Finish what was asked for, do something last if there is a thread, and end it."""
        with self._lock:
            self._closed = True
            self._last = last
            thread = self._thread
            self._jobs.put(None)
        if thread is not None:
            thread.join()

    def _work(self, connection: sqlite3.Connection) -> None:
        try:
            wait: float | None = 0.0
            while True:
                jobs = self._next(wait)
                if jobs is None:
                    break
                if jobs:
                    self._run_all(connection, jobs)
                wait = self._pause(connection, self._rest)
            self._pause(connection, self._last)
        finally:
            connection.close()

    def _next(self, wait: float | None) -> list[_Job] | None:
        """Jobs that share a transaction; none after waiting in vain, None at the end."""
        try:
            job = self._jobs.get(timeout=wait)
        except queue.Empty:
            return []
        jobs: list[_Job] = []
        while job is not None:
            jobs.append(job)
            if job.transaction != "shared" or len(jobs) == _SHARED:
                return jobs
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return jobs
        if jobs:
            self._jobs.put(None)
            return jobs
        return None

    def _pause(self, connection: sqlite3.Connection, rest: Callable[[sqlite3.Connection], Result]) -> Result | float:
        try:
            return rest(connection)
        except Exception as error:
            logger.warning("the store cannot bring sessions up to date now: %s", error)
            self._forget()
            return _AGAIN_SECONDS

    def _run_all(self, connection: sqlite3.Connection, jobs: list[_Job]) -> None:
        shared = [job for job in jobs if job.transaction == "shared"]
        if shared:
            self._commit(connection, shared)
        for job in jobs:
            if job.transaction == "own":
                self._commit(connection, [job])
            elif job.transaction == "none":
                self._run_bare(connection, job)

    def _run_bare(self, connection: sqlite3.Connection, job: _Job) -> None:
        try:
            job.future.set_result(job.run(connection))
        except BaseException as error:
            self._forget()
            job.future.set_exception(_named(error))

    def _commit(self, connection: sqlite3.Connection, jobs: list[_Job]) -> None:
        try:
            self._transact(connection, jobs)
        except BaseException as error:
            self._forget()
            if len(jobs) == 1:
                jobs[0].future.set_exception(_named(error))
                return
            for job in jobs:  # so that each fails for its own reasons only
                self._commit(connection, [job])
            return
        for job in jobs:
            job.future.set_result(job.result)

    def _transact(self, connection: sqlite3.Connection, jobs: list[_Job]) -> None:
        with transaction(connection):
            for job in jobs:
                job.result = job.run(connection)
            self._finish(connection)


def _named(error: BaseException) -> BaseException:
    if isinstance(error, sqlite3.OperationalError) and str(error) in _FULL:
        return StoreFull(f"the store is full: {error}")
    if isinstance(error, sqlite3.OperationalError) and str(error) in _BUSY:
        return StoreFull("another process writes into the store and does not end: try again later")
    return error
