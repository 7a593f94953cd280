"""A provider of ours with one session whose finished spans stay in memory, without the rest of the package."""

from __future__ import annotations

from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from agentops_otel import semconv
from agentops_otel.pipeline import ids
from agentops_otel.pipeline.processor import SessionSpanProcessor, SessionSpans
from agentops_otel.pipeline.tracer_provider import SessionTracerProvider
from agentops_otel.redaction import Redactor

SESSION = "0123abcd-0123-4567-89ab-0123456789ab"


class House:
    """See the module.

    Args:
        exporter: gets each finished span as a pipeline does.
        leaves: whether calls may have a `Leaf`; else all spans are the SDK's.
        flags: the trace flags of the session's root span.
        redactor: of the session.
        state: the trace state of the session's root span.

    Attributes:
        root: stands for the session's root span.
        tracer: ours.
    """

    def __init__(self, exporter, *, leaves=True, flags=TraceFlags.SAMPLED, redactor=None, state=None):
        self.exporter = exporter
        trace_id = ids.trace_id(SESSION)
        self.session = SessionSpans(SESSION, trace_id, ids.root_span_id(trace_id), self, redactor or Redactor())
        self.processor = SessionSpanProcessor(lambda context: None)
        self.processor.add(self.session)
        self.provider = SessionTracerProvider(Resource({"service.name": "house"}), lambda context: None)
        self.provider.add_span_processor(self.processor)
        self.tracer = self.provider.get_tracer(semconv.SCOPE_NAME, "1")
        if leaves:
            self.provider.offer_leaves(self.tracer, self.processor)
        self.root = NonRecordingSpan(SpanContext(trace_id, self.session.root_span_id, True, TraceFlags(flags), state))

    def record(self, span, session=None):
        """Be the pipeline."""
        self.exporter.export([span])
        self.session.recorded += 1
