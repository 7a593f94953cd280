"""An exporter of your own instead of OTLP: here one line of CSV for each LLM call.

Run `OPENAI_API_KEY=sk-... python examples/custom_exporter.py`.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence

from openai import OpenAI
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

import agentops_otel as agentops

COLUMNS = (
    "session.id",
    "gen_ai.response.model",
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.cost.amount",
)


class CsvExporter(SpanExporter):
    """Writes what LLM calls cost to standard output; cost and session are on the span when it comes here."""

    def __init__(self) -> None:
        self._writer = csv.writer(sys.stdout)
        self._writer.writerow(COLUMNS)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Write a batch of finished spans."""
        for span in spans:
            attributes = span.attributes or {}
            if attributes.get("agentops.span.kind") == "llm":
                self._writer.writerow([attributes.get(column) for column in COLUMNS])
        return SpanExportResult.SUCCESS


agentops.init(exporter=CsvExporter())
client = OpenAI()
for question in ("What is oolong?", "What is matcha?"):
    client.chat.completions.create(model="gpt-4.1-mini", messages=[{"role": "user", "content": question}])
agentops.end_session("Success")
