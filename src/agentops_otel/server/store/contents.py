"""Contents: messages, arguments, results, errors, each kept and indexed once, and the sessions in which they stand."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable

from .bodies import Contents, Place, named_by
from .many import find, insert
from .statement import statement
from .words import packed_content, searchable

First = tuple[int, str, str, Place]
"""Where a content stands first: start, span id, trace id, place."""


class Links:
    """The contents that spans name; written at once, since most spans of a session name the same ones.

    Args:
        contents: those of the batch; others are stored already.
    """

    def __init__(self, connection: sqlite3.Connection, project: int, contents: Contents) -> None:
        self._connection = connection
        self._project = project
        self._contents = contents
        self._first: dict[tuple[int, bytes], First] = {}

    def add(
        self, session: int, named: Iterable[tuple[bytes, Place]], start_ns: int, span_id: str, trace_id: str
    ) -> None:
        """Say that a span of a session has some contents."""
        known = self._first
        for digest, place in named:
            first = (start_ns, span_id, trace_id, place)
            if first < known.setdefault((session, digest), first):
                known[session, digest] = first

    def write(self) -> None:
        """Store what is new, and the links."""
        ids = self._ids(list(dict.fromkeys(digest for _, digest in self._first)))
        insert(
            self._connection,
            "link_content",
            [(session, ids[digest], *first) for (session, digest), first in self._first.items() if digest in ids],
        )
        self._first.clear()

    def _ids(self, digests: list[bytes]) -> dict[bytes, int]:
        """The numbers of contents, of which those are stored now that are new."""
        ids: dict[bytes, int] = dict(find(self._connection, "find_contents", digests, self._project))
        new = [digest for digest in digests if digest not in ids and digest in self._contents]
        if not new:
            return ids
        last = int(self._connection.execute(statement("last_content")).fetchone()[0] or 0)
        rows, words = [], []
        for number, digest in enumerate(new, last + 1):
            kind, value = self._contents[digest]
            data, text = packed_content(kind, value)
            ids[digest] = number
            rows.append((number, self._project, digest, kind, data))
            words.append((number, text))
        insert(self._connection, "add_content", rows)
        insert(self._connection, "index_content", words)
        return ids


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
        links = Links(connection, bodies[0][3], {})
        for start_ns, span_id, trace_id, _, data in bodies:
            links.add(session, named_by(data), start_ns, span_id, trace_id)
        links.write()
    drop(connection, before)


def drop(connection: sqlite3.Connection, contents: Iterable[int]) -> int:
    """Remove those contents that stand in no session any more; how many bytes they took."""
    size = 0
    for content in contents:
        found = connection.execute(statement("lost_content"), (content,)).fetchone()
        if found is not None:
            connection.execute(statement("unindex_content"), (content, searchable(*found)))
            connection.execute(statement("remove_content"), (content,))
            size += len(found[0])
    return size
