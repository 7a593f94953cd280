"""Handlers of SIGTERM and SIGINT that the program installs, before `init()` or after it: they are called and decide.

Each case is a real process with real signals.
"""

from __future__ import annotations

import os
import signal
import textwrap
import time
from collections.abc import Iterator

import pytest

from tests.fakes.fault_server import FaultServer
from tests.fakes.program import Ended, Program, run
from tests.faults.program import command
from tests.faults.victim import DIED, NOT_ENDED, end_of

TERMINATED, INTERRUPTED = "Terminated (SIGTERM)", "Interrupted (SIGINT)"
INIT = """
import agentops_otel as agentops
agentops.init(endpoint=os.environ["AGENTOPS_ENDPOINT"], summary=False)
agentops.record(agentops.ActionEvent("dig"))
"""
WAIT = """
say("ready")
for _ in range(300):
    time.sleep(0.1)
"""
HEAD = """
import asyncio, os, signal, sys, threading, time
def say(text):
    os.write(1, f"{text}\\n".encode())
"""


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


def start(server: FaultServer, source: str) -> Program:
    return Program(HEAD + textwrap.dedent(source), {"AGENTOPS_ENDPOINT": server.url})


def ended(server: FaultServer, source: str, *numbers: int) -> Ended:
    """A program that was sent these signals once it was ready, and has ended."""
    with start(server, source) as program:
        assert program.line() == "ready"
        for number in numbers:
            program.send(number)
        return program.end()


def end(server: FaultServer) -> tuple[str, str | None]:
    """How the root span that arrived says that the session ended."""
    # By id: what a killed process had sent, and did not know to have arrived, is sent again.
    spans = {span.span_id: span for span in server.spans()}.values()
    (root,) = [span for span in spans if not span.parent_span_id]
    assert [span.name for span in spans].count("dig") == 1
    return end_of(root)


def replay(server: FaultServer) -> None:
    with command("flush", variables={"AGENTOPS_ENDPOINT": server.url}) as program:
        assert program.end().code == 0


# What such a handler does, the exit code that this has without us, and the end of the session.
HANDLERS = {
    "exits": ("sys.exit(7)", 7, ("Indeterminate", TERMINATED)),
    "raises": ("raise RuntimeError('stop')", 1, ("Fail", "RuntimeError: stop")),
    "interrupts": ("raise KeyboardInterrupt", -signal.SIGINT, ("Fail", INTERRUPTED)),
    "leaves": ("os._exit(8)", 8, ("Fail", TERMINATED)),
    "sends it again": (
        "signal.signal(number, signal.SIG_DFL); signal.raise_signal(number)",
        -signal.SIGTERM,
        ("Fail", TERMINATED),
    ),
    "kills itself": (
        "signal.signal(number, signal.SIG_DFL); os.kill(os.getpid(), number)",
        -signal.SIGTERM,
        ("Fail", TERMINATED),
    ),
    "restores and waits": (
        "signal.signal(number, before); threading.Timer(0.2, os.kill, (os.getpid(), number)).start()",
        -signal.SIGTERM,
        ("Fail", TERMINATED),
    ),
    "sends another one": ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL, ("Fail", TERMINATED)),
    "ends the session": (
        "say(agentops.end_session('Success', 'enough')); sys.exit(3)",
        3,
        ("Success", "enough"),
    ),
}


@pytest.mark.parametrize("handler", HANDLERS)
def test_a_handler_that_was_there_decides(server, handler):
    """Whatever it does, the exit code is its own, nothing that ended is lost, and the end has the reason."""
    does, code, expected = HANDLERS[handler]
    theirs = f"""
def mine(number, frame):
    say("mine")
    {does}
before = signal.signal(signal.SIGTERM, mine)
"""
    result = ended(server, theirs + INIT + WAIT, signal.SIGTERM)
    assert (result.code, result.out.splitlines()[0]) == (code, "mine"), result.err
    if handler in ("leaves", "sends another one"):  # with which a process is gone at once
        replay(server)
    assert end(server) == expected


@pytest.mark.parametrize("handler", ["exits", "sends it again", "restores and waits"])
def test_a_handler_that_came_later_stays(server, handler):
    """A handler set after `init()` stays where it is and decides; one that restores what it found gets ours."""
    does, code, _ = HANDLERS[handler]
    theirs = f"""
def mine(number, frame):
    say("mine")
    {does.replace("signal.SIG_DFL", "before")}
before = signal.signal(signal.SIGTERM, mine)
agentops.record(agentops.ActionEvent("later"))
assert signal.getsignal(signal.SIGTERM) is mine
"""
    result = ended(server, INIT + theirs + WAIT, signal.SIGTERM)
    assert (result.code, result.out) == (code, "mine\n"), result.err
    assert end(server) == (("Indeterminate", NOT_ENDED) if handler == "exits" else ("Fail", TERMINATED))


def test_a_handler_that_goes_on(server):
    """A signal that only means "read the settings anew" changes nothing about a session that is ended later."""
    theirs = "got = []; signal.signal(signal.SIGTERM, lambda *_: got.append(1))"
    work = """
say("ready")
while not got:
    time.sleep(0.05)
agentops.record(agentops.ActionEvent("more"))
agentops.end_session("Success")
"""
    result = ended(server, theirs + INIT + work, signal.SIGTERM)
    assert result.code == 0, result.err
    assert end(server) == ("Success", None)
    assert "more" in [span.name for span in server.spans()]


