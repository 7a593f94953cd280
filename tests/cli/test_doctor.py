"""`agentops-otel doctor`: what it finds is so, and it says what to do."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from email.utils import formatdate

import pytest

from agentops_otel import cli
from agentops_otel.cli.doctor import _start_there
from tests.fakes import fault_server
from tests.fakes.fault_server import FaultServer
from tests.fakes.program import ROOT

openai = pytest.importorskip("openai")


@pytest.fixture
def server(monkeypatch):
    with FaultServer() as server:
        monkeypatch.setenv("AGENTOPS_ENDPOINT", server.url)
        yield server


@pytest.fixture
def doctor(capsys):
    """Runs it; returns the exit code, and the findings by name."""

    def doctor(*options):
        code = cli.main(["doctor", "--json", *options])
        findings = {}
        for each in json.loads(capsys.readouterr().out):
            findings.setdefault(each["name"], []).append((each["state"], each["text"]))
        return code, findings

    return doctor


def test_all_is_well(server, doctor):
    """The test span was acknowledged and is there, openai is recorded, prices and journal are fine."""
    code, found = doctor()
    assert code == 0
    assert {span.name for span in server.spans()} == {"agentops-otel doctor"}
    [(state, text)] = found["endpoint"]
    assert state == "ok"
    assert text.startswith(f"{server.url}/v1/traces acknowledged a test span in ")
    [(state, text)] = found["openai"]
    assert (state, text.partition(" ")[0]) == ("ok", f"{openai.__version__}:")
    assert found["prices"][0][0] == found["journal"][0][0] == found["versions"][0][0] == "ok"


def test_nothing_listens(closed, doctor, monkeypatch):
    """The reason is told, and what would help; the exit code says that something does not work."""
    monkeypatch.setenv("AGENTOPS_ENDPOINT", closed)
    code, found = doctor()
    [(state, text)] = found["endpoint"]
    assert (code, state) == (1, "failure")
    assert "nothing listens at" in text
    port = closed.rpartition(":")[2]
    assert text.endswith(f"start a box there: agentops-otel up --port {port}")


@pytest.mark.parametrize(
    ("place", "protocol", "command"),
    [
        ("http://localhost:4318/v1/traces", "http/protobuf", "agentops-otel up"),
        ("http://[::1]:4317", "http/protobuf", "agentops-otel up --port 4317"),
        ("http://127.0.0.1", "http/protobuf", "agentops-otel up --port 80"),
        ("http://127.0.0.1:4317", "grpc", "agentops-otel up"),
        ("http://127.0.0.1:4318", "grpc", "agentops-otel up --grpc-port 4318"),
        ("https://127.0.0.1:4318", "http/protobuf", ""),
        ("http://collector:4318", "http/protobuf", ""),
    ],
)
def test_how_a_box_starts_there(place, protocol, command):
    """The command starts one at this very address; there is none where a box of this machine does not listen."""
    assert _start_there(place, protocol).removeprefix("; start a box there: ") == command


def test_a_backend_that_refuses(server, doctor):
    """Its answer is told, and nothing is called acknowledged."""
    server.mode = fault_server.status(401)
    code, found = doctor()
    assert (code, found["endpoint"][0][0]) == (1, "failure")
    assert "401" in found["endpoint"][0][1]


def test_nothing_is_sent_when_asked_so(server, doctor):
    """`--no-send` looks at everything else."""
    code, found = doctor("--no-send")
    assert (code, server.requests) == (0, [])
    assert found["endpoint"] == [("note", f"{server.url}/v1/traces, not asked")]


@pytest.mark.parametrize(
    ("variable", "value", "name", "state", "text"),
    [
        ("AGENTOPS_INSTRUMENT_LLM_CALLS", "false", "openai", "warning", "AGENTOPS_INSTRUMENT_LLM_CALLS is false"),
        ("OTEL_SDK_DISABLED", "true", "settings", "failure", "OTEL_SDK_DISABLED switches everything off"),
        ("AGENTOPS_JOURNAL", "off", "journal", "warning", "what is not sent is lost with the process"),
    ],
)
def test_a_setting_that_stands_in_the_way(server, doctor, monkeypatch, variable, value, name, state, text):
    """What a variable switches off is named with the variable."""
    monkeypatch.setenv(variable, value)
    _, found = doctor()
    assert any(each == state and text in said for each, said in found[name])


def test_a_setting_that_is_not_valid(tmp_path):
    """A variable that is ignored is told; what holds instead is looked at."""
    done = subprocess.run(
        [sys.executable, "-m", "agentops_otel", "doctor", "--no-send", "--json"],
        env={"PYTHONPATH": str(ROOT / "src"), "AGENTOPS_ENDPOINT": "collector", "XDG_STATE_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    found = [(each["name"], each["state"], each["text"]) for each in json.loads(done.stdout)]
    assert ("settings", "warning", "not valid, and ignored: AGENTOPS_ENDPOINT") in found
    assert ("endpoint", "note", "http://localhost:4318/v1/traces, not asked") in found
    assert "AGENTOPS_ENDPOINT='collector' is ignored: expected a URL" in done.stderr


def test_what_is_left_in_the_journal(server, killed, doctor):
    """Spans that wait are counted, with the command that sends them."""
    server.mode = fault_server.status(503)
    killed(server.url)
    server.mode = fault_server.ok
    _, found = doctor()
    [(state, text)] = found["journal"]
    assert state == "warning"
    assert text.endswith("agentops-otel flush")


def test_the_patches_are_taken_back(server, doctor):
    """Looking leaves the SDK as it was."""
    before = openai.OpenAI.request
    doctor()
    assert openai.OpenAI.request is before


def test_a_clock_that_is_wrong(monkeypatch):
    """An hour's difference is a warning; seconds are none."""
    import http.server
    import threading

    from agentops_otel.cli.doctor import _clock

    class Handler(http.server.BaseHTTPRequestHandler):
        off = 0.0

        def do_HEAD(self):
            self.send_response_only(404)
            self.send_header("Date", formatdate(time.time() + Handler.off, usegmt=True))
            self.end_headers()

        def log_message(self, *_):
            pass

    class Transport:
        name = ""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        Transport.name = f"http://127.0.0.1:{server.server_port}/v1/traces"
        states = []
        for Handler.off in (0.0, 3600.0, -3600.0):
            states += [finding.state for finding in _clock(Transport())]
        server.shutdown()
    assert states == ["ok", "warning", "warning"]
