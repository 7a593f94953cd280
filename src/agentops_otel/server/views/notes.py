"""What a story says in few words beside a step, and over what is folded in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ...figures import format_count
from ...rows import Message, SpanRow
from ..format import duration_text
from .session import Fold, Piece
from .spoken import as_text, lines_in, opened

_INLINE_LINES: Final = 8
_INLINE: Final = 600
_MANY_TOKENS: Final = 10_000


def call_note(span: SpanRow, *, has_text: bool) -> str:
    """What is worth saying of a call beside its model."""
    parts: list[str] = []
    if not has_text and span.calls:
        parts.append(f"asks for {_asks(span.calls)}")
    fresh = (span.usage.input_tokens - span.usage.cache_read_tokens) if span.usage else 0
    if fresh >= _MANY_TOKENS:
        parts.append(f"reads {fresh / 1000:.1f}k new tokens")
    if span.first_token_ns is not None and has_text:
        parts.append(f"first token {duration_text(span.first_token_ns)}")
        speed = tokens_per_second(span)
        if speed is not None and speed >= 1:
            parts.append(f"then {format_count(round(speed))} tokens/s")
    if span.retries:
        parts.append(f"after {format_count(span.retries)} retr{'ies' if span.retries != 1 else 'y'}")
    if "length" in span.finish_reasons or "max_tokens" in span.finish_reasons:
        parts.append("cut at its longest answer")
    return ", ".join(parts)


def _asks(calls: Sequence[str]) -> str:
    names = list(dict.fromkeys(calls))
    if len(names) == 1:
        return names[0] if len(calls) == 1 else f"{names[0]}, {format_count(len(calls))} times"
    return f"{', '.join(names[:3])} and {format_count(len(names) - 3)} more" if len(names) > 4 else ", ".join(names)


def tokens_per_second(span: SpanRow) -> float | None:
    """How fast the answer came after its first token."""
    length = span.duration_ns
    if span.usage is None or length is None or span.first_token_ns is None or length <= span.first_token_ns:
        return None
    return span.usage.output_tokens / ((length - span.first_token_ns) / 1e9)


def new_summary(messages: Sequence[Message]) -> str:
    """The line over messages that a call was given and no call before it."""
    results = [message for message in messages if message.role == "tool"]
    kind = "tool result" if len(results) == len(messages) else "message"
    return f"New: {format_count(len(messages), kind)}"


def place(shown: Piece, summary: str, folds: list[Fold], pieces: list[Piece]) -> None:
    """Short texts stand in the step, long ones are folded."""
    most = 3 * _INLINE_LINES if shown.form == "diff" else _INLINE_LINES
    if lines_in(shown.text) <= most and len(shown.text) <= _INLINE * (3 if shown.form == "diff" else 1):
        pieces.append(shown)
    else:
        folds.append(Fold(summary, pieces=(shown,)))


def result_summary(shown: Piece) -> str:
    """The line over a result that is folded: its first words where they tell something."""
    first = shown.text.strip().split("\n", 1)[0].strip()
    telling = 3 <= len(first) <= 60 and shown.text[:1].isalpha() and lines_in(shown.text) > 1
    if shown.form in {"json", "diff"} or not telling:
        return amount_of(shown)
    return f"{first}, {amount_of(shown)}"


def amount_of(shown: Piece) -> str:
    """How much there is of a text: ``64 lines``, ``JSON, 12 lines``, ``1,204 characters``."""
    if shown.whole:
        return f"{shown.size / 1000:,.0f} kB"
    lines = lines_in(shown.text)
    amount = f"{format_count(lines)} lines" if lines > 1 else f"{format_count(len(shown.text))} characters"
    return f"JSON, {amount}" if shown.form == "json" else amount


def unquoted(result: str) -> str:
    """A result that is the JSON of a text, as that text."""
    if result[:1] == '"':
        return as_text(opened(result))
    return result


def ordinal(number: int) -> str:
    """``1st``, ``2nd``, ``11th``."""
    suffix = {1: "st", 2: "nd", 3: "rd"}.get(number % 10 if number % 100 not in {11, 12, 13} else 0, "th")
    return f"{number:,}{suffix}"
