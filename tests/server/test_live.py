"""Server-sent events: what a live page is told, and what it gets after it was away."""

from __future__ import annotations

import http.client
import json
import time

import pytest

from agentops_otel.server import live
from tests.server.otlp_requests import TRACE, traces
from tests.server.running import TOKEN, RunningBox


@pytest.fixture
def box(tmp_path):
    with RunningBox(tmp_path) as box:
        yield box


class Page:
    """Reads the events of a box, one by one."""

    def __init__(self, box, last=None, accept_encoding="identity"):
        self._connection = http.client.HTTPConnection("127.0.0.1", box.port, timeout=20)
        headers = {"Accept-Encoding": accept_encoding} | ({} if last is None else {"Last-Event-ID": last})
        self._connection.request("GET", "/live", headers=headers)
        self.answer = self._connection.getresponse()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.answer.close()
        self._connection.close()

    def next(self, *kinds):
        """The next event of these kinds: its name, data and id."""
        while True:
            fields = {}
            while line := self.answer.fp.readline().decode().rstrip("\r\n"):
                name, _, value = line.partition(": ")
                fields[name] = value
                if name.startswith(":"):
                    fields["event"] = "heartbeat"
            chunk = fields.get("event")
            if chunk in kinds:
                return chunk, json.loads(fields.get("data", "{}")), fields.get("id")


def test_a_page_hears_of_a_session_that_has_changed(box):
    """The id of the session, soon after its spans were stored."""
    with Page(box) as page:
        assert page.answer.headers["content-type"].startswith("text/event-stream")
        assert page.next("hello")[1]["now_ms"] > 0
        box.post("/v1/traces", traces())
        assert page.next("sessions")[1]["ids"] == [TRACE]


def test_changes_of_one_moment_are_one_event(box):
    """Ten requests for one session are told once or twice, not ten times."""
    with Page(box) as page:
        page.next("hello")
        for number in range(1, 11):
            box.post("/v1/traces", traces(1, first=number))
        _, _, first = page.next("sessions")
        box.post("/v1/traces", traces(1, trace="ab" * 16))
        number = int(first.rpartition("-")[2])
        while (event := page.next("sessions"))[1]["ids"][-1] != "ab" * 16:
            pass
        assert int(event[2].rpartition("-")[2]) - number < 10


def test_a_page_that_waits_hears_what_was_received_and_refused(box):
    """For the page that is shown before the first span."""
    with Page(box) as page:
        page.next("hello")
        box.post("/v1/trace", traces())
        assert page.next("received")[1]["refused"] == 1
        box.post("/v1/traces", traces(3))
        assert page.next("received")[1]["spans"] == 3


def test_a_page_that_comes_back_gets_what_it_missed(box):
    """By the id of the last event that it has had."""
    with Page(box) as page:
        page.next("hello")
        box.post("/v1/traces", traces())
        _, _, last = page.next("sessions")
    with Page(box) as other:
        other.next("hello")
        box.post("/v1/traces", traces(1, trace="ab" * 16))
        other.next("sessions")
    with Page(box, last) as page:
        assert page.next("sessions", "refetch")[:2][0] == "sessions"


@pytest.mark.parametrize("last", ["other-1", "other", "-", "9", "x-99999999999999"])
def test_a_page_of_another_run_fetches_all(box, last):
    """The box was started anew meanwhile, or the id is not ours."""
    with Page(box, last) as page:
        assert page.next("sessions", "refetch")[0] == "refetch"


def test_a_page_that_was_away_for_too_long_fetches_all(box, monkeypatch):
    """What is no longer known cannot be told."""
    run = box.live._run
    box.live._number = 5000
    with Page(box, f"{run}-1") as page:
        assert page.next("sessions", "refetch")[0] == "refetch"


def test_a_silent_connection_is_kept_alive(tmp_path, monkeypatch):
    """A comment now and then."""
    monkeypatch.setattr(live, "_HEARTBEAT", 0.1)
    with RunningBox(tmp_path) as box, Page(box) as page:
        page.next("heartbeat")


def test_live_pages_do_not_keep_a_box_from_ending(tmp_path):
    """The end of the box ends them; the context manager waits for it."""
    with RunningBox(tmp_path) as box:
        page = Page(box)
        page.next("hello")
    with page:
        page.answer.fp.read()  # returns, as the connection has ended


def test_events_are_not_packed(box):
    """What is packed waits for more, and a page for it."""
    with Page(box, accept_encoding="gzip") as page:
        assert "content-encoding" not in page.answer.headers
        page.next("hello")


def test_live_pages_need_the_cookie(tmp_path):
    """They say which sessions there are."""
    with RunningBox(tmp_path, token=TOKEN) as box:
        assert box.get("/live").status == 401


def test_only_so_many_pages_are_live(box, monkeypatch):
    """A browser holds few; more are a mistake, and each costs a connection."""
    monkeypatch.setattr(live, "_MOST_PAGES", 1)
    with Page(box) as page:
        page.next("hello")
        until = time.monotonic() + 20
        while (answer := box.get("/live").status) == 200 and time.monotonic() < until:
            pass
        assert answer == 503
