"""What the extras of the package bring, and what of it is missing."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Final

EXTRAS: Final = {"grpc": ("grpc",), "server": ("jinja2", "markupsafe", "rich", "starlette", "uvicorn")}


def missing(extra: str) -> list[str]:
    """The modules of an extra that are not installed."""
    return [name for name in EXTRAS[extra] if not is_installed(name)]


def require(extra: str) -> None:
    """Say now what is missing, not in the middle of the work.

    Raises:
        ModuleNotFoundError: a module of the extra is not installed.
    """
    for name in missing(extra):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def is_installed(module: str) -> bool:
    """Whether a module could be imported; it is not."""
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):  # a finder of the program says no, or a stand-in is imported already
        return False
