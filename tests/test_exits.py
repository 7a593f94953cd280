"""However a process ends, its session arrives with the right end.

Each case is a real process and a real OTLP server.
"""

from __future__ import annotations

import json
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.fakes import fault_server
from tests.fakes.fault_server import FaultServer, event_name
from tests.fakes.program import Program, run

HEAD = """
import asyncio, os, signal, sys, threading, time
import agentops_otel as agentops
agentops.init(endpoint=os.environ["SERVER"], summary=False)

@agentops.tool
def dig():
    return "gold"

dig()

# A signal that comes in the moment before a wait begins is seen after it, so all waits here are short ones.

def sleep():
    print("ready", flush=True)
    for _ in range(200):
        time.sleep(0.1)

def in_asyncio():
    async def main():
        print("ready", flush=True)
        for _ in range(200):
            await asyncio.sleep(0.1)
    asyncio.run(main())

def in_join():
    thread = threading.Thread(target=time.sleep, args=(20,), daemon=True)
    thread.start()
    print("ready", flush=True)
    while thread.is_alive():
        thread.join(0.1)
"""


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


def attributes(span) -> dict[str, object]:
    found = {}
    for pair in span.attributes:
        kind = pair.value.WhichOneof("value")
        value = getattr(pair.value, kind) if kind else None
        found[pair.key] = [item.string_value for item in value.values] if kind == "array_value" else value
    return found


def root(server: FaultServer):
    """The root span that arrived; there must be one."""
    roots = [span for span in server.spans() if not span.parent_span_id]
    assert len(roots) == 1, [span.name for span in server.spans()]
    return roots[0]


def end_of(server: FaultServer) -> tuple[str, str | None]:
    found = attributes(root(server))
    return found["agentops.session.end_state"], found.get("agentops.session.end_state_reason")


NOT_ENDED = "Process exited without calling end_session()"


@pytest.mark.parametrize(
    ("last", "code", "state", "reason"),
    [
        pytest.param("pass", 0, "Indeterminate", NOT_ENDED, id="end-of-program"),
        pytest.param("sys.exit(3)", 3, "Indeterminate", NOT_ENDED, id="sys.exit"),
        pytest.param("raise ValueError('bad luck')", 1, "Fail", "ValueError: bad luck", id="exception"),
        pytest.param("raise ValueError", 1, "Fail", "ValueError", id="exception-without-text"),
        pytest.param("raise KeyboardInterrupt", -2, "Fail", "Interrupted (SIGINT)", id="KeyboardInterrupt"),
        pytest.param(
            "t = threading.Thread(target=lambda: 1 / 0); t.start(); t.join()",
            0,
            "Fail",
            "ZeroDivisionError: division by zero",
            id="exception-in-thread",
        ),
        pytest.param(
            "t = threading.Thread(target=lambda: 1 / 0); t.start(); t.join(); agentops.end_session('Success')",
            0,
            "Success",
            None,
            id="end-after-exception-in-thread",
        ),
        pytest.param("agentops.end_session('Success'); sys.exit(4)", 4, "Success", None, id="ended-before"),
        pytest.param(
            "agentops.shutdown(); raise ValueError",
            1,
            "Indeterminate",
            "shutdown() was called without end_session()",
            id="shutdown",
        ),
        pytest.param(
            "t = threading.Thread(target=sys.exit); t.start(); t.join()",
            0,
            "Indeterminate",
            NOT_ENDED,
            id="sys.exit-in-thread",
        ),
    ],
)
def test_an_end_without_a_signal(server, last, code, state, reason):
    """Exit code, end state and reason are those of the table, and every span arrives."""
    ended = run(HEAD + last, {"SERVER": server.url})
    assert ended.code == code, ended.err
    assert end_of(server) == (state, reason)
    assert sorted(span.name for span in server.spans()) == ["execute_tool dig", "session"]
    assert ("Traceback" in ended.err) is (code in (1, -2) or "1 / 0" in last)


@pytest.mark.parametrize("place", ["sleep", "in_asyncio", "in_join"])
@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (signal.SIGTERM, "Terminated (SIGTERM)"),
        (signal.SIGHUP, "Terminated (SIGHUP)"),
        (signal.SIGINT, "Interrupted (SIGINT)"),
    ],
)
def test_a_signal(server, place, number, reason):
    """The process dies of the signal, as without us, and its session has failed because of it."""
    with Program(HEAD + f"{place}()", {"SERVER": server.url}) as program:
        assert program.line() == "ready"
        program.send(number)
        ended = program.end()
    assert ended.code == -number, ended.err
    assert end_of(server) == ("Fail", reason)
    assert root(server).status.code == 2
    assert len(server.spans()) == 2
    _assert_in_time(ended, HEAD + f"{place}()", "sigterm")


