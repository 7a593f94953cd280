"""Spans as lines on standard output."""

from __future__ import annotations

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from agentops_otel.config import Configuration
from agentops_otel.pipeline.delivery import DeliveryExporter
from agentops_otel.pipeline.transports import open_transport


def test_console(capsys: pytest.CaptureFixture[str]) -> None:
    """The console shows a line per span, children indented, with tokens, cost, errors, and no control characters."""
    memory = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(memory))
    tracer = provider.get_tracer("tests")
    with tracer.start_as_current_span("session") as root:
        usage = {"gen_ai.usage.input_tokens": 120, "gen_ai.usage.output_tokens": 45, "gen_ai.usage.cost.amount": 0.0012}
        tracer.start_span("chat gpt-4o\x1b[31m", attributes=usage).end()
        root.set_status(trace.StatusCode.ERROR, "it broke")
    exporter = DeliveryExporter(open_transport(Configuration(protocol="console")))
    assert exporter.export(memory.get_finished_spans()) is SpanExportResult.SUCCESS
    exporter.shutdown()
    provider.shutdown()
    first, second = capsys.readouterr().out.splitlines()
    assert "session" in first
    assert first.endswith("ERROR it broke")
    assert second.startswith("  ")
    assert "120 in, 45 out  $0.0012" in second
    assert "\x1b" not in second
