"""What recording costs the caller on each SDK, next to a span written by hand: `python bench/sdks.py --sdks groq`.

For each call of the table in `tests/sdks` whose SDK is installed: CPU time of the calling thread for one call,
against a server on this machine, in blocks that take turns: without anything (floor), with a span written by hand
(hand), with this package in its default configuration (ours). Figures are microseconds above the floor, medians over
blocks. CPU time varies twofold on a busy machine, so read the ratios, next to those of openai, which come first.

A dash stands where there is nothing to compare: recording costs no more than the call did without it, because the SDK
makes no spans of its own for a call that is recorded (anthropic), or a span by hand costs less than what can be seen.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from opentelemetry.sdk.trace import TracerProvider  # noqa: E402  (the path comes first)
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult  # noqa: E402
from opentelemetry.trace import SpanKind  # noqa: E402

import agentops_otel  # noqa: E402
from tests.fakes.llm_server import LlmServer, Reply  # noqa: E402
from tests.sdks.case import cases  # noqa: E402

PROMPT = json.dumps([{"role": "user", "parts": [{"type": "text", "content": "Capital of France?"}]}])
LEAST = 5  # microseconds that can be told from none
ANSWER = json.dumps([{"role": "assistant", "parts": [{"type": "text", "content": "Paris"}], "finish_reason": "stop"}])


class Nowhere(SpanExporter):
    """An exporter that costs nothing."""

    def export(self, spans):
        return SpanExportResult.SUCCESS

    def shutdown(self):
        pass


class Bench:
    """One call of one SDK."""

    def __init__(self, case, server, streamed):
        self.case, self.server, self.streamed = case, server, streamed
        self.client = case.client(f"http://127.0.0.1:{server.port}")
        self.reply = Reply(case.events, headers=case.headers) if streamed else Reply(case.answer)

    def call(self):
        if not self.streamed:
            self.case.call(self.client)
            return
        stream = self.case.stream(self.client)
        if hasattr(stream, "__enter__"):
            with stream as entered:
                for _ in entered:
                    pass
        else:
            for _ in stream:
                pass

    def block(self, calls, around=None):
        """Microseconds of this thread for one call."""
        self.server.then(*[self.reply] * calls)
        gc.collect()
        started = time.thread_time()
        for _ in range(calls):
            if around is None:
                self.call()
            else:
                with around():
                    self.call()
        return (time.thread_time() - started) / calls * 1e6


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="words of the names of calls, such as chat")
    parser.add_argument("--sdks", nargs="+", default=[], help="of these SDKs alone; openai is always there")
    parser.add_argument("--blocks", type=int, default=7)
    parser.add_argument("--calls", type=int, default=60)
    options = parser.parse_args()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(Nowhere()))
    tracer = provider.get_tracer("hand")

    def by_hand(case):
        attributes = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": case.provider,
            "gen_ai.request.model": case.model,
            "gen_ai.input.messages": PROMPT,
            "gen_ai.output.messages": ANSWER,
            "gen_ai.usage.input_tokens": 57,
            "gen_ai.usage.output_tokens": 48,
        }
        return lambda: tracer.start_as_current_span(case.span, kind=SpanKind.CLIENT, attributes=attributes)

    with tempfile.TemporaryDirectory() as journal, LlmServer() as server:
        agentops_otel.init(
            exporter=Nowhere(), journal_dir=journal, instrument_llm_calls=False, summary=False, auto_start_session=False
        )
        print("| call | floor | by hand | recorded | ratio |\n|---|---|---|---|---|", flush=True)
        with agentops_otel.session("bench"):
            for case in _chosen(options):
                for streamed in (False, True) if case.stream is not None else (False,):
                    _measure(Bench(case, server, streamed), by_hand(case), options)
        agentops_otel.shutdown()


def _chosen(options):
    """The calls that are measured, those of openai first."""
    found = cases("openai", *options.sdks) if options.sdks else cases()
    named = [case for case in found if any(name in case.name for name in options.names or [""])]
    return sorted(named, key=lambda case: not case.name.startswith("openai "))


def _measure(bench, by_hand, options):
    bench.block(options.calls)
    with agentops_otel.instrument():
        bench.block(options.calls)
    gc.freeze()  # what the SDKs are made of: to look through it before each block takes longer than the block
    floor, hand, ours = [], [], []
    for _ in range(options.blocks):
        floor.append(bench.block(options.calls))
        hand.append(bench.block(options.calls, by_hand))
        with agentops_otel.instrument():
            ours.append(bench.block(options.calls))
    base = statistics.median(floor)
    by, recorded = statistics.median(hand) - base, statistics.median(ours) - base
    name = f"{bench.case}{' stream' if bench.streamed else ''}"
    ratio = f"{recorded / by:.1f}x" if by >= LEAST and recorded > 0 else "-"
    print(f"| {name} | {base:.0f} | {by:.0f} | {recorded:.0f} | {ratio} |", flush=True)


if __name__ == "__main__":
    main()
