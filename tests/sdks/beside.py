"""Calls openai while another instrumentation of it is on, and says what was recorded, as a line of JSON a case.

A program of its own, because instrumentations do not come off again: `python -m tests.sdks.beside MODULE PROVIDER`.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import openai
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, use_span

from agentops_otel import context, guard, instrumentation, semconv
from agentops_otel.config import Configuration
from agentops_otel.dialects.spending import spending
from agentops_otel.pipeline import ids
from agentops_otel.pipeline.processor import SessionSpanProcessor, SessionSpans
from agentops_otel.redaction import Redactor
from agentops_otel.testing import SpanCapture
from agentops_otel.totals import Totals
from tests.fakes.house import SESSION, House
from tests.fakes.llm_server import LlmServer

CHAT = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "What is the weather in Paris?"}]}
STREAM = {**CHAT, "stream": True, "stream_options": {"include_usage": True}}


@contextmanager
def session(kind: str) -> Iterator[Any]:
    """A session on a provider of ours, or on one of the program's whose exporter is called before us."""
    recorded, exported = SpanCapture(), SpanCapture()
    if kind == "ours":
        house = House(recorded)
        spans, provider, root, tracer = house.session, house.provider, house.root, house.tracer
    else:
        trace_id = ids.trace_id(SESSION)
        recorder = SimpleNamespace(record=lambda span, session=None: recorded.export([span]))
        spans = SessionSpans(SESSION, trace_id, ids.root_span_id(trace_id), recorder, Redactor())
        ours = SessionSpanProcessor(lambda context: None)
        ours.add(spans)
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(exported))
        provider.add_span_processor(ours)
        root = NonRecordingSpan(SpanContext(trace_id, spans.root_span_id, True, TraceFlags(1)))
        tracer = provider.get_tracer(semconv.SCOPE_NAME)
    place = {"session_id": SESSION, "trace_id": spans.trace_id, "root": root}
    context.set_process(context.Scope(tracer, Configuration(), **place))
    instrumentation.instrument("openai")
    try:
        with use_span(root):
            yield SimpleNamespace(provider=provider, session=spans, recorded=recorded, exported=exported)
    finally:
        context.set_process(None)
        instrumentation.uninstrument()
        provider.shutdown()


def outcome(world: Any) -> dict[str, Any]:
    """What was recorded since the last time."""
    spans, exported, totals = world.recorded.spans, world.exported.spans, world.session.totals.snapshot()
    known = {span.context.span_id for span in spans} | {world.session.root_span_id}
    found = {
        "calls": [_scope(span) for span in spans if span.attributes.get(semconv.SPAN_KIND) == "llm"],
        "around": [_scope(span) for span in spans if span.attributes.get(semconv.SPAN_KIND) == "step"],
        "with tokens": sorted({_scope(span) for span in (*spans, *exported) if spending(span.attributes)}),
        "lost": sum(span.parent is None or span.parent.span_id not in known for span in spans),
        "open": len(world.session.totals.open_ids()),
        "counted": totals.llm_calls,
        "input tokens": totals.usage.input_tokens,
    }
    world.recorded.clear()
    world.exported.clear()
    world.session.totals = Totals()
    return found


def _scope(span: Any) -> str:
    return str(span.instrumentation_scope.name)


def _sync_cases(client: openai.OpenAI) -> Iterator[str]:
    client.chat.completions.create(**CHAT)
    yield "chat"
    for _ in client.chat.completions.create(**STREAM):
        pass
    yield "stream"
    client.responses.create(model="gpt-4o-mini", input="Hello")
    yield "response"
    client.embeddings.create(model="text-embedding-3-small", input="Hello")
    yield "embeddings"


async def _async_cases(client: openai.AsyncOpenAI, say: Any) -> None:
    await client.chat.completions.create(**CHAT)
    say("async chat")
    async for _ in await client.chat.completions.create(**STREAM):
        pass
    say("async stream")
    await client.responses.create(model="gpt-4o-mini", input="Hello")
    say("async response")


def main(module: str, kind: str) -> None:
    guard.reraise = True
    with session(kind) as world, LlmServer() as server:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            importlib.import_module(module).OpenAIInstrumentor().instrument(tracer_provider=world.provider)

        def say(case: str) -> None:
            print(json.dumps({"case": case, **outcome(world)}))

        options = {"api_key": "none", "base_url": server.url, "max_retries": 0}
        for case in _sync_cases(openai.OpenAI(**options)):
            say(case)
        asyncio.run(_async_cases(openai.AsyncOpenAI(**options), say))


if __name__ == "__main__":
    main(*sys.argv[1:])
