"""Metrics: recorded with a MeterProvider, nothing at all without one."""

from __future__ import annotations

import pytest
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from agentops_otel.instrumentation import _metrics
from tests.fakes import llm_server
from tests.fakes.llm_server import Reply

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
    (gaps,) = found["gen_ai.client.operation.time_per_output_chunk"].data.data_points
    assert (gaps.count, gaps.explicit_bounds) == (5, duration.explicit_bounds)
    assert 0 < gaps.sum < duration.sum
    for name, metric in found.items():
        for point in metric.data.data_points:
            assert point.attributes["openai.response.service_tier"] == "default", name
            assert point.attributes["openai.response.system_fingerprint"] == "fp_1", name
            assert point.attributes["gen_ai.response.model"] == "gpt-4o-2024-08-06", name


def test_metrics_of_a_slow_stream(reader, client, spans, server):
    """The time per chunk is that from one chunk to the next, and the first chunk has none."""
    server.then(Reply(llm_server.chat_chunks(), gap=0.05))
    list(client.chat.completions.create(stream=True, **CHAT))
    (gaps,) = points(reader)["gen_ai.client.operation.time_per_output_chunk"].data.data_points
    assert gaps.count == 4
    assert gaps.sum >= 0.15


async def test_metrics_of_an_async_and_a_raw_stream(reader, async_client, client, spans):
    """However a stream is read, its chunks are timed."""
    async for _ in await async_client.chat.completions.create(stream=True, **CHAT):
        pass
    list(client.chat.completions.with_raw_response.create(stream=True, **CHAT).parse())
    (gaps,) = points(reader)["gen_ai.client.operation.time_per_output_chunk"].data.data_points
    assert gaps.count >= 5


@pytest.mark.parametrize("background", [False, True])
def test_metrics_of_a_fetch(background, reader, client, spans, server):
    """A fetch has a duration; tokens are counted with the answer that it is the first to show, which took no time."""
    server.then(*[Reply(llm_server.response(background=background))] * 2)
    client.responses.retrieve("resp_1")
    client.responses.retrieve("resp_1")
    found = points(reader)
    assert set(found) == {"gen_ai.client.operation.duration"} | ({"gen_ai.client.token.usage"} if background else set())
    (duration,) = found["gen_ai.client.operation.duration"].data.data_points
    assert (duration.attributes["gen_ai.operation.name"], duration.count) == ("fetch_response", 2)
    assert "gen_ai.response.id" not in duration.attributes
    if background:
        tokens = found["gen_ai.client.token.usage"].data.data_points
        assert {point.attributes["gen_ai.operation.name"] for point in tokens} == {"chat"}
        assert {point.attributes["gen_ai.token.type"]: point.sum for point in tokens} == {"input": 57, "output": 48}


def test_nothing_without_a_provider(client, spans, monkeypatch):
    """Without a MeterProvider there is no instrument."""
    monkeypatch.setattr(_metrics, "_next_look", 0.0)
    client.chat.completions.create(**CHAT)
    assert _metrics.instruments() is None
