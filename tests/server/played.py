"""A play of tests/fakes/plays.py as the views of a session read it: sent as OTLP, decoded, normalized, summarized."""

from __future__ import annotations

import json

from hypothesis import strategies as st

from agentops_otel.normalize import normalize, normalize_log
from agentops_otel.rows import Message, SessionEvent, SpanBody, SpanRow
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


@st.composite
def hostile(draw):
    """Spans with anything in their bodies, in any tree."""
    text = st.text(max_size=9)
    anything = st.one_of(text, st.none(), st.integers(), st.floats(), st.lists(st.integers(), max_size=2))
    part = st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(
                ["text", "tool_call", "tool_call_response", "reasoning", "blob", "uri", "x", None, 3]
            ),
            "content": anything,
            "arguments": st.one_of(text, st.dictionaries(text, text, max_size=2)),
            "response": anything,
            "name": anything,
            "id": anything,
        },
    )
    parts = st.lists(part, max_size=3).map(tuple)
    message = st.builds(Message, st.sampled_from(["user", "assistant", "tool", "system", "?"]), parts)
    messages = st.lists(message, max_size=3).map(tuple)
    given_text = st.one_of(st.none(), text, st.sampled_from([json.dumps({"task": "a\nb"}), '"x', "[" * 900]))
    body = st.builds(
        SpanBody,
        system=parts,
        input=messages,
        output=messages,
        arguments=given_text,
        result=given_text,
        stack=given_text,
    )
    spans = []
    for number in range(draw(st.integers(1, 8))):
        start = draw(st.integers(0, 50))
        spans.append(
            SpanRow(
                draw(st.sampled_from(["1" * 32, "2" * 32])),
                f"{number:016x}",
                draw(st.one_of(st.none(), st.integers(0, 9).map("{:016x}".format))),
                "s",
                draw(st.sampled_from(["session", "agent", "tool", "llm", "error", "step", "action"])),
                "n",
                draw(st.sampled_from(["a", "b", ""])),
                NOW + start,
                draw(st.one_of(st.none(), st.integers(start, 60).map(lambda end: NOW + end))),
                status=draw(st.sampled_from(["unset", "error"])),
                body=draw(st.one_of(st.none(), body)),
            )
        )
    return spans
