"""S8: whatever is asked for is a value and never SQL, and the store finds what a filter in Python finds."""

from __future__ import annotations

import re
from contextlib import closing
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentops_otel.rows import SessionRow
from agentops_otel.server.store import Batch, Filter
from agentops_otel.server.store.sqlite import SqliteStore
from tests.server.store.rows import PROCESS, SECOND, START, llm, root, text, tool, trace_id

NOW = START + 3600 * SECOND
HOSTILE = [
    "' OR 1=1 --",
    '"; DROP TABLE span; --',
    "%_\\",
    "a\0b",
    "\0",
    "randomblob(1000000000)",
    "NEAR(a b)",
    "text:x OR *",
    '"unbalanced',
    "^-+(){}[]:",
    "\ud800",
    "ﬀ İ ß é",
    "\u202eevil",
    "'",
    "[1,2]",
    "{}",
]
TEXTS = [*HOSTILE, "prod", "dev", "zebra", "quick fox", "", "session-1", "TimeoutError", "gpt-4o"]
QUERIES = ["SELECT * FROM span", "SELECT * FROM session", "SELECT * FROM content", "SELECT * FROM sqlite_schema"]


def _word(number: int) -> str:
    return TEXTS[number % len(TEXTS)]


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """Sessions whose every text is hostile."""
    with closing(SqliteStore(tmp_path_factory.mktemp("store") / "a.db")) as store:
        for number in range(1, 31):
            name, word = f"session-{number}", _word(number)
            process = replace(PROCESS, host=word)
            call = llm(number, 1, name, model=_word(number * 7), label=_word(number * 7), tags=())
            body = replace(call.body, system=(), input=(text("user", word),), output=(text("assistant", "the answer"),))
            failed = replace(
                tool(number, 2, name, failed=number % 3 == 0),
                label=_word(number * 5),
                error_type=_word(number * 3) if number % 3 == 0 else None,
            )
            spans = [
                root(number, name, tags=(word, "all"), session_name=_word(number * 11), process=process),
                replace(call, body=body, process=process),
                replace(failed, process=process),
            ]
            store.add(Batch(spans, project="one" if number % 2 else word or "two"), NOW)
        yield store


class Rows(list[tuple[str, SessionRow]]):
    """Every session with its project."""

    def __repr__(self) -> str:
        return f"{len(self)} sessions"  # what Hypothesis prints with each example


@pytest.fixture(scope="module")
def rows(full) -> Rows:
    """Every session of the store."""
    return Rows(
        (project, full.session(row.session_id, project))
        for project in full.projects()
        for row in full.sessions(Filter(project=project), limit=1000).rows
    )


def _clean(value: str) -> str:
    return value.encode("utf-8", "replace").decode()


def _words(value: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", value.lower())


def _all_in(wanted: set[str], found: list[str]) -> bool:
    return all(any(word.startswith(each) if len(each) > 2 else word == each for word in found) for each in wanted)


def holds(where: Filter, project: str, row: SessionRow) -> bool:
    """The filter without text, in Python."""

    def any_of(wanted, values) -> bool:
        return not wanted or bool({_clean(each) for each in wanted} & set(values))

    fates = where.fates or ("fatal", "recovered", "open")
    wanted = {_clean(each) for each in where.errors}
    errors = [use for use in row.errors if not wanted or {use.type, use.fingerprint} & wanted]
    return (
        (where.project is None or _clean(where.project) == project)
        and (where.since_ns is None or row.started_ns >= where.since_ns)
        and (where.until_ns is None or row.started_ns < where.until_ns)
        and any_of(where.states, [row.state])
        and any_of(where.tags, row.tags)
        and any_of(where.agents, row.agent_names)
        and any_of(where.models, [use.model for use in row.models])
        and any_of(where.tools, [use.tool for use in row.tools])
        and any_of(where.hosts, filter(None, [process.host for process in row.processes]))
        and (not (where.errors or where.fates) or any(use.fate in fates for use in errors))
    )


def _some(values) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(values) | st.text(max_size=20), max_size=3).map(tuple)


times = st.none() | st.integers(-5, 35).map(lambda each: START + each * SECOND) | st.sampled_from([-(2**70), 2**70])
filters = st.builds(
    Filter,
    states=st.lists(st.sampled_from(["success", "fail", "running", "' OR 1"]), max_size=2).map(tuple),
    tags=_some(TEXTS),
    models=_some(TEXTS),
    agents=st.just(()),
    tools=_some(TEXTS),
    errors=_some(TEXTS),
    fates=st.lists(st.sampled_from(["fatal", "recovered", "open", "x"]), max_size=2).map(tuple),
    hosts=_some(TEXTS),
    since_ns=times,
    until_ns=times,
    project=st.none() | st.sampled_from([*TEXTS, "one", "two"]),
)
fewer = st.tuples(
    filters, st.sets(st.sampled_from(["tags", "models", "tools", "errors", "hosts", "fates", "states"]))
).map(lambda pair: replace(pair[0], **dict.fromkeys(pair[1], ())))


