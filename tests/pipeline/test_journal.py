"""The journal of a living process: one write for each span, whatever else happens at the same time.

`journal.after_fork()` closes the files of a journal without a word, as the end of its process does.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import logging
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext

from agentops_otel import guard, semconv
from agentops_otel.pipeline import ids
from agentops_otel.pipeline import journal as journal_module
from agentops_otel.pipeline.claim import ABOUT, claims, session_file
from agentops_otel.pipeline.destination import Destination
from agentops_otel.pipeline.folder import Folder
from agentops_otel.pipeline.journal import Journal
from agentops_otel.pipeline.log_event import LogEvent

RESOURCE = Resource({"service.name": "test"})
MILLION = 1_000_000_000_000


@pytest.fixture
def directory(tmp_path):
    return str(tmp_path / "journal" / "destination")


@pytest.fixture
def journal(directory):
    journal = Journal(directory, segment_bytes=20_000)
    yield journal
    journal.close()


def make(number, *, size=0, trace_id=1, span_id=None, resource=RESOURCE):
    """A span whose id is its number; with a span id, a root."""
    return ReadableSpan(
        f"span {number}",
        SpanContext(trace_id, span_id or number, is_remote=False),
        parent=None if span_id else SpanContext(trace_id, 2**63, is_remote=False),
        attributes={"content": "x" * size},
        resource=resource,
        start_time=1,
        end_time=2,
    )


def left(directory):
    """Numbers of the spans that dead processes left."""
    return sorted(
        record.item.context.span_id
        for claim in claims(directory)
        for record in claim.records()
        if isinstance(record.item, ReadableSpan)
    )


def files(directory, ending=".seg"):
    return sorted(
        os.path.join(folder, name) for folder, _, names in os.walk(directory) for name in names if name.endswith(ending)
    )


def begin(journal):
    """Start a session; its trace id and its root span."""
    trace_id = ids.trace_id(ids.new_session_id())
    root_id = ids.root_span_id(trace_id)
    journal.append_start(trace_id, root_id, "session", 1, {"a": 1}, RESOURCE)
    return trace_id, make(0, trace_id=trace_id, span_id=root_id)


# Writing and acknowledging --------------------------------------------------------------------------------------------


def test_what_was_not_acknowledged_is_left(journal, directory):
    """A span that was acknowledged is not read again, every other one is."""
    places = [journal.append(make(number)) for number in range(1, 6)]
    journal.acknowledge(places[1:3])
    journal.acknowledge(places[1:3])
    assert journal.unacknowledged == 3
    assert list(claims(directory)) == []
    journal.close()
    assert left(directory) == [1, 4, 5]


def test_a_journal_of_which_all_has_arrived_leaves_nothing(journal, directory):
    """Neither a file nor a folder of this process stays."""
    trace_id, root = begin(journal)
    places = [journal.append(make(1)), journal.append_event(LogEvent("event", 1, 1, 1, {}), RESOURCE)]
    journal.append_end(trace_id, "Success", None)
    journal.acknowledge([*places, journal.append(root)])
    journal.close()
    assert os.listdir(directory) == []


def test_nothing_is_opened_before_the_first_record(journal, directory):
    """A process that records nothing leaves no trace on disk."""
    journal.sync()
    journal.acknowledge([])
    journal.close()
    assert not os.path.exists(directory)


def test_a_span_is_one_write(journal, monkeypatch):
    """Two system calls for each span: whether the file is still ours, and the write; none that waits for the disk."""
    journal.append(make(1))
    calls = []
    for name in ("write", "fsync", "fdatasync", "open", "fstat", "lseek"):
        call = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *args, call=call, name=name: (calls.append(name), call(*args))[1])
    assert journal.append(make(2)) is not None
    assert calls == ["fstat", "write"]


def test_records_are_read_back(journal):
    """In the order asked for, spans and log events, without those that are damaged."""
    event = LogEvent("event", 1, 1, 1, {"a": (1,)})
    places = [journal.append(make(1)), journal.append_event(event, RESOURCE), journal.append(make(2)), None]
    places[3] = journal.append(make(3))
    (path,) = files(journal.directory)
    with open(path, "r+b") as file:
        file.seek(places[2].offset + 30)
        file.write(b"\xff")
    read = journal.read([places[3], places[2], places[1], places[0]])
    assert [place for place, _ in read] == [places[3], places[1], places[0]]
    assert [item.name for _, item in read] == ["span 3", "event", "span 1"]
    assert read[1][1] == event
    assert read[0][1].resource == RESOURCE


def test_a_full_segment_goes_as_soon_as_all_of_it_has_arrived(journal, directory):
    """Files do not heap up while the backend takes what it is given."""
    places = [journal.append(make(number, size=1000)) for number in range(1, 101)]
    assert len(files(directory)) > 4
    journal.acknowledge(places[:-1])
    assert len(files(directory)) == 1
    assert journal.bytes == os.path.getsize(files(directory)[0])
    journal.close()
    assert left(directory) == [100]


def test_places_of_a_closed_journal_are_unknown(journal, directory):
    """A new folder is not confused with the old one."""
    old = journal.append(make(1))
    journal.close()
    new = journal.append(make(2))
    journal.acknowledge([old])
    assert journal.read([old]) == []
    assert journal.unacknowledged == 1
    assert new != old
    journal.close()
    assert left(directory) == [1, 2]


def test_a_root_that_has_arrived_is_not_made_again(journal, directory):
    """The start of a session is settled with its root, even where the root itself is no longer on disk."""
    trace_id, root = begin(journal)
    places = [journal.append(root), *(journal.append(make(number, size=1000)) for number in range(1, 30))]
    journal.append_end(trace_id, "Success", None)
    journal.acknowledge(places)
    journal.append(make(30))
    journal.after_fork()
    assert left(directory) == [30]


def test_a_session_that_is_open_when_the_journal_is_closed_is_left(journal, directory):
    """Although every span of it has arrived."""
    _, root = begin(journal)
    journal.acknowledge([journal.append(make(1))])
    journal.close()
    assert left(directory) == [root.context.span_id]


def test_the_end_of_a_session_that_never_began(journal, directory):
    """Or that has ended already: nothing is left of it."""
    journal.acknowledge([journal.append(make(1))])
    journal.append_end(5, "Success", None)
    journal.forget(5)
    journal.close()
    assert os.listdir(directory) == []


def test_the_owner_of_a_session_takes_a_wish_away(journal, directory):
    """What another process wanted is of no use when the owner has spoken."""
    trace_id, _ = begin(journal)
    Journal(directory).request_end(ids.session_id(trace_id), "Fail", None)
    assert os.listdir(os.path.join(directory, "wishes")) == [ids.session_id(trace_id)]
    journal.append_end(trace_id, "Success", None)
    assert os.listdir(os.path.join(directory, "wishes")) == []


@pytest.mark.parametrize("settle", ["forget", "left open"])
def test_a_session_without_a_root_on_disk_can_be_settled(journal, directory, settle):
    """Because the root was delivered from memory, or because nobody shall end the session."""
    trace_id, _ = begin(journal)
    if settle == "forget":
        journal.forget(trace_id)
    else:
        journal.append_end(trace_id, None, None)
    journal.close()
    assert os.listdir(directory) == []


def test_a_span_that_cannot_be_read_harms_nobody(journal, monkeypatch, caplog):
    """An error of ours is logged, and the caller goes on."""
    monkeypatch.setattr(guard, "reraise", False)
    assert journal.append(ReadableSpan("no context", resource=RESOURCE)) is None
    journal.append_start("no number", 1, "session", 1, {}, RESOURCE)
    journal.request_end("no session id", "Success", None)
    journal.acknowledge(None)
    assert "internal error in the journal" in caplog.text


# A disk that does not take it -----------------------------------------------------------------------------------------


@pytest.fixture
def full_disk(monkeypatch):
    """Takes half of what is written, and then nothing, until it is undone."""
    write, state = os.write, {"full": True}

    def fail(descriptor, data):
        if not state["full"]:
            return write(descriptor, data)
        if len(data) < 100:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, data[:100])

    monkeypatch.setattr(os, "write", fail)
    yield lambda: state.update(full=False)
    monkeypatch.setattr(os, "write", write)


def test_a_full_disk_is_told_and_recovered_from(journal, directory, request, caplog, monkeypatch):
    """Nothing torn stays in the file, one warning, and the journal goes on when there is room again."""
    place = journal.append(make(1))
    empty_disk = request.getfixturevalue("full_disk")
    assert journal.append(make(2, size=1000)) is None
    assert journal.failed
    assert os.path.getsize(files(directory)[0]) == place.size
    empty_disk()
    assert journal.append(make(3)) is None  # not yet: attempts are a second apart
    now = time.monotonic()
    monkeypatch.setattr(journal_module, "monotonic", lambda: now + 1.1)
    assert journal.append(make(4)) is not None
    assert not journal.failed
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    journal.close()
    assert left(directory) == [1, 4]


def test_a_disk_that_is_full_from_the_beginning(journal, directory, full_disk, monkeypatch):
    """The folder that could not be filled does not stay, and the resource is known when there is room."""
    assert journal.append(make(1, size=1000)) is None
    full_disk()
    now = time.monotonic()
    monkeypatch.setattr(journal_module, "monotonic", lambda: now + 1.1)
    assert journal.append(make(2)) is not None
    journal.close()
    (record,) = [record for claim in claims(directory) for record in claim.records()]
    assert record.resource.attributes["service.name"] == "test"


def test_a_segment_that_cannot_be_cut_is_left(journal, directory, full_disk, monkeypatch):
    """A torn record at its end does no harm."""
    monkeypatch.setattr(os, "ftruncate", lambda *_: (_ for _ in ()).throw(OSError(errno.EIO, "I/O error")))
    full_disk()
    journal.append(make(1))
    monkeypatch.undo()
    write, torn = os.write, []
    monkeypatch.setattr(os, "ftruncate", lambda *_: (_ for _ in ()).throw(OSError(errno.EIO, "I/O error")))

    def tear(descriptor, data):
        if torn:
            raise OSError(errno.EIO, "I/O error")
        torn.append(write(descriptor, data[:50]))
        return torn[0]

    monkeypatch.setattr(os, "write", tear)
    assert journal.append(make(2)) is None
    monkeypatch.undo()
    journal._retry_at = 0.0
    assert journal.append(make(3)) is not None
    journal.close()
    assert left(directory) == [1, 3]


def others_may_write(directory):
    os.makedirs(directory)
    os.chmod(directory, 0o770)


def is_a_link(directory):
    os.makedirs(f"{directory}-elsewhere")
    os.symlink(f"{directory}-elsewhere", directory)


def is_a_file(directory):
    os.makedirs(os.path.dirname(directory))
    with open(directory, "w"):
        pass


def is_foreign(directory):
    if os.geteuid():
        pytest.skip("only root can give a folder away")
    os.makedirs(directory)
    os.chown(directory, 12345, 12345)


@pytest.mark.parametrize("spoil", [others_may_write, is_a_link, is_a_file, is_foreign])
def test_a_folder_that_is_not_ours_alone_is_not_used(journal, directory, spoil, caplog):
    """Prompts are not written where others may have laid a trap; the user hears of it once."""
    spoil(directory)
    before = sorted(os.walk(os.path.dirname(directory)))
    assert journal.append(make(1)) is None
    begin(journal)
    journal.request_end(ids.new_session_id(), "Success", None)
    assert journal.append_event(LogEvent("event", 1, 1, 1, {})) is None
    assert journal.failed
    assert sorted(os.walk(os.path.dirname(directory))) == before
    assert len(caplog.records) == 1


def test_nobody_else_can_read_it(directory, tmp_path):
    """Whatever the umask is, files are 0600 and folders 0700, those above included."""
    before = os.umask(0)
    try:
        journal = Journal(directory)
        begin(journal)
        place = journal.append(make(1))
        journal.request_end(ids.new_session_id(), "Success", None)
        journal.reject([(make(1), place, "refused")])
    finally:
        os.umask(before)
    for folder, _, names in os.walk(tmp_path / "journal"):
        assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700
        for name in names:
            assert stat.S_IMODE(os.stat(os.path.join(folder, name)).st_mode) == 0o600
    writer = journal._writer
    assert not any(map(os.get_inheritable, [writer.held, writer.folder._fd, writer.free[0].fd]))
    journal.close()


def test_a_folder_that_somebody_removes_is_made_again(journal, directory):
    """From the next second on spans are on disk again."""
    journal.append(make(1))
    subprocess.run(["rm", "-r", directory], check=True)
    journal.sync()
    assert journal.append(make(2)) is not None
    journal.close()
    assert left(directory) == [2]


def test_a_power_loss_takes_only_what_was_not_synced(journal, directory, monkeypatch):
    """What was written before the last sync() is read when all that came after is gone."""
    trace_id, _ = begin(journal)
    for number in range(1, 40):
        journal.append(make(number, size=1000))
    sync, names = Folder.sync, []
    monkeypatch.setattr(Folder, "sync", lambda folder, name: (names.append(name), sync(folder, name)))
    journal.sync()
    assert set(names) == {session_file(trace_id), "resources", *map(os.path.basename, files(directory))}
    names.clear()
    journal.sync()
    assert names == []
    synced = {path: os.path.getsize(path) for path in files(directory, "")}
    for number in range(40, 80):
        journal.append(make(number, size=1000))
    journal.after_fork()
    for path in files(directory, ""):
        if path in synced:
            os.truncate(path, synced[path])
        else:
            os.unlink(path)
    assert left(directory)[:39] == list(range(1, 40))


# Many at once ---------------------------------------------------------------------------------------------------------


def test_threads_append_while_another_one_acknowledges(journal, directory):
    """Eight threads, full segments, syncs: what is not acknowledged is left, and is whole."""
    done, places, lock = threading.Event(), {}, threading.Lock()

    def write(first):
        for number in range(first, first + 400):
            place = journal.append(make(number, size=number % 500))
            with lock:
                places[number] = place

    def acknowledge():
        while not done.is_set():
            with lock:
                chosen = [number for number in places if number % 3 and number not in acknowledged]
            journal.acknowledge([places[number] for number in chosen])
            acknowledged.update(chosen)
            journal.sync()

    acknowledged = set()
    writing = [threading.Thread(target=write, args=(first,)) for first in range(1, 8000, 1000)]
    acknowledging = threading.Thread(target=acknowledge)
    for thread in (*writing, acknowledging):
        thread.start()
    for thread in writing:
        thread.join()
    done.set()
    acknowledging.join()
    assert len(set(places.values())) == 3200
    rest = sorted(places.keys() - acknowledged)
    assert journal.unacknowledged == len(rest)
    assert [item.context.span_id for _, item in journal.read([places[number] for number in rest])] == rest
    journal.close()
    assert left(directory) == rest


def test_no_more_than_some_segments_are_open(journal, monkeypatch):
    """Who finds them all taken waits a little, and then does without the disk."""
    taken = [journal._take(10) for _ in range(32)]
    assert len({segment.number for segment in taken}) == 32
    assert journal.append(make(1)) is None
    journal._retry_at = 0.0
    timer = threading.Timer(0.05, lambda: taken[0].free.append(taken[0]))
    timer.start()
    assert journal.append(make(1)) is not None
    timer.join()
    for segment in taken[1:]:
        segment.free.append(segment)


def test_a_signal_handler_may_append_anywhere(journal, directory):
    """Also where it has interrupted an append, and when it waits for a thread that appends."""
    handled, others, stuck, over = [], [], [], False

    def on_another_thread(number):
        others.append(journal.append(make(number)))

    def handle(*_):
        number = MILLION + 2 * len(handled)
        handled.append(journal.append(make(number)))
        if len(handled) % 10 == 0:
            thread = threading.Thread(target=on_another_thread, args=(number + 1,))
            thread.start()
            thread.join(30)
            if thread.is_alive():
                stuck.append(thread)
        if not over:  # one that comes as the timer is stopped would start it anew, and pytest-timeout take the alarm
            signal.setitimer(signal.ITIMER_REAL, 0.0001 + 0.00002 * (len(handled) % 10))

    before = signal.signal(signal.SIGALRM, handle)
    limit, _ = signal.setitimer(signal.ITIMER_REAL, 0.001)  # pytest-timeout's
    places = []
    try:
        while len(handled) < 200:
            places.append(journal.append(make(len(places) + 1)))
    finally:
        over = True
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, limit)
    everything = [*places, *handled, *others]
    assert not stuck
    assert len(others) == len(handled) // 10
    assert None not in everything
    assert len(journal.read(everything)) == len(everything)
    journal.acknowledge(everything[1:])
    journal.close()
    assert left(directory) == [1]


def test_a_finaliser_may_append_anywhere(journal, directory):
    """The garbage collector may run it in the middle of an append."""
    numbers = iter(range(MILLION, 2 * MILLION))
    places = []

    class Leftover:
        def __init__(self):
            self.itself = self

        def __del__(self):
            places.append(journal.append(make(next(numbers))))

    before = gc.get_threshold()
    gc.set_threshold(7, 1, 1)
    try:
        for number in range(1, 500):
            Leftover()
            places.append(journal.append(make(number)))
    finally:
        gc.set_threshold(*before)
    gc.collect()
    assert None not in places
    assert len(places) == 2 * 499
    journal.close()
    assert len(left(directory)) == 2 * 499


def test_two_that_open_a_folder_at_once_share_one(journal, directory, monkeypatch):
    """A signal handler appends where the first append is about to make the folder."""
    new_writer = journal_module.new_writer

    def interrupted(destination):
        monkeypatch.undo()
        journal.append(make(1))
        return new_writer(destination)

    monkeypatch.setattr(journal_module, "new_writer", interrupted)
    journal.append(make(2))
    assert journal.unacknowledged == 2
    assert len(os.listdir(directory)) == 2  # with its lock
    journal.close()
    assert left(directory) == [1, 2]


def test_an_interrupted_append_leaves_the_journal_usable(journal, directory, monkeypatch):
    """Ctrl-C between the write and its books passes; what was written stays written."""
    write = os.write

    def interrupt(descriptor, data):
        write(descriptor, data)
        raise KeyboardInterrupt

    journal.append(make(1))
    monkeypatch.setattr(os, "write", interrupt)
    with pytest.raises(KeyboardInterrupt):
        journal.append(make(2))
    monkeypatch.setattr(os, "write", write)
    place = journal.append(make(3))
    journal.acknowledge([place])
    assert journal.read([place])
    journal.close()
    assert left(directory) == [1, 2]


def test_close_does_not_wait_for_a_thread_that_stands_still(journal, directory):
    """The folder stays locked until the process ends; the next span opens another one."""
    journal.append(make(1))
    standing = journal._take(10)
    started = time.monotonic()
    journal.close()
    assert time.monotonic() - started < 5
    assert left(directory) == []
    assert journal.append(make(2)) is not None
    standing.seal()


def test_threads_that_append_while_it_is_closed(journal, directory, monkeypatch):
    """Whichever folder a span went to, it is found."""
    monkeypatch.setattr("agentops_otel.pipeline.journal._PATIENCE", 30)  # a slow machine
    places, done = [], threading.Event()

    def write(number):
        while not done.is_set():
            places.append((number, journal.append(make(number))))
            number += 1

    threads = [threading.Thread(target=write, args=(first,)) for first in (1, MILLION)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        journal.close()
        time.sleep(0.002)
    done.set()
    for thread in threads:
        thread.join()
    journal.close()
    assert left(directory) == sorted(number for number, place in places if place is not None)
    assert None not in [place for _, place in places]


# Processes ------------------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_children_have_journals_of_their_own(journal, directory):
    """Forks while four threads append: each child's spans are found once, and the parent's lock is not touched."""
    done, written = threading.Event(), []

    def write(number):
        while not done.is_set():
            if journal.append(make(number)) is not None:
                written.append(number)
            number += 1

    threads = [threading.Thread(target=write, args=(first * MILLION,)) for first in (1, 2, 3, 4)]
    for thread in threads:
        thread.start()
    children, expected = [], []
    for child in range(8):
        numbers = range(1 + child * 1000, 21 + child * 1000)
        expected += numbers
        pid = os.fork()
        if not pid:
            code = 1
            with contextlib.suppress(BaseException):
                signal.alarm(30)
                journal.after_fork()
                code = int(None in [journal.append(make(number)) for number in numbers])
            os._exit(code)
        children.append(pid)
    codes = [os.waitpid(pid, 0)[1] for pid in children]
    done.set()
    for thread in threads:
        thread.join()
    assert codes == [0] * 8
    assert left(directory) == expected
    assert journal.unacknowledged == len(written)
    journal.close()
    assert left(directory) == sorted([*expected, *written])


_VICTIM = """
import os, sys, threading
from opentelemetry.sdk.trace import TracerProvider
from agentops_otel.pipeline import ids
from agentops_otel.pipeline.journal import Journal

