"""What dead processes left: one takes it over, damage costs what it hits, and sessions get the roots that they lack."""

from __future__ import annotations

import errno
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext, StatusCode

from agentops_otel import semconv
from agentops_otel.pipeline import ids
from agentops_otel.pipeline.claim import Contents, claims, session_file, settle, unsettled, writers
from agentops_otel.pipeline.folder import Folder
from agentops_otel.pipeline.frames import Kind, frame
from agentops_otel.pipeline.journal import Journal
from agentops_otel.pipeline.log_event import LogEvent
from agentops_otel.pipeline.overview import state
from agentops_otel.pipeline.records import span_payload

RESOURCE = Resource({"service.name": "test"})


@pytest.fixture
def directory(tmp_path):
    return str(tmp_path / "journal" / "destination")


def make(number, *, size=0, trace_id=1, end=2):
    return ReadableSpan(
        f"span {number}",
        SpanContext(trace_id, number, is_remote=False),
        parent=SpanContext(trace_id, 2**63, is_remote=False),
        attributes={"content": "x" * size},
        resource=RESOURCE,
        start_time=1,
        end_time=end,
    )


def killed(directory, numbers, size=0, **options):
    """The journal of a process that wrote these spans and died; the places of the spans."""
    journal = Journal(directory, **options)
    places = [journal.append(make(number, size=size)) for number in numbers]
    journal.after_fork()
    return places


def found(directory):
    return [record.item.context.span_id for claim in claims(directory) for record in claim.records()]


def segments(directory):
    return sorted(
        os.path.join(folder, name) for folder, _, names in os.walk(directory) for name in names if name.endswith(".seg")
    )


# Taking over ----------------------------------------------------------------------------------------------------------


def test_what_was_read_is_not_gone_until_it_is_acknowledged(directory):
    """A claim may be left half done; the next one has the rest."""
    killed(directory, range(1, 11), 1000, segment_bytes=3000)
    for expected in ([*range(1, 11)], [*range(4, 11)], [*range(4, 10)]):
        for claim in claims(directory):
            assert claim.spans == len(expected)
            records = list(claim.records())
            assert [record.item.context.span_id for record in records] == expected
            claim.acknowledge([record.ref for record in (records[:3] if len(expected) == 10 else records[-1:])])
    assert len(segments(directory)) == 3
    for claim in claims(directory):
        for record in claim.records():
            claim.acknowledge([record.ref])  # while it is read
    assert os.listdir(directory) == []


def test_the_oldest_comes_first(directory, monkeypatch):
    """Processes that died are taken over in the order in which they started."""
    for second in (3, 1, 2):
        monkeypatch.setattr(time, "gmtime", lambda second=second: time.struct_time((2026, 1, 1, 0, 0, second, 0, 1, 0)))
        killed(directory, [second])
    monkeypatch.undo()
    assert found(directory) == [1, 2, 3]


def test_a_claim_belongs_to_one(directory):
    """While one has it another one gets nothing; a living process is nobody's."""
    killed(directory, [1])
    journal = Journal(directory)
    journal.append(make(2))
    first, second = claims(directory), claims(directory)
    claim = next(first)
    assert next(second, None) is None
    assert [record.item.context.span_id for record in claim.records()] == [1]
    claim.close()
    claim.close()
    assert found(directory) == [1]
    journal.close()


