"""The real Collector in front of the box: over HTTP and gRPC, and to Jaeger at the same time."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.backends.collector import Collector
from tests.server.running import RunningBox

# Over collector-config.yaml. The names of exporters are those of both, so that each carries every signal.
OVERLAY = """
exporters:
  otlp_http/box:
    endpoint: ${env:BOX_HTTP}
  otlp_grpc/box:
    endpoint: ${env:BOX_GRPC}
    tls:
      insecure: true
service:
  pipelines:
    traces:
      exporters: [otlp_grpc/jaeger, %(exporter)s]
    logs:
      exporters: [%(exporter)s]
    metrics:
      exporters: [%(exporter)s]
"""
AGENT = """
import agentops_otel as agentops
agentops.init(auto_start_session=False)
agentops.start_session(tags=["collector"])
for number in range(3):
    agentops.action(lambda: None)()
agentops.end_session("Success")
print(agentops.flush())
"""


@pytest.mark.parametrize("exporter", ["otlp_http/box", "otlp_grpc/box"])
def test_a_session_by_the_collector_is_the_same_here_and_in_jaeger(jaeger, collector_program, tmp_path, exporter):
    """Every span arrives, with gzip, and the log events that Jaeger has no place for, too."""
    overlay = tmp_path / "box.yaml"
    overlay.write_text(OVERLAY % {"exporter": exporter}, encoding="utf-8")
    with RunningBox(tmp_path, grpc=True) as box:
        environ = {
            "JAEGER_OTLP_ENDPOINT": jaeger.otlp_grpc_address,
            "BOX_HTTP": box.address,
            "BOX_GRPC": f"127.0.0.1:{box.grpc_port}",
        }
        with Collector(collector_program, tmp_path, overlay=overlay, environ=environ) as collector:
            variables = {**os.environ, "AGENTOPS_ENDPOINT": collector.otlp_http, "XDG_STATE_HOME": str(tmp_path)}
            subprocess.run([sys.executable, "-c", AGENT], env=variables, capture_output=True, timeout=60, check=True)
            row = box.wait_until(lambda rows: [row for row in rows if row.ended and row.spans == 4])
        spans = {span.span_id for span in box.store.spans(row.session_id)}
        assert row.state == "success"
        assert row.tags == ("collector",)
        there = jaeger.trace(row.trace_id, wait=30, spans=4)
        assert {span["spanID"] for span in there["spans"]} == spans
        assert [event.name for event in box.store.events(row.session_id)][:1] == ["start"]
