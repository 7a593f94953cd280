"""Calls through a leaf and through a span of the SDK's give the same span, the same figures and the same journal."""

from __future__ import annotations

import contextlib

import openai
import pytest

from agentops_otel import context, instrumentation, semconv
from agentops_otel.config import Configuration
from agentops_otel.pipeline import records
from agentops_otel.pipeline.leaf import Leaf
from agentops_otel.testing import SpanCapture
from tests.fakes.house import SESSION, House
from tests.fakes.llm_server import Reply, error
from tests.instrumentation.test_contract import ENDPOINTS, STREAMED, call

CALLS = [(kind, stream) for kind in ENDPOINTS for stream in (False, True) if kind in STREAMED or not stream]
NEVER_EQUAL = {semconv.RESPONSE_TIME_TO_FIRST_CHUNK}  # seconds


@contextlib.contextmanager
def recorded(leaves, **settings):
    """A block whose calls are recorded; the value is a house with what its spans became."""
    house = House(SpanCapture(), leaves=leaves)
    place = {"session_id": SESSION, "trace_id": house.session.trace_id, "root": house.root}
    context.set_process(context.Scope(house.tracer, Configuration(**settings), **place))
    instrumentation.instrument("openai")
    try:
        yield house
    finally:
        context.set_process(None)
        instrumentation.uninstrument()


def shown(span):
    """A span as a record of the journal gives it back, without ids and times, which differ."""
    found = records.read_span(memoryview(records.span_payload(span, 1)), lambda number: span.resource)
    return {
        "name": found.name,
        "kind": found.kind,
        "parent": found.parent,
        "flags": found.context.trace_flags,
        "state": found.context.trace_state,
        "trace": found.context.trace_id,
        "status": (found.status.status_code, found.status.description),
        "attributes": {name: value for name, value in found.attributes.items() if name not in NEVER_EQUAL},
        "events": [(event.name, set(event.attributes)) for event in found.events],
        "links": found.links,
        "scope": (found.instrumentation_scope.name, found.instrumentation_scope.version),
        "dropped": (found.dropped_attributes, found.dropped_events, found.dropped_links),
        "ends": found.end_time >= found.start_time,
    }


async def compared(kind, client, server, *, reply=None, stream=False, **settings):
    found = []
    for leaves in (True, False):
        with recorded(leaves, **settings) as house:
            for _ in range(2):  # what was seen once is looked at more quickly
                if reply is not None:
                    server.then(reply)
                with contextlib.suppress(openai.APIError):
                    await call(kind, client, {**ENDPOINTS[kind][1], **({"stream": True} if stream else {})})
        spans = house.exporter.spans
        assert [isinstance(span, Leaf) for span in spans] == [leaves] * 2
        totals = house.session.totals.snapshot().attributes()
        conversation = house.session.conversation.attributes()
        found.append(([shown(span) for span in spans], totals, conversation, house.session.recorded))
    assert found[0] == found[1]
    return found[0]


@pytest.mark.parametrize(("kind", "stream"), CALLS)
async def test_a_call_is_the_same_either_way(kind, stream, client, server):
    """In what is exported, written down, counted and told of the session."""
    (first, second), totals, _, _ = await compared(kind, client, server, stream=stream)
    assert first == second
    assert totals[semconv.SESSION_LLM_CALLS] == 2
    if not stream:  # where some hosts say no usage
        assert totals[semconv.SESSION_INPUT_TOKENS] > 0
    assert semconv.INPUT_MESSAGES in first["attributes"]


@pytest.mark.parametrize("settings", [{"capture_content": "metadata"}, {"capture_content": "off"}])
async def test_without_content_a_call_is_the_same_either_way(settings, client, server):
    """With as little content as there can be."""
    (first, _), *_ = await compared("chat", client, server, **settings)
    assert semconv.INPUT_MESSAGES not in first["attributes"]


async def test_a_refused_call_is_the_same_either_way(client, server):
    """With its error."""
    reply = Reply(error("rate_limit_exceeded"), status=429)
    spans, totals, _, _ = await compared("chat", client, server, reply=reply)
    assert spans[0]["attributes"][semconv.ERROR_TYPE] == "rate_limit_exceeded"
    assert totals[semconv.SESSION_ERRORS] == 2
