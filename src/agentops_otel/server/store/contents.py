"""Contents: messages, arguments, results, errors, each kept and indexed once, and the sessions in which they stand."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable

from .encoding import Content, Place, deflate, digests_of, encoded, searchable
from .statement import statement

First = tuple[int, str, str, Place]
"""Where a content stands first: start, span id, trace id, place."""


class Links:
    """The contents that a batch names; written at once, since most spans of a session name the same ones."""

    def __init__(self, connection: sqlite3.Connection, project: int) -> None:
        self._connection = connection
        self._project = project
        self._first: dict[tuple[int, bytes], First] = {}
        self._contents: dict[bytes, Content] = {}

    def add(self, session: int, content: Content, start_ns: int, span_id: str, trace_id: str) -> None:
        """Say that a span of a session has a content."""
        self._contents.setdefault(content.digest, content)
        self.name(session, content.digest, (start_ns, span_id, trace_id, content.place))

    def name(self, session: int, digest: bytes, first: First) -> None:
        """The same of a content that is stored."""
        known = self._first.get((session, digest))
        if known is None or first < known:
            self._first[session, digest] = first

    def write(self) -> None:
        """Store what is new, and the links."""
        ids = {digest: self._id(digest) for digest in {digest for _, digest in self._first}}
        self._connection.executemany(
            statement("link_content"),
            [(session, ids[digest], *first) for (session, digest), first in self._first.items() if ids[digest]],
        )
        self._first.clear()
        self._contents.clear()

    def _id(self, digest: bytes) -> int | None:
        found = self._connection.execute(statement("find_content"), (digest, self._project)).fetchone()
        if found is not None:
            return int(found[0])
        content = self._contents.get(digest)
        if content is None:
            return None
        data = deflate(encoded(content.value))
        values = (self._project, digest, content.kind, data)
        number = self._connection.execute(statement("add_content"), values).lastrowid
        self._connection.execute(statement("index_content"), (number, searchable(data, content.kind)))
        return number


def relink(connection: sqlite3.Connection, sessions: Collection[int]) -> None:
    """Find the contents of sessions anew, after spans have moved between them or were replaced."""
    before: set[int] = set()
    for session in sessions:
        before.update(content for (content,) in connection.execute(statement("contents_of_session"), (session,)))
        connection.execute(statement("unlink_contents"), (session,))
    for session in sessions:
        bodies = connection.execute(statement("bodies_of_session"), (session,)).fetchall()
        if not bodies:
            continue
        links = Links(connection, bodies[0][3])
        for start_ns, span_id, trace_id, _, data in bodies:
            for digest, place in digests_of(data):
                links.name(session, digest, (start_ns, span_id, trace_id, place))
        links.write()
    drop(connection, before)


def drop(connection: sqlite3.Connection, contents: Iterable[int]) -> None:
    """Remove those contents that stand in no session any more."""
    numbers = [(content,) for content in contents]
    connection.executemany(statement("unindex_content"), numbers)
    connection.executemany(statement("remove_content"), numbers)
