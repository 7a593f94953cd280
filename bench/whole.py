"""What recording costs the whole process, export included, next to OpenTelemetry's own path: `python bench/whole.py`.

CPU microseconds of all threads for each call, above those of a process that records nothing. Each variant is a process
of its own that sends to a backend on this machine: `hand` is a span written by hand with OpenTelemetry's
`BatchSpanProcessor` and its OTLP exporter over HTTP, `ours` is this package in its default configuration, with content
and journal.
"""

from __future__ import annotations

import argparse
import gc
import importlib.util
import statistics
import time
from collections.abc import Callable
from typing import Any

from backend import backend
from by_hand import ByHand
from transport import CHAT, Answers

VARIANTS = ("floor", "hand", "ours")
_WARM_UP = 600  # calls: more than a batch of spans
_BACKGROUND = 2.0  # seconds in which what is done once in the background is over


def _by_hand(create: Callable[..., Any], url: str) -> tuple[Callable[..., Any], Callable[[], object]]:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{url}/v1/traces")))
    return ByHand(provider.get_tracer("by hand"), create, True).create, provider.force_flush


def _process(variant: str, url: str, calls: int) -> float:
    """Be the process of a variant: CPU microseconds for each call."""
    import openai

    flush: Callable[[], object] = list
    if variant == "ours":
        import agentops_otel

        agentops_otel.init(endpoint=url, summary=False)
        flush = agentops_otel.flush
    create: Callable[..., Any] = Answers().clients(openai)[0].chat.completions.create
    if variant == "hand":
        create, flush = _by_hand(create, url)
    for _ in range(_WARM_UP):
        create(**CHAT)
    flush()
    time.sleep(_BACKGROUND)
    gc.collect()
    gc.freeze()
    started = time.process_time_ns()
    for _ in range(calls):
        create(**CHAT)
    flush()
    return (time.process_time_ns() - started) / calls / 1e3


def is_possible() -> bool:
    """Whether OpenTelemetry's exporter is installed; this package does not bring it."""
    return importlib.util.find_spec("opentelemetry.exporter.otlp.proto.http") is not None


def measure(rounds: int = 3, calls: int = 1200) -> dict[str, float]:
    """CPU microseconds that each variant adds to a call; medians over so many processes of each."""
    taken: dict[str, list[float]] = {variant: [] for variant in VARIANTS}
    with backend("http/protobuf", 0) as site:
        for _ in range(rounds):
            for variant in VARIANTS:
                said = site.run(__file__, "--variant", variant, "--url", site.url, "--calls", str(calls))
                taken[variant].append(float(said))
        expected = 2 * rounds * (_WARM_UP + calls)
        if (arrived := site.arrived()) < expected:
            raise RuntimeError(f"{arrived} of {expected} spans arrived: this run says nothing")
    floor = statistics.median(taken.pop("floor"))
    return {variant: statistics.median(each) - floor for variant, each in taken.items()}


def main() -> None:
    """Measure and print, or be one of the measured processes."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=3, help="processes of each variant")
    options.add_argument(
        "--calls",
        type=int,
        default=1200,
        help="in each process: more than 1,400 may be too many for the queue of the SDK",
    )
    options.add_argument("--variant", choices=VARIANTS, help=argparse.SUPPRESS)
    options.add_argument("--url", help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.variant:
        print(_process(given.variant, given.url, given.calls), flush=True)
        return
    added = measure(given.rounds, given.calls)
    print(f"by hand {added['hand']:.0f} µs, ours {added['ours']:.0f} µs: {added['ours'] / added['hand']:.2f}x")


if __name__ == "__main__":
    main()
