"""AgentOps 0.4: its SDK with its decorators, and its instrumentation of `openai`."""

from __future__ import annotations

import agentops
from agentops.sdk.decorators import agent, operation, tool
from scenario import OTLP_URL, TAGS, converse, openai_client, search

agentops.init(
    api_key="00000000-0000-4000-8000-000000000000",
    endpoint=OTLP_URL,
    exporter_endpoint=f"{OTLP_URL}/v1/traces",
    auto_start_session=False,
    log_level="ERROR",
)


@tool(name="search", cost=0.01)
def search_tool(query: str) -> str:
    return search(query)


@agent(name="planner")
class Planner:
    @operation(name="plan")
    def plan(self, question: str) -> str:
        return converse(openai_client(), search_tool)


trace = agentops.start_trace(trace_name="visit", tags=TAGS)
Planner().plan("Who wrote the first program?")
agentops.end_trace(trace, "Success")
