"""A real Collector that is killed in the middle of a run: what it had acknowledged it keeps, the rest we keep."""

from __future__ import annotations

import time

from tests.backends.collector import Collector
from tests.faults.program import Victim, command

# Over collector-config.yaml: what is acknowledged is on disk first, so there is no `batch`, which waits in memory.
PERSISTENT = """
extensions:
  file_storage:
    directory: ${env:QUEUE_DIRECTORY}
    create_directory: true
exporters:
  otlp_grpc/jaeger:
    sending_queue:
      storage: file_storage
service:
  extensions: [health_check, file_storage]
  pipelines:
    traces:
      processors: [memory_limiter]
"""


def test_a_killed_collector_loses_nothing(jaeger, collector_program, tmp_path):
    """Three times while spans stream through it, the last time until after the program's end; all reach Jaeger."""
    overlay = tmp_path / "persistent.yaml"
    overlay.write_text(PERSISTENT, encoding="utf-8")
    environ = {"JAEGER_OTLP_ENDPOINT": jaeger.otlp_grpc_address, "QUEUE_DIRECTORY": str(tmp_path / "queue")}
    with Collector(collector_program, tmp_path, overlay=overlay, environ=environ) as collector:
        variables = {
            "AGENTOPS_ENDPOINT": collector.otlp_http,
            "AGENTOPS_MAX_WAIT_TIME": "200",
            "HOME": str(tmp_path),
            "XDG_STATE_HOME": str(tmp_path),
        }
        with Victim("start()\nspans_until_told(200)", tmp_path / "truth", variables) as victim:
            victim.wait_for("ready")
            session = victim.told("session")[0]
            for outage in range(3):
                jaeger.trace(session, wait=30, spans=len(victim.spans) + 100)  # it flows
                collector.kill()
                time.sleep(1)
                if outage == 2:  # it ends while there is no Collector
                    victim.go_on()
                    assert victim.exit().code == 0
                collector.start_again()
        with command("flush", variables=variables) as flush:
            done = flush.end()
        assert done.code == 0, (done.out, done.err)
        due = victim.spans | victim.roots
        end = time.monotonic() + 30
        while (stored := spans_of(jaeger, session)) != due and time.monotonic() < end:
            time.sleep(0.2)
    assert stored == due, f"{len(due - stored)} of {len(due)} lost"


def spans_of(jaeger, session: str) -> set[str]:
    return {span["spanID"] for span in jaeger.trace(session)["spans"]}
