"""A play of tests/fakes/plays.py as the views of a session read it: sent as OTLP, decoded, normalized, summarized."""

from __future__ import annotations

from agentops_otel.normalize import normalize, normalize_log
from agentops_otel.rows import SessionEvent
from agentops_otel.server import otlp
from agentops_otel.server.views.run import Run
from agentops_otel.summarize import summarize
from tests.fakes import sessions

NOW = 1_763_730_000_000_000_000
SECOND = sessions.SECOND


def played(run: sessions.Run, now_ns: int = NOW) -> Run:
    """The session of a play."""
    spans = [normalize(span) for span in otlp.spans_from_protobuf(run.traces()).spans]
    logs = [normalize_log(log) for log in otlp.logs_from_protobuf(run.logs()).logs]
    events = [log for log in logs if isinstance(log, SessionEvent)]
    row = summarize(run.session_id, spans, events, now_ns=now_ns)
    opened = [span for event in events for span in event.open_spans if span.kind != "session"]
    return Run(row, [*spans, *opened], now_ns)


def steps_of(steps):
    """All steps of a story, each before what is inside of it."""
    for step in steps:
        yield step
        yield from steps_of(step.children)
