"""How long one received span takes to become a row: `python bench/normalize.py`.

The spans are those of `tests/fixtures/dialects/`; "plain" is a call of GenAI's conventions without messages.
"""

from __future__ import annotations

import gc
import sys
import time
import timeit
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from agentops_otel.normalize import normalize  # noqa: E402
from agentops_otel.server.otlp import spans_from_json, spans_from_protobuf  # noqa: E402
from agentops_otel.server.otlp.to_json import to_otlp_json  # noqa: E402

FIXTURES = ROOT / "tests" / "fixtures" / "dialects"


def best(call, number):
    """Microseconds of processor time of the fastest of seven rounds."""
    return min(timeit.repeat(call, number=number, repeat=7, timer=time.process_time)) / number * 1e6


def main():
    print(f"{'recording':<18}{'spans':>6}{'protobuf':>10}{'JSON':>8}{'row':>8}   us a span")
    for path in sorted(FIXTURES.glob("*.traces.pb")):
        body = path.read_bytes()
        spans = spans_from_protobuf(body).spans
        exported = to_otlp_json([normalize(span) for span in spans])
        count = len(spans)
        figures = (
            best(lambda body=body: spans_from_protobuf(body), 30) / count,
            best(lambda exported=exported: spans_from_json(exported), 30) / count,
            best(lambda spans=spans: [normalize(span) for span in spans], 30) / count,
        )
        print(f"{path.name.partition('.')[0]:<18}{count:>6}{figures[0]:>10.1f}{figures[1]:>8.1f}{figures[2]:>8.1f}")
    for name, title in (("genai-events", "plain"), ("genai-spans", "with messages")):
        spans = spans_from_protobuf((FIXTURES / f"{name}.traces.pb").read_bytes()).spans
        call = next(span for span in spans if "gen_ai.usage.input_tokens" in span.attributes)
        print(f"LLM call, {title:<20}{best(lambda call=call: normalize(call), 500):>8.1f}")


if __name__ == "__main__":
    gc.freeze()
    main()