def test_an_uncaught_exception_is_an_event_of_the_root(server):
    """The root span of a program that died of an exception carries it."""
    run(HEAD + "raise ValueError('bad luck')", {"SERVER": server.url})
    (event,) = root(server).events
    assert event.name == "exception"
    assert attributes(event)["exception.type"] == "ValueError"
    assert "bad luck" in attributes(event)["exception.stacktrace"]


def test_texts_of_exceptions_stay_here_with_capture_off(server):
    """With `capture_content` off, neither reason nor event of a failed session quote the exception."""
    source = HEAD.replace("summary=False", "summary=False, capture_content='off'") + "raise ValueError('my prompt')"
    run(source, {"SERVER": server.url})
    assert end_of(server) == ("Fail", "ValueError")
    assert not any(b"my prompt" in span.SerializeToString() for span in server.spans())


def test_hooks_of_the_user_are_called(server):
    """Hooks that were there before `init()` are called after ours, and `shutdown()` puts them back."""
    ended = run(
        """
        import os, signal, sys, threading
        def hook(kind, error, trace): print("user excepthook", kind.__name__)
        def thread_hook(args): print("user thread hook", args.exc_type.__name__)
        sys.excepthook, threading.excepthook = hook, thread_hook
        import agentops_otel as agentops
        agentops.init(endpoint=os.environ["SERVER"], summary=False)
        assert sys.excepthook is not hook and signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
        agentops.shutdown()
        assert sys.excepthook is hook and threading.excepthook is thread_hook
        assert signal.getsignal(signal.SIGTERM) is signal.getsignal(signal.SIGHUP) is signal.SIG_DFL
        agentops.init(endpoint=os.environ["SERVER"], summary=False)
        t = threading.Thread(target=lambda: {}["missing"]); t.start(); t.join()
        raise ValueError("bad luck")
        """,
        {"SERVER": server.url},
    )
    assert ended.out.splitlines() == ["user thread hook KeyError", "user excepthook ValueError"], ended.err
    states = [attributes(span).get("agentops.session.end_state_reason") for span in server.spans()]
    assert states == ["shutdown() was called without end_session()", "ValueError: bad luck"]


CONSOLE = """
import code, os, sys
import agentops_otel as agentops
%s
agentops.init(endpoint=os.environ["SERVER"], summary=False)

class Remote(code.InteractiveConsole):
    lines = []
    def write(self, text):
        self.lines.append(text)

remote = Remote()
remote.push("1/0")
remote.push("1 +")
print("".join(remote.lines))
"""


@pytest.mark.parametrize("hook", ["", "sys.excepthook = lambda *given: print('mine', given[0].__name__)"])
def test_an_error_in_a_console_is_not_the_programs(server, hook):
    """A console shows it as it would without us, wherever it writes to, and the session goes on."""
    ended = run(CONSOLE % hook, {"SERVER": server.url})
    plain = run((CONSOLE % hook).replace("agentops.init", "dict"), {"SERVER": server.url})
    assert (ended.code, ended.err) == (0, "")
    assert "ZeroDivisionError" in ended.out
    if not hook or sys.version_info >= (3, 13):  # before, a hook also got the frames of the console
        assert ended.out == plain.out
    assert end_of(server) == ("Indeterminate", NOT_ENDED)


def test_hooks_installed_after_ours_stay(server):
    """`shutdown()` leaves hooks alone that somebody has put in front of ours, and they still reach the user's."""
    ended = run(
        """
        import os, signal, sys
        first = sys.excepthook = lambda *a: print("first")
        import agentops_otel as agentops
        agentops.init(endpoint=os.environ["SERVER"], summary=False)
        ours = sys.excepthook
        def second(*a):
            print("second")
            ours(*a)
        sys.excepthook = second
        mine = lambda *a: print("my signal")
        signal.signal(signal.SIGTERM, mine)
        agentops.shutdown()
        assert sys.excepthook is second and signal.getsignal(signal.SIGTERM) is mine
        agentops.init(endpoint=os.environ["SERVER"], summary=False)
        raise ValueError
        """,
        {"SERVER": server.url},
    )
    assert ended.out.splitlines() == ["second", "first"], ended.err
    assert ended.code == 1


