"""Rows K1 to K16: sessions over several processes lose nothing and repeat nothing, however the processes are made.

Each victim ends 20 spans, has children that end 20 more each in the same session, and ends one more itself.
"""

from __future__ import annotations

import contextlib
import os
import signal
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from agentops_otel.pipeline.parts import BATCH
from tests.fakes.fault_server import FaultServer
from tests.fakes.program import Program
from tests.faults.victim import DIED, NOT_ENDED, Site, end_of

PROTOCOLS = ["http/protobuf", "grpc"]
FIRST = """
import concurrent.futures
def context(method):
    return multiprocessing.get_context(method)
def run(process):
    process.start()
    process.join()
    assert process.exitcode == 0, process.exitcode
agentops.init()
emit()
"""
LAST = """
emit(1)
agentops.end_session("Success")
"""
FORK = """
pid = os.fork()
if not pid:
    emit()
    {}
os.waitpid(pid, 0)
"""
SET_UP = """
from work import join_and_emit
run(context({!r}).Process(target=join_and_emit, args=(agentops.current_session().session_id,)))
"""
HAND_ON = "os.environ.update(agentops.current_session().environ())\n"
TERMINATE = """
ended = context("fork").Event()
def work():
    emit()
    ended.set()
    while True:
        time.sleep(0.1)
process = context("fork").Process(target=work)
process.start()
ended.wait()
process.terminate()
process.join()
assert process.exitcode == -signal.SIGTERM, process.exitcode
"""


@pytest.fixture
def protocol() -> str:
    """How the victims send; a test may be parametrised by it."""
    return PROTOCOLS[0]


@pytest.fixture
def site(tmp_path, protocol) -> Iterator[Site]:
    with FaultServer(protocol) as server:
        yield Site(tmp_path, server)


def _assert_whole(site: Site, children: int = 1, replayed: int = 0) -> None:
    """Every span of the session arrived, once; a replay that was cut off may repeat what was on its way."""
    assert len(site.told) == len(site.ended) == 21 + 20 * children
    assert site.lost == set()
    assert len(site.repeated) <= replayed
    assert end_of(site.root) == ("Success", None)
    assert {span.trace_id for span in site.server.spans()} == {site.root.trace_id}


def _run(site: Site, child: str, children: int = 1) -> str:
    """Run a victim with its children to their end, after which all has arrived; what was said on standard error."""
    ended = site.run(FIRST + child + LAST)
    assert ended.code == 0, ended.err
    assert "Traceback" not in ended.err
    _assert_whole(site, children)
    return ended.err


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_k1_a_forked_child_that_returns(site, protocol):
    """A child made by `os.fork()` sends what it did; gRPC, which is not made for it, is named in one warning."""
    said = _run(site, FORK.format("sys.exit()") * 2, children=2)
    assert said.count("gRPC can hang") == (protocol == "grpc")


def test_k2_a_forked_child_that_leaves_at_once(site):
    """`os._exit()` runs no exit hook: what the child did is sent by the next process."""
    ended = site.run(FIRST + FORK.format("os._exit(0)") + LAST)
    assert ended.code == 0, ended.err
    assert site.replay().code == 0
    _assert_whole(site, replayed=20)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_k3_multiprocessing_fork(site, protocol):
    """A child of multiprocessing goes on in the session that it was forked in."""
    _run(site, "run(context('fork').Process(target=emit))")


def test_k4_multiprocessing_fork_with_set_up(site):
    """`init()` in such a child changes nothing."""
    _run(site, "def work():\n    agentops.init()\n    emit()\nrun(context('fork').Process(target=work))")


def test_k5_spawn_with_set_up(site):
    """A child without any memory of its parent joins by the id."""
    _run(site, SET_UP.format("spawn"))


def test_k5_what_a_child_could_not_send_is_said_once(site):
    """A spawned child runs multiprocessing's finalizers and the exit hooks; one line is enough."""
    site.server.down()
    ended = site.run(FIRST + SET_UP.format("spawn") + LAST)
    assert (ended.code, ended.err.count(": 20 of 20 spans, because")) == (0, 1), ended.err
    site.server.up()
    assert site.replay().code == 0
    _assert_whole(site)


def test_k6_forkserver_with_set_up(site):
    """A child of multiprocessing's server leaves past all exit hooks, and still sends what it did."""
    _run(site, SET_UP.format("forkserver"))


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_k7_a_fresh_child_without_set_up(site, method):
    """With the session's variables in the environment, a child joins with its first recorded call: it needs no code."""
    _run(site, f"{HAND_ON}run(context({method!r}).Process(target=emit))")


