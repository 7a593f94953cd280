"""`make screenshots`: the pages of a box full of sessions, as pictures in docs/images.

    python tools/screenshots.py [--into FOLDER] [--all]

Without `--all` only the pictures that the docs show; with it every page at three widths in both themes, and the box
with no session and with one.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from playwright.sync_api import Browser, sync_playwright  # noqa: E402 (the program is run by its path)

from tests.backends.box import Box  # noqa: E402
from tests.fakes import plays  # noqa: E402
from tools.browser import ARGUMENTS, installed  # noqa: E402


class Shot(NamedTuple):
    """One picture: its name, the page, and how it is looked at."""

    name: str
    path: str
    width: int = 1440
    scheme: Literal["light", "dark"] = "light"
    whole: bool = True
    height: int = 900


def main() -> None:
    """Start a box, fill it, and take the pictures."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--into", type=Path, default=ROOT / "docs" / "images")
    options.add_argument("--all", action="store_true")
    given = options.parse_args()
    given.into.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=installed(), args=list(ARGUMENTS))
        box = Box(Path(folder)).start()
        try:
            if given.all:
                _take(browser, box, given.into, _every({"empty": "/"}))
                box.post(plays.refund(time.time_ns() - 60_000_000_000))
                _take(browser, box, given.into, [Shot("one-session", "/", whole=False)])
            running = plays.ci_medic(time.time_ns())
            box.post(running, *plays.scene(time.time_ns())[1:])
            pages = _pages(box, running.session_id)
            _take(browser, box, given.into, _every(pages) if given.all else _shown(pages))
        finally:
            box.stop()
            browser.close()


def _pages(box: Box, running: str) -> dict[str, str]:
    rows = box.json("/sessions.json?limit=200")["sessions"]

    def of(name: str, state: str) -> str:
        return next(str(row["session_id"]) for row in rows if (row["name"], row["state"]) == (name, state))

    failed, well = of("support-desk", "fail"), of("support-desk", "success")
    tabs = ("waterfall", "replay", "calls", "errors", "raw")
    return {
        "sessions": "/",
        "session": f"/s/{running}",
        **{f"session-{tab}": f"/s/{running}?tab={tab}" for tab in tabs},
        "session-failed": f"/s/{failed}",
        "costs": "/costs?since=7d",
        "errors": "/errors?since=7d",
        "tools": "/tools?since=7d",
        "models": "/models?since=7d",
        "compare": f"/compare?a={well}&b={failed}",
        "search": "/search?q=refund",
        "system": "/system",
    }


def _shown(pages: dict[str, str]) -> Iterator[Shot]:
    """What the README and the docs show."""
    for name in ("sessions", "session", "session-waterfall", "session-failed", "costs", "errors", "compare"):
        yield Shot(name, pages[name], whole=name != "sessions")
    yield Shot("session-dark", pages["session"], scheme="dark")
    yield Shot("sessions-390", pages["sessions"], width=390, whole=False)


def _every(pages: dict[str, str]) -> Iterator[Shot]:
    for name, path in pages.items():
        yield Shot(name, path)
        yield Shot(f"{name}-dark", path, scheme="dark")
        yield Shot(f"{name}-1024", path, width=1024)
        yield Shot(f"{name}-390", path, width=390)


def _take(browser: Browser, box: Box, folder: Path, shots: Iterable[Shot]) -> None:
    for shot in shots:
        context = browser.new_context(
            viewport={"width": shot.width, "height": shot.height}, color_scheme=shot.scheme, reduced_motion="reduce"
        )
        page = context.new_page()
        page.goto(box.url + shot.path)
        page.wait_for_timeout(300)  # for what scripts add
        page.screenshot(path=folder / f"{shot.name}.png", full_page=shot.whole, animations="disabled")
        context.close()
        print(folder / f"{shot.name}.png")


if __name__ == "__main__":
    main()
