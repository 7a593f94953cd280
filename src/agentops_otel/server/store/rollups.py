"""The row of a session and what it used, as tables: written whole whenever the session is summarized, and read back.

Nothing is ever added to a sum that is stored. A session's row is made anew of its spans, so a span that comes twice,
late or first open and then ended cannot count twice.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import msgspec

from ...rows import ErrorUse, ModelUse, Process, Score, SessionEvent, SessionRow, SpanRow, Strip, ToolUse
from ...usage import Usage
from .columns import of_process, span_of, tokens
from .encoding import column, listed, unlisted
from .events import decode_event
from .many import insert
from .statement import statement

UNSCORED: Final = -1e300
"""The rank of a session without a score: after all that have one."""
# Rows of a table go into rows by position.
_session: Final[Callable[..., SessionRow]] = SessionRow
_model_use: Final[Callable[..., ModelUse]] = ModelUse
_tool_use: Final[Callable[..., ToolUse]] = ToolUse
_error_use: Final[Callable[..., ErrorUse]] = ErrorUse
_UNWRITABLE: Final = (OverflowError, UnicodeEncodeError)
"""What SQLite says of a number of more than 64 bits, and of text with lone surrogates; they are seldom."""
_TABLES: Final = ("model", "tool", "error", "tag", "agent", "host")
_WRITTEN: Final = ("write_session", "write_session_text", *(f"add_session_{table}" for table in _TABLES))


# ----------------------------------------------------------------------------------------------------- sources


def spans_of(connection: sqlite3.Connection, session: int) -> list[SpanRow]:
    """The light spans of a session, by start."""
    processes: dict[tuple[Any, ...], Process] = {}
    return [span_of(row, processes) for row in connection.execute(statement("spans"), (session,))]


def events_of(connection: sqlite3.Connection, session: int) -> list[SessionEvent]:
    """The events of a session, by time."""
    return [decode_event(data) for (data,) in connection.execute(statement("events"), (session,))]


def scores_of(connection: sqlite3.Connection, project: int, session_id: str) -> list[Score]:
    """The scores of a session, by time."""
    return [Score(*row) for row in connection.execute(statement("scores"), (project, session_id))]


def whole_scores_of(connection: sqlite3.Connection, sessions: Sequence[int]) -> dict[int, tuple[Score, ...]]:
    """The scores of some sessions as a whole, by time; sessions without one are left out."""
    found: dict[int, tuple[Score, ...]] = {}
    for session, *columns in connection.execute(statement("scores_of_sessions"), (json.dumps(list(sessions)),)):
        found[session] = (*found.get(session, ()), Score(*columns))
    return found


# ----------------------------------------------------------------------------------------------------- write


def write(connection: sqlite3.Connection, session: int, row: SessionRow, now_ns: int) -> None:
    """Replace the row of a session, and all that hangs on it."""
    clear(connection, session)
    write_new(connection, [(session, row)], now_ns)


def write_new(connection: sqlite3.Connection, rows: Sequence[tuple[int, SessionRow]], now_ns: int) -> None:
    """Write the rows of sessions on which nothing hangs yet, and all that hangs on them."""
    tables = _tables(rows, now_ns)
    try:
        for name, values in tables.items():
            insert(connection, name, values)
    except _UNWRITABLE:
        for session, _ in rows:  # what was written before the one that failed
            clear(connection, session)
        for name, values in tables.items():
            insert(connection, name, list(dict.fromkeys(tuple(map(column, each)) for each in values)))


def _tables(rows: Sequence[tuple[int, SessionRow]], now_ns: int) -> Mapping[str, list[tuple[Any, ...]]]:
    """What is written with each statement."""
    tables: dict[str, list[tuple[Any, ...]]] = {name: [] for name in _WRITTEN}
    session_, text, model, tool, error, tag, agent, host = tables.values()
    for session, row in rows:
        session_.append((*_numbers(row), now_ns, session))
        text.append((session, *_texts(row)))
        model += [(session, *_model(use)) for use in row.models]
        tool += [(session, *_tool(use)) for use in row.tools]
        error += [(session, place, *_error(use)) for place, use in enumerate(row.errors)]
        tag += [(session, value) for value in set(row.tags)]
        agent += [(session, value) for value in set(row.agent_names)]
        host += [(session, value) for value in {process.host for process in row.processes if process.host}]
    return tables


def clear(connection: sqlite3.Connection, session: int) -> None:
    """Remove what hangs on the row of a session."""
    for table in _TABLES:
        connection.execute(statement(f"remove_session_{table}"), (session,))


def _numbers(row: SessionRow) -> tuple[Any, ...]:
    usage = row.usage
    cached = usage.cache_read_tokens / usage.input_tokens if usage.input_tokens else 0.0
    cost = row.known_cost
    score = row.score
    return (
        row.trace_id,
        row.state,
        row.name,
        row.started_ns,
        row.last_ns,
        row.ended,
        row.heartbeat_ns,
        row.duration_ns,
        row.llm_ns,
        row.tool_ns,
        row.own_ns,
        *tokens(usage),
        cached,
        row.cost,
        -1.0 if cost is None else cost,
        row.priced_calls,
        row.unpriced_calls,
        row.llm_calls,
        row.tool_calls,
        row.agents,
        row.actions,
        row.spans,
        row.open_spans,
        row.fatal_errors,
        row.recovered_errors,
        row.open_errors,
        (row.fatal_errors + row.open_errors) * 1_000_000 + row.recovered_errors,
        UNSCORED if score is None else score,
        row.dropped_spans,
        row.replayed,
    )


def _texts(row: SessionRow) -> tuple[Any, ...]:
    strip = row.strip
    return (
        row.asked,
        row.ending,
        row.ending_since_ns,
        row.reason,
        listed((strip.llm, strip.tool, strip.errors)),
        listed(row.agent_names) or "",
        listed(row.tags) or "",
        listed([of_process(process) for process in row.processes]) or "",
        listed(row.sdks) or "",
        row.video,
    )


def _model(use: ModelUse) -> tuple[Any, ...]:
    return (
        use.provider,
        use.model,
        use.hour,
        use.calls,
        use.failed,
        *tokens(use.usage),
        use.cost,
        use.unpriced,
        use.duration_ns,
        joined(use.durations_ns),
        joined(use.first_token_ns),
        max(use.durations_ns, default=0),
    )


def _tool(use: ToolUse) -> tuple[Any, ...]:
    times, longest = joined(use.durations_ns), max(use.durations_ns, default=0)
    return use.tool, use.calls, use.failed, use.recovered, use.duration_ns, times, use.repeated, longest


def _error(use: ErrorUse) -> tuple[Any, ...]:
    return (
        use.span_id,
        use.trace_id,
        use.time_ns,
        use.fingerprint,
        use.type,
        use.message,
        use.kind,
        use.label,
        use.fate,
        use.recovered_by,
        use.repeated,
        use.cost_after,
        use.agent,
        use.next,
        use.next_label,
        use.next_worked,
        use.next_after_ns,
    )


def joined(times: Sequence[int]) -> str | None:
    """Numbers as text that `group_concat` can join further."""
    return ",".join(map(str, times)) or None


_times: Final = msgspec.json.Decoder(tuple[int, ...]).decode  # three times as fast as split() and int()


def parted(text: str | None) -> tuple[int, ...]:
    """The numbers of such a text."""
    return _times(f"[{text}]") if text else ()


# ----------------------------------------------------------------------------------------------------- read


def session_of(columns: Sequence[Any]) -> SessionRow:
    """The row of the columns of ``sessions.sql``, without what hangs on it."""
    asked, ending, since_ns, reason, strip, agents, tags, processes, sdks, video = columns[39:49]
    return _session(
        columns[0],
        columns[1],
        columns[2],
        columns[3],
        columns[4],
        columns[5],
        bool(columns[6]),
        asked,
        ending,
        since_ns,
        reason,
        columns[7],
        *columns[8:11],
        _strip(strip),
        Usage(*columns[11:23]),
        *columns[23:35],
        agent_names=unlisted(agents),
        tags=unlisted(tags),
        processes=tuple(Process(*process) for process in unlisted(processes)),
        sdks=unlisted(sdks),
        video=video,
        dropped_spans=columns[35],
        replayed=bool(columns[36]),
    )


_strips: Final = msgspec.json.Decoder(
    tuple[tuple[tuple[int, int], ...], tuple[tuple[int, int], ...], tuple[tuple[int, str], ...]]
)


def _strip(text: str) -> Strip:
    return Strip(*_strips.decode(text))  # type: ignore[arg-type]  # its own words come back


def with_all(connection: sqlite3.Connection, session: int, project: int, row: SessionRow) -> SessionRow:
    """The same row with its models, tools, errors and scores."""
    return replace(
        row,
        models=tuple(model_of(use) for use in connection.execute(statement("session_models"), (session,))),
        tools=tuple(tool_of(use) for use in connection.execute(statement("session_tools"), (session,))),
        errors=tuple(error_of(use) for use in connection.execute(statement("session_errors"), (session,))),
        scores=tuple(scores_of(connection, project, row.session_id)),
    )


def model_of(columns: Sequence[Any]) -> ModelUse:
    """The use of a model, of its columns from ``provider`` on."""
    return _model_use(
        *columns[:5],
        Usage(*columns[5:17]),
        *columns[17:20],
        parted(columns[20]),
        parted(columns[21]),
    )


def tool_of(columns: Sequence[Any]) -> ToolUse:
    """The use of a tool, of its columns from ``tool`` on."""
    return _tool_use(*columns[:5], parted(columns[5]), columns[6])


def error_of(columns: Sequence[Any]) -> ErrorUse:
    """An error, of its columns from ``span_id`` on."""
    *most, worked, after_ns = columns
    return _error_use(*most, None if worked is None else bool(worked), after_ns)
