"""A batch on its way into the tables: spans, contents, events and scores, and the sessions to which they belong.

The one thing to know: the result does not depend on the order in which spans and events come, nor on how often. Each
decision is the smallest or the largest of something: of two versions of a span the one of the higher rank is kept
(`EncodedSpan.rank`), a trace belongs to the session that was said first, a content stands where it was first.
"""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from ...rows import SessionEvent, SpanRow
from . import Batch
from .bodies import Contents
from .columns import EncodedSpan, Origin, encode_spans
from .contents import Links, relink
from .encoding import LARGEST, clean
from .events import encode_event, score_columns, score_digest
from .many import find, insert
from .prices import Prices, prices
from .statement import statement

_SOURCES: Final = 256
Claim = tuple[int, str]
"""When a trace was said to belong to a session, and to which."""


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
        claim(clean(event.trace_id), min(event.time_ns, LARGEST), clean(event.session_id))
    spans, contents = encode_spans(rows)
    for span in spans:
        claim(span.trace_id, span.start_ns, span.said)
    scores = [score_columns(score) for score in batch.scores]
    for session_id, trace_id, *_ in scores:
        claim(trace_id, LARGEST, session_id)
    return EncodedBatch(clean(batch.project), spans, contents, events, scores, claims)


@dataclass(slots=True)
class Known:
    """What is known of the tables, so that it is not asked again with each batch."""

    projects: dict[str, int] = field(default_factory=dict)
    sources: OrderedDict[bytes, int] = field(default_factory=OrderedDict)
    prices: Prices | None = None
    fresh: dict[int, list[SpanRow]] = field(default_factory=dict)
    """All spans of those sessions that this transaction has made, as far as nothing but new spans came to them."""

    def project(self, connection: sqlite3.Connection, name: str) -> int:
        """The number of a project, which is made if it is new."""
        number = self.projects.get(name)
        if number is None:
            connection.execute(statement("add_project"), (name,))
            number = int(connection.execute(statement("find_project"), (name,)).fetchone()[0])
            self.projects[name] = number
        return number

    def source(self, connection: sqlite3.Connection, origin: Origin) -> int:
        """The number of a resource and scope, which is stored if it is new."""
        number = self.sources.get(origin.digest)
        if number is not None:
            return number
        found = connection.execute(statement("find_source"), (origin.digest,)).fetchone()
        if found is None:
            values = (origin.digest, *origin.columns)
            number = int(connection.execute(statement("add_source"), values).lastrowid or 0)
        else:
            number = int(found[0])
        self.sources[origin.digest] = number
        if len(self.sources) > _SOURCES:
            self.sources.popitem(last=False)
        return number

    def priced(self, connection: sqlite3.Connection, span: EncodedSpan) -> tuple[Any, ...]:
        """The columns of a span, with a price that a person has set when it has none."""
        if not span.is_unpriced:
            return span.columns
        if self.prices is None:
            self.prices = Prices(prices(connection))
        return self.prices.priced(span.columns) if self.prices else span.columns


