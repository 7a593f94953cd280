"""One server process: started, waited for until it is healthy, and ended by its id whatever happens."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from typing_extensions import Self

TRIES = 3  # another process may take a port between our asking for a free one and the server's binding it
START_TIMEOUT = 30.0
STOP_TIMEOUT = 5.0

# Asks Linux to end the server when its starter dies without a chance to do so (SIGKILL); then becomes the server.
_TIED_TO_STARTER = """
import ctypes, os, signal, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # 1: PR_SET_PDEATHSIG
os.execv(sys.argv[1], sys.argv[1:])
"""


class ServerError(Exception):
    """A server did not start, or does not answer; the text has the end of its output."""


class Server:
    """A server on free loopback ports; a context manager.

    A subclass names its ports in `PORTS` and says how it is started and where it answers when it is healthy.
    """

    PORTS: tuple[str, ...] = ()

    def __init__(self, program: Path, folder: Path) -> None:
        self.program = program
        self.log = folder / f"{type(self).__name__.lower()}.log"
        self.ports: dict[str, int] = {}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def health_url(self) -> str:
        """URL that answers 200 when the server is ready."""
        raise NotImplementedError

    def arguments(self) -> list[str]:
        """The command line after the program."""
        raise NotImplementedError

    def environ(self) -> Mapping[str, str]:
        """Environment variables beside PATH and HOME."""
        return {}

    def url(self, port: str) -> str:
        """URL of one of `PORTS`."""
        return f"http://{self.address(port)}"

    def address(self, port: str) -> str:
        """`host:port` of one of `PORTS`."""
        return f"127.0.0.1:{self.ports[port]}"

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return None if self._process is None else self._process.pid

    def __enter__(self) -> Self:
        for attempt in range(1, TRIES + 1):
            self.ports = dict(zip(self.PORTS, free_ports(len(self.PORTS)), strict=True))
            self._launch()
            try:
                self._wait_until_healthy()
            except BaseException as error:
                self.stop()
                if isinstance(error, ServerError) and attempt < TRIES and "address already in use" in self.output():
                    continue
                raise
            break
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End the server: SIGTERM, and SIGKILL when that is not enough. May be called again."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def kill(self) -> None:
        """End the server with SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def start_again(self) -> None:
        """Start a server that was killed, on the same ports."""
        self._launch()
        self._wait_until_healthy()

    def output(self) -> str:
        """What the server has printed."""
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""

    def _launch(self) -> None:
        command = [sys.executable, "-c", _TIED_TO_STARTER, str(self.program), *self.arguments()]
        kept = {name: os.environ[name] for name in ("HOME", "PATH", "TMPDIR") if name in os.environ}
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**kept, **self.environ()}
            )

    def _wait_until_healthy(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + START_TIMEOUT
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise ServerError(f"{self.program.name} ended with code {self._process.returncode}: {self._tail()}")
            if answers(self.health_url):
                return
            time.sleep(0.05)
        raise ServerError(f"{self.program.name} was not healthy after {START_TIMEOUT:.0f} s: {self._tail()}")

    def _tail(self) -> str:
        return self.output()[-2000:] or "no output"


def free_ports(count: int) -> list[int]:
    """Different loopback TCP ports that nothing listens on right now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def answers(url: str) -> bool:
    """Whether a GET of the URL is answered with 200."""
    try:
        with loopback(url) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def loopback(url: str) -> urllib.response.addinfourl:
    """The answer to a GET, never through a proxy of the environment."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    return opener.open(url, timeout=5.0)  # type: ignore[no-any-return]
