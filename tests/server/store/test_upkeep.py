"""What keeps a store healthy: time, retention, checks, room."""

from __future__ import annotations

import random
import threading
import time
from contextlib import closing
from dataclasses import replace

import pytest

from agentops_otel import guard
from agentops_otel.rows import SessionEvent
from agentops_otel.server.store import Batch, Filter, OverLimit
from agentops_otel.server.store.repair import mend
from agentops_otel.server.store.sqlite import SqliteStore
from agentops_otel.server.store.statement import migrations
from agentops_otel.summarize import summarize
from tests.server.store.rows import (
    PROCESS,
    SECOND,
    START,
    heartbeat,
    llm,
    opened,
    root,
    session,
    span_id,
    text,
    trace_id,
)

NOW = START + 3600 * SECOND
DAY = 86_400 * SECOND


def test_a_session_without_a_heartbeat_is_indeterminate(store):
    """A session runs for 30 seconds after its last heartbeat, and no longer."""
    beat = START + 11 * SECOND
    store.add(Batch(events=[heartbeat(1, 10, opened(llm()))]), beat)
    assert store.session("session-1").state == "running"
    assert store.refresh(beat + 29 * SECOND) == ()
    assert store.session("session-1").state == "running"
    assert store.refresh(beat + 30 * SECOND) == ("session-1",)
    assert store.session("session-1").state == "indeterminate"
    assert store.refresh(beat + 60 * SECOND) == ()


def test_the_last_heartbeat_is_kept(store):
    """An hour of heartbeats takes the room of one."""
    for seconds in (20, 10, 30, 20):
        store.add(Batch(events=[heartbeat(1, seconds)]), NOW)
    assert store.session("session-1").heartbeat_ns == START + 31 * SECOND
    assert store.sql("SELECT count(*) FROM event").rows == [(1,)]


def test_retention_by_age(store):
    """Sessions whose last sign is too old go with all that is theirs; what others share stays."""
    for trace in range(1, 121):
        store.add(Batch(session(trace), scores=()), NOW)
    kept = START + 100 * SECOND + 10 * SECOND
    steps = []
    while removed := store.retain(NOW, max_age_ns=NOW - kept, max_bytes=None):
        steps.append(removed)
    assert sum(steps) == 99
    assert len(steps) > 1, "in steps"
    assert store.sessions(Filter()).total == 21
    assert store.session("session-99") is None
    assert store.session(trace_id(1)) is None
    assert store.search("question 1 of 99", Filter()) == []
    assert len(store.search("refund", Filter())) == 21
    assert store.sql("SELECT count(*) FROM span").rows == [(84,)]
    for query in (
        "SELECT count(*) FROM body WHERE span NOT IN (SELECT id FROM span)",
        "SELECT count(*) FROM content WHERE id NOT IN (SELECT content FROM session_content)",
        "SELECT count(*) FROM trace WHERE trace_id NOT IN (SELECT trace_id FROM span)",
        "SELECT count(*) FROM session_text WHERE session NOT IN (SELECT id FROM session)",
    ):
        assert store.sql(query).rows == [(0,)], query
    assert store.check().damage == store.check().mended == ()


