"""Live pages: ``GET /live`` says which sessions have changed, as server-sent events; the page fetches what it shows.

    retry: 1000
    event: hello      data: {"now_ms": 1796000000000, "version": "0.9.0"}
    event: sessions   data: {"ids": ["01b6…"], "now_ms": …}      these have changed, or are new
    event: received   data: {"spans": 12, "logs": 3, "refused": 1, "reason": "…"}    at most one a second
    event: refetch    data: {}      something was missed: fetch all that is shown

Events of one kind are gathered for a fifth of a second. Each but ``hello`` has an ``id``; a browser that comes back
with ``Last-Event-ID`` gets what it has missed, or ``refetch`` when that is too long ago or of another run of the box.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections import deque
from collections.abc import AsyncIterator, Iterable
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from ..version import __version__
from .counts import Counts
from .problem import Problem

PATH: Final = "/live"
_GATHER: Final = 0.2  # seconds
_HEARTBEAT: Final = 15.0  # seconds; proxies end what is silent for longer
_HISTORY: Final = 512  # events
_QUEUE: Final = 64  # events for one page, which is then told to fetch all
_MOST_PAGES: Final = 40
_MOST_IDS: Final = 500  # in one event


class Live:
    """Tells pages what has changed. Everything but `changed` is for the event loop alone.

    Args:
        counts: what the receiver counts, for pages that wait for a first span.
    """

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._run = secrets.token_hex(4)
        self._number = 0
        self._history: deque[tuple[int, str]] = deque(maxlen=_HISTORY)
        self._pages: set[asyncio.Queue[str | None]] = set()
        self._changed: dict[str, None] = {}
        self._told: tuple[int, ...] = ()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake = asyncio.Event()
        self._closed = False

    def changed(self, sessions: Iterable[str]) -> None:
        """Say that sessions have changed; from any thread."""
        ids = list(sessions)
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._gather, ids)

    def _gather(self, ids: list[str]) -> None:
        self._changed.update(dict.fromkeys(ids))
        if ids:
            self._wake.set()

    async def run(self) -> None:
        """Send what was gathered, until it is cancelled."""
        self._loop = asyncio.get_running_loop()
        second = 0.0
        while True:
            try:
                await asyncio.wait_for(self._wake.wait(), 1.0)
                await asyncio.sleep(_GATHER)
            except asyncio.TimeoutError:
                pass
            self._wake.clear()
            if self._changed:
                ids, self._changed = list(self._changed), {}
                now_ms = time.time_ns() // 1_000_000
                for first in range(0, len(ids), _MOST_IDS):
                    self._send("sessions", {"ids": ids[first : first + _MOST_IDS], "now_ms": now_ms})
            if time.monotonic() - second >= 1.0:
                second = time.monotonic()
                self._tell_counts()

    def _tell_counts(self) -> None:
        now = self._counts.read(time.time_ns())
        by_signal = {each.signal: each.records for each in now.accepted}
        refused = sum(each.requests + each.records for each in now.refused)
        sums = by_signal.get("traces", 0), by_signal.get("logs", 0), refused
        if sums == self._told or not any(sums):
            return
        self._told = sums
        reason = now.refused[0].reason if now.refused else ""
        self._send("received", {"spans": sums[0], "logs": sums[1], "refused": refused, "reason": reason})

    def _send(self, event: str, data: dict[str, Any]) -> None:
        self._number += 1
        text = _event(event, data, f"{self._run}-{self._number}")
        self._history.append((self._number, text))
        for page in self._pages:
            try:
                page.put_nowait(text)
            except asyncio.QueueFull:  # a page that does not read: what it missed is less than the whole
                while not page.empty():
                    page.get_nowait()
                page.put_nowait(_event("refetch", {}, f"{self._run}-{self._number}"))

    def close(self) -> None:
        """End the events of every page."""
        self._closed = True
        for page in self._pages:
            while page.full():
                page.get_nowait()
            page.put_nowait(None)

    async def answer(self, request: Request) -> Response:
        """The events for one page, without end."""
        if len(self._pages) >= _MOST_PAGES or self._closed:
            raise Problem(
                503, f"{len(self._pages)} pages are live already.", todo="Close some, and load this one again."
            )
        return StreamingResponse(
            self._events(request.headers.get("last-event-id", "")),
            media_type="text/event-stream",
            headers={"cache-control": "no-store", "x-accel-buffering": "no"},
        )

    async def _events(self, last: str) -> AsyncIterator[str]:
        page: asyncio.Queue[str | None] = asyncio.Queue(_QUEUE)
        self._pages.add(page)
        try:
            hello = {"now_ms": time.time_ns() // 1_000_000, "version": __version__}
            yield "retry: 1000\n" + _event("hello", hello)
            for text in self._missed(last):
                yield text
            while True:
                try:
                    following = await asyncio.wait_for(page.get(), _HEARTBEAT)
                except asyncio.TimeoutError:
                    yield ":\n\n"
                    continue
                if following is None:
                    return
                yield following
        finally:
            self._pages.discard(page)

    def _missed(self, last: str) -> list[str]:
        """The events since the last one that a page has had."""
        if not last:
            return []
        run, _, text = last.partition("-")
        number = int(text) if text.isascii() and text.isdigit() and len(text) < 12 else -1
        oldest = self._history[0][0] if self._history else self._number + 1
        if run != self._run or not oldest - 1 <= number <= self._number:
            return [_event("refetch", {}, f"{self._run}-{self._number}")]
        return [text for each, text in self._history if each > number]


def _event(name: str, data: dict[str, Any], number: str = "") -> str:
    head = f"id: {number}\n" if number else ""
    return f"{head}event: {name}\ndata: {json.dumps(data)}\n\n"
