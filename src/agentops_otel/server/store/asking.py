"""Free SQL: whatever one may read, never a change, never for long."""

from __future__ import annotations

import contextlib
import sqlite3
import sys
import time
from typing import Final

from . import Table
from .database import Database

_PRAGMAS: Final = {"data_version"}  # which the full-text index asks for
_HIDDEN: Final = {"api_key"}
_REFUSED: Final = {"load_extension", "randomblob", "zeroblob", "fts3_tokenizer"}
_READING: Final = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_RECURSIVE}
_LARGEST_VALUE: Final = 16 * 1024 * 1024


class QueryRefused(ValueError):
    """A query that is not valid, would change something or takes too long; the text says which."""


def ask(database: Database, query: str, *, seconds: float, limit: int) -> Table:
    """The answer to a query.

    Raises:
        QueryRefused: it is not valid, would change something or takes longer than `seconds`.
    """
    deadline = time.monotonic() + seconds
    with contextlib.closing(database.connect()) as connection:
        connection.execute("PRAGMA query_only = ON")
        if sys.version_info >= (3, 11):
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LARGEST_VALUE)
        connection.execute("SELECT 1 FROM text_index LIMIT 0")  # its tables are opened before they are guarded
        connection.set_authorizer(_may)
        connection.set_progress_handler(lambda: time.monotonic() > deadline, 1_000)
        try:
            cursor = connection.execute(query)
            columns = tuple(str(each[0]) for each in cursor.description or ())
            rows = cursor.fetchmany(limit + 1)
        except (sqlite3.Error, sqlite3.Warning, UnicodeError, ValueError, OverflowError) as error:
            raise QueryRefused(_reason(error, seconds)) from error
    return Table(columns, rows[:limit], len(rows) > limit)


def _may(action: int, first: str | None, second: str | None, *_: object) -> int:
    """Whether a statement may do what it wants to."""
    allowed = (
        action in _READING
        or (action == sqlite3.SQLITE_READ and first not in _HIDDEN)
        or (action == sqlite3.SQLITE_FUNCTION and second not in _REFUSED)
        or (action == sqlite3.SQLITE_PRAGMA and first in _PRAGMAS)
    )
    return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY


def _reason(error: Exception, seconds: float) -> str:
    if str(error) == "interrupted":
        return f"the query takes longer than {seconds:g} s"
    if "not authorized" in str(error) or "prohibited" in str(error):
        return f"only reading is allowed: {error}"
    return str(error)
