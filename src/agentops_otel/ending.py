"""How a session ended, in one sentence made from data: its answer, its error, what it does now, or its last act."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from .rows import ErrorUse, SpanRow, State
from .tree import Tree

LONGEST: Final = 300
NO_END: Final = "No end recorded"
"""Of a session whose process gives no sign of life any more."""
NO_ROOT: Final = "Its first span has not arrived"
"""Of a trace of another instrumentation."""
_TIMES: Final = ("", "once", "twice", "three times", "four times", "five times", "six times", "seven times")
_WORK: Final = frozenset({"llm", "tool", "action"})


class Ending(NamedTuple):
    """The sentence, and of a running session since when it is true."""

    text: str
    since_ns: int | None = None


def ending(tree: Tree, state: State, reason: str | None, errors: Sequence[ErrorUse]) -> Ending:
    """How a session ended.

    Args:
        reason: the end state's reason, or `NO_END` or `NO_ROOT`.
        errors: in the order in which they happened.
    """
    if state == "running":
        return _now(tree)
    if state == "fail":
        return Ending(short(_failure(reason, errors)))
    if state == "success":
        return Ending(short(answer(tree) or reason or _last_act(tree)))
    last = _last_act(tree)
    return Ending(short("; ".join(filter(None, (reason, last and f"last was {last}")))))


def answer(tree: Tree) -> str:
    """The answer of a session: what its root says, else the span around all, else what answered last."""
    best: tuple[tuple[bool, bool, int, str, str], str] | None = None
    for span in tree.spans:
        if not span.answered or span.end_ns is None:
            continue
        rank = (span.kind == "session", span.parent_id is None, span.end_ns, span.trace_id, span.span_id)
        if best is None or rank > best[0]:
            best = rank, span.answered
    return "" if best is None else best[1]


def times(count: int) -> str:
    """``twice``, ``three times``, ``12 times``."""
    return _TIMES[count] if 0 < count < len(_TIMES) else f"{count:,} times"


def short(text: str) -> str:
    """At most `LONGEST` characters of a text, on one line."""
    line = " ".join(text[: LONGEST * 4].split())
    return line if len(line) <= LONGEST else line[: LONGEST - 1].rstrip() + "…"


def said_of(error: ErrorUse) -> str:
    """Type and message of an error."""
    return f"{error.type}: {error.message}" if error.message else error.type


def _failure(reason: str | None, errors: Sequence[ErrorUse]) -> str:
    last = next((error for error in reversed(errors) if error.fate == "fatal"), None)
    text = reason or (said_of(last) if last else "Failed")
    if last is None or not last.repeated:
        return text
    # The end of a long message matters less than that the call was repeated.
    return f"{short(text)[: LONGEST - 40].rstrip('.')}. Same call {times(last.repeated + 1)}"


def _now(tree: Tree) -> Ending:
    doing = innermost(tree)
    if doing is not None:
        return Ending(short(f"now {act(doing)}"), doing.start_ns)
    last = _last_ended(tree)
    return Ending(short(f"own code after {act(last)}"), last.end_ns) if last else Ending("started")


def innermost(tree: Tree) -> SpanRow | None:
    """The span that a session is in: the open call or tool that started last, else any open span."""
    open_spans = [span for span in tree.spans if span.end_ns is None and span.kind != "session"]
    working = [span for span in open_spans if span.kind in _WORK]
    return next(reversed(working or open_spans), None)


def act(span: SpanRow) -> str:
    """What a span does, in a few words: a call by operation and model, anything else by its label."""
    return span.name if span.kind == "llm" else span.label or span.name


def _last_ended(tree: Tree) -> SpanRow | None:
    ended = [span for span in tree.spans if span.end_ns is not None and span.kind in _WORK]
    return max(ended, key=lambda span: (span.end_ns or 0, span.trace_id, span.span_id), default=None)


def _last_act(tree: Tree) -> str:
    """The span that was open at the last sign of life, else the last one that ended."""
    span = innermost(tree) or _last_ended(tree)
    return span.name if span else ""
