"""`agentops-otel tools`: how the tools did."""

from __future__ import annotations

from typing import Any, Final

import click

from .figures import nanoseconds
from .output import Column, emit_json, emit_table
from .source import Source, reads, since_option

_COLUMNS: Final = (
    Column("name", "TOOL", grows=True),
    Column("sessions", "SESSIONS", right=True),
    Column("calls", "CALLS", right=True),
    Column("failed", "FAILED", right=True, style=lambda number: "red" if number else ""),
    Column("recovered", "RECOVERED", right=True),
    Column("repeated", "REPEATED", right=True),
    Column("time_ns", "TIME", nanoseconds, right=True),
    Column("median_ns", "MEDIAN", nanoseconds, right=True),
    Column("p95_ns", "P95", nanoseconds, right=True),
)


@click.command(short_help="Show how the tools did.")
@since_option
@reads
def command(since: str | None, source: Source, *, as_json: bool) -> None:
    """Show each tool's calls, failures and durations. REPEATED are calls with the arguments of one before."""
    rows = [_row(each) for each in source.page("/tools", {"since": since})["rows"]]
    emit_json(rows) if as_json else emit_table(_COLUMNS, rows)


def _row(row: dict[str, Any]) -> dict[str, Any]:
    names = ("name", "sessions", "calls", "failed", "recovered", "repeated", "time_ns")
    spread = row["spread"]
    return {**{name: row[name] for name in names}, "median_ns": spread["p50_ns"], "p95_ns": spread["p95_ns"]}
