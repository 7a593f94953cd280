"""Pydantic AI: an agent with a tool, recorded by itself."""

from __future__ import annotations

from pydantic_ai import Agent
from pydantic_ai.models.instrumented import InstrumentationSettings
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider
from scenario import LLM_URL, QUESTION, provider
from scenario import search as find

made = provider()
model = OpenAIChatModel("gpt-4o", provider=OpenAIProvider(base_url=LLM_URL, api_key="none"))
agent = Agent(
    model,
    name="planner",
    instructions="Be brief.",
)
agent.instrument = InstrumentationSettings(tracer_provider=made)


@agent.tool_plain
def search(query: str) -> str:
    """Searches the archive."""
    return find(query)


print(agent.run_sync(QUESTION).output)
made.shutdown()
