"""`agentops-otel flush`: what dead processes left arrives, and the command says what became of it."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from agentops_otel import cli
from agentops_otel.pipeline import ids
from agentops_otel.pipeline.destination import journal_directory
from tests.fakes import fault_server
from tests.fakes.fault_server import FaultServer
from tests.fakes.program import Program, run


def names(server):
    return sorted(span.name for span in server.spans())


def attributes(span):
    return {item.key: item.value.string_value or item.value.bool_value for item in span.attributes}


def test_nothing_is_left(capsys, tmp_path):
    """An empty journal, also one that was never there, is no mistake."""
    assert cli.main(["flush", "--journal-dir", str(tmp_path / "none")]) == 0
    assert capsys.readouterr().out == f"Nothing is left in {tmp_path / 'none'}.\n"


def test_what_a_killed_process_left_arrives(server, killed, capsys):
    """Spans come with the ids they had, and the root that nobody ended is made anew: once."""
    session_id = killed(server.url)
    already = len(server.spans())
    assert cli.main(["flush"]) == 0
    said = capsys.readouterr().out
    assert (
        f"{server.url}/v1/traces: {4 - already} spans of 1 session found, {4 - already} sent, 0 rejected, 0 left"
        in said
    )
    assert names(server) == ["action 0", "action 1", "action 2", "session mine"]
    (root,) = [span for span in server.spans() if not span.parent_span_id]
    number = ids.trace_id(session_id)
    assert root.trace_id == number.to_bytes(16, "big")
    assert root.span_id == ids.root_span_id(number).to_bytes(8, "big")
    said = attributes(root)
    assert said["agentops.session.end_state"] == "Indeterminate"
    assert said["agentops.session.end_state_reason"] == "Process died (no end recorded)"
    assert said["agentops.replayed"] is True
    assert cli.main(["flush"]) == 0
    assert "Nothing is left in" in capsys.readouterr().out
    assert len(server.spans()) == 4


def test_a_backend_that_is_down(closed, killed, capsys):
    """What cannot be sent stays, the reason is told, and the exit code says that something is left to do."""
    killed(closed)
    for _ in range(2):
        assert cli.main(["flush"]) == 1
        assert (
            f"4 spans of 1 session found, 0 sent, 0 rejected, 4 left (nothing listens at {closed.removeprefix('http://')}"
            in capsys.readouterr().out
        )


def test_everything_to_another_place(closed, server, killed, capsys):
    """`--endpoint` sends what was meant for a backend that is gone to another one."""
    killed(closed)
    assert cli.main(["flush", "--endpoint", server.url]) == 0
    assert f"{server.url}: 4 spans of 1 session found, 4 sent, 0 rejected, 0 left\n" in capsys.readouterr().out
    assert len(server.spans()) == 4


def test_each_destination_gets_its_own(killed, capsys):
    """Two backends, two folders of the journal: nothing is mixed, and each gets a line."""
    with FaultServer() as one, FaultServer() as other:
        one.mode = other.mode = fault_server.status(503)
        first, second = killed(one.url), killed(other.url)
        one.mode = other.mode = fault_server.ok
        assert cli.main(["flush", "--json"]) == 0
        reports = json.loads(capsys.readouterr().out)
        assert {report["destination"] for report in reports} == {f"{one.url}/v1/traces", f"{other.url}/v1/traces"}
        assert {report["sent"] for report in reports} == {4}
        for server, session_id in ((one, first), (other, second)):
            assert {span.trace_id.hex() for span in server.spans()} == {session_id.replace("-", "")}


def test_a_project_needs_its_key(server, killed, capsys, monkeypatch):
    """Spans of a project are sent with its key only; without it the command says which variable to set."""
    server.mode = fault_server.status(503)
    killed(server.url, AGENTOPS_API_KEY="key-of-the-project")
    server.mode = fault_server.ok
    for key in (None, "another"):
        if key:
            monkeypatch.setenv("AGENTOPS_API_KEY", key)
        assert cli.main(["flush"]) == 1
        assert "set it in AGENTOPS_API_KEY" in capsys.readouterr().out
    assert server.spans() == []
    monkeypatch.setenv("AGENTOPS_API_KEY", "key-of-the-project")
    assert cli.main(["flush"]) == 0
    assert {request.headers["authorization"] for request in server.requests if request.stored} == {
        "Bearer key-of-the-project"
    }


@pytest.mark.parametrize("path", ["/custom/traces", "/v1/traces", "/", ""])
@pytest.mark.parametrize("in_environment", [True, False])
@pytest.mark.parametrize("key", ["the-old-key", ""], ids=["replaced", "none"])
def test_an_address_for_traces_alone(server, killed, capsys, monkeypatch, path, in_environment, key):
    """It is used as it is, also in the command that is printed, and where the environment says it no more."""
    address = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": server.url + path}
    server.mode = fault_server.status(503)
    killed("", AGENTOPS_API_KEY=key, **address, OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=f"{server.url}/v1/logs")
    server.mode = fault_server.ok
    if in_environment:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", server.url + path)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", f"{server.url}/v1/logs")
    command = ["flush"]
    if key:
        monkeypatch.setenv("AGENTOPS_API_KEY", "the-new-key")
        assert cli.main(command) == 1
        command = shlex.split(capsys.readouterr().out.partition("agentops-otel ")[2].rstrip(")\n"))
    assert cli.main(command) == 0, capsys.readouterr().out
    assert len(server.spans()) == 4
    assert {each.path for each in server.requests if each.spans and each.stored} == {path or "/"}


@pytest.mark.parametrize("where", ["option", "setting"])
@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", None])
def test_nobody_knows_where_it_was_to_go(server, killed, capsys, monkeypatch, content, where):
    """When the file that says so is damaged or gone, that is told, and who names the place sends it."""
    server.mode = fault_server.status(503)
    killed(server.url)
    server.mode = fault_server.ok
    (file,) = Path(journal_directory()).glob("*/destination.json")
    file.unlink()
    if content is not None:
        file.write_bytes(content)
    assert cli.main(["flush"]) == 1
    said = capsys.readouterr().out
    assert f"4 left ({file} is damaged or gone: name an endpoint with --endpoint)" in said
    if where == "setting":
        monkeypatch.setenv("AGENTOPS_ENDPOINT", server.url)
    assert cli.main(["flush"] if where == "setting" else ["flush", "--endpoint", server.url]) == 0
    assert len(server.spans()) == 4


@pytest.mark.parametrize(
    ("given", "variables"),
    [
        ("", {}),
        ("journal_dir={folder!r}", {}),
        ("api_key='a-key'", {"AGENTOPS_API_KEY": "a-key"}),
        ("headers={{'x-key': 'a-key'}}", {"AGENTOPS_HEADERS": "x-key=a-key"}),
        ("api_key='a-key', headers={{'x': 'y'}}", {"AGENTOPS_API_KEY": "a-key", "AGENTOPS_HEADERS": "x=y"}),
    ],
    ids=["nothing", "folder", "key", "headers", "both"],
)
@pytest.mark.parametrize("summary", ["true", "false"])
def test_the_advice_is_true(server, tmp_path, monkeypatch, capsys, given, variables, summary):
    """The command that a program names at its end does what it says, with the variables it names and no others."""
    server.mode = fault_server.status(503)
    ended = run(
        f"""
        import agentops_otel as agentops
        agentops.init(endpoint={server.url!r}, {given.format(folder=str(tmp_path / "a folder"))})
        """,
        {"AGENTOPS_SUMMARY": summary},
    )
    command, _, needs = ended.err.partition("or: agentops-otel ")[2].partition(" (with ")
    assert set(re.findall(r"AGENTOPS_\w+", needs)) == set(variables)
    server.mode = fault_server.ok
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert cli.main(shlex.split(command.partition("; ")[0])) == 0
    assert "1 sent, 0 rejected, 0 left" in capsys.readouterr().out
    (request,) = [request for request in server.requests if request.spans and request.stored]
    if "AGENTOPS_API_KEY" in variables:
        assert request.headers["authorization"] == "Bearer a-key"


def test_a_refused_span_is_put_aside(server, killed, capsys):
    """What the backend refuses for good is counted, kept for people to read, and does not hold up the rest."""
    server.mode = fault_server.status(503)
    killed(server.url)
    server.mode = fault_server.reject_if("action 1")
    assert cli.main(["flush"]) == 0
    assert "3 sent, 1 rejected, 0 left" in capsys.readouterr().out
    assert cli.main(["journal"]) == 0
    assert "refused for good  1 span" in capsys.readouterr().out


@pytest.mark.skipif(sys.platform == "win32", reason="other permissions there")
def test_a_folder_that_cannot_be_written(server, killed, capsys, monkeypatch):
    """What could not be taken out afterwards is not sent, as it would be again and again; the reason is told."""
    server.mode = fault_server.status(503)
    killed(server.url)
    server.mode = fault_server.ok
    (writer,) = [path for path in Path(journal_directory()).glob("*/*") if path.is_dir()]
    writer.chmod(0o500)
    with monkeypatch.context() as as_root:
        if os.geteuid() == 0:  # who is let through everywhere
            as_root.setattr(os, "access", lambda path, mode, **_: not (Path(path) == writer and mode & os.W_OK))
        assert cli.main(["flush"]) == 1
    said = capsys.readouterr().out
    assert "4 spans of 1 session found, 0 sent, 0 rejected, 4 left" in said
    assert f"({writer.parent} cannot be written, and nothing is sent that would stay there)" in said
    assert server.spans() == []
    writer.chmod(0o700)
    assert cli.main(["flush"]) == 0
    assert "4 spans of 1 session found, 4 sent, 0 rejected, 0 left\n" in capsys.readouterr().out


@pytest.mark.parametrize("taken", [True, False])
def test_log_events_alone(server, capsys, taken):
    """Of a session whose spans have arrived or were refused, only log events can be left: they are what is told."""
    server.mode = fault_server.status(400)
    ended = run(
        """
        import agentops_otel as agentops
        agentops.init(summary=False)
        agentops.end_session("Success")
        agentops.flush(5)
        """,
        {"AGENTOPS_ENDPOINT": server.url},
    )
    assert ended.code == 0, ended.err
    server.mode = fault_server.ok if taken else fault_server.status(503)
    assert cli.main(["flush"]) == 0
    said = f"{len(server.logs())} log events of 1 session sent" if taken else "log events of 1 session left ("
    assert f"{server.url}/v1/traces: {said}" in capsys.readouterr().out
    assert bool(server.logs()) is taken
    assert cli.main(["flush"]) == 0
    assert capsys.readouterr().out.startswith("Nothing is left") is taken


def test_a_process_that_runs_keeps_its_own(living, capsys):
    """The command takes nothing from a process that is alive."""
    before = sorted(Path(journal_directory()).rglob("*"))
    assert cli.main(["flush"]) == 0
    assert "Nothing is left in" in capsys.readouterr().out
    assert before
    assert sorted(Path(journal_directory()).rglob("*")) == before


def test_what_is_done_with_goes(server, capsys):
    """Of a process that died when everything had arrived, nothing stays on disk."""
    ended = run(
        f"""
        import os, signal
        import agentops_otel as agentops
        agentops.init(endpoint={server.url!r}, summary=False)
        agentops.record(agentops.ActionEvent("action"))
        agentops.end_session("Success")
        print(agentops.flush(20), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    assert ended.out == "True\n", ended.err
    (folder,) = Path(journal_directory()).iterdir()
    assert len(list(folder.iterdir())) > 1
    assert cli.main(["flush"]) == 0
    assert "Nothing is left in" in capsys.readouterr().out
    assert [each.name for each in folder.iterdir()] == ["destination.json"]
    assert len(server.spans()) == 2


def _settled(server: FaultServer) -> None:
    """Wait until the server has read what the dead process sent last: it is not to be answered as a flush is."""
    server.down()
    server.up()


def test_no_request_that_the_time_cannot_hold(server, killed, capsys):
    """What would only be given up halfway is not begun: the backend might store it, and get it again the next time."""
    server.mode = fault_server.status(503)
    killed(server.url, spans=1000)
    _settled(server)
    server.mode = replace(fault_server.slow_but_stored(2.1), signal="/v1/traces")
    assert cli.main(["flush", "--timeout", "4"]) == 1
    assert "left (the time is up)" in capsys.readouterr().out
    server.mode = fault_server.ok
    assert cli.main(["flush"]) == 0
    assert len(server.span_ids()) == len(set(server.span_ids())) == 1001


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("signal_path", ["/v1/traces", "/v1/logs"])
def test_an_interrupted_flush(server, killed, signal_path):
    """Ctrl-C ends the command at once and without a traceback; what has arrived by then is not sent again."""
    server.mode = fault_server.status(503)
    killed(server.url, spans=600)
    _settled(server)
    hangs = replace(fault_server.blackhole(), signal=signal_path)
    since = []  # how many requests had come when those that hang began

    def first_well(_):
        if not server.spans():
            return fault_server.ok
        since.append(len(server.requests))
        return hangs

    server.mode = first_well
    with Program("import sys; from agentops_otel import cli; sys.exit(cli.main(['flush']))") as command:
        assert server.wait_for(lambda: since and signal_path in [each.path for each in server.requests[since[0] :]])
        command.send(signal.SIGINT)
        ended = command.end()
    assert (ended.code, ended.out, ended.err) == (130, "", "")
    server.mode = fault_server.ok
    assert cli.main(["flush"]) == 0
    assert len(server.span_ids()) == len(set(server.span_ids())) == 601


@pytest.mark.parametrize("arguments", [["--endpoint", "nowhere"], ["--journal-dir", " "]])
@pytest.mark.parametrize("command", ["flush"])
def test_a_wrong_option_is_told(command, arguments, capsys):
    """A wrong value ends the command with a line that says what is allowed."""
    assert cli.main([command, *arguments]) == 2
    assert "expected" in capsys.readouterr().err


@pytest.mark.parametrize("seconds", ["nan", "-1", "soon"])
def test_a_wrong_timeout_is_told(seconds, capsys):
    """What is no length of time ends the command with a line that says what is allowed."""
    assert cli.main(["flush", f"--timeout={seconds}"]) == 2
    assert f"'--timeout': expected a number of at least 0, got '{seconds}'" in capsys.readouterr().err


def test_a_wrong_command_line(capsys):
    """No command, or an unknown one, prints how to use it."""
    for arguments in ([], ["fly"], ["flush", "--fast"]):
        assert cli.main(arguments) == 2
        assert "Usage: agentops-otel" in capsys.readouterr().err