def test_a_signal_that_a_process_has_outlived_for_long_is_no_reason(server):
    """What was written down is taken back, and a wish of a joiner counts again."""
    theirs = """
import agentops_otel.signals
agentops_otel.signals._GRACE = 0.2
signal.signal(signal.SIGTERM, lambda *_: say("mine"))
"""
    with start(server, theirs + INIT + WAIT) as program:
        assert program.line() == "ready"
        program.send(signal.SIGTERM)
        assert program.line() == "mine"
        assert server.wait_for(lambda: "dig" in [span.name for span in server.spans()])
        time.sleep(2.5)  # the worker looks about once a second
        os.kill(program.pid, signal.SIGKILL)
        program.end()
    replay(server)
    assert end(server) == ("Indeterminate", DIED)


@pytest.mark.parametrize("place", ["before", "after"])
def test_one_handler_for_both_signals(server, place):
    """SIGINT of a server that handles both alike: the reason is known, and asyncio keeps what is asyncio's."""
    theirs = """
def mine(number, frame):
    sys.exit(5)
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, mine)
"""
    source = theirs + INIT if place == "before" else INIT + theirs
    result = ended(server, source + WAIT, signal.SIGINT)
    assert result.code == 5, result.err
    assert end(server) == ("Indeterminate", INTERRUPTED if place == "before" else NOT_ENDED)


@pytest.mark.parametrize(
    "sigint",
    ["signal.default_int_handler", "lambda *_: sys.exit(6)", "signal.SIG_IGN"],
)
def test_sigint_alone_is_left_alone(server, sigint):
    """Also where SIGTERM raises KeyboardInterrupt, as some programs have it: Ctrl-C in asyncio is as it was."""
    source = f"""
handler = {sigint}
signal.signal(signal.SIGINT, handler)
signal.signal(signal.SIGTERM, signal.default_int_handler)
{INIT}
assert signal.getsignal(signal.SIGINT) is handler
agentops.end_session("Success")
agentops.shutdown()
assert signal.getsignal(signal.SIGINT) is handler
assert signal.getsignal(signal.SIGTERM) is signal.default_int_handler
say("ready")
"""
    assert ended(server, source).code == 0


def test_asyncio_keeps_its_own(server):
    """Handlers of a running event loop are called, before `init()` and after it, and its wake-up file stays."""
    source = f"""
async def main():
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    fd = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(fd)
{textwrap.indent(INIT, "    ")}
    assert signal.set_wakeup_fd(fd) == fd != -1
    say("ready")
    await stop.wait()
    say("stopped")
    loop.remove_signal_handler(signal.SIGTERM)
asyncio.run(main())
sys.exit(4)
"""
    result = ended(server, source, signal.SIGTERM)
    assert (result.code, result.out) == (4, "stopped\n"), result.err
    assert end(server) == ("Indeterminate", TERMINATED)


def test_nothing_is_replaced_before_a_signal(server):
    """`signal.signal` is Python's own until a handler of the program's has got SIGTERM, and after `shutdown()`."""
    source = f"""
original = signal.signal
signal.signal(signal.SIGTERM, lambda *_: None)
{INIT}
assert signal.signal is original
signal.raise_signal(signal.SIGTERM)
assert signal.signal.__wrapped__ is original
for number, handler in ((signal.SIGUSR1, signal.SIG_DFL), (signal.SIGHUP, signal.SIG_IGN)):
    signal.signal(number, handler)
    assert signal.getsignal(number) is handler
agentops.shutdown()
assert signal.signal is original
signal.signal(signal.SIGTERM, signal.SIG_DFL)
assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
say("ready")
"""
    result = ended(server, source)
    assert result.code == 0, result.err


def test_a_handler_outlives_a_shutdown_in_another_thread(server):
    """What only the main thread can take out still passes the signal on, and serves the next `init()`."""
    source = f"""
signal.signal(signal.SIGTERM, lambda *_: say("mine"))
{INIT}
thread = threading.Thread(target=agentops.shutdown)
thread.start()
thread.join()
signal.raise_signal(signal.SIGTERM)
agentops.init(endpoint=os.environ["AGENTOPS_ENDPOINT"], summary=False)
signal.raise_signal(signal.SIGTERM)
agentops.shutdown()
assert signal.getsignal(signal.SIGTERM).__name__ == "<lambda>"
say("ready")
"""
    with start(server, source) as program:
        assert [program.line() for _ in range(3)] == ["mine", "mine", "ready"]
        assert program.end().code == 0


SUBINTERPRETER = """
import os, sys
code = '''
import sys; sys.path[:] = {path!r}
import agentops_otel as agentops
assert agentops.init(endpoint={url!r}, summary=False)
agentops.record(agentops.ActionEvent("dig"))
agentops.end_session("Success")
{last}
'''
if sys.version_info >= (3, 13):  # as servers that embed Python make them
    import _interpreters
    inner = _interpreters.create("legacy")
    failed = _interpreters.exec(inner, code.format(path=sys.path, url=os.environ["SERVER"], last=""))
    assert failed is None, failed
    _interpreters.destroy(inner)
    print("ended")
else:  # there the module ends none that has had threads
    import _xxsubinterpreters
    last = "import os; print('ended', flush=True); os._exit(0)"
    inner = _xxsubinterpreters.create(isolated=False)
    _xxsubinterpreters.run_string(inner, code.format(path=sys.path, url=os.environ["SERVER"], last=last))
"""


def test_a_subinterpreter_has_no_handlers(server):
    """Its main thread may install none: all else works, and its end does not abort the process."""
    ended = run(SUBINTERPRETER, {"SERVER": server.url})
    assert (ended.code, ended.out, ended.err) == (0, "ended\n", "")
    assert sorted(span.name for span in server.spans()) == ["dig", "session"]
