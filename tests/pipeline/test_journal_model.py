"""The journal against a model: whatever happens to a process and its files, what the model has is read, and no more.

A killed process is one whose files are closed without a word: its lock is free and nothing is tidied up.
`AGENTOPS_TEST_EXAMPLES` says how many sequences are tried.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext

from agentops_otel import semconv
from agentops_otel.pipeline import ids
from agentops_otel.pipeline.claim import claims, segment_file
from agentops_otel.pipeline.frames import RecordRef
from agentops_otel.pipeline.journal import Journal
from agentops_otel.pipeline.log_event import LogEvent
from agentops_otel.pipeline.overview import state

RESOURCE = Resource({"service.name": "model"})
CHANCE = st.floats(0, 1, exclude_max=True)


@dataclass
class Folder:
    """What the folder of one process holds, as the model has it."""

    path: str
    left: dict[int, RecordRef] = field(default_factory=dict)  # span ids that must be found
    perhaps: set[int] = field(default_factory=set)  # span ids that may be found: what was damaged
    done: set[int] = field(default_factory=set)  # span ids that were acknowledged
    sessions: dict[int, str] = field(default_factory=dict)  # trace ids without a root, and the state they shall have
    roots: dict[int, int] = field(default_factory=dict)  # span ids of roots, and their trace ids

    def segments(self):
        return sorted(name for name in os.listdir(self.path) if name.endswith(".seg"))


class JournalModel(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.top = tempfile.mkdtemp()
        self.directory = os.path.join(self.top, "journal", "destination")
        self.journal = Journal(self.directory, segment_bytes=2000)
        self.own: Folder | None = None
        self.dead: list[Folder] = []
        self.wishes: dict[int, str] = {}
        self.last_id = 0

    def teardown(self):
        self.journal.close()
        shutil.rmtree(self.top)

    # The living process -----------------------------------------------------------------------------------------------

    def span(self, size=0, trace_id=1, span_id=None):
        self.last_id += 1
        return ReadableSpan(
            f"span {self.last_id}",
            SpanContext(trace_id, span_id or self.last_id, is_remote=False),
            parent=None if span_id else SpanContext(trace_id, 2**63, is_remote=False),
            attributes={"content": "x" * size},
            resource=RESOURCE,
            start_time=1,
            end_time=2,
        )

    def folder(self):
        if self.own is None:
            self.own = Folder(self.journal._writer.folder.path)
        return self.own

    @rule(sizes=st.lists(st.integers(0, 2000), min_size=1, max_size=5))
    def append(self, sizes):
        for size in sizes:
            span = self.span(size)
            place = self.journal.append(span)
            assert place is not None
            self.folder().left[span.context.span_id] = place

    @rule()
    def append_event(self):
        """Log events are acknowledged at once; they must not confuse the count of spans."""
        place = self.journal.append_event(LogEvent("event", 1, 1, 1, {}), RESOURCE)
        self.folder()
        self.journal.acknowledge([place])

    @rule(budget=st.integers(0, 2500), size=st.integers(0, 2000))
    def append_to_a_full_disk(self, budget, size):
        span, write = self.span(size), os.write

        def full(descriptor, data):
            nonlocal budget
            if len(data) <= budget:
                budget -= len(data)
                return write(descriptor, data)
            part, budget = budget, 0
            if not part:
                raise OSError(errno.ENOSPC, "No space left on device")
            return write(descriptor, data[:part])

        os.write = full
        try:
            place = self.journal.append(span)
        finally:
            os.write = write
        assert self.journal.failed == (place is None)
        self.journal._retry_at = 0.0 if place else 1e-9  # a second later
        if self.journal._writer is not None:
            self.folder()
            if place is not None:
                self.folder().left[span.context.span_id] = place

    @rule(tags=st.integers(1, 3), end=st.sampled_from(["still open", "Success", None]), root=st.booleans())
    def start(self, tags, end, root):
        trace_id = ids.trace_id(ids.new_session_id())
        for tag in range(tags):
            self.journal.append_start(trace_id, ids.root_span_id(trace_id), "session", 1, {"tag": tag}, RESOURCE)
        self.folder().sessions[trace_id] = ""
        if end != "still open":
            self.end_session(trace_id, end, root)

    @precondition(lambda self: self.own and self.own.sessions)
    @rule(chance=CHANCE, end=st.sampled_from(["Success", "Fail", None]), root=st.booleans())
    def end(self, chance, end, root):
        self.end_session(pick(self.own.sessions, chance), end, root)

    def end_session(self, trace_id, end, root):
        self.journal.append_end(trace_id, end, "why")
        self.wishes.pop(trace_id, None)
        if end is None:
            del self.own.sessions[trace_id]
            return
        self.own.sessions[trace_id] = end
        if root:
            span = self.span(0, trace_id, ids.root_span_id(trace_id))
            self.own.left[span.context.span_id] = self.journal.append(span)
            self.own.roots[span.context.span_id] = trace_id
            del self.own.sessions[trace_id]

    @precondition(lambda self: self.own and self.own.sessions)
    @rule(chance=CHANCE, state=st.sampled_from(["Success", "Fail"]))
    def wish(self, chance, state):
        trace_id = pick(self.own.sessions, chance)
        Journal(self.directory).request_end(ids.session_id(trace_id), state, "wished")
        self.wishes[trace_id] = state

    @precondition(lambda self: self.own and self.own.left)
    @rule(chances=st.lists(CHANCE, min_size=1, max_size=8), everything=st.booleans())
    def acknowledge(self, chances, everything):
        chosen = set(self.own.left) if everything else {pick(self.own.left, chance) for chance in chances}
        self.journal.acknowledge([self.own.left[span_id] for span_id in chosen])
        for span_id in chosen:
            del self.own.left[span_id]
        self.own.done |= chosen

    @rule()
    def sync(self):
        self.journal.sync()

    @rule()
    def close(self):
        """What is left stays; a folder with nothing in it goes."""
        self.journal.close()
        if self.own is not None:
            assert os.path.exists(self.own.path) == bool(self.own.left or self.own.sessions)
        self.leave()

    @rule()
    def kill(self):
        self.journal.after_fork()
        self.leave()

    def leave(self):
        if self.own is not None:
            if os.path.exists(self.own.path):
                self.dead.append(self.own)
            self.own = None

    @precondition(lambda self: hasattr(os, "fork"))
    @rule(count=st.integers(1, 4))
    def fork(self, count):
        """A child has a folder of its own, and leaves the parent's alone."""
        spans = [self.span() for _ in range(count)]
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            try:
                self.journal.after_fork()
                places = [self.journal.append(span) for span in spans]
                os.write(writing, repr((self.journal._writer.folder.path, [tuple(p) for p in places])).encode())
            finally:
                os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as pipe:
            path, places = eval(pipe.read())
        os.waitpid(child, 0)
        folder = Folder(path)
        folder.left = {span.context.span_id: RecordRef(*ref) for span, ref in zip(spans, places, strict=True)}
        self.dead.append(folder)

    # Damage -----------------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.dead)
    @rule(chances=st.tuples(CHANCE, CHANCE, CHANCE))
    def cut(self, chances):
        """Power loss: a file ends earlier."""
        folder = self.dead[int(chances[0] * len(self.dead))]
        path, size = self.damaged(folder, chances[1])
        end = int(chances[2] * size)
        os.truncate(path, end)
        self.hit(folder, path, lambda place: place.offset + place.size > end)

    @precondition(lambda self: self.dead)
    @rule(chances=st.tuples(CHANCE, CHANCE, CHANCE), bit=st.integers(0, 7))
    def flip(self, chances, bit):
        folder = self.dead[int(chances[0] * len(self.dead))]
        path, size = self.damaged(folder, chances[1])
        position = int(chances[2] * size)
        with open(path, "r+b") as file:
            file.seek(position)
            byte = file.read(1)
            file.seek(position)
            file.write(bytes(each ^ 1 << bit for each in byte))
        self.hit(folder, path, lambda place: place.offset <= position < place.offset + place.size)

    def damaged(self, folder, chance):
        """A file of a folder, and its size."""
        names = folder.segments() or ["resources"]
        path = os.path.join(folder.path, names[int(chance * len(names))])
        return path, os.path.getsize(path)

    def hit(self, folder, path, is_hit):
        for span_id, place in list(folder.left.items()):
            if segment_file(place.segment) == os.path.basename(path) and is_hit(place):
                del folder.left[span_id]
                folder.perhaps.add(span_id)

    # Those who come after ---------------------------------------------------------------------------------------------

    @rule(chances=st.lists(CHANCE, max_size=6), everything=st.booleans())
    def claim(self, chances, everything):
        """What is dead is read by one only, as the model has it; a part of it is acknowledged."""
        for claim in claims(self.directory):
            assert claim.writer not in [other.writer for other in claims(self.directory)]
            folder = next(each for each in self.dead if os.path.basename(each.path) == claim.writer)
            records = list(claim.records())
            spans = [record for record in records if isinstance(record.item, ReadableSpan)]
            made = {record.item.context.trace_id: record for record in spans if record.ref.seq < 0}
            found = {record.item.context.span_id: record for record in spans if record.ref.seq > 0}
            assert folder.left.keys() <= found.keys() <= folder.left.keys() | folder.perhaps
            assert len(found) + len(made) == len(spans)
            assert len([record for record in records if isinstance(record.item, LogEvent)]) == len(made)
            assert folder.sessions.keys() <= made.keys()
            # A damaged root is made again.
            assert made.keys() <= folder.sessions.keys() | {folder.roots.get(span_id) for span_id in folder.perhaps}
            for trace_id, expected in folder.sessions.items():
                end_state = made[trace_id].item.attributes[semconv.SESSION_END_STATE]
                assert end_state == (expected or self.wishes.get(trace_id, "Indeterminate"))
            assert {record.resource for record in records} <= {RESOURCE, Resource.get_empty()}
            chosen = spans if everything else [spans[int(chance * len(spans))] for chance in chances if spans]
            claim.acknowledge([record.ref for record in chosen])
            for record in chosen:
                if record.ref.seq < 0:
                    folder.sessions.pop(record.item.context.trace_id, None)
                else:
                    folder.left.pop(record.item.context.span_id, None)
                    folder.perhaps.discard(record.item.context.span_id)
                    folder.done.add(record.item.context.span_id)
        for folder in [each for each in self.dead if not os.path.exists(each.path)]:
            assert not folder.left
            assert not folder.sessions
            self.dead.remove(folder)

    # Always -----------------------------------------------------------------------------------------------------------

    @invariant()
    def the_journal_reads_its_own(self):
        if self.own is not None:
            assert self.journal.unacknowledged == len(self.own.left)
            read = self.journal.read(list(self.own.left.values()))
            assert [span.context.span_id for _, span in read] == list(self.own.left)

    @invariant()
    def the_overview_is_right(self):
        destinations = state(os.path.dirname(self.directory)).destinations
        least = sum(len(each.left) for each in [*self.dead, *([self.own] if self.own else [])])
        most = least + sum(len(each.perhaps) for each in self.dead)
        assert least <= sum(each.spans for each in destinations) <= most
        assert sum(each.alive for each in destinations) == (self.own is not None)


def pick(choices, chance):
    return list(choices)[int(chance * len(choices))]


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.timeout(900)
def test_the_journal_is_as_the_model_says():
    """Nothing is lost but what was damaged, nothing comes back that had arrived, and every lock tells the truth."""
    run_state_machine_as_test(
        JournalModel,
        settings=settings(
            max_examples=int(os.environ.get("AGENTOPS_TEST_EXAMPLES", "40")),
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
