"""Removing old sessions, a few in each transaction, so that a server goes on receiving while gigabytes go."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final, Protocol, TypeVar

from . import OverLimit, StoreStats
from .contents import drop
from .ingest import remove
from .statement import statement

Result = TypeVar("Result")
_MOST_SPANS: Final = 1_000
"""So many spans go in one transaction, unless one session has more."""
_MOST_SESSIONS: Final = 50
_PAGES: Final = 500
"""So many pages of the index are merged, or given back to the file system, in one transaction."""
_LOW_WATER: Final = 0.9
"""How far a store that is too large is made smaller: what is removed leaves the text index only when that is merged,
which takes longer the larger it is."""
_HIGH_WATER: Final = 1.05
"""How far above its limit a store may grow before it refuses; `retain` brings it below again."""
_HIGHEST: Final = 1.15
"""The same with the free room inside the file, which merging the text index needs for a while."""
_SPAN_BYTES: Final = 800
_WITH_INDEX: Final = 2
"""What a text takes in content and index, as a multiple of its compressed size; about."""


class Run(Protocol):
    """Runs a function with the connection that writes, in a transaction."""

    def __call__(self, work: Callable[[sqlite3.Connection], Result], /) -> Result:
        """What the function returns."""
        ...


def retain(run: Run, now_ns: int, *, max_age_ns: int | None, max_bytes: int | None, changed: Callable[[], None]) -> int:
    """Remove sessions that are beyond the limits, those first whose last sign is oldest; how many.

    A few that are too old; when there are none and the store is too large, as many as bring it below its limit.

    Args:
        changed: called when something was removed that is remembered elsewhere.
    """
    if max_age_ns is not None:
        removed, _ = run(partial(_remove_some, changed=changed, before_ns=now_ns - max_age_ns))
        if removed:
            return removed
    removed = 0
    while max_bytes is not None:
        excess = run(lambda connection: used_bytes(connection) - max_bytes)
        if excess <= 0:
            break
        sessions = _remove_bytes(run, excess + int(max_bytes * (1 - _LOW_WATER)), changed)
        removed += sessions
        while run(_merge_index):
            pass
        if not sessions:
            break
    while run(_give_back):
        pass
    return removed


def _remove_bytes(run: Run, excess: int, changed: Callable[[], None]) -> int:
    removed = 0
    while excess > 0:
        sessions, freed = run(partial(_remove_some, changed=changed, most_bytes=excess))
        if not sessions:
            break
        removed += sessions
        excess -= freed
    return removed


def _remove_some(
    connection: sqlite3.Connection,
    *,
    changed: Callable[[], None],
    before_ns: int | None = None,
    most_bytes: int | None = None,
) -> tuple[int, int]:
    """Remove a few of the oldest sessions, until one is younger or enough bytes are free; how many, and bytes."""
    sessions = spans = freed = 0
    while sessions < _MOST_SESSIONS and spans < _MOST_SPANS and (most_bytes is None or freed < most_bytes):
        found = connection.execute(statement("oldest_session")).fetchone()
        if found is None or (before_ns is not None and found[1] >= before_ns):
            break
        freed += forget(connection, found[0]) + found[2] * _SPAN_BYTES
        sessions += 1
        spans += found[2]
    if sessions:
        changed()
    return sessions, freed


def _merge_index(connection: sqlite3.Connection) -> bool:
    """Merge a part of the text index, in which what was removed takes room until then; whether there is more.

    See https://www.sqlite.org/fts5.html#the_merge_command.
    """
    before = connection.total_changes
    connection.execute(statement("merge_index"), (-_PAGES,))
    return connection.total_changes - before >= 2


def _give_back(connection: sqlite3.Connection) -> bool:
    """Give a part of the free room back to the file system; whether there is more."""
    connection.execute(f"PRAGMA incremental_vacuum({_PAGES})").fetchall()
    return bool(connection.execute("PRAGMA freelist_count").fetchone()[0])


def forget(connection: sqlite3.Connection, session: int) -> int:
    """Remove a session and all that is known of it; about how many bytes its texts took."""

    def column(name: str) -> list[int]:
        return [number for (number,) in connection.execute(statement(name), (session,))]

    contents, sources = column("contents_of_session"), column("sources_of_session")
    size = sum(column("size_of_texts"))
    traces = connection.execute(statement("traces_of_session"), (session,)).fetchall()
    for name in ("remove_bodies", "remove_spans", "remove_events", "remove_scores", "unlink_contents"):
        connection.execute(statement(name), (session,))
    connection.executemany(statement("remove_trace"), traces)
    connection.executemany(statement("remove_source"), [(source,) for source in sources])
    size += _WITH_INDEX * drop(connection, contents)
    remove(connection, session)
    return size


def used_bytes(connection: sqlite3.Connection) -> int:
    """How much of the file is in use."""
    size, pages, free = _pages(connection)
    return size * (pages - free)


def check_room(connection: sqlite3.Connection, max_bytes: int | None) -> None:
    """Raise OverLimit when the store is above its limit, or its file far above."""
    if max_bytes is None:
        return
    size, pages, free = _pages(connection)
    if size * (pages - free) > max_bytes * _HIGH_WATER or size * pages > max_bytes * _HIGHEST:
        raise OverLimit("the store is larger than its limit until old sessions are removed; try again in a moment")


def _pages(connection: sqlite3.Connection) -> tuple[int, int, int]:
    """The size of a page, how many there are, and how many of them are free."""
    names = ("page_size", "page_count", "freelist_count")
    size, pages, free = (int(connection.execute(f"PRAGMA {name}").fetchone()[0]) for name in names)
    return size, pages, free


def stats(connection: sqlite3.Connection, path: Path) -> StoreStats:
    """How large the store is."""
    size, pages, free = _pages(connection)
    schema = int(connection.execute("PRAGMA user_version").fetchone()[0])
    sessions, spans, messages, oldest_ns = connection.execute(statement("stats")).fetchone()
    return StoreStats(str(path), size * pages, size * free, sessions, spans, messages, oldest_ns, schema)


def vacuum(connection: sqlite3.Connection) -> None:
    """Write the file anew without what is free in it."""
    connection.execute("INSERT INTO text_index (text_index) VALUES ('optimize')")
    connection.execute("VACUUM")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
