"""What a session says of itself when it ends: a box on a terminal, one plain line anywhere else.

The one thing to know: it never claims more than is true. The destination is shown only when every recorded span was
acknowledged by it, and a cost that is not zero is never shown as $0.00.
"""

from __future__ import annotations

import os
import re
import sys
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Final, TextIO

import msgspec

from .figures import format_cost, format_count, format_duration, format_losses
from .log import SPEAKER, is_closed, logger, write_line
from .usage import Usage

_STREAM_USAGE_HINT: Final = "pass stream_options={'include_usage': True} or stream_usage=True"
_MARKS: Final = {"Success": ("✓", "+", "32"), "Fail": ("✗", "x", "31"), "Indeterminate": ("◌", "o", "33")}
_WARNING_COLOR: Final = "33"
_DIM: Final = "2"
_BOX: Final = "╭╮╰╯─│"
_ASCII_BOX: Final = "++++-|"
# What the ASCII box says instead of signs that the stream cannot encode.
_TIMES: Final = "\N{MULTIPLICATION SIGN}"
_ASCII_SIGNS: Final = str.maketrans(
    {"·": "-", "→": "->", "—": "-", "…": "~", _TIMES: "x", "⚠": "!", "✓": "+", "✗": "x", "◌": "o"}
)
_NARROWEST: Final = 20
_WIDEST: Final = 100


class Summary(msgspec.Struct, frozen=True):
    """The facts of an ended session. Durations are seconds, costs US dollars, and None is "not known", never 0."""

    name: str | None = None
    session_id: str = ""
    sampled: bool = True
    """Whether a backend gets it; the trace is named only then."""
    trace_url: str | None = None
    """Address of the trace, with the ids in it."""
    end_state: str = "Indeterminate"
    reason: str | None = None
    duration_s: float = 0.0
    llm_calls: int = 0
    tool_calls: int = 0
    actions: int = 0
    errors: int = 0
    recovered_errors: int = 0
    """Errors after which the work went on; a part of `errors`."""
    usage: Usage = msgspec.field(default_factory=Usage)
    cost: float | None = None
    unpriced_calls: int = 0
    stream_without_usage: int = 0
    models: tuple[tuple[str, int, float | None], ...] = ()
    """Model, calls, cost."""
    slowest: tuple[str, float, float] | None = None
    """Name, seconds, share of the session's time from 0 to 1."""
    recorded: int = 0
    delivered: int = 0
    destination: str | None = None
    dropped: Mapping[str, int] = {}
    """Spans that are lost, by reason."""
    kept: int = 0
    """Spans on disk, of this session or of others, that are not delivered yet."""
    journal: str | None = None
    """Where they are kept."""
    advice: str = "the next run sends them, or: agentops-otel flush"
    """What sends them."""
    delivery_error: str | None = None


# ------------------------------------------------------------------------------------------------------------------
# lines


def _title(facts: Summary, room: int | None = None) -> str:
    """The title; in too little room the name is cut, not the end state."""
    if not facts.name:
        return f"Session — {facts.end_state}"
    name = _one_line(facts.name)
    if room is not None:
        name = _cut(name, max(room - _width(f"Session  — {facts.end_state}"), 1), "…")
    return f"Session {name} — {facts.end_state}"


def _work(facts: Summary) -> str:
    if not facts.sampled:
        return "not sampled, nothing is recorded"
    failed = facts.errors - facts.recovered_errors
    parts = [format_count(facts.llm_calls, "LLM call")]
    if facts.tool_calls:
        parts.append(format_count(facts.tool_calls, "tool"))
    if facts.actions:
        parts.append(format_count(facts.actions, "action"))
    if failed > 0:
        parts.append(format_count(failed, "error"))
    if facts.recovered_errors:
        parts.append(format_count(facts.recovered_errors, "recovered error"))
    return " · ".join(parts)


def _tokens(usage: Usage) -> str:
    inside = [f"{usage.cache_read_tokens:,} cached"] if usage.cache_read_tokens else []
    if usage.cache_write_tokens:
        inside.append(f"{usage.cache_write_tokens:,} written to cache")
    taken = f"tokens {usage.input_tokens:,} in" + (f" ({', '.join(inside)})" if inside else "")
    thought = f" ({usage.reasoning_tokens:,} reasoning)" if usage.reasoning_tokens else ""
    return f"{taken} · {usage.output_tokens:,} out{thought}"


def _cost(facts: Summary) -> str:
    """The cost; "" when there was no call that could have one."""
    if facts.cost is None:
        return "cost unknown" if facts.unpriced_calls else ""
    unpriced = f" + {format_count(facts.unpriced_calls, 'unpriced call')}" if facts.unpriced_calls else ""
    return f"cost {format_cost(facts.cost)}{unpriced}"


