"""`agentops-otel run`: a program is recorded without a change, and stays the program that it is."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
import time
from importlib.metadata import entry_points

import pytest

from tests.fakes.fault_server import FaultServer
from tests.fakes.program import ROOT

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX"),
    pytest.mark.skipif(
        not entry_points(group="opentelemetry_instrumentor", name="agentops_otel"),
        reason="agentops-otel is not installed here, and OpenTelemetry finds what is installed",
    ),
]


@pytest.fixture
def server():
    with FaultServer() as server:
        yield server


@pytest.fixture
def start(tmp_path):
    """Starts `agentops-otel run ... python -c PROGRAM`; gives the process."""
    started = []

    def start(program, *options, **variables):
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        environ = {
            **kept,
            "XDG_DATA_HOME": str(tmp_path / "data"),
            "XDG_STATE_HOME": str(tmp_path / "state"),
            "PYTHONPATH": str(ROOT / "src"),
            **variables,
        }
        command = [sys.executable, "-m", "agentops_otel", "run", *options, "--", sys.executable, "-c"]
        process = subprocess.Popen(
            [*command, textwrap.dedent(program)],
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait(10)
        for stream in (process.stdin, process.stdout, process.stderr):
            stream.close()


def _names(server):
    return {span.name for span in server.spans()}


def test_a_program_is_recorded_without_a_change(start, server):
    """Its process is a session, its output and its exit code are its own, and the summary is the last thing said."""
    process = start("print('hello'); raise SystemExit(7)", AGENTOPS_ENDPOINT=server.url)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (7, "hello\n"), err
    assert _names(server) == {"session"}
    assert "1/1 span delivered" in err


def test_its_arguments_are_its_own(start, server):
    """What stands behind the program goes to the program, also what looks like an option of ours."""
    process = start("import sys; print(sys.argv[1:])", AGENTOPS_ENDPOINT=server.url)
    process.communicate(timeout=60)
    command = [sys.executable, "-m", "agentops_otel", "run", sys.executable, "-c", "import sys; print(sys.argv[1:])"]
    done = subprocess.run(
        [*command, "--port", "1", "-h", "--", "x"],
        env={**os.environ, "AGENTOPS_ENDPOINT": server.url, "AGENTOPS_JOURNAL": "off"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == "['--port', '1', '-h', '--', 'x']\n", done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_signals_reach_it(start, server, number):
    """A signal to the command is a signal to the program, once."""
    process = start(
        """
        import os, select, signal, sys
        seen = []
        def handle(number, frame):  # not with print(), in which the signal may come
            seen.append(number)
            os.write(1, f"{len(seen)} {number}\\n".encode())
        for each in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
            signal.signal(each, handle)
        print("ready", flush=True)
        while not select.select([0], [], [], 0.1)[0]:  # a signal just before a read would not end the read
            pass
        sys.exit(3)
        """,
        AGENTOPS_ENDPOINT=server.url,
    )
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    assert process.stdout.readline() == f"1 {int(number)}\n"
    process.stdin.close()
    assert process.wait(30) == 3


def test_there_is_no_such_program(start, tmp_path):
    """It is said before anything is started."""
    done = subprocess.run(
        [sys.executable, "-m", "agentops_otel", "run", "no-such-program"],
        env={**os.environ, "XDG_DATA_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "there is no program no-such-program" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "mode", "text", "told"),
    [
        (
            "./a b.py",
            0o644,
            "print(1)",
            "./a b.py is not executable: say what runs it, such as python './a b.py', or chmod +x './a b.py'",
        ),
        (
            "plain.py",
            0o644,
            "print(1)",
            "plain.py is not executable: say what runs it, such as python plain.py, or chmod +x plain.py",
        ),
        ("tool", 0o755, "#!/bin/sh", "there is no program tool on the PATH: for the file of that name, say ./tool"),
        (
            "./tool.py",
            0o755,
            "print(1)",
            "./tool.py cannot be run (exec format error): say what runs it, such as python ./tool.py",
        ),
        (
            "./tool.py",
            0o755,
            "#!/no/python",
            "./tool.py cannot be run (no such file or directory): say what runs it, such as python ./tool.py",
        ),
        (".", 0o755, "", "there is no program ."),
    ],
)
def test_a_file_that_is_no_program(tmp_path, name, mode, text, told):
    """What is wrong with it is told, and what to type instead."""
    if name != ".":
        (tmp_path / name).write_text(f"{text}\n")
        (tmp_path / name).chmod(mode)
    done = subprocess.run(
        [sys.executable, "-m", "agentops_otel", "run", "--no-box", "--", name],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, f"agentops-otel run: {told}\n")


def test_a_box_is_started_where_none_is(start):
    """The summary links to the page of what the new box has acknowledged; a second run finds the box."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    pid = None
    try:
        process = start(
            "import agentops_otel as a; a.init(auto_start_session=False)\nwith a.session(name='mine'): print('hello')",
            f"--port={port}",
        )
        out, err = process.communicate(timeout=60)
        found = re.search(rf"a box was started at http://127.0.0.1:{port}; end it with: kill (\d+)", err)
        assert found, err
        pid = int(found[1])
        assert (process.returncode, out) == (0, "hello\n"), err
        assert re.search(rf"1/1 span delivered → .*; http://127\.0\.0\.1:{port}/s/[0-9a-f-]{{36}}", err), err
        again = start("print('again')", f"--port={port}")
        _, err = again.communicate(timeout=60)
        assert "was started" not in err
        assert f"http://127.0.0.1:{port}/s/" in err
    finally:
        if pid is not None:
            os.kill(pid, signal.SIGTERM)
            for _ in range(100):
                try:
                    os.kill(pid, 0)
                except OSError:
                    break
                time.sleep(0.1)


@pytest.mark.parametrize(
    ("variables", "arrives"),
    [
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, True),  # as opentelemetry-distro sets it
        ({"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "grpc"}, True),
        ({"AGENTOPS_PROTOCOL": ""}, True),
        ({"AGENTOPS_PROTOCOL": "console"}, False),
    ],
)
def test_the_protocol_of_its_own_address(start, server, variables, arrives):
    """What the command sends to the port for HTTP goes over HTTP, unless the user says something else to us."""
    process = start("print('hello')", f"--port={server.port}", "--no-box", **variables)
    _, err = process.communicate(timeout=60)
    assert (_names(server) == {"session"}) == arrives, err


def test_an_address_by_its_other_name(start, server):
    """Each variable of ours that names an address is the user's choice of one."""
    process = start("print('hello')", "--port=1", AGENTOPS_API_ENDPOINT=server.url)
    process.communicate(timeout=60)
    assert _names(server) == {"session"}


def test_no_link_to_what_was_not_acknowledged(start, server):
    """A backend that is not a box of ours has no link, nor has a box that is not there."""
    process = start("print('hello')", AGENTOPS_ENDPOINT=server.url)
    _, err = process.communicate(timeout=60)
    assert "/s/" not in err
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    process = start("print('hello')", f"--port={port}", "--no-box")
    _, err = process.communicate(timeout=60)
    assert "/s/" not in err
    assert "kept in" in err
