"""What recording costs the caller in instructions, next to a span written by hand: `make bench-instructions`.

Instructions of the calling thread under callgrind repeat to about two per cent, also on a busy machine, where CPU time
varies twofold. They see neither the kernel nor the caches, so `bench/run.py` stands beside it.

Three variants: `floor` records nothing, `hand` has a span written by hand around each call, `ours` is this package in
its default configuration, which sends to a backend on this machine. Figures are thousands of instructions for each call
above the floor. Each row has processes of its own, with different hash seeds, and its figure is the median of theirs:
where objects lie moves the SDK's own 46 million of a long stream by half a per cent, which is as much as recording it
costs. What floor and hand cost is kept in the user's cache folder, because it changes only with the installed packages
and the files beside this one; `--fresh` measures it again.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import gc
import hashlib
import importlib.metadata
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from backend import ROOT, backend
from by_hand import ByHand, tool_by_hand
from transport import CHAT, Answers, long_prompt, picture

VARIANTS = ("floor", "hand", "ours")
_PACKAGES = ("openai", "opentelemetry-sdk", "httpx", "pydantic")
_LIBRARY = """
#include <valgrind/callgrind.h>
void start(void) { CALLGRIND_START_INSTRUMENTATION; }
void stop(void) { CALLGRIND_STOP_INSTRUMENTATION; }
void zero(void) { CALLGRIND_ZERO_STATS; }
void dump(const char *name) { CALLGRIND_DUMP_STATS_AT(name); }
"""


class Row(NamedTuple):
    """One line of the table.

    Attributes:
        title: what is counted.
        target: as a ratio to the hand-made span (`1.05x`), or in thousands of instructions (`270`).
        calls: in one block.
        by_hand: whether there is a hand-made span to compare with.
    """

    title: str
    target: str
    calls: int = 10
    by_hand: bool = True


ROWS = {
    "sync": Row("sync call", "1.05x"),
    "async": Row("async call", "1.05x"),
    "embeddings": Row("embeddings", "270", by_hand=False),
    "tool": Row("`@tool` with small arguments", "1.3x"),
    "first": Row("to the first chunk", "0.6x"),
    "stream10": Row("stream of 10 chunks", "1.45x"),
    "stream50": Row("stream of 50 chunks", "1.5x"),
    "prompt": Row("200 KB prompt", "0.25x", calls=4),
    "picture": Row("2 MB picture", "0.03x", calls=2),
}
_CHUNK = "each further chunk"  # the difference of the two streams


class NotHere(Exception):
    """Nothing can be counted on this machine; the text says what to install."""


# The process that is counted ------------------------------------------------------------------------------------------


class Counter:
    """Counts the instructions of blocks of calls; runs under callgrind only."""

    def __init__(self, library: str, dumps: Path, flush: Callable[[], object]) -> None:
        self._callgrind = ctypes.CDLL(library)
        self._dumps = dumps
        self._flush = flush

    def count(self, block: Callable[[], object], calls: int, *, warm: int, blocks: int) -> float:
        """Instructions of the main thread for each call; the median over blocks."""
        for _ in range(-(-warm // calls)):
            block()
        self._flush()
        gc.collect()
        gc.disable()
        gc.freeze()
        self._callgrind.start()
        counted = []
        for number in range(blocks + 1):
            self._callgrind.zero()
            kept = block()
            self._callgrind.dump(b"block")
            del kept
            total = self._read()
            if number:  # the first one is different: it has just been translated
                counted.append(total / calls)
            self._flush()
        self._callgrind.stop()
        gc.unfreeze()
        gc.enable()
        return statistics.median(counted)

    def _read(self) -> int:
        """What the last dump says of the main thread, which is the first."""
        total = 0
        for path in self._dumps.iterdir():
            if path.name.endswith("-01") and (found := re.search(r"^totals: (\d+)", path.read_text(), re.MULTILINE)):
                total = int(found[1])
            path.unlink()
        return total


class Program:
    """The calls of one variant."""

    def __init__(self, variant: str) -> None:
        import openai

        self.flush: Callable[[], object] = lambda: None
        self.answers = Answers()
        self._loop = asyncio.new_event_loop()
        search = _search
        if variant == "ours":
            import agentops_otel

            agentops_otel.init(summary=False)
            self.flush = agentops_otel.flush
            search = agentops_otel.tool(_search)
        client, asynchronous = self.answers.clients(openai)
        self._embed = client.embeddings.create
        self._create, self._acreate = client.chat.completions.create, asynchronous.chat.completions.create
        if variant == "hand":
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
            from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

            provider, exporter = TracerProvider(), InMemorySpanExporter()
            provider.add_span_processor(BatchSpanProcessor(exporter))
            self.flush = lambda: (provider.force_flush(), exporter.clear())
            tracer = provider.get_tracer("by hand")
            self._create = ByHand(tracer, self._create, content=True).create
            self._acreate = ByHand(tracer, self._acreate, content=True).acreate
            search = tool_by_hand(tracer, _search)
        self._search = search

    def block(self, row: str, calls: int) -> Callable[[], object]:
        """A function that makes so many calls of a row."""
        if row == "async":
            return lambda: self._loop.run_until_complete(self._asynchronous(calls))
        if row == "tool":
            return lambda: self._times(calls, lambda: self._search("flights", limit=3))
        if row == "embeddings":
            question = {"model": "text-embedding-3-small", "input": "a short text to embed"}
            return lambda: self._times(calls, lambda: self._embed(**question))
        if row == "first":
            return lambda: self._begun(calls)
        if row.startswith("stream"):
            return lambda: self._streams(int(row[len("stream") :]), calls)
        more = {"prompt": lambda: long_prompt(200), "picture": lambda: picture(2)}
        request = {**CHAT, "messages": more[row]()} if row in more else CHAT
        return lambda: self._times(calls, lambda: self._create(**request))

    @staticmethod
    def _times(calls: int, call: Callable[[], object]) -> None:
        for _ in range(calls):
            call()

    async def _asynchronous(self, calls: int) -> None:
        for _ in range(calls):
            await self._acreate(**CHAT)

    def _streams(self, chunks: int, calls: int) -> None:
        self.answers.chunks = chunks
        for _ in range(calls):
            for _ in self._create(stream=True, **CHAT):
                pass

    def _begun(self, calls: int) -> _Streams:
        self.answers.chunks = 50
        begun = _Streams()
        for _ in range(calls):
            begun.append(stream := iter(self._create(stream=True, **CHAT)))
            next(stream)
        return begun


class _Streams(list[Any]):
    """Streams of which only the first chunk is counted; the rest is read when nobody counts."""

    def __del__(self) -> None:
        for stream in self:
            for _ in stream:
                pass


def _search(query: str, limit: int = 10) -> dict[str, Any]:
    return {"query": query, "hits": ["VIE-LHR", "VIE-JFK"][:limit]}


def measure(variant: str, row: str, library: str, dumps: Path, blocks: int) -> None:
    """Be the process that is counted: print thousands of instructions for each call of a row."""
    program = Program(variant)
    counter = Counter(library, dumps, program.flush)
    calls = ROWS[row].calls
    counted = counter.count(program.block(row, calls), calls, warm=4 * calls, blocks=blocks)
    print(counted / 1e3, flush=True)
    os._exit(0)  # not the end of a process, which takes a minute under valgrind


# The process that starts them -----------------------------------------------------------------------------------------


def cache() -> Path:
    """The project's folder in the user's cache."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    folder = Path(base) / "agentops-otel" / "instructions"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def library() -> Path:
    """The shared library that talks to callgrind, compiled when it is not there.

    Raises:
        NotHere: valgrind, its headers or a C compiler are missing.
    """
    compiler = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    if shutil.which("valgrind") is None:
        raise NotHere("valgrind is missing: install it (Debian, Ubuntu: apt install valgrind)")
    if compiler is None:
        raise NotHere("a C compiler is missing: install one (Debian, Ubuntu: apt install gcc libc6-dev)")
    made = cache() / f"callgrind-{hashlib.sha256(_LIBRARY.encode()).hexdigest()[:8]}.so"
    if made.exists():
        return made
    with tempfile.TemporaryDirectory(dir=cache()) as folder:
        source, target = Path(folder) / "callgrind.c", Path(folder) / "callgrind.so"
        source.write_text(_LIBRARY)
        command = [compiler, "-shared", "-fPIC", "-O2", "-o", str(target), str(source)]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        if ended.returncode:
            raise NotHere(f"{compiler} cannot compile with valgrind's headers:\n{ended.stderr.strip()}")
        target.replace(made)
    return made


