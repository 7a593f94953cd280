"""What happens when the process forks, in its order.

A thread that is there at a fork is a danger for the child, as it may hold any lock, and a warning since Python 3.12. So
ours are ended before, and come back with the next need of them. A fork waits for them no longer than for what is under
way, and not long for that.
"""

from __future__ import annotations

# Before our handlers are registered and any provider is made: the SDK's handler in a forked child uses a thread pool,
# and hangs when the pool's own handler, which frees the lock taken for the fork, was registered after it
# (https://github.com/python/cpython/blob/v3.11.7/Lib/concurrent/futures/thread.py#L34).
import concurrent.futures.thread  # noqa: F401
import os
from typing import Final, Protocol

from . import api, guard, loading
from .clock import monotonic
from .pipeline import ids
from .pipeline.batcher import BATCHERS
from .pipeline.delivery import EXPORTERS
from .pipeline.resource import RESOURCES
from .pipeline.worker import WORKERS
from .signals import on_greenlets
from .waker import WAKERS

_LONGEST_WAIT: Final = 1.0  # seconds
_SHORTEST_WAIT: Final = 0.02  # when a request to a backend that is down is under way
_PAUSE: Final = 10.0  # seconds without another long wait, after one that was in vain

_no_long_wait_before = 0.0


class _Pausable(Protocol):
    """What runs in a thread of ours, which ends before a fork."""

    def hold(self) -> None: ...
    def join(self, until: float) -> bool: ...
    def release(self) -> None: ...
    def after_fork(self) -> None: ...


def _background() -> list[_Pausable]:
    """In the order in which they come to an end: workers and batchers wait for a request, and not the other way."""
    return [*WORKERS, *BATCHERS, *EXPORTERS, *RESOURCES, *WAKERS]


def _before() -> None:
    global _no_long_wait_before  # noqa: PLW0603
    try:
        if on_greenlets():  # which are no threads, and a hub must not wait for them
            return
        is_brief = monotonic() >= _no_long_wait_before and not any(exporter.is_stuck for exporter in list(EXPORTERS))
        background = _background()
        for each in reversed(background):  # so that what a batcher still hands over begins no request
            each.hold()
        until = monotonic() + (_LONGEST_WAIT if is_brief else _SHORTEST_WAIT)
        ended = [each.join(until) for each in background]
        if is_brief and not all(ended):
            _no_long_wait_before = monotonic() + _PAUSE
    except Exception:
        guard.report("fork")
    finally:
        loading.hold()  # last, as the threads may have had to import something


def _in_parent() -> None:
    loading.release()
    for each in _background():
        each.release()
    api.after_fork_in_parent()


def _in_child() -> None:
    loading.after_fork()
    ids.after_fork()
    for each in _background():
        each.after_fork()
    if on_greenlets():
        for batcher in BATCHERS:
            batcher.start_later()
    api.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
