"""Counting anew what is kept in sums, and mending what differs: a defect of ours, or of a disk."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from typing import Any, Final

from .contents import relink
from .statement import statement

_TABLES: Final = ("text", "model", "tool", "error", "tag", "agent", "host", "content")


def mend(
    connection: sqlite3.Connection,
    sessions: Iterable[int],
    summarize: Callable[[sqlite3.Connection, int, int], object],
) -> list[str]:
    """Make the rows of sessions of their spans again; the ids of those that were not what they should have been."""
    mended = []
    for session in sessions:
        before = _everything(connection, session)
        relink(connection, {session})
        summarize(connection, session, 0)
        if _everything(connection, session) != before:
            found = connection.execute(statement("session_key"), (session,)).fetchone()
            mended.append(str(found[0] if found else before[0][0][2]))
    return mended


def adopt(connection: sqlite3.Connection) -> None:
    """Give a row to each session that has spans and no row, and remove what belongs to nothing."""
    connection.execute(statement("adopt_spans"))
    for name in ("text", "model", "tool", "error", "tag", "agent", "host", "content"):
        connection.execute(f"DELETE FROM session_{name} WHERE session NOT IN (SELECT id FROM session)")  # noqa: S608
    connection.execute(statement("remove_lost_bodies"))
    connection.execute(statement("remove_lost_events"))


def _everything(connection: sqlite3.Connection, session: int) -> list[list[tuple[Any, ...]]]:
    found = [connection.execute("SELECT * FROM session WHERE id = ?", (session,)).fetchall()]
    for name in _TABLES:
        query = f"SELECT * FROM session_{name} WHERE session = ? ORDER BY 1, 2"  # noqa: S608  (names of ours)
        found.append(connection.execute(query, (session,)).fetchall())
    return found


def damage(connection: sqlite3.Connection) -> list[str]:
    """What SQLite says of the file; nothing when it is sound."""
    return [text for (text,) in connection.execute("PRAGMA integrity_check(20)") if text != "ok"]


def mend_index(connection: sqlite3.Connection) -> bool:
    """Compare the full-text index with the contents, and build it anew when it differs; whether it did."""
    try:
        connection.execute("INSERT INTO text_index (text_index, rank) VALUES ('integrity-check', 1)")
    except sqlite3.DatabaseError:
        connection.execute("INSERT INTO text_index (text_index) VALUES ('rebuild')")
        return True
    return False
