"""The box in a process of its own, as a person starts it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from tests.fakes.sessions import Run


@dataclass
class Box:
    """`python -m agentops_otel.server` on a free port, with a store of its own."""

    folder: Path
    arguments: tuple[str, ...] = ()
    url: str = ""
    process: subprocess.Popen[str] | None = None

    def start(self, port: int = 0) -> Box:
        """Start it, and wait for the line that says its address."""
        command = [
            sys.executable,
            "-m",
            "agentops_otel.server",
            "--db",
            str(self.folder / "box.db"),
            "--port",
            str(port),
        ]
        environ = {**os.environ, "XDG_DATA_HOME": str(self.folder), "XDG_STATE_HOME": str(self.folder)}
        self.process = subprocess.Popen(
            [*command, "--no-auth", *self.arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environ,
        )
        assert self.process.stdout is not None
        lines = []
        for line in self.process.stdout:
            lines.append(line)
            if found := re.search(r"http://127\.0\.0\.1:\d+", line):
                self.url = found[0]
                return self
        raise AssertionError("".join(lines))

    def stop(self) -> int:
        """End it as Ctrl-C does; its exit code."""
        if self.process is None:
            return 0
        self.process.send_signal(signal.SIGINT)
        try:
            code = self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
        self.process = None
        return code

    @property
    def db(self) -> Path:
        """Its store."""
        return self.folder / "box.db"

    @property
    def port(self) -> int:
        """The port it listens at."""
        return int(self.url.rpartition(":")[2])

    def post(self, *runs: Run) -> None:
        """Send sessions over OTLP; they are stored when this returns."""
        for run in runs:
            self.send(run.traces(), "traces")
            self.send(run.logs(), "logs")

    def send(self, body: bytes, signal_name: str) -> None:
        """One OTLP request."""
        headers = {"content-type": "application/x-protobuf"}
        with urlopen(Request(f"{self.url}/v1/{signal_name}", body, headers)) as answer:
            assert answer.status == 200

    def json(self, path: str) -> dict[str, Any]:
        """A page's data."""
        with urlopen(self.url + path) as answer:
            data: dict[str, Any] = json.load(answer)
            return data
