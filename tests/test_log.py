"""The log: who speaks."""

from __future__ import annotations

import logging
import os
import shlex
import subprocess
import sys
import textwrap

import pytest

from agentops_otel.log import SPEAKER, logger
from tests.fakes.program import run


def test_every_line_says_who_speaks(caplog):
    """A line begins with our name, whatever its level and arguments; a line that has it gets it no second time."""
    caplog.set_level(logging.DEBUG, "agentops_otel")
    logger.warning("one %s", "word")
    logger.debug("two")
    logger.handle(caplog.records[0])  # as a server does that collects the log of its workers
    assert caplog.messages == [f"{SPEAKER}one word", f"{SPEAKER}two", f"{SPEAKER}one word"]


def test_without_a_logging_configuration_the_line_on_standard_error_says_it():
    """Python prints the bare message where the program has not configured logging."""
    program = "import agentops_otel; agentops_otel.end_session()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr.startswith("agentops-otel: end_session()")
    assert done.stderr.count("\n") == 1


CLOSED = {
    "a stream": "s = io.StringIO(); logging.basicConfig(stream=s)",
    "a file": "s = open(os.devnull, 'w'); logging.getLogger().addHandler(logging.StreamHandler(s))",
    "one of two": "s = io.StringIO(); logging.basicConfig(stream=s); other = logging.StreamHandler(); "
    "logging.getLogger().addHandler(other)",
    "our own logger's": "s = io.StringIO(); logging.getLogger('agentops_otel').addHandler(logging.StreamHandler(s))",
}


@pytest.mark.parametrize("stream", CLOSED)
def test_a_log_stream_that_is_closed_at_the_exit(stream):
    """The last word goes to standard error, or to the handler that can still write, once and without a traceback."""
    ended = run(
        f"""
        import io, logging, os
        import agentops_otel as agentops
        {CLOSED[stream]}
        agentops.init(endpoint="http://127.0.0.1:9", summary=False)
        agentops.record(agentops.ActionEvent("x"))
        s.close()
        """
    )
    assert ended.code == 0
    assert ended.err.count("agentops-otel: ") == 1, ended.err
    assert ended.err.count("\n") == 1, ended.err
    assert " kept in " in ended.err


@pytest.mark.parametrize("closing", ["sys.stderr.close()", "sys.stderr = None", "os.close(2)"])
def test_standard_error_that_is_closed_at_the_exit(closing):
    """A program without standard error ends as it would without us."""
    ended = run(
        f"""
        import os, sys
        import agentops_otel as agentops
        agentops.init(endpoint="http://127.0.0.1:9")
        {closing}
        """
    )
    assert (ended.code, ended.err) == (0, "")


@pytest.mark.parametrize("summary", ["True", "False"])
@pytest.mark.parametrize("stderr", ["| true", "2> /dev/full"])
def test_standard_error_that_takes_nothing(stderr, summary, tmp_path):
    """Neither a reader that has gone nor a full disk changes the exit code: nothing of ours waits in a buffer."""
    program = f"""
        import os, time
        import agentops_otel as agentops
        agentops.init(endpoint="http://127.0.0.1:9", summary={summary})
        agentops.record(agentops.ActionEvent("x"))
        time.sleep(0.2)
    """
    (tmp_path / "program.py").write_text(textwrap.dedent(program))
    command = f"{shlex.quote(sys.executable)} program.py {'2>&1 >/dev/null ' if '|' in stderr else ''}{stderr}"
    variables = {**os.environ, "AGENTOPS_JOURNAL_DIR": str(tmp_path)}
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"], cwd=tmp_path, env=variables, timeout=60, check=False
    )
    assert done.returncode == 0
