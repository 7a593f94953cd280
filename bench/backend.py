"""A backend in a process of its own that takes some time for each request, and the environment of its programs."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
_SOURCE = """
import sys
from tests.fakes.fault_server import FaultServer, slow
with FaultServer(sys.argv[1], slow(float(sys.argv[2])), slim=True) as backend:
    print(backend.url, flush=True)
    for _ in sys.stdin:
        print(len(set(backend.span_ids())), flush=True)
"""


class Backend(NamedTuple):
    """A backend that runs.

    Attributes:
        url: its endpoint.
        environ: for programs that send to it: without settings, with a home folder of their own.
        arrived: asks it how many spans it has.
    """

    url: str
    environ: Mapping[str, str]
    arrived: Callable[[], int]

    def run(self, *arguments: str, check: bool = True) -> str:
        """Run Python with these arguments; what it prints."""
        command = [sys.executable, *arguments]
        return subprocess.run(command, env=self.environ, stdout=subprocess.PIPE, text=True, check=check).stdout

    def flush(self) -> None:
        """Send what the programs have left."""
        self.run("-m", "agentops_otel", "flush", "--endpoint", self.url, check=False)


@contextmanager
def backend(protocol: str, delay: float) -> Iterator[Backend]:
    """Run a backend whose requests take `delay` seconds."""
    with tempfile.TemporaryDirectory() as home:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("AGENTOPS_", "OTEL_"))}
        environ = {**clean, "HOME": home, "XDG_STATE_HOME": home, "PYTHONPATH": f"{ROOT}/src:{ROOT}"}
        process = subprocess.Popen(
            [sys.executable, "-c", _SOURCE, protocol, str(delay)],
            env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        asked, said = process.stdin, process.stdout

        def arrived() -> int:
            print(file=asked, flush=True)
            return int(said.readline())

        try:
            yield Backend(said.readline().strip(), environ, arrived)
        finally:
            asked.close()
            process.wait()
