"""Spans that are too large for a backend."""

from __future__ import annotations

from collections.abc import Callable

from opentelemetry.sdk.trace.export import SpanExportResult

from tests.fakes import fault_server
from tests.fakes.fault_server import FaultServer
from tests.pipeline.exporting import BOTH, delivering, ids, make_spans


@BOTH
def test_one_span_too_large(protocol: str, lines: Callable[[], list[str]]) -> None:
    """N16, N17: a span that is too large for the backend arrives with its value cut, and its siblings arrive whole."""
    mode = fault_server.too_large(4 * 1024 * 1024) if protocol == "http/protobuf" else fault_server.ok
    spans = [*make_spans(count=5), *make_spans("big", text="x" * 10_000_000, small="y"), *make_spans(count=5)]
    with FaultServer(protocol, mode) as server, delivering(server, protocol, retry_for=20) as exporter:
        assert exporter.export(spans) is SpanExportResult.SUCCESS
        assert sorted(server.span_ids()) == ids(spans)
        big = next(span for span in server.spans() if span.name == "big")
        values = {pair.key: pair.value.string_value for pair in big.attributes}
        assert values["small"] == "y"
        assert values["text"] == "x" * 65504 + f"... [{10_000_000 - 65504:,} characters cut]"
        assert (exporter.counts.acknowledged, exporter.counts.dropped) == (11, {})
    assert [line for line in lines() if "cut" in line]


def test_span_too_large_even_when_cut(lines: Callable[[], list[str]]) -> None:
    """A span that is refused again after the cut is counted, and nothing else is lost."""
    spans = [*make_spans("a"), *make_spans("big", text="x" * 1_000_000), *make_spans("b")]
    with FaultServer(mode=fault_server.too_large(20_000)) as server, delivering(server) as exporter:
        exporter.export(spans)
        assert [span.name for span in server.spans()] == ["a", "b"]
        assert (exporter.counts.acknowledged, exporter.counts.dropped) == (2, {"too large": 1})
        assert exporter.last_error == "too large: 413 Status"
    (line,) = lines()
    assert line.startswith(f"agentops-otel: 1 span dropped, too large for {server.url}/v1/traces: '413 Status'")