def _models(facts: Summary) -> str:
    return "   ".join(
        f"{model} {calls:,}{_TIMES} {'' if cost is None else format_cost(cost)}".rstrip()
        for model, calls, cost in facts.models
    )


def _slowest(facts: Summary) -> str:
    if facts.slowest is None:
        return ""
    name, seconds, share = facts.slowest
    return f"slowest: {name} {format_duration(seconds)} ({min(max(share, 0), 1):.0%})".replace("%", " %")


def _streams(facts: Summary) -> str:
    if not facts.stream_without_usage:
        return ""
    return f"{format_count(facts.stream_without_usage, 'streamed call')} without usage: {_STREAM_USAGE_HINT}"


def _delivery(facts: Summary) -> tuple[str, bool]:
    """The line about delivery, and whether it is bad news."""
    lost = sum(facts.dropped.values())
    missing = max(facts.recorded - facts.delivered, lost)
    if not missing:
        if not facts.recorded or facts.destination is None:
            return (f"{format_count(facts.recorded, 'span')} recorded" if facts.recorded else ""), False
        return f"{facts.delivered:,}/{format_count(facts.recorded, 'span')} delivered → {facts.destination}", False
    kept = min(missing - lost, facts.kept)
    told = []
    if missing > kept:
        reasons = format_losses(facts.dropped, facts.delivery_error)
        told.append(
            f"{missing - kept:,} of {format_count(facts.recorded, 'span')} not delivered"
            + (f" ({reasons})" if reasons else "")
        )
    if kept:
        told.append(
            f"{kept:,} of {format_count(facts.recorded, 'span')} kept in {facts.journal}"
            + (f" ({facts.delivery_error})" if facts.delivery_error and missing == kept else "")
            + f"; {facts.advice}"
        )
    return "⚠ " + "; ".join(told), True


def _trace_id(facts: Summary) -> str:
    """The trace as backends write its id."""
    return f"trace {facts.session_id.replace('-', '')}" if facts.session_id and facts.sampled else ""


def _trace(facts: Summary) -> str:
    """Where to look: the address if the user has said how it is made, else the id."""
    return facts.trace_url or _trace_id(facts)


def _reason(facts: Summary) -> str:
    return _one_line(facts.reason) if facts.reason else ""


def _lines(facts: Summary, room: int) -> list[tuple[str, str]]:
    """The lines in the box, each with its colour; none is cut yet."""
    delivery, bad = _delivery(facts)
    tokens, cost = _tokens(facts.usage) if facts.usage else "", _cost(facts)
    both = f"{tokens}{' ' * 6 if tokens and cost else ''}{cost}"
    money = [both] if _width(both) <= room else [tokens, cost]
    state_color = _MARKS.get(facts.end_state, _MARKS["Indeterminate"])[2]
    lines = [
        (_reason(facts), state_color),
        (f"{format_duration(facts.duration_s)}   {_work(facts)}", ""),
        *((line, "") for line in money),
        (f"  {_models(facts)}" if facts.models else "", _DIM),
        (_slowest(facts), ""),
        *((line, _WARNING_COLOR) for line in _wrapped(_streams(facts), room)),
        *((line, _WARNING_COLOR if bad else "") for line in _wrapped(delivery, room)),
        (_trace(facts) if _width(_trace(facts)) <= room else _trace_id(facts), _DIM),
    ]
    return [(line, color) for line, color in lines if line]


def _wrapped(text: str, room: int) -> list[str]:
    """Advice and bad news are worth a second line."""
    lines: list[str] = []
    for word in text.split(" "):
        if lines and _width(lines[-1]) + 1 + _width(word) <= room:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


# ------------------------------------------------------------------------------------------------------------------
# width


_ESCAPE: Final = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-z]|\][^\x07\x1b]*\x07?)?")


def _one_line(text: str) -> str:
    """`text` without line ends, control characters and what turns the writing direction: a terminal obeys them."""
    text = _ESCAPE.sub("", text)
    return "".join(" " if char in "\r\n\t" else char for char in text if char in "\r\n\t" or _is_shown(char))


def _is_shown(char: str) -> bool:
    return char.isprintable() or unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Zl", "Zp", "Co", "Cn")


def _char_width(char: str) -> int:
    if unicodedata.combining(char) or char == "\ufe0f":
        return 0
    return 2 if unicodedata.east_asian_width(char) in ("W", "F") else 1


def _width(text: str) -> int:
    """Columns of a terminal."""
    return len(text) if text.isascii() else sum(map(_char_width, text))


def _cut(text: str, room: int, ellipsis: str) -> str:
    """`text` in at most `room` columns."""
    if _width(text) <= room:
        return text
    kept, columns = [], 0
    for char in text:
        columns += _char_width(char)
        if columns > room - 1:
            break
        kept.append(char)
    return "".join(kept) + ellipsis if room > 0 else ""


