"""A program that has OpenTelemetry already: its provider stays, its exporter gets the session's spans too.

    python examples/existing_tracer_provider.py

Nothing is exported twice: without an endpoint for agentops-otel, only the program's own exporter sends.
"""

from __future__ import annotations

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter

import agentops_otel as agentops

provider = TracerProvider(resource=Resource.create({"service.name": "shop"}))
provider.add_span_processor(BatchSpanProcessor(ConsoleSpanExporter()))
trace.set_tracer_provider(provider)

agentops.init(name="beside OpenTelemetry")


@agentops.tool
def search(query: str) -> list[str]:
    """Look something up, with a span of the program's own inside."""
    with trace.get_tracer("shop").start_as_current_span("SELECT products"):
        return [f"{query} pot"]


with trace.get_tracer("shop").start_as_current_span("GET /search"):
    search("tea")

agentops.end_session("Success")
