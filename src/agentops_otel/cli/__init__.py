"""The command line: one file per command, each with `add()` that describes it and `run()` that does it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from ..exceptions import ConfigurationError
from . import flush, journal


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `agentops-otel`.

    Args:
        arguments: the words after the program's name; those of the process when left out.

    Returns:
        The exit code: 0 when all is well, 1 when something is left to do, 2 for a wrong command line.
    """
    parser = argparse.ArgumentParser(prog="agentops-otel", description="Sessions of AI agents over OpenTelemetry.")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command", required=True)
    for command in (flush, journal):
        added = command.add(commands)
        added.add_argument(
            "--journal-dir", metavar="FOLDER", help="the journal's folder (default: AGENTOPS_JOURNAL_DIR)"
        )
        added.set_defaults(run=command.run)
    options = parser.parse_args(arguments)
    try:
        code: int = options.run(options)
    except ConfigurationError as error:
        sys.stderr.write(f"agentops-otel {options.command}: {error}\n")
        return 2
    return code
