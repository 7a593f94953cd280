"""OTLP over gRPC."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from opentelemetry.sdk.resources import Resource

from agentops_otel.config import Configuration
from agentops_otel.pipeline.transports import open_transport
from agentops_otel.pipeline.transports.attempt import Verdict
from tests.fakes.fault_server import FaultServer
from tests.pipeline.exporting import COMPRESSION, EVENT, delivering, free_port, make_spans


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


@pytest.mark.parametrize(
    ("variables", "spans", "events"),
    [
        ({"ENDPOINT": "{0}"}, 0, 0),
        ({"ENDPOINT": "{0}", "LOGS_ENDPOINT": "{1}"}, 0, 1),
        ({"ENDPOINT": "{1}", "TRACES_ENDPOINT": "{0}"}, 0, 1),
        ({"TRACES_ENDPOINT": "{0}", "LOGS_ENDPOINT": "{1}"}, 0, 1),
        ({"TRACES_ENDPOINT": "{0}", "LOGS_ENDPOINT": "{0}"}, 0, 0),
    ],
)
def test_addresses_of_the_signals(
    variables: dict[str, str], spans: int, events: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each signal goes to its own address, over one channel where they are the same."""
    with FaultServer("grpc") as one, FaultServer("grpc") as two:
        servers = one, two
        for name, url in variables.items():
            monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_{name}", url.format(one.url, two.url))
        transport = open_transport(Configuration(protocol="grpc"))
        assert transport.send(make_spans("a"), 5.0).verdict is Verdict.ACCEPTED
        assert transport.send_events([EVENT], Resource({}), 5.0).verdict is Verdict.ACCEPTED
        assert [len(server.spans()) for server in servers] == [n == spans for n in (0, 1)]
        assert [len(server.logs()) for server in servers] == [n == events for n in (0, 1)]
        assert len(transport._channels) == len({spans, events})
        transport.close()
        assert not transport._channels


def test_log_events_that_cannot_be_sent_leave_the_spans_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is wrong at the one address says nothing of the other."""
    with FaultServer("grpc") as one:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", one.url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", f"http://127.0.0.1:{free_port()}")
        transport = open_transport(Configuration(protocol="grpc"))
        reply = transport.send_events([EVENT], Resource({}), 5.0)
        assert reply.verdict is Verdict.RETRY
        assert reply.reason.startswith("nothing listens at 127.0.0.1:")
        assert transport.send(make_spans("a"), 5.0).verdict is Verdict.ACCEPTED
        transport.close()
