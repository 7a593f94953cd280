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
from .encoding import clean, decode_body, span_of, unpack
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
    """The spans of a kind and label that took longest; of models those calls that count."""
    text, values = condition(where)
    query = statement("slowest").replace("/*where*/", text)
    processes: dict[tuple[Any, ...], Process] = {}
    counted: dict[int, set[tuple[str, str]]] = {}
    found: list[Example] = []
    for *columns, session, session_id in connection.execute(query, [kind, clean(label), *values]):
        if len(found) >= limit:
            break
        row = span_of(columns, processes)
        if kind == "llm":
            if session not in counted:
                calls = counted_calls(Tree(rollups.spans_of(connection, session)))
                counted[session] = {(call.span.trace_id, call.span.span_id) for call in calls}
            if (row.trace_id, row.span_id) not in counted[session]:
                continue
        found.append(Example(session_id, row))
    return found
