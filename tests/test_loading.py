"""Imports of our threads and forks keep out of each other's way."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

from agentops_otel import loading
from tests.fakes.program import run


def test_modules_are_loaded_and_missing_ones_left():
    """What can be imported is there afterwards; what is not installed is found out where it is used."""
    sys.modules.pop("this", None)
    loading.load("agentops_no_such_module", "agentops_otel.semconv")
    assert "agentops_otel.semconv" in sys.modules


def test_a_fork_waits_for_an_import(tmp_path):
    """A child forked while our thread imports can import the same module itself."""
    (tmp_path / "slow_module.py").write_text("import time\ntime.sleep(0.5)\nready = True\n")
    ended = run(
        f"""
        import os, sys, threading, time
        sys.path.insert(0, {str(tmp_path)!r})
        from agentops_otel import loading
        thread = threading.Thread(target=loading.load, args=("slow_module",))
        thread.start()
        time.sleep(0.1)
        if not (pid := os.fork()):
            threading.Timer(5, os._exit, (9,)).start()
            import slow_module
            os._exit(0 if slow_module.ready else 1)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        """
    )
    assert ended.out == "0\n", ended.err


def test_a_fork_does_not_wait_for_ever(monkeypatch):
    """An import that hangs delays a fork by a bounded time, and the lock is left to who has it."""
    monkeypatch.setattr(loading, "_LONGEST_WAIT", 0.05)
    held = threading.Event()
    release = threading.Event()

    def hold():
        with loading._importing:
            held.set()
            release.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(5)
    loading.hold()
    loading.release()
    assert loading._importing.locked()
    release.set()
    thread.join()
    loading.hold()
    assert loading._importing.locked()
    loading.release()
    assert not loading._importing.locked()


def test_a_file_of_the_program_named_secrets(tmp_path):
    """It stands before the module of the standard library, and holds keys as a rule."""
    (tmp_path / "secrets.py").write_text('KEY = "mine"\n')
    (tmp_path / "main.py").write_text(
        "import agentops_otel as agentops, secrets\n"
        "agentops.init(endpoint='http://127.0.0.1:9', summary=False)\n"
        "agentops.record(agentops.ActionEvent('x'))\n"
        "agentops.end_session('Success')\n"
        "print(secrets.KEY)\n"
    )
    variables = {**os.environ, "AGENTOPS_JOURNAL_DIR": str(tmp_path / "journal")}
    done = subprocess.run(
        [sys.executable, "main.py"], cwd=tmp_path, env=variables, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "mine\n"
    assert "internal error" not in done.stderr


def test_prices_while_memory_is_traced(tmp_path):
    """With tracemalloc on, the table of prices would take minutes to load: calls have no cost, and one line says so."""
    program = (
        "import tracemalloc; tracemalloc.start()\n"
        "from agentops_otel.pricing import cost\n"
        "from agentops_otel.usage import Usage\n"
        "print(cost('openai', 'gpt-4o', Usage(1)), cost('openai', 'gpt-4o', Usage(1)))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "None None\n"
    assert done.stderr.count("costs are not computed") == 1
