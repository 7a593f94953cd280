"""`agentops-otel show`: one session on the terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import Any, Final
from urllib.parse import quote

import click

from ..figures import format_cost
from .figures import STATES, nanoseconds, tokens
from .output import Column, emit, emit_json, emit_table, on_terminal, one_line
from .source import Source, newest, reads

MARKS: Final = {"llm": "●", "tool": "■", "agent": "◆", "workflow": "◆", "error": "✗", "gap": "·"}
_WIDTH: Final = 100
_LONGEST: Final = 2_000
_TABS: Final = {"tree": "waterfall", "chat": "story", "errors": "errors"}


@click.command(short_help="Show one session.")
@click.argument("session", default="last")
@click.option(
    "--tree", "shown", flag_value="tree", default="tree", help="The spans, with times and costs (the default)."
)
@click.option("--chat", "shown", flag_value="chat", help="What was said, each message once.")
@click.option("--errors", "shown", flag_value="errors", help="The errors, and what was done next.")
@reads
def command(session: str, shown: str, source: Source, *, as_json: bool) -> None:
    """Show SESSION: its id, the beginning of it, or last."""
    page = page_of(source, session, _TABS[shown])
    if as_json:
        emit_json({"session": page["row"], shown: page["view"]})
        return
    if shown == "tree" and not on_terminal():
        emit_table([Column(name) for name in _FIELDS], [_flat(row) for row in page["view"]["rows"]])
        return
    emit(_head(page))
    if shown == "tree":
        emit_table(_COLUMNS, [_flat(row) for row in page["view"]["rows"]])
    elif shown == "chat":
        emit("\n".join(_chat(page["view"]["steps"], 0)) + "\n")
    else:
        emit("\n".join(_errors(page["view"]["rows"])) + "\n")


def page_of(source: Source, session: str, tab: str) -> dict[str, Any]:
    """The page of a session, with one of its views.

    Raises:
        click.ClickException: there is no such session.
    """
    if not session.strip():
        raise click.UsageError("give a session: its id, the beginning of it, or last")
    key = newest(source) if session == "last" else session
    found: dict[str, Any] = source.page(f"/s/{quote(key, safe='')}" if source.url else f"/s/{key}", {"tab": tab})
    return found


def _head(page: dict[str, Any]) -> str:
    row = page["row"]
    verdict = "".join(text for text, _ in page["verdict"])
    usage = row["usage"]
    used = [
        nanoseconds(max(0, row["last_ns"] - row["started_ns"])),
        f"{row['llm_calls']} LLM, {row['tool_calls']} tool calls",
        f"{tokens(usage['input_tokens'])} in, {tokens(usage['output_tokens'])} out",
        _cost(row),
    ]
    why = page["why"]
    lines = [
        f"{one_line(row['name'])}  {row['session_id']}",
        f"{STATES.get(row['state'], ' ')} {one_line(verdict)}",
        " · ".join(one_line(part) for part in used if part),
    ]
    if row["asked"]:
        lines.append(f"asked: {one_line(row['asked'])}")
    if why:
        lines += [f"why: {one_line(line)}" for line in _texts(why)]
    return "\n".join([*lines, "", ""])


def _cost(row: dict[str, Any]) -> str:
    """What the priced calls cost, and how many have no price."""
    if not row["llm_calls"]:
        return ""
    unpriced = (
        f"{row['unpriced_calls']:,} of {row['llm_calls']:,} calls without a price" if row["unpriced_calls"] else ""
    )
    priced = format_cost(row["cost"]) if row["priced_calls"] else ""
    return ", ".join(part for part in (priced, unpriced) if part)


def _texts(value: Any) -> Iterator[str]:
    """The sentences in a part of a page: lists of (text, strong), or of lines."""
    if isinstance(value, dict):
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, list):
        if value and all(isinstance(part, list) and len(part) == 2 and isinstance(part[0], str) for part in value):
            yield "".join(part[0] for part in value)
        else:
            for part in value:
                yield from _texts(part)


# --------------------------------------------------------------------------------------------------------------- tree

_COLUMNS: Final = (
    Column("label", "SPAN", grows=True, indents=True),
    Column("start_ns", "AT", nanoseconds, right=True),
    Column("duration_ns", "TIME", nanoseconds, right=True),
    Column("input_tokens", "IN", tokens, right=True),
    Column("cached_tokens", "CACHED", tokens, right=True),
    Column("output_tokens", "OUT", tokens, right=True),
    Column("cost", "COST", format_cost, right=True),
    Column("fate", "ERROR", style=lambda fate: "yellow" if fate == "recovered" else "red"),
)
_FIELDS: Final = (
    *("id", "parent", "level", "kind", "title", "detail", "start_ns", "end_ns"),
    *("input_tokens", "cached_tokens", "output_tokens", "cost", "fate"),
)


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """A row of the tree; what sums up its children is left to the session's own row."""
    numbers = {} if row["numbers"]["sums"] and row["level"] > 1 else row["numbers"]
    detail = f"  {row['detail']}" if row["detail"] else ""
    return {
        **row,
        "label": f"{'  ' * (row['level'] - 1)}{MARKS.get(row['kind'], ' ')} {one_line(row['title'] + detail)}",
        "duration_ns": None if row["end_ns"] is None else row["end_ns"] - row["start_ns"],
        **{name: numbers.get(name) for name in ("input_tokens", "cached_tokens", "output_tokens", "cost")},
    }


