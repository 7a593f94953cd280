"""`agentops-otel db`: the store's file."""

from __future__ import annotations

import time

import click

from ..figures import format_count
from .figures import ago
from .output import emit, emit_json, progress
from .retention import Retention, retention
from .source import Source, stored


@click.group(short_help="Look after the store's file.")
def command() -> None:
    """Look after the store's file. All of it may be done while a box runs."""


@command.command(short_help="Print where it is.")
@stored
def path(source: Source, *, as_json: bool) -> None:
    """Print where the file is, or would be."""
    emit_json({"path": source.path}) if as_json else emit(f"{source.path}\n")


@command.command(short_help="Show what is in it.")
@stored
def stats(source: Source, *, as_json: bool) -> None:
    """Show how large the file is and what is in it."""
    with source.store() as store:
        found = store.stats()
    if as_json:
        names = ("path", "bytes", "free_bytes", "sessions", "spans", "messages", "oldest_ns", "schema")
        emit_json({name: getattr(found, name) for name in names})
        return
    oldest = "" if found.oldest_ns is None else f", the oldest {ago(found.oldest_ns)}"
    emit(
        f"{found.path}\n"
        f"  {format_count(found.sessions, 'session')}{oldest}\n"
        f"  {format_count(found.spans, 'span')}, {format_count(found.messages, 'message')}\n"
        f"  {found.bytes:,} bytes, {found.free_bytes:,} of them free; schema {found.schema}\n"
    )


@command.command(short_help="Check and mend it.")
@stored
def check(source: Source, *, as_json: bool) -> int:
    """Count every sum anew from the spans, mend what differs, and check the file.

    The exit code is 1 when the file is damaged.
    """
    with source.store() as store:
        found = store.check()
    if as_json:
        emit_json({"sessions": found.sessions, "mended": list(found.mended), "damage": list(found.damage)})
    else:
        lines = [f"{format_count(found.sessions, 'session')} checked, {len(found.mended):,} mended"]
        emit("\n".join([*lines, *found.damage]) + "\n")
    return int(bool(found.damage))


@command.command(short_help="Make it as small as it can be.")
@stored
def vacuum(source: Source, *, as_json: bool) -> None:
    """Give room that is no longer used back to the file system."""
    with source.store() as store, progress("vacuum", 1) as done:
        before = store.stats().bytes
        store.vacuum()
        after = store.stats().bytes
        done(1)
    emit_json({"before": before, "after": after}) if as_json else emit(f"{before:,} -> {after:,} bytes\n")


@command.command(short_help="Remove old sessions.")
@click.option(
    "--retain", multiple=True, metavar="LIMIT", help="Keep an age such as 30d, a size such as 2GB; may be repeated."
)
@stored
def prune(retain: tuple[str, ...], source: Source, *, as_json: bool) -> None:
    """Remove the oldest sessions beyond the limits; without one, those that a box keeps: 30 days and 2 GB."""
    from ..server.up import Options

    default = Options()
    kept = retention(retain, Retention(None, None) if retain else Retention(default.retain_ns, default.retain_bytes))
    removed = 0
    with source.store() as store:
        total = store.stats().sessions
        with progress("prune", total) as done:
            while step := store.retain(time.time_ns(), max_age_ns=kept.age_ns, max_bytes=kept.size):
                removed += step
                done(step)
    emit_json({"removed": removed}) if as_json else emit(f"{format_count(removed, 'session')} removed.\n")
