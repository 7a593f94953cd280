"""Numbers of many sessions: the six figures, the facets, and what was used of models and tools."""

from __future__ import annotations

import json
import math
import sqlite3
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, Final, Literal

from ...rows import ModelUse
from ...usage import Usage
from . import Facet, Facets, Figures, Filter, UseOfModel, UseOfTool
from .filters import condition
from .rollups import model_of, parted, tool_of
from .statement import statement

By = Literal["model", "tag", "agent", "name", "tool"]
_MOST_TIMES: Final = 1_000
_usage: Final[Callable[..., Usage]] = Usage
_figures: Final[Callable[..., Figures]] = Figures
_BY: Final[dict[By, tuple[str, str]]] = {
    "model": ("", "''"),
    "tag": ("JOIN session_tag g ON g.session = s.id", "g.value"),
    "agent": ("JOIN session_agent g ON g.session = s.id", "g.value"),
    "name": ("", "s.name"),
    "tool": ("JOIN session_tool g ON g.session = s.id", "g.tool"),
}


def figures(connection: sqlite3.Connection, where: Filter, *, percentiles: bool = True) -> Figures:
    """The six numbers of the sessions of a filter."""
    return _figures_of(connection, *condition(connection, where), percentiles=percentiles)


def _figures_of(connection: sqlite3.Connection, text: str, values: Sequence[Any], *, percentiles: bool) -> Figures:
    row = connection.execute(statement("figures").replace("/*where*/", text), values).fetchone()
    sessions, running, *_ = row
    ended = sessions - running if percentiles else 0
    return _figures(
        *row[:9],
        usage=_usage(*row[14:26]),
        median_ns=_percentile(connection, text, values, ended, 50),
        p95_ns=_percentile(connection, text, values, ended, 95),
        fatal_errors=row[9],
        recovered_errors=row[10],
        open_errors=row[11],
        error_sessions=row[12],
        duration_ns=row[13],
    )


def _percentile(
    connection: sqlite3.Connection, text: str, values: Sequence[Any], count: int, percent: int
) -> int | None:
    """By nearest rank, of the sessions that have ended."""
    if not count:
        return None
    place = max(0, math.ceil(percent * count / 100) - 1)
    found = connection.execute(statement("nth_duration").replace("/*where*/", text), [*values, place]).fetchone()
    return None if found is None else int(found[0])


def figures_over_time(
    connection: sqlite3.Connection, where: Filter, edges_ns: Sequence[int], *, percentiles: bool
) -> list[Figures]:
    """The figures of the sessions that started between each two edges."""
    if replace(where, since_ns=None, until_ns=None, project=None) != Filter():
        return _figures_of_parts(connection, where, edges_ns, percentiles=percentiles)
    found = []
    for start, end in pairwise(edges_ns):
        since = start if where.since_ns is None else max(start, where.since_ns)
        until = end if where.until_ns is None else min(end, where.until_ns)
        found.append(figures(connection, replace(where, since_ns=since, until_ns=until), percentiles=percentiles))
    return found


def _figures_of_parts(
    connection: sqlite3.Connection, where: Filter, edges_ns: Sequence[int], *, percentiles: bool
) -> list[Figures]:
    """The same, with one search for the sessions of a filter that no index of times answers."""
    text, values = condition(connection, where)
    parts: list[list[int]] = [[] for _ in edges_ns[1:]]
    for session, started_ns in connection.execute(statement("started").replace("/*where*/", text), values):
        place = bisect_right(edges_ns, started_ns) - 1
        if 0 <= place < len(parts):
            parts[place].append(session)
    text = "s.id IN (SELECT value FROM json_each(?))"
    return [_figures_of(connection, text, [json.dumps(ids)], percentiles=percentiles) for ids in parts]


def facets(connection: sqlite3.Connection, where: Filter) -> Facets:
    """The values of each field among the sessions of a filter."""
    text, values = condition(connection, where)
    found: dict[str, list[Facet]] = defaultdict(list)
    among = "1" if text == "1" else "session IN (SELECT id FROM chosen)"
    query = statement("facets").replace("/*where*/", text).replace("/*among*/", among)
    for name, value, sessions in connection.execute(query, values):
        found[name].append(Facet(value, sessions))
    names = ("state", "tag", "model", "agent", "tool", "error", "host")
    return Facets(*(tuple(found[name]) for name in names))


def costs(connection: sqlite3.Connection, where: Filter, *, by: By, hours: int) -> list[UseOfModel]:
    """Use by model and another thing. The times of single calls are there when it is by model, in one bucket."""
    text, values = condition(connection, where)
    join, column = _BY[by]
    if by != "model" or text != "1":  # of all sessions, nothing has to be looked up in them
        join = f"JOIN session s ON s.id = m.session {join}"
    with_times = by == "model" and not hours
    times = "group_concat(m.durations_ns), group_concat(m.first_token_ns)" if with_times else "NULL, NULL"
    query = statement("costs").replace("/*where*/", text).replace("/*join*/", join)
    query = query.replace("/*by*/", column).replace("/*times*/", times)
    # One bucket for all is one of more hours than there will be.
    width = max(1, hours) if hours > 0 else 2**53
    found = []
    for row in connection.execute(query, [width, width, *values]):
        use: ModelUse = model_of(row[:22])
        use = replace(use, durations_ns=sample(use.durations_ns), first_token_ns=sample(use.first_token_ns))
        found.append(UseOfModel(use, row[22], row[23]))
    return found


def tools(connection: sqlite3.Connection, where: Filter) -> list[UseOfTool]:
    """Use by tool, most calls first."""
    text, values = condition(connection, where)
    rows = connection.execute(statement("tools").replace("/*where*/", text), values)
    return [UseOfTool(replace(tool_of(row[:7]), durations_ns=sample(parted(row[5]))), row[7]) for row in rows]


def sample(values: Sequence[int]) -> tuple[int, ...]:
    """At most 1,000 of the values, sorted, with about the same percentiles."""
    ordered = sorted(values)
    count = len(ordered)
    if count <= _MOST_TIMES:
        return tuple(ordered)
    return tuple(ordered[at * count // _MOST_TIMES] for at in range(_MOST_TIMES))
