"""What leaves the box as a file: a session as HTML, Markdown or OTLP JSON, and the list of sessions as CSV."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Final, cast

from ...rows import SpanBody
from ..export import csv_text, session_html
from ..markdown import session_markdown
from ..otlp.to_json import to_otlp_json
from ..page import Asked, Download, page
from .run import Run
from .session import Fold, Piece, Session, Step, Story
from .session_page import find, read, session
from .sessions import Listed
from .spoken import whole_text
from .waterfall import waterfall

_AT_ONCE: Final = 500
_MOST_ROWS: Final = 100_000
_LEFT_OUT: Final = frozenset({"strip", "started_ns", "duration_ns", "llm_ns", "tool_ns", "own_ns"})
"""Fields of a listed session that are for drawing it."""


@page("/s/{key}/export.html", "")
def html(asked: Asked) -> Download:
    """A session in one HTML file that needs no server and no script; every text is in it whole."""
    told, run = _told(asked)
    body = session_html(told, waterfall(run), asked.now_ns)
    return Download(f"{_name(told)}.html", "text/html; charset=utf-8", body)


@page("/s/{key}/export.md", "")
def markdown(asked: Asked) -> Download:
    """A session as Markdown."""
    told, _ = _told(asked)
    body = session_markdown(told, cast("Story", told.view))
    return Download(f"{_name(told)}.md", "text/markdown; charset=utf-8", body)


@page("/s/{key}/export.json", "")
def otlp(asked: Asked) -> Download:
    """A session as OTLP JSON, of which an import makes the same page."""
    row = find(asked)
    project = asked.where.project
    spans = asked.store.spans(row.session_id, bodies=True, project=project)
    body = to_otlp_json(spans, asked.store.events(row.session_id, project), row.scores)
    return Download(f"session-{row.session_id[:8]}.otlp.json", "application/json", body)


@page("/sessions.csv", "")
def sessions_csv(asked: Asked) -> Download:
    """The sessions of a filter, the newest first."""
    names = [field.name for field in fields(Listed) if field.name not in _LEFT_OUT]
    rows = ([getattr(each, name) for name in names] for each in _listed(asked))
    return Download("sessions.csv", "text/csv; charset=utf-8", csv_text(names, rows))


def _listed(asked: Asked) -> Iterator[Listed]:
    cursor, left = None, _MOST_ROWS
    while left > 0:
        found = asked.store.sessions(asked.where, limit=min(left, _AT_ONCE), cursor=cursor)
        yield from (Listed.of(row, asked.now_ns) for row in found.rows)
        left -= len(found.rows)
        cursor = found.next
        if cursor is None or not found.rows:
            return


def _name(told: Session) -> str:
    return f"session-{told.row.session_id[:8]}"


def _told(asked: Asked) -> tuple[Session, Run]:
    """The page of a session with its whole story, as if all was asked for."""
    everything = replace(asked, query={"tab": ["story"], "steps": ["all"]})
    told = session(everything)
    run = read(everything, told.row, "story")
    story = cast("Story", told.view)
    whole = tuple(_whole_step(step, run) for step in story.steps)
    return replace(told, view=replace(story, steps=whole)), run


def _whole_step(step: Step, run: Run) -> Step:
    """A step with the texts whole that a page shows cut."""
    span = run.by_id.get(step.id.removeprefix("ask-"))
    if step.id == "ask" and run.calls:  # what a user asked stands in the first call
        span = run.calls[0].span
    body = span.body if span else None
    return replace(
        step,
        folds=tuple(_whole_fold(fold, body) for fold in step.folds),
        pieces=tuple(_whole_piece(piece, body) for piece in step.pieces),
        children=tuple(_whole_step(child, run) for child in step.children),
    )


def _whole_fold(fold: Fold, body: SpanBody | None) -> Fold:
    messages = (
        replace(said, pieces=tuple(_whole_piece(piece, body) for piece in said.pieces)) for said in fold.messages
    )
    return replace(fold, messages=tuple(messages), pieces=tuple(_whole_piece(piece, body) for piece in fold.pieces))


def _whole_piece(piece: Piece, body: SpanBody | None) -> Piece:
    text = whole_text(body, piece.whole) if piece.whole and body else None
    return piece if text is None else replace(piece, text=text, whole="")
