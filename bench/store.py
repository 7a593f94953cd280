"""How fast the store takes spans, and how fast it answers when it holds 10,000 sessions of 20 spans.

    python bench/store.py [SESSIONS]

Spans come as `normalize()` makes them: 10 calls of a model with growing histories, 9 of tools and a root, prompts and
answers of about 100 words, in batches of 512 from one sender. Times are of this process (CPU) and of the clock.
"""

from __future__ import annotations

import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import sha256
from itertools import islice
from pathlib import Path

from agentops_otel.rows import Message, Process, Source, SpanBody, SpanRow
from agentops_otel.server.store import Batch, Filter
from agentops_otel.server.store.sqlite import SqliteStore
from agentops_otel.usage import Usage

SECOND = 1_000_000_000
START = 1_750_000_000 * SECOND
BATCH = 512
WORDS = [
    f"{sound}{vowel}{end}"
    for sound in "bdfgklmnprst"
    for vowel in ("a", "e", "i", "o", "ou")
    for end in ("", "n", "rt", "ll", "sk", "tion")
]
MODELS = ("gpt-4.1", "claude-sonnet-4-5", "gpt-4.1-mini")
PROCESS = Process("worker", "host-1", 4711, "python 3.12.4", "instance-1", "opentelemetry 1.45.2")
SOURCE = Source({"service.name": "worker", "host.name": "host-1", "telemetry.sdk.version": "1.45.2"}, "agentops", "1")


def words(dice: random.Random, count: int) -> str:
    return " ".join(dice.choices(WORDS, k=count))


def message(role: str, text: str) -> Message:
    return Message(role, ({"type": "text", "content": text},), sha256(f"{role}{text}".encode()).hexdigest()[:32])


def session(number: int, dice: random.Random) -> Iterator[SpanRow]:
    trace, name = f"{dice.getrandbits(128):032x}", f"session-{number:06}"
    root = f"{dice.getrandbits(64):016x}"
    began = START + number * 30 * SECOND
    history = [message("user", words(dice, 100))]
    for step in range(10):
        start = began + step * 2 * SECOND
        answer = message("assistant", words(dice, 100))
        failed = step == 4 and number % 9 == 0
        yield SpanRow(
            trace, f"{dice.getrandbits(64):016x}", root, name, "llm", "chat", MODELS[number % 3], start, start + SECOND,
            operation="chat", provider="openai", model=MODELS[number % 3], request_model=MODELS[number % 3],
            response_id=f"resp-{dice.getrandbits(64):016x}", usage=Usage(1200 + step, 130, 600), cost=0.0031,
            cost_source="local", price_table="0.1.13", first_token_ns=SECOND // 5, finish_reasons=("stop",),
            server="api.openai.com", asked=history[-1].parts[0]["content"][:300],
            answered=answer.parts[0]["content"][:300], tags=("prod",), process=PROCESS,
            body=SpanBody(
                system=({"type": "text", "content": "You are a helpful assistant that answers briefly."},),
                input=tuple(history), output=(replace(answer, finish_reason="stop"),),
                attributes={"gen_ai.request.temperature": 0.2, "gen_ai.response.id": "x" * 24, "server.port": 443},
                source=SOURCE, otel_kind=3,
            ),
        )  # fmt: skip
        history.append(answer)
        if step == 9:
            break
        arguments, result = f'{{"query": "{words(dice, 6)}"}}', None if failed else words(dice, 60)
        yield SpanRow(
            trace, f"{dice.getrandbits(64):016x}", root, name, "tool", "execute_tool search", f"search_{number % 7}",
            start + SECOND, start + 2 * SECOND, status="error" if failed else "unset",
            error_type="TimeoutError" if failed else None,
            error_message=f"no answer after {number} s" if failed else None,
            arguments_digest=sha256(arguments.encode()).hexdigest()[:16], process=PROCESS,
            body=SpanBody(arguments=arguments, result=result, source=SOURCE, otel_kind=1),
        )  # fmt: skip
        history.append(message("tool", result or "failed"))
    yield SpanRow(
        trace, root, None, name, "session", "session", "session", began, began + 20 * SECOND, end_state="success",
        session_name=f"agent {number % 20}", tags=(f"team-{number % 12}", "prod"), process=PROCESS,
        body=SpanBody(source=SOURCE),
    )  # fmt: skip


