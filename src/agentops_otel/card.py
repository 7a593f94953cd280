"""A session as HTML for a notebook: its figures, and its spans as a tree that folds. All texts are escaped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from typing import Final

from .failures import Failures
from .figures import format_cost, format_count, format_duration
from .rows import SpanRow, State
from .tree import Tree

MOST: Final = 500
"""Rows of a tree; the others are counted."""
_PREVIEW: Final = 80
_MARKS: Final = {"llm": "●", "tool": "■", "action": "■", "agent": "◆", "workflow": "◆", "error": "✗"}
_AROUND: Final = frozenset({"agent", "workflow"})
_INSIDE: Final = "margin-left:1.2em"
_QUIET: Final = "opacity:.65"


def card(title: str, facts: Iterable[tuple[str, object]], link: str | None, tree: str) -> str:
    """The card of a session.

    Args:
        title: its name.
        facts: names and values; what is None or empty is left out.
        link: the address of its page.
        tree: HTML of `tree_of()`, or nothing.
    """
    cells = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(str(value))}</td></tr>"
        for name, value in facts
        if value not in (None, "")
    )
    if link and link.startswith(("http://", "https://")):
        cells += f'<tr><th>page</th><td><a href="{escape(link)}">{escape(link)}</a></td></tr>'
    return f"<table><caption>Session {escape(title)}</caption>{cells}</table>{tree}"


def tree_of(spans: Iterable[SpanRow], state: State) -> str:
    """The spans of a session, each inside of its parent.

    Calls of models have their tokens and cost, what failed has what became of it: as the box shows them.

    Args:
        spans: those that have ended.
        state: of the session.
    """
    tree = Tree(spans)
    shown = [span for span in tree.spans if span.kind != "session"]
    if not shown:
        return ""
    failures = Failures(tree, state)
    lines = "".join(_lines(tree, failures))
    title = format_count(len(shown), "span")
    return f'<details open><summary>{title}</summary><div style="{_INSIDE}">{lines}</div></details>'


def _lines(tree: Tree, failures: Failures) -> Iterator[str]:
    waiting: list[SpanRow | str] = list(reversed(tree.tops()))
    count = 0
    while waiting:
        each = waiting.pop()
        if isinstance(each, str):
            yield each
            continue
        inside = list(reversed(tree.children(each)))
        if each.kind == "session":  # the card is the session
            waiting.extend(inside)
            continue
        count += 1
        if count > MOST:
            continue
        line = _line(tree, failures, each)
        if not inside:
            yield f"<div>{line}</div>"
            continue
        is_open = " open" if each.kind in _AROUND else ""
        yield f'<details{is_open}><summary>{line}</summary><div style="{_INSIDE}">'
        waiting.append("</div></details>")
        waiting.extend(inside)
    if count > MOST:
        yield f"<div>{format_count(count - MOST, 'more span')}</div>"


def _line(tree: Tree, failures: Failures, span: SpanRow) -> str:
    call = tree.is_call(span)
    said = (span.answered or "") if call else ""
    figures = [format_duration((span.duration_ns or 0) / 1e9)]
    if call and span.usage is not None:
        figures.append(f"{span.usage.input_tokens:,} in, {span.usage.output_tokens:,} out")
    if call and (span.cost is not None or span.usage is not None):
        figures.append("no price" if span.cost is None else format_cost(span.cost))
    parts = [f"{_MARKS.get(span.kind, '·')} <b>{escape(span.label or span.name)}</b>"]
    if span.failed:
        parts.append(f"✗ {escape(span.error_type or 'error')}, {failures.outcome(span).fate}")
    elif said:
        parts.append(escape(said if len(said) <= _PREVIEW else f"{said[: _PREVIEW - 1]}…"))
    parts.append(f'<span style="{_QUIET}">{" · ".join(map(escape, figures))}</span>')
    return " ".join(parts)
