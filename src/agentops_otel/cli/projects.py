"""`agentops-otel projects`: who shares a box."""

from __future__ import annotations

import click

from .output import Column, emit_json, emit_table
from .source import Source, stored


@click.command(short_help="List projects.")
@stored
def command(source: Source, *, as_json: bool) -> None:
    """List the projects that have a session or a key. What arrives without a key is in the project default."""
    with source.store() as store:
        names, keys = store.projects(), store.keys()
    valid = [key.project for key in keys if key.revoked_ns is None]
    found = [{"project": name, "keys": valid.count(name)} for name in names]
    emit_json(found) if as_json else emit_table(
        [Column("project", "PROJECT"), Column("keys", "KEYS", right=True)], found
    )