def test_a_folder_that_cannot_be_listed_is_given_back(directory, monkeypatch):
    """It stays for the next look, unlocked, and those after it are claimed."""
    killed(directory, [1])
    killed(directory, [2])
    with Folder(directory) as destination:
        (broken, _), names = writers(destination), Folder.names

    def listed(folder):
        if os.path.basename(folder.path) == broken:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return names(folder)

    monkeypatch.setattr(Folder, "names", listed)
    assert len(found(directory)) == 1
    monkeypatch.undo()
    assert sorted(found(directory)) == [1, 2]


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_does_not_keep_a_claim(directory):
    """Forked while its parent had one: what the parent gives up is free."""
    killed(directory, [1])
    with next(claims(directory)):
        child = os.fork()
        if not child:
            signal.alarm(30)
            signal.pause()
    try:
        assert found(directory) == [1]
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_of_two_processes_one_wins(directory):
    """Each of many journals is read by exactly one of four processes that start at once."""
    journals = 40
    for number in range(1, journals + 1):
        killed(directory, [number])
    start_reading, start = os.pipe()
    result_reading, result = os.pipe()
    children = []
    for _ in range(4):
        pid = os.fork()
        if not pid:
            signal.alarm(30)
            os.close(start)
            os.read(start_reading, 1)  # until the parent closes its end
            for claim in claims(directory):
                records = list(claim.records())
                claim.acknowledge([record.ref for record in records])
                os.write(result, b"".join(b"%d\n" % record.item.context.span_id for record in records))
            os._exit(0)
        children.append(pid)
    os.close(start_reading)
    os.close(result)
    os.close(start)
    with os.fdopen(result_reading) as pipe:
        read = sorted(int(line) for line in pipe)
    assert [os.waitpid(pid, 0)[1] for pid in children] == [0] * 4
    assert read == list(range(1, journals + 1))
    assert os.listdir(directory) == []


def test_a_journal_that_is_opened_while_others_look_for_dead_ones(directory):
    """A folder is never taken from the process that is just making it."""
    done, taken = threading.Event(), []

    def look():
        while not done.is_set():
            taken.extend(claim.writer for claim in claims(directory))

    looking = [threading.Thread(target=look) for _ in range(2)]
    for thread in looking:
        thread.start()
    places = []
    try:
        for number in range(1, 200):
            journal = Journal(directory)
            places.append(journal.append(make(number)))
            journal.acknowledge([place for place, _ in journal.read(places[-1:])])
            journal.close()
    finally:
        done.set()
        for thread in looking:
            thread.join()
    assert None not in places
    assert taken == []
    assert os.listdir(directory) == []


def test_a_destination_without_a_journal_has_no_claims(directory):
    """And is not made by looking."""
    assert list(claims(directory)) == []
    assert not os.path.exists(directory)


def test_what_is_not_wholly_there_is_tidied_up(directory):
    """A folder without records, one without a lock, and after long a lock without a folder."""
    journal = Journal(directory, max_age=1e6)
    journal.acknowledge([journal.append(make(1))])
    journal.after_fork()
    os.mkdir(os.path.join(directory, "20260101T000000Z-1-0123abcd"), 0o700)
    os.mkdir(os.path.join(directory, "not of ours"), 0o700)
    for name, modified in (("old.lock", 1), ("young.lock", time.time())):
        path = os.path.join(directory, name)
        os.close(os.open(path, os.O_CREAT, 0o600))
        os.utime(path, (modified, modified))
    assert list(claims(directory)) == []
    assert sorted(os.listdir(directory)) == ["not of ours", "old.lock", "young.lock"]
    journal.append(make(2))
    own = f"{journal._writer.folder.path}.lock"
    os.utime(own, (1, 1))
    journal.sync()
    assert os.path.exists(own)
    journal.close()
    assert found(directory) == [2]
    assert "old.lock" not in os.listdir(directory)
    assert "young.lock" in os.listdir(directory)


def test_a_long_journal_is_not_held_in_memory(directory):
    """One segment at a time."""
    killed(directory, range(1, 401), 50_000, segment_bytes=1 << 20)
    assert len(segments(directory)) > 15
    tracemalloc.start()
    try:
        count = sum(1 for claim in claims(directory) for _ in claim.records())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == 400
    assert peak < 4 << 20


@given(st.lists(st.lists(st.integers(1, 30), min_size=1, max_size=6)))
def test_acknowledgements_in_any_order_and_number(tmp_path_factory, batches):
    """Exactly what was named is settled, whatever ranges it made."""
    with Folder(str(tmp_path_factory.mktemp("writer"))) as folder:
        folder.append("000001.seg", b"".join(frame(Kind.SPAN, number, b"") for number in range(1, 31)))
        for batch in batches:
            settle(folder, 1, batch)
        rest = [each.seq for each, is_left in unsettled(folder, "000001.seg") if is_left]
    assert rest == [number for number in range(1, 31) if not any(number in batch for batch in batches)]


