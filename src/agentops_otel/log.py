"""The log: the one logger of this package, in which every line says who speaks.

Without a logging configuration Python prints the bare text on standard error, among the lines of everybody else.
"""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Iterator
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
        os.fstat(stream.fileno())
    except OSError as error:  # also `io.UnsupportedOperation`, of a stream in memory
        return error.errno == errno.EBADF
    except Exception:
        return False
    return False


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
    if not able and logging.lastResort is not None and not _writes_nowhere(logging.lastResort):
        able = [logging.lastResort]
    for handler in able:
        if record.levelno >= handler.level:
            handler.handle(record)
    return False


logger.addFilter(_past_closed_streams)
