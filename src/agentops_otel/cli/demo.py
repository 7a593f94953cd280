"""`agentops-otel demo`: sessions to look at, without running anything."""

from __future__ import annotations

import time

import click

from ..checks import without_secrets
from ..figures import format_count
from .output import emit, emit_json
from .source import Source, reads


@click.command(short_help="Load recorded sessions to look at.")
@reads
def command(source: Source, *, as_json: bool) -> None:
    """Load recorded sessions of several agents: some succeed, fail, recover from errors, or die.

    Loading them again changes nothing. With --url they are sent to that box, else they are put into the store.
    """
    from ..server.demo import load, recorded

    now_ns = time.time_ns()
    if source.url:
        source.send(recorded(now_ns))
        place = without_secrets(source.url)
        emit_json({"sent": True}) if as_json else emit(f"Recorded sessions were sent to {place}.\n")
        return
    with source.store(create=True) as store:
        ids = load(store, now_ns)
    if as_json:
        emit_json({"sessions": ids})
        return
    loaded = format_count(len(ids), "session")
    emit(f"{loaded} to look at. See them: agentops-otel up --open, or agentops-otel sessions\n")
