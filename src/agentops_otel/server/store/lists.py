"""Pages of the list of sessions: sorted by any column, and continued after the last row of the page before."""

from __future__ import annotations

import base64
import json
import sqlite3
from dataclasses import replace
from typing import Any, Final

from ...rows import Process
from . import Filter, Seen, SessionList, Sort
from .encoding import LARGEST, unlisted
from .filters import condition
from .rollups import session_of, whole_scores_of
from .statement import statement

SORTS: Final[dict[Sort, str]] = {
    "started": "started_ns",
    "duration": "duration_ns",
    "llm": "llm_calls",
    "tools": "tool_calls",
    "in": "input_tokens",
    "cached": "cached_share",
    "out": "output_tokens",
    "cost": "cost_rank",
    "errors": "error_rank",
    "score": "score_rank",
}
_LARGEST_PAGE: Final = 1_000


def sessions(
    connection: sqlite3.Connection, where: Filter, *, sort: Sort, descending: bool, limit: int, cursor: str | None
) -> SessionList:
    """One page; the first one when the cursor is of another order or is not valid."""
    text, values = condition(connection, where)
    total = connection.execute(statement("count_sessions").replace("/*where*/", text), values).fetchone()[0]
    column = SORTS[sort]
    limit = max(1, min(limit, _LARGEST_PAGE))
    at = _parse(cursor, sort, descending=descending)
    back = at is not None and at[0]
    down = descending != back
    if at is not None:
        text = f"{text} AND (s.{column}, s.id) {'<' if down else '>'} (?, ?)"
        values = [*values, *at[1:]]
    query = statement("sessions").replace("/*where*/", text).replace("/*key*/", f"s.{column}")
    query = query.replace("/*way*/", "DESC" if down else "ASC")
    found = connection.execute(query, [*values, limit + 1]).fetchall()
    more = len(found) > limit
    found = found[:limit]
    if back:
        found.reverse()
    scores = whole_scores_of(connection, [row[37] for row in found])
    rows = [replace(session_of(row), scores=scores.get(row[37], ())) for row in found]
    if not found:
        return SessionList((), total, None)
    following = more or back
    preceding = more if back else at is not None
    return SessionList(
        rows,
        total,
        _cursor(sort, found[-1], descending=descending, back=False) if following else None,
        _cursor(sort, found[0], descending=descending, back=True) if preceding else None,
    )


def _cursor(sort: Sort, row: tuple[Any, ...], *, descending: bool, back: bool) -> str:
    plain = json.dumps([sort, descending, back, row[49], row[37]], separators=(",", ":"))
    return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")


def _parse(cursor: str | None, sort: Sort, *, descending: bool) -> tuple[bool, float, int] | None:
    """Whether it leads back, and the key of the row it stands at."""
    if not cursor:
        return None
    try:
        found = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        its_sort, its_way, back, key, number = found
    except (ValueError, TypeError):
        return None
    if its_sort != sort or its_way is not descending or not isinstance(back, bool):
        return None
    if not isinstance(key, (int, float)) or not isinstance(number, int):
        return None
    if any(isinstance(each, int) and abs(each) > LARGEST for each in (key, number)):
        return None
    return back, key, number


def neighbours(connection: sqlite3.Connection, session: int, where: Filter) -> tuple[str | None, str | None]:
    """The sessions of a filter that started next after one and next before it."""
    place = connection.execute(statement("session_place"), (session,)).fetchone()
    text, values = condition(connection, where)
    newer, older = (
        connection.execute(statement(name).replace("/*where*/", text), [*place, *values]).fetchone()
        for name in ("newer_session", "older_session")
    )
    return newer and newer[0], older and older[0]


def processes(connection: sqlite3.Connection, where: Filter, *, limit: int) -> list[Seen]:
    """The processes of the sessions of a filter, the last seen first."""
    text, values = condition(connection, where)
    query = statement("processes").replace("/*where*/", text)
    return [
        Seen(Process(*json.loads(process)), sessions, last_ns, unlisted(sdks))
        for process, sessions, last_ns, sdks in connection.execute(query, [*values, limit])
    ]
