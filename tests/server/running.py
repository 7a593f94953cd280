"""A box that runs in a thread of the test: real sockets, a real store in a folder of the test."""

from __future__ import annotations

import asyncio
import http.client
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from typing_extensions import Self

from agentops_otel.server.app import create_app
from agentops_otel.server.auth import Auth
from agentops_otel.server.live import Live
from agentops_otel.server.page import Box
from agentops_otel.server.serve import Server, listen
from agentops_otel.server.store import Filter, Store
from agentops_otel.server.store.sqlite import SqliteStore
from tests.fakes.sessions import Run

TOKEN = "t" * 43


@dataclass
class Answer:
    """A response, read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


class RunningBox:
    """See the module.

    Args:
        folder: for its store.
        token: None lets everybody read.
        is_local: as if it listened on loopback only; False is as on all addresses.
        grpc: takes OTLP over gRPC too.
        store: instead of a new one.
    """

    def __init__(self, folder: Path, *, token=None, is_local=True, hosts=(), grpc=False, store=None, **box):
        self.store: Store = store or SqliteStore(folder / "sessions.db")
        sockets = listen(None, 0)
        self.port = sockets[0].getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        grpc_at = listen(None, 0) if grpc else []
        self.grpc_port = grpc_at[0].getsockname()[1] if grpc else 0
        self.auth = Auth(token, is_local, frozenset(hosts))
        self.box = Box(started_ns=time.time_ns(), endpoint=self.address, **box)
        self.live = Live(self.box.counts)
        self.app = create_app(self.store, auth=self.auth, box=self.box, live=self.live, grpc_at=grpc_at)
        self.started = threading.Event()
        self._server = Server(self.app, started=self.started.set, ending=self.live.close)
        self._thread = threading.Thread(target=lambda: asyncio.run(self._server.serve(sockets)))
        self._thread.start()
        assert self.started.wait(20)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(20)
        assert not self._thread.is_alive()
        self.store.close()

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        """One request on a connection of its own; ``content_type=`` is the header ``Content-Type``."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, named)
            answer = connection.getresponse()
            return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Answer:
        """A GET."""
        return self.ask("GET", path, **headers)

    def post(self, path: str, body: bytes, content_type: str = "application/x-protobuf", **headers: str) -> Answer:
        """A POST."""
        return self.ask("POST", path, body, content_type=content_type, **headers)

    def send(self, *runs: Run) -> None:
        """Send sessions as an exporter does."""
        for run in runs:
            assert self.post("/v1/traces", run.traces()).status == 200
            assert self.post("/v1/logs", run.logs()).status == 200

    def said(self, request: bytes) -> bytes:
        """The first bytes of the answer to a request as it stands."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as raw:
            raw.sendall(request)
            return raw.recv(65_536)

    def wait_until(self, wanted):
        """The first of the rows that a function chooses of those of all sessions, as soon as there is one."""
        until = time.monotonic() + 30
        while time.monotonic() < until:
            found = wanted(self.store.sessions(Filter()).rows)
            if found:
                return found[0]
            time.sleep(0.02)
        raise AssertionError(f"it did not come: {self.store.sessions(Filter()).rows}")