class BatchWriter:
    """Writes one batch.

    Args:
        known: what other batches have found.
    """

    def __init__(self, connection: sqlite3.Connection, batch: EncodedBatch, known: Known) -> None:
        self._connection = connection
        self._batch = batch
        self._known = known
        self._project = known.project(connection, batch.project)
        self._links = Links(connection, self._project, batch.contents)
        self._relinked: set[int] = set()
        self._last_span = 0
        self._new: dict[tuple[str, str], tuple[Any, ...]] = {}
        self._new_traces: set[str] = set()
        self._bodies: dict[tuple[str, str], tuple[int, bytes]] = {}
        self.sessions: dict[int, str] = {}
        """Those that have changed: numbers and ids."""
        self.new = 0
        self.changed = 0
        self.known = 0
        """Spans that were stored before exactly so, or better."""

    def write(self) -> None:
        """Write all of it."""
        keys = self._claim_all()
        sessions = self._sessions(dict.fromkeys(span.said or keys[span.trace_id] for span in self._batch.spans))
        for span in self._batch.spans:
            key = span.said or keys[span.trace_id]
            self._add_span(sessions[key], key, span)
        self._write_new()
        self._links.write()
        if self._relinked:
            relink(self._connection, self._relinked)
        self._add_events()
        self._add_scores(keys)

    def _find_sessions(self, keys: Collection[str]) -> dict[str, int]:
        return dict(find(self._connection, "find_sessions", keys, self._project))

    def _sessions(self, keys: Collection[str]) -> dict[str, int]:
        """The numbers of sessions, of which those are made that are new."""
        numbers = self._find_sessions(keys)
        new = [key for key in keys if key not in numbers]
        if not new:
            return numbers
        last = int(self._connection.execute(statement("last_session")).fetchone()[0] or 0)
        added = {key: number for number, key in enumerate(new, last + 1)}
        insert(self._connection, "add_session", [(number, self._project, key) for key, number in added.items()])
        for key, number in added.items():
            self.sessions[number] = key
            self._known.fresh[number] = []
        return numbers | added

    def _find_session(self, session_id: str) -> int | None:
        return self._find_sessions([session_id]).get(session_id)

    def _session(self, session_id: str) -> int:
        return self._sessions([session_id])[session_id]

    # -------------------------------------------------------------------------------------------------- traces

    def _claim_all(self) -> dict[str, str]:
        """The session of each trace, after the batch has had its say."""
        claims = self._batch.claims
        known = find(self._connection, "find_traces", claims, self._project)
        found = {trace_id: said for trace_id, *said in known}
        self._new_traces.update(claims.keys() - found.keys())
        new = [(self._project, trace_id, *_said(claims[trace_id])) for trace_id in claims if trace_id not in found]
        insert(self._connection, "claim_trace", new)
        return {
            trace_id: self._claim(trace_id, claim, found[trace_id])
            if trace_id in found
            else (claim[1] if claim else trace_id)
            for trace_id, claim in claims.items()
        }

    def _claim(self, trace_id: str, claim: Claim | None, found: Sequence[Any]) -> str:
        """The session of a trace that was known before; its spans move when the batch knows better."""
        session_id, said_ns = found
        known = None if session_id is None else (said_ns, session_id)
        if claim is None or (known is not None and known <= claim):
            return known[1] if known else trace_id
        self._connection.execute(statement("claim_trace"), (self._project, trace_id, *_said(claim)))
        before = known[1] if known else trace_id
        if before != claim[1]:
            self._move(trace_id, before, claim[1])
        return claim[1]

    def _move(self, trace_id: str, old: str, new: str) -> None:
        """Move what says no session of its own."""
        session = self._session(new)
        moved = self._connection.execute(statement("move_spans"), (session, trace_id, self._project)).rowcount
        self._connection.execute(statement("move_scores"), (new, self._project, trace_id))
        self.sessions[session] = new
        self._known.fresh.pop(session, None)
        before = self._find_session(old)
        if before is None:
            return
        self.sessions[before] = old
        self._known.fresh.pop(before, None)
        if moved:
            self._relinked.update((session, before))

    # -------------------------------------------------------------------------------------------------- spans

    def _add_span(self, session: int, key: str, span: EncodedSpan) -> None:
        trace_id, span_id = names = span.trace_id, span.span_id
        if names in self._new or names in self._bodies:
            self._write_new()
            self._new_traces.clear()
        found = None
        if trace_id not in self._new_traces:  # a trace that was not known has no spans
            found = self._connection.execute(statement("find_span"), (*names, self._project)).fetchone()
        columns = self._known.priced(self._connection, span)
        if found is None:
            number = self._next_span()
            self._new[names] = (number, *self._row(session, span, columns))
            self.new += 1
            self._keep(session, span, columns)
        else:
            number, old_session, size, digest, end_ns, replayed, had_body = found
            if span.rank <= (end_ns is not None, not replayed, size, digest):
                self.known += 1
                return
            self._connection.execute(statement("replace_span"), (*self._row(session, span, columns), number))
            self.changed += 1
            self._known.fresh.pop(session, None)
            if had_body:
                self._relinked.add(session)
                self._connection.execute(statement("remove_body"), (number,))
            if old_session != session:
                self._relinked.update((session, old_session))
                self._touch(old_session)
        if span.body is not None:
            self._bodies[names] = (number, span.body)
            self._links.add(session, span.named, span.start_ns, span_id, trace_id)
        self.sessions[session] = key

    def _row(self, session: int, span: EncodedSpan, columns: tuple[Any, ...]) -> tuple[Any, ...]:
        source = self._known.source(self._connection, span.origin)
        return (self._project, session, source, span.size, span.digest, *columns)

    def _keep(self, session: int, span: EncodedSpan, columns: tuple[Any, ...]) -> None:
        """Keep a new span for the row of its session, which then need not be read again."""
        spans = self._known.fresh.get(session)
        if spans is None:
            return
        if span.row is None or columns is not span.columns:
            del self._known.fresh[session]
        else:
            spans.append(span.row)

    def _next_span(self) -> int:
        """Numbers are given here, so that the rows of a batch are written with one call."""
        if not self._last_span:
            self._last_span = int(self._connection.execute(statement("last_span")).fetchone()[0] or 0)
        self._last_span += 1
        return self._last_span

    def _write_new(self) -> None:
        insert(self._connection, "add_span", list(self._new.values()))
        insert(self._connection, "add_body", list(self._bodies.values()))
        self._new.clear()
        self._bodies.clear()

    def _touch(self, session: int) -> None:
        self._known.fresh.pop(session, None)
        found = self._connection.execute(statement("session_key"), (session,)).fetchone()
        if found is not None:
            self.sessions[session] = found[0]

    # -------------------------------------------------------------------------------------------------- the rest

    def _add_events(self) -> None:
        for event, key, data in self._batch.events:
            session_id = clean(event.session_id) or clean(event.trace_id)
            session = self._session(session_id)
            row = (session, key, min(event.time_ns, LARGEST), data)
            if self._connection.execute(statement("add_event"), row).rowcount:
                self.sessions[session] = session_id

    def _add_scores(self, keys: dict[str, str]) -> None:
        for columns in self._batch.scores:
            key = columns[0] or keys[columns[1]]
            row = (self._project, key, score_digest(columns), *columns)
            if not self._connection.execute(statement("add_score"), row).rowcount:
                continue
            session = self._find_session(key)
            if session is not None:
                self.sessions[session] = key


def _said(claim: Claim | None) -> tuple[str | None, int | None]:
    return (None, None) if claim is None else (claim[1], claim[0])
