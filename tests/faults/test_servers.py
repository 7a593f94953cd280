"""Servers that handle SIGTERM and SIGINT themselves: they stop as without us, and the session arrives with the reason.

Each server is stopped twice, once without us: that is how it must look from outside.
"""

from __future__ import annotations

import http.client
import importlib.util
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.fault_server import FaultServer
from tests.fakes.program import Ended
from tests.faults.victim import DIED, NOT_ENDED, Site, end_of

APP = """
import asyncio, os
from work import agentops, emit

PLACE = os.environ["PLACE"]
if PLACE == "import":
    agentops.init()


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            kind = (await receive())["type"]
            if kind == "lifespan.startup" and PLACE == "lifespan":
                agentops.init()
            await send({"type": f"{kind}.complete"})
            if kind == "lifespan.shutdown":
                return
    if scope["path"] == "/slow":
        await asyncio.sleep(60)
    if PLACE:
        emit(1)
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok"})
"""
MODULE = """
import runpy
os.chdir(os.environ["HOME"])
sys.path.insert(0, os.getcwd())
sys.argv = {}
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""
PROGRAM = """
os.chdir(os.environ["HOME"])
sys.path.insert(0, os.getcwd())
import app, uvicorn
uvicorn.run(app.app, uds="socket")
"""
SERVERS = {
    "uvicorn": ["uvicorn", "--uds", "socket", "app:app"],
    "uvicorn-program": [],
    "uvicorn-workers": ["uvicorn", "--uds", "socket", "--workers", "2", "app:app"],
    "uvicorn-reload": ["uvicorn", "--uds", "socket", "--reload", "app:app"],
    "hypercorn": ["hypercorn", "--bind", "unix:socket", "app:app"],
    "hypercorn-alone": ["hypercorn", "--bind", "unix:socket", "--workers", "0", "app:app"],
    "gunicorn": ["gunicorn", "--bind", "unix:socket", "--worker-class", "uvicorn_worker.UvicornWorker", "app:app"],
}
SERVERS["gunicorn-preload"] = [*SERVERS["gunicorn"], "--preload"]
TERMINATED, INTERRUPTED = "Terminated (SIGTERM)", "Interrupted (SIGINT)"


@pytest.fixture
def site(tmp_path) -> Iterator[Site]:
    with FaultServer() as server:
        yield Site(tmp_path, server)


def source(server: str) -> str:
    arguments = SERVERS[server]
    for name in ("uvicorn", "hypercorn", *(["uvicorn_worker"] if server.startswith("gunicorn") else [])):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed")
    return MODULE.format(arguments) if arguments else PROGRAM


def ask(folder: Path, path: str = "/", *, answer: bool = True) -> http.client.HTTPConnection | None:
    """Send a request, once the server listens; the open connection, when no answer is waited for."""
    connection, deadline = http.client.HTTPConnection("localhost", timeout=30), time.monotonic() + 30
    while True:
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(30)
        try:
            connection.sock.connect(os.path.relpath(folder / "socket"))
            break
        except OSError:
            connection.sock.close()
            assert time.monotonic() < deadline, "the server does not listen"
            time.sleep(0.02)
    connection.request("GET", path)
    if not answer:
        return connection
    assert connection.getresponse().read() == b"ok"
    connection.close()
    return None


def stopped(site: Site, server: str, number: int, place: str) -> Ended:
    """A server that has answered a request and got a signal; without `place` the program does not use us."""
    (site.folder / "app.py").write_text(APP, encoding="utf-8")
    (site.folder / "socket").unlink(missing_ok=True)
    with site.start(source(server), PLACE=place) as program:
        ask(site.folder)
        program.send(number)
        return program.end()


@pytest.mark.parametrize("place", ["import", "lifespan"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["TERM", "INT"])
@pytest.mark.parametrize("server", SERVERS)
def test_a_server_that_is_stopped(site, server, number, place):
    """Its own handler decides: the exit code is the server's, every span and root arrives, with the reason if seen."""
    if server.startswith("gunicorn") and number == signal.SIGINT:
        pytest.skip("it sends SIGQUIT, and waits 30 s for workers of this class, also without us")
    code = stopped(site, server, number, "").code
    ended = stopped(site, server, number, place)
    assert ended.code == code, ended.err
    assert (len(site.ended), site.lost, site.repeated) == (1, set(), []), ended.err
    ends = {end_of(root) for root in site.roots.values()}
    if "workers" in server and len(ends) > 1:  # one got the signal before it came to `init()`, which could not see it
        ends.discard(("Indeterminate", DIED))
    assert ends <= {("Fail", TERMINATED), ("Fail", INTERRUPTED)} | {
        ("Indeterminate", reason) for reason in (TERMINATED, INTERRUPTED, NOT_ENDED)
    }
    if server.startswith("uvicorn") and number == signal.SIGTERM:  # which dies of it in the end, or its workers do
        assert ends == {("Fail", TERMINATED)}


@pytest.mark.parametrize("server", ["uvicorn", "uvicorn-program", "hypercorn-alone"])
def test_a_server_that_is_killed_while_it_stops(site, server):
    """A handler that was there before us is seen: the reason is on disk at once, though the server still waits."""
    (site.folder / "app.py").write_text(APP, encoding="utf-8")
    with site.start(source(server), PLACE="lifespan") as program:
        ask(site.folder)
        waiting = ask(site.folder, "/slow", answer=False)
        time.sleep(0.3)
        program.send(signal.SIGTERM)
        time.sleep(0.3)
        os.kill(program.pid, signal.SIGKILL)
        assert program.end().code == -signal.SIGKILL
        waiting.close()
    assert site.replay().code == 0
    assert (len(site.ended), site.lost) == (1, set())
    assert end_of(site.root) == ("Fail", TERMINATED)
