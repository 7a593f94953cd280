"""`agentops-otel costs`: what the models cost."""

from __future__ import annotations

from typing import Any, Final

import click

from ..figures import format_cost
from .figures import nanoseconds, tokens
from .output import Column, emit_json, emit_table
from .source import Source, reads, since_option

_COLUMNS: Final = (
    Column("name", "NAME", grows=True),
    Column("sessions", "SESSIONS", right=True),
    Column("calls", "CALLS", right=True),
    Column("failed", "FAILED", right=True),
    Column("unpriced", "NO PRICE", right=True, style=lambda number: "yellow" if number else ""),
    Column("input_tokens", "IN", tokens, right=True),
    Column("cache_read_tokens", "CACHED", tokens, right=True),
    Column("output_tokens", "OUT", tokens, right=True),
    Column("median_ns", "MEDIAN", nanoseconds, right=True),
    Column("cost", "COST", format_cost, right=True),
)


@click.command(short_help="Show what the models cost.")
@click.option(
    "--by",
    type=click.Choice(["model", "day", "tag", "tool", "agent", "name"]),
    default="model",
    show_default=True,
    help="What a row is.",
)
@since_option
@reads
def command(by: str, since: str | None, source: Source, *, as_json: bool) -> None:
    """Show tokens and costs, of leaf LLM calls alone, so that nothing is counted twice.

    By tag, tool or agent a session may count in several rows; the last row is the sum of all, each once.
    """
    page = source.page("/costs", {"by": by, "since": since})
    rows = [_row(each) for each in page["rows"]]
    total = {**_row(page["total"]), "name": "total"}
    if as_json:
        emit_json({"rows": rows, "total": total})
        return
    emit_table(_COLUMNS, [*rows, total])


def _row(row: dict[str, Any]) -> dict[str, Any]:
    usage = row["usage"]
    names = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens")
    priced = not row["unpriced"] or row["unpriced"] != row["calls"]
    return {
        **{name: row[name] for name in ("name", "provider", "sessions", "calls", "failed", "unpriced")},
        **{name: usage.get(name) or 0 for name in names},
        "median_ns": row["duration"]["p50_ns"],
        "p95_ns": row["duration"]["p95_ns"],
        "cost": row["cost"] if priced else None,
    }
