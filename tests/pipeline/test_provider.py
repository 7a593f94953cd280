"""Provider and pipelines: one provider for the life of a process, one pipeline per destination, exact books."""

from __future__ import annotations

import threading
import time

import pytest
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource

from agentops_otel import semconv
from agentops_otel.clock import monotonic
from agentops_otel.config import Configuration
from agentops_otel.pipeline import pipeline as pipeline_module
from agentops_otel.pipeline.log_event import LogEvent
from agentops_otel.pipeline.tracer_provider import SessionTracerProvider
from agentops_otel.span_copy import SpanCopy
from agentops_otel.testing import SpanCapture
from tests.fakes import fault_server
from tests.fakes.fault_server import FaultServer


def spans(count):
    tracer = SessionTracerProvider(Resource({}), lambda context: None).get_tracer("test")
    parent = trace.set_span_in_context(trace.NonRecordingSpan(trace.SpanContext(1, 2, True, trace.TraceFlags(1))))
    made = [tracer.start_span(f"span {n}", parent) for n in range(count)]
    for span in made:
        span.end()
    return [span._readable_span() for span in made]


def test_the_provider_is_made_once(make):
    """Ours becomes global and is found again, with the processor it has."""
    one = make()
    two = make()
    assert one.provider is two.provider is trace.get_tracer_provider()
    assert one.processor is two.processor
    assert one.own


def test_equal_settings_share_a_pipeline(make):
    """A pipeline belongs to a destination, not to a session."""
    provider = make()
    one = provider.pipeline(Configuration(endpoint="http://127.0.0.1:9", default_tags=["a"]))
    assert provider.pipeline(Configuration(endpoint="http://127.0.0.1:9")) is one
    assert provider.pipeline(Configuration(endpoint="http://127.0.0.1:10")) is not one
    assert len(provider.pipelines) == 2


def test_a_span_without_parent_joins_the_session():
    """Where the provider is ours, other tracers' spans get the parent it is told; those with a parent keep theirs."""
    parent = trace.SpanContext(0x1234, 0x56, True, trace.TraceFlags(1))
    inside = trace.set_span_in_context(trace.NonRecordingSpan(parent), Context())
    provider = SessionTracerProvider(Resource({}), lambda context: inside)
    tracer = provider.get_tracer("other", "1.0", schema_url="https://example.org")
    assert tracer.start_span("x").parent.span_id == 0x56
    with tracer.start_as_current_span("outer") as outer:
        assert outer.parent.span_id == 0x56
        assert tracer.start_span("inner").parent.span_id == outer.get_span_context().span_id
    assert tracer.start_span("x", Context(), trace.SpanKind.CLIENT, {"a": 1}).kind is trace.SpanKind.CLIENT
    assert type(tracer).start_span(tracer, name="x").parent.span_id == 0x56  # as OpenInference does it
    assert provider.get_tracer("agentops_otel").start_span("root", Context()).parent is None


