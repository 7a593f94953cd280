"""`agentops-otel export`: a session as one file."""

from __future__ import annotations

import sys
from pathlib import Path
from urllib.parse import quote

import click

from .output import CannotPrint, emit, progress, tell
from .source import Source, newest, reads_only


@click.command(short_help="Write a session to a file.")
@click.argument("session", default="last")
@click.option(
    "--html", "form", flag_value="html", default="html", help="One HTML file that needs no server (the default)."
)
@click.option("--json", "form", flag_value="json", help="OTLP JSON, which agentops-otel import reads.")
@click.option("--md", "form", flag_value="md", help="Markdown, for an issue.")
@click.option("-o", "--output", metavar="FILE", help="Where to (default: the standard output).")
@reads_only
def command(session: str, form: str, output: str | None, source: Source) -> None:
    """Write SESSION (its id, the beginning of it, or last) as one file."""
    key = newest(source) if session == "last" else session
    path = f"/s/{quote(key, safe='') if source.url else key}/export.{form}"
    with progress("export", 1) as done:
        made = source.page(path)
        done(1)
    body = made.encode() if isinstance(made, str) else bytes(made)
    if output is None:
        _write(body)
        return
    try:
        Path(output).write_bytes(body)
    except OSError as error:
        raise click.ClickException(f"{output} cannot be written: {error.strerror}") from None
    tell(f"{output}: {len(body):,} bytes")


def _write(body: bytes) -> None:
    """Print a file as it is: whoever sends it to a terminal gets Markdown or JSON, in which nothing is obeyed."""
    if sys.stdout is None or not hasattr(sys.stdout, "buffer") or sys.stdout.isatty():
        emit(body.decode("utf-8", "replace"))
        return
    try:
        sys.stdout.buffer.write(body)
        sys.stdout.buffer.flush()
    except OSError as error:
        raise CannotPrint("" if isinstance(error, BrokenPipeError) else error.strerror or str(error)) from None
