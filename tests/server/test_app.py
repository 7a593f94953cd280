"""How pages and problems are answered, to people and to programs."""

from __future__ import annotations

import gzip
import json
import sqlite3
import urllib.request
from urllib.parse import quote

import pytest

from agentops_otel.server.gate import HEADERS
from agentops_otel.server.store.sqlite import SqliteStore
from tests.server.otlp_requests import TRACE, traces, traces_json
from tests.server.running import TOKEN, RunningBox


@pytest.fixture
def box(tmp_path):
    with RunningBox(tmp_path) as box:
        box.post("/v1/traces", traces())
        yield box


@pytest.mark.parametrize("path", ["/sessions.json", "/api/sessions", f"/s/{TRACE}.json", f"/api/s/{TRACE}"])
def test_a_page_is_json_too(box, path):
    """At two addresses, the same."""
    answer = box.get(path)
    assert answer.headers["content-type"] == "application/json"
    assert TRACE in answer.text
    assert json.loads(answer.body)


def test_a_page_that_is_not_there_says_where_to_go(box):
    """As a page for people, in plain text for curl, as JSON for programs."""
    assert "<h1>There is no page /nowhere" in box.get("/nowhere", accept="text/html").text
    assert box.get("/nowhere").text.startswith("There is no page /nowhere. Go to /")
    assert json.loads(box.get("/nowhere.json").body)["todo"]


@pytest.mark.parametrize("session_id", ["team/run 7?x#y", "a/../b", "é %2F"])
def test_a_session_is_found_under_any_id(box, session_id):
    """Other instrumentations take what they like for one."""
    attributes = [{"key": "session.id", "value": {"stringValue": session_id}}]
    assert box.post("/v1/traces", traces_json(trace="ab" * 16, attributes=attributes), "application/json").status == 200
    path = f"/s/{quote(session_id, safe='')}"
    assert json.loads(box.get(f"{path}.json").body)["row"]["session_id"] == session_id
    assert "<main" in box.get(path, accept="text/html").text


def test_a_filter_that_is_not_valid_says_which_are(box):
    """400, and what to write instead."""
    answer = box.get("/?state=great")
    assert answer.status == 400
    assert "running, success, fail" in answer.text


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (sqlite3.OperationalError("disk I/O error"), "The store cannot be read: disk I/O error"),
        pytest.param(
            ZeroDivisionError(), "could not be made", marks=pytest.mark.filterwarnings("ignore::pytest.PytestWarning")
        ),
    ],
)
def test_a_page_that_fails_says_so_under_the_same_policy(tmp_path, error, words):
    """What happened, what it means, what to do; and nothing of another site may run in it."""

    class Failing(SqliteStore):
        def sessions(self, *_, **__):
            raise error

        def figures(self, *_, **__):
            raise error

    with RunningBox(tmp_path, store=Failing(tmp_path / "sessions.db")) as box:
        answer = box.get("/", accept="text/html")
    assert answer.status == 500
    assert words in answer.text
    assert answer.headers["content-security-policy"] == HEADERS["content-security-policy"]


def test_who_is_not_let_in_sees_nothing_of_the_store(tmp_path):
    """Not even which projects there are."""
    with RunningBox(tmp_path, token=TOKEN) as box:
        box.store.create_key("secret-project", 0)
        box.store.create_key("other-project", 0)
        answer = box.get("/", accept="text/html")
    assert answer.status == 401
    assert "Let me in" in answer.text
    assert "project" not in answer.text


def test_pages_are_packed_for_a_browser(box):
    """A long page is mostly repetition."""
    with urllib.request.urlopen(
        urllib.request.Request(f"{box.address}/", headers={"Accept-Encoding": "gzip"}), timeout=20
    ) as answer:
        assert answer.headers["content-encoding"] == "gzip"
        assert b"<main" in gzip.decompress(answer.read())


def test_files_are_kept_for_good_under_the_name_of_their_content(box):
    """Another version has another address."""
    page = box.get("/", accept="text/html").text
    path = page.partition('<link rel="stylesheet" href="')[2].partition('"')[0]
    answer = box.get(path)
    assert answer.status == 200
    assert "immutable" in answer.headers["cache-control"]
    assert box.get(path.replace(path.split("/")[2], "old")).headers["cache-control"] == "no-cache"
