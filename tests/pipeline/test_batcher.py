"""The SDK's batch processor around a fork."""

from __future__ import annotations

import threading

import pytest
from opentelemetry.sdk.trace import TracerProvider

from agentops_otel.clock import monotonic
from agentops_otel.pipeline.batcher import Batcher
from agentops_otel.pipeline.delivery import DeliveryExporter
from agentops_otel.pipeline.transports.custom import CustomTransport
from agentops_otel.testing import SpanCapture


@pytest.fixture
def capture():
    return SpanCapture()


@pytest.fixture
def make(capture):
    """A function that makes a batcher in front of `capture`; it is shut down at the end."""
    made = []

    def make(**options):
        exporter = DeliveryExporter(CustomTransport(capture))
        made.append(Batcher(exporter, **{"size": 100, "delay": 60_000, "batch": 10, **options}))
        return made[-1], exporter

    yield make
    for batcher in made:
        batcher.shutdown()


def end_spans(batcher, *names):
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(Forwarding(batcher))
    for name in names:
        provider.get_tracer("test").start_span(name).end()


class Forwarding:
    """Hands ended spans to a batcher, and is not shut down with its provider."""

    def __init__(self, batcher):
        self.on_end = batcher.on_end

    def on_start(self, span, parent_context=None):
        pass

    def _on_ending(self, span):
        pass


def names(capture):
    return [span.name for span in capture.spans]


def thread_of(batcher):
    return batcher._inner._worker_thread


def fork(batcher, exporter):
    """What `forks.py` does, without the fork."""
    exporter.hold()
    batcher.hold()
    assert batcher.join(monotonic() + 20)
    assert exporter.join(monotonic() + 20)


def test_the_thread_ends_for_a_fork_and_comes_back(make, capture):
    """No span is lost that ended before, meanwhile, or after; the thread is there again with the next one."""
    batcher, exporter = make(delay=20)
    end_spans(batcher, "before")
    fork(batcher, exporter)
    assert not thread_of(batcher).is_alive()
    end_spans(batcher, "meanwhile")
    exporter.release()
    batcher.release()
    assert not thread_of(batcher).is_alive()
    end_spans(batcher, "after")
    assert thread_of(batcher).is_alive()
    assert batcher.force_flush()
    assert exporter.force_flush()
    assert sorted(names(capture)) == ["after", "before", "meanwhile"]


def test_a_flush_while_a_fork_is_near(make, capture):
    """What ended meanwhile goes to the exporter in batches, though the processor stands still."""
    batcher, exporter = make(batch=2)
    fork(batcher, exporter)
    end_spans(batcher, *"abcde")
    assert batcher.force_flush()
    assert exporter.kept == 5
    exporter.release()
    batcher.release()
    assert exporter.force_flush()
    assert sorted(names(capture)) == list("abcde")


def test_without_the_private_names_the_thread_stays(make, capture):
    """A future SDK may name things otherwise: a fork changes nothing then, and batches go as ever."""
    batcher, exporter = make()
    thread = thread_of(batcher)
    batcher._inner = None
    fork(batcher, exporter)
    assert thread.is_alive()
    end_spans(batcher, "meanwhile")
    exporter.release()
    batcher.release()
    batcher.after_fork()
    assert batcher.force_flush()
    assert exporter.force_flush()
    assert names(capture) == ["meanwhile"]


def test_threads_that_end_spans_during_forks(make, capture):
    """Each span arrives once, whenever the thread was ended."""
    batcher, exporter = make(size=10_000, delay=1)
    threads = [
        threading.Thread(target=end_spans, args=(batcher, *(f"{thread}.{number}" for number in range(100))))
        for thread in range(4)
    ]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        fork(batcher, exporter)
        exporter.release()
        batcher.release()
    for thread in threads:
        thread.join()
    assert batcher.force_flush()
    assert exporter.force_flush()
    assert sorted(names(capture)) == sorted(f"{thread}.{number}" for thread in range(4) for number in range(100))
