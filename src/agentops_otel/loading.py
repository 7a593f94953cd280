"""Imports made by our threads, kept apart from forks.

A fork while another thread imports leaves that module's import lock taken for ever in the child, and an import of
the module there hangs (https://github.com/python/cpython/issues/83065).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

_LONGEST_WAIT = 2.0  # seconds that a fork waits for our imports

_importing = threading.Lock()
_holds = False  # whether the forking thread has the lock


def load(*modules: str) -> None:
    """Import modules for later use; one that is not installed is no error here, but where it is used."""
    with apart_from_forks():
        for module in modules:
            try:
                import_module(module)
            except ImportError:
                continue


@contextmanager
def apart_from_forks() -> Iterator[None]:
    """A block that imports, for which a fork waits."""
    with _importing:
        yield


def hold() -> None:
    """Before a fork: wait until nothing is imported here."""
    global _holds  # noqa: PLW0603
    _holds = _importing.acquire(timeout=_LONGEST_WAIT)


def release() -> None:
    """In the parent, after the fork."""
    if _holds:
        _importing.release()


def after_fork() -> None:
    """In the child."""
    global _importing  # noqa: PLW0603
    _importing = threading.Lock()
