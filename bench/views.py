"""How long it takes to make the row of a session, and each view of its page: `python bench/views.py`.

The sessions are those of `tests/fakes/plays.py`: agents that call a model and a tool in turn. Figures are milliseconds
of processor time, the fastest of three; a view is its data, without the HTML.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

from agentops_otel.normalize import normalize  # noqa: E402
from agentops_otel.server.otlp import spans_from_protobuf  # noqa: E402
from agentops_otel.server.views import replay, ribbon, story, tables, waterfall  # noqa: E402
from agentops_otel.server.views.run import Run  # noqa: E402
from agentops_otel.summarize import summarize  # noqa: E402
from tests.fakes import plays  # noqa: E402

NOW = 1_763_730_000_000_000_000


def best(call: Callable[[], object]) -> float:
    """Milliseconds of the fastest of three."""
    times = []
    for _ in range(3):
        began = time.process_time()
        call()
        times.append(time.process_time() - began)
    return min(times) * 1000


def main() -> None:
    print(f"{'spans':>6}{'row, us a span':>16}{'run':>8}{'story':>8}{'tree':>8}{'ribbon':>8}{'replay':>8}{'calls':>8}")
    for count in (20, 200, 2_000, 20_000):
        play = plays.large(NOW, count)
        spans = [normalize(span) for span in spans_from_protobuf(play.traces()).spans]
        row = summarize(play.session_id, spans, [], now_ns=NOW)
        run = Run(row, spans, NOW)
        figures = [
            best(lambda: summarize(play.session_id, spans, [], now_ns=NOW)) / len(spans) * 1000,  # noqa: B023
            best(lambda: Run(row, spans, NOW)),  # noqa: B023
            *(
                best(lambda: view(run))  # noqa: B023
                for view in (story.story, waterfall.waterfall, ribbon.ribbon, replay.replay, tables.calls)
            ),
        ]
        print(f"{len(spans):>6}{figures[0]:>16.1f}" + "".join(f"{figure:>8.1f}" for figure in figures[1:]))


if __name__ == "__main__":
    main()
