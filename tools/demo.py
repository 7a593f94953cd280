"""`make demo`: a team of agents runs on this machine, and the dashboard shows what they did.

    python tools/demo.py            # until Ctrl-C
    python tools/demo.py --once     # prints the session, and leaves nothing running

No key, no account, nothing leaves this machine: a stand-in answers instead of OpenAI, the box is on loopback, its store
is in .venv.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from agentops_otel import cli
from agentops_otel.cli import browser
from agentops_otel.cli.open import link_to

ROOT: Final = Path(__file__).resolve().parent.parent
EXAMPLE: Final = ROOT / "examples" / "research_team.py"
STORE: Final = Path(os.environ.get("DEMO_STORE") or ROOT / ".venv" / "demo-sessions.db")
_PORT: Final = 4318
_OURS: Final = ("AGENTOPS_", "OPENAI_", "OTEL_", "TRACEPARENT", "BAGGAGE")


def main(arguments: list[str]) -> int:
    """Run the demo; returns the exit code."""
    once = "--once" in arguments
    for number in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, lambda which, _: sys.exit(128 + which))  # so that the box ends with us
    try:
        with box() as (process, address):
            cli.main(["demo", "--url", address])
            session_id = run_example(address)
            if once:
                return cli.main(["show", session_id, "--chat", "--url", address])
            link = link_to(address, f"/s/{session_id}")
            print(f"\nThe session, and those of a week before it:\n\n  {link}\n\nCtrl-C ends it.", flush=True)
            browser.show(link)
            return process.wait()
    except KeyboardInterrupt:
        return 0


@contextlib.contextmanager
def box() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A running box and its address; it ends with the context."""
    STORE.parent.mkdir(exist_ok=True)
    command = [
        sys.executable,
        "-m",
        "agentops_otel",
        "up",
        f"--port={_free_port()}",
        "--grpc-port=off",
        f"--db={STORE}",
    ]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        env=_environ(),
        start_new_session=True,  # Ctrl-C is for us
    ) as process:
        try:
            assert process.stdout is not None  # noqa: S101  (a pipe was asked for)
            said = "".join(iter(process.stdout.readline, "Ctrl-C ends it.\n"))
            yield process, str(re.search(r"(http://\S+) \(HTTP\)", said)[1])  # type: ignore[index]
        finally:
            process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()


def _free_port() -> int:
    """The usual port, or 0 where that is taken."""
    with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", _PORT)):
        return _PORT
    return 0


def run_example(address: str) -> str:
    """Let the agents work, and show what they print; returns the id of their session."""
    with subprocess.Popen(
        [sys.executable, str(EXAMPLE)],
        stdout=subprocess.PIPE,
        text=True,
        env={**_environ(), "AGENTOPS_ENDPOINT": address},
    ) as process:
        assert process.stdout is not None  # noqa: S101  (a pipe was asked for)
        session_id = ""
        for line in process.stdout:
            sys.stdout.write(line)
            sys.stdout.flush()
            if found := re.fullmatch(r"session (\S+)\n", line):
                session_id = found[1]
    return session_id


def _environ() -> dict[str, str]:
    """The environment without what would send the session elsewhere."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