def test_a_signal_handler_of_the_user_decides(server):
    """A SIGTERM handler installed before `init()` is the one that runs; the session ends with the process."""
    source = """
    import os, signal, sys, time
    def mine(number, frame): sys.exit(7)
    signal.signal(signal.SIGTERM, mine)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    import agentops_otel as agentops
    agentops.init(endpoint=os.environ["SERVER"], summary=False)
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    print("ready", flush=True)
    while True:
        time.sleep(0.1)
    """
    with Program(source, {"SERVER": server.url}) as program:
        program.line()
        program.send(signal.SIGHUP)
        program.send(signal.SIGTERM)
        assert program.end().code == 7
    assert end_of(server) == ("Indeterminate", "Terminated (SIGTERM)")


@pytest.mark.parametrize("backend", ["answers", "blackhole"])
def test_a_handler_installed_later_can_chain_ours(server, backend):
    """A handler that calls the one it found ends the session the way we do, is called once and never returned to."""
    if backend == "blackhole":
        server.mode = fault_server.blackhole()
    source = (
        HEAD
        + """
before = signal.getsignal(signal.SIGTERM)
def mine(number, frame):
    os.write(1, b"mine\\n")
    before(number, frame)
    os.write(1, b"came back\\n")
signal.signal(signal.SIGTERM, mine)
sleep()
"""
    )
    ended = _ended(source, server.url, "sigterm")
    assert (ended.code, ended.out) == (-signal.SIGTERM, "mine\n")
    _assert_in_time(ended, source, "sigterm")
    if backend == "answers":
        assert end_of(server) == ("Fail", "Terminated (SIGTERM)")


def test_a_signal_among_many_spans(server):
    """SIGTERM in the middle of a loop that records spans finds no lock taken for ever: the root arrives in time."""
    source = (
        HEAD
        + """
print("ready", flush=True)
while True:
    dig()
"""
    )
    for _ in range(3):
        before = len(server.spans())
        with Program(source, {"SERVER": server.url}) as program:
            program.line()
            program.send(signal.SIGTERM)
            ended = program.end()
        assert ended.code == -signal.SIGTERM
        _assert_in_time(ended, source, "sigterm")
        assert any(not span.parent_span_id for span in server.spans()[before:]), ended.err


LOCKS = {
    "pipeline": "lock = session._pipeline._lock",
    "exporter": "lock = session._pipeline.exporter._changed",
    "totals": "lock = session._spans.totals._settling",
    "root span": "lock = session._root._lock",
    "logging": "import logging; logging.basicConfig(level=0); lock = logging.getLogger().handlers[0].lock",
}


@pytest.mark.parametrize("lock", LOCKS)
def test_a_signal_while_a_lock_is_held(server, lock):
    """Interrupted code that holds a lock which the end needs is let out of it; all arrives, even if it ends there."""
    source = (
        HEAD
        + f"""
session = agentops.current_session()
{LOCKS[lock]}
print("ready", flush=True)
with lock:
    signal.raise_signal(signal.SIGTERM)
    time.sleep(0)
"""
    )
    ended = _ended(source, server.url, "alone")
    assert ended.code == -signal.SIGTERM, ended.err
    _assert_in_time(ended, source, "alone")
    assert end_of(server) == ("Fail", "Terminated (SIGTERM)")
    assert len(server.spans()) == 2
    assert attributes(root(server))["agentops.session.tool_calls"] == 1


def test_a_signal_while_a_lock_is_held_for_good(server):
    """Interrupted code that never leaves such a lock costs the session, and not more time than the budget."""
    source = (
        HEAD
        + f"""
session = agentops.current_session()
{LOCKS["pipeline"]}
print("ready", flush=True)
with lock:
    signal.raise_signal(signal.SIGTERM)
    time.sleep(20)
"""
    )
    ended = _ended(source, server.url, "alone")
    assert (ended.code, ended.out) == (-signal.SIGTERM, "")
    _assert_in_time(ended, source, "alone")


