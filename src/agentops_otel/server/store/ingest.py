"""Batches and their sessions inside the writer's transaction: a session's row is made anew whenever it has changed."""

from __future__ import annotations

import sqlite3
import time
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple, Protocol

from ... import guard
from ...rows import Score, SessionEvent, SessionRow, SpanRow
from . import Added, Price, rollups
from .batches import BatchWriter, EncodedBatch, Known
from .database import transaction
from .many import find
from .prices import set_price
from .statement import statement

_LARGE: Final = 2_000
"""A session of more spans is not summarized with every batch: 20,000 spans in batches of 512 would take minutes."""
_PAUSE_SECONDS: Final = 1.0


class Summarize(Protocol):
    """The signature of `summarize.summarize`."""

    def __call__(
        self,
        session_id: str,
        spans: Sequence[SpanRow],
        events: Sequence[SessionEvent],
        scores: Sequence[Score] = (),
        *,
        now_ns: int,
    ) -> SessionRow:
        """The row of a session."""
        ...


class Ingest:
    """Puts batches into the store and keeps the rows of their sessions true; used by the writer's thread alone."""

    def __init__(self, summarize: Summarize) -> None:
        self._summarize = summarize
        self._known = Known()
        self._touched: dict[int, str] = {}
        """The sessions that this transaction has changed so far."""
        self._now_ns = 0
        self._due: dict[int, float] = {}
        """When large sessions may be summarized again, by the monotonic clock."""
        self._looked = False  # for what a process left that was killed
        self._late: deque[str] = deque(maxlen=10_000)

    def add(self, connection: sqlite3.Connection, batch: EncodedBatch, now_ns: int) -> Added:
        """Write a batch."""
        self._now_ns = max(now_ns, self._now_ns)
        writer = BatchWriter(connection, batch, self._known)
        writer.write()
        self._touched.update(writer.sessions)
        return Added(tuple(writer.sessions.values()), writer.new, writer.changed, writer.known)

    def project(self, connection: sqlite3.Connection, name: str) -> int:
        """The number of a project, which is made if it is new."""
        return self._known.project(connection, name)

    def finish(self, connection: sqlite3.Connection) -> None:
        """Bring the rows of the sessions up to date that this transaction has changed."""
        touched, self._touched = self._touched, {}
        fresh, self._known.fresh = self._known.fresh, {}
        self._known.prices = None  # another process may set one
        now = time.monotonic()
        due = []
        for session in touched:
            if now < self._due.get(session, 0.0):
                connection.execute(statement("mark_stale"), (session,))
            else:
                due.append(session)
        made = []
        for size in _sizes(connection, due):
            spans = fresh.get(size.session)
            if spans is None:
                self._replace(connection, size, self._now_ns)
                continue
            row = self._made(connection, size, spans, self._now_ns)
            if row is None:
                remove(connection, size.session)
            else:
                made.append((size.session, row))
        rollups.write_new(connection, made, self._now_ns)

    def summarize(self, connection: sqlite3.Connection, session: int, now_ns: int) -> SessionRow | None:
        """Make the row of a session of its spans and events; None when it has neither any more, and is gone."""
        size = next(iter(_sizes(connection, [session])), None)
        return None if size is None else self._replace(connection, size, now_ns or size.summarized_ns)

    def _replace(self, connection: sqlite3.Connection, size: _Size, now_ns: int) -> SessionRow | None:
        row = self._made(connection, size, rollups.spans_of(connection, size.session), now_ns)
        if row is None:
            remove(connection, size.session)
        else:
            rollups.write(connection, size.session, row, now_ns)
        return row

    def _made(
        self, connection: sqlite3.Connection, size: _Size, spans: Sequence[SpanRow], now_ns: int
    ) -> SessionRow | None:
        """The row of a session; None when it has neither spans nor events."""
        if not size.spans and not size.has_events:
            return None
        started = time.monotonic()
        events = rollups.events_of(connection, size.session) if size.has_events else []
        scores = rollups.scores_of(connection, size.project, size.session_id) if size.has_scores else []
        row = self._row(size.session_id, spans, events, scores, now_ns)
        if size.spans > _LARGE:
            took = time.monotonic() - started
            self._due[size.session] = started + took + max(_PAUSE_SECONDS, 4 * took)
        return row

    def _row(
        self,
        session_id: str,
        spans: Sequence[SpanRow],
        events: Sequence[SessionEvent],
        scores: Sequence[Score],
        now_ns: int,
    ) -> SessionRow:
        try:
            return self._summarize(session_id, spans, events, scores, now_ns=now_ns)
        except Exception:
            # A defect of ours must not cost a span: they are stored, and the session says that it has no numbers.
            guard.report("summarize()")
            times = [span.start_ns for span in spans] + [event.time_ns for event in events]
            trace_id = (spans[0] if spans else events[0]).trace_id
            first, last = min(times), max(times)
            text = "This session could not be summed up; its spans are here."
            return SessionRow(
                session_id, trace_id, "indeterminate", "", first, last, ended=False, ending=text, spans=len(spans)
            )

    def rest(self, connection: sqlite3.Connection, *, all_of_them: bool = False) -> float | None:
        """Summarize large sessions whose time has come; the seconds until the next one, None when there is none."""
        if not self._due and self._looked:
            return None
        self._looked = True
        now = time.monotonic()
        stale = [session for (session,) in connection.execute(statement("stale_sessions"))]
        ready = [session for session in stale if all_of_them or self._due.get(session, 0.0) <= now]
        if ready:
            with transaction(connection):
                rows = [self.summarize(connection, session, self._now_ns) for session in ready]
            self._late.extend(row.session_id for row in rows if row is not None)
        waiting = set(stale).difference(ready)
        self._due = {session: due for session, due in self._due.items() if due > now}
        return max(0.01, min(self._due[session] for session in waiting) - now) if waiting else None

    def refresh(self, connection: sqlite3.Connection, sessions: Iterable[int], now_ns: int) -> set[str]:
        """Summarize running sessions that have been silent; those that run no more."""
        ended = set()
        for session in sessions:
            row = self.summarize(connection, session, now_ns)
            if row is not None and row.state != "running":
                ended.add(row.session_id)
        return ended

    def set_price(self, connection: sqlite3.Connection, price: Price) -> int:
        """Set a price, and bring the sessions up to date that have calls at this price; how many."""
        sessions = set_price(connection, price)
        for session in sessions:
            self.summarize(connection, session, 0)
        return len(sessions)

    def late(self) -> set[str]:
        """The sessions whose rows have changed without a batch since this was called last; from any thread."""
        late = set()
        while self._late:
            late.add(self._late.popleft())
        return late

    def removed(self) -> None:
        """Forget the numbers of what may be gone."""
        self._known = Known()

    def forget(self) -> None:
        """Forget what a transaction has done that was not committed."""
        self._known = Known()
        self._touched = {}


class _Size(NamedTuple):
    """A session before it is summarized: what there is of it."""

    session: int
    project: int
    session_id: str
    summarized_ns: int
    spans: int
    has_events: bool
    has_scores: bool


def _sizes(connection: sqlite3.Connection, sessions: Sequence[int]) -> list[_Size]:
    return [_Size(*columns) for columns in find(connection, "sizes_of_sessions", sessions)]


def remove(connection: sqlite3.Connection, session: int) -> None:
    """Remove the row of a session and what hangs on it."""
    rollups.clear(connection, session)
    connection.execute(statement("remove_session_text"), (session,))
    connection.execute(statement("remove_session"), (session,))
