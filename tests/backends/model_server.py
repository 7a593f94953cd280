"""A real model server on loopback: `transformers serve` with a tiny model of random weights, on the processor.

Its packages (5 GB, of which most is never used) live in an environment of their own in the user's cache, named after
them and made once.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Final

from typing_extensions import Self

from tools.backends import cache, last_line

PACKAGES: Final = ("transformers[serving]==5.24.0", "torch==2.15.0")
_MAKES_THE_MODEL: Final = Path(__file__).parents[1] / "fakes" / "tiny_model.py"
_LONGEST_START: Final = 120  # seconds
# No network, no graphics card, and one core of those that the tests share.
_ENVIRON: Final = {"HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}


class ModelServerError(Exception):
    """The server cannot be had; the text says why."""


def environment() -> Path:
    """The Python of the environment, made first if it is not there."""
    name = hashlib.sha256(" ".join((*PACKAGES, sys.version)).encode()).hexdigest()[:8]
    folder = cache() / f"model-server-{name}"
    python, complete = folder / "bin" / "python", folder / "complete"
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / "model-server.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not complete.exists():
            _install(folder, python)
            complete.touch()
    return python


def _install(folder: Path, python: Path) -> None:
    uv = shutil.which("uv")
    if uv is None:
        make, install = [sys.executable, "-m", "venv", "--clear"], [str(python), "-m", "pip", "install"]
    else:
        make, install = [uv, "venv", "--clear", "-p", sys.executable], [uv, "pip", "install", "-p", str(python)]
    log = folder.with_suffix(".log")
    with log.open("w", encoding="utf-8") as output:
        for command in ([*make, str(folder)], [*install, *PACKAGES]):
            if subprocess.run(command, stdout=output, stderr=output, check=False).returncode != 0:
                raise ModelServerError(
                    f"{' '.join(PACKAGES)} cannot be installed: {last_line(log)}. The whole output: {log}"
                )


class ModelServer:
    """The server; a context manager that starts it and stops it.

    Args:
        python: of the `environment()`.
        folder: an empty folder for the model and the log.

    Attributes:
        model: what requests name.
    """

    def __init__(self, python: Path, folder: Path) -> None:
        self._python = python
        self._log = folder / "log"
        self._home = folder / "home"
        self.model = str(folder / "model")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        environ = {**os.environ, **_ENVIRON, "HF_HOME": str(self._home)}
        with self._log.open("wb") as log:
            make = [str(self._python), "-I", str(_MAKES_THE_MODEL), self.model]
            made = subprocess.run(make, env=environ, stdout=log, stderr=log, check=False)
            if made.returncode != 0:
                raise ModelServerError(f"the model was not made: {last_line(self._log)}")
            program = self._python.with_name("transformers")
            options = ("--host", "127.0.0.1", "--port", str(self.port), "--device", "cpu", "--default-seed", "1")
            command = [str(program), "serve", self.model, *options]
            self._process = subprocess.Popen(command, env=environ, stdout=log, stderr=log)
        try:
            self._wait(self._process)
        except BaseException:
            self._stop(self._process)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._stop(self._process)

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        until = time.monotonic() + _LONGEST_START
        while process.poll() is None and time.monotonic() < until:
            try:
                with urllib.request.urlopen(f"{self.url}/health", timeout=5) as answer:
                    if answer.status == 200:
                        return
            except OSError:
                time.sleep(0.2)
        raise ModelServerError(f"the server did not start: {last_line(self._log)}")

    @staticmethod
    def _stop(process: subprocess.Popen[bytes]) -> None:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
