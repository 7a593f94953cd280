"""A page in the browser of this desktop, where there is one."""

from __future__ import annotations

import contextlib
import os
import sys
import webbrowser


def show(url: str) -> bool:
    """Open an address; False where there is no browser that has a window."""
    if sys.platform.startswith("linux") and not any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))):
        return False  # else a browser that draws in the terminal would take it
    with contextlib.suppress(Exception):
        return webbrowser.open(url)
    return False
