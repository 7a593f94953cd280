"""Rows as normalize() makes them, for tests of the store."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from agentops_otel.rows import Message, Process, SessionEvent, Source, SpanBody, SpanEvent, SpanRow
from agentops_otel.usage import Usage

SECOND = 1_000_000_000
START = 1_750_000_000 * SECOND
PROCESS = Process("worker", "host-1", 4711, "python 3.12.4", "instance-1", "opentelemetry 1.45.2")
SOURCE = Source({"service.name": "worker", "host.name": "host-1"}, "agentops", "1.0")


def text(role: str, content: str, finish_reason: str | None = None) -> Message:
    """A message of one text."""
    return Message(role, ({"type": "text", "content": content},), "", finish_reason)


def span_id(number: int) -> str:
    """16 hex digits."""
    return f"{number:016x}"


def trace_id(number: int) -> str:
    """32 hex digits."""
    return f"{number:032x}"


def root(trace: int = 1, session: str | None = "session-1", *, seconds: float = 10, **more: Any) -> SpanRow:
    """The root of a session."""
    row = SpanRow(
        trace_id(trace),
        span_id(trace * 1000),
        None,
        session,
        "session",
        "session",
        "session",
        START + trace * SECOND,
        START + trace * SECOND + int(seconds * SECOND),
        status="ok",
        end_state="success",
        tags=("prod",),
        dialect="agentops",
        process=PROCESS,
        body=SpanBody(source=SOURCE),
    )
    return replace(row, **more)


def llm(trace: int = 1, number: int = 1, session: str | None = "session-1", **more: Any) -> SpanRow:
    """A call of a model."""
    start = START + trace * SECOND + number * SECOND // 10
    row = SpanRow(
        trace_id(trace),
        span_id(trace * 1000 + number),
        span_id(trace * 1000),
        session,
        "llm",
        "chat gpt-4o",
        "gpt-4o",
        start,
        start + SECOND // 20,
        status="ok",
        operation="chat",
        provider="openai",
        model="gpt-4o",
        request_model="gpt-4o",
        usage=Usage(1000, 100, 250),
        cost=0.0025,
        cost_source="local",
        price_table="0.1",
        finish_reasons=("stop",),
        asked=f"question {number} of {trace}",
        answered=f"answer {number} of {trace}",
        tags=("prod",),
        process=PROCESS,
        body=SpanBody(
            system=({"type": "text", "content": "You are helpful"},),
            input=tuple(text("user", f"question {each} of {trace}") for each in range(number + 1)),
            output=(text("assistant", f"answer {number} of {trace}", "stop"),),
            attributes={"gen_ai.request.temperature": 0.5, "list": [1, "two", None]},
            source=SOURCE,
            otel_kind=3,
        ),
    )
    return replace(row, **more)


def tool(trace: int = 1, number: int = 2, session: str | None = "session-1", *, failed: bool = False) -> SpanRow:
    """A call of a tool."""
    start = START + trace * SECOND + number * SECOND // 10
    return SpanRow(
        trace_id(trace),
        span_id(trace * 1000 + number),
        span_id(trace * 1000),
        session,
        "tool",
        "execute_tool search",
        "search",
        start,
        start + SECOND // 50,
        status="error" if failed else "ok",
        arguments_digest=f"{number:016x}",
        error_type="TimeoutError" if failed else None,
        error_message="no answer from warehouse" if failed else None,
        process=PROCESS,
        body=SpanBody(
            arguments='{"query": "refund policy"}',
            result=None if failed else "thirty days",
            stack="Traceback: it was late" if failed else None,
            events=(SpanEvent("exception", start + 1, {"exception.type": "TimeoutError"}),) if failed else (),
            source=SOURCE,
        ),
    )


def session(trace: int = 1, name: str | None = None, *, failed: bool = False) -> list[SpanRow]:
    """A session of four spans."""
    name = name or f"session-{trace}"
    return [root(trace, name), llm(trace, 1, name), tool(trace, 2, name, failed=failed), llm(trace, 3, name)]


def heartbeat(trace: int, seconds: float, *open_spans: SpanRow, session: str = "session-1") -> SessionEvent:
    """A heartbeat with what is open."""
    time_ns = START + trace * SECOND + int(seconds * SECOND)
    return SessionEvent("heartbeat", session, trace_id(trace), time_ns, open_spans=open_spans, process=PROCESS)


def opened(row: SpanRow) -> SpanRow:
    """A span as a heartbeat knows it."""
    return replace(row, end_ns=None, status="unset", usage=None, cost=None, body=None)
