"""An agent of Google ADK that asks a model through litellm, recorded by us and by itself; prints what was recorded.

A program of its own, because ADK takes OpenTelemetry's global provider: `python -m tests.sdks.adk`.
"""

from __future__ import annotations

import asyncio
import json
import os
import warnings

import agentops_otel as agentops
from agentops_otel.testing import SpanCapture
from tests.fakes.llm_server import LlmServer

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # importing it asks the network otherwise
warnings.simplefilter("ignore")


async def run(url: str) -> None:
    from google.adk.agents import LlmAgent
    from google.adk.models.lite_llm import LiteLlm
    from google.adk.runners import InMemoryRunner
    from google.genai.types import Content, Part

    model = LiteLlm(model="openai/gpt-4o-mini", api_base=url, api_key="none")
    runner = InMemoryRunner(agent=LlmAgent(name="guide", model=model, instruction="Be brief."), app_name="app")
    session = await runner.session_service.create_session(app_name="app", user_id="user")
    asked = Content(role="user", parts=[Part(text="Hello")])
    async for _ in runner.run_async(user_id="user", session_id=session.id, new_message=asked):
        pass


if __name__ == "__main__":
    capture = SpanCapture()
    agentops.init(exporter=capture, summary=False)
    with LlmServer() as server:
        asyncio.run(run(server.url))
    agentops.end_session("Success")
    agentops.shutdown()
    print(json.dumps({span.name: dict(span.attributes or {}) for span in capture.spans}, default=str))
