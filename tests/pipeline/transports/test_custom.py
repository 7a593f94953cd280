"""A user's exporter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.sdk.trace.export import SpanExportResult

from agentops_otel.config import Configuration
from agentops_otel.pipeline.delivery import DeliveryExporter
from agentops_otel.pipeline.transports import open_transport
from tests.pipeline.exporting import Own, make_spans, raising


@pytest.mark.parametrize(
    ("act", "counts"),
    [
        pytest.param(lambda: SpanExportResult.SUCCESS, (2, {}), id="success"),
        pytest.param(lambda: None, (2, {}), id="none"),
        pytest.param(lambda: SpanExportResult.FAILURE, (0, {"exporter failed": 2}), id="failure"),
        pytest.param(raising(ValueError("v")), (0, {"exporter failed": 2}), id="error"),
        pytest.param(raising(SystemExit(3)), (0, {"exporter failed": 2}), id="system-exit"),
        pytest.param(raising(KeyboardInterrupt()), (0, {"exporter failed": 2}), id="interrupt"),
    ],
)
def test_custom_exporter(
    act: Callable[[], Any], counts: tuple[int, dict[str, int]], lines: Callable[[], list[str]]
) -> None:
    """Q3: whatever a user's exporter returns or raises is counted, once, and later spans still reach it."""
    own = Own(act)
    exporter = DeliveryExporter(open_transport(Configuration(exporter=own)))
    exporter.export(make_spans("a", "b"))
    assert (exporter.counts.acknowledged, exporter.counts.dropped) == counts
    assert ["2 spans dropped, not delivered by Own: 'export() " in line for line in lines()] == [True] * len(counts[1])
    own.act = lambda: SpanExportResult.SUCCESS
    assert exporter.export(make_spans("c")) is SpanExportResult.SUCCESS
    exporter.shutdown()
    assert own.names == ["a", "b", "c"]
    assert own.closed
