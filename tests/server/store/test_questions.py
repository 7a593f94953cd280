"""The answers of the store to the questions of the pages."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from agentops_otel.pipeline.ids import project_id
from agentops_otel.rows import Score
from agentops_otel.server.store import Batch, Facet, Filter, Price
from agentops_otel.server.store.sqlite import SqliteStore
from agentops_otel.usage import Usage
from tests.server.store.rows import PROCESS, SECOND, START, llm, root, session, span_id, text, tool, trace_id

NOW = START + 3600 * SECOND


@pytest.fixture
def full(store):
    """Three sessions that worked, and one that failed."""
    for trace in (1, 2, 3):
        store.add(Batch(session(trace)), NOW)
    failed = [replace(root(4, "session-4"), end_state="fail", end_reason="gave up", status="error", tags=("dev",))]
    failed += [replace(row, tags=("dev",)) for row in session(4, failed=True)[1:]]
    store.add(Batch(failed), NOW)
    return store


def test_figures_are_the_sums_of_the_rows(full):
    """The six numbers are those of the sessions that the list shows."""
    rows = full.sessions(Filter()).rows
    figures = full.figures(Filter())
    assert (figures.sessions, figures.success, figures.fail, figures.running) == (4, 3, 1, 0)
    assert figures.cost == pytest.approx(sum(row.cost for row in rows))
    assert figures.usage == Usage(8000, 800, 2000)
    assert figures.llm_calls == 8
    assert figures.tool_calls == 4
    assert figures.error_sessions == 1
    assert figures.duration_ns == sum(row.duration_ns for row in rows)
    assert figures.median_ns == sorted(row.duration_ns for row in rows)[1]
    assert full.figures(Filter(tags=("none",))).median_ns is None


def test_figures_over_time_add_up(full):
    """Each session is in exactly one piece of the time."""
    edges = [START + each * SECOND for each in (0, 2, 3, 100)]
    pieces = full.figures_over_time(Filter(), edges)
    assert [piece.sessions for piece in pieces] == [1, 1, 2]
    assert sum(piece.cost for piece in pieces) == pytest.approx(full.figures(Filter()).cost)
    assert [piece.sessions for piece in full.figures_over_time(Filter(tags=("dev",)), edges)] == [0, 0, 1]


def test_facets_count_sessions(full):
    """The values of each field are counted among the sessions of the filter, the most frequent first."""
    facets = full.facets(Filter())
    assert facets.states == (Facet("success", 3), Facet("fail", 1))
    assert facets.tags == (Facet("prod", 3), Facet("dev", 1))
    assert facets.models == (Facet("gpt-4o", 4),)
    assert facets.tools == (Facet("search", 4),)
    assert facets.errors == (Facet("TimeoutError", 1),)
    assert facets.hosts == (Facet("host-1", 4),)
    assert full.facets(Filter(tags=("dev",))).states == (Facet("fail", 1),)


def test_neighbours_follow_the_filter(full):
    """The next newer and the next older session are those of the list."""
    assert full.neighbours("session-2", Filter()) == ("session-3", "session-1")
    assert full.neighbours("session-4", Filter()) == (None, "session-3")
    assert full.neighbours("session-1", Filter(tags=("dev",))) == ("session-4", None)
    assert full.neighbours("nothing", Filter()) == (None, None)


def test_costs_are_the_same_by_whatever_they_are_split(full):
    """Use by model, tag, name or time adds up to the cost of the sessions."""
    cost = full.figures(Filter()).cost
    (whole,) = full.costs(Filter())
    assert whole.use.cost == pytest.approx(cost)
    assert (whole.use.calls, whole.sessions, whole.use.hour) == (8, 4, 0)
    assert len(whole.use.durations_ns) == 8
    by_tag = full.costs(Filter(), by="tag")
    assert [(use.by, use.sessions) for use in by_tag] == [("prod", 3), ("dev", 1)]
    assert sum(use.use.cost for use in by_tag) == pytest.approx(cost)
    by_hour = full.costs(Filter(), hours=24)
    assert by_hour[0].use.hour == START // (3600 * SECOND) // 24 * 24
    assert sum(use.use.usage.input_tokens for use in by_hour) == 8000
    assert [use.by for use in full.costs(Filter(), by="tool")] == ["search"]
    assert [use.by for use in full.costs(Filter(), by="name")] == ["worker"]
    assert full.costs(Filter(), by="agent") == []


def test_tools_are_counted(full):
    """Use by tool is the sum over sessions."""
    (use,) = full.tools(Filter())
    assert (use.use.tool, use.use.calls, use.use.failed, use.sessions) == ("search", 4, 1, 4)
    assert len(use.use.durations_ns) == 4
    assert use.use.duration_ns == sum(use.use.durations_ns)


def test_errors_are_grouped(full):
    """Errors of one fingerprint are a group that knows its last place and what its sessions cost."""
    full.add(Batch(session(5, failed=True)), NOW)
    group, *others = full.errors(Filter(errors=("TimeoutError",)))
    assert not others
    assert (group.type, group.label, group.count, group.sessions) == ("TimeoutError", "search", 2, 2)
    assert group.fatal + group.recovered + group.open == 2
    assert group.last_session_id == "session-5"
    assert group.last_span_id == span_id(5002)
    assert len(group.times_ns) == len(group.fates) == 2
    assert sum(move.count for move in group.moves) == 2
    assert group.fingerprint in {use.fingerprint for use in full.session("session-4").errors}
    assert full.sessions(Filter(errors=(group.fingerprint,))).total == 2


def test_search_marks_the_words(full):
    """A hit says in which span and as what the words stand first, and marks them."""
    hits = full.search("warehouse answer", Filter())
    assert [(hit.session_id, hit.where, hit.kind, hit.label) for hit in hits] == [
        ("session-4", "error", "tool", "search")
    ]
    assert [piece for piece, marked in hits[0].snippet if marked] == ["answer", "warehouse"]
    assert "".join(piece for piece, _ in hits[0].snippet) == "TimeoutError: no answer from warehouse"
    assert {hit.where for hit in full.search("refund", Filter())} == {"arguments"}
    assert [hit.session_id for hit in full.search("refund", Filter(), limit=2)] == ["session-4", "session-3"]
    assert [hit.session_id for hit in full.search("refund", Filter(tags=("dev",)))] == ["session-4"]
    assert full.search("   ", Filter()) == []
    assert full.search('" OR *', Filter()) == []


def test_a_message_is_found_once_in_a_session(full):
    """The answer of one call is the prompt of the next, and one hit, where it stands first."""
    answer = text("assistant", "a rare zebra")
    body = llm(6, 1).body
    first = llm(6, 1, "s", body=replace(body, output=(replace(answer, finish_reason="stop"),)))
    second = llm(6, 2, "s", body=replace(body, input=(*body.input, answer)))
    full.add(Batch([second, first]), NOW)
    assert [(hit.span_id, hit.where) for hit in full.search("zebra", Filter())] == [(first.span_id, "answer")]


def test_messages_that_were_seen_before(full):
    """The sessions are counted that started before and have the same message."""
    spans = [llm(each, 1, f"again-{each}", body=llm(1, 1).body) for each in (7, 8, 9)]
    full.add(Batch(spans), NOW)
    digests = [message.digest for message in full.span("again-8", spans[1].span_id).body.input]
    assert full.seen_before(digests, "again-8") == dict.fromkeys(digests, 2)
    assert full.seen_before([*digests, "no digest", "00" * 16], "again-9")[digests[0]] == 3
    assert full.seen_before(digests, "nothing") == {}


def test_the_slowest_calls(full):
    """The spans that took longest come first; a wrapper of a call is none."""
    slow = llm(5, 1, "slow", end_ns=START + 60 * SECOND)
    wrapper = replace(slow, span_id=span_id(5999), end_ns=START + 99 * SECOND)
    full.add(Batch([replace(slow, parent_id=wrapper.span_id), wrapper]), NOW)
    found = full.slowest(Filter(), "llm", "gpt-4o", limit=2)
    assert found[0].session_id == "slow"
    assert found[0].span.span_id == slow.span_id
    assert len(found) == 2
    assert len(full.slowest(Filter(), "tool", "search")) == 4


def test_processes(full):
    """Processes are counted over sessions."""
    (seen,) = full.processes(Filter())
    assert (seen.process, seen.sessions) == (PROCESS, 4)
    assert seen.last_ns == max(row.last_ns for row in full.sessions(Filter()).rows)


def test_a_price_that_is_set_prices_what_is_there_and_what_comes(store):
    """Calls without a price get it, sessions too, and a new price replaces it; what has a price keeps it."""
    known = llm(1, 1)
    unknown = llm(1, 2, model="mine", cost=None, cost_source=None, price_table=None)
    half = llm(1, 3, model="mine", cost=None, usage=Usage(5, missing=frozenset({"output_tokens"})))
    store.add(Batch([root(), known, unknown, half]), NOW)
    assert store.session("session-1").unpriced_calls == 2
    assert store.set_price(Price("openai", "mine", 2.0, 10.0, set_ns=NOW)) == 1
    assert store.session("session-1").cost == pytest.approx(0.0025 + 0.003)
    assert store.session("session-1").unpriced_calls == 1
    later = llm(2, 1, model="mine", cost=None)
    store.add(Batch([later]), NOW)
    assert store.session("session-1").cost == pytest.approx(0.0025 + 0.003 + 0.003)
    assert store.set_price(Price("", "mine", 1.0, 5.0)) == 1
    assert store.session("session-1").cost == pytest.approx(0.0025 + 0.003 + 0.003), "the provider's own goes first"
    store.set_price(Price("openai", "mine", 1.0, 5.0, cache_read=0.0))
    assert store.session("session-1").cost == pytest.approx(0.0025 + 2 * 0.00125)
    assert [(price.provider, price.model) for price in store.prices()] == [("", "mine"), ("openai", "mine")]
    assert store.add(Batch([unknown, later]), NOW).known_spans == 2


def test_scores(store):
    """A score is the session's, whether it comes before or after its spans, and sorts the list."""
    early = Score(None, trace_id(1), None, "quality", NOW, 0.5, comment="fine")
    store.add(Batch(scores=[early]), NOW)
    assert store.sessions(Filter()).total == 0
    store.add(Batch([*session(1), *session(2), *session(3)]), NOW)
    late = Score("session-2", trace_id(2), None, "quality", NOW, 0.9)
    store.add(Batch(scores=[late, late]), NOW)
    assert store.session("session-1").scores == (early,)
    assert store.session("session-2").scores == (late,)
    by_score = store.sessions(Filter(), sort="score")
    assert [row.session_id for row in by_score.rows] == ["session-2", "session-1", "session-3"]


