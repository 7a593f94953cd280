"""The commands over a store and over a running box: the same figures, for people, for programs, and as JSON."""

from __future__ import annotations

import contextlib
import gzip
import http.server
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from agentops_otel import cli
from agentops_otel.cli import source
from agentops_otel.cli.show import page_of
from agentops_otel.cli.source import Source
from agentops_otel.rows import Process, SpanRow
from agentops_otel.server.store import Batch
from agentops_otel.server.store.sqlite import SqliteStore
from tests.fakes.program import ROOT

FIELDS = {
    *("session_id", "trace_id", "name", "state", "reason", "start", "duration", "llm_calls", "tool_calls"),
    *("input_tokens", "output_tokens", "cache_read_tokens", "cost", "errors", "recovered_errors", "tags"),
}


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A user's folder of its own."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    for name in ("AGENTOPS_SERVER_TOKEN", "AGENTOPS_API_KEY", "AGENTOPS_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "data" / "agentops-otel"


@pytest.fixture
def run(capsys):
    """Runs a command; returns its exit code, and what it printed."""

    def run(*arguments):
        code = cli.main(list(arguments))
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


@pytest.fixture
def demo(run):
    """The recorded sessions are in the store."""
    assert run("demo")[0] == 0


@pytest.fixture
def box(tmp_path):
    """A running box, with a store of its own; the value is its address."""
    with _running(tmp_path) as address:
        yield address


@contextlib.contextmanager
def _running(tmp_path, *arguments, **variables):
    command = [sys.executable, "-m", "agentops_otel", "up", "--port=0", "--grpc-port=off", f"--db={tmp_path}/box.db"]
    environ = _environ(tmp_path, **variables)
    with subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, text=True, env=environ) as process:
        try:
            lines = [process.stdout.readline() for _ in range(5)]
            assert lines[-1] == "Ctrl-C ends it.\n", lines
            yield re.search(r"(http://127\.0\.0\.1:\d+) \(HTTP\)", "".join(lines))[1]
        finally:
            process.terminate()
            process.wait(10)


def _environ(tmp_path, **variables):
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return {**kept, "XDG_DATA_HOME": str(tmp_path / "data"), "XDG_STATE_HOME": str(tmp_path / "state"), **variables}


def _json(run, *arguments):
    code, out, err = run(*arguments, "--json")
    assert code == 0, err
    return json.loads(out)


def test_commands_read_the_store_of_the_box_that_runs(run, box, tmp_path, monkeypatch):
    """A box at the usual address with a store of its own is what the commands are about; --db says another."""
    assert run("demo", "--url", box)[0] == 0
    assert run("sessions")[0] == 1  # nothing runs at the usual address, and this user has no store
    monkeypatch.setattr(source, "DEFAULT_URL", box)
    newest = _json(run, "sessions")[0]["session_id"]
    assert _json(run, "show", newest)["session"]["session_id"] == newest
    assert _json(run, "sql", "SELECT count(*) AS sessions FROM session") == [{"sessions": 18}]
    assert _json(run, "db", "stats")["path"] == str(tmp_path / "box.db")
    assert run("show", newest, "--db", str(tmp_path / "other.db"))[0] == 1


def test_a_box_of_another_user_is_not_asked(run, box, demo, monkeypatch):
    """What answers at the usual address without our token is left alone: the store of this user is read."""
    monkeypatch.setattr(source, "DEFAULT_URL", box)
    monkeypatch.setenv("AGENTOPS_SERVER_TOKEN", "not the token of that box")
    assert len(_json(run, "sessions")) == 18


def test_sessions_as_json(run, demo):
    """Each session has the documented fields, the newest first."""
    rows = _json(run, "sessions")
    assert len(rows) == 18
    assert all(set(row) == FIELDS for row in rows)
    assert [row["start"] for row in rows] == sorted((row["start"] for row in rows), reverse=True)


def test_sessions_for_programs(run, demo):
    """Where no person reads, there is a line of names, then tab-separated values that are exact."""
    code, out, _ = run("sessions", "--limit", "3")
    names, *rows = [line.split("\t") for line in out.splitlines()]
    assert code == 0
    assert set(names) == FIELDS
    assert len(rows) == 3
    assert {len(row) for row in rows} == {len(names)}


