"""What is put into the store comes out again."""

from __future__ import annotations

from dataclasses import replace

from agentops_otel.server.store import Added, Batch, Filter
from tests.server.store.rows import SECOND, SOURCE, START, heartbeat, llm, opened, root, session, tool, trace_id

NOW = START + 3600 * SECOND


def test_a_span_comes_back_as_it_was(store):
    """Every field of a span and of its body is read as it was written, but for the digests of its messages."""
    spans = [*session(failed=True), llm(number=9, end_ns=None)]
    store.add(Batch(spans), NOW)
    found = {row.span_id: row for row in store.spans("session-1", bodies=True)}
    for span in spans:
        row = found[span.span_id]
        assert row == span
        assert row.body is not None
        assert _plain(row.body) == _plain(span.body)
        assert store.span("session-1", span.span_id) == span
    assert all(row.body is None for row in store.spans("session-1"))


def _plain(body):
    return replace(
        body,
        input=tuple(replace(each, digest="") for each in body.input),
        output=tuple(replace(each, digest="") for each in body.output),
    )


def test_a_session_is_found_by_any_of_its_names(store):
    """A session is found by its id, its trace's id and the beginning of either, and by nothing shorter."""
    store.add(Batch([*session(1), *session(2)]), NOW)
    found = store.session("session-2")
    assert found.session_id == "session-2"
    assert [use.calls for use in found.models] == [2]
    assert [use.tool for use in found.tools] == ["search"]
    assert found.tags == ("prod",)
    assert store.session(trace_id(2)) == found
    assert store.session("session-2"[:8]).session_id == "session-2"
    assert store.session("sess") is None
    assert store.session("") is None
    assert store.session("no such session") is None


def test_the_list_says_what_the_session_says(store):
    """A row of the list is the session without its parts."""
    store.add(Batch([*session(1), *session(2, failed=True)]), NOW)
    listed = store.sessions(Filter())
    assert listed.total == 2
    assert [row.session_id for row in listed.rows] == ["session-2", "session-1"]
    whole = store.session("session-1")
    assert listed.rows[1] == replace(whole, models=(), tools=(), errors=(), scores=())


def test_what_is_known_is_not_stored_again(store):
    """A batch that comes again changes nothing."""
    batch = Batch(session())
    assert store.add(batch, NOW) == Added(("session-1",), 4, 0, 0)
    before = store.session("session-1")
    assert store.add(batch, NOW) == Added((), 0, 0, 4)
    assert store.session("session-1") == before


def test_an_open_span_ends(store):
    """A span that was open in a heartbeat and then ended is one span, and stays ended."""
    call = llm()
    beat = heartbeat(1, 1, opened(call))
    assert store.add(Batch(events=[beat]), NOW).new_spans == 1
    assert store.session("session-1").open_spans == 1
    assert store.add(Batch([call]), NOW).changed_spans == 1
    assert store.add(Batch(events=[beat]), NOW).known_spans == 1
    assert store.spans("session-1") == [call]
    assert store.session("session-1").llm_calls == 1
    assert store.session("session-1").open_spans == 0


def test_a_trace_moves_to_the_session_that_is_said_later(store):
    """Spans that say no session go where a span of their trace says, and the stand-in session is gone."""
    store.add(Batch([llm(1, 1, None), tool(1, 2, None)]), NOW)
    assert store.sessions(Filter()).rows[0].session_id == trace_id(1)
    added = store.add(Batch([root(1, "real")]), NOW)
    assert "real" in added.sessions
    assert [row.session_id for row in store.sessions(Filter()).rows] == ["real"]
    assert len(store.spans("real", bodies=True)[1].body.input) == 2
    store.add(Batch([llm(1, 5, None)]), NOW)
    assert store.session(trace_id(1)).llm_calls == 2
    assert store.sessions(Filter(text="refund")).total == 1


def test_projects_do_not_touch_each_other(store):
    """The same ids in two projects are two sessions, and a filter by project sees one of them."""
    store.add(Batch(session(), project="one"), NOW)
    store.add(Batch([llm(body=replace(llm().body, source=SOURCE))], project="two"), NOW)
    assert store.session("session-1", "one").spans == 4
    assert store.session("session-1", "two").spans == 1
    assert store.session("session-1", "three") is None
    assert store.sessions(Filter()).total == 2
    assert store.sessions(Filter(project="two")).total == 1
    assert len(store.spans("session-1", project="one")) == 4
