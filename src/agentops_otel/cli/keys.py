"""`agentops-otel keys`: the API keys of projects."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from .figures import ago
from .output import Column, emit, emit_json, emit_table, tell
from .source import Source, stored

if TYPE_CHECKING:
    from ..server.store import ApiKey, Store


@click.group(short_help="Make, list and revoke API keys.")
def command() -> None:
    """Make, list and revoke the API keys of projects.

    What is sent with a key lands in its project. A program has its key in AGENTOPS_API_KEY.
    """


@command.command("list", short_help="List keys.")
@stored
def list_keys(source: Source, *, as_json: bool) -> None:
    """List the keys by their beginnings; a key itself is shown once, when it is made."""
    with source.store() as store:
        found = [asdict(key) for key in _keys(store)]
    columns = (
        Column("key_id", "KEY"),
        Column("project", "PROJECT"),
        Column("created_ns", "MADE", ago),
        Column("revoked_ns", "REVOKED", ago),
    )
    emit_json(found) if as_json else emit_table(columns, found)


@command.command(short_help="Make a key.")
@click.argument("project")
@stored
def create(project: str, source: Source, *, as_json: bool) -> None:
    """Make a key for PROJECT, which is made too if it is new, and print it. It cannot be shown again."""
    if not project.strip():
        raise click.UsageError("give the project a name")
    with source.store(create=True) as store:
        key = store.create_key(project, time.time_ns())
    emit_json({"project": project, "key": key}) if as_json else emit(f"{key}\n")
    tell(f"Set AGENTOPS_API_KEY to it where programs of {project} run.") if not as_json else None


@command.command(short_help="Refuse a key from now on.")
@click.argument("key")
@stored
def revoke(key: str, source: Source, *, as_json: bool) -> None:
    """Refuse KEY, given by its beginning as in the list, or whole."""
    with source.store() as store:
        known = [each.key_id for each in _keys(store) if key.startswith(each.key_id)]
        revoked = bool(known) and store.revoke_key(known[0], time.time_ns())
    if not revoked:
        raise click.ClickException(f"there is no key {key[:12]}: agentops-otel keys list")
    emit_json({"revoked": known[0]}) if as_json else emit(f"{known[0]} is refused from now on.\n")


def _keys(store: Store) -> Sequence[ApiKey]:
    return store.keys()