@pytest.mark.parametrize(
    "sort", ["started", "duration", "llm", "tools", "in", "cached", "out", "cost", "errors", "score"]
)
@pytest.mark.parametrize("descending", [True, False])
def test_every_sort_can_be_paged(store, sort, descending):
    """Pages by any column show each session once, forwards and back, also where many are equal."""
    for trace in range(1, 24):
        spans = [
            root(trace, f"s-{trace}", seconds=trace % 5 + 2),
            *(llm(trace, n, f"s-{trace}") for n in range(trace % 4)),
        ]
        if trace % 3 == 0:
            spans.append(tool(trace, 9, f"s-{trace}", failed=True))
        store.add(Batch(spans), NOW)
    whole = [row.session_id for row in store.sessions(Filter(), sort=sort, descending=descending, limit=100).rows]
    assert len(whole) == 23
    pages, cursor = [], None
    while True:
        page = store.sessions(Filter(), sort=sort, descending=descending, limit=5, cursor=cursor)
        pages.append(page)
        assert page.total == 23
        cursor = page.next
        if cursor is None:
            break
    assert [row.session_id for page in pages for row in page.rows] == whole
    assert pages[0].previous is None
    back = store.sessions(Filter(), sort=sort, descending=descending, limit=5, cursor=pages[2].previous)
    assert back.rows == pages[1].rows
    first = store.sessions(Filter(), sort=sort, descending=descending, limit=5, cursor=back.previous)
    assert first.rows == pages[0].rows
    assert first.previous is None


