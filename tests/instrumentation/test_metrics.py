"""Metrics: recorded with a MeterProvider, nothing at all without one."""

from __future__ import annotations

import pytest
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from agentops_otel.instrumentation import _metrics

CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Capital of France?"}]}


@pytest.fixture
def reader(monkeypatch):
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    # The global provider can be set once in a process; the tests must not be the ones who do.
    monkeypatch.setattr(metrics, "get_meter_provider", lambda: provider)
    monkeypatch.setattr(_metrics, "_next_look", 0.0)
    yield reader
    provider.shutdown()


def points(reader):
    data = reader.get_metrics_data()
    found = [
        metric for resource in data.resource_metrics for scope in resource.scope_metrics for metric in scope.metrics
    ]
    return {metric.name: metric for metric in found}


def test_metrics_of_a_stream(reader, client, spans):
    """A call is counted in duration, tokens by type and time to the first chunk, with the conventions' buckets."""
    list(client.chat.completions.create(stream=True, stream_options={"include_usage": True}, **CHAT))
    found = points(reader)
    (duration,) = found["gen_ai.client.operation.duration"].data.data_points
    assert duration.count == 1
    assert duration.attributes["gen_ai.request.model"] == "gpt-4o"
    assert duration.explicit_bounds[0] == 0.01
    assert duration.explicit_bounds[-1] == pytest.approx(81.92)
    tokens = {
        point.attributes["gen_ai.token.type"]: point.sum
        for point in found["gen_ai.client.token.usage"].data.data_points
    }
    assert tokens == {"input": 57, "output": 48}
    assert found["gen_ai.client.operation.time_to_first_chunk"].data.data_points[0].count == 1


def test_nothing_without_a_provider(client, spans, monkeypatch):
    """Without a MeterProvider there is no instrument."""
    monkeypatch.setattr(_metrics, "_next_look", 0.0)
    client.chat.completions.create(**CHAT)
    assert _metrics.instruments() is None
