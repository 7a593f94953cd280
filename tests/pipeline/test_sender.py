"""Calls of a transport that hang, raise, or are interrupted."""

from __future__ import annotations

import threading
import time

import pytest
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, get_value
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult

from agentops_otel.config import Configuration
from agentops_otel.pipeline.delivery import DeliveryExporter
from agentops_otel.pipeline.transports import open_transport
from tests.pipeline.exporting import Own, make_spans, raising


def test_an_interrupt_is_for_the_main_thread() -> None:
    """Ctrl-C while the main thread waits ends no other thread that delivers then, and is not lost."""
    exporter = DeliveryExporter(open_transport(Configuration(exporter=Own(lambda: SpanExportResult.SUCCESS))))
    exporter._interrupted = True
    thread = threading.Thread(target=exporter.export, args=(make_spans("a"),))
    thread.start()
    thread.join()
    assert exporter.counts.acknowledged == 1
    with pytest.raises(KeyboardInterrupt):
        exporter.export(make_spans("b"))
    exporter.shutdown()


def test_custom_exporter_that_hangs() -> None:
    """A user's exporter that never returns holds nobody, and is never called twice at a time."""
    free = threading.Event()
    own = Own(lambda: SpanExportResult.SUCCESS if free.wait(30) else SpanExportResult.FAILURE)
    exporter = DeliveryExporter(open_transport(Configuration(exporter=own)), retry_for=0.2)
    try:
        begin = time.monotonic()
        exporter.export(make_spans("a"))
        exporter.export(make_spans("b"))
        assert time.monotonic() - begin < 5.0
        assert own.names == ["a"]
        assert exporter.kept == 2
    finally:
        free.set()
        exporter.shutdown()
    assert exporter.counts.acknowledged == 2


def test_the_worker_thread_survives() -> None:
    """Q3: a BatchSpanProcessor keeps exporting after an exporter that raised SystemExit."""
    own = Own(raising(SystemExit(1)))
    exporter = DeliveryExporter(open_transport(Configuration(exporter=own)))
    provider = TracerProvider(shutdown_on_exit=False)
    processor = BatchSpanProcessor(exporter, schedule_delay_millis=10)
    provider.add_span_processor(processor)
    tracer = provider.get_tracer("tests")
    tracer.start_span("first").end()
    end = time.monotonic() + 5
    while not exporter.counts.dropped and time.monotonic() < end:
        time.sleep(0.005)
    own.act = lambda: SpanExportResult.SUCCESS
    tracer.start_span("second").end()
    while not exporter.counts.acknowledged and time.monotonic() < end:
        time.sleep(0.005)
    provider.shutdown()
    assert (exporter.counts.acknowledged, exporter.counts.dropped) == (1, {"exporter failed": 1})


def test_our_requests_are_not_traced() -> None:
    """Instrumentation is suppressed while we send, whoever called us."""
    seen: list[object] = []
    own = Own(lambda: seen.append(get_value(_SUPPRESS_INSTRUMENTATION_KEY)))
    exporter = DeliveryExporter(open_transport(Configuration(exporter=own)))
    exporter.export(make_spans("a"))
    exporter.shutdown()
    assert seen == [True]
