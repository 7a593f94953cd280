"""Takes what the journals of this user hold for this box: a program that ran before it appears by itself.

What a dead process has left is sent to the box as any sender would send it, so it is stored once and acknowledged in
the journal. What a running process holds, that process sends.
"""

from __future__ import annotations

import os
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

_EVERY: Final = 5.0  # seconds between two looks for what died meanwhile


class JournalReplay:
    """A thread that looks into the journals now and then.

    Args:
        address: of the box, such as ``http://127.0.0.1:4318``.
        grpc_address: where it takes OTLP over gRPC, if it does.
    """

    def __init__(self, address: str, grpc_address: str | None = None) -> None:
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

    def folders(self) -> list[str]:
        """The folders of the journal that hold what was meant for this address, without a key.

        What was kept for a key belongs to that key's project, and is sent by who has it: `agentops-otel flush`.
        """
        directory = journal_directory(Configuration().journal_dir)
        try:
            names = sorted(os.listdir(directory))
        except OSError:
            return []
        return [folder for name in names if self._is_ours(folder := os.path.join(directory, name))]

    def _is_ours(self, folder: str) -> bool:
        meant = Destination.read(folder)
        if meant is None or meant.project is not None or meant.protocol not in self._ports:
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
        folders = self.folders()
        if not folders:
            return
        config = Configuration(protocol="http/protobuf", endpoint=self._address)._without_key()
        exporter = DeliveryExporter(open_transport(config), patience=float("inf"))
        try:
            books = Replayed()
            for folder in folders:
                if self._ended.is_set() or not replay(folder, exporter, monotonic() + 60.0, books):
                    return
        finally:
            exporter.shutdown()
