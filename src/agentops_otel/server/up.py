"""Start a box, and run it until Ctrl-C: what `agentops-otel up` and `python -m agentops_otel.server` do."""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ..pipeline.address import is_loopback
from . import grpc
from .app import create_app
from .auth import SHORTEST, TOKEN_VARIABLE, Auth, make_token, one_time_url, token_from_environment
from .live import Live
from .neighbour import neighbour
from .page import Box
from .place import data_directory, database_path
from .replay import JournalReplay
from .serve import listen, serve
from .store.database import StoreUnusable
from .store.sqlite import SqliteStore

DEFAULT_PORT: Final = 4318
DEFAULT_GRPC_PORT: Final = 4317
_EVERYWHERE: Final = ("0.0.0.0", "::")  # noqa: S104
DAY_NS: Final = 86_400_000_000_000


class CannotStart(Exception):
    """Why a box does not start, and what to do.

    Attributes:
        code: the exit code of the command.
        running: the address of the box that runs already.
    """

    def __init__(self, text: str, code: int = 1, running: str = "") -> None:
        super().__init__(text)
        self.code = code
        self.running = running


@dataclass(frozen=True, slots=True)
class Options:
    """How a box is started."""

    host: str | None = None
    """None: this machine alone, 127.0.0.1 and ::1."""
    port: int = DEFAULT_PORT
    """0: a free one."""
    grpc_port: int | None = DEFAULT_GRPC_PORT
    """0: a free one; None: no gRPC."""
    db: str | None = None
    """The store's file; None: the one of this user."""
    retain_ns: int | None = 30 * DAY_NS
    retain_bytes: int | None = 2 << 30
    auth: bool = True
    """False: everybody on this machine may read."""
    token: str | None = None
    """What a person or program reads with; needed for a host that is not loopback. None: the environment's."""
    allowed_hosts: tuple[str, ...] = ()
    """Further names under which it may be asked, such as that of a proxy."""
    trace_url: str = ""
    """Of a trace in another viewer, with ``{trace_id}`` or ``{session_id}`` in it; empty: pages link to none."""
    replay: bool = True
    """Take what the journals of this user hold for its address."""


@dataclass(frozen=True, slots=True)
class Running:
    """A box that answers."""

    address: str
    """Such as ``http://127.0.0.1:4318``."""
    grpc_address: str | None
    url: str
    """What to open in a browser: with ``?token=`` it works once."""
    database: str
    notes: tuple[str, ...] = ()
    """Lines for people: what it does not do, and why."""


def run(options: Options, ready: Callable[[Running], None]) -> None:
    """Run a box until Ctrl-C or SIGTERM.

    Args:
        options: how.
        ready: called once, when it answers.

    Raises:
        CannotStart: it does not, and why.
    """
    auth = _auth(options)
    with contextlib.ExitStack() as last:
        last.callback(gc.set_threshold, *gc.get_threshold())
        last.callback(gc.unfreeze)
        collect_seldom()
        sockets = _listen(options)
        grpc_sockets, grpc_missing = _listen_for_grpc(options)
        for each in (*sockets, *grpc_sockets):
            last.callback(each.close)
        last.callback(os.umask, os.umask(0o077))  # whatever it writes is for this user alone
        database = database_path(options.db)
        try:
            store = SqliteStore(database)
        except StoreUnusable as error:
            raise CannotStart(f"The store cannot be used: {error}") from None
        last.callback(store.close)
        address = _address(options.host, sockets[0])
        grpc_address = _address(options.host, grpc_sockets[0]) if grpc_sockets else None
        box = Box(
            started_ns=time.time_ns(),
            endpoint=address,
            grpc_endpoint=grpc_address or "",
            grpc_missing=grpc_missing,
            retain_ns=options.retain_ns,
            retain_bytes=options.retain_bytes,
            trace_url=options.trace_url,
        )
        live = Live(box.counts)
        url = address if auth.token is None else one_time_url(auth.token, address)
        is_news = grpc_missing and options.grpc_port is not None
        notes = (f"OTLP over gRPC is not received: {grpc_missing}",) if is_news else ()
        running = Running(address, grpc_address, url, database, notes)
        journals = JournalReplay(store, address, grpc_address)
        last.callback(journals.wait)

        def started() -> None:
            ready(running)
            if options.replay and auth.is_local:
                journals.start()

        def ending() -> None:
            live.close()
            journals.stop()

        app = create_app(store, auth=auth, box=box, live=live, grpc_at=grpc_sockets, passes=journals.passes)
        serve(app, sockets, started=started, ending=ending)


def collect_seldom() -> None:
    """Let the garbage collector run less often than Python does by itself, which is after each 700 new objects.

    A request of 512 spans is tens of thousands of objects without a circle, all of which live as long as it: to look
    through them again and again took a tenth of its time.
    """
    gc.set_threshold(50_000, 20, 100)
    gc.freeze()


def _listen(options: Options) -> list[socket.socket]:
    try:
        return listen(options.host, options.port)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise CannotStart(f"Port {options.port} cannot be used: {error.strerror or error}") from None
    found = neighbour("127.0.0.1" if options.host in (None, *_EVERYWHERE) else str(options.host), options.port)
    raise CannotStart(found.advice(options.port), running=found.address)


def _auth(options: Options) -> Auth:
    is_local = options.host is None or (is_loopback(options.host) and options.host not in _EVERYWHERE)
    token = options.token or token_from_environment()
    if token is not None and len(token) < SHORTEST:
        raise CannotStart(f"the token has {len(token)} characters, and needs {SHORTEST} or more", 2)
    if not is_local:
        try:
            socket.getaddrinfo(options.host, None)
        except (OSError, UnicodeError):
            raise CannotStart(f"the host name {options.host!r} cannot be resolved", 2) from None
    if not is_local and (token is None or not options.auth):
        raise CannotStart(
            f"{options.host} can be reached from other machines, so a token is needed: set {TOKEN_VARIABLE} to a "
            f"secret of {SHORTEST} or more characters, such as that of: openssl rand -base64 33",
            2,
        )
    if not options.auth:
        token = None
    elif token is None:
        try:
            token = make_token(data_directory())
        except OSError as error:
            raise CannotStart(f"the token in {data_directory()} cannot be read or written: {error}") from None
    return Auth(token, is_local, frozenset(host.lower() for host in options.allowed_hosts))


def _address(host: str | None, listening: socket.socket) -> str:
    shown = "127.0.0.1" if host in (None, "localhost", *_EVERYWHERE) else host
    return f"http://{f'[{shown}]' if ':' in str(shown) else shown}:{listening.getsockname()[1]}"


def _listen_for_grpc(options: Options) -> tuple[list[socket.socket], str]:
    """Sockets for gRPC; when there are none, why not, and what changes that."""
    if not grpc.is_installed():
        return [], "pip install 'agentops-otel[grpc]'"
    if options.grpc_port is None:
        return [], f"it is off; agentops-otel up --grpc-port {DEFAULT_GRPC_PORT} starts it"
    try:
        return listen(options.host, options.grpc_port), ""
    except OSError as error:
        why = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror or error})"
        return [], f"port {options.grpc_port} {why}; --grpc-port sets another one"
