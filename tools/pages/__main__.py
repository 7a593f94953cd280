"""Writes what pages of docs/ repeat of the package: `python -m tools.pages`.

With `--check` it writes nothing, names the pages that are not current, and returns 1 if there is one.
"""

from __future__ import annotations

import sys
from pathlib import Path

from . import cli, sdks, settings

DOCS = Path(__file__).parents[2] / "docs"
PAGES = {"cli.md": cli, "sdks.md": sdks, "settings.md": settings}
END = "<!-- end of the table -->\n"


def current(name: str, page: str) -> str:
    """A page with what it repeats as it is now: between the two marks, or behind the first, where it is the rest."""
    part = PAGES[name]
    before, _, rest = page.partition(part.BEGIN)
    _, end, after = rest.partition(END)
    return f"{before}{part.BEGIN}{part.generated()}{end}{after}"


def main(arguments: list[str]) -> int:
    """Write or check the pages; returns the exit code."""
    stale = 0
    for name in PAGES:
        page = (DOCS / name).read_text(encoding="utf-8")
        if page == (now := current(name, page)):
            continue
        if "--check" in arguments:
            stale = 1
            print(f"docs/{name} is not current: run python -m tools.pages", file=sys.stderr)
        else:
            (DOCS / name).write_text(now, encoding="utf-8")
    return stale


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
