"""The background thread: tasks in order, a tick, bounded waits, no thread left over."""

from __future__ import annotations

import logging
import queue
import threading
import time

import pytest

from agentops_otel import guard
from agentops_otel.pipeline.worker import Worker


@pytest.fixture
def worker():
    worker = Worker(lambda: None)
    yield worker
    worker.stop()


def test_tasks_run_in_order(worker):
    """Tasks run one after the other on one thread."""
    seen = []
    for n in range(5):
        worker.submit(lambda n=n: seen.append((n, threading.current_thread().name)))
    assert worker.call(lambda: None, 5)
    assert [n for n, _ in seen] == [0, 1, 2, 3, 4]
    assert {name for _, name in seen} == {"agentops-worker"}


def test_a_call_does_not_wait_for_ever(worker):
    """A task that takes too long is left to itself, and the caller is told."""
    go = threading.Event()
    started = time.monotonic()
    assert not worker.call(lambda: go.wait(10), 0.1)
    assert time.monotonic() - started < 2
    go.set()
    assert worker.call(lambda: None, 5)


def test_a_call_from_a_task_that_stands_in_runs_at_once(worker):
    """A task may call for another one without waiting for itself."""
    seen = []
    assert worker.call(lambda: worker.stand_in(lambda: worker.call(lambda: seen.append(1), 5)), 5)
    assert seen == [1]


def test_a_call_from_the_middle_of_our_work_is_refused(worker):
    """Who calls from there is a callback of the program, and what it waits for may be waiting for it."""
    seen = []

    def from_a_callback():
        seen.append(worker.call(lambda: seen.append("ran"), 5))

    assert worker.call(from_a_callback, 5)
    assert worker.call(lambda: worker.stand_in(lambda: worker.call(from_a_callback, 5)), 5)
    assert seen == [False, False]


def test_the_tick_comes_again_and_again():
    """Without a task the tick is called once per interval."""
    ticks = threading.Semaphore(0)
    worker = Worker(ticks.release, interval=0.01)
    worker.start()
    try:
        for _ in range(3):
            assert ticks.acquire(timeout=5)
    finally:
        worker.stop()


def test_many_tasks_do_not_starve_the_tick():
    """A worker that is never idle ticks all the same."""
    ticked = threading.Event()
    worker = Worker(ticked.set, interval=0.05)
    end = time.monotonic() + 5
    try:
        while not ticked.is_set() and time.monotonic() < end:
            worker.call(lambda: None, 1)
        assert ticked.is_set()
    finally:
        worker.stop()


def test_tasks_without_a_gap_do_not_starve_the_tick():
    """A tick that is due comes before the tasks that wait."""
    ticked, ends = threading.Event(), threading.Event()
    worker = Worker(ticked.set, interval=0.05)

    def again():
        if not ends.is_set():
            worker.submit(again)
            ticked.wait(0.01)

    try:
        worker.submit(again)
        assert ticked.wait(5)
    finally:
        ends.set()
        worker.call(lambda: None, 5)  # behind the last of them
        worker.stop()


def test_a_failing_task_does_not_stop_the_others(worker, monkeypatch, caplog):
    """An error in a task is logged once, and the next task runs."""
    monkeypatch.setattr(guard, "reraise", False)
    with caplog.at_level(logging.WARNING, "agentops_otel"):
        for _ in range(3):
            assert worker.call(lambda: 1 / 0, 5)
    assert [r.message.split(": ")[1] for r in caplog.records] == ["internal error in a background task"]


def test_another_thread_stands_in_for_a_busy_worker(worker):
    """What a stand-in calls runs at once on its own thread, whatever the worker is busy with."""
    go = threading.Event()
    worker.submit(lambda: go.wait(10))
    seen = []
    worker.stand_in(lambda: worker.call(lambda: seen.append(threading.get_ident()), 5))
    assert seen == [threading.get_ident()]
    assert not worker.call(lambda: None, 0.05)
    go.set()


def test_stop_ends_the_thread_and_a_later_task_starts_another(worker):
    """After `stop()` no thread is left; the worker is as good as new."""
    worker.call(lambda: None, 5)
    thread = next(t for t in threading.enumerate() if t.name == "agentops-worker")
    worker.stop()
    thread.join(5)
    assert not thread.is_alive()
    assert worker.call(lambda: None, 5)


@pytest.mark.parametrize("lost", ["the word that ends it", "the thread"])
def test_a_thread_that_was_lost_ends_by_itself(lost):
    """A thread whose end was never told to it, as an error came between, leaves when it has nothing to do."""
    worker = Worker(lambda: None, interval=0.05)
    assert worker.call(lambda: None, 5)
    thread = worker._thread
    if lost == "the thread":
        worker._thread = None
        worker.stop()
    else:
        worker._thread, worker._tasks = None, queue.SimpleQueue()
    thread.join(30)
    assert not thread.is_alive()
    assert worker.call(lambda: None, 5)
    worker.stop()


def test_stop_finishes_what_is_queued(worker):
    """What was submitted before `stop()` is still done."""
    seen = []
    for n in range(10):
        worker.submit(lambda n=n: seen.append(n))
    worker.stop()
    assert seen == list(range(10))


def test_stop_does_not_wait_for_a_hanging_task(worker):
    """A task that hangs keeps its thread, and the next task gets a new one."""
    go = threading.Event()
    worker.submit(lambda: go.wait(10))
    started = time.monotonic()
    worker.stop()
    assert time.monotonic() - started < 3
    assert worker.call(lambda: None, 5)
    go.set()


def test_threads_that_start_it_at_once_start_one(worker):
    """Sixteen first tasks at once make one thread."""
    barrier = threading.Barrier(16)
    names: list[int | None] = []

    def first():
        barrier.wait()
        worker.call(lambda: names.append(threading.get_ident()), 5)

    threads = [threading.Thread(target=first) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(names) == 16
    assert len(set(names)) == 1
