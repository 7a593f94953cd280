"""Log events as OTLP requests, and backends that take none."""

from __future__ import annotations

from collections.abc import Callable

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import SpanExportResult

from tests.fakes import fault_server
from tests.fakes.fault_server import FaultServer
from tests.pipeline.exporting import BOTH, EVENT, KEY, delivering, free_port, make_spans


@BOTH
def test_log_events(protocol: str) -> None:
    """Log events arrive on the logs signal with name, ids, severity and attributes."""
    with FaultServer(protocol) as server, delivering(server, protocol) as exporter:
        assert exporter.send_events([EVENT], Resource({"service.name": "x"})) is True
        (record,) = server.logs()
        attributes = {pair.key: pair.value for pair in record.attributes}
        name = record.event_name if hasattr(record, "event_name") else attributes["event.name"].string_value
        assert name == "session.start"
        assert (record.trace_id.hex(), record.span_id.hex()) == (f"{0xABC:032x}", f"{0xDEF:016x}")
        assert (record.severity_number, record.time_unix_nano) == (9, EVENT.time_ns)
        assert attributes["n"].int_value == 2
        assert [item.string_value for item in attributes["tags"].array_value.values] == ["a", "b"]
        assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
        assert exporter.counts.acknowledged == 0


@BOTH
def test_backend_without_logs(protocol: str, lines: Callable[[], list[str]]) -> None:
    """A backend that knows no logs signal is asked once, then never again, without a word; spans are not concerned."""
    mode = fault_server.status(404, signal=fault_server.LOGS)
    with FaultServer(protocol, mode) as server, delivering(server, protocol) as exporter:
        for _ in range(3):
            assert exporter.send_events([EVENT], Resource({})) is True
        assert exporter.export(make_spans("a")) is SpanExportResult.SUCCESS
        assert len([request for request in server.requests if request.path == fault_server.LOGS]) == 1
    assert lines() == []


def test_events_while_the_backend_is_down(lines: Callable[[], list[str]]) -> None:
    """A log event that cannot be sent says so by its result and logs nothing."""
    with delivering(f"http://127.0.0.1:{free_port()}") as exporter:
        assert exporter.send_events([EVENT], Resource({})) is False
    assert lines() == []
