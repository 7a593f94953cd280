"""Another instrumentation of openai, or a framework that records its calls, beside ours: each call counts once."""

from __future__ import annotations

import functools
import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from agentops_otel import semconv
from tests.fakes.llm_server import LlmServer

openai = pytest.importorskip("openai")
beside = pytest.importorskip("tests.sdks.beside")

ROOT = Path(__file__).parents[2]
OURS = semconv.SCOPE_NAME
OTHERS = {
    "openai-v2": "opentelemetry.instrumentation.openai_v2",
    "openllmetry": "opentelemetry.instrumentation.openai",
    "openinference": "openinference.instrumentation.openai",
}
CASES = ["chat", "stream", "response", "embeddings", "async chat", "async stream", "async response"]
PROVIDERS = ["ours", "program's own"]


@functools.cache
def run(module: str, provider: str) -> dict[str, Any]:
    """What was recorded in each case."""
    command = [sys.executable, "-m", "tests.sdks.beside", module, provider]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return {line["case"]: line for line in lines}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("other", OTHERS)
def test_another_instrumentation(other, provider, case):
    """Ours is the call and has the tokens; the span around it is a step; none loses its place."""
    module = OTHERS[other]
    try:
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed")
    except ModuleNotFoundError as missing:
        pytest.skip(str(missing))
    found = run(module, provider)[case]
    assert found["calls"] == found["with tokens"] == [OURS]
    assert found["counted"] == 1
    assert found["input tokens"] > 0
    assert found["lost"] == found["open"] == 0
    assert len(found["around"]) <= 1
    assert found["around"] or "response" in case  # (of which not all of them know)


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("provider", PROVIDERS)
async def test_an_agent_of_pydantic_ai(provider, streamed):
    """Its `chat` span lies around the call and is a step; its agent's span keeps what it says."""
    pydantic_ai = pytest.importorskip("pydantic_ai")
    from pydantic_ai.models.instrumented import InstrumentationSettings
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    with beside.session(provider) as world, LlmServer() as server:
        http = openai.DefaultAsyncHttpxClient(verify=False)  # loading certificates takes longer than the test
        async with openai.AsyncOpenAI(api_key="none", base_url=server.url, http_client=http) as client:
            agent = pydantic_ai.Agent(OpenAIChatModel("gpt-4o-mini", provider=OpenAIProvider(openai_client=client)))
            agent.instrument = InstrumentationSettings(tracer_provider=world.provider)
            if streamed:
                async with agent.run_stream("Hello") as answer:
                    await answer.get_output()
            else:
                await agent.run("Hello")
        spans = {span.name.partition(" ")[0]: span for span in world.recorded.spans if span.name != "chat gpt-4o-mini"}
        assert spans["invoke_agent"].attributes.get(semconv.SPAN_KIND) is None
        assert any(name.startswith("gen_ai.") for name in spans["invoke_agent"].attributes)
        found = beside.outcome(world)
    assert found["calls"] == [OURS]
    assert found["around"] == ["pydantic-ai"]
    assert found["counted"] == 1
    assert found["input tokens"] > 0
    assert found["lost"] == found["open"] == 0


def test_an_agent_of_google_adk():
    """Its `generate_content` span lies around the call and is a step, and the call counts once."""
    pytest.importorskip("google.adk")
    command = [sys.executable, "-m", "tests.sdks.adk"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    spans = json.loads(done.stdout.splitlines()[-1])
    step = spans["generate_content openai/gpt-4o-mini"]
    assert step[semconv.SPAN_KIND] == "step"
    assert [name for name in spans if semconv.USAGE_INPUT_TOKENS in spans[name]] == ["chat gpt-4o-mini"]
    assert spans["session"][semconv.SESSION_LLM_CALLS] == 1
    assert spans["invoke_agent guide"][semconv.OPERATION_NAME] == "invoke_agent"