def test_a_signal_while_the_session_ends(server):
    """A signal in the middle of `end_session()` loses nothing: the session has ended as it was told to."""
    source = (
        """
import signal
from opentelemetry import trace
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
class BeforeOurs(SpanProcessor):
    def on_end(self, span):
        if span.parent is None:
            signal.raise_signal(signal.SIGTERM)
trace.set_tracer_provider(TracerProvider())
trace.get_tracer_provider().add_span_processor(BeforeOurs())
"""
        + HEAD
        + "print('ready', flush=True); agentops.end_session('Success')"
    )
    ended = _ended(source, server.url, "alone")
    assert ended.code == -signal.SIGTERM, ended.err
    assert end_of(server) == ("Success", None)


def test_a_killed_program_says_nothing_of_calls_after_the_end():
    """While a dead backend is waited for, code that goes on for a moment is not told that its session is over."""
    source = HEAD + "print('ready', flush=True)\nwhile True: dig()"
    said = ""
    for _ in range(3):  # a busy machine may leave no time to say it before the process dies
        with FaultServer(mode=fault_server.blackhole()) as server:
            ended = _ended(source, server.url, "sigterm")
        assert ended.code == -signal.SIGTERM
        _assert_in_time(ended, source, "sigterm")
        assert "no session is active" not in ended.err
        said += ended.err
        if said:
            break
    assert "agentops-otel: kept in" in said


def test_threads_that_go_on_at_the_exit_are_told_nothing(server):
    """Daemon threads whose session the end of the process has ended have done nothing wrong."""
    source = f"""
import atexit, time
atexit.register(time.sleep, 0.2)  # after our own exit hook
{HEAD}
def dig_on():
    while True: dig(); time.sleep(0.001)
for _ in range(3): threading.Thread(target=dig_on, daemon=True).start()
print("ready", flush=True)
"""
    ended = _ended(source, server.url, "exit")
    assert ended.code == 0
    assert "no session is active" not in ended.err


@pytest.mark.parametrize("place", ["here", "in a task of its own"])
def test_an_interrupt_in_asyncio_is_no_cancellation(server, place):
    """Ctrl-C reaches `async with session()` as a cancellation, and ends it as Fail; another one is Indeterminate."""
    source = HEAD.replace("agentops.init(", "agentops.init(auto_start_session=False, ").replace("\ndig()\n", "\n") + (
        """
async def work():
    async with agentops.session(name="x"):
        print("ready", flush=True)
        for _ in range(200):
            await asyncio.sleep(0.1)
async def cancelled():
    async with agentops.session(name="y"):
        await asyncio.sleep(20)
async def main():
    task = asyncio.ensure_future(cancelled())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    await """
        + ("work()" if place == "here" else "asyncio.gather(work())")
        + """
asyncio.run(main())
"""
    )
    with Program(source, {"SERVER": server.url}) as program:
        assert program.line() == "ready"
        program.send(signal.SIGINT)
        ended = program.end()
    assert ended.code == -signal.SIGINT, ended.err
    ends = {span.name: attributes(span)["agentops.session.end_state_reason"] for span in server.spans()}
    assert ends == {"session x": "Interrupted (SIGINT)", "session y": "Cancelled"}, ended.err
    assert [event.name for span in server.spans() for event in span.events] == ["exception"]


@pytest.mark.parametrize(
    ("last", "code"), [("pass", 0), ("sys.exit(3)", 3), ("raise KeyboardInterrupt", -signal.SIGINT)]
)
def test_an_interrupt_while_we_deliver_at_the_exit(server, last, code):
    """Ctrl-C, or a second one, ends the waiting for a backend: no traceback of ours, the exit code of the program."""
    stuck = replace(fault_server.blackhole(), signal=fault_server.TRACES)
    server.mode = lambda t: stuck if server.span_ids() else fault_server.ok
    source = HEAD + "agentops.flush(10); print('ready', flush=True); " + last
    with Program(source, {"SERVER": server.url, "AGENTOPS_SHUTDOWN_TIMEOUT": "20"}) as program:
        assert program.line() == "ready"
        until = time.monotonic() + 20
        while len([request for request in server.requests if request.path == fault_server.TRACES]) < 2:
            assert time.monotonic() < until
            time.sleep(0.02)
        program.send(signal.SIGINT)
        ended = program.end()
    assert ended.code == code, ended.err
    assert ended.seconds < 5
    assert "atexit" not in ended.err
    assert ended.err.count("Traceback") == (code == -signal.SIGINT)
    assert ": 1 of 2 spans, because" in ended.err
    assert [span.name for span in server.spans()] == ["execute_tool dig"]


