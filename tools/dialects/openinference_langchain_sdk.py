"""OpenInference's instrumentation of LangChain: an agent of LangGraph with a tool."""

from __future__ import annotations

from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.prebuilt import create_react_agent
from openinference.instrumentation.langchain import LangChainInstrumentor
from scenario import LLM_URL, QUESTION, provider
from scenario import search as find

made = provider()
LangChainInstrumentor().instrument(tracer_provider=made)


@tool
def search(query: str) -> str:
    """Searches the archive."""
    return find(query)


model = ChatOpenAI(model="gpt-4o", base_url=LLM_URL, api_key="none", max_retries=0)
agent = create_react_agent(model, [search], prompt="Be brief.", name="planner")
print(agent.invoke({"messages": [("user", QUESTION)]})["messages"][-1].content)
made.shutdown()
