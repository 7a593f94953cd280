"""What each program does while its package records it: two turns with a tool, a stream, and a call that fails."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

LLM_URL = os.environ["DIALECT_LLM_URL"]
OTLP_URL = os.environ["DIALECT_OTLP_URL"]
TAGS = ["museum", "nightly"]
SESSION = "visit-7"
QUESTION = "Who wrote the first program?"
TOOLS: list[Any] = [
    {
        "type": "function",
        "function": {
            "name": "search",
            "description": "Searches the archive",
            "parameters": {"type": "object", "properties": {"query": {"type": "string"}}},
        },
    }
]


def search(query: str) -> str:
    """The tool."""
    return f"3 papers about {query}"


def converse(client: Any, tool: Callable[[str], str]) -> str:
    """Talk to a model through a client of the package `openai`."""
    asked: list[Any] = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": QUESTION}]
    create = client.chat.completions.create
    first = create(model="gpt-4o", messages=asked, tools=TOOLS, temperature=0.5).choices[0].message
    found = tool("Ada")
    asked.append(first.model_dump(exclude_none=True))
    asked.append({"role": "tool", "tool_call_id": first.tool_calls[0].id, "content": found})
    answer = create(model="gpt-4o", messages=asked, tools=TOOLS).choices[0].message.content
    again = [*asked[:1], {"role": "user", "content": "And in which year?"}]
    for _ in create(model="gpt-4o-mini", messages=again, stream=True, stream_options={"include_usage": True}):
        pass
    try:
        create(model="gpt-none", messages=again)
    except Exception as error:
        print(f"as expected: {type(error).__name__}")
    return str(answer)


def openai_client(module: Any = None) -> Any:
    """A client of the package `openai`, or of what stands for it, that speaks to the fake."""
    if module is None:
        import openai as module
    return module.OpenAI(api_key="none", base_url=LLM_URL, max_retries=0)


def provider() -> Any:
    """OpenTelemetry's own tracer provider and exporter, where the package brings none."""
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor

    made = TracerProvider()
    made.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(f"{OTLP_URL}/v1/traces")))
    trace.set_tracer_provider(made)
    return made


def logger_provider() -> Any:
    """The same for log records."""
    from opentelemetry import _logs
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor

    made = LoggerProvider()
    made.add_log_record_processor(SimpleLogRecordProcessor(OTLPLogExporter(endpoint=f"{OTLP_URL}/v1/logs")))
    _logs.set_logger_provider(made)
    return made
