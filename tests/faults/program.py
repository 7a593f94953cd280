"""A program that records spans while its backend fails, and what became of them."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tests.fakes.program import Ended, Program

_HEAD = """\
import os, signal, sys, threading, time
import agentops_otel as agentops
from tests.faults.truth import pause, span, spans, spans_until_told, start, tell, tell_end, tell_memory
"""
_COMMAND = "import runpy, sys; sys.argv[1:] = {}; runpy.run_module('agentops_otel', run_name='__main__')"
_TAIL = "\ntell_end()\n"


class Exit(NamedTuple):
    """How a victim ended."""

    code: int
    seconds: float  # from the end of its main program, else from the signal, to the end of the process
    lines: list[str]  # on standard error
    starved: float  # seconds of it for which its main thread waited for a processor
    stood: str  # where its threads stood when it was late


class Victim(Program):
    """A running victim.

    Args:
        body: its program, in the words of `truth.py`.
        truth: the file for what it says.
        variables: its environment.
    """

    def __init__(self, body: str, truth: Path, variables: Mapping[str, str]) -> None:
        self._truth = truth
        super().__init__(_HEAD + textwrap.dedent(body) + _TAIL, {**variables, "TRUTH": str(truth)})

    def wait_for(self, line: str) -> None:
        """Wait until it prints this line."""
        said = self.line()
        assert said == line, said or super().end().err

    def go_on(self) -> None:
        """Let it go on after `pause()` or `spans_until_told()`."""
        stream = self._process.stdin
        assert stream is not None
        stream.write("\n")
        stream.flush()

    def told(self, what: str) -> list[str]:
        """What it has told so far."""
        if not self._truth.exists():
            return []
        lines = (line.partition(" ") for line in self._truth.read_text(encoding="utf-8").splitlines())
        return [value for kind, _, value in lines if kind == what]

    def number(self, what: str) -> float:
        """A measurement that it told."""
        return float(self.told(what)[-1])

    @property
    def spans(self) -> set[str]:
        """The ids of the spans that it has ended so far."""
        return set(self.told("span"))

    @property
    def roots(self) -> set[str]:
        """The ids of its sessions' root spans."""
        return {session.replace("-", "")[:16] for session in self.told("session")}

    def exit(self, timeout: float = 60.0) -> Exit:
        """Wait for its end."""
        ended: Ended = self.end(timeout)
        late = Path(f"{self._truth}.late")
        stood = late.read_text(encoding="utf-8") if late.exists() else ""
        seconds, waited, lines = ended.seconds, ended.starved, ended.err.splitlines()
        if self.told("main"):
            seconds = self.mark + seconds - self.number("main")
            waited = self.starved + waited - self.number("starved")
        return Exit(ended.code, seconds, lines, waited, stood)


def command(*arguments: str, variables: Mapping[str, str]) -> Program:
    """Start `agentops-otel` with these arguments."""
    return Program(_COMMAND.format(list(arguments)), dict(variables))