# Damage ---------------------------------------------------------------------------------------------------------------


def test_a_segment_may_end_anywhere(directory):
    """Cut at every offset of the last 4 kB: only the records beyond are lost, and one cut short is no damage."""
    places = killed(directory, range(1, 41), 300)
    (path,) = segments(directory)
    with open(path, "rb") as file:
        content = file.read()
    for end in range(len(content) - 1, len(content) - 4097, -1):
        os.truncate(path, end)
        with Folder(os.path.dirname(path)) as folder:
            contents = Contents(folder)
        read = [place.seq for place in places if place.offset + place.size <= end]
        assert contents.left == {1: set(read)}
        is_torn = end not in {place.offset for place in places}
        assert (contents.spans, contents.unreadable, contents.torn) == (len(read), 0, is_torn)
    (claim,) = claims(directory)
    assert (claim.spans, claim.unreadable, claim.torn) == (len(read), 0, is_torn)
    assert found(directory) == list(range(1, len(read) + 1))


@pytest.mark.parametrize("name", ["000001.seg", "000001.ack", "resources", "session"])
def test_every_file_of_a_dead_process_may_end_anywhere(directory, name):
    """Torn at every byte it is no damage, costs no span that was whole, and is gone when all has arrived."""
    trace_id = ids.trace_id("0123456789abcdef0123456789abcdef")
    journal = Journal(directory)
    journal.append_start(trace_id, ids.root_span_id(trace_id), "session", 1, {}, RESOURCE)
    journal.acknowledge([journal.append(make(number)) for number in (1, 2)][:1])
    journal.after_fork()
    folder = os.path.dirname(segments(directory)[0])
    path = os.path.join(folder, session_file(trace_id) if name == "session" else name)
    with open(path, "rb") as file:
        content = file.read()
    for end in range(len(content)):
        with open(path, "wb") as file:
            file.write(content[:end])
        (row,) = state(os.path.dirname(directory)).destinations
        assert row.unreadable == 0
        if name in ("resources", "session"):  # one record each
            assert row.torn == (end > 0)
        (claim,) = claims(directory)
        spans = {record.item.context.span_id for record in claim.records() if isinstance(record.item, ReadableSpan)}
        assert claim.unreadable == 0
        assert 2 in spans or name == "000001.seg"
    for claim in claims(directory):
        claim.acknowledge([record.ref for record in claim.records()])
    assert list(claims(directory)) == []


def test_a_changed_byte_costs_one_record(directory):
    """300 times another byte: the record that has it may be lost, no other one."""
    places = killed(directory, range(1, 41), 300)
    (path,) = segments(directory)
    with open(path, "rb") as file:
        content = file.read()
    chance = random.Random(7)
    for _ in range(300):
        position, bit = chance.randrange(len(content)), 1 << chance.randrange(8)
        changed = bytearray(content)
        changed[position] ^= bit
        with open(path, "wb") as file:
            file.write(changed)
        hit = {number for number, at in enumerate(places, 1) if at.offset <= position < at.offset + at.size}
        assert len(hit) == 1
        for claim in claims(directory):
            assert {record.item.context.span_id for record in claim.records()} == {*range(1, 41)} - hit
            assert claim.unreadable == 1


def test_damage_beside_the_segments_costs_no_span(directory):
    """Without acknowledgements spans come again, without resources they get another one."""
    journal = Journal(directory)
    journal.acknowledge([journal.append(make(number)) for number in (1, 2)][:1])
    journal.after_fork()
    for name in ("000001.ack", "resources"):
        with open(os.path.join(os.path.dirname(segments(directory)[0]), name), "r+b") as file:
            file.write(b"rubbish")
    assert found(directory) == [1, 2]


PLANTED = frame(Kind.SPAN, 99, span_payload(make(99), 1))


def pipe(path):
    os.mkfifo(path)


def folder(path):
    os.mkdir(path)


def link(path):
    with open(f"{path}-target", "wb") as file:
        file.write(PLANTED)
    os.symlink(f"{path}-target", path)


