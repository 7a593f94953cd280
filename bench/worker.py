"""What a span costs behind the program's back, in microseconds of CPU: `python bench/worker.py`.

A program makes blocks of recorded calls and waits for each block to arrive at a backend in another process. Counted is
the CPU time of all threads but the program's own: what completes, encodes, packs, sends and acknowledges. `sdk` is
OpenTelemetry's `BatchSpanProcessor` and OTLP exporter with the same spans. `steps` are the parts of it alone, without
a thread and a network; there the best of many short blocks counts, which a busy machine disturbs least.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
import timeit
from collections.abc import Callable
from typing import Any

from backend import backend
from transport import CHAT, Answers

BLOCKS, CALLS = 20, 400
BLOCK = 32  # spans of a short block


def rounds(block: Callable[[], None], flush: Callable[[], object]) -> list[float]:
    """Microseconds a span, round by round, without what the program's own thread needs for the spans."""
    found = []
    for _ in range(BLOCKS):
        before, own = time.process_time(), time.thread_time()
        block()
        own -= time.thread_time()
        flush()
        found.append((time.process_time() - before + own) / CALLS * 1e6)
    return found


def offer(which: str, url: str) -> None:
    """Be the program: print the microseconds of each block."""
    if which == "ours":
        import openai

        import agentops_otel

        client, _ = Answers().clients(openai)
        agentops_otel.init(endpoint=url, summary=False, max_queue_size=4 * CALLS, max_wait_time=5000)

        def block() -> None:
            for _ in range(CALLS):
                client.chat.completions.create(**CHAT)

        def flush() -> object:
            return agentops_otel.flush(60.0)
    else:
        from opentelemetry.exporter.otlp.proto.http import Compression
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        provider = TracerProvider()
        exporter = OTLPSpanExporter(endpoint=f"{url}/v1/traces", compression=Compression.Gzip)
        provider.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=4 * CALLS))
        tracer = provider.get_tracer("bench")
        attributes = recorded()

        def block() -> None:
            for _ in range(CALLS):
                tracer.start_span("chat gpt-4o", attributes=attributes).end()

        flush = provider.force_flush
    print(json.dumps(rounds(block, flush)))


def recorded() -> dict[str, Any]:
    """The attributes of a recorded call, before it has a price."""
    import openai

    import agentops_otel
    from agentops_otel import pricing
    from agentops_otel.testing import captured_session

    client, _ = Answers().clients(openai)
    with captured_session() as session:
        agentops_otel.instrument("openai")
        client.chat.completions.create(**CHAT)
    (span,) = [span for span in session.spans if span.name.startswith("chat")]
    price = pricing.attributes(pricing.Cost(0.0, "", ""))
    return {name: value for name, value in (span.attributes or {}).items() if name not in price}


def steps() -> dict[str, float]:
    """Microseconds a span of the parts, each by itself."""
    from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    from agentops_otel.pipeline.backlog import priced
    from agentops_otel.pipeline.parts import text_size
    from agentops_otel.pipeline.transports import otlp

    provider, memory, attributes = TracerProvider(shutdown_on_exit=False), InMemorySpanExporter(), recorded()
    provider.add_span_processor(SimpleSpanProcessor(memory))
    for _ in range(BLOCK):
        provider.get_tracer("bench").start_span("chat gpt-4o", attributes=attributes).end()
    spans = memory.get_finished_spans()
    parts: dict[str, Callable[[], object]] = {
        "complete": lambda: [priced(span) for span in spans],
        "divide into requests": lambda: [text_size(span) for span in spans],
        "encode": lambda: otlp.request(spans),
        "encode, by the SDK": lambda: encode_spans(spans).SerializeToString(),
    }
    return {name: min(timeit.repeat(part, number=1, repeat=400)) / BLOCK * 1e6 for name, part in parts.items()}


def main() -> None:
    """Measure and print, or be the program that is measured."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--steps", action="store_true", help="the parts alone")
    options.add_argument("--offer", nargs=2, help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.offer:
        offer(*given.offer)
        return
    if given.steps:
        for name, cost in steps().items():
            print(f"{name:22}{cost:8.1f} µs")
        return
    print(f"{'':6}{'best':>8}{'median':>8}   microseconds a span")
    for which in ("sdk", "ours"):
        with backend("http/protobuf", 0.0) as server:
            found = json.loads(server.run(__file__, "--offer", which, server.url).splitlines()[-1])
        print(f"{which:6}{min(found):8.1f}{statistics.median(found):8.1f}", flush=True)


if __name__ == "__main__":
    main()
