"""What becomes of a command's text where there is no terminal to print it on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.program import ROOT

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pipes and devices of POSIX")


def command(name: str, where: str, journal: Path, **variables: str) -> tuple[int, str, str]:
    """Exit code, output and errors of a command, with `where` as the shell's words behind it."""
    done = subprocess.run(
        ["/bin/sh", "-c", f'"$0" -m agentops_otel "$@" {where}', sys.executable, name, "--journal-dir", journal],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "src"), **variables},
        capture_output=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


commands = pytest.mark.parametrize("name", ["flush", "journal"])


@commands
def test_nobody_reads(name, tmp_path):
    """A closed pipe ends the command without a word, as other tools do."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "agentops_otel", name, "--journal-dir", tmp_path / "none"],
            env={"PYTHONPATH": str(ROOT / "src")},
            stdout=writer,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")
@commands
def test_no_room(name, tmp_path):
    """A full disk is told in one line, and the exit code says that something is wrong."""
    code, out, error = command(name, ">/dev/full", tmp_path / "none")
    assert (code, out, error) == (1, "", f"agentops-otel {name}: cannot print: No space left on device\n")


@commands
def test_no_output(name, tmp_path):
    """Without a standard output the work is done all the same."""
    assert command(name, ">&-", tmp_path / "none") == (0, "", "")


@commands
def test_an_output_that_knows_no_such_letters(name, tmp_path):
    """What cannot be encoded is shown by its number."""
    code, out, error = command(name, "", tmp_path / "größe", PYTHONIOENCODING="ascii", PYTHONUTF8="1")
    assert (code, error) == (0, "")
    assert "/gr\\xf6\\xdfe.\n" in out