def test_init_outside_the_main_thread(server):
    """Without the main thread there are no signal handlers, and everything else works."""
    ended = run(
        """
        import os, signal, threading
        import agentops_otel as agentops
        t = threading.Thread(target=agentops.init, kwargs={"endpoint": os.environ["SERVER"], "summary": False})
        t.start(); t.join()
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        """,
        {"SERVER": server.url},
    )
    assert (ended.code, ended.err) == (0, "")
    assert end_of(server) == ("Indeterminate", NOT_ENDED)


def test_shutdown_in_another_thread_and_init_again(server):
    """A handler that another thread could not take out is ours still, and serves the next `init()`."""
    source = (
        HEAD
        + """
t = threading.Thread(target=agentops.shutdown); t.start(); t.join()
agentops.init(endpoint=os.environ["SERVER"], summary=False, name="second")
sleep()
"""
    )
    with Program(source, {"SERVER": server.url}) as program:
        program.line()
        program.send(signal.SIGTERM)
        assert program.end().code == -signal.SIGTERM
    second = next(span for span in server.spans() if span.name == "session second")
    assert attributes(second)["agentops.session.end_state_reason"] == "Terminated (SIGTERM)"


@pytest.mark.parametrize("journal", ["disk", "memory"])
@pytest.mark.parametrize("way", ["exit", "end_session", "shutdown", "with", "exception", "sigterm", "async"])
@pytest.mark.parametrize("backend", ["closed", "blackhole"])
def test_an_unreachable_backend_holds_nobody_up(way, backend, journal):
    """The end takes no longer than the budget of two seconds, and one line says what was not delivered."""
    source = (
        HEAD
        + {
            "exit": "print('ready', flush=True)",
            "end_session": "print('ready', flush=True); agentops.end_session('Success')",
            "shutdown": "print('ready', flush=True); agentops.shutdown()",
            "with": "agentops.end_session(); print('ready', flush=True)\nwith agentops.session(): dig()",
            "exception": "print('ready', flush=True); raise ValueError",
            "sigterm": "sleep()",
            "async": "async def main():\n    print('ready', flush=True); agentops.end_session()\nasyncio.run(main())",
        }[way]
    )
    if backend == "blackhole":
        with FaultServer(mode=fault_server.blackhole()) as server:
            ended = _ended(source, server.url, way, {"AGENTOPS_JOURNAL": journal})
    else:
        with socket.create_server(("127.0.0.1", 0)) as unused:
            port = unused.getsockname()[1]
        ended = _ended(source, f"http://127.0.0.1:{port}", way, {"AGENTOPS_JOURNAL": journal})
    _assert_in_time(ended, source, way, {"AGENTOPS_JOURNAL": journal})
    assert ended.code == {"sigterm": -15, "exception": 1}.get(way, 0)
    spans = 4 if way == "with" else 2
    words = "agentops-otel: kept in " if journal == "disk" else "not delivered: "
    told = [line for line in ended.err.splitlines() if words in line]
    assert len(told) == 1, ended.err
    assert f": {spans} of {spans} spans" in told[0]


def _assert_in_time(ended, source: str, way: str, variables: dict[str, str] | None = None) -> None:
    """The end took no longer than the budget; or the machine is slow, as the same end with a healthy backend tells."""
    if ended.seconds >= 2.5:
        with FaultServer() as well:
            control = _ended(source, well.url, way, {"DEAD": well.url, **(variables or {})})
        assert ended.seconds < 3 + 2 * control.seconds, ended.err  # (the machine may be faster again)


def _ended(source: str, url: str, way: str, variables: dict[str, str] | None = None):
    with Program(source, {"SERVER": url, **(variables or {})}) as program:
        assert program.line() == "ready"
        program.mark = time.monotonic()
        with Stalls() as stalls:
            if way == "sigterm":
                program.send(signal.SIGTERM)
            ended = program.end()
    return replace(ended, seconds=ended.seconds - stalls.seconds)


class Stalls:
    """How long this machine ran nothing, as a thread that sleeps for a moment again and again tells."""

    def __enter__(self):
        self.seconds = 0.0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_error):
        self._done.set()
        self._thread.join()

    def _watch(self):
        last = time.monotonic()
        while not self._done.wait(0.01):
            now = time.monotonic()
            self.seconds += max(0.0, now - last - 0.05)
            last = now


