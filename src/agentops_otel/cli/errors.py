"""`agentops-otel errors`: what went wrong, by cause."""

from __future__ import annotations

from typing import Final

import click

from ..figures import format_cost
from .figures import ago
from .output import Column, emit_json, emit_table
from .source import Source, reads, since_option

_COLUMNS: Final = (
    Column("fatal", "FATAL", right=True, style=lambda number: "red" if number else ""),
    Column("recovered", "RECOVERED", right=True, style=lambda number: "yellow" if number else ""),
    Column("open", "OPEN", right=True),
    Column("sessions", "SESSIONS", right=True),
    Column("last_ns", "LAST", ago, right=True),
    Column("label", "WHERE"),
    Column("type", "TYPE"),
    Column("message", "MESSAGE", grows=True),
    Column("cost_of_failed", "LOST", format_cost, right=True),
)
_FIELDS: Final = (
    *("fingerprint", "type", "message", "kind", "label", "count", "fatal", "recovered", "open", "sessions"),
    *("failed_sessions", "first_ns", "last_ns", "cost_of_failed", "last_session_id", "last_span_id"),
)


@click.command(short_help="Show errors by cause.")
@since_option
@reads
def command(since: str | None, source: Source, *, as_json: bool) -> None:
    """Show the errors of all sessions, one row for those with the same type, place and message.

    An error is recovered when a later call of the same tool or model worked, or what it happened in ended well; fatal
    when not; open while its session runs. LOST is what the sessions cost that failed with it.
    """
    page = source.page("/errors", {"since": since})
    groups = [{name: cause["group"][name] for name in _FIELDS} for cause in page["causes"]]
    emit_json(groups) if as_json else emit_table(_COLUMNS, groups)
