"""Spans as they are read: light for a tree, with their bodies for a page."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection
from typing import Any

from ...rows import Kind, Process, Source, SpanBody, SpanRow
from ...summarize import counted_calls
from ...tree import Tree
from . import Example, Filter, rollups
from .bodies import decode_body
from .columns import span_of
from .encoding import clean, unpack
from .filters import condition
from .statement import statement


class _Reader:
    """Reads bodies; what many of them share is read once."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._contents: dict[tuple[int, bytes], Any] = {}
        self._sources: dict[tuple[Any, ...], Source] = {}
        self._processes: dict[tuple[Any, ...], Process] = {}

    def span(self, columns: tuple[Any, ...]) -> SpanRow:
        *_, resource, scope, scope_version, body, project = columns
        source = self._sources.get((resource, scope, scope_version))
        if source is None:
            source = self._sources[resource, scope, scope_version] = Source(unpack(resource), scope, scope_version)
        if body is None:
            return span_of(columns, self._processes, SpanBody(source=source))
        read = decode_body(body, source, lambda digest: self._content(project, digest))
        return span_of(columns, self._processes, read)

    def _content(self, project: int, digest: bytes) -> Any:
        try:
            return self._contents[project, digest]
        except KeyError:
            found = self._connection.execute(statement("content"), (digest, project)).fetchone()
            value = self._contents[project, digest] = None if found is None else unpack(found[0])
            return value


def spans(connection: sqlite3.Connection, session: int, *, bodies: bool | Collection[str]) -> list[SpanRow]:
    """All spans of a session, by start; `bodies` are the ids of the spans that come with theirs, or True for all."""
    if not bodies:
        return rollups.spans_of(connection, session)
    reader = _Reader(connection)
    chosen = None if bodies is True else json.dumps([clean(span_id) for span_id in bodies])
    found = connection.execute(statement("spans_with_bodies"), {"session": session, "chosen": chosen})
    return [reader.span(columns) for columns in found]


def span(connection: sqlite3.Connection, session: int, span_id: str) -> SpanRow | None:
    """One span with its body."""
    columns = connection.execute(statement("span"), (session, clean(span_id))).fetchone()
    return None if columns is None else _Reader(connection).span(columns)


def slowest(connection: sqlite3.Connection, where: Filter, kind: Kind, label: str, *, limit: int) -> list[Example]:
    """The spans of a tool or model that took longest; of models those calls that count.

    They are in the sessions whose longest call is among the longest, of which there are not more than `limit`.
    """
    if kind not in {"llm", "tool"}:
        return []
    text, values = condition(connection, where)
    query = statement("slowest_of_model" if kind == "llm" else "slowest_of_tool").replace("/*where*/", text)
    found: list[Example] = []
    for session, session_id in connection.execute(query, [clean(label), *values, limit]).fetchall():
        rows = rollups.spans_of(connection, session)
        if kind == "llm":
            rows = [call.span for call in counted_calls(Tree(rows)) if call.span.model == label]
        found += [Example(session_id, row) for row in rows if row.kind == kind and row.end_ns is not None]
    if kind == "tool":
        found = [example for example in found if example.span.label == label]
    found.sort(key=lambda example: (-(example.span.duration_ns or 0), example.span.start_ns))
    return found[:limit]
