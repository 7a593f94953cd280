"""A box as a process: how it starts, who it finds at its port, what it takes from journals, how it ends."""

from __future__ import annotations

import http.server
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import closing

import pytest

from agentops_otel.server.neighbour import neighbour
from agentops_otel.server.query import where
from agentops_otel.server.serve import listen
from agentops_otel.server.store.sqlite import SqliteStore
from tests.backends.server import free_ports
from tests.server.running import TOKEN, RunningBox

AGENT = """
import sys
import agentops_otel as agentops
agentops.init(endpoint=sys.argv[1], auto_start_session=False)
agentops.start_session()
agentops.action(lambda: None)()
print(agentops.current_session().session_id)
agentops.end_session("Success")
"""


class Program:
    """`python -m agentops_otel.server`."""

    def __init__(self, folder, *arguments, port=0, **environment):
        self.environment = {**os.environ, "XDG_DATA_HOME": str(folder), "XDG_STATE_HOME": str(folder), **environment}
        command = [sys.executable, "-m", "agentops_otel.server", "--port", str(port), "--grpc-port", "0", *arguments]
        self.process = subprocess.Popen(
            command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.url = self.process.stdout.readline().strip()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def end(self, by=signal.SIGINT):
        """Exit code and what it has printed."""
        if self.process.poll() is None:
            self.process.send_signal(by)
        output, errors = self.process.communicate(timeout=30)
        return self.process.returncode, output + errors

    def json(self, path):
        """A page."""
        with urllib.request.urlopen(self.url + path, timeout=20) as answer:
            return json.load(answer)


@pytest.fixture
def free_port():
    return free_ports(1)[0]


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM], ids=lambda each: each.name)
def test_it_ends_without_a_word(tmp_path, by):
    """Ctrl-C and SIGTERM are no errors."""
    with Program(tmp_path, "--no-auth") as box:
        box.json("/sessions.json")
        assert box.end(by) == (0, "")


def test_it_says_that_it_is_running_already(tmp_path, free_port):
    """Who starts a second one finds the first."""
    with Program(tmp_path, "--no-auth", port=free_port), Program(tmp_path, "--no-auth", port=free_port) as second:
        assert second.process.wait(30) == 1
        assert f"is running already at http://127.0.0.1:{free_port}" in second.url


@pytest.mark.parametrize("taken", [True, False])
def test_why_grpc_is_not_served_is_told(tmp_path, free_port, taken):
    """Its port is taken, which the page of the box says too; else nothing is missing."""
    pytest.importorskip("grpc")
    held = listen("127.0.0.1", free_port if taken else 0)
    try:
        with Program(tmp_path, "--no-auth", "--grpc-port", str(free_port)) as box:
            system = box.json("/system.json")
    finally:
        held[0].close()
    why = f"port {free_port} is taken; --grpc-port sets another one"
    assert (system["grpc_missing"], bool(system["grpc_endpoint"])) == ((why, False) if taken else ("", True))


def test_it_answers_on_both_loopback_addresses(tmp_path):
    """A program may take localhost for either."""
    with RunningBox(tmp_path) as box, socket.create_connection(("::1", box.port), timeout=20) as raw:
        raw.sendall(b"GET /.well-known/agentops-otel HTTP/1.1\r\nHost: [::1]:1\r\n\r\n")
        assert raw.recv(100).startswith(b"HTTP/1.1 200")


def test_a_box_at_the_port_is_told_by_its_name(tmp_path):
    """Its version and address are known."""
    with RunningBox(tmp_path, token=TOKEN) as box:
        found = neighbour("127.0.0.1", box.port)
    assert found.kind == "box"
    assert found.address == box.address


