"""One session over two processes: the child joins because of the variables that its parent hands on.

Run `python examples/two_processes.py`.
"""

from __future__ import annotations

import os
import subprocess
import sys

import agentops_otel as agentops


@agentops.tool
def count_words(text: str) -> int:
    """Count words, in whichever process this runs."""
    return len(text.split())


def parent() -> None:
    """Own the session; start a worker in it."""
    agentops.init(name="two processes")
    session = agentops.current_session()
    count_words("one two three")
    environ = {**os.environ, **session.environ()}
    subprocess.run([sys.executable, __file__, "worker"], env=environ, check=True)  # noqa: S603  (our own program)
    agentops.end_session("Success")
    print(f"session {session.session_id}")


def worker() -> None:
    """Take part in the parent's session: nothing but `init()` is needed."""
    session_id = agentops.init()
    count_words("four five")
    print(f"worker {os.getpid()} is part of {session_id}")


if __name__ == "__main__":
    worker() if "worker" in sys.argv else parent()
