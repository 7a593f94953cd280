"""One connection to the box: uvicorn's, with times after which a slow sender is let go, and a place for a new one.

A client that opens connections and says nothing must not keep others out.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

_HEADERS: Final = 10.0  # seconds for a request line and headers
_BODY: Final = 30.0  # seconds for a body
_MOST: Final = 64
_GRPC: Final = b"PRI * HTTP/2"  # https://www.rfc-editor.org/rfc/rfc9113#section-3.4
# By an answer of HTTP/1 a sender knows what is wrong, and says so; a connection without one can mean anything.
_NO_GRPC: Final = b"HTTP/1.1 505 HTTP Version Not Supported\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class Connection(H11Protocol):
    """See the module."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._since = self.loop.time()
        self._timer: asyncio.TimerHandle | None = None
        self._timed: Any = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Make place for it, and begin to wait."""
        super().connection_made(transport)
        self._wait()
        if len(self.connections) > _MOST:
            idle = [each for each in self.connections if isinstance(each, Connection) and each._is_idle]  # noqa: SLF001
            oldest = min(idle, key=lambda each: each._since)  # noqa: SLF001  (this one is idle, so there is one)
            oldest.transport.abort()
            self.connections.discard(oldest)

    @property
    def _is_idle(self) -> bool:
        """Nothing is being answered on it."""
        cycle: Any = self.cycle  # None before the first request
        return cycle is None or cycle.response_complete

    def data_received(self, data: bytes) -> None:
        """Take bytes, and wait for what is to come next."""
        if self._is_idle and self.conn.their_state is h11.IDLE and data.startswith(_GRPC):
            self.transport.write(_NO_GRPC)
            self.transport.close()
            return
        super().data_received(data)
        self._wait()

    def _wait(self) -> None:
        state = self.conn.their_state
        if state is self._timed:
            return
        if self._timer is not None:
            self._timer.cancel()
        seconds = {h11.IDLE: _HEADERS, h11.SEND_BODY: _BODY}.get(state)
        self._timer = None if seconds is None else self.loop.call_later(seconds, self._too_slow)
        self._timed = None if seconds is None else state

    def _too_slow(self) -> None:
        self._timed = None
        self.transport.close()

    def on_response_complete(self) -> None:
        """The next request may come; until its first byte, the time of kept connections counts."""
        super().on_response_complete()
        if self.conn.their_state is not h11.SEND_BODY and self._timer is not None:
            self._timer.cancel()
            self._timer = self._timed = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)
