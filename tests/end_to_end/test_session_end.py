"""Whether the end of a session waits for the backend, and what is said of it: never more than is true, and once."""

from __future__ import annotations

import threading

import pytest

import agentops_otel as agentops
from tests.fakes import fault_server
from tests.fakes.fault_server import FaultServer
from tests.fakes.program import run


class Gate:
    """A mode of the backend that holds every answer back until it is opened, at most ten seconds."""

    def __init__(self) -> None:
        self._open = threading.Event()

    def __call__(self, seconds: float) -> fault_server.Mode:
        self._open.wait(10)
        return fault_server.ok

    def open(self) -> None:
        """Answer from now on."""
        self._open.set()


@pytest.fixture
def gate():
    gate = Gate()
    yield gate
    gate.open()


@pytest.fixture
def server(gate):
    with FaultServer(mode=gate) as server:
        yield server
        gate.open()


def start(server, **settings):
    agentops.init(endpoint=server.url, summary=False, auto_start_session=False, shutdown_timeout=30, **settings)


def block(**options):
    with agentops.session(**options):
        agentops.record(agentops.ActionEvent("x"))


def ends_itself(**options):
    with agentops.session() as session:
        agentops.record(agentops.ActionEvent("x"))
        session.end("Success", **options)


def end_session(**options):
    with agentops.session():
        agentops.record(agentops.ActionEvent("x"))
        agentops.end_session("Success", **options)


SCOPED = pytest.mark.parametrize("end", [block, ends_itself, end_session])


@SCOPED
def test_a_block_does_not_wait(server, gate, end):
    """However it ends, a `with` block goes on before the backend has answered, and the spans arrive soon after."""
    start(server)
    end()
    assert server.spans() == []
    gate.open()
    assert server.wait_for(lambda: len(server.spans()) == 2)


@SCOPED
def test_a_block_waits_when_it_is_asked_to(server, gate, end):
    """With `wait=True` the backend has the spans when the block is over."""
    start(server)
    threading.Timer(0.1, gate.open).start()
    end(wait=True)
    assert len(server.spans()) == 2


@SCOPED
@pytest.mark.parametrize("journal", ["memory", "off"])
def test_a_block_waits_for_what_is_in_memory_alone(server, gate, end, journal):
    """What would be lost with the process is waited for."""
    start(server, journal=journal)
    threading.Timer(0.1, gate.open).start()
    end()
    assert len(server.spans()) == 2


def test_the_session_of_the_process_waits(server, gate):
    """A script that ends its one session has its spans delivered when `end_session()` returns, unless it says no."""
    start(server)
    agentops.start_session()
    agentops.end_session("Success", wait=False)
    assert server.spans() == []
    threading.Timer(0.1, gate.open).start()
    agentops.start_session()
    agentops.end_session("Success")
    assert len(server.spans()) == 2


@pytest.mark.parametrize("wait", [None, True])
async def test_an_event_loop_waits_only_when_it_is_asked_to(server, gate, wait):
    """As before, an `async with` block does not hold the loop up; somebody who wants that can have it."""
    start(server)
    if wait:
        threading.Timer(0.1, gate.open).start()
    async with agentops.session(wait=wait):
        pass
    assert len(server.spans()) == (1 if wait else 0)


def test_many_blocks_in_many_threads(server, gate, capsys):
    """Sessions that end while one flush is under way are delivered by the next, and each is told of once."""
    agentops.init(endpoint=server.url, auto_start_session=False, shutdown_timeout=30)

    def work():
        for _ in range(10):
            block()

    crew = [threading.Thread(target=work) for _ in range(8)]
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join()
    assert server.spans() == []
    gate.open()
    assert agentops.flush(20)
    assert len(server.spans()) == len(set(server.span_ids())) == 160
    agentops.shutdown(5)
    assert "kept" not in capsys.readouterr().err


LINE = "import agentops_otel as agentops\nagentops.init(auto_start_session=False)\n"


def test_the_process_ends_at_once():
    """What was handed over in the last moment is delivered, and the summary says so, once."""
    with FaultServer(mode=fault_server.slow(0.3)) as server:
        ended = run(LINE + "with agentops.session(): pass\n", {"AGENTOPS_ENDPOINT": server.url})
        assert ended.code == 0
        assert len(server.spans()) == 1
        assert ended.err.count("1/1 span delivered") == 1, ended.err
        assert ended.err.count("\n") == 1, ended.err


@pytest.mark.parametrize("mode", [None, fault_server.blackhole(), fault_server.status(503)])
def test_the_process_ends_and_the_backend_is_down(mode):
    """The summary says that the spans are kept, once, and they arrive later."""
    with FaultServer(mode=mode or fault_server.ok) as server:
        if mode is None:
            server.down()
        variables = {"AGENTOPS_ENDPOINT": f"http://127.0.0.1:{server.port}"}
        ended = run(LINE + "with agentops.session(): pass\n", variables)
        assert ended.code == 0
        assert ended.err.count(" kept in ") == 1, ended.err
        assert ended.err.count("\n") == 1, ended.err
        if mode is None:
            server.up()
        server.mode = fault_server.ok
        assert run(LINE + "with agentops.session(): input()\n", variables).code != 0  # a root that is sent, too
        assert run("import sys; from agentops_otel import cli; sys.exit(cli.main(['flush']))", variables).code == 0
        assert len(server.span_ids()) == len(set(server.span_ids())) == 2


def test_a_fork_right_behind_the_block():
    """The child has nothing to deliver and nothing to say of a session that its parent has ended."""
    with FaultServer(mode=fault_server.slow(0.5)) as server:
        ended = run(
            LINE + "import os, sys\nwith agentops.session(): pass\nchild = os.fork()\nif child: os.waitpid(child, 0)\n",
            {"AGENTOPS_ENDPOINT": server.url},
        )
        assert ended.code == 0
        assert len(server.spans()) == 1
        assert ended.err.count("delivered") == 1, ended.err
