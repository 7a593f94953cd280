"""Writes what pages of docs/ repeat of the package: `python -m tools.pages`.

With `--check` it writes nothing, names the pages that are not current, and returns 1 if there is one.
"""

from __future__ import annotations

import sys
from pathlib import Path

from . import cli, sdks, settings

DOCS = Path(__file__).parents[2] / "docs"
PAGES = {"cli.md": cli.generated, "sdks.md": sdks.generated, "settings.md": settings.generated}


def main(arguments: list[str]) -> int:
    """Write or check the pages; returns the exit code."""
    stale = 0
    for name, generated in PAGES.items():
        page = (DOCS / name).read_text(encoding="utf-8")
        current = generated(page)
        if page == current:
            continue
        if "--check" in arguments:
            stale = 1
            print(f"docs/{name} is not current: run python -m tools.pages", file=sys.stderr)
        else:
            (DOCS / name).write_text(current, encoding="utf-8")
    return stale


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
