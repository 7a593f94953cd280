"""Programs that tell of each span they ended, so that after their death it is known what must have arrived.

A victim imports `work`, a module that is written for it, so that processes it spawns find the same functions.
"""

from __future__ import annotations

import os
import textwrap
from collections import Counter
from pathlib import Path
from typing import Any

from tests.fakes.fault_server import FaultServer
from tests.fakes.program import ROOT, Ended, Program
from tests.faults.program import command

DIED = "Process died (no end recorded)"
NOT_ENDED = "Process exited without calling end_session()"
_WORK = '''
import os
import signal
import threading
import time

import agentops_otel as agentops
from opentelemetry import trace

_truth = os.open(os.environ["TRUTH"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


@agentops.tool
def dig():
    return trace.get_current_span().get_span_context().span_id


def emit(count=20):
    """End spans, and tell of each when it has ended; outside of a session there is none."""
    for _ in range(count):
        if span_id := dig():
            tell(span_id)


def tell(span_id):
    os.write(_truth, f"{span_id:016x}\\n".encode())  # one write is one line, from whichever process


def join_and_emit(session_id):
    agentops.init(inherited_session_id=session_id)
    emit()


def emit_and_miss_a_signal(lock):
    """Wait without end, as a worker for its next task, and let another thread have the signal."""
    emit()
    threading.Thread(target=_send_here, daemon=True).start()
    lock.acquire()


def _send_here():
    time.sleep(0.3)
    signal.pthread_kill(threading.get_ident(), signal.SIGTERM)


def say(text):
    os.write(1, f"{text}\\n".encode())
'''
_HEAD = """
import asyncio, atexit, gc, multiprocessing, os, resource, signal, subprocess, sys, threading, time
from work import agentops, dig, emit, say, tell, trace
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
"""


class Site:
    """A home folder, a backend, and the victims that use both.

    Args:
        folder: the home folder, and where the victims' files are.
        server: the backend.
    """

    def __init__(self, folder: Path, server: FaultServer) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.server = server
        self._truth = folder / "truth"
        (folder / "work.py").write_text(_WORK, encoding="utf-8")

    def variables(self) -> dict[str, str]:
        """The environment of a victim; all of our settings but the endpoint are the default ones."""
        return {
            "AGENTOPS_ENDPOINT": self.server.url,
            "AGENTOPS_PROTOCOL": self.server.protocol,
            "PYTHONPATH": os.pathsep.join((str(ROOT / "src"), str(ROOT), str(self.folder))),
            "TRUTH": str(self._truth),
            "XDG_STATE_HOME": str(self.folder / "state"),
        }

    def start(self, source: str, **variables: str) -> Program:
        """Start a victim."""
        return Program(_HEAD + textwrap.dedent(source), {**self.variables(), **variables}, home=self.folder)

    def run(self, source: str, timeout: float = 50.0, **variables: str) -> Ended:
        """Run a victim to its end; what it says that it keeps, as the machine was slow, is sent then."""
        with self.start(source, **variables) as program:
            ended = program.end(timeout)
        if " kept in " in ended.err:
            self.replay()
        return ended

    def replay(self) -> Ended:
        """Send what dead victims left behind, as `agentops-otel flush` does."""
        with command("flush", variables={**self.variables(), "HOME": str(self.folder)}) as program:
            return program.end(50.0)

    @property
    def told(self) -> list[str]:
        """The ids of the spans that ended, as the victims told of them."""
        return self._truth.read_text(encoding="utf-8").split() if self._truth.exists() else []

    @property
    def ended(self) -> set[str]:
        """The same as a set."""
        return set(self.told)

    @property
    def lost(self) -> set[str]:
        """The ids of spans that ended and did not arrive."""
        return self.ended - set(self.server.span_ids())

    @property
    def repeated(self) -> list[str]:
        """The ids of spans that arrived more than once."""
        return [span_id for span_id, times in Counter(self.server.span_ids()).items() if times > 1]

    @property
    def roots(self) -> dict[str, Any]:
        """The root spans that arrived, by the id of their session's trace in hex; the last one wins."""
        return {span.trace_id.hex(): span for span in self.server.spans() if not span.parent_span_id}

    @property
    def root(self) -> Any:
        """The root span of the only session."""
        (root,) = self.roots.values()
        return root


def attributes(span: Any) -> dict[str, Any]:
    """The attributes of an OTLP span or log record that are no lists."""
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value") or "string_value") for pair in span.attributes}


def end_of(root: Any) -> tuple[str, str | None]:
    """End state and reason of a root span."""
    found = attributes(root)
    return found["agentops.session.end_state"], found.get("agentops.session.end_state_reason")
