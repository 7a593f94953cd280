"""A fork finds no thread of ours, does not wait long, and loses nothing, in the parent and in the child."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator

import pytest

from tests.fakes import fault_server
from tests.fakes.fault_server import FaultServer
from tests.fakes.program import Program, run

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs fork and /proc")

HEAD = """
import multiprocessing, os, subprocess, sys, threading, time, warnings
warnings.simplefilter("always")

def count():
    threads.append(len(os.listdir("/proc/self/task")))

threads = []  # how many there are at each fork
os.register_at_fork(before=count)  # before ours is registered, so it runs after that
import agentops_otel as agentops
agentops.init(summary=False, max_wait_time=int(os.environ.get("WAIT", "60000")))

def record(name):
    agentops.record(agentops.ActionEvent(name))

def fork(work=lambda: None):
    pid = os.fork()
    if not pid:
        work()
        os._exit(0)
    return os.waitpid(pid, 0)[1]
"""

# A busy machine can make a thread's last step last longer than a fork waits otherwise.
PATIENT = """
from agentops_otel import forks, loading
forks._LONGEST_WAIT = loading._LONGEST_WAIT = 20.0
"""


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


def play(server: FaultServer, source: str, **variables: str) -> str:
    """Run a program; what it prints."""
    ended = run(HEAD + source, {"AGENTOPS_ENDPOINT": server.url, **variables})
    assert ended.code == 0, ended.err
    assert "multi-threaded" not in ended.err
    assert "Traceback" not in ended.err
    return ended.out.strip()


def names(server: FaultServer) -> list[str]:
    return sorted(span.name for span in server.spans())


FORKS = {
    "os.fork": "assert fork() == 0",
    "multiprocessing": "p = multiprocessing.get_context('fork').Process(target=int); p.start(); p.join()",
    "subprocess": "subprocess.run([sys.executable, '-c', ''], preexec_fn=int)",
    "forkpty": """
import pty
pid, fd = pty.fork()
if not pid:
    os._exit(0)
os.waitpid(pid, 0)
os.close(fd)
""",
}


@pytest.mark.parametrize("way", FORKS)
def test_a_fork_finds_no_thread_of_ours(server, way):
    """Every kind of fork, at any time: right after `init()`, with spans that wait, after a flush, twice in a row."""
    source = f"""
def go():
    {FORKS[way].strip().replace(chr(10), chr(10) + "    ")}
go()
record("a")
go()
assert agentops.flush(20)
go()
go()
record("b")
agentops.end_session("Success")
print(threads)
"""
    assert play(server, PATIENT + source) == "[1, 1, 1, 1]"
    assert names(server) == ["a", "b", "session"]


@pytest.mark.parametrize("when", ["before the first span", "with spans that wait", "after a flush"])
def test_under_gevent_a_child_runs_no_greenlet_of_its_parent(server, when):
    """gevent's `subprocess` forks; whoever switches in the child lets it go on as the parent, and fork again."""
    pytest.importorskip("gevent")
    record = "record('a')"
    before = {
        "before the first span": "",
        "with spans that wait": record,
        "after a flush": f"{record}; agentops.flush(20)",
    }
    source = f"""
{before[when]}
said = [gevent.spawn(subprocess.check_output, ["echo", "x"]) for _ in range(3)]  # as many again in each child
gevent.joinall(said)
record("b")
agentops.end_session("Success")
print([each.value for each in said])
"""
    ended = run(
        "import gevent, gevent.monkey\ngevent.monkey.patch_all()\n" + HEAD + source, {"AGENTOPS_ENDPOINT": server.url}
    )
    assert ended.out.strip() == str([b"x\n"] * 3), ended.err
    assert names(server) == [*(["a"] if before[when] else []), "b", "session"]


def test_the_threads_come_back(server):
    """After a fork spans are sent as before, without a flush, also those that waited before it."""
    source = """
record("before")
fork()
assert len(os.listdir("/proc/self/task")) == 1
record("after")
deadline = time.monotonic() + 20
while len(os.listdir("/proc/self/task")) < 3 and time.monotonic() < deadline:
    time.sleep(0.01)
sys.stdin.readline()
"""
    with Program(HEAD + PATIENT + source, {"AGENTOPS_ENDPOINT": server.url, "WAIT": "100"}) as program:
        assert server.wait_for(lambda: names(server) == ["after", "before"], 30)
        assert program.answer("\n").code == 0
    assert names(server) == ["after", "before", "session"]


def test_a_child_records_into_the_session(server):
    """A child's threads come with its first span; what waits in the parent is not sent twice."""
    source = """
def work():
    record("child")
    assert agentops.flush(20)
for _ in range(3):
    record("parent")
    assert fork(work) == 0
agentops.end_session("Success")
print(threads)
"""
    assert play(server, PATIENT + source) == "[1, 1, 1]"
    assert names(server) == ["child"] * 3 + ["parent"] * 3 + ["session"]


