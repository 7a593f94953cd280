"""Which sessions change at a running box, as it says in its stream of server-sent events."""

from __future__ import annotations

import contextlib
import http.client
import json
import queue
import threading
import time
from collections.abc import Iterator
from typing import Final, Protocol

from .source import connect, credentials, is_own

_SILENCE: Final = 45.0  # seconds; a box says something every 15
_AGAIN: Final = 1.0  # seconds until the next attempt
LIVE: Final = "/live"


class Changes:
    """The changes at one box, read by a thread that comes back after a lost connection.

    Args:
        url: of the box.
        named: whether the user has named it. Where we only look for one, no token is sent before it has shown that it
            knows the token.
    """

    def __init__(self, url: str, *, named: bool) -> None:
        self._url = url
        self._named = named
        self._found: queue.SimpleQueue[list[str] | None] = queue.SimpleQueue()
        self._last = ""
        self._answered = threading.Event()
        self.connected: bool = False
        """Whether the box tells now what changes."""
        threading.Thread(target=self._run, name="agentops-changes", daemon=True).start()

    def ready(self, seconds: float) -> bool:
        """Wait until the box tells what changes, or has refused to; whether it does."""
        self._answered.wait(seconds)
        return self.connected

    def wait(self, seconds: float) -> list[str] | None:
        """The ids of sessions that have changed; None when all must be looked at: some were missed, or time is up."""
        ids: dict[str, None] = {}
        try:
            found = self._found.get(timeout=seconds)
            while found is not None:
                ids.update(dict.fromkeys(found))
                found = self._found.get_nowait()
        except queue.Empty:
            return list(ids) or None
        return None

    def _run(self) -> None:
        while True:
            with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
                self._read()
            if self.connected:
                self.connected = False
                self._found.put(None)
            self._answered.set()
            time.sleep(_AGAIN)

    def _read(self) -> None:
        with connect(self._url, _SILENCE) as (connection, prefix, host):
            connection.request("GET", f"{prefix}{LIVE}", headers=self._headers(host))
            answer = connection.getresponse()
            if answer.status != 200:
                return
            for name, number, data in events(answer):
                self._last = number or self._last
                if name == "hello":
                    self.connected = True
                    self._found.put(None)
                    self._answered.set()
                elif name == "sessions":
                    self._found.put([str(each) for each in json.loads(data)["ids"]])
                elif name == "refetch":
                    self._found.put(None)

    def _headers(self, host: str) -> dict[str, str]:
        seen = {"last-event-id": self._last} if self._last else {}
        known = credentials(host) if self._named or is_own(self._url) else {}
        return {"accept": "text/event-stream", **known, **seen}


class Lines(Protocol):
    """What bytes are read from, line by line."""

    def readline(self, limit: int, /) -> bytes:
        """The next line with its end, at most so many bytes of it; nothing at the end."""


def events(answer: Lines) -> Iterator[tuple[str, str, str]]:
    """Name, id and data of each event of a stream, until it ends.

    https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
    """
    fields: dict[str, str] = {}
    while line := answer.readline(1 << 20):
        text = line.decode("utf-8", "replace").rstrip("\r\n")
        if text:
            name, _, value = text.partition(":")
            value = value.removeprefix(" ")
            fields[name] = f"{fields[name]}\n{value}" if name == "data" and name in fields else value
        elif fields:
            if "data" in fields:
                yield fields.get("event", "message"), fields.get("id", ""), fields["data"]
            fields = {}