def test_a_session_that_was_removed_may_come_again(store):
    """Spans that arrive after their session was removed are a session again, with its source and contents."""
    store.add(Batch(session()), NOW)
    assert store.retain(NOW + DAY, max_age_ns=DAY // 2, max_bytes=None) == 1
    assert store.stats().spans == store.stats().messages == 0
    assert store.sql("SELECT count(*) FROM source").rows == [(0,)]
    store.add(Batch(session()), NOW)
    assert store.session("session-1").spans == 4
    assert len(store.span("session-1", span_id(1003)).body.input) == 4


def test_what_arrives_is_not_removed_before_it_is_summed_up(store):
    """Removal and checks that are asked for at the same moment as a batch do not see it half done."""
    store.add(Batch(session(1)), NOW)
    gate = threading.Event()
    results = {}

    def start(name: str, work) -> threading.Thread:
        waiting = store._writer._jobs.qsize()
        thread = threading.Thread(target=lambda: results.update({name: work()}))
        thread.start()
        while store._writer._jobs.qsize() == waiting and name != "gate":
            time.sleep(0.001)
        return thread

    threads = [start("gate", lambda: store._writer.run(lambda connection: gate.wait(30)))]
    time.sleep(0.1)
    threads.append(start("add", lambda: store.add(Batch(session(2)), NOW)))
    age = NOW - START - 12 * SECOND
    threads.append(start("retain", lambda: store.retain(NOW, max_age_ns=age, max_bytes=None)))
    numbers = range(1, 9)
    threads.append(start("mend", lambda: store._writer.run(lambda c: mend(c, numbers, store._ingest.summarize))))
    gate.set()
    for thread in threads:
        thread.join()
    assert results["retain"] == 1
    assert results["mend"] == []
    assert [row.session_id for row in store.sessions(Filter()).rows] == ["session-2"]


def _large(trace: int) -> Batch:
    dice = random.Random(trace)
    words = " ".join(f"w{dice.randrange(5_000)}" for _ in range(20_000))
    call = llm(trace, 1, f"session-{trace}")
    return Batch([replace(call, body=replace(call.body, input=(text("user", f"number {trace} {words}"),)))])


def test_s13_a_sender_cannot_fill_the_disk(store):
    """Far above its limit the store refuses batches; retention makes room, and the file shrinks with it."""
    limit = 3_000_000
    assert store.retain(NOW, max_age_ns=None, max_bytes=limit) == 0
    refused = 0
    for trace in range(1, 70):
        try:
            store.add(_large(trace), NOW)
        except OverLimit:
            refused += 1
            assert store.retain(NOW, max_age_ns=None, max_bytes=limit) > 0
            assert limit * 0.6 < store.stats().bytes < limit
            store.add(_large(trace), NOW)
        assert store.stats().bytes <= limit * 1.2
    assert refused > 1
    assert store.session(trace_id(69)) is not None
    assert store.session(trace_id(1)) is None
    assert store.check().damage == ()


def test_check_finds_and_mends(store):
    """A row, a sum, a link, the text index or a session that is not what the spans say is found and mended."""
    for trace in range(1, 6):
        store.add(Batch(session(trace, failed=trace == 3)), NOW)
    before = [store.session(f"session-{trace}") for trace in range(1, 6)]
    hits = store.search("question", Filter())
    assert store.check().mended == store.check().damage == ()

    def spoil(connection):
        connection.execute("UPDATE session SET cost = 99 WHERE session_id = 'session-1'")
        connection.execute("DELETE FROM session_tag WHERE session = 2")
        connection.execute("DELETE FROM session WHERE session_id = 'session-3'")
        connection.execute("DELETE FROM session_content WHERE session = 4")
        connection.execute("INSERT INTO body VALUES (4711, x'00')")

    store._writer.run(spoil)
    checked = store.check()
    assert checked.sessions == 5
    assert set(checked.mended) == {"session-1", "session-2", "session-3", "session-4"}
    assert [store.session(f"session-{trace}") for trace in range(1, 6)] == before
    store._writer.run(
        lambda connection: connection.execute("INSERT INTO text_index (text_index) VALUES ('delete-all')")
    )
    assert len(store.check().damage) == 1
    assert store.search("question", Filter()) == hits
    assert store.check().mended == store.check().damage == ()


def test_vacuum_gives_room_back(store):
    """After a vacuum the file has no free room, and everything is there."""
    store.add(Batch(session()), NOW)

    def free(connection):
        connection.execute("CREATE TABLE ballast (x)")
        connection.execute("INSERT INTO ballast VALUES (zeroblob(1000000))")
        connection.execute("DROP TABLE ballast")

    store._writer.run(free)
    before = store.stats()
    assert before.free_bytes > 900_000
    store.vacuum()
    after = store.stats()
    assert after.free_bytes == 0
    assert after.bytes < before.bytes - 900_000
    assert after.spans == before.spans == 4
    assert store.check().damage == ()


def test_stats(store):
    """The numbers of a store."""
    store.add(Batch([*session(2), *session(1)]), NOW)
    stats = store.stats()
    assert (stats.sessions, stats.spans, stats.schema) == (2, 8, len(migrations()))
    assert stats.messages == 2 * 6
    assert stats.oldest_ns == START + SECOND
    assert stats.path.endswith("agentops.db")
    assert stats.bytes > 100_000


def test_a_large_session_is_summarized_once_in_a_while(tmp_path):
    """Many batches of a large session cost few summaries, and its row is true in the end."""
    calls = []

    def counting(session_id, spans, events, scores=(), *, now_ns):
        calls.append(len(spans))
        return summarize(session_id, spans, events, scores, now_ns=now_ns)

    call = llm(1, 1, body=None)

    def calls_of(*numbers: int) -> Batch:
        return Batch([replace(call, span_id=span_id(10_000 + number)) for number in numbers])

    with closing(SqliteStore(tmp_path / "a.db", summarize=counting)) as store:
        store.add(Batch([root()]), NOW)
        store.add(calls_of(*range(1, 2_101)), NOW)
        for number in range(2_101, 2_131):
            store.add(calls_of(number), NOW)
        assert len(calls) < 20
        deadline = time.monotonic() + 30
        while store.session("session-1").llm_calls < 2_130:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert store.refresh(NOW) == ("session-1",)
        store.add(calls_of(2_131), NOW)
    with closing(SqliteStore(tmp_path / "a.db")) as store:
        assert store.session("session-1").llm_calls == 2_131


def test_what_a_killed_process_left_is_summarized(tmp_path):
    """A session that waited for its summary when its process was killed gets it from the next one that writes."""
    with closing(SqliteStore(tmp_path / "a.db")) as store:
        store.add(Batch(session()), NOW)
        store._writer.run(lambda connection: connection.execute("UPDATE session SET stale = 1, llm_calls = 0"))
        store._writer.close(last=lambda connection: None)
    with closing(SqliteStore(tmp_path / "a.db")) as store:
        store.add(Batch(session(2)), NOW)
        store.add(Batch(session(3)), NOW)
        assert store.session("session-1").llm_calls == 2


def test_many_callers_at_once(store):
    """Requests of many threads are all stored, each with its own answer."""
    answers = {}

    def send(trace: int) -> None:
        answers[trace] = store.add(Batch(session(trace)), NOW)

    threads = [threading.Thread(target=send, args=(trace,)) for trace in range(1, 41)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {trace: added.sessions for trace, added in answers.items()} == {
        trace: (f"session-{trace}",) for trace in range(1, 41)
    }
    assert all(added.new_spans == 4 for added in answers.values())
    assert store.figures(Filter()).sessions == 40


def test_a_batch_that_fails_fails_alone(tmp_path):
    """When the row of one session cannot be made, the others of the same moment are stored all the same."""
    gate = threading.Event()

    def failing(session_id, spans, events, scores=(), *, now_ns):
        if session_id == "session-1":
            gate.wait(10)
        if session_id == "session-3":
            raise RuntimeError("no row")
        return summarize(session_id, spans, events, scores, now_ns=now_ns)

    with closing(SqliteStore(tmp_path / "a.db", summarize=failing)) as store:
        errors = []

        def send(trace: int) -> None:
            try:
                store.add(Batch(session(trace)), NOW)
            except RuntimeError as error:
                errors.append((trace, str(error)))

        threads = [threading.Thread(target=send, args=(trace,)) for trace in range(1, 6)]
        for thread in threads:
            thread.start()
        time.sleep(0.2)  # so that they wait behind the first one
        gate.set()
        for thread in threads:
            thread.join()
        assert errors == [(3, "no row")]
        assert {row.session_id for row in store.sessions(Filter()).rows} == {f"session-{each}" for each in (1, 2, 4, 5)}


def test_a_defect_of_ours_costs_no_span(tmp_path, monkeypatch):
    """When the row of a session cannot be made, its spans are stored all the same, and it says so."""
    monkeypatch.setattr(guard, "reraise", False)

    def failing(session_id, spans, events, scores=(), *, now_ns):
        raise RuntimeError("no row")

    with closing(SqliteStore(tmp_path / "a.db", summarize=failing)) as store:
        assert store.add(Batch(session()), NOW).new_spans == 4
        assert store.session("session-1").ending.startswith("This session could not be summed up")
        assert len(store.spans("session-1")) == 4
    with closing(SqliteStore(tmp_path / "a.db")) as store:
        assert store.check().mended == ("session-1",)
        assert store.session("session-1").state == "success"


def test_a_session_of_events_alone(store):
    """A session that has only started is a session."""
    started = SessionEvent("start", "session-1", trace_id(1), NOW, session_name="helper", tags=("a",), process=PROCESS)
    store.add(Batch(events=[started]), NOW)
    row = store.session(trace_id(1))
    assert (row.session_id, row.state, row.name, row.tags) == ("session-1", "running", "helper", ("a",))


@pytest.mark.parametrize(
    "changes",
    [
        {"start_ns": 2**64 - 1, "end_ns": 2**64 - 1},
        {"first_token_ns": 2**70},
        {"name": "\ud800", "label": "a\0b", "tags": ("\udfff",)},
        {"retries": -(2**80)},
        {"asked": "", "cost": float("inf")},
        {"cost": float("nan")},
        {"session_id": ""},
    ],
)
def test_values_at_the_edge_are_stored(store, changes):
    """Numbers that SQLite cannot hold, text that is no Unicode and other edges are stored as well as they can be."""
    row = replace(llm(), **changes)
    body = replace(row.body, attributes={"n": 2**70, "\ud800": ["\ud800", {"deep": float("nan")}], "bytes": b"\xff"})
    store.add(Batch([replace(row, body=body)]), NOW)
    (found,) = store.sessions(Filter()).rows
    (span,) = store.spans(found.session_id, bodies=True)
    assert span.body.attributes["bytes"] == b"\xff"
    assert store.add(Batch([replace(row, body=body)]), NOW).known_spans == 1
