"""`agentops-otel import`: sessions of a file."""

from __future__ import annotations

import contextlib
import gzip
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

import click

from ..figures import format_count
from .output import emit, emit_json, progress
from .source import Source, reads

_PART: Final = 500  # spans to a transaction


@click.command("import", short_help="Bring in sessions from a file of OTLP JSON.")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--project", metavar="NAME", help="Into this project (default: default).")
@reads
def command(files: tuple[str, ...], project: str | None, source: Source, *, as_json: bool) -> None:
    """Bring in spans, events and scores from FILEs of OTLP JSON, also compressed with gzip; - is the standard input.

    Such files are made by agentops-otel export --json, by init(protocol="file") and by the Collector's file exporter:
    one JSON object, or one in each line. What is there already is not counted twice. With --url they are sent to that
    box.
    """
    from ..server.otlp import DecodeError

    spans = 0
    size = sum(os.path.getsize(file) for file in files if os.path.isfile(file))
    with _taker(source, project) as take, progress("import", size) as done:
        for file in files:
            for body, read in _objects(file):
                try:
                    spans += take(body)
                except DecodeError as error:
                    raise click.ClickException(f"{file}: {error}") from None
                done(read)
    emit_json({"spans": spans}) if as_json else emit(f"{format_count(spans, 'span')} read.\n")


@contextlib.contextmanager
def _taker(source: Source, project: str | None) -> Iterator[Callable[[bytes], int]]:
    from ..server.otlp import file
    from ..server.store import DEFAULT_PROJECT, Batch

    def read(body: bytes) -> Batch:
        return file.read(body, project or DEFAULT_PROJECT)

    if source.url:
        if project:
            raise click.UsageError("a box takes the project from the key: set AGENTOPS_API_KEY instead of --project")

        def send(body: bytes) -> int:
            found = len(read(body).spans)
            source.send(body)
            return found

        yield send
        return
    with source.store(create=True) as store:

        def add(body: bytes) -> int:
            batch = read(body)
            # The events first: they say which session the spans are of.
            store.add(replace(batch, spans=()), time.time_ns())
            for start in range(0, len(batch.spans), _PART):
                part = batch.spans[start : start + _PART]
                store.add(Batch(spans=part, project=batch.project), time.time_ns())
            return len(batch.spans)

        yield add


def _objects(file: str) -> Iterator[tuple[bytes, int]]:
    """Each object of a file, and how many bytes of the file it took."""
    try:
        whole = sys.stdin.buffer.read() if file == "-" else _content(file)
    except (OSError, EOFError) as error:
        raise click.ClickException(f"{file} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    size = 0 if file == "-" else os.path.getsize(file)
    lines = [line for line in whole.splitlines() if line.strip()]
    if all(line.lstrip().startswith(b"{") and line.rstrip().endswith(b"}") for line in lines):
        for line in lines:
            yield line, size // max(1, len(lines))
    else:
        yield whole, size


def _content(file: str) -> bytes:
    with open(file, "rb") as opened:
        whole = opened.read()
    return gzip.decompress(whole) if whole.startswith(b"\x1f\x8b") else whole
