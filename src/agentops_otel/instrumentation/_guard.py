"""The gate between our hooks and the user's call: each runs through `run()`, and what fails in one stays in here.

Only `Exception` is caught: a KeyboardInterrupt that arrives while a hook runs belongs to the user.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from .. import guard

Result = TypeVar("Result")


def run(hook: Callable[..., Result], *args: Any) -> Result | None:
    """What `hook(*args)` returns, or None when it failed, which is reported once for each hook."""
    try:
        return hook(*args)
    except Exception:
        guard.report(getattr(hook, "__qualname__", type(hook).__name__))
        return None
