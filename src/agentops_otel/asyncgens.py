"""An asynchronous generator inside another one, of which the event loop hears nothing.

A loop closes the generators that are left at its end all at once: the one inside, too, while the one around it does so.
https://docs.python.org/3/library/sys.html#sys.set_asyncgen_hooks
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TypeVar

_Step = TypeVar("_Step")


def _left(inner: object) -> None:
    """In place of the loop's finalizer: the collector must not close what the loop is about to close from outside."""


def first_of_inner(step: Callable[[], _Step]) -> _Step:
    """The first step of a generator, which is when the loop would hear of it; what it does then is not hidden."""
    hooks = None
    try:
        hooks = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(None, None if hooks.finalizer is None else _left)
    except Exception:  # noqa: S110  (an audit hook may forbid it)
        pass
    try:
        return step()
    finally:
        try:
            if hooks is not None:
                sys.set_asyncgen_hooks(*hooks)
        except Exception:  # noqa: S110  (as above)
            pass
