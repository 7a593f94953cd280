"""`agentops-otel journal`: say what is in the journal, and change nothing."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict
from typing import Any, Final

import click

from ..config import Configuration
from ..figures import format_count, format_duration
from ..pipeline.destination import Destination, journal_directory
from ..pipeline.overview import DestinationState, state
from .output import emit

in_folder: Final = click.option(
    "--journal-dir",
    type=click.Path(file_okay=False),
    metavar="FOLDER",
    help="The journal's folder (default: AGENTOPS_JOURNAL_DIR).",
)


@click.command(short_help="Show what is in the journal.")
@in_folder
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(journal_dir: str | None, *, as_json: bool) -> None:
    """Show what is in the journal, for each destination.

    That is spans and sessions that have not arrived yet, how old the oldest is, and what was refused for good. Nothing
    is changed.
    """
    directory = journal_directory(Configuration(journal_dir=journal_dir).journal_dir)
    found = state(directory).destinations
    if as_json:
        rows = [{"destination": _name(directory, row), **asdict(row)} for row in found]
        emit(json.dumps({"directory": directory, "destinations": rows}, indent=2) + "\n")
        return
    emit("".join(_block(directory, row) for row in found) or f"There is no journal in {directory}.\n")


def _name(directory: str, row: DestinationState) -> str:
    meant = Destination.read(os.path.join(directory, row.name))
    return meant.endpoint if meant else "unknown"


def _block(directory: str, row: DestinationState) -> str:
    folder = os.path.join(directory, row.name)
    spans = max(row.spans, row.left)  # a root that will be made anew is left, and is no span yet
    lines: dict[str, Any] = {
        "not arrived yet": f"{format_count(spans, 'span')} and {format_count(row.events, 'log event')} "
        f"of {format_count(row.sessions, 'session')}",
        "oldest": "" if row.oldest is None else f"{format_duration(max(0.0, time.time() - row.oldest))} ago",
        "processes": f"{row.alive:,} running, {row.dead:,} gone",
        "on disk": f"{row.bytes:,} bytes in {format_count(row.segments, 'segment')}",
        "refused for good": f"{format_count(row.rejected, 'span')}, {row.rejected_bytes:,} bytes in {folder}/rejected"
        if row.rejected
        else "",
        "cut short": f"{format_count(row.torn, 'record')} that a process was writing when it died; nothing is lost"
        if row.torn
        else "",
        "damaged": format_count(row.unreadable, "place") if row.unreadable else "",
    }
    shown = "".join(f"  {name:<17} {text}\n" for name, text in lines.items() if text)
    return f"{_name(directory, row)}\n{shown}"