@pytest.mark.parametrize("way", ["exit", "sigterm"])
def test_one_dead_backend_leaves_time_to_the_other(server, way):
    """Of two sessions, one with a backend that never answers, the other one arrives whole and in time."""
    source = (
        HEAD
        + """
from agentops_otel import Configuration
import contextvars
for url in (os.environ["DEAD"], os.environ["SERVER"]):
    contextvars.Context().run(agentops.session(config=Configuration(endpoint=url), name="x").__enter__)
"""
        + ("print('ready', flush=True)" if way == "exit" else "sleep()")
    ).replace('init(endpoint=os.environ["SERVER"],', "init(auto_start_session=False,")
    dead = FaultServer(mode=fault_server.blackhole())
    dead.up()
    try:
        ended = _ended(source, server.url, way, {"DEAD": dead.url})
    finally:
        dead.down()
    _assert_in_time(ended, source, way)
    assert [span.name for span in server.spans()] == ["session x"], ended.err
    assert ended.err.count("agentops-otel: kept in") == 1


def test_an_overflow_is_counted_exactly():
    """More spans than the queue holds.

    What arrived and what the last line says is missing make up what was recorded.
    """
    with FaultServer(mode=lambda t: fault_server.slow(0.3)) as server:
        ended = run(
            """
            import os
            import agentops_otel as agentops
            agentops.init(endpoint=os.environ["SERVER"], max_queue_size=100, max_wait_time=60000, summary=False)
            @agentops.tool
            def dig(): pass
            for _ in range(1000): dig()
            """,
            {"SERVER": server.url, "AGENTOPS_JOURNAL": "memory"},
        )
    (line,) = [line for line in ended.err.splitlines() if "not delivered" in line]
    lost = int(line.split(" of ")[0].split()[-1])
    assert lost + len(set(server.span_ids())) == 1001
    assert lost > 0
    assert f"{lost} queue full" in line
    assert root(server)


def test_skip_auto_end_session(server):
    """With `skip_auto_end_session` a normal exit ends nothing, and what was recorded arrives."""
    ended = run(HEAD, {"SERVER": server.url, "AGENTOPS_SKIP_AUTO_END_SESSION": "1"})
    assert ended.code == 0
    assert [span.name for span in server.spans()] == ["execute_tool dig"]


FORK = """
import multiprocessing, os, sys
import agentops_otel as agentops
agentops.init("secret-key", endpoint=os.environ["SERVER"], summary=False)

@agentops.tool
def dig(n):
    return n

dig(1)
"""


@pytest.mark.parametrize(
    "fork",
    [
        pytest.param(
            "p = multiprocessing.get_context('fork').Process(target=dig, args=(2,)); p.start(); p.join()",
            id="multiprocessing",
        ),
        pytest.param("pid = os.fork()\nif not pid:\n    dig(2)\n    sys.exit()\nos.waitpid(pid, 0)", id="os.fork"),
        pytest.param(
            "import concurrent.futures\n"
            "with concurrent.futures.ProcessPoolExecutor(1, multiprocessing.get_context('fork')) as pool:\n"
            "    pool.submit(dig, 2).result()",
            id="process-pool",
        ),
        pytest.param(
            "import time\n"
            "dug = multiprocessing.get_context('fork').Event()\n"
            "def work():\n    dig(2); dug.set()\n    for _ in range(200): time.sleep(0.1)\n"
            "p = multiprocessing.get_context('fork').Process(target=work); p.start()\n"
            "dug.wait(); p.terminate(); p.join()",
            id="terminated",
        ),
    ],
)
def test_a_forked_child(server, fork):
    """What a forked child does is in the parent's session once, and its end is not the end of the session."""
    ended = run(FORK + fork + "\ndig(3)\nagentops.end_session('Success')\n", {"SERVER": server.url})
    assert ended.code == 0, ended.err
    spans = server.spans()
    assert sorted(span.name for span in spans) == ["execute_tool dig"] * 3 + ["session"], ended.err
    assert len({span.span_id for span in spans}) == 4
    assert len({span.trace_id for span in spans}) == 1
    assert end_of(server) == ("Success", None)
    assert attributes(root(server))["agentops.session.tool_calls"] == 2  # of this process


