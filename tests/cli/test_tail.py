"""`agentops-otel tail` at a box that tells what changes, goes away and comes back."""

from __future__ import annotations

import http.client
import http.server
import io
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing

import pytest

from agentops_otel.cli.changes import Changes, events
from agentops_otel.cli.source import is_own
from tests.backends.box import Box
from tests.fakes.plays import refund, refused_refund
from tests.fakes.sessions import SECOND, Run
from tests.server.running import TOKEN, RunningBox


@pytest.fixture
def box(tmp_path):
    """A running box."""
    started = Box(tmp_path / "box")
    started.folder.mkdir(mode=0o700)
    yield started.start()
    started.stop()


class Tail:
    """The command in a process of its own; what it prints is read line by line."""

    def __init__(self, folder, *arguments):
        environ = {**os.environ, "XDG_DATA_HOME": str(folder / "data")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "agentops_otel", "tail", "--json", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environ,
        )

    def until(self, event, session):
        """All that it prints up to an event of a session."""
        news = []
        wanted = {"event": event} if session is None else {"event": event, "session_id": session.session_id}
        while not news or not wanted.items() <= news[-1].items():
            line = self.process.stdout.readline()
            assert line, self.process.stderr.read()
            news.append(json.loads(line))
        return news

    def follows(self, box):
        """Send sessions until it shows one."""
        number = 0
        while not select.select([self.process.stdout], [], [], 0.5)[0]:
            number += 1
            assert number < 100
            box.post(refused_refund(ago(2000), f"follows {number}"))
        self.until("end", None)

    def end(self):
        """Ctrl-C; what it has said beside the spans."""
        self.process.send_signal(signal.SIGINT)
        out, err = self.process.communicate(timeout=20)
        assert self.process.returncode == 130
        return out, err


@pytest.fixture
def tail(tmp_path):
    """Starts the command, and ends it with the test."""
    started = []

    def start(*arguments):
        started.append(Tail(tmp_path, *arguments))
        return started[-1]

    yield start
    for each in started:
        each.process.kill()
        each.process.communicate()


def ago(seconds):
    return time.time_ns() - seconds * SECOND


def spans(news):
    return [(each["session_id"], each["id"]) for each in news if each["event"] == "span"]


def test_a_box_that_goes_away_is_waited_for(box, tail):
    """What arrives after its return is shown, nothing twice, and one line says that it was gone."""
    before, first, second = (refund(ago(seconds), str(seconds)) for seconds in (900, 600, 300))
    box.post(before)
    watched = tail("--url", box.url)
    watched.follows(box)
    box.post(first)
    news = watched.until("end", first)
    port = box.port
    box.stop()
    assert "is asked again until it answers" in watched.process.stderr.readline()
    box.start(port)
    box.post(second)
    news += watched.until("end", second)
    seen = {each["session_id"] for each in news}
    assert seen >= {first.session_id, second.session_id}
    assert before.session_id not in seen
    assert len(spans(news)) == len(set(spans(news))) > 4
    assert watched.end() == ("", "")


def test_errors_alone(box, tail):
    """Of a session that fails its failed spans and its end are shown, and nothing of one that ends well."""
    watched = tail("--url", box.url, "--errors")
    well, failed = Run("well", ago(600)), refused_refund(ago(300))
    well.llm("gpt-4.1", 1.0, answer="Yes.")
    well.end("Success")
    watched.follows(box)
    box.post(well, failed)
    news = watched.until("end", failed)
    assert well.session_id not in {each["session_id"] for each in news}
    assert all(each.get("fate") or each["event"] == "end" for each in news)
    assert spans(news)


def test_changes_are_told_by_their_ids(box):
    """Each change comes with the id of its session; after a lost connection all must be looked at."""
    changes = Changes(box.url, named=True)
    assert changes.ready(30)
    assert changes.wait(5) is None, "after a connection was made anything may have changed"
    first, second = refund(ago(600), "1"), refund(ago(300), "2")
    box.post(first, second)
    ids = set()
    while not ids >= {first.session_id, second.session_id}:
        ids |= set(changes.wait(30))
    port = box.port
    box.stop()
    while changes.wait(30) is not None:
        pass
    assert not changes.connected
    assert changes.wait(0.01) is None
    box.start(port)
    until = time.monotonic() + 30
    while not changes.connected and time.monotonic() < until:
        changes.wait(0.1)
    assert changes.connected


def test_there_is_no_box():
    """One is looked for again and again; until then all must be looked at."""
    changes = Changes("http://127.0.0.1:9", named=False)
    assert not changes.ready(30)
    assert changes.wait(0.01) is None


def test_a_box_of_this_user_is_followed_where_one_is_looked_for(tmp_path, monkeypatch):
    """It shows that it knows the token, and gets it."""
    monkeypatch.setenv("AGENTOPS_SERVER_TOKEN", TOKEN)
    with RunningBox(tmp_path, token=TOKEN) as box:
        assert is_own(box.address)
        changes = Changes(box.address, named=False)
        assert changes.ready(30)


@pytest.mark.parametrize("known", [None, "u" * 43])
def test_s2_who_else_listens_there_gets_no_token(tmp_path, monkeypatch, known):
    """Another user's box, and one that asks ours at another port what it is asked, are sent nothing."""
    monkeypatch.setenv("AGENTOPS_SERVER_TOKEN", TOKEN)
    with RunningBox(tmp_path, token=known) as other:
        assert not is_own(other.address)
        changes = Changes(other.address, named=False)
        assert changes.ready(30) == (known is None), "one that everybody may read is followed without a token"
    (tmp_path / "ours").mkdir(mode=0o700)
    with RunningBox(tmp_path / "ours", token=TOKEN) as ours, Relay(ours.port) as relay:
        assert not is_own(relay.url)
        assert not Changes(relay.url, named=False).ready(30)
        assert relay.asked
        assert not any(TOKEN.encode() in asked for asked in relay.asked)


class Relay:
    """Hands each request on to another port, and keeps what it was sent."""

    def __init__(self, port):
        self.asked = []
        relay = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                relay.asked.append(str(self.headers).encode())
                with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
                    connection.request("GET", self.path, headers={"accept": "application/json"})
                    answer = connection.getresponse()
                    body = answer.read(4096)
                self.send_response(answer.status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                """Keep the test's output clean."""

        self._http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def __enter__(self):
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._http.shutdown()
        self._http.server_close()


@pytest.mark.parametrize(
    ("stream", "found"),
    [
        ("event: a\nid: 1\ndata: x\n\n", [("a", "1", "x")]),
        ("retry: 1000\nevent: a\ndata: x\ndata: y\n\n:\n\ndata:z\n\n", [("a", "", "x\ny"), ("message", "", "z")]),
        (":\n\n:\n\n", []),
        ("event: a\r\ndata: \u00e9\r\n\r\n", [("a", "", "\u00e9")]),
        ("event: a\ndata: cut", []),
        ("", []),
    ],
)
def test_events_of_a_stream(stream, found):
    """As the standard says: fields, comments, several lines of data; what was cut off is no event."""
    assert list(events(io.BytesIO(stream.encode()))) == found
