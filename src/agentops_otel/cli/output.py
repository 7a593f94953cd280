"""What commands print: text that no terminal obeys, on whatever standard output there is."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TextIO

import click

from ..secrets import scrub

# Whole sequences first, so that nothing of a hidden link or a title stays behind (ECMA-48).
_SEQUENCES: Final = re.compile(
    r"(?:\x1b\]|\x9d)[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c|$)"  # operating system commands, such as links (OSC 8)
    r"|(?:\x1b[PX^_]|[\x90\x98\x9e\x9f])[^\x1b\x9c]*(?:\x1b\\|\x9c|$)"  # strings for devices
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # colours, movements, erasing
    r"|\x1b[ -/]*[0-~]"
)
# C0 but for tab and line feed, DEL, C1, and what turns the direction of the text around it.
_CONTROLS: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


class CannotPrint(Exception):
    """The standard output takes nothing more; `why` is empty when its reader has gone away."""

    def __init__(self, why: str) -> None:
        super().__init__(f"cannot print: {why}")
        self.why = why


def clean(text: str) -> str:
    """`text` without what a terminal would obey."""
    return _CONTROLS.sub("", _SEQUENCES.sub("", text))


def emit(text: str) -> None:
    """Print a text of several lines, cleaned, as much as the standard output can show.

    Raises:
        CannotPrint: the standard output takes nothing more.
    """
    _write(clean(text))


def _write(text: str) -> None:
    out: TextIO | None = sys.stdout
    if out is None:  # the caller has closed it
        return
    encoding = getattr(out, "encoding", None) or "utf-8"
    try:
        out.write(text.encode(encoding, "backslashreplace").decode(encoding))
        out.flush()
    except OSError as error:
        # The interpreter flushes once more at its end: https://docs.python.org/3/library/signal.html#note-on-sigpipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())
        raise CannotPrint("" if isinstance(error, BrokenPipeError) else error.strerror or str(error)) from None


def tell(text: str) -> None:
    """Print a line on the standard error, where there is one; without secrets, as it may repeat what was given."""
    with contextlib.suppress(AttributeError, OSError, ValueError):
        sys.stderr.write(f"{clean(scrub(text))}\n")
        sys.stderr.flush()


def emit_json(value: Any, indent: int | None = 2) -> None:
    """Print a value as JSON, in ASCII alone."""
    emit(json.dumps(value, indent=indent) + "\n")


# ------------------------------------------------------------------------------------------------------------- tables


@dataclass(frozen=True)
class Column:
    """A column of a table."""

    key: str
    """Of the value in a row, and the column's name in TSV."""
    title: str = ""
    show: Callable[[Any], str] = str
    """The value for a person; None is blank without asking."""
    right: bool = False
    grows: bool = False
    """Takes the room that is left, and is cut first."""
    indents: bool = False
    """Begins with spaces that mean something."""
    style: Callable[[Any], str] | None = None
    """The value -> a style of rich."""


def on_terminal() -> bool:
    """Whether a person reads the standard output."""
    return sys.stdout is not None and sys.stdout.isatty()


def emit_table(columns: Sequence[Column], rows: Sequence[Mapping[str, Any]]) -> None:
    """Print rows: a table for a person, tab-separated values with a line of names for a program."""
    if on_terminal():
        _emit_rich(columns, rows)
        return
    lines = ["\t".join(column.key for column in columns)]
    lines += ["\t".join(_value(row.get(column.key)) for column in columns) for row in rows]
    emit("\n".join(lines) + "\n")


def one_line(text: str) -> str:
    """`text` cleaned, with a space for each stretch of white space."""
    return " ".join(clean(text).split())


def _value(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, (list, tuple)):
        return ",".join(map(_value, value))
    if isinstance(value, bool):
        return "true" if value else "false"
    return one_line(str(value))


def _emit_rich(columns: Sequence[Column], rows: Sequence[Mapping[str, Any]]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="dim", expand=any(column.grows for column in columns))
    for column in columns:
        table.add_column(
            column.title,
            justify="right" if column.right else "left",
            no_wrap=True,
            overflow="ellipsis",
            ratio=1 if column.grows else None,
        )
    for row in rows:
        cells = []
        for column in columns:
            value = row.get(column.key)
            style = column.style(value) if column.style and value is not None else ""
            text = "" if value is None else column.show(value)
            indent = text[: len(text) - len(text.lstrip(" "))] if column.indents else ""
            cells.append(Text(indent + one_line(text), style=style))
        table.add_row(*cells)
    emit_rich(table)


def emit_rich(*parts: Any) -> None:
    """Print what rich draws; every text in it was cleaned before, or is of our own."""
    from rich.console import Console

    made = io.StringIO()
    # Written to memory, so that it can be printed like every other text; width and colours are those of the terminal.
    terminal = Console()
    console = Console(
        file=made,
        width=terminal.width,
        force_terminal=terminal.is_terminal,
        no_color=terminal.no_color,
        color_system=terminal.color_system,  # type: ignore[arg-type]
        highlight=False,
        legacy_windows=False,
    )
    for part in parts:
        console.print(part)
    _write(made.getvalue())


# ----------------------------------------------------------------------------------------------------------- progress


@contextlib.contextmanager
def progress(label: str, length: int) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal, nothing elsewhere; gives what is called with how much was done since."""
    if sys.stderr is None or not sys.stderr.isatty() or length <= 0:
        yield lambda done: None
        return
    with click.progressbar(length=length, label=label, file=sys.stderr) as bar:
        yield bar.update
