"""Many rows written or found with one statement.

SQLite works without the interpreter's lock while a statement runs. A row at a time it would ask for the lock again
after each of them, and wait while another thread decodes; with many rows in one statement both run side by side.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import chain
from typing import Any, Final

from .statement import statement

_WRITTEN_AT_ONCE: Final = (64, 8)
_FOUND_AT_ONCE: Final = 128
_VALUES: Final = re.compile(r"VALUES\s*(\([?,\s]+\))")


def insert(connection: sqlite3.Connection, name: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Write rows with the statement of this name, which has one place for each value of a row."""
    text = statement(name)
    done = 0
    for count in _WRITTEN_AT_ONCE if _VALUES.search(text) else ():
        while len(rows) - done >= count:
            connection.execute(_of_rows(text, count), [*chain.from_iterable(rows[done : done + count])])
            done += count
    if len(rows) > done:
        connection.executemany(text, rows[done:])


@cache
def _of_rows(text: str, count: int) -> str:
    return _VALUES.sub(lambda found: "VALUES " + ", ".join([found[1]] * count), text)


def find(connection: sqlite3.Connection, name: str, keys: Iterable[Any], *before: Any) -> Iterator[tuple[Any, ...]]:
    """The rows of some keys, found with the statement of this name.

    Args:
        before: values for its places before the keys, which stand at ``/*keys*/``.
    """
    text = _of_many_keys(statement(name))
    left = list(keys)
    while left:
        some, left = left[:_FOUND_AT_ONCE], left[_FOUND_AT_ONCE:]
        some += [None] * (_FOUND_AT_ONCE - len(some))
        yield from connection.execute(text, (*before, *some)).fetchall()


@cache
def _of_many_keys(text: str) -> str:
    return text.replace("/*keys*/", ", ".join("?" * _FOUND_AT_ONCE))