@pytest.mark.parametrize("cursor", ["x", "%%%", "bnVsbA", "W10", "WyJjb3N0Iix0cnVlLGZhbHNlLDFlOTk5OSwxXQ", "\ud800"])
def test_a_cursor_that_is_not_valid_is_the_first_page(full, cursor):
    """A cursor of another list or of nobody shows the first page."""
    assert full.sessions(Filter(), cursor=cursor).rows == full.sessions(Filter()).rows


def test_keys(store):
    """A key gives its project until it is revoked, and is stored as a hash only."""
    key = store.create_key("team", NOW)
    assert store.project_of_key(key) == "team"
    assert store.project_of_key(key[:-1]) is None
    assert store.project_of_key(key[:11] + "x" * 32) is None
    assert store.project_of_key("") is None
    assert store.project_of_key("ao_\ud800") is None
    (listed,) = store.keys()
    assert key.startswith(listed.key_id)
    assert store.projects() == ["team"]
    assert store.revoke_key(listed.key_id, NOW)
    assert not store.revoke_key(listed.key_id, NOW)
    assert store.project_of_key(key) is None
    assert store.keys()[0].revoked_ns == NOW
    store.close()
    assert key.encode() not in b"".join(path.read_bytes() for path in store._database.path.parent.iterdir())


def test_a_key_is_known_by_the_id_that_programs_make_of_it(store):
    """What a program calls its project leads to the project, until the key is revoked; nothing else does."""
    key = store.create_key("team", NOW)
    assert store.project_known_as(project_id(key)) == "team"
    assert store.project_known_as(project_id("ao_other")) is None
    assert store.project_known_as("") is None
    assert store.revoke_key(key[:11], NOW)
    assert store.project_known_as(project_id(key)) is None


def test_a_key_of_an_earlier_version_is_known_when_it_was_used(tmp_path):
    """Its id cannot be made of what is stored; whoever sends with it says the key."""
    with closing(SqliteStore(tmp_path / "a.db")) as store:
        key = store.create_key("team", NOW)
    with closing(sqlite3.connect(tmp_path / "a.db")) as connection, connection:
        connection.execute("UPDATE api_key SET known_as = NULL")
    with closing(SqliteStore(tmp_path / "a.db")) as store:
        assert store.project_known_as(project_id(key)) is None
        assert store.project_of_key(key) == "team"
        assert store.project_known_as(project_id(key)) == "team"
