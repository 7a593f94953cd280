"""A real Chromium before a box, and what a page must never do."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.backends.box import Box
from tools.browser import ARGUMENTS


@dataclass
class Seen:
    """What a page did that it must not: console errors, broken rules of the CSP, requests to other hosts, dialogs."""

    origin: str
    allowed: str | None = None
    """A pattern of messages that are right here: those of a browser whose server is gone."""
    faults: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        """Listen to a page from now on."""
        page.on("console", lambda message: message.type in ("error", "warning") and self._said(message.text))
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("request", lambda request: self._request(request.url))
        page.on("dialog", lambda dialog: (self.faults.append(f"dialog {dialog.message}"), dialog.dismiss()))

    def _said(self, text: str) -> None:
        if self.allowed is None or not re.search(self.allowed, text):
            self.faults.append(text)

    def _request(self, url: str) -> None:
        if not url.startswith((self.origin, "data:", "blob:", "about:")):
            self.faults.append(f"request to {url}")


@pytest.fixture
def make_box(tmp_path: Path) -> Iterator[Callable[..., Box]]:
    """Starts boxes, and ends them with the test."""
    boxes: list[Box] = []

    def make(*arguments: str, start: bool = True) -> Box:
        box = Box(tmp_path / f"box{len(boxes)}", arguments)
        box.folder.mkdir(mode=0o700)
        boxes.append(box)
        return box.start() if start else box

    yield make
    for box in boxes:
        box.stop()


@pytest.fixture
def box(make_box: Callable[..., Box]) -> Box:
    """An empty box."""
    return make_box()


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """One Chromium for a module: its event loop runs meanwhile, in which no other test may run one of its own."""
    expect.set_options(timeout=20_000)  # five seconds are too few beside other tests on a slow machine
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=list(ARGUMENTS))
        yield launched
        launched.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens pages, each in a context of its own, and checks at the end that none did what it must not."""
    opened: list[tuple[Page, Seen]] = []

    def open_it(
        url: str,
        *,
        width: int = 1440,
        height: int = 900,
        scheme: str = "light",
        allowed: str | None = None,
        origin: str | None = None,
        **more: object,
    ) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=scheme,  # type: ignore[arg-type]
            **more,  # type: ignore[arg-type]
        )
        page = context.new_page()
        seen = Seen(origin or re.match(r"\w+:[^/]*(//[^/]*)?", url)[0], allowed)  # type: ignore[index]
        seen.watch(page)
        page.goto(url)
        opened.append((page, seen))
        return page

    yield open_it
    faults = [fault for _, seen in opened for fault in seen.faults]
    for page, _ in opened:
        page.context.close()
    assert not faults


def texts(page: Page, selector: str) -> Sequence[str]:
    """The texts of all elements of a selector."""
    return [text.strip() for text in page.locator(selector).all_inner_texts()]
