"""Groups of errors: what they have in common, and what was done next."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from typing import Any, Final

from . import ErrorGroup, Filter, Moved
from .filters import condition
from .statement import statement

_MOST_AGENTS: Final = 20
_MOST_MOVES: Final = 20


def errors(connection: sqlite3.Connection, where: Filter) -> list[ErrorGroup]:
    """The groups of the errors of a filter's sessions, the last seen first."""
    text, values = condition(connection, where)

    def rows(name: str) -> list[tuple[Any, ...]]:
        return connection.execute(statement(name).replace("/*where*/", text), values).fetchall()

    failed = {fingerprint: numbers for fingerprint, *numbers in rows("errors_failed")}
    times: dict[str, list[tuple[int, Any]]] = defaultdict(list)
    for fingerprint, time_ns, fate in rows("errors_times"):
        times[fingerprint].append((time_ns, fate))
    agents: dict[str, list[str]] = defaultdict(list)
    for fingerprint, agent in rows("errors_agents"):
        agents[fingerprint].append(agent)
    moves: dict[str, list[Moved]] = defaultdict(list)
    for fingerprint, move, label, count, worked, after_ns in rows("errors_moves"):
        moves[fingerprint].append(Moved(move, label, count, worked, round(after_ns)))
    first_ns = dict(rows("errors_first"))
    return [
        _group(row, first_ns[row[0]], failed.get(row[0], (0, 0.0, 0)), times[row[0]], agents[row[0]], moves[row[0]])
        for row in rows("errors")
    ]


def _group(
    row: tuple[Any, ...],
    first_ns: int,
    failed: Any,
    times: list[tuple[int, Any]],
    agents: list[str],
    moves: list[Moved],
) -> ErrorGroup:
    fingerprint, kind_of, message, kind, label, last_ns, span_id, session_id, *counts = row
    count, fatal, recovered, still_open, sessions = counts
    failed_sessions, cost, time_ns = failed
    return ErrorGroup(
        fingerprint=fingerprint,
        type=kind_of,
        message=message,
        kind=kind,
        label=label,
        count=count,
        fatal=fatal,
        recovered=recovered,
        open=still_open,
        sessions=sessions,
        failed_sessions=failed_sessions,
        first_ns=first_ns,
        last_ns=last_ns,
        cost_of_failed=cost,
        last_session_id=session_id,
        last_span_id=span_id,
        times_ns=tuple(time for time, _ in times),
        fates=tuple(fate for _, fate in times),
        time_of_failed_ns=time_ns,
        agents=tuple(agents[:_MOST_AGENTS]),
        moves=tuple(moves[:_MOST_MOVES]),
    )