def _fingerprint() -> str:
    """Changes with all that floor and hand depend on."""
    files = [Path(__file__).with_name(name) for name in ("instructions.py", "by_hand.py", "transport.py")]
    versions = [f"{name} {_version(name)}" for name in _PACKAGES]
    parts = [sys.version.encode(), *map(str.encode, versions), *(path.read_bytes() for path in files)]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "none"


def figures_of(variant: str, rows: Sequence[str], blocks: int, processes: int, *, fresh: bool) -> dict[str, float]:
    """Thousands of instructions for each call of a variant, by row."""
    kept = cache() / f"{variant}-{processes}-{_fingerprint()}.json"
    figures: dict[str, float] = {}
    if variant != "ours" and kept.exists():
        figures = json.loads(kept.read_text())
    for row in rows:
        if fresh or row not in figures:
            with ThreadPoolExecutor(os.cpu_count()) as pool:  # (a count does not change with what runs beside it)
                counted = [*pool.map(partial(_counted, variant, row, blocks), range(processes))]
            figures[row] = statistics.median(counted)
            every = ", ".join(f"{count:,.0f}" for count in counted)
            print(f"{variant} {row}: {every}", file=sys.stderr, flush=True)
    if variant != "ours":
        part = kept.with_suffix(f".{os.getpid()}")
        part.write_text(json.dumps(figures))
        part.replace(kept)
    return figures


