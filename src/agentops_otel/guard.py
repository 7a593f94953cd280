"""What becomes of an error of our own: logged once for each place, never seen by the host, raised under our own tests.

The pattern, cheap enough for every call of a user's function (a context manager is not)::

    try:
        ...  # our work
    except Exception:
        guard.report("@tool search")
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from .log import logger
from .text import is_of_signal_handler

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


reraise = False
"""Whether `report()` raises the error instead of logging it; our own tests set it."""

_reported: set[str] = set()


def logged(where: str, instead: T) -> Callable[[Callable[P, R]], Callable[P, R | T]]:
    """Decorate a call of the API that lets no error out: `report()` it, and return `instead`."""

    def decorate(function: Callable[P, R]) -> Callable[P, R | T]:
        @functools.wraps(function)
        def wrapper(*args: P.args, **kwargs: P.kwargs) -> R | T:
            try:
                return function(*args, **kwargs)
            except Exception:
                report(where)
                return instead

        return wrapper

    return decorate


def run(hook: Callable[..., R], *args: Any) -> R | None:
    """What `hook(*args)` returns, or None when it failed, which is reported once for each hook.

    The gate between a hook of ours and the user's call. Only `Exception` is caught: a KeyboardInterrupt that arrives
    while a hook runs belongs to the user, as does what the program's own handler of a signal raises.
    """
    try:
        return hook(*args)
    except Exception:
        report(getattr(hook, "__qualname__", type(hook).__name__))
        return None


def report(where: str, *, ours: bool = True) -> None:
    """Log the error being handled, once for each `where`; call it inside an ``except`` block.

    Args:
        where: what failed.
        ours: False for code of the program's own that we call: no test of ours needs to see its error raised.

    The line names the error's type and where it was raised but not its text, which can quote a prompt; the traceback is
    at debug level.
    """
    error = sys.exc_info()[1]
    if error is None:
        return
    if (reraise and ours) or is_of_signal_handler(error):
        raise error
    try:
        if where in _reported:
            return
        _reported.add(where)
        what = "internal error" if ours else "error"
        logger.warning("%s in %.100s: %.100s at %.200s", what, where, type(error).__name__, _place(error))
        logger.debug("%s in %.100s", what, where, exc_info=error)
    except Exception:  # noqa: S110  (the host's logging raised: there is nowhere left to tell)
        pass


def _place(error: BaseException) -> str:
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    return "an unknown place" if traceback is None else f"{traceback.tb_frame.f_code.co_filename}:{traceback.tb_lineno}"
