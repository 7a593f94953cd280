"""The instrumentor that `opentelemetry-instrument` finds."""

from __future__ import annotations

import pytest

from agentops_otel import api
from agentops_otel.instrumentor import AgentOpsInstrumentor
from tests.fakes.fault_server import FaultServer
from tests.fakes.program import run
from tests.faults.victim import end_of


def test_instrument_is_init(monkeypatch):
    """`instrument()` starts everything with the settings it knows, and `uninstrument()` shuts it down."""
    calls = []
    monkeypatch.setattr(api, "init", lambda **settings: calls.append(settings))
    monkeypatch.setattr(api, "shutdown", lambda *_args, **_settings: calls.append("shutdown"))
    instrumentor = AgentOpsInstrumentor()
    instrumentor.instrument(endpoint="http://localhost:4318", tracer_provider=None, skip_dep_check=True)
    instrumentor.uninstrument()
    assert calls == [{"endpoint": "http://localhost:4318"}, "shutdown"]


@pytest.mark.parametrize(
    ("begin", "reason"),
    [
        ("from agentops_otel.instrumentor import AgentOpsInstrumentor; AgentOpsInstrumentor().instrument()", ""),
        ("import agentops_otel; agentops_otel.init()", " without calling end_session()"),
    ],
)
def test_a_program_that_does_not_know_us_is_not_blamed(begin, reason):
    """With no line of code nobody could have ended the session: its end says what happened, and no more."""
    with FaultServer() as server:
        ended = run(begin, {"AGENTOPS_ENDPOINT": server.url})
        assert ended.code == 0, ended.err
        assert f"Indeterminate (Process exited{reason});" in ended.err
        (root,) = server.spans()
        assert end_of(root) == ("Indeterminate", f"Process exited{reason}")
