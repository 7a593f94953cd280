"""OTLP over gRPC."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from opentelemetry.sdk.resources import Resource

from tests.fakes.fault_server import FaultServer
from tests.pipeline.exporting import COMPRESSION, EVENT, delivering, make_spans


@contextmanager
def overheard(port: int) -> Iterator[tuple[str, bytearray]]:
    """An address in front of a port, and all bytes that are sent there."""
    heard = bytearray()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def carry(source: socket.socket, target: socket.socket, into: bytearray | None) -> None:
            while data := source.recv(65536):
                if into is not None:
                    into.extend(data)
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

        def serve() -> None:
            with listener.accept()[0] as near, socket.create_connection(("127.0.0.1", port)) as far:
                back = threading.Thread(target=carry, args=(far, near, None))
                back.start()
                carry(near, far, heard)
                back.join()

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", heard
        thread.join()


@pytest.mark.parametrize(("variables", "traces", "logs"), COMPRESSION)
def test_compression_of_grpc(
    variables: dict[str, str], traces: str | None, logs: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """gRPC packs its messages by the same variables: its header names the coding, or is not there."""
    for signal, compression in variables.items():
        monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_{signal}COMPRESSION", compression)
    with FaultServer("grpc") as server, overheard(int(server.url.rpartition(":")[2])) as (url, heard):
        with delivering(url, "grpc") as exporter:
            exporter.export(make_spans("a", text="a" * 1000))
            of_traces = bytes(heard)
            exporter.send_events([EVENT], Resource({"text": "a" * 1000}))
        of_logs = bytes(heard[len(of_traces) :])
        for sent, coding in ((of_traces, traces), (of_logs, logs)):
            assert (b"a" * 1000 in sent) is (coding is None)
        # A header that was sent before on a connection is sent again as a number, so only the first one is read.
        if traces is not None:
            assert bytes([len(traces)]) + traces.encode() in of_traces
        assert len(server.span_ids()) == len(server.logs()) == 1