def holes(path):
    with open(path, "wb") as file:
        file.truncate(1 << 40)


def foreign(path):
    if os.geteuid():
        pytest.skip("only root can give a file away")
    with open(path, "wb") as file:
        file.write(PLANTED)
    os.chown(path, 12345, 12345)


def for_all(path):
    with open(path, "wb") as file:
        file.write(PLANTED)
    os.chmod(path, 0o666)


def of_another_kind(path):
    with open(path, "wb") as file:
        file.writelines(frame(kind, 100 + kind, b"\xff") for kind in range(256))


@pytest.mark.parametrize("plant", [pipe, folder, link, holes, foreign, for_all, of_another_kind])
@pytest.mark.parametrize(
    "name", ["000000.seg", "000002.seg", "000001.ack", "resources", "00000000-0000-4000-8000-000000000000.session"]
)
def test_a_file_that_is_not_ours_is_passed_over(directory, plant, name):
    """Somebody has put it there: it is neither followed nor waited for, and the rest is read."""
    killed(directory, [1])
    writer = os.path.dirname(segments(directory)[0])
    if os.path.exists(os.path.join(writer, name)):
        os.unlink(os.path.join(writer, name))
    plant(os.path.join(writer, name))
    assert found(directory) == [1]
    assert state(os.path.dirname(directory)).destinations[0].spans >= 1


def test_a_writer_that_is_not_ours_is_passed_over(directory):
    """Its folder is a link, or open to others."""
    killed(directory, [1])
    writer = os.path.dirname(segments(directory)[0])
    os.rename(writer, f"{directory}-elsewhere")
    os.symlink(f"{directory}-elsewhere", writer)
    killed(directory, [2])
    os.chmod(os.path.dirname(segments(directory)[0]), 0o777)
    assert found(directory) == []


def test_what_cannot_be_read_now_is_kept(directory):
    """A file that the system does not give us at the moment (no descriptor, no memory, an I/O error) is not removed."""
    journal = Journal(directory)
    journal.append(make(1))
    journal.after_fork()
    (segment,) = Path(directory).glob("*/*.seg")
    size = segment.stat().st_size
    os.truncate(segment, (256 << 20) + 1)  # more than is ever read, and sparse
    assert [(claim.spans, claim.unreadable) for claim in claims(directory)] == [(0, 1)]
    os.truncate(segment, size)
    assert [(claim.spans, claim.unreadable) for claim in claims(directory)] == [(1, 0)]


# Sessions without an end ----------------------------------------------------------------------------------------------


def session(directory, *, end=None, wish=None, attributes=None, root=False):
    """A process that started a session and died; the session's trace id."""
    trace_id = ids.trace_id(ids.new_session_id())
    journal = Journal(directory)
    journal.append_start(trace_id, ids.root_span_id(trace_id), "session s", 100, attributes or {}, RESOURCE)
    if wish:
        Journal(directory).request_end(ids.session_id(trace_id), *wish)
    if end:
        journal.append_end(trace_id, *end)
    if root:
        context = SpanContext(trace_id, ids.root_span_id(trace_id), is_remote=False)
        journal.append(ReadableSpan("session s", context, attributes={"a": 1}, resource=RESOURCE))
    journal.after_fork()
    return trace_id


