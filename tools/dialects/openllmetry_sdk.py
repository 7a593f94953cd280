"""OpenLLMetry: Traceloop's SDK with its decorators, and its instrumentation of `openai`."""

from __future__ import annotations

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from scenario import OTLP_URL, SESSION, converse, openai_client, search
from traceloop.sdk import Traceloop
from traceloop.sdk.decorators import agent, task, tool, workflow

Traceloop.init(
    app_name="museum",
    disable_batch=True,
    exporter=OTLPSpanExporter(f"{OTLP_URL}/v1/traces"),
    telemetry_enabled=False,
)


@tool(name="search")
def search_tool(query: str) -> str:
    return search(query)


@agent(name="planner")
def planner(question: str) -> str:
    return converse(openai_client(), search_tool)


@task(name="open_doors")
def open_doors() -> str:
    return "open"


@workflow(name="visit")
def visit(question: str) -> str:
    open_doors()
    return planner(question)


Traceloop.set_association_properties({"session_id": SESSION, "user_id": "ada"})
visit("Who wrote the first program?")