journal = Journal(sys.argv[1], segment_bytes=50_000)
provider = TracerProvider(shutdown_on_exit=False)
tracer = provider.get_tracer("test")
trace_id = ids.trace_id(ids.new_session_id())
journal.append_start(trace_id, ids.root_span_id(trace_id), "session", 1, {}, provider.resource)
os.write(1, b"%016x\\n" % ids.root_span_id(trace_id))

def work():
    waiting = []
    while True:
        with tracer.start_as_current_span("work", attributes={"text": "x" * 500}) as span:
            pass
        place = journal.append(span)
        if place is not None:
            os.write(1, b"%016x\\n" % span.context.span_id)

for _ in range(int(sys.argv[2])):
    threading.Thread(target=work).start()
"""


@pytest.mark.parametrize("threads", [1, 4])
def test_killed_processes_lose_nothing(directory, threads):
    """Every span whose append() came back is read after SIGKILL, and so is the root of the session.

    AGENTOPS_TEST_KILLS says how often.
    """
    for kill in range(int(os.environ.get("AGENTOPS_TEST_KILLS", "2"))):
        victim = subprocess.Popen(
            [sys.executable, "-c", _VICTIM, directory, str(threads)], stdout=subprocess.PIPE, env=os.environ
        )
        try:
            head = victim.stdout.read(17 * (1 + 97 * kill))
            assert list(claims(directory)) == []
        finally:
            victim.kill()
            rest, _ = victim.communicate()
        written = [int(line, 16) for line in (head + rest).decode().split("\n")[:-1]]
        found = []
        for claim in claims(directory):
            records = list(claim.records())
            assert claim.unreadable == 0
            assert claim.torn <= threads  # a write of which append() did not come back may be cut short
            found += [record.item.context.span_id for record in records if isinstance(record.item, ReadableSpan)]
            claim.acknowledge([record.ref for record in records])
        assert set(written) <= set(found)
        # At most one for each thread was written and not told.
        assert len(found) - len(written) <= threads
        assert len(set(found)) == len(found)
    assert os.listdir(directory) == []


# Bounds ---------------------------------------------------------------------------------------------------------------


def test_the_oldest_spans_go_when_there_is_too_much(directory):
    """What is lost is counted exactly; sessions and their roots stay, and can be read back."""
    journal = Journal(directory, segment_bytes=10_000, max_bytes=50_000)
    _, root = begin(journal)
    _, never_ended = begin(journal)
    root_place = journal.append(root)
    places = [journal.append(make(number, size=900)) for number in range(1, 201)]
    assert sum(map(os.path.getsize, files(directory))) <= 70_000
    journal.sync()
    assert sum(map(os.path.getsize, files(directory))) <= 50_000
    assert [span.name for _, span in journal.read([root_place])] == [root.name]
    assert journal.unacknowledged == 201 - journal.dropped
    assert journal.dropped > 100
    journal.acknowledge(places[:160])  # most of them are gone
    journal.close()
    rest = range(max(160, journal.dropped) + 1, 201)
    assert left(directory) == sorted([root.context.span_id, never_ended.context.span_id, *rest])


def test_dead_processes_count_as_well(directory):
    """Their oldest spans go first, their roots stay; what lives is left alone."""
    dead = Journal(directory, segment_bytes=10_000)
    trace_id, root = begin(dead)
    dead.append(root)
    for number in range(1, 101):
        dead.append(make(number, size=900))
    dead.after_fork()
    living = Journal(directory, segment_bytes=10_000)
    for number in range(101, 201):
        living.append(make(number, size=900))
    journal = Journal(directory, segment_bytes=10_000, max_bytes=60_000)
    journal.append(make(201))
    journal.sync()
    assert journal.dropped == 100
    assert living.unacknowledged == 100
    journal.close()
    living.close()
    assert left(directory) == sorted([*range(101, 202), root.context.span_id])
    assert trace_id


def test_what_is_too_old_goes(directory):
    """Spans, roots, starts and wishes of last week are of no use to anybody."""
    journal = Journal(directory)
    _, root = begin(journal)
    begin(journal)
    for span in (root, make(1), make(2)):
        journal.append(span)
    journal.request_end(ids.new_session_id(), "Success", None)
    journal.after_fork()
    for path in files(directory, ""):
        os.utime(path, (1, 1))
    journal.append(make(3))
    journal.request_end(ids.new_session_id(), "Success", None)
    journal.sync()
    assert journal.dropped == 3
    assert len(os.listdir(os.path.join(directory, "wishes"))) == 1
    journal.close()
    assert left(directory) == [3]


# Resources ------------------------------------------------------------------------------------------------------------


def test_the_resource_is_that_of_the_process_that_died(journal, directory):
    """Of a span its own or the one that it was given; of a log event the first one that was written."""
    other = Resource({"service.name": "other"}, "https://example.com")
    journal.append(make(1))
    journal.append(make(2, resource=other))
    journal.append(make(3), other)
    journal.append_event(LogEvent("event", 1, 1, 1, {}))
    journal.close()
    journal.append(make(4))
    journal.close()
    found = {record.item.name: record.resource for claim in claims(directory) for record in claim.records()}
    assert found["span 1"] == RESOURCE
    assert found["span 2"] == found["span 3"] == other
    assert found["event"] == found["span 4"] == found["span 1"]


def test_many_resources_do_not_fill_the_memory(journal, full_disk):
    """A program that makes a new one for each span, with and without room on the disk."""
    for number in range(1, 2200):
        journal.append(make(number, resource=Resource({"number": number})))
        journal._retry_at = 0.0  # a second later
        if number == 1100:
            full_disk()
    for memory in (journal._known, journal._resources, journal._described):
        assert len(memory) <= 1024
    assert len(journal.read([journal.append(make(number)) for number in (1, 2)])) == 2


def test_a_session_is_as_it_was_last_told(journal, directory):
    """A start that is written again replaces the one before."""
    trace_id, _ = begin(journal)
    journal.append_start(trace_id, ids.root_span_id(trace_id), "session", 1, {semconv.SESSION_TAGS: ("b",)}, RESOURCE)
    journal.after_fork()
    (claim,) = claims(directory)
    root, _ = claim.records()
    assert root.item.attributes[semconv.SESSION_TAGS] == ("b",)
    assert "a" not in root.item.attributes


@pytest.mark.parametrize("content", [None, b"", b'{"endpoint": '])
def test_what_says_where_is_written_anew(directory, content):
    """The next process writes where the spans of the destination go, whatever became of that file."""
    about = {"protocol": "grpc", "endpoint": "http://localhost:4317", "project": None}
    for _ in range(2):
        journal = Journal(directory, about=about)
        journal.append(make(1))
        journal.close()
        assert Destination.read(directory) == Destination(**about)
        if content is not None:
            Path(directory, ABOUT).write_bytes(content)


def test_the_number_of_open_segments_is_bounded(journal, monkeypatch):
    """Each thread that writes at a moment has a segment of its own; one too many waits a moment."""
    monkeypatch.setattr(journal_module, "_MOST_OPEN", 3)
    monkeypatch.setattr(journal_module, "_PATIENCE", 0.05)
    taken = [journal._take(1) for _ in range(3)]
    assert len({segment.number for segment in taken}) == 3
    with pytest.raises(BlockingIOError):
        journal._take(1)
    taken[1].free.append(taken[1])
    assert journal._take(1) is taken[1]


def test_few_resources_are_remembered(journal, directory, monkeypatch):
    """A program that makes one resource after the other does not fill memory, and each span keeps its own."""
    monkeypatch.setattr(journal_module, "_MOST_RESOURCES", 3)
    for number in range(1, 11):
        journal.append(make(number, resource=Resource({"number": number})))
        assert len(journal._known) <= 3
    journal.close()
    read = [record.item for claim in claims(directory) for record in claim.records()]
    spans = [item for item in read if isinstance(item, ReadableSpan)]
    assert sorted(span.context.span_id for span in spans) == list(range(1, 11))
    assert all(span.resource.attributes["number"] == span.context.span_id for span in spans)


@pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be removed there")
@pytest.mark.parametrize("full", [False, True], ids=["note", "new segment"])
def test_a_removed_folder_is_begun_anew(journal, directory, caplog, full):
    """The next note, or the next segment, is written to a new folder, with the session and without a warning."""
    trace_id, _ = begin(journal)
    journal.append(make(1, size=9_000))
    shutil.rmtree(directory)
    if full:
        assert all(journal.append(make(number, size=9_000)) for number in range(2, 5))
    else:
        journal.append_reason(trace_id, "the reason")
    assert journal.append(make(5))
    assert len(files(directory, ".session")) == 1
    journal.close()
    assert 5 in left(directory)
    assert not caplog.records


# Descriptors that the program closes ----------------------------------------------------------------------------------


class Users:
    """Files of a program that has closed all of a journal's descriptors, as one does that becomes a daemon.

    They have the numbers that the journal's lock, folder and segments had.
    """

    def __init__(self, journal, tmp_path):
        writer = journal._writer
        self.folder = tmp_path / "of-the-user"
        self.folder.mkdir()
        numbers = [int(writer.folder._fd), int(writer.held), *(int(each.fd) for each in writer.open_segments())]
        for place, number in enumerate(numbers):
            flags = os.O_RDONLY if place == 0 else os.O_RDWR | os.O_CREAT
            opened = os.open(self.folder if place == 0 else self.folder / str(place), flags)
            os.dup2(opened, number)
            os.close(opened)
        self.numbers = numbers

    def are_untouched(self):
        """Close them; whether they were open and empty, and nothing was put beside them."""
        sizes = [os.fstat(number).st_size for number in self.numbers[1:]]
        for number in self.numbers:
            os.close(number)
        return not any(sizes) and len(os.listdir(self.folder)) == len(sizes)


@pytest.mark.skipif(sys.platform == "win32", reason="closing what others have opened is not done there")
@pytest.mark.parametrize("last", ["record", "note", "sync", "acknowledge", "close", "fork"])
def test_a_program_that_closes_all_descriptors(journal, directory, tmp_path, last, caplog):
    """Its next files, which have their numbers, are neither written to nor closed, and nothing is lost or repeated."""
    trace_id, root = begin(journal)
    places = [journal.append(make(1)), journal.append(make(2))]
    users = Users(journal, tmp_path)
    if last == "record":
        places += [journal.append(make(3)), journal.append(root)]
        assert all(places)
        assert list(claims(directory)) == []
        journal.acknowledge(places)
    elif last == "note":
        journal.append_reason(trace_id, "the reason")
    elif last == "sync":
        journal.sync()
        assert list(claims(directory)) == []  # it is locked again
    elif last == "acknowledge":
        journal.acknowledge(places[:1])
    elif last == "fork":
        journal.after_fork()
    journal.close()
    assert users.are_untouched()
    unsettled = {"record": [], "acknowledge": [2, ids.root_span_id(trace_id)]}
    assert left(directory) == unsettled.get(last, [1, 2, ids.root_span_id(trace_id)])
    assert not caplog.records


@pytest.mark.skipif(sys.platform == "win32", reason="closing what others have opened is not done there")
def test_a_folder_that_was_taken_for_a_dead_ones(journal, directory, tmp_path):
    """Without its lock another process may have claimed it: then the journal goes on in a new one."""
    begin(journal)
    journal.append(make(1))
    users = Users(journal, tmp_path)
    claimed = claims(directory)
    assert next(claimed).spans == 1
    assert journal.append(make(2))
    assert len(files(directory, ".lock")) == 2
    claimed.close()
    assert users.are_untouched()


@pytest.mark.skipif(sys.platform == "win32", reason="there is no number to take there")
def test_the_numbers_of_the_standard_streams_are_left_free(tmp_path):
    """Where a program runs without them, what others write to standard error does not get into the journal."""
    code = """
import os, sys
from agentops_otel.pipeline.folder import Folder
for number in range(3):
    os.close(number)
with Folder(sys.argv[1]) as folder:
    held = folder.open("x", os.O_RDWR | os.O_CREAT)
    taken = [n for n in range(3) if os.path.exists(f"/dev/fd/{n}")]
    os._exit(7 if taken or held < 3 or folder._fd < 3 or os.get_inheritable(held) else 0)
"""
    assert subprocess.run([sys.executable, "-c", code, tmp_path], check=False, timeout=30).returncode == 0
