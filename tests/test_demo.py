"""`make demo`: agents run, their session is in the box, and nothing is left running when it ends."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

from tests.fakes.program import ROOT

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
pytest.importorskip("openai")


@pytest.fixture
def demo(tmp_path):
    """Starts the demo in a folder of its own; gives the process."""
    started = []

    def demo(*arguments):
        environ = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        environ |= {"XDG_DATA_HOME": str(tmp_path / "data"), "XDG_STATE_HOME": str(tmp_path / "state")}
        environ |= {"PYTHONUTF8": "1", "DEMO_STORE": str(tmp_path / "demo.db")}
        before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # which a program that nohup has started ignores
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "tools" / "demo.py"), *arguments],
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        signal.signal(signal.SIGHUP, before)
        started.append(process)
        return process

    yield demo
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # with the box that it has started
        process.wait(20)
        process.stdout.close()
        process.stderr.close()


def _listens(address):
    host, port = address.removeprefix("http://").split(":")
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, int(port))) == 0


def test_it_shows_the_session_until_ctrl_c(demo):
    """The printed address opens the page of the session; Ctrl-C ends box and demo with exit code 0."""
    process = demo()
    said = "".join(iter(process.stdout.readline, "Ctrl-C ends it.\n"))
    session_id = re.search(r"^session (\S+)$", said, re.MULTILINE)[1]
    link = re.search(r"^  (http://\S+)$", said, re.MULTILINE)[1]
    address = link.partition("/s/")[0]
    assert link.startswith(f"{address}/s/{session_id}?token=")
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    with opener.open(link, timeout=20) as page:
        assert "SQLite or DuckDB?" in page.read().decode()
    with opener.open(f"{address}/sessions.json", timeout=20) as page:
        assert b"support_agent" in page.read()
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(f"{address}/sessions.json", timeout=20)
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0
    assert "Traceback" not in process.stderr.read()
    assert not _listens(address)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_no_box_stays_when_it_is_told_to_end(demo, number):
    """Also when its terminal is closed, or whoever has started it ends it."""
    process = demo()
    said = "".join(iter(process.stdout.readline, "Ctrl-C ends it.\n"))
    address = re.search(r"(http://\S+?)/s/\S+\?token=", said)[1]
    assert _listens(address)
    process.send_signal(number)
    assert process.wait(20) == 128 + number
    assert not _listens(address)


def test_it_prints_the_session_and_leaves(demo):
    """With `--once` the transcript is printed, and no box goes on running."""
    process = demo("--once")
    said, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert "Each of our ships stores 40 sensor readings a second" in said
    assert "✗ TimeoutError: the library did not answer for sqlite-wal within 0.5 s (recovered)" in said
    link = re.search(r"(http://127\.0\.0\.1:\d+)/s/", errors)
    assert not _listens(link[1])