def batches(sessions: int) -> Iterator[list[SpanRow]]:
    dice = random.Random(1)
    spans = (span for number in range(sessions) for span in session(number, dice))
    while batch := list(islice(spans, BATCH)):
        yield batch


def ingest(store: SqliteStore, sessions: int) -> None:
    spans, wall, cpu, slowest = 0, 0.0, 0.0, 0.0
    for batch in batches(sessions):
        began, began_cpu = time.perf_counter(), time.process_time()
        store.add(Batch(batch), START + 10**15)
        took = time.perf_counter() - began
        slowest, wall, cpu, spans = (
            max(slowest, took),
            wall + took,
            cpu + time.process_time() - began_cpu,
            spans + len(batch),
        )
    rates = f"{spans / wall:,.0f} spans/s, {spans / cpu:,.0f} per CPU second"
    print(f"ingest: {spans:,} spans, {rates}, slowest batch {slowest * 1e3:.0f} ms")


def ask(name: str, question: Callable[[], object]) -> None:
    question()
    times, cpu = [], []
    for _ in range(9):
        began, began_cpu = time.perf_counter(), time.process_time()
        question()
        times.append(time.perf_counter() - began)
        cpu.append(time.process_time() - began_cpu)
    print(f"{name:<34} {sorted(times)[4] * 1e3:8.2f} ms   {sorted(cpu)[4] * 1e3:8.2f} ms CPU")


def questions(store: SqliteStore, sessions: int) -> None:
    middle = f"session-{sessions // 2:06}"
    edges = [START + each * sessions * 30 * SECOND // 24 for each in range(25)]
    page = store.sessions(Filter(), limit=50)
    ask("list, newest 50", lambda: store.sessions(Filter()))
    ask("list, next page", lambda: store.sessions(Filter(), cursor=page.next))
    ask("list by cost", lambda: store.sessions(Filter(), sort="cost"))
    ask("list with a tag and an error", lambda: store.sessions(Filter(tags=("team-3",), fates=("fatal", "recovered"))))
    ask("list of a frequent word", lambda: store.sessions(Filter(text="boun")))
    ask("list of three words", lambda: store.sessions(Filter(text="boun tart kel")))
    ask("figures", lambda: store.figures(Filter()))
    ask("figures over time, 24 pieces", lambda: store.figures_over_time(Filter(), edges))
    ask("facets", lambda: store.facets(Filter()))
    ask("facets of a tag", lambda: store.facets(Filter(tags=("team-3",))))
    ask("costs by model", lambda: store.costs(Filter()))
    ask("costs by model and day", lambda: store.costs(Filter(), hours=24))
    ask("costs by tag", lambda: store.costs(Filter(), by="tag"))
    ask("tools", lambda: store.tools(Filter()))
    ask("errors", lambda: store.errors(Filter()))
    ask("processes", lambda: store.processes(Filter()))
    ask("slowest calls of a model", lambda: store.slowest(Filter(), "llm", MODELS[0]))
    ask("search, a frequent word", lambda: store.search("boun", Filter()))
    ask("search, three words", lambda: store.search("boun tart kel", Filter()))
    ask("one session", lambda: store.session(middle))
    ask("spans of a session", lambda: store.spans(middle))
    ask("spans with bodies", lambda: store.spans(middle, bodies=True))
    ask("neighbours", lambda: store.neighbours(middle, Filter()))


def main() -> None:
    sessions = int(next((argument for argument in sys.argv[1:] if argument.isdigit()), "10000"))
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore(Path(folder, "bench.db"))
        ingest(store, sessions)
        questions(store, sessions)
        stats = store.stats()
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{stats.bytes / 1e6:,.0f} MB, {stats.messages:,} messages, most memory {memory:.0f} MB")
        store.close()


if __name__ == "__main__":
    main()
