"""OpenTelemetry's own instrumentation of `openai`, as it was first: each message is a log event."""

from __future__ import annotations

from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor
from scenario import converse, logger_provider, openai_client, provider, search

made, logs = provider(), logger_provider()
OpenAIInstrumentor().instrument(tracer_provider=made, logger_provider=logs)
with made.get_tracer("museum").start_as_current_span("visit"):
    converse(openai_client(), search)
made.shutdown()
logs.shutdown()