@given(where=fewer)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_s8_the_store_finds_what_a_filter_in_python_finds(full, rows, where):
    """Every filter finds the same sessions in SQL and in Python, and every question takes every filter."""
    expected = {(project, row.session_id) for project, row in rows if holds(where, project, row)}
    listed = full.sessions(where, limit=1000)
    assert listed.total == len(listed.rows) == len(expected)
    assert {row.session_id for row in listed.rows} == {session_id for _, session_id in expected}
    assert full.figures(where).sessions == len(expected)
    assert sum(facet.sessions for facet in full.facets(where).states) == len(expected)


@pytest.mark.parametrize("hostile", [*HOSTILE, "x" * 1_000_000, "a b " * 100_000], ids=lambda text: repr(text[:20]))
def test_s8_hostile_text_is_only_text(full, hostile):
    """Every question takes every text in every place, and nothing is changed by it."""
    before = [full.sql(query).rows for query in QUERIES]
    every = ("text", "project")
    lists = ("states", "tags", "models", "agents", "tools", "errors", "fates", "hosts")
    for where in [Filter(**{name: hostile}) for name in every] + [Filter(**{name: (hostile,)}) for name in lists]:
        full.sessions(where)
        full.figures(where)
        full.facets(where)
        full.costs(where, by="tag", hours=5)
        full.tools(where)
        full.errors(where)
        full.search(hostile, where)
        full.neighbours("session-1", where)
        full.slowest(where, "tool", hostile)
        full.processes(where)
        full.figures_over_time(where, [START, NOW])
    full.session(hostile)
    full.session(hostile, hostile)
    full.spans(hostile)
    full.span("session-1", hostile)
    full.project_of_key("ao_" + hostile)
    full.seen_before([hostile], hostile)
    assert [full.sql(query).rows for query in QUERIES] == before


@given(
    query=st.lists(
        st.sampled_from(["zebra", "zeb", "quick", "fo", "question", "answ", "the", "th", "or"]), max_size=3
    ).map(" ".join)
)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_s8_words_find_the_texts_in_which_all_of_them_stand(full, rows, query):
    """A session is found by the words of one of its texts, in any order, and by a part of its name."""
    expected = set()
    for project, row in rows:
        texts = []
        for span in full.spans(row.session_id, bodies=True, project=project):
            said = [*span.body.input, *span.body.output]
            texts += [part["content"] for message in said for part in message.parts]
            texts += [span.body.arguments or "", span.body.result or "", f"{span.error_type} {span.error_message}"]
        wanted = set(_words(query))
        if not query or any(_all_in(wanted, _words(each)) for each in texts) or query.lower() in row.name.lower():
            expected.add(row.session_id)
    assert {row.session_id for row in full.sessions(Filter(text=query), limit=1000).rows} == expected


def test_the_beginning_of_an_id_finds_a_session(full):
    """What is typed into the search field may be the beginning of a session or trace id."""
    assert {row.session_id for row in full.sessions(Filter(text="session-3")).rows} == {"session-3", "session-30"}
    assert [row.session_id for row in full.sessions(Filter(text=trace_id(7))).rows] == ["session-7"]


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM span",
        "UPDATE session SET cost = 0",
        "INSERT INTO project (name) VALUES ('x')",
        "DROP TABLE span",
        "CREATE TABLE x (y)",
        "CREATE TEMP TABLE x (y)",
        "ATTACH '/tmp/agentops-attached.db' AS other",
        "PRAGMA query_only = OFF",
        "PRAGMA journal_mode = DELETE",
        "VACUUM INTO '/tmp/agentops-vacuumed.db'",
        "SELECT load_extension('x')",
        "SELECT length(randomblob(1000000000))",
        "SELECT * FROM api_key",
        "SELECT hash FROM (SELECT * FROM api_key)",
        "SELECT 1; SELECT 2",
        "BEGIN IMMEDIATE",
        "no sql",
        "SELECT '\ud800'",
        "SELECT 1 \0",
        "INSERT INTO text_index (text_index) VALUES ('delete-all')",
    ],
)
def test_s8_free_sql_reads_only(full, query):
    """A query that would change something, read keys or leave the file is refused with a reason."""
    before = [full.sql(each).rows for each in QUERIES]
    with pytest.raises(ValueError) as refused:
        full.sql(query)
    assert str(refused.value)
    assert [full.sql(each).rows for each in QUERIES] == before


def test_s8_free_sql_is_ended(full):
    """A query that takes too long is ended, and a long answer is cut."""
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    with pytest.raises(ValueError, match=r"longer than 0\.2 s"):
        full.sql(endless, seconds=0.2)
    table = full.sql("SELECT span_id, kind FROM span", limit=5)
    assert table.columns == ("span_id", "kind")
    assert len(table.rows) == 5
    assert table.more
    assert full.sql("SELECT count(*) FROM text_index WHERE text_index MATCH 'zebra'").rows[0][0] > 0
