"""The recorded sessions: what they are, and when."""

from __future__ import annotations

import gzip
import json
import re
from importlib.resources import files

import pytest

from agentops_otel.server.demo import load, recorded
from agentops_otel.server.store.sqlite import SqliteStore

NOW_NS = 1_790_000_000 * 10**9


@pytest.fixture
def store(tmp_path):
    store = SqliteStore(tmp_path / "sessions.db")
    yield store
    store.close()


def test_there_is_one_of_each_kind(store):
    """The newest runs, others succeeded, failed, recovered, died; several models and agents were at work."""
    rows = [store.session(each) for each in load(store, NOW_NS)]
    assert len(rows) > 10
    assert rows[0].state == "running"
    assert rows[0].open_spans > 0
    assert {row.state for row in rows} == {"running", "success", "fail", "indeterminate"}
    assert any(row.state == "success" and row.recovered_errors for row in rows)
    assert any(row.unpriced_calls for row in rows)
    assert len({use.model for row in rows for use in row.models}) >= 5
    assert len({row.name for row in rows}) >= 8
    assert rows[1].agents == 4


def test_they_are_moved_to_now(store):
    """The newest was heard of a few seconds ago; nothing is in the future, or older than eight days."""
    rows = [store.session(each) for each in load(store, NOW_NS)]
    assert 0 < NOW_NS - rows[0].last_ns < 10 * 10**9
    assert all(0 < NOW_NS - row.started_ns < 8 * 86_400 * 10**9 for row in rows)
    spans = [span for row in rows for span in store.spans(row.session_id)]
    assert all(span.start_ns < NOW_NS for span in spans)


def test_loading_them_again_changes_nothing(store):
    """Who loads them twice has them once, as they were."""
    first = load(store, NOW_NS)
    before = [store.session(each) for each in first]
    assert load(store, NOW_NS + 5 * 10**9) == first
    assert [store.session(each) for each in first] == before


def test_no_machine_is_named():
    """Paths, names and addresses of whoever recorded them are not in the file."""
    text = gzip.decompress(files("agentops_otel.server").joinpath("demo.json.gz").read_bytes()).decode()
    resources = [each["resource"]["attributes"] for each in json.loads(text)["resourceSpans"]]
    hosts = {item["value"]["stringValue"] for each in resources for item in each if item["key"] == "host.name"}
    assert hosts == {"kettle"}
    assert not re.findall(r"(?:/home|/root|/work|/tmp|/Users)/\w+", text)
    assert b"UnixNano" in recorded(NOW_NS)