def test_k7_a_program_without_set_up(site):
    """The same holds for any program started with these variables; of two threads, each may be the first to record."""
    program = "import threading; from work import emit; threading.Thread(target=emit, args=(10,)).start(); emit(10)"
    _run(
        site,
        f"""
environ = {{**os.environ, **agentops.current_session().environ()}}
subprocess.run([sys.executable, "-c", {program!r}], env=environ, check=True)
""",
    )


def test_k7_a_child_that_has_shut_down_stays_out(site):
    """A child joins by itself once: not again after `shutdown()`."""
    program = "from work import agentops, emit; emit(); agentops.shutdown(); emit()"
    _run(site, f"{HAND_ON}subprocess.run([sys.executable, '-c', {program!r}], check=True)")


def test_k7_a_later_session_of_the_parent_is_its_own(site):
    """Variables that a process has put into its own environment are for its children: it does not join itself."""
    ended = site.run(f"{FIRST}{HAND_ON}agentops.end_session('Success')\nagentops.start_session()\nemit()\n")
    assert ended.code == 0, ended.err
    assert (len(site.ended), site.lost, site.repeated) == (40, set(), [])
    assert sorted(end_of(root) for root in site.roots.values()) == [("Indeterminate", NOT_ENDED), ("Success", None)]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_k8_a_process_pool(site, protocol):
    """Workers of a forked ProcessPoolExecutor send what they did."""
    pool = "with concurrent.futures.ProcessPoolExecutor(2, context('fork')) as pool:\n"
    _run(site, f"{pool}    list(pool.map(emit, [10, 10, 10, 10]))", children=2)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_k9_a_child_that_is_terminated(site, protocol):
    """`Process.terminate()` sends SIGTERM: the child delivers, dies of it, and the parent's end counts."""
    _run(site, TERMINATE)


def test_k9_a_pool_that_is_terminated(site):
    """Leaving the block of a `multiprocessing.Pool` terminates its workers, which lose nothing by it."""
    ended = site.run(f"{FIRST}with context('fork').Pool(2) as pool:\n    pool.map(emit, [10] * 4)\n{LAST}")
    assert ended.code == 0, ended.err
    assert site.replay().code == 0
    _assert_whole(site, children=2, replayed=40)


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_k9_a_signal_that_comes_as_the_wait_begins(site, method):
    """Python does not run a handler while the main thread waits; a child that is terminated dies all the same.

    A pool sends SIGTERM just when its workers begin to wait, and waits for their death. Here another thread gets it,
    which the main thread notices as little.
    """
    child = f"""
from work import emit_and_miss_a_signal
lock = context({method!r}).Lock()
lock.acquire()
process = context({method!r}).Process(target=emit_and_miss_a_signal, args=(lock,))
process.start()
process.join()
assert process.exitcode == -signal.SIGTERM, process.exitcode
"""
    _run(site, HAND_ON + child)


FORKS = """
stop = threading.Event()
def go_on():
    while not stop.wait(0.002):
        emit(1)
threads = [threading.Thread(target=go_on) for _ in range(4)]
for thread in threads:
    thread.start()
hung = 0
for _ in range(int(os.environ["CHILDREN"])):
    pid = os.fork()
    if not pid:
        emit()
        sys.exit()
    deadline = time.monotonic() + 20
    while not os.waitpid(pid, os.WNOHANG)[0]:
        if time.monotonic() > deadline:
            hung += 1
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.005)
stop.set()
for thread in threads:
    thread.join()
say(f"{hung} hung")
"""


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("children", [20, pytest.param(200, marks=pytest.mark.long)])
def test_k10_forks_while_threads_emit(site, protocol, children):
    """Whatever the threads were doing at the fork, no child hangs, loses or repeats anything."""
    ended = site.run(FIRST + FORKS + LAST, timeout=280, CHILDREN=str(children))
    assert (ended.code, ended.out) == (0, "0 hung\n"), ended.err
    assert len(site.told) == len(site.ended) > 21 + 20 * children
    assert site.lost == set()
    # On a machine so slow that the end came before an answer, what was on its way was sent once more.
    assert len(site.repeated) <= (BATCH if " kept in " in ended.err else 0)
    assert end_of(site.root) == ("Success", None)


# Servers ------------------------------------------------------------------------------------------------------------

REQUESTS = 60
APP = """
import os
from work import agentops, emit

agentops.init()


def app(environ, start_response):
    emit(1)
    start_response("200 OK", [("content-type", "text/plain")])
    return [str(os.getpid()).encode()]
"""
GUNICORN_CONFIG = """
from work import say


def when_ready(server):
    say(server.LISTENERS[0].getsockname()[1])


def post_worker_init(worker):  # it hears signals from now on: gunicorn forgets one that comes before
    say("worker")
"""
GUNICORN = """
import runpy
os.chdir(os.environ["HOME"])
sys.argv = ["gunicorn", "--bind", "127.0.0.1:0", "--workers", "2", *os.environ["ARGUMENTS"].split(), "app:app"]
runpy.run_module("gunicorn", run_name="__main__", alter_sys=True)
"""