@pytest.mark.parametrize(("media_type", "kind"), [("application/x-protobuf", "otlp"), ("text/html", "other")])
def test_another_server_at_the_port_is_told_apart(media_type, kind):
    """An OTLP receiver answers an empty request as such; anything else does not."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.send_response(200)
            self.send_header("content-type", media_type)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        found = neighbour("127.0.0.1", server.server_port)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert found.kind == kind
    assert "--port" in found.advice(4318)


def test_something_that_says_nothing_is_another_program():
    """It is asked for a second or two."""
    silent = listen("127.0.0.1", 0)[0]
    try:
        assert neighbour("127.0.0.1", silent.getsockname()[1]).kind == "other"
    finally:
        silent.close()


def test_an_agent_that_ran_before_appears_by_itself(tmp_path, free_port):
    """Its journal is taken at the start; and of one that runs later, its spans."""
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path), "AGENTOPS_API_KEY": ""}
    command = [sys.executable, "-c", AGENT, f"http://localhost:{free_port}"]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    session_id = ran.stdout.split()[-1]
    with Program(tmp_path, "--no-auth", port=free_port) as box:
        for _ in range(200):
            rows = box.json("/sessions.json")["sessions"]
            if rows and rows[0]["state"] != "running":
                break
            threading.Event().wait(0.05)
        assert [row["session_id"] for row in rows] == [session_id]
        assert rows[0]["state"] == "success"


def _journaled(folder, port, key):
    """The id of a session that an agent with this key has left in its journal."""
    environment = {**os.environ, "XDG_STATE_HOME": str(folder), "AGENTOPS_API_KEY": key}
    command = [sys.executable, "-c", AGENT, f"http://localhost:{port}"]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    return ran.stdout.split()[-1]


def test_what_was_kept_for_a_key_of_the_box_is_in_its_project(tmp_path, free_port):
    """An agent of a project that ran before appears in the project; that of an unknown or a revoked key stays kept."""
    path = tmp_path / "agentops-otel" / "sessions.db"
    path.parent.mkdir(mode=0o700)
    with closing(SqliteStore(path)) as store:
        ours, revoked = (store.create_key(name, time.time_ns()) for name in ("shop", "gone"))
        other = store.create_key("back", time.time_ns())
        store.revoke_key(revoked[:11], time.time_ns())
    shop, back = (_journaled(tmp_path, free_port, key) for key in (ours, other))
    for key in (revoked, "ao_of-another-box", "key-of-a-service"):
        _journaled(tmp_path, free_port, key)
    keyless = _journaled(tmp_path, free_port, "")
    with Program(tmp_path, "--no-auth", port=free_port, AGENTOPS_API_KEY="") as box:
        for _ in range(400):
            rows = box.json("/sessions.json")["sessions"]
            if len(rows) >= 3:
                break
            threading.Event().wait(0.05)
        assert {row["session_id"] for row in rows} == {shop, back, keyless}
        found = {row["session_id"] for row in box.json("/sessions.json?project=shop")["sessions"]}
        assert found == {shop}
        assert {row["session_id"] for row in box.json("/sessions.json?project=default")["sessions"]} == {keyless}
        assert len(box.json("/system.json")["keys"]) == 3, "the box itself sends with none that is stored"


def test_the_summary_of_a_session_links_to_its_page(tmp_path):
    """The box that has taken the spans says where it is; no other link is shown."""
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path), "AGENTOPS_API_KEY": ""}
    with RunningBox(tmp_path) as box:
        command = [sys.executable, "-c", AGENT, f"http://localhost:{box.port}"]
        ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
        session_id = ran.stdout.split()[-1]
        assert f"{box.address}/s/{session_id}" in ran.stderr
        assert box.get(f"/s/{session_id}.json").status == 200


RUNNING = """
import sys
import agentops_otel as agentops
agentops.init(endpoint=sys.argv[1], auto_start_session=False)
agentops.start_session()
agentops.action(lambda: None)()
agentops.action(input)()
agentops.end_session("Success")
"""


def test_a_session_is_seen_while_it_runs(tmp_path):
    """The span that has ended, and the one that is open and known from a heartbeat; then the end of both."""
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path), "AGENTOPS_API_KEY": ""}
    with RunningBox(tmp_path) as box:
        agent = subprocess.Popen(
            [sys.executable, "-c", RUNNING, f"http://localhost:{box.port}"],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            row = box.wait_until(lambda rows: [row for row in rows if row.open_spans and row.spans > row.open_spans])
            assert row.state == "running"
        finally:
            agent.communicate(b"\n", timeout=60)
        row = box.wait_until(lambda rows: [row for row in rows if row.ended])
        assert (row.state, row.open_spans, row.spans) == ("success", 0, 3)


@pytest.mark.parametrize(
    ("since", "seconds"), [("30m", 1800), ("24h", 86_400), ("7d", 604_800), ("1w", 604_800), ("45s", 45)]
)
def test_a_time_ago_is_counted_from_now(since, seconds):
    """As people write it."""
    now = 1_796_000_000_000_000_000
    assert where({"since": [since]}, now).since_ns == now - seconds * 1_000_000_000