@pytest.mark.parametrize(
    ("options", "holds"),
    [
        (["--state", "fail"], lambda row: row["state"] == "fail"),
        (["--tag", "ci"], lambda row: "ci" in row["tags"]),
        (["--tag", "ci", "--tag", "offline"], lambda row: {"ci", "offline"} & set(row["tags"])),
        (["--model", "qwen3-8b"], lambda row: row["name"] == "translator"),
        (["--since", "2h"], lambda row: row["start"] > time.strftime("%Y-%m-%d", time.gmtime(time.time() - 9_000))),
        (["-q", "teapot"], lambda row: row["name"] in ("support_agent", "morning_digest", "catalog_import")),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_sessions_are_filtered(run, demo, options, holds):
    """A filter leaves some, and only those for which it holds."""
    rows = _json(run, "sessions", *options)
    assert 0 < len(rows) < 18
    assert all(holds(row) for row in rows)


def test_sessions_are_sorted(run, demo):
    """The most expensive first; those without a price last."""
    costs = [row["cost"] for row in _json(run, "sessions", "--sort", "cost")]
    priced = [cost for cost in costs if cost is not None]
    assert priced == sorted(priced, reverse=True)
    assert len(_json(run, "sessions", "--sort", "cost", "--limit", "2")) == 2


def test_a_filter_that_is_not_valid(run, demo):
    """A wrong time says what a right one looks like."""
    code, out, err = run("sessions", "--since", "soon")
    assert (code, out) == (1, "")
    assert "since=soon is not a time. Use one such as 30m" in err


def test_the_sums_agree(run, demo):
    """The list, the costs by model and by day, and SQL say one number."""
    of_list = sum(row["cost"] or 0 for row in _json(run, "sessions"))
    by_model, by_day = _json(run, "costs"), _json(run, "costs", "--by", "day")
    assert by_model["total"]["cost"] == pytest.approx(of_list)
    assert sum(row["cost"] or 0 for row in by_model["rows"]) == pytest.approx(of_list)
    assert sum(row["cost"] or 0 for row in by_day["rows"]) == pytest.approx(of_list)
    [row] = _json(run, "sql", "SELECT sum(cost) AS cost FROM session")
    assert row["cost"] == pytest.approx(of_list)


@pytest.mark.parametrize("name", ["0", "last", "beginning"])
def test_one_session(run, demo, name):
    """By its id, by its beginning, or the last one."""
    newest = _json(run, "sessions", "--limit", "1")[0]
    key = {"0": newest["session_id"], "last": "last", "beginning": newest["session_id"][:8]}[name]
    found = _json(run, "show", key)
    assert found["session"]["session_id"] == newest["session_id"]
    assert found["tree"]["rows"][0]["kind"] == "session"


def test_what_a_session_said_and_what_failed(run, demo):
    """The transcript has the question and the answer; the errors say what was done next."""
    row = _json(run, "sessions", "-q", "SQLite or DuckDB", "--limit", "1")[0]
    _, said, _ = run("show", row["session_id"], "--chat")
    assert "Each of our ships stores 40 sensor readings a second" in said
    assert "Use SQLite on the ships and DuckDB in the office" in said
    _, failed, _ = run("show", row["session_id"], "--errors")
    assert "✗ TimeoutError (recovered) in read_page" in failed
    assert "which worked" in failed


def test_no_such_session(run, demo):
    """It is said, and nothing is printed for a program."""
    code, out, err = run("show", "ffffffff")
    assert (code, out) == (1, "")
    assert "There is no session ffffffff" in err


def test_no_store_yet(run, home):
    """Reading makes no file; the line says what would."""
    code, out, err = run("sessions")
    assert (code, out) == (1, "")
    assert "run agentops-otel up, or agentops-otel demo" in err
    assert not home.exists()


def test_a_session_as_a_file_and_back(run, demo, tmp_path):
    """What is exported as OTLP JSON and imported into another store is the same session; twice does not double it."""
    row = _json(run, "sessions", "-q", "SQLite or DuckDB", "--limit", "1")[0]
    file, other = str(tmp_path / "session.json"), f"--db={tmp_path}/other.db"
    assert run("export", row["session_id"], "--json", "-o", file)[0] == 0
    for _ in range(2):
        assert _json(run, "import", file, other)["spans"] == 30
    assert _json(run, "sessions", other) == [row]
    lines = "".join(json.dumps(each) + "\n" for each in [json.loads(Path(file).read_bytes())] * 2)
    packed = tmp_path / "lines.jsonl.gz"
    packed.write_bytes(gzip.compress(lines.encode()))
    assert _json(run, "import", str(packed), other)["spans"] == 60
    assert _json(run, "sessions", other) == [row]


def test_a_session_for_people(run, demo, tmp_path):
    """As one HTML file and as Markdown, both with what was said; from a store and from its beginning of an id."""
    row = _json(run, "sessions", "-q", "SQLite or DuckDB", "--limit", "1")[0]
    for form in ("--html", "--md"):
        file = tmp_path / "session"
        assert run("export", row["session_id"][:8], form, "-o", str(file))[0] == 0
        said = file.read_text(encoding="utf-8")
        assert "Use SQLite on the ships and DuckDB in the office" in said
    assert run("export", "ffffffff")[0] == 1


def test_a_file_that_is_none(run, tmp_path):
    """What is no OTLP is told in one line, and makes no session."""
    bad = tmp_path / "bad.json"
    for content in (b"nothing", b"[1]", b"\x1f\x8b broken"):
        bad.write_bytes(content)
        code, out, err = run("import", str(bad))
        assert (code, out, len(err.splitlines())) == (1, "", 1), content
    assert _json(run, "sessions") == []


def test_two_sessions_side_by_side(run, demo):
    """Two runs of the same agent part at their answers; a session is like itself."""
    first, second = _json(run, "sessions", "--tag", "ci", "--limit", "2")
    code, out, _ = run("diff", first["session_id"], second["session_id"])
    assert code == 1
    assert "steps alike" in out
    assert out.rstrip().endswith("answer")
    code, out, _ = run("diff", first["session_id"], first["session_id"][:8])
    assert code == 0
    assert run("diff", first["session_id"], "ffffffff")[0] == 1


def test_errors_and_tools(run, demo):
    """Errors are grouped by cause with what became of them; tools have their calls and durations."""
    errors = {row["type"]: row for row in _json(run, "errors")}
    assert errors["FileNotFoundError"]["recovered"] == 3
    assert errors["ConnectionError"]["fatal"] > 0
    tools = {row["name"]: row for row in _json(run, "tools")}
    assert tools["read_page"]["failed"] == tools["read_page"]["recovered"] == 2
    assert tools["run_tests"]["median_ns"] > 10**9
    assert _json(run, "errors", "--since", "1s") == _json(run, "tools", "--since", "1s") == []


def test_tail_shows_what_comes(run, demo, box, tmp_path):
    """What arrives at a box while it is followed is shown; what was there before is not."""
    command = [sys.executable, "-m", "agentops_otel", "tail", "--url", box, "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=_environ(tmp_path)) as process:
        try:
            time.sleep(2)  # until it has looked once; else all of it is new, which the test allows
            assert run("demo", "--url", box)[0] == 0
            news = []
            while not any(each["event"] == "end" and each["state"] == "fail" for each in news):
                news.append(json.loads(process.stdout.readline()))
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(10)
        assert process.returncode == 130
    assert {"start", "span", "end"} <= {each["event"] for each in news}
    spans = [(each["session_id"], each["id"]) for each in news if each["event"] == "span"]
    assert len(spans) == len(set(spans))


def test_tail_of_a_session_that_has_ended(run, demo):
    """It is told from its beginning to its end, each span once."""
    row = _json(run, "sessions", "--state", "fail", "--limit", "1")[0]
    code, out, _ = run("tail", "--session", row["session_id"], "--json")
    news = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [each["event"] for each in news if each["event"] != "span"] == ["start", "end"]
    spans = [each["id"] for each in news if each["event"] == "span"]
    assert len(spans) == len(set(spans)) > 5
    _, failed, _ = run("tail", "--session", row["session_id"], "--errors", "--json")
    assert {json.loads(line).get("fate") for line in failed.splitlines()} == {"fatal", None}


def test_sql_changes_nothing(run, demo):
    """What would change the store is refused; a mistake is one line."""
    for query in ("DELETE FROM session", "CREATE TABLE x (y)", "PRAGMA user_version = 9", "SELEC 1"):
        code, out, err = run("sql", query)
        assert (code, out, len(err.splitlines())) == (1, "", 1), query
    assert len(_json(run, "sessions")) == 18


def test_the_file_is_looked_after(run, demo, home):
    """Where it is, what is in it, whether it is sound, and what it loses."""
    assert run("db", "path")[1] == f"{home}/sessions.db\n"
    assert _json(run, "db", "stats")["sessions"] == 18
    assert _json(run, "db", "check") == {"sessions": 18, "mended": [], "damage": []}
    removed = _json(run, "db", "prune", "--retain", "1d")["removed"]
    assert 0 < removed < 18
    assert len(_json(run, "sessions")) == 18 - removed
    assert _json(run, "db", "vacuum")["after"] <= _json(run, "db", "stats")["bytes"]
    code, _, err = run("db", "prune", "--retain", "soon")
    assert code == 2
    assert "expected an age such as 30d or a size such as 2GB, got 'soon'" in err


def test_keys_of_projects(run, demo):
    """A key is shown once, listed by its beginning, and refused when it is revoked."""
    key = _json(run, "keys", "create", "shop")["key"]
    [row] = _json(run, "keys", "list")
    assert (row["project"], row["revoked_ns"]) == ("shop", None)
    assert key.startswith(row["key_id"])
    assert key != row["key_id"]
    assert {"project": "shop", "keys": 1} in _json(run, "projects")
    assert _json(run, "keys", "revoke", key) == {"revoked": row["key_id"]}
    assert _json(run, "keys", "list")[0]["revoked_ns"] > 0
    assert run("keys", "revoke", "none")[0] == 1


def test_a_key_of_a_box_that_runs(run, box, tmp_path, monkeypatch):
    """A key is known to the box at once, what comes with it is in its project, and revoked it is refused."""
    store = f"--db={tmp_path}/box.db"
    key = _json(run, "keys", "create", "shop", store)["key"]
    monkeypatch.setenv("AGENTOPS_API_KEY", key)
    assert run("demo", "--url", box)[0] == 0
    query = "SELECT DISTINCT project.name FROM session JOIN project ON project.id = session.project"
    assert _json(run, "sql", query, store) == [{"name": "shop"}]
    assert _json(run, "keys", "revoke", key, store)["revoked"]
    code, _, err = run("demo", "--url", box)
    assert (code, "401" in err) == (1, True)


def test_a_score(run, demo):
    """A session gets a score from the command line, and shows it."""
    for value in ("0.5", "good"):
        assert run("score", "last", "correct", value, "--comment", "why")[0] == 0
    scores = _json(run, "show", "last")["session"]["scores"]
    assert [(each["name"], each["value"], each["label"]) for each in scores] == [
        ("correct", 0.5, None),
        ("correct", None, "good"),
    ]
    assert run("score", "ffffffff", "correct", "1")[0] == 1
    assert run("score", "last", "correct", "1", "--span", "0" * 16)[0] == 1


def test_a_running_box_says_the_same(run, demo, box):
    """What is sent to a box, and read from it, is what the store says of the same sessions."""
    assert run("demo", "--url", box)[0] == 0
    steady = ["name", "llm_calls", "tool_calls", "input_tokens", "cost", "errors", "recovered_errors", "tags"]
    there, here = (_json(run, "sessions", *where) for where in (["--url", box], []))
    assert [[row[name] for name in steady] for row in there] == [[row[name] for name in steady] for row in here]
    assert _json(run, "costs", "--url", box)["total"]["cost"] == _json(run, "costs")["total"]["cost"]
    assert _json(run, "show", "last", "--url", box)["session"]["name"] == "morning_digest"
    link = _json(run, "open", "last", "--url", box)["url"]
    assert link.startswith(f"{box}/s/{there[0]['session_id']}?token=")


def test_no_box_there(run, home):
    """A wrong address is told in one line."""
    code, out, err = run("open", "--url", "http://127.0.0.1:9")
    assert (code, out) == (1, "")
    assert "no box answers at http://127.0.0.1:9: run agentops-otel up" in err


def test_the_port_is_taken(run, box, tmp_path):
    """A second box says that the first one runs already."""
    port = box.rpartition(":")[2]
    code, out, err = run("up", "--port", port, "--grpc-port", "off")
    assert (code, out) == (1, "")
    assert f"agentops-otel open --url {box} shows it" in err
    assert f"is running already at {box}" in err


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--grpc-port", "many"], "expected a port, or off, got 'many'"),
        (["--retain", "soon"], "expected an age such as 30d"),
        (["--host", "0.0.0.0"], "a token is needed: set AGENTOPS_SERVER_TOKEN"),
        (["--trace-url", "http://jaeger/trace"], "expected a URL with {trace_id} or {session_id} in it"),
    ],
)
def test_a_box_that_does_not_start(run, arguments, why):
    """A wrong option ends the command before anything listens."""
    code, _, err = run("up", "--port", "0", *arguments)
    assert code == 2
    assert why in err


def test_a_variable_that_is_not_valid_is_named(run, monkeypatch):
    """Whoever has not typed the template is told where it stands."""
    monkeypatch.setenv("AGENTOPS_TRACE_URL", "jaeger/{trace_id}")
    code, _, err = run("up", "--port", "0")
    assert code == 2
    assert "AGENTOPS_TRACE_URL" in err
    assert "got 'jaeger/{trace_id}'" in err


@pytest.mark.parametrize(
    ("arguments", "variables"),
    [
        (["--trace-url=http://jaeger:16686/trace/{trace_id}"], {}),
        ([], {"AGENTOPS_TRACE_URL": "http://jaeger:16686/trace/{trace_id}"}),
        (["--trace-url=http://jaeger:16686/trace/{trace_id}"], {"AGENTOPS_TRACE_URL": "http://other/{trace_id}"}),
    ],
)
def test_pages_link_to_another_viewer(run, tmp_path, arguments, variables):
    """The option or the variable says where; the option counts more."""
    with _running(tmp_path, *arguments, **variables) as box:
        assert run("demo", "--url", box)[0] == 0
        page = page_of(Source(url=box), "last", "story")
        assert page["trace_url"] == f"http://jaeger:16686/trace/{page['row']['trace_id']}"


def test_a_terminal_gets_a_table(demo, tmp_path):
    """A person sees titles and rounded figures; with NO_COLOR there is no colour."""
    plain = _on_terminal(tmp_path, ["sessions"], NO_COLOR="1")
    assert "NAME · FIRST PROMPT" in plain
    assert "✗ fail" in plain
    assert not re.search(r"\x1b\[(?:\d+;)*3[0-7]m", plain)
    assert "\x1b[31m" in _on_terminal(tmp_path, ["sessions"])


def test_s20_hostile_text_on_a_terminal(tmp_path, home):
    """What a prompt says is shown, and nothing of it is obeyed, in tables and in JSON."""
    bad = "\x1b]0;owned\x07\x1b[2J\x9b31mhi\r\x08 \x1b]8;;http://evil.example\x1b\\link\x1b]8;;\x1b\\ \u202etxt\t1\n2"
    span = SpanRow(
        trace_id="1" * 32,
        span_id="2" * 16,
        parent_id=None,
        session_id=None,
        kind="agent",
        name=bad,
        label=bad,
        start_ns=time.time_ns(),
        end_ns=time.time_ns() + 10**9,
        status="error",
        error_type=bad,
        error_message=bad,
        asked=bad,
        agent=bad,
        tags=(bad,),
        process=Process(service=bad),
    )
    store = SqliteStore(home / "sessions.db")
    store.add(Batch(spans=[span]), time.time_ns())
    store.close()
    for command in (["sessions"], ["show"], ["show", "--chat"], ["show", "--errors"], ["sessions", "--json"]):
        printed = _on_terminal(tmp_path, command, NO_COLOR="1", TERM="dumb")
        assert "hi" in printed
        assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f\u202e]|\x1b[^\\[]|\x1b\\[2J", printed), (
            command
        )
        assert "owned" not in printed or "--json" in command


def _on_terminal(tmp_path, arguments, **variables):
    """What a command prints on a terminal of 160 columns."""
    ours, theirs = pty.openpty()
    environ = _environ(tmp_path, COLUMNS="160", **{"TERM": "xterm-256color", **variables})
    with subprocess.Popen(
        [sys.executable, "-m", "agentops_otel", *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environ,
        cwd=ROOT,
    ) as process:
        os.close(theirs)
        said = b""
        while select.select([ours], [], [], 30)[0]:
            try:
                part = os.read(ours, 65_536)
            except OSError:  # Linux says so that the other end is closed
                break
            if not part:
                break
            said += part
        process.wait(10)
    os.close(ours)
    return said.decode()


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        (("show", ""), 2, "give a session: its id, the beginning of it, or last"),
        (("diff", "last", "nope"), 1, "There is no session nope here. Choose two in the list of sessions.\n"),
        (("sessions", "--url", "http://127.0.0.1:9", "--db", "x"), 2, "--db and --url name two places"),
        (("sessions", "--url", "ftp://127.0.0.1:9"), 1, "expected an address with http:// or https://"),
        (("keys", "create", " "), 2, "give the project a name"),
        (("score", "last", "", "1"), 2, "name='' is not valid"),
        (("score", "last", "correct", ""), 2, "value='' is not valid"),
        (("score", "last", "correct", "nan"), 2, "value=nan is not valid"),
        (("score", "last", "correct", "1e400"), 2, "value=inf is not valid"),
        (("up", "--host", "no-such-host.invalid"), 2, "the host name 'no-such-host.invalid' cannot be resolved"),
    ],
)
def test_what_is_not_valid_is_named(run, demo, arguments, code, why):
    """The line says what is wrong, and nothing is written."""
    before = run("db", "stats", "--json")[1]
    found, out, err = run(*arguments)
    assert (found, out) == (code, "")
    assert why in err
    assert run("db", "stats", "--json")[1] == before


