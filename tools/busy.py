"""`make test-busy`: run a program beside two processes that use all the processor time they can get.

    python tools/busy.py COMMAND [ARGUMENT ...]

The exit code is the program's. The two end with this one, however it ends.
"""

from __future__ import annotations

import os
import subprocess
import sys

# SIGINT, which Ctrl-C sends to all of them, is for the program. Who kills this process cannot stop the two: they look.
_SPIN = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
while os.getppid() == int(sys.argv[1]):
    sum(range(200_000))
"""


def main(command: list[str]) -> int:
    """Run the command; returns its exit code."""
    spinning: list[subprocess.Popen[bytes]] = []
    try:
        while len(spinning) < 2:
            spinning.append(subprocess.Popen([sys.executable, "-c", _SPIN, str(os.getpid())]))
        return subprocess.run(command, check=False).returncode
    except KeyboardInterrupt:
        return 130
    finally:
        for process in spinning:
            process.kill()
            process.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
