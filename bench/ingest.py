"""What each step of a span's way into the store costs: `python bench/ingest.py [SPANS]`.

The requests are those of `bench/server.py`, one after the other in this process, with the garbage collector as a box
sets it. Figures are microseconds of processor time a span, of the request that a quarter of them were faster than.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

from agentops_otel.normalize import normalize  # noqa: E402
from agentops_otel.server.otlp import spans_from_protobuf  # noqa: E402
from agentops_otel.server.otlp.inflate import inflated  # noqa: E402
from agentops_otel.server.store import Batch  # noqa: E402
from agentops_otel.server.store.sqlite import SqliteStore  # noqa: E402
from agentops_otel.server.up import collect_seldom  # noqa: E402
from bench.server import bodies  # noqa: E402

Result = TypeVar("Result")
_WARM = 2  # requests that load what is loaded once


def main() -> None:
    """Measure and print one line."""
    spans = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    times: dict[str, list[float]] = defaultdict(list)

    def timed(step: str, count: int, work: Callable[[], Result]) -> Result:
        began = time.process_time()
        result = work()
        times[step].append((time.process_time() - began) / count * 1e6)
        return result

    requests, _ = bodies(spans)
    collect_seldom()
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore(Path(folder, "bench.db"))
        for number, (packed, count) in enumerate(requests):
            if number == _WARM:
                times.clear()
            body = timed("unpack", count, lambda: inflated(packed))  # noqa: B023
            found = timed("decode", count, lambda: spans_from_protobuf(body))  # noqa: B023
            rows = timed("row", count, lambda: [normalize(span) for span in found.spans])  # noqa: B023
            timed("store", count, lambda: store.add(Batch(rows), time.time_ns()))  # noqa: B023
        store.close()
    figures = {step: sorted(each)[len(each) // 4] for step, each in times.items()}
    print(", ".join(f"{step} {figure:.1f}" for step, figure in figures.items()) + f": {sum(figures.values()):.1f} us")


if __name__ == "__main__":
    main()
