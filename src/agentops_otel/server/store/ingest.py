"""What is done with a batch inside the writer's transaction: spans, contents, events and scores, then their sessions.

The one thing to know: the result does not depend on the order in which spans and events come, nor on how often. Each
decision is the smallest or the largest of something: of two versions of a span the one of the higher rank is kept
(`EncodedSpan.rank`), a trace belongs to the session that was said first, a content stands where it was first.
"""

from __future__ import annotations

import sqlite3
import time
from collections import OrderedDict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

from ... import guard
from ...rows import Score, SessionEvent, SessionRow, SpanRow
from . import Added, Batch, Price, rollups
from .contents import Links, relink
from .database import transaction
from .encoding import Contents, EncodedSpan, Origin, clean, encode_event, encode_spans, score_columns, score_digest
from .prices import Prices, prices, set_price
from .statement import statement

_LARGE: Final = 2_000
"""A session of more spans is not summarized with every batch: 20,000 spans in batches of 512 would take minutes."""
_PAUSE_SECONDS: Final = 1.0
_SOURCES: Final = 256
Claim = tuple[int, str]
"""When a trace was said to belong to a session, and to which."""


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


@dataclass(frozen=True, slots=True)
class EncodedBatch:
    """A batch, ready to be written."""

    project: str
    spans: list[EncodedSpan]
    contents: Contents
    events: list[tuple[SessionEvent, bytes, bytes]]
    """With its key and its bytes."""
    scores: list[tuple[Any, ...]]
    claims: dict[str, Claim | None]
    """Of each trace: the session that the batch says it belongs to."""


def encode(batch: Batch) -> EncodedBatch:
    """Do what needs no database; in the caller's thread, so that the writer has less to do."""
    claims: dict[str, Claim | None] = {}

    def claim(trace_id: str, time_ns: int, session_id: str | None) -> None:
        known = claims.setdefault(trace_id, None)
        if session_id and (known is None or (time_ns, session_id) < known):
            claims[trace_id] = (time_ns, session_id)

    rows: list[SpanRow] = list(batch.spans)
    events = []
    for event in batch.events:
        # A heartbeat's open spans belong to its session, also where its trace says nothing.
        rows += [replace(row, session_id=row.session_id or event.session_id) for row in event.open_spans]
        events.append((event, *encode_event(event)))
        claim(clean(event.trace_id), min(event.time_ns, 2**63 - 1), clean(event.session_id))
    spans, contents = encode_spans(rows)
    for span in spans:
        claim(span.trace_id, span.start_ns, span.said)
    scores = [score_columns(score) for score in batch.scores]
    for session_id, trace_id, *_ in scores:
        claim(trace_id, 2**63 - 1, session_id)
    return EncodedBatch(clean(batch.project), spans, contents, events, scores, claims)


@dataclass(slots=True)
class _Counts:
    new: int = 0
    changed: int = 0
    known: int = 0


@dataclass(slots=True)
class _Touched:
    """What the transaction has changed so far."""

    sessions: dict[int, str] = field(default_factory=dict)
    now_ns: int = 0


