"""A session as Markdown, for an issue or a chat: what was asked, how it ended, each step once.

Whatever was captured stands in a fence that it cannot close, or is escaped: it makes no link, no heading, and calls
nobody by ``@name``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from markupsafe import Markup

from .format import count, duration, offset, tokens, usd
from .svg.marks import kind_name
from .views.session import Fold, Piece, Session, Step, StepError, Story

_SPECIAL: Final = re.compile(r"([\\`*_{}\[\]<>#|~])")
_SPACE: Final = re.compile(r"\s+")
_FENCE: Final = re.compile(r"`{3,}")
_BREAK: Final = re.compile(r"\r\n?")
"""What ends a line too: https://spec.commonmark.org/0.31.2/#line-ending"""
_LONGEST: Final = 20_000
"""Characters of one text: an issue of GitHub holds 65,536 in all."""


def session_markdown(page: Session, story: Story) -> str:
    """The page of a session as Markdown."""
    lines = [f"# {_line(page.title)}", "", f"**{_verdict(page)}**", "", _facts(page), ""]
    if page.why is not None:
        lines += ["## Why it failed", ""]
        for number, reason in enumerate(page.why.reasons, 1):
            lines.append(f"{number}. {_line(''.join(text for text, _ in reason.sentence))}")
        lines += [f"\n{_line(page.why.seen)}" if page.why.seen else "", ""]
    lines += ["## Story", ""]
    lines += _steps(story.steps, page.ribbon.duration_ns, 0)
    lines += ["", f"Session `{page.row.session_id}`, recorded by agentops-otel."]
    return "\n".join(lines) + "\n"


def _verdict(page: Session) -> str:
    said = "".join(text for text, _ in page.verdict).strip()
    return _line(said) or page.row.state.capitalize()


def _facts(page: Session) -> str:
    row = page.row
    errors = (("fatal", row.fatal_errors), ("open", row.open_errors), ("recovered", row.recovered_errors))
    facts = [
        _text(duration(row.duration_ns)),
        _text(usd(row.known_cost)) if row.llm_calls else "",
        _many(row.llm_calls, "LLM call"),
        _many(row.tool_calls, "tool call"),
        f"{_text(tokens(row.usage.input_tokens))} tokens in, {_text(tokens(row.usage.output_tokens))} out"
        if row.usage
        else "",
        *(f"{number} {fate} error{'s' if number != 1 else ''}" for fate, number in errors if number),
        *(_line(name) for name in row.tags),
    ]
    return " · ".join(filter(None, facts))


def _many(number: int, noun: str) -> str:
    return f"{_text(count(number))} {noun}{'s' if number != 1 else ''}" if number else ""


def _steps(steps: Sequence[Step], now_ns: int, depth: int) -> Iterator[str]:
    """Items of a list; what is inside of a step is a list inside of its item."""
    for step in steps:
        yield from _indented(_step(step, now_ns), depth)
        yield from _steps(step.children, now_ns, depth + 1)


def _indented(lines: Iterable[str], depth: int) -> Iterator[str]:
    first = True
    for line in lines:
        for part in line.split("\n"):
            yield "  " * depth + ("- " if first else "  ") + part if part or first else ""
            first = False


def _step(step: Step, now_ns: int) -> Iterator[str]:
    when = _text(offset(step.start_ns))
    if step.kind in {"gap", "together", "placeholder"}:
        yield f"*{_line(step.title)}*"
        return
    took = "running" if step.end_ns is None else _text(duration(step.end_ns - step.start_ns))
    name = f"{step.title}({step.signature})" if step.kind in {"tool", "action"} else step.title
    cost = "" if step.numbers.cost is None else f", {_text(usd(step.numbers.cost))}"
    note = f", {_line(step.note)}" if step.note else ""
    numbers = "" if step.kind == "user" else f" · {took}{cost}{note}"
    kind = f"{kind_name(step.kind)} " if step.kind in {"llm", "tool", "action", "error"} else ""
    yield f"`{when}` {kind}**{_line(name)}**{numbers}"
    yield from _content(step)


def _content(step: Step) -> Iterator[str]:
    if step.asked:
        yield _fenced(step.asked)
    for fold in step.folds:
        yield from _folded(fold)
    for piece in step.pieces:
        yield from _piece(piece)
    if step.error is not None:
        yield from _error(step.error)


def _folded(fold: Fold) -> Iterator[str]:
    """The summary; what was shown above is not said again."""
    yield f"*{_line(fold.summary)}*"
    for piece in fold.pieces:
        yield from _piece(piece)
    for message in fold.messages:
        if not message.again:
            yield f"{_line(message.role)}:"
            for piece in message.pieces:
                yield from _piece(piece)


def _piece(piece: Piece) -> Iterator[str]:
    if piece.kind == "call":
        yield f"asks for **{_line(piece.name)}**"
        if piece.signature:
            yield _fenced(piece.signature)
    elif piece.kind == "media":
        yield f"*{_line(piece.mime or 'media')}, {count(piece.size)} bytes*"
    elif piece.text:
        yield _fenced(piece.text, "diff" if piece.form == "diff" else "json" if piece.form == "json" else "")


def _error(error: StepError) -> Iterator[str]:
    yield f"**{_line(error.type)}**: {_line(error.message)} ({error.fate})"
    if error.stack:
        yield _fenced(error.stack)
    if error.recovery:
        yield f"Recovered: {_line(error.recovery)}"


def _fenced(text: str, language: str = "") -> str:
    """A text in a fence that is longer than any in it."""
    cut = _BREAK.sub("\n", text[:_LONGEST])
    fence = "`" * max(3, 1 + max((len(found) for found in _FENCE.findall(cut)), default=0))
    rest = f"\n… {len(text) - _LONGEST:,} more characters" if len(text) > _LONGEST else ""
    return f"{fence}{language}\n{cut.rstrip()}{rest}\n{fence}"


def _line(text: str) -> str:
    """A text in one line that is no markup and names nobody."""
    escaped = _SPECIAL.sub(r"\\\1", _SPACE.sub(" ", text[:2000]).strip())
    return escaped.replace("@", "@\u200b").replace("://", ":\u200b//")


def _text(markup: Markup) -> str:
    return markup.striptags()