@pytest.mark.parametrize(
    ("end", "wish", "expected"),
    [
        (None, None, ("Indeterminate", "Process died (no end recorded)", StatusCode.UNSET, None)),
        (("Success", None), None, ("Success", None, StatusCode.OK, None)),
        (("Fail", "broken"), ("Success", "fine"), ("Fail", "broken", StatusCode.ERROR, "broken")),
        (None, ("Success", "fine"), ("Success", "fine", StatusCode.OK, None)),
        (None, ("Fail", "bad"), ("Fail", "bad", StatusCode.ERROR, "bad")),
        (None, ("Nonsense", None), ("Indeterminate", "Process died (no end recorded)", StatusCode.UNSET, None)),
    ],
)
def test_the_end_that_is_made_up(directory, end, wish, expected):
    """The owner's word, else the wish of one who had joined, else that its process died."""
    trace_id = session(directory, end=end, wish=wish, attributes={semconv.SESSION_TAGS: ("a", "b")})
    (claim,) = claims(directory)
    assert (claim.sessions, claim.spans) == (1, 0)
    root, event = claim.records()
    state, reason, status, description = expected
    attributes = {
        semconv.SESSION_TAGS: ("a", "b"),
        semconv.SESSION_END_STATE: state,
        semconv.REPLAYED: True,
        **({semconv.SESSION_END_STATE_REASON: reason} if reason else {}),
    }
    assert dict(root.item.attributes) == attributes
    assert (root.item.status.status_code, root.item.status.description) == (status, description)
    assert root.item.name == "session s"
    assert root.item.context.trace_id == trace_id
    assert root.item.context.span_id == ids.root_span_id(trace_id)
    assert root.item.context.trace_flags.sampled
    assert root.item.parent is None
    assert root.item.start_time == 100
    assert root.item.instrumentation_scope.name == semconv.SCOPE_NAME
    assert root.resource == root.item.resource == event.resource == RESOURCE
    assert event.item.name == semconv.EVENT_SESSION_END
    assert (event.item.trace_id, event.item.span_id) == (trace_id, root.item.context.span_id)
    assert event.item.time_ns == root.item.end_time
    assert event.item.attributes == {**attributes, semconv.SESSION_ROLE: semconv.ROLE_OWNER}
    wished = Path(directory, "wishes", ids.session_id(trace_id))
    assert wished.exists() == bool(wish and not end)
    claim.acknowledge([root.ref])
    assert not wished.exists()


def test_what_an_earlier_version_wrote_down_of_a_session_is_cleaned(directory):
    """Name, tags and reason were in its journal as the program gave them: no root and no event is made of them so."""
    secret = "sk-proj-abcdefghijklmnop1234567890"
    session(directory, end=("Fail", f"{secret} was refused"), attributes={semconv.SESSION_TAGS: (f"token={secret}",)})
    (claim,) = claims(directory)
    root, event = claim.records()
    made = repr((root.item.name, dict(root.item.attributes), root.item.status.description, event.item.attributes))
    assert secret not in made
    assert made.count("was refused") == 3


def test_a_root_that_was_made_is_made_once(directory):
    """Acknowledged, it is settled; the event that goes with it has nothing to acknowledge."""
    session(directory)
    for claim in claims(directory):
        root, event = claim.records()
        claim.acknowledge([event.ref])
    for claim in claims(directory):
        root, event = claim.records()
        claim.acknowledge([root.ref])
        assert list(claim.records()) == []
    assert os.listdir(directory) == ["wishes"] or os.listdir(directory) == []


def test_a_root_that_was_recorded_is_not_made(directory):
    """It is read like any span, and says that it comes from a journal; acknowledged, the session is settled."""
    session(directory, end=("Success", None), root=True)
    for claim in claims(directory):
        (root,) = claim.records()
        assert dict(root.item.attributes) == {"a": 1, semconv.REPLAYED: True}
        claim.acknowledge([root.ref])
    assert os.listdir(directory) == []


def test_a_root_that_has_arrived_from_a_claim_is_not_made_again(directory):
    """Also when its segment is gone and others stay."""
    trace_id = ids.trace_id(ids.new_session_id())
    context = SpanContext(trace_id, ids.root_span_id(trace_id), is_remote=False)
    journal = Journal(directory, segment_bytes=1000)
    journal.append_start(trace_id, context.span_id, "session", 1, {}, RESOURCE)
    journal.append(ReadableSpan("root", context, attributes={"content": "x" * 900}, resource=RESOURCE))
    journal.append(make(5, size=900))
    journal.after_fork()
    for claim in claims(directory):
        root, _ = claim.records()
        claim.acknowledge([root.ref])
    assert found(directory) == [5]


