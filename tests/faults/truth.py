"""What a victim does, and what it says of it: each id of a span that has ended is one `os.write()` to the truth file.

Runs in the victim's process. A write reaches the kernel at once, so the file is right however the process ends.
"""

from __future__ import annotations

import faulthandler
import os
import select
import sys
import time
from typing import Any

from opentelemetry import trace

import agentops_otel as agentops
from tests.fakes.program import starved

_LATE = 3.0  # seconds from the end of the main program

_file = os.open(os.environ["TRUTH"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
_late_file = os.open(os.environ["TRUTH"] + ".late", os.O_WRONLY | os.O_CREAT, 0o600)
_tracer = trace.get_tracer("victim")


def tell(what: str, value: object) -> None:
    """Write a line of truth."""
    os.write(_file, f"{what} {value}\n".encode())


def start(**settings: Any) -> None:
    """Start a session and say that it is there."""
    tell("session", agentops.init(**settings))
    print("ready", flush=True)


def span(name: str = "work", **attributes: Any) -> None:
    """Record a span; its id is told after its end."""
    with _tracer.start_as_current_span(name, attributes=attributes) as made:
        pass
    tell("span", format(made.get_span_context().span_id, "016x"))


def spans(count: int, per_second: float = 0.0, **attributes: Any) -> None:
    """Record spans, as fast as possible or evenly."""
    due = time.monotonic()
    for _ in range(count):
        span(**attributes)
        if per_second:
            due += 1 / per_second
            time.sleep(max(0.0, due - time.monotonic()))


def spans_until_told(per_second: float) -> None:
    """Record spans evenly until the test says to go on."""
    due = time.monotonic()
    while True:
        span()
        due += 1 / per_second
        if select.select([sys.stdin], [], [], max(0.0, due - time.monotonic()))[0]:
            sys.stdin.readline()
            return


def tell_memory() -> None:
    """Tell the most memory that this process has used, in KiB.

    Not `ru_maxrss`, which begins with what the starting process used (https://man7.org/linux/man-pages/man2/getrusage.2.html,
    BUGS: it is kept across execve).
    """
    with open("/proc/self/status", encoding="ascii") as status:
        tell("memory", next(line.split()[1] for line in status if line.startswith("VmHWM:")))


def pause() -> None:
    """Wait until the test says to go on."""
    print("waiting", flush=True)
    sys.stdin.readline()


def tell_end() -> None:
    """Tell that the main program is over; a process that is late then writes where its threads stand."""
    faulthandler.dump_traceback_later(_LATE, file=_late_file)
    tell("starved", starved(os.getpid()))
    tell("main", time.monotonic())
