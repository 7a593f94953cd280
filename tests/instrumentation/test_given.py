"""`instrument(tracer_provider=, meter_provider=, logger_provider=)`: as other instrumentors do."""

from __future__ import annotations

import openai
import pytest
from opentelemetry.sdk import _logs as sdk
from opentelemetry.sdk._logs import export
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

import agentops_otel
from agentops_otel import context, providers, semconv
from agentops_otel.instrumentor import AgentOpsInstrumentor
from agentops_otel.testing import SpanCapture

CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Capital of France?"}]}
InMemory = getattr(export, "InMemoryLogRecordExporter", None) or export.InMemoryLogExporter


class Own:
    """The providers of a program, and what came to them."""

    def __init__(self):
        self.capture, self.reader, self.memory = SpanCapture(), InMemoryMetricReader(), InMemory()
        self.tracer = TracerProvider(shutdown_on_exit=False)
        self.tracer.add_span_processor(SimpleSpanProcessor(self.capture))
        self.meter = MeterProvider([self.reader], shutdown_on_exit=False)
        self.logger = sdk.LoggerProvider(shutdown_on_exit=False)
        self.logger.add_log_record_processor(export.SimpleLogRecordProcessor(self.memory))

    @property
    def arguments(self):
        return {"tracer_provider": self.tracer, "meter_provider": self.meter, "logger_provider": self.logger}

    @property
    def spans(self):
        return [span.name for span in self.capture.spans]

    @property
    def metrics(self):
        data = self.reader.get_metrics_data()
        scopes = [scope for found in data.resource_metrics for scope in found.scope_metrics] if data else []
        return {metric.name for scope in scopes for metric in scope.metrics}

    @property
    def events(self):
        records = [found.log_record for found in self.memory.get_finished_logs()]
        return [getattr(record, "event_name", None) or record.attributes["event.name"] for record in records]


@pytest.fixture
def own():
    own = Own()
    yield own
    agentops_otel.uninstrument()
    for provider in (own.tracer, own.meter, own.logger):
        provider.shutdown()


def test_without_a_session(own, client, monkeypatch):
    """Given providers are reason enough to record: the call is a plain span, measured, its content an event."""
    monkeypatch.setenv("AGENTOPS_CAPTURE_CONTENT", "event_only")
    agentops_otel.instrument("openai", **own.arguments)
    client.chat.completions.create(**CHAT)
    (span,) = own.capture.spans
    assert span.name == "chat gpt-4o"
    assert span.parent is None
    assert semconv.SESSION_ID not in span.attributes
    assert semconv.INPUT_MESSAGES not in span.attributes
    assert own.metrics == {"gen_ai.client.operation.duration", "gen_ai.client.token.usage"}
    assert own.events == ["gen_ai.client.inference.operation.details"]
    (found,) = own.memory.get_finished_logs()
    assert found.log_record.span_id == span.context.span_id
    assert "Capital of France?" in found.log_record.attributes[semconv.INPUT_MESSAGES]


def test_secrets_stay_out_of_events(own, client, monkeypatch):
    """An event outside of a session is cleaned like one inside."""
    monkeypatch.setenv("AGENTOPS_CAPTURE_CONTENT", "event_only")
    agentops_otel.instrument("openai", **own.arguments)
    secret = "sk-proj-AbCdEf0123456789AbCdEf0123456789"
    client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": f"key\n{secret}"}])
    (found,) = own.memory.get_finished_logs()
    assert secret not in str(dict(found.log_record.attributes))


def test_in_a_session(own, agentops_session, server):
    """Inside of a session the spans of calls are made by the given provider, with the session's id and trace."""
    session = agentops_otel.current_session()
    with agentops_otel.instrument("openai", **own.arguments), _client(server) as client:
        client.chat.completions.create(**CHAT)
    (span,) = own.capture.spans
    assert span.attributes[semconv.SESSION_ID] == session.session_id
    assert f"{span.context.trace_id:032x}" == session.trace_id
    with _client(server) as client:
        client.chat.completions.create(**CHAT)
    agentops_otel.flush()
    assert own.spans == ["chat gpt-4o"]
    assert [span.name for span in agentops_session.spans] == ["chat gpt-4o"]


def _client(server):
    return openai.OpenAI(api_key="k", base_url=server.url, max_retries=0)


def test_undo_and_uninstrument_give_back(own):
    """Undoing gives back what was given before; `uninstrument()` gives everything back."""
    undo = agentops_otel.instrument(tracer_provider=own.tracer)
    again = agentops_otel.instrument(meter_provider=own.meter)
    assert (providers.given.tracer, providers.given.meter) == (None, own.meter)
    again()
    assert providers.given.tracer is own.tracer
    agentops_otel.instrument("openai")
    assert providers.given.tracer is own.tracer
    undo()
    assert providers.given == providers.Providers()
    agentops_otel.instrument(tracer_provider=own.tracer)
    agentops_otel.uninstrument()
    assert providers.given == providers.Providers()


def test_given_before_init(own, server, monkeypatch):
    """`init()` works with the provider that was given before: sessions and calls are in one place, and counted."""
    agentops_otel.instrument("openai", **own.arguments)
    agentops_otel.init(summary=False)
    with _client(server) as client:
        client.chat.completions.create(**CHAT)
    assert agentops_otel.current_session().totals.llm_calls == 1
    agentops_otel.end_session("Success")
    assert own.spans == ["chat gpt-4o", "session"]
    assert own.events == ["session.start", "session.end"]
    agentops_otel.shutdown()
    assert context.current() is None


@pytest.mark.parametrize("mode", ["full", "event_only"])
def test_the_instrumentor(mode, own, server):
    """OpenTelemetry's way to instrument: everything of the session is in the given providers, and nowhere else."""
    instrumentor = AgentOpsInstrumentor()
    instrumentor.instrument(**own.arguments, capture_content=mode, summary=False, skip_dep_check=True)
    try:
        with _client(server) as client:
            client.chat.completions.create(**CHAT)
    finally:
        instrumentor.uninstrument()
    assert own.spans == ["chat gpt-4o", "session"]
    details = ["gen_ai.client.inference.operation.details"] if mode == "event_only" else []
    assert own.events == ["session.start", *details, "session.end"]
    assert "gen_ai.client.operation.duration" in own.metrics
    assert providers.given == providers.Providers()
    with _client(server) as client:
        client.chat.completions.create(**CHAT)
    assert len(own.spans) == 2
