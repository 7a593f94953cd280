"""Many rows with one statement: the same as one row at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from sqlite3 import Connection, IntegrityError

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentops_otel.server.store import Batch, Checked, Filter
from agentops_otel.server.store.database import Database
from agentops_otel.server.store.many import find, insert

from .rows import START, llm, root, span_id, trace_id

NOW = START + 10**12


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    """A connection to an empty store."""
    database = Database(tmp_path_factory.mktemp("many") / "agentops.db")
    with closing(database.connect()) as found:
        yield found
    database.close()


@given(
    st.lists(st.tuples(st.integers(1, 3), st.integers(1, 40), st.integers(0, 5)), max_size=200),
)
@settings(deadline=None)
def test_rows_are_merged_as_one_by_one(connection, places):
    """However many rows come at once, and however often one of them, the first place of a content is kept."""
    rows = [(session, content, start, span_id(start), trace_id(1), "prompt") for session, content, start in places]
    connection.execute("DELETE FROM session_content")
    insert(connection, "link_content", rows)
    first: dict[tuple[int, int], int] = {}
    for session, content, start in places:
        first[session, content] = min(start, first.get((session, content), start))
    found = connection.execute("SELECT session, content, start_ns FROM session_content")
    assert {(session, content): start for session, content, start in found} == first


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 63, 64, 73, 128, 300])
def test_every_row_is_written_and_found(connection, count):
    """No row is lost at the edge of a statement, and one that is asked for and not there is left out."""
    connection.execute("DELETE FROM session")
    keys = [f"a\0{number}" for number in range(count)]
    insert(connection, "add_session", [(number, 1, key) for number, key in enumerate(keys, 1)])
    found = find(connection, "find_sessions", [*keys, "none"], 1)
    assert dict(found) == {key: number for number, key in enumerate(keys, 1)}
    assert list(find(connection, "find_sessions", keys, 2)) == []


def test_a_row_that_is_there_already_is_refused(connection):
    """A statement that fails says so, as it does for a single row."""
    connection.execute("DELETE FROM session")
    rows = [(number, 1, f"session-{number % 100}") for number in range(1, 129)]
    with pytest.raises(IntegrityError):
        insert(connection, "add_session", rows)


def test_many_sessions_in_a_batch_of_which_one_cannot_be_written_as_it_is(store):
    """What SQLite cannot hold in one session costs nothing of the 149 others that share its batch."""
    spans = []
    for number in range(1, 151):
        name = f"session-{number}"
        top = replace(
            root(number, name), tags=("\ud800",) if number == 70 else ("prod",), session_name=f"agent\0{number}"
        )
        spans += [top, llm(number, 2, name)]
    added = store.add(Batch(spans), NOW)
    assert (added.new_spans, len(added.sessions)) == (300, 150)
    rows = store.sessions(Filter(), limit=200).rows
    assert {row.session_id: (row.spans, row.llm_calls) for row in rows} == {
        f"session-{number}": (2, 1) for number in range(1, 151)
    }
    assert sum(row.tags == ("prod",) for row in rows) == 149
    assert store.check() == Checked(150)
    assert store.add(Batch(spans), NOW).known_spans == 300


def test_new_and_known_sessions_share_a_batch(store):
    """Spans for sessions that are there and for new ones, in one batch, leave the same rows as in two."""
    store.add(Batch([root(number, f"session-{number}") for number in range(1, 101)]), NOW)
    store.add(Batch([llm(number, 2, f"session-{number}") for number in range(50, 200)]), NOW)
    rows = {row.session_id: row.spans for row in store.sessions(Filter(), limit=300).rows}
    assert rows == {f"session-{number}": 2 if 50 <= number <= 100 else 1 for number in range(1, 200)}
    assert store.check() == Checked(199)
