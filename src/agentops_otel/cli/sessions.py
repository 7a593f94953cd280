"""`agentops-otel sessions`: the list of sessions."""

from __future__ import annotations

from typing import Any, Final

import click

from .figures import ago, money, nanoseconds, state, state_style, tokens, words
from .output import Column, emit_json, emit_table, on_terminal, tell
from .source import Source, reads, since_option

_COLUMNS: Final = (
    Column("state", "STATE", state, style=state_style),
    Column("session_id", "ID", lambda text: text[:8]),
    Column("started_ns", "WHEN", ago, right=True),
    Column("title", "NAME · FIRST PROMPT", grows=True),
    Column("duration_ns", "TIME", nanoseconds, right=True),
    Column("llm_calls", "LLM", right=True),
    Column("tool_calls", "TOOL", right=True),
    Column("input_tokens", "IN", tokens, right=True),
    Column("output_tokens", "OUT", tokens, right=True),
    money(),
    Column("failures", "ERR", right=True, style=lambda text: "red" if text and "↺" not in text else "yellow"),
    Column("tags", "TAGS", words),
)
_FIELDS: Final = (
    *("session_id", "trace_id", "name", "state", "reason", "start", "duration", "llm_calls", "tool_calls"),
    *("input_tokens", "output_tokens", "cache_read_tokens", "cost", "errors", "recovered_errors", "tags"),
)


@click.command(short_help="List sessions.")
@click.option("-q", "text", metavar="TEXT", help="Words of prompts, answers, tool arguments or errors.")
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice(["running", "success", "fail", "indeterminate"], case_sensitive=False),
    help="Only sessions in this state.",
)
@click.option("--tag", "tags", multiple=True, metavar="TAG", help="Only sessions with this tag.")
@click.option("--model", "models", multiple=True, metavar="MODEL", help="Only sessions that called it.")
@since_option
@click.option(
    "--sort",
    type=click.Choice(["started", "duration", "llm", "tools", "in", "cached", "out", "cost", "errors", "score"]),
    default="started",
    show_default=True,
    help="Largest or newest first.",
)
@click.option("--limit", type=click.IntRange(1, 500), default=50, metavar="N", help="At most so many (default: 50).")
@reads
def command(
    text: str | None,
    states: tuple[str, ...],
    tags: tuple[str, ...],
    models: tuple[str, ...],
    since: str | None,
    sort: str,
    limit: int,
    source: Source,
    *,
    as_json: bool,
) -> None:
    """List sessions: a table on a terminal, tab-separated values elsewhere.

    A filter that is given several times means either. Errors from which a session has recovered are marked with ↺.
    """
    asked = {"q": text, "state": states, "tag": tags, "model": models, "since": since}
    page = source.page("/", {**asked, "sort": sort, "limit": str(limit)})
    found: list[dict[str, Any]] = page["sessions"]
    if as_json:
        emit_json([{name: row[name] for name in _FIELDS} for row in found])
        return
    if not on_terminal():
        emit_table([Column(name) for name in _FIELDS], found)
        return
    for row in found:
        row["title"] = f"{row['name']} · {row['asked']}" if row["asked"] else row["name"]
        row["failures"] = _failures(row)
        row["cost"] = row["cost"] if row["llm_calls"] else None
    emit_table(_COLUMNS, found)
    if page["total"] > len(found):
        tell(f"{len(found)} of {page['total']:,} sessions; --limit shows more")


def _failures(row: dict[str, Any]) -> str:
    lasting = row["errors"] - row["recovered_errors"]
    recovered = f"{row['recovered_errors']}↺" if row["recovered_errors"] else ""
    return " ".join(part for part in (str(lasting) if lasting else "", recovered) if part)
