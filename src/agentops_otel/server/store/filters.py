"""A `Filter` as a condition in SQL. Only texts that stand here become SQL; whatever was asked for is a parameter."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Sequence
from typing import Any, Final

from . import Filter
from .encoding import LARGEST, clean
from .statement import statement

Condition = tuple[str, list[Any]]
"""Text of SQL about a session ``s``, and its parameters."""

_BEGINNING_OF: Final = 3
_WORD: Final = re.compile(r"[^\W_]")


def condition(connection: sqlite3.Connection, where: Filter) -> Condition:
    """The condition that a session ``s`` fulfils when it is one of the filter's.

    A text is looked for here, once, since several queries use the condition.
    """
    found: list[str] = []
    values: list[Any] = []

    def add(text: str, *parameters: Any) -> None:
        found.append(text)
        values.extend(parameters)

    if where.project is not None:
        # Not by the index of projects: most sessions are of one, and those of time and cost give the order, too.
        add("+s.project = (SELECT id FROM project WHERE name = ?)", clean(where.project))
    if where.since_ns is not None:
        add("s.started_ns >= ?", moment(where.since_ns))
    if where.until_ns is not None:
        add("s.started_ns < ?", moment(where.until_ns))
    if where.states:
        add(f"s.state IN ({_marks(where.states)})", *_texts(where.states))
    for table, name, wanted in (
        ("session_tag", "value", where.tags),
        ("session_agent", "value", where.agents),
        ("session_host", "value", where.hosts),
        ("session_model", "model", where.models),
        ("session_tool", "tool", where.tools),
    ):
        if wanted:
            among = f"SELECT session FROM {table} WHERE {name} IN ({_marks(wanted)})"  # noqa: S608  (names of ours)
            add(f"s.id IN ({among})", *_texts(wanted))
    if where.errors or where.fates:
        add(*_errors(where))
    if where.text.strip():
        add("s.id IN (SELECT value FROM json_each(?))", json.dumps(_with_text(connection, where.text)))
    return " AND ".join(found) or "1", values


def _errors(where: Filter) -> tuple[Any, ...]:
    """Of an error that is asked for by type or fingerprint and by fate, both must hold of the same one."""
    parts, values = [], []
    if where.errors:
        marks = _marks(where.errors)
        parts.append(f"(fingerprint IN ({marks}) OR type IN ({marks}))")
        values += [*_texts(where.errors), *_texts(where.errors)]
    if where.fates:
        parts.append(f"fate IN ({_marks(where.fates)})")
        values += _texts(where.fates)
    among = f"SELECT session FROM session_error WHERE {' AND '.join(parts)}"  # noqa: S608  (parts of ours)
    return f"s.id IN ({among})", *values


def _with_text(connection: sqlite3.Connection, text: str) -> list[int]:
    """The sessions that have a text, or whose id or trace id begins with it."""
    text = clean(text.strip())
    names = {"text": text, "after": after(text)}
    found = {number for (number,) in connection.execute(statement("sessions_of_beginning"), names)}
    query = words(text)
    if query is not None:
        found.update(number for (number,) in connection.execute(statement("sessions_of_words"), (query,)))
    return sorted(found)


def words(text: str) -> str | None:
    """A text as a query of FTS5 in which nothing is an operator, and all words must stand; None without a word.

    A word of three letters or more also finds what begins with it: ``refund`` finds ``refunds``.
    """
    quoted = [word.replace('"', '""').replace("\0", " ") for word in text.split() if _WORD.search(word)]
    return " ".join(f'"{word}"*' if len(word) >= _BEGINNING_OF else f'"{word}"' for word in quoted[:64]) or None


def after(text: str) -> str:
    """The first text, as SQLite sorts, that does not begin with `text`."""
    return text + "\U0010ffff"


def _marks(values: Sequence[Any]) -> str:
    return ", ".join("?" * len(values))


def _texts(values: Sequence[str]) -> list[str]:
    return [clean(value) for value in values]


def moment(time_ns: int) -> int:
    """A time that SQLite takes."""
    return max(-LARGEST, min(LARGEST, time_ns))
