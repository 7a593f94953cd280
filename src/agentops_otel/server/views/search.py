"""Where words stand: in prompts, answers, arguments, results and errors, by session."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from ...rows import SessionRow
from ..format import decimals
from ..page import Asked, page
from ..store import Hit

LIMIT: Final = 100
_SESSIONS: Final = 50
_HITS: Final = 8


@dataclass(frozen=True, slots=True)
class Found:
    """One session, and where the words stand in it."""

    session: SessionRow
    hits: Sequence[Hit]
    """At most 8, by time."""
    more: int
    """How many others were found."""


@dataclass(frozen=True, slots=True)
class SearchPage:
    """The page of a search."""

    text: str
    found: Sequence[Found]
    """The newest session first."""
    hits: int
    """How many places, at most `limit`."""
    sessions: int
    """How many sessions have the words somewhere, or an id that begins so."""
    limit: int
    recent: Sequence[SessionRow]
    """Of the last sessions, when nothing is searched for."""

    @property
    def decimals(self) -> int:
        """Of the longest cost that is shown."""
        return max((decimals(found.session.cost) for found in self.found), default=0)


@page("/search", "search.html")
def search(asked: Asked) -> SearchPage:
    """Search all sessions of a filter for words; all of them must stand in one place."""
    store, where, text = asked.store, asked.where, asked.where.text
    if not text:
        return SearchPage("", (), 0, 0, LIMIT, store.sessions(where, limit=10).rows)
    hits = store.search(text, replace(where, text=""), limit=LIMIT)
    groups: dict[str, list[Hit]] = {}
    for hit in hits:
        groups.setdefault(hit.session_id, []).append(hit)
    found = []
    for session_id, places in list(groups.items())[:_SESSIONS]:
        session = store.session(session_id, where.project)
        if session is not None:
            places.sort(key=lambda hit: hit.time_ns)
            found.append(Found(session, places[:_HITS], max(0, len(places) - _HITS)))
    listed = store.sessions(where, limit=10)
    if not found:  # the beginning of an id, or words that stand in several places of a session
        found = [Found(session, (), 0) for session in listed.rows]
    return SearchPage(text, found, len(hits), max(listed.total, len(groups)), LIMIT, ())
