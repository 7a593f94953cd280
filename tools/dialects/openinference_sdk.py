"""OpenInference: its instrumentation of `openai`, and its own decorators."""

from __future__ import annotations

from openinference.instrumentation import OITracer, TraceConfig, using_attributes
from openinference.instrumentation.openai import OpenAIInstrumentor
from scenario import SESSION, TAGS, converse, openai_client, provider, search

made = provider()
OpenAIInstrumentor().instrument(tracer_provider=made)
tracer = OITracer(made.get_tracer("museum"), config=TraceConfig())


@tracer.tool(name="search")
def search_tool(query: str) -> str:
    return search(query)


@tracer.agent(name="planner")
def planner(question: str) -> str:
    return converse(openai_client(), search_tool)


@tracer.chain(name="visit")
def visit(question: str) -> str:
    return planner(question)


with using_attributes(session_id=SESSION, tags=TAGS, user_id="ada"):
    visit("Who wrote the first program?")
made.shutdown()
