"""What the tests of delivery and of transports have in common: real spans, exporters, a user's exporter."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from agentops_otel.config import Configuration
from agentops_otel.pipeline.delivery import DeliveryExporter
from agentops_otel.pipeline.log_event import LogEvent
from agentops_otel.pipeline.transports import open_transport
from tests.fakes.fault_server import FaultServer, Mode

KEY = "ao-secret-key-4711"


ONE_ATTEMPT: dict[str, Any] = {"retry_for": 30.0, "backoff": 60.0}


BOTH = pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])


def make_spans(*names: str, count: int = 0, **attributes: Any) -> list[ReadableSpan]:
    """Real finished spans of a real provider."""
    provider = TracerProvider(resource=Resource({"service.name": "test"}), shutdown_on_exit=False)
    kept: list[ReadableSpan] = []

    tracer = provider.get_tracer("tests")
    for name in names or [f"span {n}" for n in range(count)]:
        span = tracer.start_span(name, attributes=attributes)
        span.end()
        kept.append(span._readable_span())  # type: ignore[attr-defined]
    provider.shutdown()
    return kept


def ids(spans: Sequence[ReadableSpan]) -> list[str]:
    """Span ids in hex, sorted."""
    return sorted(trace.format_span_id(span.context.span_id) for span in spans if span.context)


@contextmanager
def delivering(
    server: FaultServer | str, protocol: str = "http/protobuf", **arguments: Any
) -> Iterator[DeliveryExporter]:
    """An exporter into a server, with waits short enough for a test."""
    settings = arguments.pop("settings", {})
    url = server if isinstance(server, str) else server.url
    configuration = Configuration(KEY, endpoint=url, protocol=protocol, **settings)
    exporter = DeliveryExporter(open_transport(configuration), **{"retry_for": 20.0, "backoff": 0.05, **arguments})
    try:
        yield exporter
    finally:
        exporter.deadline = time.monotonic() + 0.3
        exporter.shutdown()


def times(*modes: Mode) -> Callable[[float], Mode]:
    """Each mode for one request, the last one for all that follow."""
    left = list(modes)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


def free_port() -> int:
    """A port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


COMPRESSION = [
    ({}, "gzip", "gzip"),
    ({"": "none"}, None, None),
    ({"": "GZIP"}, "gzip", "gzip"),
    ({"": "deflate"}, "deflate", "deflate"),
    ({"": "deflate", "TRACES_": "none"}, None, "deflate"),
    ({"LOGS_": "none"}, "gzip", None),
    ({"": "zip", "LOGS_": "zip"}, "gzip", "gzip"),
]


EVENT = LogEvent("session.start", time.time_ns(), 0xABC, 0xDEF, {"session.id": "s1", "n": 2, "tags": ("a", "b")})


class Own(SpanExporter):
    """A user's exporter that does what it is told."""

    def __init__(self, act: Callable[[], Any]) -> None:
        self.act = act
        self.names: list[str] = []
        self.closed = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.names += [span.name for span in spans]
        result: SpanExportResult = self.act()
        return result

    def shutdown(self) -> None:
        self.closed = True


def raising(error: BaseException) -> Callable[[], Any]:
    def act() -> Any:
        raise error

    return act
