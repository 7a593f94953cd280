"""Rows P1 to P10: however a process ends, each span that ended and the session's root arrive, at once or by replay.

Each victim ends 50 spans just before its end, inside of an open session.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

import pytest

from tests.fakes import fault_server
from tests.fakes.fault_server import TRACES, FaultServer
from tests.fakes.program import Ended
from tests.faults.victim import DIED, NOT_ENDED, Site, attributes, end_of

SPANS = 50
ERROR, UNSET = 2, 0
# Where the last spans are made, and where a signal finds the program.
PLACES = {
    "main": """
def wait():
    say("waiting")
    while True:
        time.sleep(0.1)
last()
""",
    "thread": """
@agentops.tool
def wait():
    say("waiting")
    time.sleep(40)
thread = threading.Thread(target=last, daemon=True)
thread.start()
while thread.is_alive():  # in short waits, as in test_exits.py
    thread.join(0.1)
""",
    "asyncio": """
async def wait():
    say("waiting")
    while True:
        await asyncio.sleep(0.1)
async def main():
    waiting = last()
    if waiting is not None:
        await waiting
asyncio.run(main())
""",
}


class Way(NamedTuple):
    """A way to end: the victim's last statement, or a signal, and what it must look like from outside."""

    last: str
    code: int
    state: str
    reason: str
    signal: int = 0


def _killed_by(name: str, reason: str) -> pytest.param:
    number = signal.Signals[name]
    return pytest.param(Way("return wait()", -number, "Fail", reason, number), id=name)


def _death(name: str, code: int, last: str) -> pytest.param:
    return pytest.param(Way(last, code, "Indeterminate", DIED), id=name)


EXITS = [
    pytest.param(Way("pass", 0, "Indeterminate", NOT_ENDED), id="end"),
    pytest.param(Way("sys.exit(3)", 3, "Indeterminate", NOT_ENDED), id="sys.exit"),
    pytest.param(Way("raise ValueError('bad luck')", 1, "Fail", "ValueError: bad luck"), id="exception"),
]
DEATHS = [
    _death("SIGKILL", -signal.SIGKILL, "os.kill(os.getpid(), signal.SIGKILL)"),
    _death("os._exit", 7, "os._exit(7)"),
    _death("abort", -signal.SIGABRT, "os.abort()"),
    _death("segfault", -signal.SIGSEGV, "import ctypes; ctypes.string_at(0)"),
    _death("execv", 0, "os.execv(sys.executable, [sys.executable, '-c', 'pass'])"),
]


class Victim(NamedTuple):
    """A victim that has ended."""

    way: Way
    site: Site
    died: Ended


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Site]]:
    """Makes sites, each with a home folder and a backend of its own."""
    with contextlib.ExitStack() as servers:
        yield lambda: Site(tmp_path_factory.mktemp("site"), servers.enter_context(FaultServer()))


@pytest.fixture
def site(sites: Callable[[], Site]) -> Site:
    return sites()


@pytest.fixture(scope="module")
def victims(request: pytest.FixtureRequest, sites: Callable[[], Site]) -> dict[str, Victim]:
    """One victim for each place, all at once; the parameter is the way they end."""
    way: Way = request.param
    source = f"agentops.init()\ndef last():\n    emit({SPANS})\n    {way.last}\n"
    with contextlib.ExitStack() as stack:
        started = {place: sites() for place in PLACES}
        programs = {place: stack.enter_context(site.start(source + PLACES[place])) for place, site in started.items()}
        for program in programs.values():
            if way.signal:
                assert program.line() == "waiting"
                program.send(way.signal)
        return {place: Victim(way, started[place], program.end()) for place, program in programs.items()}


@pytest.fixture
def victim(victims: dict[str, Victim], place: str) -> Victim:
    return victims[place]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("victims", EXITS, indirect=True)