# ---------------------------------------------------------------------------------------------------------------- the
# box


def render(facts: Summary, *, width: int, color: bool, unicode: bool = True) -> str:
    """The box, without a line end behind it: never wider than `width` columns, with a floor of 20.

    Args:
        color: Write ANSI colours.
        unicode: Draw with box characters; without, everything is ASCII, and letters that are not become ``?``.
    """
    outer = min(max(width, _NARROWEST), _WIDEST)
    room = outer - 4
    corner_tl, corner_tr, corner_bl, corner_br, flat, side = _BOX if unicode else _ASCII_BOX

    def shown(text: str) -> str:
        text = _one_line(text)
        if not unicode:
            text = text.translate(_ASCII_SIGNS).encode("ascii", "replace").decode("ascii")
        return _cut(text, room, "…" if unicode else "~")

    mark, ascii_mark, state_color = _MARKS.get(facts.end_state, _MARKS["Indeterminate"])
    mark = mark if unicode else ascii_mark
    lines = [(shown(line), paint) for line, paint in _lines(facts, room)]
    title = _cut(shown(_title(facts, room - 4)), room - 4, "…" if unicode else "~")
    inner = max(_width(title) + 4, *(_width(line) for line, _ in lines))
    painted = _painted(f"{mark} {title}", state_color, color=color)
    rows = [f"{corner_tl}{flat} {painted} {flat * (inner - _width(title) - 3)}{corner_tr}"]
    for line, paint in lines:
        rows.append(f"{side} {_painted(line, paint, color=color)}{' ' * (inner - _width(line))} {side}")
    sign = f" {SPEAKER.strip(': ')} {flat}" if inner > len(SPEAKER) + 2 else ""
    rows.append(f"{corner_bl}{flat * (inner + 2 - len(sign))}{sign}{corner_br}")
    return "\n".join(rows)


def _painted(text: str, paint: str, *, color: bool) -> str:
    return f"\x1b[{paint}m{text}\x1b[0m" if color and paint else text


def _line(facts: Summary) -> str:
    """Everything on one plain line, for a log file."""
    reason = f" ({_reason(facts)[:300]})" if facts.reason else ""
    parts: Iterable[str] = (
        _title(facts).replace("—", "-") + reason,
        format_duration(facts.duration_s),
        _work(facts).replace(" · ", ", "),
        _tokens(facts.usage).replace(" · ", ", ") if facts.usage else "",
        _cost(facts),
        _streams(facts),
        _delivery(facts)[0],
        _trace(facts),
    )
    return "; ".join(_one_line(part) for part in parts if part)


# -----------------------------------------------------------------------------------------------------------------
# stream


def print_summary(facts: Summary, stream: TextIO | None = None, *, in_log: bool = False) -> bool:
    """Print the summary to `stream` (standard error when left out); never raises an Exception.

    A terminal gets the box, in colour unless NO_COLOR is set (https://no-color.org) or TERM is ``dumb``; anything
    else one line, or with `in_log` a line of level INFO in the log.

    Returns:
        Whether it was printed.
    """
    try:
        out: TextIO | None = sys.stderr if stream is None else stream
        if in_log and not (out is not None and not out.closed and out.isatty()):
            logger.info("%s", _line(facts))
            return False
        if out is None or is_closed(out):  # pythonw has no standard error
            return False
        write_line(out, _for_stream(facts, out))
    except Exception:  # (a summary is not worth an exception: the pipe is closed, the disk is full)
        return False
    return True


def _for_stream(facts: Summary, stream: TextIO) -> str:
    unicode = _can_encode(stream, _BOX + "✓✗◌…→⚠·—" + _TIMES)
    columns = _columns(stream) if stream.isatty() else 0
    if columns < _NARROWEST:
        text = SPEAKER + _line(facts)
        text = text if unicode else text.translate(_ASCII_SIGNS).encode("ascii", "replace").decode("ascii")
    else:
        dumb = os.environ.get("TERM") == "dumb"
        color = not dumb and not os.environ.get("NO_COLOR")
        text = render(facts, width=columns, color=color, unicode=unicode)
        if facts.trace_url and facts.trace_url not in text:  # a part of an address is none: it goes below the box
            text += "\n" + _one_line(facts.trace_url)
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "replace").decode(encoding)


def _can_encode(stream: TextIO, text: str) -> bool:
    try:
        text.encode(getattr(stream, "encoding", None) or "utf-8")
    except (UnicodeError, LookupError):
        return False
    return True


def _columns(stream: TextIO) -> int:
    try:
        columns = os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError, AttributeError):
        columns = 0
    return columns or 80  # a terminal that does not know its width says 0
