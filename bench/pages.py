"""What each page of the box takes, without HTTP: `python bench/pages.py [SPANS]`.

The store holds the sessions of `bench/server.py` and two large ones. Figures are milliseconds of processor time, the
fastest of five: of a page's data, and of its HTML. "First" is a session after
another one was looked at: the box keeps one large session in memory.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

from agentops_otel.normalize import normalize  # noqa: E402
from agentops_otel.server import page as pages  # noqa: E402
from agentops_otel.server.otlp import spans_from_protobuf  # noqa: E402
from agentops_otel.server.otlp.inflate import inflated  # noqa: E402
from agentops_otel.server.page import Asked  # noqa: E402
from agentops_otel.server.query import where  # noqa: E402
from agentops_otel.server.render import render  # noqa: E402
from agentops_otel.server.store import Batch  # noqa: E402
from agentops_otel.server.store.sqlite import SqliteStore  # noqa: E402
from agentops_otel.server.up import collect_seldom  # noqa: E402
from bench.server import BATCH, bodies  # noqa: E402
from tests.fakes import plays  # noqa: E402

LARGE = (5_000, 20_000)


def fill(path: Path, spans: int) -> list[str]:
    """Store sessions, and say which are the large ones."""
    store, large = SqliteStore(path), []

    def add(body: bytes) -> None:
        store.add(Batch([normalize(span) for span in spans_from_protobuf(body).spans]), time.time_ns())

    for packed, _ in bodies(spans)[0]:
        add(inflated(packed))
    for count in LARGE:
        run = plays.large(time.time_ns(), count)
        large.append(run.session_id)
        for start in range(0, len(run.spans), BATCH):
            add(run.traces(run.spans[start : start + BATCH]))
    store.close()  # which sums up the large ones
    return large


def measure(store: SqliteStore, name: str, path: str, key: str = "", *, after: str = "", **query: str) -> None:
    """Print the line of a page; the page of another session is opened before each time, when one is given."""
    view = next(view for view in pages.views if view.path == path)
    said: Mapping[str, list[str]] = {name: [value] for name, value in query.items()}
    times = []
    for _ in range(6):
        now_ns = time.time_ns()
        asked = Asked(store, {"key": key}, said, now_ns, where=where(said, now_ns))
        if after:
            view.build(replace(asked, path={"key": after}))
        began = time.thread_time()
        data = view.build(asked)
        built = time.thread_time()
        html = render(view.template, data, asked)
        times.append((built - began, time.thread_time() - built, len(html)))
    data_ms, html_ms = (min(each[place] for each in times[1:]) * 1e3 for place in (0, 1))
    print(f"{name:<30}{data_ms:>8.1f}{html_ms:>8.1f}{times[0][2] / 1e3:>8.0f} kB")


def main() -> None:
    """Measure and print."""
    spans = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    collect_seldom()
    pages.load()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "bench.db")
        large = fill(path, spans)
        store = SqliteStore(path)
        print(f"{'':<30}{'data':>8}{'HTML':>8}")
        for name in ("/", "/costs", "/errors"):
            measure(store, name, name)
        measure(store, "/search", "/search", q="webhooks")
        for count, key, other in zip(LARGE, large, reversed(large), strict=True):
            title = f"waterfall of {count:,}"
            measure(store, f"{title}, first", "/s/{key}", key, after=other, tab="waterfall")
            measure(store, title, "/s/{key}", key, tab="waterfall")
        store.close()


if __name__ == "__main__":
    main()