@contextlib.contextmanager
def _gunicorn(site: Site, arguments: str) -> Iterator[tuple[Program, set[int]]]:
    """A server that has answered all requests, and the processes that did."""
    pytest.importorskip("gunicorn")
    (site.folder / "app.py").write_text(APP, encoding="utf-8")
    (site.folder / "gunicorn.conf.py").write_text(GUNICORN_CONFIG, encoding="utf-8")
    with site.start(GUNICORN, ARGUMENTS=arguments) as server:
        port = int(server.line())
        assert [server.line() for _ in range(2)] == ["worker", "worker"]

        def ask(_: int) -> int:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30) as answer:
                return int(answer.read())

        with ThreadPoolExecutor(4) as threads:
            workers = set(threads.map(ask, range(REQUESTS)))
        yield server, workers


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT], ids=["TERM", "QUIT"])
@pytest.mark.parametrize("arguments", ["", "--preload"], ids=["workers", "preload"])
def test_k11_gunicorn(site, arguments, number):
    """Workers of gunicorn send what they did at either end; with `--preload` all of them are in one session."""
    with _gunicorn(site, arguments) as (server, _):
        server.send(number)
        ended = server.end()
    assert ended.code == 0, ended.err
    assert (len(site.ended), site.lost, site.repeated) == (REQUESTS, set(), []), ended.err
    reason = NOT_ENDED if arguments or number == signal.SIGQUIT else "Terminated (SIGTERM)"  # seen by the workers
    assert [end_of(root) for root in site.roots.values()] == [("Indeterminate", reason)] * (1 if arguments else 2)


@pytest.mark.parametrize("arguments", ["", "--preload"], ids=["workers", "preload"])
def test_k12_gunicorn_workers_that_are_killed(site, arguments):
    """Workers that are killed lose nothing: their successors, or the next process, send it."""
    with _gunicorn(site, arguments) as (server, workers):
        for worker in workers:
            os.kill(worker, signal.SIGKILL)
        for _ in workers:
            assert server.line() == "worker"
        server.send(signal.SIGTERM)
        ended = server.end()
    assert ended.code == 0, ended.err
    assert site.replay().code == 0
    assert (len(site.ended), site.lost) == (REQUESTS, set()), ended.err
    ends = [end_of(root) for root in site.roots.values()]
    assert ends.count(("Indeterminate", DIED)) == (0 if arguments else len(workers))


GREENLETS = """
from gevent import monkey
monkey.patch_all()
import gevent
agentops.init()
@agentops.tool
def outer():
    gevent.sleep(0.001)
    emit(1)
    return trace.get_current_span().get_span_context().span_id
def both():
    tell(outer())
gevent.joinall([gevent.spawn(both) for _ in range(200)])
"""


@pytest.mark.parametrize("way", ["end", "SIGTERM"])
def test_k13_greenlets(site, way):
    """In a program patched by gevent each greenlet has its own current span, and SIGTERM loses nothing."""
    pytest.importorskip("gevent")
    wait = "" if way == "end" else "say('ready')\ntime.sleep(40)\n"
    with site.start(GREENLETS + wait) as program:
        if wait:
            assert program.line() == "ready"
            program.send(signal.SIGTERM)
        ended = program.end()
    assert ended.code == (-signal.SIGTERM if wait else 0), ended.err
    assert (len(site.ended), site.lost, site.repeated) == (400, set(), []), ended.err
    assert end_of(site.root) == (("Fail", "Terminated (SIGTERM)") if wait else ("Indeterminate", NOT_ENDED))
    parents = {span.span_id: span.parent_span_id for span in site.server.spans()}
    outer = {span.span_id for span in site.server.spans() if span.name == "execute_tool outer"}
    assert len(outer) == 200
    assert {parents[span_id] for span_id in outer} == {site.root.span_id}
    assert sorted(parent for parent in parents.values() if parent in outer) == sorted(outer)