def test_a_host_that_cannot_be_resolved_is_told_by_its_name(run):
    """Its number says nothing to people."""
    code, _, err = run("sessions", "--url", "http://no-such-host.invalid")
    assert code == 1
    assert "[Errno" not in err


def test_the_file_that_is_none_is_named(run, demo, tmp_path):
    """Of several files, the one that cannot be read."""
    run("export", "last", "--json", "-o", str(tmp_path / "right.json"))
    (tmp_path / "wrong.md").write_text("no JSON")
    code, _, err = run("import", str(tmp_path / "right.json"), str(tmp_path / "wrong.md"))
    assert code == 1
    assert f"{tmp_path / 'wrong.md'}: the body is not JSON" in err


@pytest.mark.parametrize("query", ["attach '{}' as other", "vacuum into '{}'"])
def test_sql_makes_no_file(run, demo, tmp_path, query):
    """Also not beside the store."""
    code, _, err = run("sql", query.format(tmp_path / "other.db"))
    assert code == 1
    assert "only reading is allowed" in err
    assert not (tmp_path / "other.db").exists()


def test_a_server_that_is_no_box(run):
    """Its page is not for a terminal; the line says what it is not."""

    class Page(http.server.BaseHTTPRequestHandler):
        status = 200

        def do_GET(self):
            self.send_response(self.status)
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>Something else</title>")

        def log_message(self, *args):
            pass

    said = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            for status in (200, 404, 500):
                Page.status = status
                code, _, err = run("sessions", "--url", f"http://127.0.0.1:{server.server_port}")
                said.append((code, "Something else" in err, "no box of agentops-otel" in err))
        finally:
            server.shutdown()
            thread.join()
    assert said == [(1, False, True)] * 3


def test_a_session_that_is_not_there_is_not_opened(run, box, monkeypatch):
    """The address of a page that says 404 helps nobody."""
    monkeypatch.setattr("agentops_otel.cli.browser.show", lambda link: False)
    code, out, err = run("open", "nope-nope", "--url", box)
    assert (code, out) == (1, "")
    assert f"the box at {box} has no session nope-nope" in err


def test_how_a_session_has_ended_is_said_once(run, demo):
    """The mark of the state, then the sentence of its page."""
    for state, said in (("fail", "\n✗ Failed: "), ("success", "\n● Success")):
        session = json.loads(run("sessions", "--state", state, "--json")[1])[0]["session_id"]
        assert said in run("show", session, "--chat")[1]