class Ingest:
    """Puts batches into the store and keeps the rows of their sessions true; used by the writer's thread alone."""

    def __init__(self, summarize: Summarize) -> None:
        self._summarize = summarize
        self._projects: dict[str, int] = {}
        self._sources: OrderedDict[bytes, int] = OrderedDict()
        self._touched = _Touched()
        self._due: dict[int, float] = {}
        """When large sessions may be summarized again, by the monotonic clock."""
        self._looked = False  # for what a process left that was killed
        self._late: deque[str] = deque(maxlen=10_000)
        self._now_ns = 0
        self._prices: Prices | None = None

    def add(self, connection: sqlite3.Connection, batch: EncodedBatch, now_ns: int) -> Added:
        """Write a batch."""
        project = self.project(connection, batch.project)
        self._touched.now_ns = self._now_ns = max(now_ns, self._touched.now_ns)
        others, self._touched.sessions = self._touched.sessions, {}
        counts = self._write(connection, project, batch)
        changed = self._touched.sessions
        self._touched.sessions = {**others, **changed}
        return Added(tuple(changed.values()), counts.new, counts.changed, counts.known)

    def project(self, connection: sqlite3.Connection, name: str) -> int:
        """The number of a project, which is made if it is new."""
        number = self._projects.get(name)
        if number is None:
            connection.execute(statement("add_project"), (name,))
            number = int(connection.execute(statement("find_project"), (name,)).fetchone()[0])
            self._projects[name] = number
        return number

    # -------------------------------------------------------------------------------------------------- a batch

    def _write(self, connection: sqlite3.Connection, project: int, batch: EncodedBatch) -> _Counts:
        relinked: set[int] = set()
        keys = {
            trace_id: self._claim(connection, project, trace_id, claim, relinked)
            for trace_id, claim in batch.claims.items()
        }
        counts = _Counts()
        links = Links(connection, project, batch.contents)
        sessions: dict[str, int] = {}
        for span in batch.spans:
            key = span.said or keys[span.trace_id]
            session = sessions.get(key)
            if session is None:
                session = sessions[key] = self.session(connection, project, key)
            self._add_span(connection, project, session, key, span, links, relinked, counts)
        links.write()
        if relinked:
            relink(connection, relinked)
        self._add_events(connection, project, batch.events)
        self._add_scores(connection, project, batch.scores, keys)
        return counts

    def session(self, connection: sqlite3.Connection, project: int, session_id: str) -> int:
        """The number of a session, which is made if it is new."""
        found = connection.execute(statement("find_session"), (project, session_id)).fetchone()
        if found is not None:
            return int(found[0])
        number = int(connection.execute(statement("add_session"), (project, session_id)).lastrowid or 0)
        self._touched.sessions[number] = session_id
        return number

    def _claim(
        self, connection: sqlite3.Connection, project: int, trace_id: str, claim: Claim | None, relinked: set[int]
    ) -> str:
        """The session of a trace, after the batch has had its say; its spans move when it has changed."""
        found = connection.execute(statement("find_trace"), (project, trace_id)).fetchone()
        known = None if found is None or found[0] is None else (found[1], found[0])
        if claim is None or (known is not None and known <= claim):
            if found is None:
                connection.execute(statement("claim_trace"), (project, trace_id, None, None))
            return known[1] if known else trace_id
        connection.execute(statement("claim_trace"), (project, trace_id, claim[1], claim[0]))
        before = known[1] if known else trace_id
        if found is not None and before != claim[1]:
            self._move(connection, project, trace_id, before, claim[1], relinked)
        return claim[1]

    def _move(
        self, connection: sqlite3.Connection, project: int, trace_id: str, old: str, new: str, relinked: set[int]
    ) -> None:
        session = self.session(connection, project, new)
        moved = connection.execute(statement("move_spans"), (session, trace_id, project)).rowcount
        connection.execute(statement("move_scores"), (new, project, trace_id))
        found = connection.execute(statement("find_session"), (project, old)).fetchone()
        self._touched.sessions[session] = new
        if found is None:
            return
        self._touched.sessions[int(found[0])] = old
        if moved:
            relinked.update((session, int(found[0])))

    def _add_span(
        self,
        connection: sqlite3.Connection,
        project: int,
        session: int,
        key: str,
        span: EncodedSpan,
        links: Links,
        relinked: set[int],
        counts: _Counts,
    ) -> None:
        found = connection.execute(statement("find_span"), (span.trace_id, span.span_id, project)).fetchone()
        if found is None:
            source = self._source(connection, span.origin)
            row = (project, session, source, span.size, span.digest, *self._priced(connection, span))
            number = connection.execute(statement("add_span"), row).lastrowid
            counts.new += 1
        else:
            number, old_session, size, digest, end_ns, replayed, had_body = found
            if span.rank <= (end_ns is not None, not replayed, size, digest):
                counts.known += 1
                return
            source = self._source(connection, span.origin)
            row = (project, session, source, span.size, span.digest, *self._priced(connection, span), number)
            connection.execute(statement("replace_span"), row)
            counts.changed += 1
            if had_body:
                relinked.add(session)
                connection.execute(statement("remove_body"), (number,))
            if old_session != session:
                relinked.update((session, old_session))
                self.touch(connection, old_session)
        if span.body is not None:
            connection.execute(statement("add_body"), (number, span.body))
            links.add(session, span.named, span.start_ns, span.span_id, span.trace_id)
        self._touched.sessions[session] = key

    def _priced(self, connection: sqlite3.Connection, span: EncodedSpan) -> tuple[Any, ...]:
        """The columns of a span, with a price that a person has set when it has none."""
        if not span.is_unpriced:
            return span.columns
        if self._prices is None:
            self._prices = Prices(prices(connection))
        return self._prices.priced(span.columns) if self._prices else span.columns

    def touch(self, connection: sqlite3.Connection, session: int) -> None:
        """Have a session summarized in this transaction."""
        found = connection.execute(statement("session_key"), (session,)).fetchone()
        if found is not None:
            self._touched.sessions[session] = found[0]

    def _source(self, connection: sqlite3.Connection, origin: Origin) -> int:
        number = self._sources.get(origin.digest)
        if number is None:
            found = connection.execute(statement("find_source"), (origin.digest,)).fetchone()
            if found is None:
                values = (origin.digest, *origin.columns)
                number = int(connection.execute(statement("add_source"), values).lastrowid or 0)
            else:
                number = int(found[0])
            self._sources[origin.digest] = number
            if len(self._sources) > _SOURCES:
                self._sources.popitem(last=False)
        return number

    def _add_events(
        self, connection: sqlite3.Connection, project: int, events: Iterable[tuple[SessionEvent, bytes, bytes]]
    ) -> None:
        for event, key, data in events:
            session_id = clean(event.session_id) or clean(event.trace_id)
            session = self.session(connection, project, session_id)
            row = (session, key, min(event.time_ns, 2**63 - 1), data)
            if connection.execute(statement("add_event"), row).rowcount:
                self._touched.sessions[session] = session_id

    def _add_scores(
        self, connection: sqlite3.Connection, project: int, scores: Iterable[tuple[Any, ...]], keys: dict[str, str]
    ) -> None:
        for columns in scores:
            key = columns[0] or keys[columns[1]]
            row = (project, key, score_digest(columns), *columns)
            if not connection.execute(statement("add_score"), row).rowcount:
                continue
            found = connection.execute(statement("find_session"), (project, key)).fetchone()
            if found is not None:
                self._touched.sessions[int(found[0])] = key

    # -------------------------------------------------------------------------------------------------- sessions

    def finish(self, connection: sqlite3.Connection) -> None:
        """Bring the rows of the sessions up to date that this transaction has changed."""
        touched, self._touched = self._touched, _Touched()
        self._prices = None  # another process may set one
        now = time.monotonic()
        for session in touched.sessions:
            due = self._due.get(session)
            if due is not None and now < due:
                connection.execute(statement("mark_stale"), (session,))
                continue
            self.summarize(connection, session, touched.now_ns)

    def summarize(self, connection: sqlite3.Connection, session: int, now_ns: int) -> SessionRow | None:
        """Make the row of a session of its spans and events; None when it has neither any more, and is gone."""
        found = connection.execute(statement("size_of_session"), (session,)).fetchone()
        if found is None:
            return None
        project, session_id, known_ns, spans, has_events = found
        if not spans and not has_events:
            remove(connection, session)
            return None
        started = time.monotonic()
        now_ns = now_ns or known_ns
        row = self._row(connection, project, session, session_id, now_ns)
        rollups.write(connection, session, row, now_ns)
        if spans > _LARGE:
            took = time.monotonic() - started
            self._due[session] = started + took + max(_PAUSE_SECONDS, 4 * took)
        return row

    def _row(
        self, connection: sqlite3.Connection, project: int, session: int, session_id: str, now_ns: int
    ) -> SessionRow:
        spans = rollups.spans_of(connection, session)
        events = rollups.events_of(connection, session)
        scores = rollups.scores_of(connection, project, session_id)
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

    def forget(self) -> None:
        """Forget what a transaction has done that was not committed."""
        self._touched = _Touched()
        self._projects.clear()
        self._sources.clear()
        self._prices = None


def remove(connection: sqlite3.Connection, session: int) -> None:
    """Remove the row of a session and what hangs on it."""
    rollups.clear(connection, session)
    connection.execute(statement("remove_session_text"), (session,))
    connection.execute(statement("remove_session"), (session,))
