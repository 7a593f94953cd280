"""The command line: one file per command, whose `add()` describes it and whose `run()` does it."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence
from typing import Final, TextIO

from ..exceptions import ConfigurationError
from ..version import __version__
from . import flush, journal

_INTERRUPTED: Final = 128 + 2  # what a shell makes of an end by SIGINT


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `agentops-otel`.

    Args:
        arguments: the words after the program's name; those of the process when left out.

    Returns:
        The exit code: 0 when all is well, 1 when something is left to do or cannot be printed, 2 for a wrong command
        line, 130 after Ctrl-C.
    """
    parser = argparse.ArgumentParser(prog="agentops-otel", description="Sessions of AI agents over OpenTelemetry.")
    parser.add_argument("--version", action="version", version=f"agentops-otel {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command", required=True)
    for command in (flush, journal):
        added = command.add(commands)
        added.add_argument(
            "--journal-dir", metavar="FOLDER", help="the journal's folder (default: AGENTOPS_JOURNAL_DIR)"
        )
        added.set_defaults(run=command.run)
    options = parser.parse_args(arguments)
    code: int
    try:
        code, text = options.run(options)
    except ConfigurationError as error:
        _tell(options.command, str(error))
        return 2
    except KeyboardInterrupt:
        return _INTERRUPTED
    return code if _print(options.command, text) else 1


def _print(command: str, text: str) -> bool:
    """Print as much as the standard output can show; False when it takes nothing."""
    out: TextIO | None = sys.stdout
    if out is None:  # the caller has closed it
        return True
    encoding = getattr(out, "encoding", None) or "utf-8"
    try:
        out.write(text.encode(encoding, "backslashreplace").decode(encoding))
        out.flush()
    except OSError as error:
        # The interpreter flushes once more at its end: https://docs.python.org/3/library/signal.html#note-on-sigpipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())
        if not isinstance(error, BrokenPipeError):  # nobody wants to read on
            _tell(command, f"cannot print: {error.strerror}")
        return False
    return True


def _tell(command: str, why: str) -> None:
    with contextlib.suppress(AttributeError, OSError):  # without a standard error there is nowhere to tell it
        sys.stderr.write(f"agentops-otel {command}: {why}\n")
