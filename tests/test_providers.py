"""The program's own providers: which they are, and how an event is emitted whatever release of the logs API it is."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest
from opentelemetry import _logs, metrics, trace
from opentelemetry.sdk import _logs as sdk
from opentelemetry.sdk._logs import export
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.trace import SpanContext, TraceFlags

from agentops_otel import providers
from tests.fakes.llm_server import LlmServer

SPAN = SpanContext(5, 6, is_remote=False, trace_flags=TraceFlags(1))
# Renamed between the releases of OpenTelemetry.
InMemory = getattr(export, "InMemoryLogRecordExporter", None) or export.InMemoryLogExporter


@pytest.fixture
def logs():
    """The records of a LoggerProvider that the program has given."""
    memory, provider = InMemory(), sdk.LoggerProvider()
    provider.add_log_record_processor(export.SimpleLogRecordProcessor(memory))
    providers.give(providers.Providers(logger=provider))
    yield memory
    providers.give(providers.Providers())
    provider.shutdown()


def name_of(record):
    return getattr(record, "event_name", None) or record.attributes["event.name"]


def test_an_event_through_a_given_provider(logs):
    """Name, ids of the span, attributes, severity, scope and the provider's resource."""
    providers.emit("session.start", {"a": 1, "b": ("x", "y")}, SPAN)
    (found,) = logs.get_finished_logs()
    record = found.log_record
    assert name_of(record) == "session.start"
    assert (record.trace_id, record.span_id, record.trace_flags) == (5, 6, 1)
    assert {name: record.attributes[name] for name in ("a", "b")} == {"a": 1, "b": ("x", "y")}
    assert (record.severity_text, record.severity_number.value) == ("INFO", 9)
    assert record.timestamp > 1e18
    assert found.instrumentation_scope.name == "agentops_otel"
    assert "service.name" in (getattr(found, "resource", None) or record.resource).attributes


class Failing(sdk.LogRecordProcessor):
    def on_emit(self, log_record):
        raise LookupError

    emit = on_emit

    def shutdown(self):
        pass

    def force_flush(self, timeout_millis=30000):
        return True


def test_a_processor_of_the_program_that_fails(logs, caplog):
    """What fails in the program's own pipeline does not reach the code that records, and is told once."""
    providers.given.logger.add_log_record_processor(Failing())
    providers.emit("session.start", {}, SPAN)
    providers.emit("session.end", {}, SPAN)
    (line,) = [record.getMessage() for record in caplog.records if record.name == "agentops_otel"]
    assert "error in the program's LoggerProvider: LookupError" in line


@pytest.mark.parametrize("new", [True, False])
def test_a_provider_that_is_not_the_sdks(new):
    """An implementation of the API alone gets what its release of the API has."""
    seen = []

    class Logger(_logs.Logger):
        if new:

            def emit(self, record=None, *, timestamp=None, context=None, event_name=None, attributes=None, **fields):
                seen.append((event_name, trace.get_current_span(context).get_span_context().span_id))

        else:

            def emit(self, record):
                seen.append((name_of(record), record.span_id))

        def enabled(self, **fields):
            return True

    class Provider(_logs.LoggerProvider):
        def get_logger(self, name, version=None, schema_url=None, attributes=None):
            return Logger(name)

    providers.give(providers.Providers(logger=Provider()))
    try:
        providers.emit("session.start", {}, SPAN)
    finally:
        providers.give(providers.Providers())
    assert seen == [("session.start", 6)]


def test_the_apis_own_providers_are_none(monkeypatch):
    """Where the program has set nothing there is nothing to measure with and nothing to emit to."""
    monkeypatch.setattr(metrics, "get_meter_provider", metrics.NoOpMeterProvider)
    monkeypatch.setattr(_logs, "get_logger_provider", _logs.NoOpLoggerProvider)
    assert providers.meter_provider() is None
    assert providers.logger_provider() is None
    providers.emit("session.start", {}, SPAN)


def test_a_given_provider_wins():
    """What the program has given goes before the global one; what it has not given is the global one."""
    meter = MeterProvider()
    providers.give(providers.Providers(meter=meter))
    try:
        assert providers.meter_provider() is meter
        assert providers.tracer_provider() is trace.get_tracer_provider()
    finally:
        providers.give(providers.Providers())
        meter.shutdown()


PROGRAM = """
    import os, sys
    from opentelemetry import _logs, trace
    from opentelemetry.sdk import _logs as sdk
    from opentelemetry.sdk._logs import export
    from opentelemetry.sdk.trace import TracerProvider
    import openai
    import agentops_otel as agentops

    memory = (getattr(export, "InMemoryLogRecordExporter", None) or export.InMemoryLogExporter)()
    logs = sdk.LoggerProvider()
    logs.add_log_record_processor(export.SimpleLogRecordProcessor(memory))
    _logs.set_logger_provider(logs)
    trace.set_tracer_provider(TracerProvider())
    agentops.init(capture_content=sys.argv[2], summary=False)
    client = openai.OpenAI(api_key="sk-test", base_url=sys.argv[1], max_retries=0)
    text = "my key is sk-proj-AbCdEf0123456789AbCdEf0123456789"
    client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": text}])
    agentops.end_session("Success")
    for data in memory.get_finished_logs():
        record = data.log_record
        name = getattr(record, "event_name", None) or record.attributes["event.name"]
        content = str(record.attributes.get("gen_ai.input.messages"))
        print(name, "my key is" in content, "AbCdEf" in content, record.trace_id > 0)
    client.close()
"""


@pytest.mark.parametrize(
    ("mode", "events"),
    [
        (
            "event_only",
            [
                "session.start False False True",
                "gen_ai.client.inference.operation.details True False True",
                "session.end False False True",
            ],
        ),
        ("full", ["session.start False False True", "session.end False False True"]),
    ],
)
def test_events_beside_the_programs_own_providers(mode, events, tmp_path):
    """A program that exports by itself gets the events of its sessions, and of its calls, in its own logs, cleaned."""
    with LlmServer() as server:
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(PROGRAM), server.url, mode],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == events
