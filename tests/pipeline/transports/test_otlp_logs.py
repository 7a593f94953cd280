"""Log events as OTLP requests, and backends that take none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.trace import SpanContext

from agentops_otel.pipeline.log_event import LogEvent
from agentops_otel.pipeline.transports.otlp_logs import logs_request
from tests.fakes import fault_server
from tests.fakes.fault_server import FaultServer
from tests.pipeline.exporting import BOTH, EVENT, KEY, delivering, free_port, make_spans
from tests.pipeline.made_spans import ATTRIBUTES


@BOTH
def test_log_events(protocol: str) -> None:
    """Log events arrive on the logs signal with name, ids, severity and attributes."""
    with FaultServer(protocol) as server, delivering(server, protocol) as exporter:
        assert exporter.send_events([EVENT], Resource({"service.name": "x"})) is True
        (record,) = server.logs()
        attributes = {pair.key: pair.value for pair in record.attributes}
        assert fault_server.event_name(record) == "session.start"
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


@settings(deadline=None)
@given(ATTRIBUTES, ATTRIBUTES)
def test_an_event_is_written_as_a_span_is(attributes: dict[str, Any], about: dict[str, Any]) -> None:
    """Attributes and resource are those that the SDK writes for a span."""
    resource = Resource(about, "https://example.com")
    context = SpanContext(1, 2, is_remote=False)
    by_the_sdk = encode_spans([ReadableSpan("a", context, resource=resource, attributes=attributes)])
    event = LogEvent("a", 3, 1, 2, attributes)
    request = ExportLogsServiceRequest.FromString(logs_request([event], resource))
    (logs,), (spans,) = request.resource_logs, by_the_sdk.resource_spans
    (record,), (span,) = logs.scope_logs[0].log_records, spans.scope_spans[0].spans
    assert logs.resource.SerializeToString() == spans.resource.SerializeToString()
    assert logs.schema_url == spans.schema_url
    assert [*map(str, record.attributes)] == [*map(str, span.attributes)]
    assert record.observed_time_unix_nano == record.time_unix_nano == 3