def test_only_the_roots_of_sessions_say_that_they_were_replayed(directory):
    """Not the spans below, and no other span without a parent."""
    journal = Journal(directory)
    journal.append(make(1))
    journal.append(ReadableSpan("alone", SpanContext(7, 7, is_remote=False), resource=RESOURCE))
    journal.after_fork()
    for claim in claims(directory):
        assert not any(semconv.REPLAYED in record.item.attributes for record in claim.records())


@pytest.mark.parametrize("last", ["span", "event", "file"])
def test_a_session_ends_with_the_last_sign_of_life(directory, last):
    """The end of a span, a log event, or the last write to a file, whichever is the latest."""
    trace_id, future = ids.trace_id(ids.new_session_id()), 2**62
    journal = Journal(directory)
    journal.append_start(trace_id, 1, "session", 100, {}, RESOURCE)
    place = journal.append(make(5, trace_id=trace_id, end=future if last == "span" else 200))
    journal.append_event(LogEvent("beat", future if last == "event" else 200, trace_id, 1, {}), RESOURCE)
    journal.acknowledge([place])  # what has arrived was a sign of life as well
    journal.after_fork()
    written = os.path.getmtime(segments(directory)[0])
    (claim,) = claims(directory)
    root = next(record for record in claim.records() if record.ref.seq < 0)
    assert root.item.end_time == (int(written * 1e9) if last == "file" else future)


# Overview and what was refused ----------------------------------------------------------------------------------------


def test_the_overview_changes_nothing(directory):
    """It counts the living and the dead, and what they have."""
    top = os.path.dirname(directory)
    killed(directory, [1, 2])
    session(directory)
    living = Journal(directory)
    places = [living.append(make(number)) for number in (3, 4, 5)]
    living.append_event(LogEvent("event", 1, 1, 1, {}), RESOURCE)
    living.reject([(make(3), places[0], "refused")])
    killed(os.path.join(top, "other"), [1])
    before = [(path, os.stat(path).st_mtime_ns) for path, _, _ in os.walk(top)]
    mine, other = state(top).destinations
    assert (mine.name, mine.alive, mine.dead, mine.segments) == ("destination", 1, 2, 2)
    assert (mine.spans, mine.events, mine.sessions, mine.unreadable) == (4, 1, 2, 0)
    assert mine.bytes == sum(map(os.path.getsize, segments(directory)))
    assert mine.oldest == 1e-9
    assert mine.rejected == 1
    assert mine.rejected_bytes > 100
    assert (other.name, other.alive, other.dead, other.spans) == ("other", 0, 1, 1)
    assert [(path, os.stat(path).st_mtime_ns) for path, _, _ in os.walk(top)] == before
    living.close()
    assert state(os.path.join(top, "nothing")).destinations == []


def test_what_a_backend_refuses_from_a_claim(directory):
    """It is set aside for people, and acknowledged."""
    killed(directory, [1])
    session(directory)
    for claim in claims(directory):
        claim.reject(
            [(record.item, record.ref, "no") for record in claim.records() if isinstance(record.item, ReadableSpan)]
        )
    assert os.listdir(directory) == ["rejected"]
    lines = [
        json.loads(line)
        for name in os.listdir(os.path.join(directory, "rejected"))
        for line in subprocess.check_output(["cat", os.path.join(directory, "rejected", name)]).splitlines()
    ]
    assert [line["reason"] for line in lines] == ["no", "no"]


def test_the_lock_goes_with_the_process(directory):
    """Not claimable while it lives, claimable when it is dead, whatever its children do."""
    program = (
        "import os, sys, time; from agentops_otel.pipeline.journal import Journal\n"
        "from opentelemetry.sdk.trace import TracerProvider\n"
        "journal = Journal(sys.argv[1])\n"
        "with TracerProvider(shutdown_on_exit=False).get_tracer('t').start_as_current_span('s') as span: pass\n"
        "journal.append(span)\n"
        "import subprocess; child = subprocess.Popen(['sleep', '60'])\n"
        "print(child.pid, flush=True); time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program, directory], stdout=subprocess.PIPE, env=os.environ)
    try:
        child = int(process.stdout.readline())
        assert list(claims(directory)) == []
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    try:
        assert len(list(claims(directory))) == 1
    finally:
        os.kill(child, signal.SIGKILL)
