"""The instrumentor that `opentelemetry-instrument` finds."""

from __future__ import annotations

from agentops_otel import client
from agentops_otel.instrumentor import AgentOpsInstrumentor


def test_instrument_is_init(monkeypatch):
    """`instrument()` starts everything with the settings it knows, and `uninstrument()` shuts it down."""
    calls = []
    monkeypatch.setattr(client, "init", lambda **settings: calls.append(settings))
    monkeypatch.setattr(client, "shutdown", lambda *_args, **_settings: calls.append("shutdown"))
    instrumentor = AgentOpsInstrumentor()
    instrumentor.instrument(endpoint="http://localhost:4318", tracer_provider=None, skip_dep_check=True)
    instrumentor.uninstrument()
    assert calls == [{"endpoint": "http://localhost:4318"}, "shutdown"]
