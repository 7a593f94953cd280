"""`agentops-otel diff`: where two sessions part."""

from __future__ import annotations

from typing import Any, Final

import click

from ..figures import format_cost
from .figures import nanoseconds
from .output import Column, emit, emit_json, emit_table, one_line
from .source import Source, newest, reads

_COLUMNS: Final = (
    Column("mark", ""),
    Column("step", "STEP", grows=True),
    Column("a_ns", "A", nanoseconds, right=True),
    Column("b_ns", "B", nanoseconds, right=True),
    Column("a_cost", "COST A", format_cost, right=True),
    Column("b_cost", "COST B", format_cost, right=True),
    Column("changes", "WHAT DIFFERS"),
)


@click.command(short_help="Compare two sessions.")
@click.argument("a")
@click.argument("b")
@reads
def command(a: str, b: str, source: Source, *, as_json: bool) -> int:
    """Compare sessions A and B, given by id, the beginning of one, or last: step by step, from the first difference on.

    Steps that only one of them has are marked < (A) or > (B). The exit code is 0 when they took the same steps, 1 when
    they did not.
    """
    keys = [newest(source) if key == "last" else key for key in (a, b)]
    page = source.page("/compare", {"a": keys[0], "b": keys[1]})
    sides = page["sides"]
    if sides is None:
        raise click.ClickException("there is nothing to compare: give two sessions")
    if as_json:
        emit_json(sides)
    else:
        emit(f"A {_title(sides['a'])}\nB {_title(sides['b'])}\n")
        emit_table(_COLUMNS, [row for step in sides["steps"] for row in _rows(step)])
    return int(sides["first"] is not None)


def _title(row: dict[str, Any]) -> str:
    return f"{row['session_id'][:8]} {one_line(row['name'])}: {one_line(row['ending'])}"


def _rows(step: dict[str, Any]) -> list[dict[str, Any]]:
    if "pairs" in step:
        count = len(step["pairs"])
        return [{"mark": "=", "step": f"{count} {'step' if count == 1 else 'steps'} alike"}]
    a, b = step.get("a"), step.get("b")
    shown = a or b or {}
    return [
        {
            "mark": ">" if a is None else "<" if b is None else "~",
            "step": shown.get("label", ""),
            "a_ns": (a or {}).get("duration_ns"),
            "b_ns": (b or {}).get("duration_ns"),
            "a_cost": (a or {}).get("cost"),
            "b_cost": (b or {}).get("cost"),
            "changes": step["difference"],
        }
    ]
