"""Logfire: its instrumentation of `openai`, and its spans."""

from __future__ import annotations

import logfire
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from scenario import OTLP_URL, TAGS, converse, openai_client, search

logfire.configure(
    send_to_logfire=False,
    console=False,
    service_name="museum",
    additional_span_processors=[SimpleSpanProcessor(OTLPSpanExporter(f"{OTLP_URL}/v1/traces"))],
)
client = openai_client()
logfire.instrument_openai(client)


def search_tool(query: str) -> str:
    with logfire.span("running tool: {gen_ai.tool.name}", **{"gen_ai.tool.name": "search"}):
        return search(query)


with logfire.span("visit", _tags=TAGS):
    converse(client, search_tool)
logfire.shutdown()
