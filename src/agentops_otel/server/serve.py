"""Run an application on sockets until somebody ends it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from .connection import Connection

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_GRACE: Final = 3  # seconds for requests that are at work when the end comes
_LOOPBACK: Final = ("127.0.0.1", "::1")


def listen(host: str | None, port: int) -> list[socket.socket]:
    """Sockets for a host and port; None is this machine alone, 127.0.0.1 and ::1 where it has both.

    Raises:
        OSError: the port is taken, or not to be had.
    """
    first = _bind("127.0.0.1" if host is None else host, port)
    if host is not None:
        return [first]
    found = [first]
    with contextlib.suppress(OSError):  # a machine without IPv6; a port 0 that is taken there
        found.append(_bind("::1", first.getsockname()[1]))
    return found


def _bind(host: str, port: int) -> socket.socket:
    family, kind, number, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[
        0
    ]
    bound = socket.socket(family, kind, number)
    try:
        if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):  # Windows lets two programs have one port without
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind(address)
        bound.listen(128)  # before anything is started: SO_REUSEADDR lets two programs bind, and one listen
    except BaseException:
        bound.close()
        raise
    return bound


class Server(uvicorn.Server):
    """A server that ends at Ctrl-C and SIGTERM without another word.

    Args:
        app: an ASGI application.
        started: called when requests are answered.
        ending: called when the end begins, to end answers that last.
    """

    def __init__(self, app: ASGIApp, *, started: Callable[[], None], ending: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                ws="none",
                lifespan="on",
                loop="asyncio",
                http=Connection,
                log_level="error",
                timeout_keep_alive=60,
                timeout_graceful_shutdown=_GRACE,
            )
        )
        self._on_started = started
        self._on_ending = ending

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Say that requests are answered, when it waits for them: a signal before that would cut the start short."""
        await super().startup(sockets)
        asyncio.get_running_loop().call_soon(self._on_started)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End answers that last, then the rest."""
        self._on_ending()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take the signals; uvicorn raises them once more at the end, which would end the program before it is done."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {each: signal.signal(each, self.handle_exit) for each in _SIGNALS}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)


def serve(
    app: ASGIApp,
    sockets: Sequence[socket.socket],
    *,
    started: Callable[[], None] = lambda: None,
    ending: Callable[[], None] = lambda: None,
) -> None:
    """Answer requests until Ctrl-C or SIGTERM."""
    asyncio.run(Server(app, started=started, ending=ending).serve(list(sockets)))