def test_many_attributes_fit(monkeypatch):
    """Our provider keeps 1,024 attributes, unless the environment says how many."""
    attributes = {f"a{n}": n for n in range(200)}
    made = (
        SessionTracerProvider(Resource({}), lambda context: None).get_tracer("x").start_span("x", attributes=attributes)
    )
    assert len(made.attributes) == 200
    monkeypatch.setenv("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "8")
    made = (
        SessionTracerProvider(Resource({}), lambda context: None).get_tracer("x").start_span("x", attributes=attributes)
    )
    assert len(made.attributes) == 8


@pytest.mark.parametrize("journal", ["disk", "memory"])
def test_the_books_are_exact(make, journal):
    """Recorded is acknowledged, dropped or kept, whatever the backend does meanwhile."""
    with FaultServer() as server:
        provider = make()
        pipeline = provider.pipeline(
            Configuration(endpoint=server.url, max_queue_size=100, max_wait_time=20, journal=journal)
        )
        for mode, seconds in (  # as long as a slow machine needs; while the backend is down, nothing is long enough
            (fault_server.ok, 30.0),
            (fault_server.status(400), 30.0),
            (fault_server.partial(3), 30.0),
            (fault_server.status(503), 1.0),
            (fault_server.ok, 30.0),
        ):
            server.mode = mode
            for span in spans(150):
                pipeline.record(span)
            provider.flush(seconds)
            provider.worker.call(lambda: None, 10)  # when what the flush has begun is over
            kept = pipeline.exporter.kept + (pipeline.backlog.waiting if pipeline.backlog else 0)
            books = pipeline.exporter.counts.acknowledged + sum(pipeline.dropped().values()) + kept
            assert books == pipeline.recorded
        assert pipeline.exporter.counts.acknowledged == len(set(server.span_ids()))
        assert provider.flush(30.0)


def test_threads_that_record_at_once_are_counted(make):
    """Eight threads fill a queue too small for them: what arrives and what is counted as lost make up everything."""
    capture = SpanCapture()
    provider = make()
    pipeline = provider.pipeline(Configuration(exporter=capture, max_queue_size=64, max_wait_time=1000))
    batches = [spans(300) for _ in range(8)]
    threads = [threading.Thread(target=lambda b=batch: [pipeline.record(span) for span in b]) for batch in batches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    provider.flush(5.0)
    assert pipeline.recorded == 2400
    assert len(capture.spans) + pipeline.dropped().get("queue full", 0) == 2400


def test_a_root_does_not_wait_for_the_batcher_at_the_end(make):
    """When the process ends, a root overtakes what waits in the batcher, which may be slow to complete."""
    capture = SpanCapture()
    pipeline = make().pipeline(Configuration(exporter=capture, max_wait_time=60_000))
    *children, root = spans(4)
    for child in children:
        pipeline.record(child)
    pipeline.exporter.closing = True
    pipeline.record(root)
    assert pipeline.flush(time.monotonic() + 10)
    assert [span.name for span in capture.spans] == ["span 3", "span 0", "span 1", "span 2"]


def test_the_end_of_the_process_stays(make):
    """A flush that the end of the process overtakes does not take back its deadline."""
    with FaultServer(mode=fault_server.slow(0.3)) as server:
        pipeline = make().pipeline(Configuration(endpoint=server.url))
        pipeline.record(spans(1)[0])
        flush = threading.Thread(target=pipeline.flush, args=(time.monotonic() + 10,))
        flush.start()
        assert server.wait_for(lambda: server.requests)
        pipeline.exporter.closing = True
        pipeline.exporter.deadline = end = time.monotonic() + 5
        flush.join()
    assert (pipeline.exporter.closing, pipeline.exporter.deadline) == (True, end)


def test_costs_and_the_host_are_added_late(make):
    """The price of a call and the host's description come in where a span leaves, not where it ends."""
    capture = SpanCapture()
    provider = make()
    pipeline = provider.pipeline(Configuration(exporter=capture, service_name="mine"))
    tracer = SessionTracerProvider(Resource({"service.name": "theirs"}), lambda context: None).get_tracer("x")
    usage = {"gen_ai.usage.input_tokens": 1000, "gen_ai.usage.output_tokens": 100}
    span = tracer.start_span(
        "chat",
        attributes={
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt-4o-mini",
            **usage,
        },
    )
    span.end()
    pipeline.record(span._readable_span())
    assert provider.flush(5.0)
    (found,) = capture.spans
    assert found.attributes["gen_ai.usage.cost.amount"] == pytest.approx(0.00021)
    assert found.attributes["gen_ai.usage.cost.currency"] == "USD"
    assert found.resource.attributes["service.name"] == "mine"
    assert found.resource.attributes["telemetry.sdk.language"] == "python"


def test_close_keeps_its_time_and_ends_its_threads(make):
    """Against a backend that never answers, `close()` ends in time; its threads are gone soon after."""
    before = set(threading.enumerate())
    with FaultServer(mode=fault_server.blackhole()) as server:
        theirs = set(threading.enumerate())
        provider = make()
        pipeline = provider.pipeline(Configuration(endpoint=server.url))
        pipeline.record(spans(1)[0])
        started = time.monotonic()
        provider.close(0.3)
        assert time.monotonic() - started < 1.5
    end = time.monotonic() + 5
    while (
        left := [t for t in threading.enumerate() if t not in before | theirs and "resource" not in t.name]
    ) and time.monotonic() < end:
        time.sleep(0.02)
    assert left == []


def test_console_and_custom_exporters_get_no_log_events(make):
    """Only OTLP has a logs signal; elsewhere log events are not even collected."""
    from agentops_otel.pipeline.log_event import LogEvent

    provider = make()
    for config in (Configuration(exporter=SpanCapture()), Configuration(protocol="console")):
        pipeline = provider.pipeline(config)
        pipeline.emit(LogEvent("session.start", 1, 1, 1, {}))
        assert len(pipeline._events) == 0


def test_events_that_wait_do_not_fill_the_memory(make, monkeypatch):
    """Of the log events of an outage the last ones wait in memory, those before them on disk; all arrive, once."""
    monkeypatch.setattr(pipeline_module, "_MOST_EVENTS", 5)
    with FaultServer(mode=fault_server.status(503)) as server:
        pipeline = make().pipeline(Configuration(endpoint=server.url))
        for number in range(20):
            pipeline.emit(LogEvent(f"event {number}", number, 1, 1, {}))
            assert len(pipeline._events) <= 5
        server.mode = fault_server.ok
        assert server.wait_for(lambda: pipeline.flush(monotonic() + 5) and len(server.logs()) >= 20, 30)
        assert len({record.time_unix_nano for record in server.logs()}) == 20


def test_the_books_of_few_sessions_are_kept(make, monkeypatch):
    """What was acknowledged is known of the last sessions; a process that runs a million of them keeps few."""
    monkeypatch.setattr(pipeline_module, "_MOST_SESSIONS", 3)
    pipeline = make().pipeline(Configuration(exporter=SpanCapture()))
    for number in range(6):
        (span,) = spans(1)
        span = SpanCopy(span, attributes={semconv.SESSION_ID: f"session {number}"})
        pipeline.record(span)
        assert pipeline.flush(monotonic() + 5)
    assert [pipeline.acknowledged(f"session {number}") for number in range(6)] == [0, 0, 0, 1, 1, 1]
