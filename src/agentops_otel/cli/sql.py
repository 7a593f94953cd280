"""`agentops-otel sql`: a question of one's own to the store."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path
from typing import Any

import click

from .output import Column, emit_json, emit_table


@click.command(short_help="Ask the store in SQL; nothing can be changed.")
@click.argument("query")
@click.option("--db", metavar="FILE", help="The store's file (default: that of this user).")
@click.option("--json", "as_json", is_flag=True, help="Print a list of JSON objects.")
def command(query: str, db: str | None, *, as_json: bool) -> None:
    """Run a QUERY over the store, such as "select state, count(*) from session group by state".

    It may run while a box writes. Tables change with versions; `.json` pages and the other commands do not.
    """
    from ..server.place import database_path

    path = database_path(db)
    if not os.path.exists(path):
        raise click.ClickException(f"there is no store at {path} yet: run agentops-otel up, or agentops-otel demo")
    try:
        with contextlib.closing(sqlite3.connect(f"{Path(path).as_uri()}?mode=ro", uri=True)) as connection:
            connection.execute("PRAGMA query_only = 1")
            found = connection.execute(query)
            names = [column[0] for column in found.description or ()]
            rows = [dict(zip(names, map(_plain, row), strict=True)) for row in found]
    except (sqlite3.Error, sqlite3.Warning) as error:
        raise click.ClickException(str(error)) from None
    emit_json(rows) if as_json else emit_table([Column(name, name) for name in names], rows)


def _plain(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else value
