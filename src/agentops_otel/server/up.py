"""Start a box, and run it until Ctrl-C: what `agentops-otel up` and `python -m agentops_otel.server` do."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Final

from ..pipeline.address import is_loopback
from .app import create_app
from .auth import SHORTEST, TOKEN_VARIABLE, Auth, make_token, one_time_url, token_from_environment
from .page import Box
from .place import database_path
from .serve import listen, serve
from .store import Store

DEFAULT_PORT: Final = 4318
DEFAULT_GRPC_PORT: Final = 4317
DAY_NS: Final = 86_400_000_000_000


class CannotStart(Exception):
    """Why a box does not start, and what to do; the exit code of the command is `code`."""

    def __init__(self, text: str, code: int = 1) -> None:
        super().__init__(text)
        self.code = code


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


def run(options: Options, ready: Callable[[Running], None]) -> None:
    """Run a box until Ctrl-C or SIGTERM.

    Args:
        options: how.
        ready: called once, when it answers.

    Raises:
        CannotStart: it does not, and why.
    """
    database = database_path(options.db)
    auth = _auth(options, os.path.dirname(database))
    try:
        sockets = listen(options.host, options.port)
    except OSError as error:
        raise CannotStart(_taken(options, error)) from None
    address = _address(options.host, sockets[0].getsockname()[1])
    store = open_store(database)
    try:
        box = Box(
            started_ns=time.time_ns(),
            endpoint=address,
            retain_ns=options.retain_ns,
            retain_bytes=options.retain_bytes,
        )
        url = address if auth.token is None else one_time_url(auth.token, address)
        running = Running(address, None, url, database)
        serve(create_app(store, auth=auth, box=box), sockets, started=lambda: ready(running))
    finally:
        store.close()


def open_store(path: str) -> Store:
    """The store of a file, which is made if it is missing."""
    found: Store = import_module(".store.sqlite", __package__).SqliteStore(path)
    return found


def _auth(options: Options, directory: str) -> Auth:
    is_local = options.host is None or (is_loopback(options.host) and options.host not in ("0.0.0.0", "::"))  # noqa: S104
    token = options.token or token_from_environment()
    if token is not None and len(token) < SHORTEST:
        raise CannotStart(f"the token has {len(token)} characters, and needs {SHORTEST} or more", 2)
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
            token = make_token(directory)
        except OSError as error:
            raise CannotStart(f"the token in {directory} cannot be read or written: {error}") from None
    return Auth(token, is_local, frozenset(host.lower() for host in options.allowed_hosts))


def _address(host: str | None, port: int) -> str:
    shown = "127.0.0.1" if host in (None, "0.0.0.0", "::", "localhost") else host  # noqa: S104
    return f"http://{f'[{shown}]' if ':' in str(shown) else shown}:{port}"


def _taken(options: Options, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {options.port} is taken"
    return f"port {options.port} cannot be used: {error.strerror or error}"
