"""The rules of `stage.py` see what they are there for."""

from __future__ import annotations

import pytest

from tests.fakes import fault_server

PLAIN = """
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(os.environ["AGENTOPS_ENDPOINT"] + "/v1/traces")))
trace.set_tracer_provider(provider)
print("ready", flush=True)
spans(100)
"""


def test_a_loss_is_seen(stage):
    """Plain OpenTelemetry against a backend that refuses the batch."""
    stage.backend.mode = fault_server.status(400)
    victim = stage.victim(PLAIN)
    assert victim.exit().code == 0
    assert len(victim.spans) == 100
    with pytest.raises(AssertionError, match="100 of 100 lost"):
        stage.arrived(victim)


def test_a_late_end_is_seen(stage):
    """Somebody holds the end up; the machine's own slowness is allowed for."""
    victim = stage.victim("import atexit\natexit.register(time.sleep, 6)\nprint('ready', flush=True)")
    with pytest.raises(AssertionError, match="s to exit"):
        stage.ended_well(victim)


@pytest.mark.parametrize(
    ("body", "seen"),
    [
        ("import traceback; traceback.print_stack(); print('Traceback', file=sys.stderr)", "noise"),
        ("sys.exit(3)", "exit code 3"),
        ("for letter in 'abcdef': print(letter, file=sys.stderr)", "6 lines"),
        ("for number in range(2): print('the same', number, file=sys.stderr)", "said twice"),
    ],
)
def test_noise_is_seen(stage, body, seen):
    """A traceback, another exit code, many lines, the same line twice."""
    victim = stage.victim(f"print('ready', flush=True)\n{body}")
    with pytest.raises(AssertionError, match=seen):
        stage.ended_well(victim)


def test_what_nobody_recorded_is_seen(stage):
    """A span in the backend that no victim has told of, and one that came twice."""
    victim = stage.victim("start()\nspans(10)")
    assert victim.exit().code == 0
    with pytest.raises(AssertionError, match="11 spans that nobody recorded"):
        stage.arrived()
    stage.arrived(victim)
    assert stage.duplicates() == 0
    stage.backend.requests.extend(stage.trace_requests()[:1])
    assert stage.duplicates() > 0
