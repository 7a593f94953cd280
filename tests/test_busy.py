"""`tools/busy.py`: the processes that keep the machine busy end with it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

BUSY = Path(__file__).parents[1] / "tools" / "busy.py"
COMMAND = "import sys; sys.stdin.readline(); sys.exit(3)"


def start() -> tuple[subprocess.Popen, list[psutil.Process]]:
    """Run a program that waits for a line, beside the spinning processes; returns these too."""
    # A child is deaf for signals that its parent ignores, as in the background of a shell without job control.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        process = subprocess.Popen(
            [sys.executable, str(BUSY), sys.executable, "-c", COMMAND],
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    finally:
        signal.signal(signal.SIGINT, before)
    deadline = time.monotonic() + 30
    spinning: list[psutil.Process] = []
    while len(spinning) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
        with contextlib.suppress(psutil.Error):
            children = psutil.Process(process.pid).children()
            spinning = [child for child in children if "getppid" in "".join(child.cmdline())]
    return process, spinning


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
@pytest.mark.parametrize(
    ("number", "code"),
    [
        pytest.param(0, 3, id="failure"),
        pytest.param(signal.SIGINT, 130, id="Ctrl-C"),
        pytest.param(signal.SIGTERM, -signal.SIGTERM, id="SIGTERM"),
        pytest.param(signal.SIGKILL, -signal.SIGKILL, id="SIGKILL"),
    ],
)
def test_no_spinning_process_is_left(number, code):
    """However the run ends: by itself, by Ctrl-C at the terminal, by a signal that cannot be handled."""
    process, spinning = start()
    try:
        assert len(spinning) == 2
        if number == signal.SIGINT:
            os.killpg(process.pid, number)
        elif number:
            os.kill(process.pid, number)
        else:
            process.stdin.write(b"\n")
            process.stdin.flush()
        assert process.wait(30) == code
        assert psutil.wait_procs(spinning, 30)[1] == []
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.stdin.close()