@pytest.mark.parametrize("arguments", ["", "--preload"], ids=["workers", "preload"])
def test_k14_gunicorn_with_greenlets(site, arguments):
    """gunicorn's gevent workers patch the process after the fork, and lose nothing."""
    pytest.importorskip("gevent")
    with _gunicorn(site, f"--worker-class gevent {arguments}") as (server, _):
        server.send(signal.SIGTERM)
        ended = server.end()
    assert ended.code == 0, ended.err
    assert (len(site.ended), site.lost, site.repeated) == (REQUESTS, set(), []), ended.err
    reason = NOT_ENDED if arguments else "Terminated (SIGTERM)"
    assert {end_of(root) for root in site.roots.values()} == {("Indeterminate", reason)}


def test_celery(site):
    """Celery's forked workers leave by `os._exit()`: what they did not send in time is sent by the next process."""
    pytest.importorskip("celery")
    (site.folder / "tasks.py").write_text(TASKS, encoding="utf-8")
    (site.folder / "broker").mkdir()
    queued = site.run("os.chdir(os.environ['HOME'])\nimport tasks\nfor _ in range(20): tasks.work.delay()")
    assert queued.code == 0, queued.err
    with site.start(CELERY, C_FORCE_ROOT="1") as worker:
        assert site.server.wait_for(lambda: len(site.ended) == 20, 30)
        worker.send(signal.SIGTERM)
        ended = worker.end()
    assert ended.code == 0, ended.err
    assert site.replay().code == 0
    assert (len(site.told), len(site.ended), site.lost) == (20, 20, set()), ended.err
    assert {end_of(root) for root in site.roots.values()} == {("Indeterminate", NOT_ENDED)}


TASKS = """
import os
from celery import Celery
from work import agentops, emit

folders = ("data_folder_in", "data_folder_out", "processed_folder", "control_folder")
options = dict.fromkeys(folders, os.path.join(os.environ["HOME"], "broker"))
app = Celery("tasks", broker="filesystem://", broker_transport_options=options)
agentops.init()


@app.task
def work():
    emit(1)
"""
CELERY = """
import runpy
os.chdir(os.environ["HOME"])
sys.argv = ["celery", "--app", "tasks", "worker", "--pool", "prefork", "--concurrency", "2",
            "--without-mingle", "--without-gossip", "--without-heartbeat"]
runpy.run_module("celery", run_name="__main__", alter_sys=True)
"""


# Journals and locks of several processes --------------------------------------------------------------------------


def test_k16_a_child_does_not_hold_its_parents_journal(site):
    """While a forked child lives on, what its killed parent left is sent already; then what the child did."""
    child = """
parent = os.getpid()
if not os.fork():
    emit()
    say("child")
    while os.getppid() == parent:
        time.sleep(0.01)
    say("orphan")
    sys.stdin.readline()
    emit()
    sys.exit()
time.sleep(40)
"""
    with site.start(FIRST + child) as program:
        assert program.line() == "child"
        os.kill(program.pid, signal.SIGKILL)
        assert program.line() == "orphan"
        assert site.replay().code == 0
        first = set(site.told[:20])
        # (the child may have taken it up before, and be sending it)
        assert site.server.wait_for(lambda: first <= set(site.server.span_ids()) and len(site.roots) == 1)
        assert end_of(site.root) == ("Indeterminate", DIED)
        program.end()
    assert site.server.wait_for(lambda: len(site.ended) == 60 and not site.lost)


# Frozen processes -------------------------------------------------------------------------------------------------

FREEZE = """
def freeze():
    os.kill(os.getpid(), signal.SIGSTOP)
"""
HANDLERS = {
    "session": """
agentops.init(auto_start_session=False)
def handler():
    with agentops.session(wait=True):
        emit()
while True:
    handler()
    freeze()
""",
    "flush": """
agentops.init()
def handler():
    emit()
    agentops.flush()
while True:
    handler()
    freeze()
""",
    "async": """
agentops.init(auto_start_session=False)
async def handler():
    async with agentops.session():
        emit()
    await asyncio.to_thread(agentops.flush)
while True:
    asyncio.run(handler())
    freeze()
""",
}


@pytest.mark.parametrize("handler", HANDLERS)
def test_a_process_that_is_frozen_between_requests(site, handler):
    """A host that stops the process when a handler returns, for a while or for ever, gets nothing but delivered spans.

    Connections do not survive the pause.
    """
    roots = 0 if handler == "flush" else 1
    with site.start(FREEZE + HANDLERS[handler]) as program:
        process = psutil.Process(program.pid)
        for times in (1, 2):
            assert site.server.wait_for(lambda: process.status() == psutil.STATUS_STOPPED, 30)
            assert (len(site.ended), site.lost, site.repeated) == (20 * times, set(), [])
            assert len(site.roots) == roots * times
            site.server.down()
            site.server.up()
            if times == 1:
                process.resume()
        os.kill(program.pid, signal.SIGKILL)
        assert program.end().code == -signal.SIGKILL
