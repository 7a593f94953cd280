"""What recording costs the caller, next to a span written by hand: `python bench/run.py`.

One process, three variants in turn, block by block: `floor` is a second copy of the `openai` package that nothing ever
patches, `hand` is the floor with a hand-made span, `ours` is this package in its default configuration. Figures are CPU
microseconds per call that the calling thread pays above the floor, medians over the blocks; noise of a busy machine
hits all three alike, so read the ratios.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import whole
from by_hand import ByHand
from transport import CHAT, Answers, long_prompt, picture

Block = Callable[[str], None]


def floor_openai() -> Any:
    """The `openai` package loaded a second time under another name; it uses relative imports only."""
    found = importlib.util.find_spec("openai")
    assert found is not None
    assert found.origin is not None
    spec = importlib.util.spec_from_file_location(
        "openai_floor", found.origin, submodule_search_locations=list(found.submodule_search_locations or ())
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["openai_floor"] = module
    spec.loader.exec_module(module)
    return module


class Counting:
    """An exporter that takes everything and keeps nothing but the last span."""

    last: Any = None

    def export(self, spans: Any) -> Any:
        from opentelemetry.sdk.trace.export import SpanExportResult

        self.last = spans[-1]
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None: ...

    def force_flush(self, timeout_millis: int = 0) -> bool:
        return True


class Bench:
    """The variants and how they are measured."""

    def __init__(self, content: bool, rounds: int) -> None:
        import openai
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        import agentops_otel

        self.rounds = rounds
        self.answers = Answers()
        floor = floor_openai()
        provider = TracerProvider()
        provider.add_span_processor(BatchSpanProcessor(Counting()))  # type: ignore[arg-type]
        self.exporter = Counting()
        agentops_otel.init(
            exporter=self.exporter,  # type: ignore[typeddict-item]
            capture_content="full" if content else "metadata",
            summary=False,
        )
        sync, asy = self.answers.clients(floor)
        tracer = provider.get_tracer("by hand")
        ours, aours = self.answers.clients(openai)
        self.chat = {
            "floor": sync.chat.completions.create,
            "hand": ByHand(tracer, sync.chat.completions.create, content).create,
            "ours": ours.chat.completions.create,
        }
        self.achat = {
            "floor": asy.chat.completions.create,
            "hand": ByHand(tracer, asy.chat.completions.create, content).acreate,
            "ours": aours.chat.completions.create,
        }
        self.embed = {"floor": sync.embeddings.create, "ours": ours.embeddings.create}
        self.flush = {"floor": lambda: None, "hand": provider.force_flush, "ours": agentops_otel.flush}
        self.loop = asyncio.new_event_loop()

    def added(
        self, block: Block, calls: int, names: tuple[str, ...] = ("floor", "hand", "ours"), rounds: int = 0
    ) -> dict[str, float]:
        """Microseconds that each variant adds to a call of the floor."""
        for name in names:
            block(name)
        gc.collect()
        gc.freeze()
        taken: dict[str, list[float]] = {name: [] for name in names}
        for turn in range(rounds or self.rounds):
            for name in names[turn % len(names) :] + names[: turn % len(names)]:
                started = time.thread_time_ns()
                block(name)
                taken[name].append((time.thread_time_ns() - started) / calls / 1e3)
                self.flush[name]()
        gc.unfreeze()
        return {
            name: statistics.median(a - b for a, b in zip(taken[name], taken["floor"], strict=True))
            for name in names
            if name != "floor"
        }

    def sync(self, calls: int, rounds: int = 0, **request: Any) -> dict[str, float]:
        def block(name: str) -> None:
            create = self.chat[name]
            for _ in range(calls):
                create(**{**CHAT, **request})

        return self.added(block, calls, rounds=rounds)

    def asynchronous(self, calls: int) -> dict[str, float]:
        def block(name: str) -> None:
            async def run() -> None:
                for _ in range(calls):
                    await self.achat[name](**CHAT)

            self.loop.run_until_complete(run())

        return self.added(block, calls)

    def stream(self, chunks: int) -> dict[str, float]:
        def block(name: str) -> None:
            for _ in range(10):
                for _ in self.chat[name](stream=True, **CHAT):
                    pass

        self.answers.chunks = chunks
        return self.added(block, 10)

    def first_chunk(self) -> dict[str, float]:
        """Up to the first chunk only; the rest of the stream is read outside of the clock."""
        self.answers.chunks = 50
        taken: dict[str, list[float]] = {name: [] for name in self.chat}
        for _ in range(self.rounds * 3):
            for name, create in self.chat.items():
                started = time.thread_time_ns()
                chunks = iter(create(stream=True, **CHAT))
                next(chunks)
                taken[name].append((time.thread_time_ns() - started) / 1e3)
                for _ in chunks:
                    pass
        return {n: statistics.median(t) - statistics.median(taken["floor"]) for n, t in taken.items() if n != "floor"}

    def embeddings(self) -> dict[str, float]:
        def block(name: str) -> None:
            for _ in range(20):
                self.embed[name](model="text-embedding-3-small", input="a short text to embed")

        return self.added(block, 20, ("floor", "ours"))

    def journal(self, spans: int = 200) -> dict[str, float]:
        """What the journal adds to a recorded call: it has none with an exporter of the program's own, as here."""
        from agentops_otel.pipeline.journal import Journal

        self.chat["ours"](**CHAT)
        self.flush["ours"]()
        span = self.exporter.last
        taken = []
        with tempfile.TemporaryDirectory() as folder:
            journal = Journal(folder)
            for _ in range(self.rounds):
                started = time.thread_time_ns()
                for _ in range(spans):
                    journal.append(span)
                taken.append((time.thread_time_ns() - started) / spans / 1e3)
            journal.close()
        return {"ours": statistics.median(taken)}

    def threads(self, calls: int) -> dict[str, float]:
        """CPU of the whole process per call with eight threads."""
        taken: dict[str, list[float]] = {name: [] for name in self.chat}
        for _ in range(3):
            for name, create in self.chat.items():

                def work(create: Any = create) -> None:
                    for _ in range(calls):
                        create(**CHAT)

                threads = [threading.Thread(target=work) for _ in range(8)]
                started = time.process_time_ns()
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
                self.flush[name]()
                taken[name].append((time.process_time_ns() - started) / 8 / calls / 1e3)
        return {n: statistics.median(t) - statistics.median(taken["floor"]) for n, t in taken.items() if n != "floor"}

    def kept_objects(self, calls: int) -> dict[str, float]:
        """Objects that stay alive per call; each tenth call is a stream, each hundredth an abandoned one."""

        def run(count: int) -> int:
            for number in range(count):
                if number % 10:
                    self.chat["ours"](**CHAT)
                    continue
                stream = self.chat["ours"](stream=True, **CHAT)
                for _ in stream:
                    if number % 100 == 0:
                        break
                del stream
                if number % 500 == 490:
                    self.flush["ours"]()
            self.flush["ours"]()
            gc.collect()
            return len(gc.get_objects())

        self.answers.chunks = 10
        run(1000)
        before = run(calls)
        return {"ours": (run(calls) - before) / calls}


