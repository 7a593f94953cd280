"""OTLP JSON lines in a file."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from agentops_otel.config import Configuration
from agentops_otel.pipeline.delivery import DeliveryExporter
from agentops_otel.pipeline.transports import open_transport
from tests.pipeline.exporting import make_spans


def test_file(tmp_path: Path) -> None:
    """A file holds OTLP JSON lines with hex ids and numeric enumerations, appended, readable by the owner only."""
    path = tmp_path / "deep" / "spans.jsonl"
    memory = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(memory))
    tracer = provider.get_tracer("tests")
    with tracer.start_as_current_span("root") as root:
        tracer.start_span("child", kind=trace.SpanKind.CLIENT, links=[trace.Link(root.get_span_context())]).end()
    child, parent = memory.get_finished_spans()
    exporter = DeliveryExporter(open_transport(Configuration(endpoint=f"file://{path}")))
    exporter.export([child])
    exporter.export([parent])
    exporter.shutdown()
    provider.shutdown()
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    first, second = (line["resourceSpans"][0]["scopeSpans"][0]["spans"][0] for line in lines)
    assert child.context
    assert parent.context
    trace_id = trace.format_trace_id(parent.context.trace_id)
    assert (first["traceId"], first["spanId"]) == (trace_id, trace.format_span_id(child.context.span_id))
    assert first["parentSpanId"] == second["spanId"] == trace.format_span_id(parent.context.span_id)
    assert first["links"][0]["traceId"] == trace_id
    assert first["kind"] == 3
    assert first["startTimeUnixNano"] == str(child.start_time)
    assert "parentSpanId" not in second
    if sys.platform != "win32":
        assert path.stat().st_mode & 0o777 == 0o600


def test_file_that_cannot_be_written(tmp_path: Path, lines: Callable[[], list[str]]) -> None:
    """A path that cannot be written keeps the spans, says so once, and never raises."""
    (tmp_path / "blocked").write_text("")
    configuration = Configuration(endpoint=f"file://{tmp_path}/blocked/spans.jsonl")
    exporter = DeliveryExporter(open_transport(configuration), retry_for=0.2, backoff=0.05)
    assert exporter.export(make_spans("a")) is SpanExportResult.FAILURE
    assert exporter.kept == 1
    exporter.shutdown()
    assert exporter.counts.dropped == {"undelivered": 1}
    assert len(lines()) == 1
