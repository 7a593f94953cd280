"""`agentops-otel journal`: say what is in the journal, and change nothing."""

from __future__ import annotations

import argparse
import json
import os
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ..config import Configuration
from ..figures import format_count, format_duration
from ..pipeline.claim import DestinationState, state
from ..pipeline.destination import Destination, journal_directory

if TYPE_CHECKING:
    from argparse import _SubParsersAction


def add(commands: _SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Describe the command."""
    parser = commands.add_parser(
        "journal",
        help="show what is in the journal",
        description="Show what is in the journal, for each destination: spans and sessions that have not arrived yet, "
        "how old the oldest is, and what was refused for good.",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def run(options: argparse.Namespace) -> tuple[int, str]:
    """Look.

    Returns:
        The exit code, which is 0, and what to print.

    Raises:
        ConfigurationError: a setting is wrong.
    """
    directory = journal_directory(Configuration(journal_dir=options.journal_dir).journal_dir)
    found = state(directory).destinations
    if options.json:
        rows = [{"destination": _name(directory, row), **asdict(row)} for row in found]
        return 0, json.dumps({"directory": directory, "destinations": rows}, indent=2) + "\n"
    return 0, "".join(_block(directory, row) for row in found) or f"There is no journal in {directory}.\n"


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
