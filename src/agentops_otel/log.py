"""The log: the one logger of this package, in which every line says who speaks.

Without a logging configuration Python prints the bare text on standard error, among the lines of everybody else.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import select
from collections.abc import Iterator
from io import BufferedWriter, TextIOWrapper
from typing import Any, Final

SPEAKER: Final = "agentops-otel: "
"""How every line begins that a user can see, also those that are printed and not logged."""


def _sign(record: logging.LogRecord) -> bool:
    if not str(record.msg).startswith(SPEAKER):
        record.msg = f"{SPEAKER}{record.msg}"
    return True


logger: Final = logging.getLogger("agentops_otel")
logger.addFilter(_sign)


def _handlers() -> Iterator[logging.Handler]:
    at: logging.Logger | None = logger
    while at is not None:
        yield from at.handlers
        at = at.parent if at.propagate else None


def is_closed(stream: Any) -> bool:
    """Whether nothing can be written to a stream any more, because the program has closed it or its descriptor.

    What is left in its buffer then would turn the program's exit code into 120.
    """
    if getattr(stream, "closed", False) is True:
        return True
    try:
        descriptor = stream.fileno()
        os.fstat(descriptor)
        return _has_no_reader(descriptor)
    except OSError as error:  # also `io.UnsupportedOperation`, of a stream in memory
        return error.errno == errno.EBADF
    except Exception:
        return False


def _has_no_reader(descriptor: int) -> bool:
    """Whether it is the end of a pipe whose other end is closed."""
    if not hasattr(select, "poll"):  # Windows
        return False
    poll = select.poll()
    poll.register(descriptor, 0)
    return any(events & select.POLLERR for _, events in poll.poll(0))


def write_line(stream: Any, line: str) -> None:
    """Write a line to a stream, past the buffer of a file: a line that a full disk does not take would stay there.

    Raises:
        OSError: it cannot be written.
    """
    stream.flush()
    if type(stream) is not TextIOWrapper or type(stream.buffer) is not BufferedWriter:
        stream.write(f"{line}\n")
        stream.flush()
        return
    data = f"{line}{os.linesep}".encode(stream.encoding, stream.errors or "strict")
    while data:
        data = data[os.write(stream.fileno(), data) :]


def _writes_nowhere(handler: logging.Handler) -> bool:
    try:
        return is_closed(handler.stream)  # type: ignore[attr-defined]
    except Exception:  # most handlers have no stream
        return False


def _past_closed_streams(record: logging.LogRecord) -> bool:
    """Write a line ourselves when a handler's stream is closed: at the exit of the process many are.

    The handler would print "Logging error" and a traceback of our code. Without a handler that can write, standard
    error gets the line.
    """
    handlers = list(_handlers())
    able = [handler for handler in handlers if not _writes_nowhere(handler)]
    if able and len(able) == len(handlers):
        return True
    for handler in able:
        if record.levelno >= handler.level:
            handler.handle(record)
    last: Any = logging.lastResort
    if not able and last is not None and record.levelno >= last.level and not _writes_nowhere(last):
        with contextlib.suppress(Exception):
            write_line(last.stream, last.format(record))
    return False


logger.addFilter(_past_closed_streams)