# --------------------------------------------------------------------------------------------------------------- chat


def _chat(steps: Sequence[dict[str, Any]], depth: int) -> Iterator[str]:
    for step in steps:
        numbers = step["numbers"]
        aside = [step["note"]]
        if step["end_ns"] is not None and step["kind"] in ("llm", "tool", "agent", "workflow"):
            aside.append(nanoseconds(step["end_ns"] - step["start_ns"]))
        if step["kind"] == "llm" and numbers["cost"] is not None:
            aside.append(format_cost(numbers["cost"]))
        title = f"{step['title']}({step['signature']})" if step["signature"] else step["title"]
        yield from _text(
            f"{MARKS.get(step['kind'], ' ')} {one_line(title)}", depth, "   " + " · ".join(filter(None, aside))
        )
        if step["asked"] and step["kind"] == "user":
            yield from _text(step["asked"], depth + 1)
        for piece in step["pieces"]:
            if piece["kind"] in ("text", "reasoning", "result", "other") and piece["text"]:
                yield from _text(piece["text"], depth + 1)
            elif piece["kind"] == "media":
                yield from _text(f"[{piece['mime'] or 'media'}, {piece['size']:,} bytes]", depth + 1)
        if step["error"]:
            yield from _text(
                f"✗ {step['error']['type']}: {step['error']['message']} ({step['error']['fate']})", depth + 1
            )
        yield from _chat(step["children"], depth + 1)


def _text(text: str, depth: int, aside: str = "") -> Iterator[str]:
    """A text in lines that a terminal has room for, indented, cut where it is very long."""
    indent = "  " * min(depth, 12)
    whole = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text) - _LONGEST:,} characters more)"
    lines = [line for part in whole.splitlines() for line in textwrap.wrap(part, _WIDTH - len(indent)) or [""]]
    for number, line in enumerate(lines or [""]):
        yield f"{indent}{line}{one_aside(aside) if not number else ''}".rstrip()


def one_aside(text: str) -> str:
    """What stands behind a line."""
    return f"   {one_line(text)}" if text.strip() else ""


# ------------------------------------------------------------------------------------------------------------- errors


def _errors(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    if not rows:
        yield "None of its steps has failed."
    for row in rows:
        use, error = row["use"], row["error"]
        where = f"{use['label']}({row['signature']})" if row["signature"] else use["label"]
        yield f"✗ {error['type']} ({error['fate']}) in {one_line(where)}"
        yield from _text(error["message"], 1)
        if error["raised_in"]:
            yield f"  raised in {one_line(error['raised_in'])}"
        if row["next"]:
            yield f"  next: {one_line(row['next'])}"
        yield ""
