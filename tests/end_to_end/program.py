"""Programs that run as a user's do: each a process of its own that knows its backend by its environment alone."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import agentops_otel

ROOT = Path(__file__).parents[2]
OPENAI_KEY = "sk-openai-0123456789abcdef"
TIME_LIMIT = 60.0
_OURS = ("AGENTOPS_", "OTEL_", "OPENAI_", "TRACEPARENT", "TRACESTATE", "BAGGAGE", "PYTHONWARNINGS")


class Done:
    """A program that has ended."""

    def __init__(self, code: int, stdout: str, stderr: str) -> None:
        self.code = code
        self.stdout = stdout
        self.stderr = stderr

    @property
    def warnings(self) -> list[str]:
        """The lines on standard error that are not a session's summary."""
        return [line for line in self.stderr.splitlines() if not line.startswith("agentops-otel: Session")]


class Program:
    """A running program; it is ended with the test, whatever happens."""

    def __init__(self, command: list[str], environ: dict[str, str], folder: Path) -> None:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            command, env=environ, cwd=folder, stdin=pipe, stdout=pipe, stderr=pipe, text=True, encoding="utf-8"
        )

    def line(self) -> str:
        """The next line that it prints."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"the program ended: {self.wait().stderr}"
        return line.strip()

    def go_on(self) -> None:
        """Give it the line that it waits for."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def wait(self) -> Done:
        """Wait for its end."""
        stdout, stderr = self.process.communicate(timeout=TIME_LIMIT)
        return Done(self.process.returncode, stdout, stderr)

    def stop(self) -> None:
        """End it now."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


class Programs:
    """Starts programs given as text.

    Args:
        folder: where their files are put.
        backend: endpoint that they send to unless told otherwise.
        llm: the API that the `openai` package talks to.
    """

    def __init__(self, folder: Path, backend: str, llm: str) -> None:
        self._folder = folder
        self._started: list[Program] = []
        self._environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith(_OURS)},
            "AGENTOPS_ENDPOINT": backend,
            "AGENTOPS_SHUTDOWN_TIMEOUT": "20",  # a busy machine is not what is tested
            "OPENAI_BASE_URL": llm,
            "OPENAI_API_KEY": OPENAI_KEY,
            "PYTHONUTF8": "1",
        }
        if not _installed():
            self._add_path(Path(agentops_otel.__file__).parents[1])

    def start(self, text: str, *arguments: str, launcher: str | None = None, **environ: str | None) -> Program:
        """Start a program.

        Args:
            text: its source.
            arguments: its command line.
            launcher: a console script of this environment that starts it.
            environ: variables to set, or with None to leave out.
        """
        path = self._folder / f"program{len(self._started)}.py"
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        start = [str(Path(sys.executable).with_name(launcher))] if launcher else []
        given = {name: value for name, value in {**self._environ, **environ}.items() if value is not None}
        program = Program([*start, sys.executable, str(path), *arguments], given, self._folder)
        self._started.append(program)
        return program

    def run(self, text: str, *arguments: str, launcher: str | None = None, **environ: str | None) -> Done:
        """Run a program to its end; it must end well."""
        done = self.start(text, *arguments, launcher=launcher, **environ).wait()
        assert done.code == 0, done.stderr
        return done

    def install(self) -> None:
        """Make the entry points known where the package is not installed, as in a development environment."""
        if _installed():
            return
        import tomllib

        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        metadata = self._folder / "metadata" / "agentops_otel-0.dist-info"
        metadata.mkdir(parents=True)
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: 0\n")
        groups = project["entry-points"].items()
        lines = [
            f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in points.items())
            for group, points in groups
        ]
        (metadata / "entry_points.txt").write_text("\n".join(lines))
        self._add_path(metadata.parent)

    def stop(self) -> None:
        """End all of them."""
        for program in self._started:
            program.stop()

    def _add_path(self, path: Path) -> None:
        known = self._environ.get("PYTHONPATH", "")
        self._environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(path), known]))


def _installed() -> bool:
    try:
        distribution("agentops-otel")
    except PackageNotFoundError:
        return False
    return True
