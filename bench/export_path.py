"""How many spans arrive at a given rate, next to OpenTelemetry's own path: `python bench/export_path.py`.

A program ends so many LLM spans a second for three seconds and exits; a backend in another process, which takes some
time for each request, tells how many of them it has then, and how many after `agentops-otel flush`. `sdk` is
OpenTelemetry's `BatchSpanProcessor` and OTLP exporter, `ours` is this package; both have their default settings.
"""

from __future__ import annotations

import argparse
import json
import time

from backend import backend
from transport import QUESTION

SECONDS = 3.0
ATTRIBUTES = {
    "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o",
    "server.address": "api.openai.com", "server.port": 443, "gen_ai.request.temperature": 0.2,
    "gen_ai.request.max_tokens": 256, "gen_ai.request.top_p": 0.9, "gen_ai.response.id": "chatcmpl-bench",
    "gen_ai.response.model": "gpt-4o-2024-08-06", "gen_ai.response.finish_reasons": ("stop",),
    "gen_ai.usage.input_tokens": 61, "gen_ai.usage.output_tokens": 44, "gen_ai.usage.cache_read.input_tokens": 32,
    "gen_ai.input.messages": json.dumps(QUESTION),
}  # fmt: skip


def offer(which: str, protocol: str, url: str, rate: int) -> None:
    """Be the program: end `rate` spans a second, as many as there can be when it is 0; print what that was."""
    from opentelemetry import trace

    if which == "ours":
        import agentops_otel

        agentops_otel.init(endpoint=url, protocol=protocol, summary=False, auto_start_session=True)
        close = agentops_otel.shutdown
    else:
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        if protocol == "grpc":
            from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

            exporter = OTLPSpanExporter(endpoint=url, insecure=True)
        else:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

            exporter = OTLPSpanExporter(endpoint=f"{url}/v1/traces")
        provider = TracerProvider()
        provider.add_span_processor(BatchSpanProcessor(exporter))
        trace.set_tracer_provider(provider)
        close = provider.shutdown
    tracer = trace.get_tracer("bench")
    started, cpu, ended = time.perf_counter(), time.process_time(), 0
    while (elapsed := time.perf_counter() - started) < SECONDS:
        for _ in range(int(elapsed * rate) - ended if rate else 200):
            tracer.start_span("chat gpt-4o", attributes=ATTRIBUTES).end()
            ended += 1
        if rate:
            time.sleep(0.005)
    elapsed, exiting = time.perf_counter() - started, time.perf_counter()
    close()
    print(
        json.dumps([ended, ended / elapsed, time.perf_counter() - exiting, (time.process_time() - cpu) / ended * 1e6])
    )


def measure(which: str, protocol: str, delay: float, rate: int) -> str:
    """One line of the table."""
    with backend(protocol, delay) as server:

        def arrived() -> int:
            return server.arrived() - (which == "ours")  # whose session has a root span, too

        said = server.run(__file__, "--offer", which, protocol, server.url, str(rate))
        ended, offered, exit_took, cpu = json.loads(said.splitlines()[-1])
        at_exit = arrived()
        if which == "ours":
            server.flush()
        shares = [f"{count / ended:.1%}" for count in (at_exit, arrived())]
    wanted = f"{rate:,}" if rate else "all it can"
    cells = (protocol, f"{delay:g} s", wanted, which, f"{offered:,.0f}", *shares, f"{exit_took:.1f} s", f"{cpu:.0f}")
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Measure and print a Markdown table, or be the program that is measured."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--protocol", choices=("http/protobuf", "grpc"), default="http/protobuf")
    options.add_argument("--delays", type=float, nargs="*", default=(0.0, 0.1, 1.0), help="seconds of a request")
    options.add_argument("--rates", type=int, nargs="*", default=(500, 2000, 4000, 8000, 0), help="spans a second")
    options.add_argument("--offer", nargs=4, help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.offer:
        which, protocol, url, rate = given.offer
        offer(which, protocol, url, int(rate))
        return
    titles = ("protocol", "a request takes", "wanted", "path", "spans/s", "at the exit", "in the end", "exit", "µs")
    print(f"| {' | '.join(titles)} |\n|{'---|' * len(titles)}")
    for delay in given.delays:
        for rate in given.rates:
            for which in ("sdk", "ours"):
                print(measure(which, given.protocol, delay, rate), flush=True)


if __name__ == "__main__":
    main()
