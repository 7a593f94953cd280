"""Finished spans made by hand, and what the real encoder makes of them."""

from __future__ import annotations

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags

CONTEXT = SpanContext(0x1234, 0x56, is_remote=False, trace_flags=TraceFlags(1))
PARENT = SpanContext(0x1234, 0x57, is_remote=True, trace_flags=TraceFlags(1))
RESOURCE = Resource({"service.name": "tests"})
SCOPE = InstrumentationScope("tests", "1")


def span(**changes):
    """A span of an LLM call."""
    given_fields = {
        "name": "chat gpt-4o",
        "context": CONTEXT,
        "parent": PARENT,
        "resource": RESOURCE,
        "attributes": {"session.id": "s", "agentops.span.kind": "llm", "gen_ai.usage.input_tokens": 10},
        "kind": SpanKind.CLIENT,
        "start_time": 1_000,
        "end_time": 2_000,
        "instrumentation_scope": SCOPE,
    }
    return ReadableSpan(**{**given_fields, **changes})


def on_the_wire(*spans):
    """The spans after the real encoder, as protobuf messages."""
    encoded = encode_spans(spans)
    return [each for group in encoded.resource_spans for scope in group.scope_spans for each in scope.spans]