CHILDREN = {
    "forked": """
read, write = os.pipe()
child = os.fork()
if not child:
    dig(2)
    os.write(write, b"x")
    for _ in range(200):
        time.sleep(0.1)
    os._exit(7)
os.read(read, 1)
""",
    "joined": """
code = "import agentops_otel as agentops, time; agentops.init(); print('ready', flush=True)\\n"
code += "agentops.record(agentops.ActionEvent('dig'))\\nfor _ in range(200): time.sleep(0.1)"
environ = {**os.environ, **agentops.current_session().environ()}
process = subprocess.Popen([sys.executable, "-c", code], env=environ, stdout=subprocess.PIPE)
process.stdout.readline()
child = process.pid
""",
}


@pytest.mark.parametrize("number", ["SIGTERM", "SIGHUP", "SIGINT"])
@pytest.mark.parametrize("child", CHILDREN)
def test_a_child_that_is_stopped_ends_no_session(server, child, number):
    """The session goes on elsewhere: nothing says that it has failed, neither to the backend nor on standard error."""
    end = f"""
time.sleep(0.2)
os.kill(child, signal.{number})
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
agentops.end_session('Success')
"""
    head = FORK.replace("import m", "import signal, subprocess, time, m").replace(", summary=False", "")
    ended = run(head + CHILDREN[child] + end, {"SERVER": server.url})
    assert ended.out == f"-{int(getattr(signal, number))}\n", ended.err
    ends = [log for log in server.logs() if event_name(log) == "session.end"]
    assert [attributes(log)["agentops.session.end_state"] for log in ends] == ["Success"]
    (told,) = [line for line in ended.err.splitlines() if line.startswith("agentops-otel: ")]
    assert " - Success; " in told
    assert len(server.spans()) == 3
    assert end_of(server) == ("Success", None)


def test_a_thread_pool_first_used_after_init_does_not_hang_a_forked_child(server):
    """The SDK's own handler in the child uses a thread pool, whose lock must be free by then."""
    ended = run(
        """
        import os, sys
        import agentops_otel as agentops
        agentops.init(endpoint=os.environ["SERVER"], summary=False)
        from concurrent.futures import ThreadPoolExecutor
        ThreadPoolExecutor(1).submit(int).result()
        child = os.fork()
        if child == 0:
            os._exit(7)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        """,
        {"SERVER": server.url},
    )
    assert ended.out == "7\n", ended.err


def test_a_span_open_at_a_fork_is_the_parents(server):
    """A child that leaves the blocks it was forked in does not send the parent's spans a second time."""
    ended = run(
        FORK
        + """
@agentops.tool
def both():
    pid = os.fork()
    dig(2)
    return pid
if pid := both():
    os.waitpid(pid, 0)
""",
        {"SERVER": server.url},
    )
    assert ended.code == 0, ended.err
    ids = server.span_ids()
    assert len(ids) == len(set(ids)) == 5


def test_the_key_is_in_no_byte_but_the_header(server):
    """The API key is sent as the Authorization header, and is in no body, no log line and no repr."""
    ended = run(
        """
        import logging, os
        logging.basicConfig(level=logging.DEBUG)
        import agentops_otel as agentops
        key = "ao-very-secret-4711"
        headers = {"x-other": "ho-secret-4713"}
        agentops.init(key, endpoint=os.environ["SERVER"], parent_key="po-very-secret-4712", headers=headers)
        session = agentops.current_session()
        print(session, session.config, session._repr_html_(), session.host_env)
        agentops.record(agentops.ActionEvent("spill " + key, params={"key": key, "in": [key]}, returns=key))
        agentops.add_tags([key])
        try:
            agentops.Configuration(key + " ")
            agentops.Configuration("k" + key, headers=3)
        except agentops.ConfigurationError as error:
            print(error)
        agentops.end_session("Fail", "because of " + key)
        """,
        {"SERVER": server.url},
    )
    assert ended.code == 0, ended.err
    for secret in ("very-secret-4711", "very-secret-4712", "ho-secret-4713"):
        assert secret not in ended.out + ended.err.replace("because of ao-very-secret-4711", "")
        for request in server.requests:
            body = b"".join(message.SerializeToString() for message in (*request.spans, *request.logs))
            assert secret.encode() not in body
    assert server.requests[0].headers["authorization"] == "Bearer ao-very-secret-4711"
    assert server.requests[0].headers["x-agentops-parent-key"] == "po-very-secret-4712"
    assert json.dumps(end_of(server))
