"""Takes what the journals of this user hold for this box: a program that ran before it appears by itself.

What a dead process has left is sent to the box as any sender would send it, so it is stored once and acknowledged in
the journal. What a running process holds, that process sends.
"""

from __future__ import annotations

import os
import secrets
import threading
from typing import Final
from urllib.parse import urlsplit

from ..clock import monotonic
from ..config import Configuration
from ..log import logger
from ..pipeline.address import is_loopback
from ..pipeline.backlog import Replayed, replay
from ..pipeline.delivery import DeliveryExporter
from ..pipeline.destination import Destination, journal_directory
from ..pipeline.transports import open_transport
from .store import Store

_EVERY: Final = 5.0  # seconds between two looks for what died meanwhile


class JournalReplay:
    """A thread that looks into the journals now and then.

    Args:
        store: of the box; it knows the keys of projects.
        address: of the box, such as ``http://127.0.0.1:4318``.
        grpc_address: where it takes OTLP over gRPC, if it does.
    """

    def __init__(self, store: Store, address: str, grpc_address: str | None = None) -> None:
        self.passes: dict[str, str] = {}
        """The keys with which it sends, which nobody else knows, and the project of each."""
        self._store = store
        self._address = address
        self._ports = {"http/protobuf": urlsplit(address).port}
        if grpc_address:
            self._ports["grpc"] = urlsplit(grpc_address).port
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin; the box answers by now."""
        self._thread = threading.Thread(target=self._run, name="agentops-replay", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Begin no further request."""
        self._ended.set()

    def wait(self) -> None:
        """Wait for the end, which comes when the request that is at work is answered or the box is gone."""
        if self._thread is not None:
            self._thread.join(2.0)

    def folders(self) -> list[tuple[str, str | None]]:
        """The folders of the journal that hold what was meant for this address, and the project of each.

        The project is None where no key was used. What was kept for a key is taken when the key is one of this box's
        own, and not revoked: a folder says by an id for which key it is, and only this user can write there, as into
        the store itself. Anything else is sent by who has its key: `agentops-otel flush`.
        """
        directory = journal_directory(Configuration().journal_dir)
        try:
            names = sorted(os.listdir(directory))
        except OSError:
            return []
        found = []
        for folder in (os.path.join(directory, name) for name in names):
            meant = Destination.read(folder)
            if meant is None or not self._is_here(meant):
                continue
            project = None if meant.project is None else self._store.project_known_as(meant.project)
            if project is not None or meant.project is None:
                found.append((folder, project))
        return found

    def _is_here(self, meant: Destination) -> bool:
        if meant.protocol not in self._ports:
            return False
        parts = urlsplit(meant.endpoint)
        try:
            here = is_loopback(parts.hostname) and parts.port == self._ports[meant.protocol]
        except ValueError:
            return False
        return here and (meant.protocol == "grpc" or parts.path == "/v1/traces")

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                self._look()
            except Exception as error:
                logger.warning("the journal cannot be read: %s", str(error)[:300])
            self._ended.wait(_EVERY)

    def _look(self) -> None:
        for folder, project in self.folders():
            exporter = DeliveryExporter(open_transport(self._to_itself(project)), patience=float("inf"))
            try:
                if self._ended.is_set() or not replay(folder, exporter, monotonic() + 60.0, Replayed()):
                    return
            finally:
                exporter.shutdown()

    def _to_itself(self, project: str | None) -> Configuration:
        """How this process sends to itself, into a project or into that of senders without a key."""
        if project is None:
            return Configuration(protocol="http/protobuf", endpoint=self._address, headers={})._without_key()
        key = next((key for key, known in self.passes.items() if known == project), None)
        if key is None:
            key = secrets.token_urlsafe(32)
            self.passes[key] = project
        return Configuration(protocol="http/protobuf", endpoint=self._address, headers={}, api_key=key)
