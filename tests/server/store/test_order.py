"""The store does not depend on the order in which spans and events come, how often, and in which batches."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from agentops_otel.rows import Score, SessionEvent, SpanRow
from agentops_otel.server.store import Batch
from agentops_otel.server.store.batches import encode
from agentops_otel.server.store.sqlite import SqliteStore
from tests.server.store.rows import PROCESS, SECOND, START, heartbeat, llm, opened, root, text, tool, trace_id

NOW = START + 3600 * SECOND

CONTENTS = """
SELECT s.session_id, c.digest, c.kind, l.start_ns, l.span_id, l.trace_id, l.place
FROM content c LEFT JOIN session_content l ON l.content = c.id LEFT JOIN session s ON s.id = l.session
"""
SPANS = """
SELECT p.project, s.session_id, p.trace_id, p.span_id, p.size, p.digest, p.end_ns, p.session_id, b.data
FROM span p LEFT JOIN session s ON s.id = p.session LEFT JOIN body b ON b.span = p.id
"""
EVENTS = "SELECT s.session_id, e.key, e.time_ns, e.data FROM event e LEFT JOIN session s ON s.id = e.session"
SCORES = "SELECT session_key, digest, session_id, trace_id, value FROM score"
TRACES = "SELECT project, trace_id, session_id, said_ns FROM trace"
WORDS = "SELECT c.digest FROM text_index i JOIN content c ON c.id = i.rowid WHERE text_index MATCH 'question'"
SESSIONS = "SELECT session_id, s.* FROM session s"
LISTS = [
    f"SELECT s.session_id, t.* FROM session s JOIN session_{name} t ON t.session = s.id"
    for name in ("model", "tool", "error", "tag", "agent", "host", "text")
]


def everything(store: SqliteStore) -> list[object]:
    """All that is stored, without the numbers of rows."""
    with store._database.reading() as connection:
        tables = [connection.execute(query).fetchall() for query in (CONTENTS, SPANS, EVENTS, SCORES, TRACES, WORDS)]
        lists = [connection.execute(query).fetchall() for query in (SESSIONS, *LISTS)]
    tables += [[(row[0], *row[2:]) for row in table] for table in lists]
    return [sorted(table, key=repr) for table in tables]


def _sessions() -> st.SearchStrategy[str | None]:
    return st.sampled_from([None, None, "session-a", "session-b"])


@st.composite
def spans(
    draw: st.DrawFn, traces: int = 2, numbers: int = 3, kinds: Sequence[str] = ("llm", "tool", "root")
) -> SpanRow:
    """Versions of a few spans: open, ended, ended differently, replayed, of one session or another."""
    trace, number, session = draw(st.integers(1, traces)), draw(st.integers(1, numbers)), draw(_sessions())
    kind = draw(st.sampled_from(kinds))
    row = (
        root(trace, session)
        if kind == "root"
        else llm(trace, number, session)
        if kind == "llm"
        else tool(trace, number, session, failed=draw(st.booleans()))
    )
    form = draw(st.sampled_from(["ended", "ended", "open", "other", "replayed", "later"]))
    if form == "open":
        return opened(row)
    if form == "other":
        return replace(row, body=replace(row.body, output=(text("assistant", "question of another version"),)))
    if form == "replayed":
        return replace(row, replayed=True)
    if form == "later":
        return replace(row, end_ns=row.start_ns + 5 * SECOND)
    return row


@st.composite
def events(draw: st.DrawFn) -> SessionEvent:
    """Events of two sessions."""
    trace, session = draw(st.integers(1, 2)), draw(st.sampled_from(["session-a", "session-b"]))
    name = draw(st.sampled_from(["start", "heartbeat", "heartbeat", "end"]))
    if name == "heartbeat":
        return heartbeat(
            trace, draw(st.integers(1, 3)), opened(llm(trace, draw(st.integers(1, 3)), None)), session=session
        )
    end_state = "success" if name == "end" else None
    time_ns = START + draw(st.integers(0, 2)) * SECOND
    return SessionEvent(name, session, trace_id(trace), time_ns, end_state=end_state, process=PROCESS)


@st.composite
def scores(draw: st.DrawFn) -> Score:
    """Scores, some of which say no session."""
    trace = draw(st.integers(1, 2))
    return Score(draw(_sessions()), trace_id(trace), None, "quality", NOW, draw(st.sampled_from([0.25, 0.5])))


@given(
    items=st.lists(st.one_of(spans(), spans(), events(), scores()), min_size=1, max_size=10),
    data=st.data(),
)
@settings(max_examples=25, deadline=None)
def test_any_order_gives_the_same_store(items, data):
    """Any permutation, repetition and division into batches of the same things gives the identical store."""
    _same_in_any_order(items, data)


@given(items=st.lists(spans(1, 1, ("llm", "tool")), min_size=3, max_size=5), data=st.data())
@settings(max_examples=50, deadline=None)
def test_any_order_of_the_versions_of_one_span_gives_the_same_store(items, data):
    """A batch may replace a span several times: only what stands in the last version is found."""
    _same_in_any_order(items, data)


def _same_in_any_order(items, data):
    again = data.draw(st.lists(st.sampled_from(items), max_size=4), label="again")
    shuffled = data.draw(st.permutations(items + again), label="order")
    cuts = data.draw(st.sets(st.integers(1, len(shuffled)), max_size=6), label="cuts")
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(SqliteStore(Path(folder, "one.db"))) as one,
        closing(SqliteStore(Path(folder, "other.db"))) as other,
    ):
        one.add(_batch(items), NOW)
        batches = [_batch(shuffled[start:end]) for start, end in pairwise(sorted({0, len(shuffled), *cuts}))]
        if data.draw(st.booleans(), label="in one transaction"):
            _add_together(other, batches)
        else:
            for batch in batches:
                other.add(batch, NOW)
        assert everything(other) == everything(one)
        assert other.check().mended == ()
        assert everything(other) == everything(one)


def _add_together(store, batches):
    """As the writer does with what waits for it at the same time."""
    encoded = [encode(batch) for batch in batches]
    store._writer.run(
        lambda connection: [store._ingest.add(connection, each, NOW) for each in encoded], transaction="shared"
    )


def _batch(items):
    return Batch(
        [item for item in items if isinstance(item, SpanRow)],
        [item for item in items if isinstance(item, SessionEvent)],
        [item for item in items if isinstance(item, Score)],
    )
