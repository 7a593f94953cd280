"""Where a box keeps what it has: the store, and beside it the token and what says which box is running."""

from __future__ import annotations

import os
import sys


def data_directory() -> str:
    """The folder of a user's box.

    https://specifications.freedesktop.org/basedir-spec/latest/ names it; on Windows it is the local application data.
    """
    base = os.environ.get("LOCALAPPDATA" if sys.platform == "win32" else "XDG_DATA_HOME", "")
    if not os.path.isabs(base):
        base = os.path.join(os.path.expanduser("~"), ".local", "share")
    return os.path.join(base, "agentops-otel")


def database_path(given: str | None = None) -> str:
    """The store's file: `given`, else the one of this user."""
    return os.path.abspath(os.path.expanduser(given)) if given else os.path.join(data_directory(), "sessions.db")