def test_children_have_ids_of_their_own(server):
    """Spans of the same moment in parent and children, and in a child's child, have different ids."""
    source = """
def work():
    record("child")
    assert fork(lambda: (record("grandchild"), agentops.flush(20))) == 0
    assert agentops.flush(20)
for _ in range(3):
    assert fork(work) == 0
record("parent")
agentops.end_session("Success")
"""
    play(server, source)
    assert len(server.spans()) == 8
    assert len({span.span_id for span in server.spans()}) == 8


def test_a_back_off_is_cut_short_by_a_fork(server):
    """A backend that refuses for now: the wait for the next attempt ends, and what waits is kept for later."""
    server.mode = fault_server.status(503)
    source = """
record("a")
deadline = time.monotonic() + 20
while time.monotonic() < deadline and not agentops.current_session()._pipeline.exporter.failing:
    time.sleep(0.01)
fork()
print(threads, agentops.current_session()._pipeline.exporter.kept, flush=True)
sys.stdin.readline()
while not agentops.flush(5):
    time.sleep(0.1)
"""
    with Program(HEAD + PATIENT + source, {"AGENTOPS_ENDPOINT": server.url, "WAIT": "50"}) as program:
        assert program.line() == "[1] 1"
        server.mode = fault_server.ok
        assert program.answer("\n").code == 0
    assert names(server) == ["a", "session"]


def test_a_request_under_way_is_waited_for(server, tmp_path):
    """What is on its way to a slow backend arrives, once, and the fork comes after it."""
    server.mode = fault_server.slow(0.3)
    source = """
record("a")
while not os.path.exists(os.environ["UNDER_WAY"]):
    time.sleep(0.001)
fork()
print(threads)
"""
    mark = tmp_path / "mark"

    def tell():
        server.wait_for(lambda: any(request.spans for request in server.requests))
        mark.touch()

    thread = threading.Thread(target=tell)
    thread.start()
    assert play(server, source, WAIT="50", UNDER_WAY=str(mark)) == "[1]"
    thread.join()
    assert names(server) == ["a", "session"]


def test_a_backend_that_never_answers_holds_no_fork_up(server):
    """One fork waits for about a second, those after it do not; all is there in the end."""
    server.mode = fault_server.blackhole()
    source = """
record("a")
time.sleep(0.5)
begun = time.monotonic()
for _ in range(40):
    fork()
print(time.monotonic() - begun)
"""
    ended = run(HEAD + source, {"AGENTOPS_ENDPOINT": server.url, "WAIT": "50"})
    assert ended.code == 0, ended.err
    assert float(ended.out) < 20  # 40 waits would be 40 s


def test_a_flush_of_another_thread_goes_on(server):
    """A fork takes no answer from who flushes meanwhile: all that was handed over is acknowledged."""
    source = """
warnings.simplefilter("ignore")  # the program has a thread of its own
answers = []
def flush():
    for number in range(30):
        record(f"span {number}")
        answers.append(agentops.flush(20))
thread = threading.Thread(target=flush)
thread.start()
while thread.is_alive():
    fork()
print(answers.count(True), len(answers))
"""
    assert play(server, source) == "30 30"
    assert len(server.span_ids()) == len(set(server.span_ids())) == 31


def test_a_fork_of_a_thread_of_ours(server):
    """A user's exporter may fork, too: no thread waits for itself."""
    source = """
warnings.simplefilter("ignore")
from agentops_otel.testing import SpanCapture
class Forking(SpanCapture):
    def export(self, spans):
        assert fork() == 0
        return super().export(spans)
agentops.shutdown()
exporter = Forking()
agentops.init(exporter=exporter, summary=False)
record("a")
agentops.end_session("Success")
agentops.shutdown()
print([span.name for span in exporter.spans])
"""
    assert play(server, source) == "['a', 'session']"


def test_a_fork_in_a_signal_handler_of_the_program(server):
    """The interrupted code may be anywhere, also in our work: nothing hangs, nothing is lost."""
    source = """
import signal
warnings.simplefilter("ignore")  # what is interrupted may be just about to start a thread
over = False
def handler(number, frame):
    fork()
    if not over:
        signal.setitimer(signal.ITIMER_REAL, 0.01)
signal.signal(signal.SIGALRM, handler)
handler(0, None)
deadline = time.monotonic() + 60
recorded = 0
while len(threads) < 30 and time.monotonic() < deadline:
    record("a")
    recorded += 1
over = True
signal.setitimer(signal.ITIMER_REAL, 0)
agentops.end_session("Success")
print(len(threads) >= 30, recorded)
"""
    done, recorded = play(server, source).split()
    assert done == "True"
    assert names(server) == ["a"] * int(recorded) + ["session"]
