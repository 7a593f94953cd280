"""The reference of docs/cli.md, from the commands themselves; the text above it is written by hand."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

import click

from agentops_otel.cli.entry import program

BEGIN = "<!-- The rest is written by tools/pages/cli.py from the commands in src/agentops_otel/cli. -->\n"


def generated() -> str:
    """The reference."""
    context = click.Context(program, info_name="agentops-otel")
    parts = [_section(name, command, 2) for name, command in _commands(program, context)]
    return "\n" + "\n".join(parts)


def _commands(group: click.Group, context: click.Context) -> Iterator[tuple[str, click.Command]]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None  # noqa: S101  (it is in the list)
        yield name, command


def _section(name: str, command: click.Command, level: int) -> str:
    text = f"{'#' * level} {name}\n\n```\nagentops-otel {_usage(name, command)}\n```\n\n{_help(command)}\n"
    rows = [_row(option) for option in command.params if isinstance(option, click.Option)]
    if rows:
        text += "\n| option | |\n|---|---|\n" + "".join(rows)
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=name)
        for inner, each in _commands(command, context):
            text += "\n" + _section(f"{name} {inner}", each, level + 1)
    return text


def _usage(name: str, command: click.Command) -> str:
    arguments = [
        each.metavar or (each.human_readable_name.upper() if each.required else f"[{each.human_readable_name.upper()}]")
        for each in command.params
        if isinstance(each, click.Argument)
    ]
    inner = ["COMMAND"] if isinstance(command, click.Group) else []
    options = ["[OPTIONS]"] if any(isinstance(each, click.Option) for each in command.params) else []
    return " ".join([name, *options, *arguments, *inner])


def _help(command: click.Command) -> str:
    paragraphs = inspect.cleandoc(command.help or "").split("\n\n")
    return "\n\n".join(_escaped(" ".join(each.split())) for each in paragraphs)


def _row(option: click.Option) -> str:
    if option.is_flag:
        value = ""
    elif isinstance(option.type, click.Choice):
        value = " " + " or ".join(map(str, option.type.choices)) if len(option.type.choices) < 3 else ""
    else:
        value = f" {option.metavar or option.type.name.upper()}"
    names = ", ".join(f"`{name}{value}`" for name in option.opts)
    text = _escaped(option.help or "")
    if isinstance(option.type, click.Choice) and not option.is_flag:
        text = text.rstrip(".") + ": " + ", ".join(f"`{choice}`" for choice in option.type.choices) + "."
        if isinstance(option.default, str):
            text = f"{text[:-1]} (default: `{option.default}`)."
    return f"| {names} | {text} |\n"


def _escaped(text: str) -> str:
    """As Markdown: what it would take for HTML or for a column is shown."""
    return re.sub(r"([<>|*])", r"\\\1", text)
