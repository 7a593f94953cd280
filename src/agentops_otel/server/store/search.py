"""Full-text search over messages, arguments, results and errors, and where a message was seen before."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from typing import Final

from . import Filter, Hit
from .filters import condition, words
from .statement import statement

_OPEN: Final = "\ue000"  # of the private use area, so they stand in no text that means anything
_CLOSE: Final = "\ue001"
_BEFORE: Final = 60
_AFTER: Final = 240
_MOST: Final = 1_000


def search(connection: sqlite3.Connection, text: str, where: Filter, *, limit: int) -> list[Hit]:
    """Places where all words stand, the newest first; of very frequent words among the 5,000 newest texts."""
    query = words(text)
    if query is None:
        return []
    condition_text, values = condition(connection, where)
    statement_text = statement("search").replace("/*where*/", condition_text)
    found = connection.execute(statement_text, [query, *values, max(1, min(limit, _MOST))]).fetchall()
    snippets = _snippets(connection, query, sorted({row[0] for row in found}))
    return [
        Hit(session_id, span_id, trace_id, kind or "step", label or "", place, snippets.get(content, ()), start_ns)
        for content, session_id, span_id, trace_id, place, start_ns, kind, label in found
    ]


def _snippets(
    connection: sqlite3.Connection, query: str, contents: list[int]
) -> dict[int, tuple[tuple[str, bool], ...]]:
    if not contents:
        return {}
    names = {
        "open": _OPEN,
        "close": _CLOSE,
        "query": query,
        "contents": json.dumps(contents),
        "first": contents[0],
        "last": contents[-1],
    }
    return {content: snippet(marked) for content, marked in connection.execute(statement("highlight"), names)}


def snippet(marked: str) -> tuple[tuple[str, bool], ...]:
    """Pieces of a text around its first mark, and whether each is marked."""
    first = max(0, marked.find(_OPEN))
    start = max(0, first - _BEFORE)
    if start:
        space = marked.find(" ", start, first)
        start = start if space < 0 else space + 1
    piece = marked[start : first + _AFTER]
    found: list[tuple[str, bool]] = [("…", False)] if start else []
    for number, part in enumerate(piece.split(_OPEN)):
        inside, closed, outside = part.partition(_CLOSE)
        if not number:
            found.append((part.replace(_CLOSE, ""), False))
            continue
        found.append((inside, True))
        if closed:
            found.append((outside, False))
    if first + _AFTER < len(marked):
        found.append(("…", False))
    return tuple((text, is_marked) for text, is_marked in found if text)


def seen_before(connection: sqlite3.Connection, digests: Iterable[str], session: int, project: int) -> dict[str, int]:
    """In how many sessions of the project that started before this one each message stands."""
    place = connection.execute(statement("session_place"), (session,)).fetchone()
    found = {}
    for digest in dict.fromkeys(digests):
        try:
            key = bytes.fromhex(digest)
        except ValueError:
            continue
        found[digest] = int(connection.execute(statement("seen_before"), (key, project, *place)).fetchone()[0])
    return found
