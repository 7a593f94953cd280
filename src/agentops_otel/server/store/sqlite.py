"""The embedded store: one SQLite file, written by one thread and read by any number, in this process and in others."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from ...rows import Kind, SessionEvent, SessionRow, SpanRow
from ...summarize import ALIVE_NS
from ...summarize import summarize as _summarize
from . import (
    Added,
    ApiKey,
    Batch,
    Checked,
    ErrorGroup,
    Example,
    Facets,
    Figures,
    Filter,
    Hit,
    Price,
    Seen,
    SessionList,
    Sort,
    StoreStats,
    Table,
    UseOfModel,
    UseOfTool,
    figures,
    keys,
    repair,
    rollups,
)
from .asking import ask
from .batches import encode
from .bodies import digest_of_parts
from .database import Database
from .encoding import clean
from .failures import errors
from .figures import By
from .filters import after
from .ingest import Ingest, Summarize
from .lists import neighbours, processes, sessions
from .prices import prices
from .retention import check_room, retain, stats, vacuum
from .search import search, seen_before
from .spans import slowest, span, spans
from .statement import statement
from .writer import Writer

_SHORTEST_BEGINNING: Final = 6
_CHECKED_AT_ONCE: Final = 20


class SqliteStore:
    """The `Store` in a file.

    Example:
        >>> store = SqliteStore("/tmp/agentops.db")
        >>> store.sessions(Filter(states=("fail",))).total
        0
        >>> store.close()
    """

    def __init__(self, path: str | os.PathLike[str], *, create: bool = True, summarize: Summarize = _summarize) -> None:
        """Open a store, and make it when it is not there.

        Args:
            create: False to refuse a file that is not there.
            summarize: makes the row of a session.

        Raises:
            StoreUnusable: the file is not there, belongs to someone else, is no store or has a newer schema.
        """
        self._database = Database(path, create=create)
        self._ingest = Ingest(summarize)
        self._max_bytes: int | None = None
        self._writer = Writer(
            self._database, finish=self._ingest.finish, forget=self._ingest.forget, rest=self._ingest.rest
        )

    # ------------------------------------------------------------------------------------------------- write

    def add(self, batch: Batch, now_ns: int) -> Added:
        """Store a batch durably."""
        encoded = encode(batch)

        def write(connection: sqlite3.Connection) -> Added:
            check_room(connection, self._max_bytes)
            return self._ingest.add(connection, encoded, now_ns)

        return self._writer.run(write, transaction="shared")

    def refresh(self, now_ns: int) -> tuple[str, ...]:
        """Bring sessions up to date that change with time alone; their ids."""
        late = self._ingest.late()
        with self._database.reading() as connection:
            silent = connection.execute(statement("silent_sessions"), (now_ns - ALIVE_NS,)).fetchall()
        if silent:
            numbers = [number for (number,) in silent]
            late |= self._writer.run(lambda connection: self._ingest.refresh(connection, numbers, now_ns))
        return tuple(sorted(late))

    def retain(self, now_ns: int, *, max_age_ns: int | None, max_bytes: int | None) -> int:
        """Remove some of the oldest sessions beyond the limits; how many. Call again until it returns 0.

        A few that are too old; when there are none and the store is too large, as many as make it smaller by a tenth
        of its limit, so that this happens seldom, a few in each transaction.
        """
        self._max_bytes = max_bytes
        return retain(
            self._writer.run, now_ns, max_age_ns=max_age_ns, max_bytes=max_bytes, changed=self._ingest.removed
        )

    def check(self) -> Checked:
        """Count every roll-up anew from the spans, mend what differs, and let SQLite check the file."""
        with self._database.reading() as connection:
            found = repair.damage(connection)
        self._writer.run(lambda connection: self._ingest.rest(connection, all_of_them=True), transaction="none")
        self._writer.run(repair.adopt)
        with self._database.reading() as connection:
            numbers = [number for (number,) in connection.execute(statement("session_numbers"))]
        mended: list[str] = []
        for start in range(0, len(numbers), _CHECKED_AT_ONCE):
            some = numbers[start : start + _CHECKED_AT_ONCE]
            mended += self._writer.run(partial(repair.mend, sessions=some, summarize=self._ingest.summarize))
        if self._writer.run(repair.mend_index):
            found.append("the index of the full-text search was not that of the messages, and was built anew")
        return Checked(len(numbers), tuple(mended), tuple(found))

    def vacuum(self) -> None:
        """Give room that is no longer used back to the file system."""
        self._writer.run(vacuum, transaction="none")

    def set_price(self, price: Price) -> int:
        """Price the calls of a model that have no price; how many sessions changed."""
        return self._writer.run(lambda connection: self._ingest.set_price(connection, price))

    def create_key(self, project: str, now_ns: int) -> str:
        """Make a key for a project; the key, which is not stored in clear."""
        name = clean(project)
        return self._writer.run(
            lambda connection: keys.create(connection, self._ingest.project(connection, name), now_ns)
        )

    def revoke_key(self, key_id: str, now_ns: int) -> bool:
        """Refuse a key from now on; False when there is none."""
        return self._writer.run(lambda connection: keys.revoke(connection, clean(key_id), now_ns))

    def close(self) -> None:
        """End the writer and every connection."""
        self._writer.close(last=lambda connection: self._ingest.rest(connection, all_of_them=True))
        self._database.close()

    # ------------------------------------------------------------------------------------------------- read

    def sessions(
        self,
        where: Filter,
        *,
        sort: Sort = "started",
        descending: bool = True,
        limit: int = 50,
        cursor: str | None = None,
    ) -> SessionList:
        """One page of the sessions of a filter."""
        with self._database.reading() as connection:
            return sessions(connection, where, sort=sort, descending=descending, limit=limit, cursor=cursor)

    def session(self, key: str, project: str | None = None) -> SessionRow | None:
        """One session whole."""
        with self._database.reading() as connection:
            found = _resolve(connection, key, project)
            if found is None:
                return None
            row = connection.execute(statement("session"), (found[0],)).fetchone()
            return rollups.with_all(connection, *found, rollups.session_of(row))

    def spans(
        self, session_id: str, *, bodies: bool | Collection[str] = False, project: str | None = None
    ) -> Sequence[SpanRow]:
        """All spans of a session by start."""
        with self._database.reading() as connection:
            found = _resolve(connection, session_id, project)
            return () if found is None else spans(connection, found[0], bodies=bodies)

    def events(self, session_id: str, project: str | None = None) -> Sequence[SessionEvent]:
        """The log events of a session by time."""
        with self._database.reading() as connection:
            found = _resolve(connection, session_id, project)
            return () if found is None else rollups.events_of(connection, found[0])

    def span(self, session_id: str, span_id: str, project: str | None = None) -> SpanRow | None:
        """One span with its body."""
        with self._database.reading() as connection:
            found = _resolve(connection, session_id, project)
            return None if found is None else span(connection, found[0], span_id)

    def neighbours(self, session_id: str, where: Filter) -> tuple[str | None, str | None]:
        """The sessions that started next after it and next before it."""
        with self._database.reading() as connection:
            found = _resolve(connection, session_id, where.project)
            return (None, None) if found is None else neighbours(connection, found[0], where)

    def figures(self, where: Filter) -> Figures:
        """The six numbers of the sessions of a filter."""
        with self._database.reading() as connection:
            return figures.figures(connection, where)

    def figures_over_time(
        self, where: Filter, edges_ns: Sequence[int], *, percentiles: bool = True
    ) -> Sequence[Figures]:
        """The figures of the sessions that started between each two edges."""
        with self._database.reading() as connection:
            return figures.figures_over_time(connection, where, edges_ns, percentiles=percentiles)

    def facets(self, where: Filter) -> Facets:
        """The values of the fields among the sessions of a filter."""
        with self._database.reading() as connection:
            return figures.facets(connection, where)

    def costs(self, where: Filter, *, by: By = "model", hours: int = 0) -> Sequence[UseOfModel]:
        """Use by model (and by tag, agent, name, tool), in buckets of so many hours.

        A session with two tags counts under each of them. The times of single calls are there by model and in one
        bucket only.
        """
        with self._database.reading() as connection:
            return figures.costs(connection, where, by=by, hours=hours)

    def tools(self, where: Filter) -> Sequence[UseOfTool]:
        """Use by tool, most calls first."""
        with self._database.reading() as connection:
            return figures.tools(connection, where)

    def errors(self, where: Filter) -> Sequence[ErrorGroup]:
        """Groups of errors, the last seen first."""
        with self._database.reading() as connection:
            return errors(connection, where)

    def slowest(self, where: Filter, kind: Kind, label: str, *, limit: int = 5) -> Sequence[Example]:
        """The spans of a tool or model that took longest, longest first."""
        with self._database.reading() as connection:
            return slowest(connection, where, kind, label, limit=limit)

    def processes(self, where: Filter, *, limit: int = 50) -> Sequence[Seen]:
        """The processes that sent spans, the last seen first."""
        with self._database.reading() as connection:
            return processes(connection, where, limit=limit)

    def search(self, text: str, where: Filter, *, limit: int = 100) -> Sequence[Hit]:
        """Places where all words stand, the newest first."""
        with self._database.reading() as connection:
            return search(connection, text, where, limit=limit)

    def seen_before(self, digests: Iterable[str], session_id: str, project: str | None = None) -> dict[str, int]:
        """In how many sessions before this one each message was sent."""
        with self._database.reading() as connection:
            found = _resolve(connection, session_id, project)
            return {} if found is None else seen_before(connection, digests, *found)

    def instructions_before(
        self, parts: Sequence[Mapping[str, Any]], session_id: str, project: str | None = None
    ) -> int:
        """In how many sessions before this one these system instructions were sent."""
        digest = digest_of_parts(parts).hex()
        return self.seen_before([digest], session_id, project).get(digest, 0)

    def prices(self) -> Sequence[Price]:
        """The prices that were set, by model."""
        with self._database.reading() as connection:
            return prices(connection)

    def stats(self) -> StoreStats:
        """Size and contents."""
        with self._database.reading() as connection:
            return stats(connection, self._database.path)

    def sql(self, query: str, *, seconds: float = 2.0, limit: int = 10_000) -> Table:
        """The answer to a query that reads, and does nothing else."""
        return ask(self._database, query, seconds=seconds, limit=limit)

    def projects(self) -> Sequence[str]:
        """Every project that has a key or a session."""
        with self._database.reading() as connection:
            return [name for (name,) in connection.execute(statement("projects"))]

    def keys(self) -> Sequence[ApiKey]:
        """All keys, revoked ones too."""
        with self._database.reading() as connection:
            return keys.keys(connection)

    def project_of(self, session_id: str, project: str | None = None) -> str | None:
        """The project of a session."""
        with self._database.reading() as connection:
            found = _resolve(connection, session_id, project)
            return None if found is None else connection.execute(statement("name_of_project"), found[1:]).fetchone()[0]

    def project_of_key(self, key: str) -> str | None:
        """The project of a key that is not revoked."""
        with self._database.reading() as connection:
            found = keys.project_of(connection, key)
        if found is None:
            return None
        project, is_known = found
        if not is_known:
            self._writer.run(lambda connection: keys.learn(connection, key))
        return project

    def project_known_as(self, known_as: str) -> str | None:
        """The project of the key of which a program has made this id for its spans, when it is not revoked."""
        with self._database.reading() as connection:
            return keys.project_known_as(connection, clean(known_as))


def _resolve(connection: sqlite3.Connection, key: str, project: str | None) -> tuple[int, int] | None:
    """The number of a session and of its project."""
    key = clean(key)
    names = {"key": key, "after": after(key), "project": None if project is None else clean(project)}
    found = connection.execute(statement("resolve_session"), names).fetchone()
    if found is None and len(key) >= _SHORTEST_BEGINNING:
        found = connection.execute(statement("resolve_beginning"), names).fetchone()
    return found and (int(found[0]), int(found[1]))
