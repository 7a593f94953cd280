"""Removing old sessions, a few at a time, so that a server goes on receiving while gigabytes go."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final

from . import StoreFull, StoreStats
from .contents import drop
from .ingest import remove
from .statement import statement

_MOST_SPANS: Final = 2_000
"""So many spans go with one step, unless one session has more."""
_MOST_SESSIONS: Final = 50
_PAGES: Final = 1_000
"""So many pages are given back to the file system with one step."""
_HIGH_WATER: Final = 1.1
"""How far above its limit a store may grow before it refuses; `retain` brings it below again."""


def retain(
    connection: sqlite3.Connection,
    now_ns: int,
    max_age_ns: int | None,
    max_bytes: int | None,
    changed: Callable[[], None],
) -> int:
    """Remove a few of the sessions that are beyond the limits, those first whose last sign is oldest; how many.

    Args:
        changed: called when something was removed that is remembered elsewhere.
    """
    sessions = spans = 0
    while sessions < _MOST_SESSIONS and spans < _MOST_SPANS:
        found = connection.execute(statement("oldest_session")).fetchone()
        if found is None:
            break
        session, last_ns, size = found
        too_old = max_age_ns is not None and last_ns < now_ns - max_age_ns
        if not too_old and (max_bytes is None or used_bytes(connection) <= max_bytes):
            break
        forget(connection, session)
        sessions += 1
        spans += size
    if sessions:
        changed()
    connection.execute(f"PRAGMA incremental_vacuum({_PAGES})").fetchall()
    return sessions


def forget(connection: sqlite3.Connection, session: int) -> None:
    """Remove a session and all that is known of it."""

    def column(name: str) -> list[int]:
        return [number for (number,) in connection.execute(statement(name), (session,))]

    contents, sources = column("contents_of_session"), column("sources_of_session")
    traces = connection.execute(statement("traces_of_session"), (session,)).fetchall()
    for name in ("remove_bodies", "remove_spans", "remove_events", "remove_scores", "unlink_contents"):
        connection.execute(statement(name), (session,))
    connection.executemany(statement("remove_trace"), traces)
    connection.executemany(statement("remove_source"), [(source,) for source in sources])
    drop(connection, contents)
    remove(connection, session)


def used_bytes(connection: sqlite3.Connection) -> int:
    """How much of the file is in use."""
    size, pages, free = (
        int(connection.execute(f"PRAGMA {name}").fetchone()[0])
        for name in ("page_size", "page_count", "freelist_count")
    )
    return size * (pages - free)


def check_room(connection: sqlite3.Connection, max_bytes: int | None) -> None:
    """Raise StoreFull when the store is far above its limit."""
    if max_bytes is not None and used_bytes(connection) > max_bytes * _HIGH_WATER:
        raise StoreFull("the store is larger than its limit until old sessions are removed; try again in a moment")


def stats(connection: sqlite3.Connection, path: Path) -> StoreStats:
    """How large the store is."""
    size, pages, free, schema = (
        int(connection.execute(f"PRAGMA {name}").fetchone()[0])
        for name in ("page_size", "page_count", "freelist_count", "user_version")
    )
    sessions, spans, messages, oldest_ns = connection.execute(statement("stats")).fetchone()
    return StoreStats(str(path), size * pages, size * free, sessions, spans, messages, oldest_ns, schema)


def vacuum(connection: sqlite3.Connection) -> None:
    """Write the file anew without what is free in it."""
    connection.execute("INSERT INTO text_index (text_index) VALUES ('optimize')")
    connection.execute("VACUUM")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
