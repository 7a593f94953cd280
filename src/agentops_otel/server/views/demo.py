"""Recorded sessions for a box that has none yet."""

from __future__ import annotations

from ..demo import load
from ..page import Asked, action


@action("/demo")
def demo(asked: Asked) -> str:
    """Load the recorded sessions, and go to one that is worth a look."""
    ids = load(asked.store, asked.now_ns)
    return f"/s/{ids[1]}"