def test_p1_an_exit(victim, place):
    """A normal end, `sys.exit()` and an uncaught exception lose nothing, and the root says which it was."""
    way, site, died = victim
    assert died.code == (0 if place == "thread" else way.code), died.err  # a thread has no say in the exit code
    assert (len(site.ended), site.lost, site.repeated) == (SPANS, set(), [])
    assert end_of(site.root) == (way.state, way.reason)
    assert site.root.status.code == (ERROR if way.state == "Fail" else UNSET)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("victims", [_killed_by("SIGINT", "Interrupted (SIGINT)")], indirect=True)
def test_p2_an_interrupt(victim, place):
    """Ctrl-C loses nothing, and the root arrives also when the thread that works is still in a span."""
    _assert_ended_by_a_signal(victim)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    "victims",
    [_killed_by("SIGTERM", "Terminated (SIGTERM)"), _killed_by("SIGHUP", "Terminated (SIGHUP)")],
    indirect=True,
)
def test_p3_a_termination(victim, place):
    """SIGTERM and SIGHUP lose nothing, end the session as failed, and the parent sees a death by that signal."""
    _assert_ended_by_a_signal(victim)


def _assert_ended_by_a_signal(victim: Victim) -> None:
    way, site, died = victim
    assert died.code == way.code, died.err
    assert (len(site.ended), site.lost, site.repeated) == (SPANS, set(), [])
    assert end_of(site.root) == (way.state, way.reason)
    assert site.root.status.code == ERROR
    assert died.seconds < 10, died.err  # of 20 or 40 that the program would go on; how long exactly: test_exits.py


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("victims", DEATHS, indirect=True)
def test_p4_a_death(victim, place):
    """A process that dies without a word has lost nothing: its spans and a root with the root's own id are replayed."""
    way, site, died = victim
    assert died.code == way.code, died.err
    replayed = site.replay()
    assert replayed.code == 0, replayed.err
    assert (len(site.ended), site.lost) == (SPANS, set())
    _assert_remade(site)


def _assert_remade(site: Site, state: str = "Indeterminate", reason: str = DIED) -> None:
    """The root arrived once, made by the replay."""
    root = site.root
    assert site.server.span_ids().count(root.span_id.hex()) == 1
    assert root.span_id == root.trace_id[:8]
    assert end_of(root) == (state, reason)
    assert attributes(root)["agentops.replayed"] is True
    assert root.status.code == {"Success": 1, "Fail": ERROR}.get(state, UNSET)
    children = [span for span in site.server.spans() if span.span_id.hex() in site.ended]
    assert {(span.trace_id, span.parent_span_id) for span in children} == {(root.trace_id, root.span_id)}
    assert root.start_time_unix_nano <= min(span.start_time_unix_nano for span in children)
    assert root.end_time_unix_nano >= max(span.end_time_unix_nano for span in children)


def test_p4_the_end_of_a_dead_process_is_told(site):
    """Whoever reads log events learns of the death as well."""
    site.run(f"agentops.init(name='digger', tags=['gold'])\nemit({SPANS})\nos._exit(1)")
    site.replay()
    (event,) = [record for record in site.server.logs() if "agentops.session.end_state" in attributes(record)]
    assert event.trace_id == site.root.trace_id
    found = attributes(event)
    assert (found["agentops.session.end_state"], found["agentops.session.end_state_reason"]) == ("Indeterminate", DIED)
    assert (found["agentops.session.role"], found["agentops.replayed"]) == ("owner", True)
    assert site.root.name == "session digger"
    tags = next(pair.value for pair in site.root.attributes if pair.key == "agentops.session.tags")
    assert [item.string_value for item in tags.array_value.values] == ["gold"]


def test_p4_the_next_process_replays(site):
    """Nobody has to call anything: the next process with the same backend sends it, while it works."""
    site.run(f"agentops.init(service_name='first')\nemit({SPANS})\nos._exit(1)")
    with site.start("agentops.init(service_name='second')\nsys.stdin.readline()") as next_one:
        assert site.server.wait_for(lambda: not site.lost and len(site.roots) == 1, 30)
        assert end_of(site.root) == ("Indeterminate", DIED)
        assert len(site.ended) == SPANS
        ended = next_one.end()
    assert ended.code == 0, ended.err
    assert len(site.roots) == 2
    assert site.repeated == []


