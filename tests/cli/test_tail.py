"""`agentops-otel tail` at a box that tells what changes, goes away and comes back."""

from __future__ import annotations

import io
import json
import os
import select
import signal
import subprocess
import sys
import time

import pytest

from agentops_otel.cli.changes import Changes, events
from tests.backends.box import Box
from tests.fakes.plays import refund, refused_refund
from tests.fakes.sessions import SECOND, Run


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
    changes = Changes(box.url)
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
    changes = Changes("http://127.0.0.1:9")
    assert not changes.ready(30)
    assert changes.wait(0.01) is None


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
