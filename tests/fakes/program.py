"""Programs that run in a process of their own, ended with the test whatever becomes of it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

ROOT = Path(__file__).parents[2]
# What `nohup` or a shell's `&` has told our own process to ignore, a program would ignore, too.
_HEAR = """\
import signal as _signal
_signal.signal(_signal.SIGINT, _signal.default_int_handler)
if hasattr(_signal, "SIGHUP"): _signal.signal(_signal.SIGHUP, _signal.SIG_DFL)
del _signal
"""


@dataclass(frozen=True)
class Ended:
    """What became of a program; `code` is negative after a signal, the times are from `Program.mark` to the end."""

    code: int
    out: str
    err: str
    seconds: float
    starved: float  # see `starved()`


def starved(pid: int) -> float:
    """Seconds for which the main thread of a process was ready to run and had no processor; 0 where it is not told.

    https://docs.kernel.org/scheduler/sched-stats.html
    """
    with contextlib.suppress(OSError):
        return int(Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()[1]) / 1e9
    return 0.0


class _Process(subprocess.Popen[str]):
    """Looks how much the main thread was starved, before the system forgets it."""

    starved = 0.0

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            self.starved = starved(self.pid)
        return super().wait(timeout)


class Program:
    """A Python program given as text, with this checkout importable and no setting of the machine in its environment.

    Args:
        source: the program; indentation common to all lines is taken off.
        variables: further environment variables.
        home: the user's home and data directory of the program.
    """

    def __init__(self, source: str, variables: dict[str, str] | None = None, *, home: Path | None = None) -> None:
        environ = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AGENTOPS_", "OTEL_", "PYTHON")) and not name.lower().endswith("_proxy")
        }
        environ["PYTHONPATH"] = os.pathsep.join((str(ROOT / "src"), str(ROOT)))
        if home is not None:
            environ |= {"HOME": str(home), "XDG_DATA_HOME": str(home)}
        self.mark, self.starved = time.monotonic(), 0.0
        self._process = _Process(
            [sys.executable, "-c", _HEAR + textwrap.dedent(source)],
            env={**environ, **(variables or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def line(self) -> str:
        """The next line that the program prints."""
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def send(self, number: int) -> None:
        """Send a signal; `seconds` counts from here."""
        time.sleep(0.2)  # one that comes just before Python blocks in sleep() or join() is looked at after that
        self.mark, self.starved = time.monotonic(), starved(self.pid)
        os.kill(self.pid, number)

    def answer(self, text: str, timeout: float = 30.0) -> Ended:
        """Write to the program's input, close it, and wait for the program's end."""
        out, err = self._process.communicate(text, timeout=timeout)
        seconds, process = time.monotonic() - self.mark, self._process
        return Ended(process.returncode, out, err, seconds, process.starved - self.starved)

    def end(self, timeout: float = 30.0) -> Ended:
        """Wait for the program's end."""
        return self.answer("", timeout)

    def __enter__(self) -> Program:  # noqa: PYI034  (typing.Self is newer than Python 3.10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        with contextlib.suppress(ValueError):  # another thread reads what is left, and has closed it
            self._process.communicate()


def run(
    source: str, variables: dict[str, str] | None = None, *, home: Path | None = None, timeout: float = 30.0
) -> Ended:
    """Run a program to its end."""
    with Program(source, variables, home=home) as program:
        return program.end(timeout)
