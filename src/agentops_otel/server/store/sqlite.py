"""The embedded store: one SQLite file, written by one thread and read by any number, in this process and in others."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence

from ...rows import SessionRow, SpanRow
from ...summarize import summarize as _summarize
from . import Added, Batch, Filter, SessionList, Sort, rollups
from .database import Database
from .encoding import clean
from .filters import after
from .ingest import Ingest, Summarize, encode
from .lists import sessions
from .spans import span, spans
from .statement import statement
from .writer import Writer

_SHORTEST_BEGINNING = 6


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
        self._writer = Writer(
            self._database, finish=self._ingest.finish, forget=self._ingest.forget, rest=self._ingest.rest
        )

    # ------------------------------------------------------------------------------------------------- write

    def add(self, batch: Batch, now_ns: int) -> Added:
        """Store a batch durably."""
        encoded = encode(batch)
        return self._writer.run(lambda connection: self._ingest.add(connection, encoded, now_ns))

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

    def spans(self, session_id: str, *, bodies: bool = False, project: str | None = None) -> Sequence[SpanRow]:
        """All spans of a session by start."""
        with self._database.reading() as connection:
            found = _resolve(connection, session_id, project)
            return () if found is None else spans(connection, found[0], bodies=bodies)

    def span(self, session_id: str, span_id: str, project: str | None = None) -> SpanRow | None:
        """One span with its body."""
        with self._database.reading() as connection:
            found = _resolve(connection, session_id, project)
            return None if found is None else span(connection, found[0], span_id)


def _resolve(connection: sqlite3.Connection, key: str, project: str | None) -> tuple[int, int] | None:
    """The number of a session and of its project."""
    key = clean(key)
    names = {"key": key, "after": after(key), "project": None if project is None else clean(project)}
    found = connection.execute(statement("resolve_session"), names).fetchone()
    if found is None and len(key) >= _SHORTEST_BEGINNING:
        found = connection.execute(statement("resolve_beginning"), names).fetchone()
    return found and (int(found[0]), int(found[1]))
