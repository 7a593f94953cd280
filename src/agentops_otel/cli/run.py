"""`agentops-otel run`: a program with its sessions recorded and shown, without a change to it."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import click

from .extras import missing
from .output import tell

_PATIENCE: Final = 15.0  # seconds for a box to start
_ENDPOINTS: Final = (
    "AGENTOPS_ENDPOINT",
    "AGENTOPS_API_ENDPOINT",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
)


@click.command(
    short_help="Run a program and record it.",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@click.argument("program", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- PROGRAM [ARGUMENTS]...")
@click.option(
    "--port", type=click.IntRange(1, 65_535), default=4318, metavar="PORT", help="Of the box (default: 4318)."
)
@click.option("--no-box", is_flag=True, help="Start no box; send to the endpoint that is set, or to what answers.")
def command(program: tuple[str, ...], port: int, *, no_box: bool) -> int:
    """Run a program and record it, such as agentops-otel run -- python agent.py.

    It is recorded without a change, like with opentelemetry-instrument: the process is one session, unless the program
    starts its own. Where no endpoint is set and nothing answers at http://127.0.0.1:4318, a box is started there, and
    goes on running. At the program's end its summary is printed, with a link to what was received. The exit code is the
    program's own, and so are signals: on POSIX the program takes this process's place.
    """
    if shutil.which(program[0]) is None:
        raise click.ClickException(_why_not(program[0]))
    environ = {**os.environ, **_instrumented(os.environ)}
    if not any(os.environ.get(name) for name in _ENDPOINTS):
        environ["AGENTOPS_ENDPOINT"] = f"http://127.0.0.1:{port}"
        # opentelemetry-distro sets OpenTelemetry's own variable to gRPC, which this port does not speak.
        environ["AGENTOPS_PROTOCOL"] = environ.get("AGENTOPS_PROTOCOL") or "http/protobuf"
        if not no_box:
            _ensure_box(port)
    if sys.platform != "win32":
        try:
            os.execvpe(program[0], program, environ)  # noqa: S606  (what the user asked for)
        except OSError as error:  # a script without its first line, or one that names what is not there
            why = (error.strerror or type(error).__name__).lower()
            raise click.ClickException(f"{program[0]} cannot be run ({why}): {_interpreted(program[0])}") from None
    return subprocess.run(program, env=environ, check=False).returncode  # noqa: S603  (as above)


def _why_not(name: str) -> str:
    """What is wrong with a name that is none of a program."""
    if not os.path.isfile(name):
        return f"there is no program {name}"
    if not os.access(name, os.X_OK):
        return f"{name} is not executable: {_interpreted(name)}, or chmod +x {shlex.quote(name)}"
    return f"there is no program {name} on the PATH: for the file of that name, say {shlex.quote(f'./{name}')}"


def _interpreted(name: str) -> str:
    return f"say what runs it, such as python {shlex.quote(name)}"


def _instrumented(environ: Mapping[str, str]) -> dict[str, str]:
    """Variables that make each Python that is started load OpenTelemetry's instrumentors, and so ours."""
    from opentelemetry.instrumentation.auto_instrumentation import __file__ as place

    folder = str(Path(place).parent)
    paths = [path for path in environ.get("PYTHONPATH", "").split(os.pathsep) if path and path != folder]
    return {"PYTHONPATH": os.pathsep.join([folder, *paths])}


def _ensure_box(port: int) -> None:
    """Start a box where nothing answers."""
    if _answers(port):
        return
    if missing("server"):
        tell("agentops-otel run: no box is started, as its packages are missing: pip install 'agentops-otel[server]'")
        return
    process, log = _start(port)
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        if _answers(port):
            tell(f"agentops-otel run: a box was started at http://127.0.0.1:{port}; end it with: kill {process.pid}")
            return
        time.sleep(0.05)
    tell(f"agentops-otel run: no box could be started; {log} says why")


def _answers(port: int) -> bool:
    """Whether anything listens there: a box, or a Collector, which gets the spans then."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1.0):
        return True
    return False


def _start(port: int) -> tuple[subprocess.Popen[bytes], str]:
    from ..server.place import data_directory

    folder = data_directory()
    os.makedirs(folder, 0o700, exist_ok=True)
    log = os.path.join(folder, "up.log")
    environ = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    with open(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as output:
        process = subprocess.Popen(  # noqa: S603  (ourselves)
            [sys.executable, "-m", "agentops_otel", "up", "--port", str(port)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environ,
            start_new_session=True,  # it outlives the terminal's Ctrl-C, and the program
        )
    return process, log