def _counted(variant: str, row: str, blocks: int, seed: int) -> float:
    """Run a row of the variant under callgrind."""
    with backend("http/protobuf", 0.0) as server, tempfile.TemporaryDirectory() as dumps:
        command = [
            "valgrind", "--tool=callgrind", "--instr-atstart=no", "--separate-threads=yes", "--fair-sched=try", "-q",
            f"--callgrind-out-file={dumps}/callgrind.out",
            sys.executable, str(Path(__file__)), "--be", variant, "--rows", row, "--blocks", str(blocks),
            "--library", str(library()), "--dumps", dumps,
        ]  # fmt: skip
        environ = {
            **server.environ, "PYTHONHASHSEED": str(seed), "AGENTOPS_ENDPOINT": server.url,
            "PYTHONPATH": f"{ROOT}/src:{ROOT}",
        }  # fmt: skip
        said = subprocess.run(command, env=environ, stdout=subprocess.PIPE, text=True, check=True).stdout
    return float(said.splitlines()[-1])


def table(rows: Sequence[str], figures: dict[str, dict[str, float]]) -> str:
    """The figures as a Markdown table."""
    above = {
        variant: {row: own[row] - figures["floor"][row] for row in rows if row in own}
        for variant, own in figures.items()
        if variant != "floor"
    }
    titles = {row: ROWS[row].title for row in rows}
    targets = {row: ROWS[row].target for row in rows}
    if {"stream10", "stream50"} <= set(rows):
        for own in above.values():
            own["chunk"] = (own["stream50"] - own["stream10"]) / 40
        titles["chunk"], targets["chunk"] = _CHUNK, "8.5"
    lines = ["| thousand instructions | by hand | recorded | ratio | target |", "|---|---|---|---|---|"]
    for row, title in titles.items():
        hand, ours = above.get("hand", {}).get(row), above["ours"][row]
        ratio = f"{ours / hand:.2f}x" if hand else ""
        lines.append(f"| {title} | {_figure(hand)} | {_figure(ours)} | {ratio} | {targets[row]} |")
    return "\n".join(lines)


def _figure(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 30 else f"{value:.1f}"


def main() -> None:
    """Measure and print a Markdown table, or be the program that is measured."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rows", default=",".join(ROWS), help=f"which, with commas between them: {', '.join(ROWS)}")
    options.add_argument("--blocks", type=int, default=5, help="for each process")
    options.add_argument("--processes", type=int, default=3, help="for each row and variant")
    options.add_argument("--fresh", action="store_true", help="count floor and hand again")
    for hidden in ("--be", "--library", "--dumps"):
        options.add_argument(hidden, help=argparse.SUPPRESS)
    given = options.parse_args()
    rows = given.rows.split(",")
    if unknown := [row for row in rows if row not in ROWS]:
        options.error(f"{', '.join(unknown)}: expected some of {', '.join(ROWS)}")
    if given.be:
        measure(given.be, rows[0], given.library, Path(given.dumps), given.blocks)
    try:
        library()
    except NotHere as error:
        sys.exit(f"Instructions cannot be counted here: {error}")
    figures = {}
    for variant in VARIANTS:
        wanted = [row for row in rows if variant != "hand" or ROWS[row].by_hand]
        figures[variant] = figures_of(variant, wanted, given.blocks, given.processes, fresh=given.fresh)
    print(f"\n{table(rows, figures)}")


if __name__ == "__main__":
    main()
