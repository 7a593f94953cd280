from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider

from agentops_otel import semconv
from agentops_otel.pipeline import ids
from agentops_otel.pipeline.claim import claims, state
from agentops_otel.pipeline.journal import Journal

RESOURCE = Resource({"service.name": "test"})


@pytest.fixture
def directory(tmp_path):
    return str(tmp_path / "journal" / "destination")


@pytest.fixture
def journal(directory):
    journal = Journal(directory)
    yield journal
    journal.close()


def spans(count: int, root: bool = False) -> list[ReadableSpan]:
    tracer = TracerProvider(resource=RESOURCE, shutdown_on_exit=False).get_tracer("test", "1")
    made = []
    with tracer.start_as_current_span("root") as parent:
        for number in range(count):
            span = tracer.start_span(f"span {number}", attributes={"number": number})
            span.end()
            made.append(span)
    return [*made, parent] if root else made


def left(directory: str) -> list[str]:
    """Names of what dead processes left."""
    return [record.item.name for claim in claims(directory) for record in claim.records()]


def test_what_was_not_acknowledged_is_left(journal, directory):
    """A span that was acknowledged is not read again, every other one is."""
    places = [journal.append(span) for span in spans(5)]
    journal.acknowledge(places[1:3])
    assert journal.unacknowledged == 3
    assert list(claims(directory)) == []
    journal.close()
    assert left(directory) == ["span 0", "span 3", "span 4"]


def test_an_acknowledged_journal_leaves_nothing(journal, directory):
    """Nothing is left on disk when all has arrived."""
    journal.acknowledge([journal.append(span) for span in spans(5, root=True)])
    journal.close()
    assert os.listdir(directory) == []


def test_spans_are_read_back(journal):
    """The journal gives back what it wrote."""
    places = [journal.append(span) for span in spans(3)]
    assert [span.name for _, span in journal.read([places[2], places[0]])] == ["span 2", "span 0"]


def test_a_session_that_nobody_ended_gets_a_root(journal, directory):
    """The root of a dead process's session is made from its start."""
    trace_id = ids.trace_id(ids.new_session_id())
    journal.append_start(trace_id, ids.root_span_id(trace_id), "session", time.time_ns(), {"a": 1}, RESOURCE)
    journal.close()
    (claim,) = claims(directory)
    root, event = claim.records()
    assert root.item.context.trace_id == trace_id
    assert root.item.attributes[semconv.SESSION_END_STATE] == "Indeterminate"
    assert root.item.attributes[semconv.REPLAYED] is True
    assert event.item.name == semconv.EVENT_SESSION_END


def test_state_counts(journal, directory):
    """The overview tells the living from the dead."""
    journal.append(spans(1)[0])
    (found,) = state(os.path.dirname(directory)).destinations
    assert (found.alive, found.dead, found.spans) == (1, 0, 1)


_VICTIM = """
import os, sys
from opentelemetry.sdk.trace import TracerProvider
from agentops_otel.pipeline.journal import Journal
journal = Journal(sys.argv[1])
tracer = TracerProvider(shutdown_on_exit=False).get_tracer("test")
while True:
    with tracer.start_as_current_span("work") as span:
        pass
    if journal.append(span) is not None:
        os.write(1, b"%016x\\n" % span.context.span_id)
"""


def test_killed_processes_lose_nothing(directory):
    """A span whose append() came back is read after SIGKILL."""
    written = set()
    for _ in range(3):
        victim = subprocess.Popen([sys.executable, "-c", _VICTIM, directory], stdout=subprocess.PIPE)
        try:
            head = victim.stdout.read(170)
        finally:
            victim.kill()
            rest, _ = victim.communicate()
        written |= set((head + rest).decode().split())
    found = [f"{record.item.context.span_id:016x}" for claim in claims(directory) for record in claim.records()]
    assert written <= set(found)
    assert len(found) == len(set(found))
