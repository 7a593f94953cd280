"""Every text that a user can see is in one file, `golden/messages.txt`, so that a person can read them all.

Its first part is what programs really print when things go wrong, its second every text of two words or more in the
source, so that none escapes. Write it anew with::

    AGENTOPS_TEST_GOLDEN=write python -m pytest tests/test_messages.py

and read the difference: whole sentences, plain words, and nothing that is not true.
"""

from __future__ import annotations

import ast
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentops_otel.summary import Summary, render
from agentops_otel.usage import Usage
from tests.fakes import fault_server
from tests.fakes.fault_server import FaultServer
from tests.fakes.program import ROOT

GOLDEN = ROOT / "tests" / "golden" / "messages.txt"
PROGRAM = ROOT / "tests" / "golden" / "program.py"
PACKAGE = ROOT / "src" / "agentops_otel"
WORDS = re.compile(r"[A-Za-z]{2,},? [A-Za-z(]")
VOLATILE = (
    (re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "<id>"),
    (re.compile(r"\btrace [0-9a-f]{32}\b"), "trace <id>"),
    (re.compile(r"127\.0\.0\.1:\d+"), "<host>"),
    (re.compile(r"/[^\s;,:()']*/agentops-otel/journal"), "<journal>"),
    (re.compile(r"(?<=journal>/)[0-9a-f]{16}"), "<destination>"),
    (re.compile(r"\b[\d.]+ (?:ms|s)\b(?= *[;│])|<1 ms"), "<time>"),
    (re.compile(r"\b[\d.]+ (?:ms|s) ago"), "<time> ago"),
    (re.compile(r"\b[\d,]+ bytes"), "<size> bytes"),
)
VARIABLES = {
    "AGENTOPS_PROTOCOL": "htp",
    "AGENTOPS_MAX_QUEUE_SIZE": "many",
    "AGENTOPS_HEADERS": "a b",
    "AGENTOPS_SESSION_ID": "order 1842",
    "OTEL_BSP_SCHEDULE_DELAY": "-1",
    "OTEL_TRACES_SAMPLER": "always",
}
FAULTS = {
    "a backend that refuses the key": fault_server.status(401),
    "a backend that allows less": fault_server.status(403),
    "a backend with another path": fault_server.status(404),
    "a backend that is down": fault_server.status(503),
    "a backend that answers with something else": fault_server.garbage(),
    "a backend that does not speak HTTP": fault_server.not_http(),
    "a backend that rejects a span": fault_server.partial(1, "a name is too long"),
    "a backend that redirects": fault_server.redirect("http://elsewhere/v1/traces"),
}
FACTS = Summary(
    name="order 1842",
    session_id="<id>",
    end_state="Fail",
    reason="TimeoutError: the payment service did not answer",
    duration_s=123.4,
    llm_calls=2,
    tool_calls=1,
    actions=1,
    errors=2,
    recovered_errors=1,
    usage=Usage(1_234_567, 205, cache_read_tokens=612, cache_write_tokens=7, reasoning_tokens=100),
    cost=0.000024,
    unpriced_calls=1,
    stream_without_usage=2,
    models=(("gpt-4.1", 1, 0.000024), ("mine", 1, None)),
    slowest=("chat gpt-4.1", 2.1, 0.32),
    recorded=12,
    delivered=9,
    dropped={"queue full": 3},
    delivery_error="nothing listens at localhost:4318 (connection refused)",
)


class Recorder:
    """Runs programs as a user does, and writes down what they print."""

    def __init__(self, folder: Path) -> None:
        self.lines: list[str] = []
        self.state = "state"
        self._folder = folder
        self._environ = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]),
            "PYTHONUTF8": "1",
            "HOME": str(folder),
        }

    def program(self, *arguments: str, **variables: str) -> None:
        """What the program of `golden/` prints."""
        self._run([str(PROGRAM), *arguments], variables)

    def command(self, *arguments: str, **variables: str) -> None:
        """What the command line prints."""
        self.lines.append(f"\n> {' '.join(['agentops-otel', *arguments])}")
        self._run(["-m", "agentops_otel", *arguments], variables)

    def _run(self, arguments: list[str], variables: dict[str, str]) -> None:
        done = subprocess.run(
            [sys.executable, *arguments],
            env={**self._environ, "XDG_STATE_HOME": str(self._folder / self.state), **variables},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        text = done.stdout + done.stderr
        self.lines += [line for line in text.splitlines() if not line.startswith(("Usage: ", "    "))]


def _printed(folder: Path) -> Iterator[str]:
    """What programs and commands print, one thing that goes wrong after the other."""
    recorder = Recorder(folder)
    with socket.create_server(("127.0.0.1", 0)) as unused:
        closed = f"http://127.0.0.1:{unused.getsockname()[1]}"
    with FaultServer() as backend:
        recorder.program("mistakes", AGENTOPS_ENDPOINT=backend.url)
        shown = " ".join(f"{name}={value!r}" for name, value in VARIABLES.items())
        recorder.program("variables", AGENTOPS_ENDPOINT=backend.url, SHOWN=shown, **VARIABLES)
        recorder.program(backend.url, "a backend that takes everything")
        recorder.command("journal")
        recorder.command("flush")
        recorder.state = "kept"
        recorder.program(closed, "nothing that listens at the endpoint")
        recorder.command("journal")
        recorder.command("flush", "--timeout", "5")
        recorder.state = "others"
        for title, mode in FAULTS.items():
            backend.mode = mode
            recorder.program(backend.url, title, AGENTOPS_API_KEY="key", AGENTOPS_JOURNAL="memory")
        recorder.command("flush", "--timeout", "soon")
        recorder.command("flush", "--endpoint", "collector")
    yield from recorder.lines
    yield "\n> the box of a session"
    yield from render(FACTS, width=100, color=False).splitlines()


def _texts() -> Iterator[str]:
    """Each text of two words or more in the source, as a template; docstrings are not seen by users."""
    for path in sorted(PACKAGE.rglob("*.py")):
        found = list(
            dict.fromkeys(text for text in _literals(ast.parse(path.read_text("utf-8"))) if WORDS.search(text))
        )
        if found:
            yield f"\n[{path.relative_to(PACKAGE)}]"
            yield from (repr(text)[1:-1] for text in found)


def _literals(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return  # a docstring
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        parts = [v.value if isinstance(v, ast.Constant) else f"{{{ast.unparse(v.value)}}}" for v in node.values]
        yield "".join(map(str, parts))
    else:
        for child in ast.iter_child_nodes(node):
            yield from _literals(child)


def _steady(line: str) -> str:
    for pattern, instead in VOLATILE:
        line = pattern.sub(instead, line)
    return line.rstrip()


@pytest.mark.skipif(sys.platform != "linux", reason="the texts of errors are those of Linux")
def test_every_message_was_read(tmp_path):
    """What users can see is what `golden/messages.txt` says, which a person has read."""
    printed = "\n".join(map(_steady, _printed(tmp_path))).strip()
    texts = "\n".join(_texts()).strip()
    found = f"# What is printed\n\n{printed}\n\n# What the source can say\n\n{texts}\n"
    if os.environ.get("AGENTOPS_TEST_GOLDEN") == "write":
        GOLDEN.write_text(found, encoding="utf-8")
    golden = GOLDEN.read_text(encoding="utf-8")
    how = "run AGENTOPS_TEST_GOLDEN=write python -m pytest tests/test_messages.py, and read what has changed"
    assert found.splitlines() == golden.splitlines(), how
