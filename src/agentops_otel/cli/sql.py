"""`agentops-otel sql`: a question of one's own to the store."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import click

from .output import Column, emit_json, emit_table
from .source import Source, stored


@click.command(short_help="Ask the store in SQL; nothing can be changed.")
@click.argument("query")
@stored
def command(query: str, source: Source, *, as_json: bool) -> None:
    """Run a QUERY over the store, such as "select state, count(*) from session group by state".

    It may run while a box writes. Tables change with versions; `.json` pages and the other commands do not.
    """
    file = Path(source.existing_path()).as_uri()
    try:
        with contextlib.closing(sqlite3.connect(f"{file}?mode=ro", uri=True)) as connection:
            connection.execute("PRAGMA query_only = 1")
            connection.set_authorizer(_may)
            found = connection.execute(query)
            names = [column[0] for column in found.description or ()]
            rows = [dict(zip(names, map(_plain, row), strict=True)) for row in found]
    except (sqlite3.Error, sqlite3.Warning) as error:
        refused = "only reading is allowed: " if "authoriz" in str(error) else ""
        raise click.ClickException(f"{refused}{error}") from None
    emit_json(rows) if as_json else emit_table([Column(name, name) for name in names], rows)


def _may(action: int, *_: object) -> int:
    """Another file could be made by attaching it, which `vacuum into` does too."""
    return sqlite3.SQLITE_DENY if action == sqlite3.SQLITE_ATTACH else sqlite3.SQLITE_OK


def _plain(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else value
