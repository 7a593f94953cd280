"""Langfuse: its client, its decorator, and its drop-in for `openai`."""

from __future__ import annotations

import langfuse
from langfuse import Langfuse, observe
from langfuse import openai as langfuse_openai
from scenario import OTLP_URL, SESSION, TAGS, converse, openai_client, search

client = Langfuse(public_key="pk-1", secret_key="sk-1", base_url=OTLP_URL)


@observe(name="search", as_type="tool")
def search_tool(query: str) -> str:
    return search(query)


@observe(name="planner", as_type="agent")
def planner(question: str) -> str:
    return converse(openai_client(langfuse_openai), search_tool)


@observe(name="visit")
def visit(question: str) -> str:
    with langfuse.propagate_attributes(session_id=SESSION, tags=TAGS, user_id="ada"):
        with client.start_as_current_observation(
            name="by hand", as_type="generation", model="claude-sonnet-4-5"
        ) as made:
            made.update(
                input=[{"role": "user", "content": "Hi"}],
                output="Hello",
                usage_details={"input": 10, "output": 4, "cache_read_input_tokens": 30, "total": 44},
                cost_details={"input": 0.25, "output": 0.5, "total": 0.75},
            )
        with client.start_as_current_observation(name="broken", as_type="span") as broken:
            broken.update(level="ERROR", status_message="the door is locked")
        return planner(question)


visit("Who wrote the first program?")
client.shutdown()
