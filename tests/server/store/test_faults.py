"""What was acknowledged is there: after SIGKILL at any moment, and when the disk is full."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from agentops_otel.server.store import Batch, Filter, StoreFull
from agentops_otel.server.store.sqlite import SqliteStore
from tests.server.store.rows import SECOND, START, llm, session, text

NOW = START + 3600 * SECOND
VICTIM = """
import sys, threading
from agentops_otel.server.store import Batch
from agentops_otel.server.store.sqlite import SqliteStore
from tests.server.store.rows import heartbeat, opened, session

store = SqliteStore(sys.argv[1])
first = int(sys.argv[2])
lock = threading.Lock()

def send(offset):
    for trace in range(first + offset, first + 10**6, 3):
        spans = session(trace, failed=trace % 5 == 0)
        store.add(Batch(events=[heartbeat(trace, 1, opened(spans[1]), session=f"session-{trace}")]), 10**18)
        store.add(Batch(spans[1:]), 10**18)
        store.add(Batch(spans), 10**18)
        if trace % 7 == 0:
            store.retain(0, max_age_ns=None, max_bytes=10**9)
        with lock:
            print(trace, flush=True)

threads = [threading.Thread(target=send, args=(offset,)) for offset in range(3)]
for thread in threads:
    thread.start()
for thread in threads:  # Python 3.12 and later start no thread once the main one has ended
    thread.join()
"""


def test_a_thread_that_cannot_be_started_costs_one_call(tmp_path, monkeypatch):
    """Where the system has no more threads, that call fails; nobody waits for a thread that is not there."""
    start = threading.Thread.start

    def refused(thread):
        if thread.name == "agentops-store":
            raise RuntimeError("can't start new thread")
        start(thread)

    with closing(SqliteStore(tmp_path / "a.db")) as store:
        with monkeypatch.context() as few:
            few.setattr(threading.Thread, "start", refused)
            for _ in range(2):
                with pytest.raises(RuntimeError, match="can't start"):
                    store.add(Batch(session()), NOW)
        store.add(Batch(session()), NOW)
        assert store.spans("session-1")


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
@pytest.mark.parametrize(
    "kills",
    [
        10,
        pytest.param(1000, marks=[pytest.mark.long, pytest.mark.timeout(5400)]),
    ],
)
def test_what_was_acknowledged_survives_sigkill(tmp_path, kills):
    """A process is killed while three threads write; everything it was told to be stored is there, and sound."""
    path = tmp_path / "a.db"
    dice = random.Random(kills)
    acknowledged: set[str] = set()
    for number in range(kills):
        told = _kill(path, number * 10**6 + 1, dice.uniform(0, 0.5), dice)
        acknowledged.update(f"session-{trace}" for trace in told)
        if number % 10 == 9:
            with closing(SqliteStore(path)) as store:
                _sound(store, acknowledged)
                store._writer.run(_empty)
            acknowledged.clear()


def _kill(path: Path, first: int, seconds: float, dice: random.Random) -> list[int]:
    """Start a victim, kill it some time after its first word; what it was told to be stored."""
    environ = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    command = [sys.executable, "-c", VICTIM, str(path), str(first)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environ) as victim:
        try:
            lines = [victim.stdout.readline()] if dice.random() < 0.8 else []
            with contextlib.suppress(subprocess.TimeoutExpired):
                victim.wait(seconds)
        finally:
            os.kill(victim.pid, signal.SIGKILL)
        lines += victim.stdout.readlines()
        assert victim.wait() == -signal.SIGKILL
    return [int(line) for line in lines if line.endswith(b"\n")]


def _sound(store: SqliteStore, acknowledged: set[str]) -> None:
    assert acknowledged, "nothing was stored, so nothing is shown"
    checked = store.check()
    assert checked.damage == checked.mended == ()
    spans = dict(store.sql("SELECT session_id, spans FROM session", limit=10**6).rows)
    assert {name: spans.get(name) for name in acknowledged} == dict.fromkeys(acknowledged, 4)
    some = next(iter(acknowledged))
    assert len(store.spans(some, bodies=True)[1].body.input) == 2


def _empty(connection) -> None:
    for name in ("span", "body", "trace", "event", "session_content", "session"):
        connection.execute(f"DELETE FROM {name}")


def _until_full(store: SqliteStore) -> int:
    """Add sessions until there is no room; how many were stored."""
    for trace in range(1, 10_000):
        spans = session(trace)
        noise = random.Random(trace).randbytes(3_000).hex()
        body = replace(spans[1].body, input=(text("user", f"number {trace} {noise}"),))
        try:
            store.add(Batch([spans[0], replace(spans[1], body=body), *spans[2:]]), NOW)
        except StoreFull:
            return trace - 1
    pytest.fail("the store was never full")


def _still_whole(store: SqliteStore, stored: int) -> None:
    """Nothing is half there."""
    assert store.sessions(Filter()).total == stored
    assert all(row.spans == 4 for row in store.sessions(Filter(), limit=1000).rows)
    assert store.stats().spans == 4 * stored
    assert store.sql("SELECT count(*) FROM span WHERE session NOT IN (SELECT id FROM session)").rows == [(0,)]


def test_a_file_that_may_not_grow_is_full(tmp_path):
    """A store without room says so for each batch, keeps what it has, and goes on when there is room."""
    with closing(SqliteStore(tmp_path / "a.db")) as store:
        store.add(Batch(session(9_999)), NOW)
        store._writer.run(
            lambda connection: connection.execute("PRAGMA max_page_count = 400").fetchall(), transaction="none"
        )
        stored = _until_full(store) + 1
        assert stored > 5
        _still_whole(store, stored)
        noise = random.Random(1).randbytes(10**6).hex()
        with pytest.raises(StoreFull, match="full"):
            store.add(Batch([llm(9_998, 1, body=replace(llm().body, input=(text("user", noise),)))]), NOW)
        _still_whole(store, stored)
        store._writer.run(
            lambda connection: connection.execute("PRAGMA max_page_count = 9999").fetchall(), transaction="none"
        )
        store.add(Batch(session(9_997)), NOW)
        _still_whole(store, stored + 1)
        assert store.check().damage == store.check().mended == ()


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 3 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=3m,mode=700", "tmpfs", str(folder)]
    if (
        sys.platform != "linux"
        or os.geteuid() != 0
        or subprocess.run(command, check=False, capture_output=True).returncode
    ):
        pytest.skip("no right to mount a small file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk(small_disk):
    """A disk without room is StoreFull, readers go on, and so does the store when there is room again."""
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * 400_000)
    with closing(SqliteStore(small_disk / "a.db")) as store:
        stored = _until_full(store)
        assert stored > 5
        _still_whole(store, stored)
        for _ in range(3):
            with pytest.raises(StoreFull):
                store.add(Batch(session(9_998)), NOW)
        _still_whole(store, stored)
        ballast.unlink()
        store.add(Batch(session(9_999)), NOW)
        _still_whole(store, stored + 1)
        assert store.check().damage == ()
