"""Processes that die and leave something in the journal."""

from __future__ import annotations

import signal
import socket

import pytest

from tests.fakes.fault_server import FaultServer
from tests.fakes.program import Program, run


@pytest.fixture
def server():
    with FaultServer() as server:
        yield server


@pytest.fixture
def closed():
    """An endpoint where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    return f"http://127.0.0.1:{port}"


@pytest.fixture
def killed():
    """Run a session with some spans in a process that kills itself; returns the session's id."""

    def killed(endpoint: str, *, spans: int = 3, **variables: str) -> str:
        ended = run(
            f"""
            import os, signal
            import agentops_otel as agentops
            print(agentops.init(summary=False, name="mine", tags=["a"]), flush=True)
            for number in range({spans}):
                agentops.record(agentops.ActionEvent(f"action {{number}}"))
            os.kill(os.getpid(), signal.SIGKILL)
            """,
            {"AGENTOPS_ENDPOINT": endpoint, **variables},
        )
        assert ended.code == -signal.SIGKILL, ended.err
        return ended.out.strip()

    return killed


@pytest.fixture
def living(closed):
    """A process that has recorded something, and runs as long as the test."""
    with Program(
        f"""
        import agentops_otel as agentops
        agentops.init(endpoint={closed!r}, summary=False)
        agentops.record(agentops.ActionEvent("mine"))
        print("ready", flush=True)
        input()
        """
    ) as program:
        assert program.line() == "ready"
        yield program