_START_UP = """
import json, sys, time
sys.path.insert(0, {folder!r})
import openai
from run import Counting
from transport import Answers, CHAT
client = Answers().clients(openai)[0]
client.chat.completions.create(**CHAT)
modules, started = len(sys.modules), time.process_time()
import agentops_otel
agentops_otel.init(exporter=Counting(), summary=False)
print(json.dumps([(time.process_time() - started) * 1e3, len(sys.modules) - modules]), flush=True)
import os
os._exit(0)
"""


def start_up(runs: int = 5) -> tuple[float, float]:
    """CPU milliseconds and modules that `import agentops_otel` and `init()` add in a fresh process."""
    code = _START_UP.format(folder=str(Path(__file__).parent))
    results = []
    for _ in range(runs + 1):
        out = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
        ).stdout
        results.append(json.loads(out.splitlines()[-1]))
    return statistics.median(r[0] for r in results[1:]), statistics.median(r[1] for r in results[1:])


def main() -> None:
    """Measure and print a Markdown table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=30, help="blocks for each variant and row")
    options.add_argument("--content", choices=("on", "off"), default="on", help="whether messages are recorded")
    given = options.parse_args()
    bench = Bench(given.content == "on", given.rounds)
    rows: list[tuple[str, dict[str, float], str]] = [
        ("sync call, µs", bench.sync(50), "1.5x" if given.content == "on" else "1.6x"),
        ("async call, µs", bench.asynchronous(50), "1.5x"),
        ("50-chunk stream, µs", long := bench.stream(50), "2x"),
    ]
    short = bench.stream(10)
    rows += [
        ("each chunk, µs", {name: (long[name] - short[name]) / 40 for name in long}, "3"),
        ("to the first chunk, µs", bench.first_chunk(), "1.3x"),
        ("embeddings, µs", bench.embeddings(), "75"),
        ("200 KB prompt, µs", bench.sync(5, 15, messages=long_prompt(200)), "200"),
        ("2 MB image, µs", bench.sync(2, 10, messages=picture(2)), "300"),
        ("the journal, for each span, µs", bench.journal(), "10"),
        ("8 threads, CPU of the process, µs", bench.threads(300), "150"),
        ("objects kept for each call", bench.kept_objects(2000), "0"),
    ]
    if whole.is_possible():
        rows.append(("CPU of the whole process, export included, µs", whole.measure(), "1x"))
    else:
        print("no row of the whole process: it needs opentelemetry-exporter-otlp-proto-http", file=sys.stderr)
    print(f"\n| content {given.content} | by hand | ours | ratio | aim |\n|---|---|---|---|---|")
    for title, figures, aim in rows:
        hand = figures.get("hand")
        ratio = "" if hand is None else f"{figures['ours'] / hand:.2f}x"
        shown = "" if hand is None else f"{hand:.1f}"
        print(f"| {title} | {shown} | {figures['ours']:.2f} | {ratio} | {aim} |")
    cpu, modules = start_up()
    print(f"| import and init, CPU ms | | {cpu:.0f} | | 75 |\n| modules added | | {modules:.0f} | | 110 |", flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