@pytest.mark.parametrize(
    ("wish", "state", "reason"),
    [
        pytest.param("'Success'", "Success", None, id="success"),
        pytest.param("'Fail', 'no gold'", "Fail", "no gold", id="fail"),
    ],
)
def test_p4_the_wish_of_a_joiner_counts(site, wish, state, reason):
    """A process that joined said how the session ends; the owner died before it could say otherwise."""
    site.run(
        f"""
        agentops.init()
        emit({SPANS})
        child = "import agentops_otel as agentops; agentops.init(); agentops.end_session({wish})"
        environ = {{**os.environ, **agentops.current_session().environ()}}
        subprocess.run([sys.executable, "-c", child], env=environ, check=True)
        os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    site.replay()
    assert site.lost == set()
    _assert_remade(site, state, reason)


def test_p5_a_kill_in_the_middle_of_work(site):
    """The out-of-memory killer's SIGKILL finds threads that write: every span whose end returned arrives."""
    source = """
    agentops.init()
    for _ in range(4):
        threading.Thread(target=emit, args=(10**9,), daemon=True).start()
    say("working")
    time.sleep(40)
    """
    for _ in range(3):
        told = len(site.ended)
        with site.start(source) as program:
            assert program.line() == "working"
            assert site.server.wait_for(lambda told=told: len(site.ended) > told + SPANS)
            os.kill(program.pid, signal.SIGKILL)
            assert program.end().code == -signal.SIGKILL
    assert site.replay().code == 0
    assert site.lost == set()
    assert [end_of(root) for root in site.roots.values()] == [("Indeterminate", DIED)] * 3


def test_p6_a_thread_that_outlives_main(site):
    """Spans of a thread that goes on after the main one has ended arrive, and the session ends after it."""
    ended = site.run(
        f"""
        agentops.init()
        def late():
            threading.main_thread().join()
            emit({SPANS})
        threading.Thread(target=late).start()
        """
    )
    assert ended.code == 0, ended.err
    assert (len(site.ended), site.lost, site.repeated) == (SPANS, set(), [])
    assert end_of(site.root) == ("Indeterminate", NOT_ENDED)
    last = max(span.end_time_unix_nano for span in site.server.spans() if span.span_id.hex() in site.ended)
    assert site.root.end_time_unix_nano >= last


def test_p6_a_daemon_thread_that_is_cut_off(site):
    """A daemon thread records until the interpreter is gone; the next process sends what was left."""
    ended = site.run(
        """
        agentops.init()
        threading.Thread(target=emit, args=(10**9,), daemon=True).start()
        time.sleep(0.2)
        """
    )
    assert ended.code == 0, ended.err
    assert site.replay().code == 0
    assert site.ended
    assert site.lost == set()
    assert end_of(site.root) == ("Indeterminate", NOT_ENDED)


def test_p7_spans_after_the_exit_hook(site):
    """An exit handler registered before `init()` runs after ours; the next process sends the spans that it ends."""
    ended = site.run(
        f"""
        def late():
            for span in spans:
                span.end()
                tell(span.get_span_context().span_id)
        atexit.register(late)
        agentops.init()
        emit(1)
        spans = [trace.get_tracer("late").start_span("late") for _ in range({SPANS})]
        """
    )
    assert (ended.code, "Traceback" in ended.err) == (0, False), ended.err
    assert site.replay().code == 0
    assert (len(site.ended), site.lost) == (SPANS + 1, set())
    assert end_of(site.root) == ("Indeterminate", NOT_ENDED)


@pytest.mark.parametrize("held_by", ["the program", "a module"])
def test_p7_generators_that_are_closed_with_the_interpreter(site, held_by):
    """A tool's generator that is still open when modules are taken apart is closed without a word."""
    holder = {"the program": "sys.modules['__main__']", "a module": "threading"}[held_by]
    ended = site.run(
        f"""
        @agentops.tool
        def count():
            yield from range(3)

        @agentops.tool
        async def acount():
            for number in range(3):
                yield number

        agentops.init(summary=False)
        {holder}.half_read = count(), acount()
        next({holder}.half_read[0])
        try:
            {holder}.half_read[1].asend(None).send(None)
        except StopIteration:
            pass
        """
    )
    assert (ended.code, ended.err) == (0, "")
    assert end_of(site.root) == ("Indeterminate", NOT_ENDED)


@pytest.mark.parametrize(
    "begin",
    [
        pytest.param("agentops.init()", id="open"),
        pytest.param(
            "agentops.init(auto_start_session=False); agentops.session().__enter__(); gc.collect()", id="collected"
        ),
        pytest.param(
            "agentops.init(auto_start_session=False)\n"
            "t = threading.Thread(target=agentops.start_session); t.start(); t.join(); del t; gc.collect()",
            id="of-a-thread",
        ),
    ],
)
def test_p8_a_root_that_nobody_ends(site, begin):
    """A session that nobody ends, or holds, has its root at the exit, and its children are no orphans."""
    ended = site.run(f"{begin}\nemit({SPANS})")
    assert ended.code == 0, ended.err
    assert (len(site.ended), site.lost, site.repeated) == (SPANS, set(), [])
    assert end_of(site.root) == ("Indeterminate", NOT_ENDED)
    assert {span.parent_span_id for span in site.server.spans()} == {b"", site.root.span_id}


def test_p9_an_interrupt_of_the_last_flush(site):
    """Ctrl-C while the exit waits for a backend ends it at once, without a traceback, and nothing is lost."""
    site.server.mode = replace(fault_server.blackhole(), signal=TRACES)
    with site.start(f"agentops.init(shutdown_timeout=30)\nemit({SPANS})\n") as program:
        sending = site.server.wait_for(lambda: any(request.path == TRACES for request in site.server.requests), 30)
        assert sending
        program.send(signal.SIGINT)
        ended = program.end()
    assert ended.seconds < 10, ended.err  # of 30
    assert "Traceback" not in ended.err
    site.server.mode = fault_server.ok
    assert site.replay().code == 0
    assert (len(site.ended), site.lost) == (SPANS, set())
    assert end_of(site.root) == ("Indeterminate", NOT_ENDED)


def test_p10_a_power_loss(site):
    """What the disk was told to keep, about once a second, is there after a power loss, and the root is made of it."""
    died = site.run(
        f"""
        sync, synced = os.fdatasync, {{}}
        def fdatasync(descriptor):
            size = os.fstat(descriptor).st_size
            sync(descriptor)
            synced[os.readlink(f"/proc/self/fd/{{descriptor}}")] = size
        os.fdatasync = fdatasync
        def sizes():
            state = os.environ["XDG_STATE_HOME"]
            paths = (os.path.join(at, name) for at, _, names in os.walk(state) for name in names)
            return {{path: os.path.getsize(path) for path in paths if path.endswith(".seg")}}
        agentops.init()
        emit({SPANS})
        written, deadline = sizes(), time.monotonic() + 30
        while any(synced.get(path, 0) < size for path, size in written.items()) and time.monotonic() < deadline:
            time.sleep(0.01)
        for path, size in [*synced.items()]:
            say(f"{{size}} {{path}}")
        emit({SPANS})
        os.kill(os.getpid(), signal.SIGKILL)
        """,
        AGENTOPS_MAX_WAIT_TIME="60000",  # nothing is delivered before
    )
    synced = {path: int(size) for size, path in (line.split(" ", 1) for line in died.out.splitlines())}
    cut = 0
    for path in map(str, (site.folder / "state").rglob("*.seg")):
        kept = synced.get(path, 0)
        cut += os.path.getsize(path) - kept
        os.truncate(path, kept)
    assert cut > 0, died.err
    assert site.replay().code == 0
    assert len(site.told) == 2 * SPANS
    arrived = set(site.server.span_ids())
    assert set(site.told[:SPANS]) <= arrived
    assert not arrived.issuperset(site.told)
    assert end_of(site.root) == ("Indeterminate", DIED)
