"""A fake API and a session scope whose spans stay in memory, with every SDK instrumented for the time of one test."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import INVALID_SPAN

from agentops_otel import context, guard, instrumentation
from agentops_otel.config import Configuration
from agentops_otel.testing import SpanCapture
from tests.fakes.house import SESSION, House
from tests.fakes.llm_server import LlmServer
from tests.sdks import compatible

# Test file -> the module without which it cannot run. AGENTOPS_TEST_SDKS names those that have to be installed.
NEEDED = {path.name: path.stem.removeprefix("test_") for path in Path(__file__).parent.glob("test_*.py")} | {
    "test_compatible.py": "pytest",
    "test_beside.py": "openai",
    "test_contract.py": "pytest",
    "test_keys.py": "pytest",
    "test_google_genai.py": "google.genai",
    "test_google_interactions.py": "google.genai._gaos",
    "test_cerebras.py": "cerebras",
    "test_model_server.py": "huggingface_hub",
    "test_bedrock.py": "boto3",
    "test_bedrock_odd_fields.py": "pytest",
    "test_bedrock_tokens.py": "pytest",
    "test_openai_actions.py": "openai",
    "test_openai_media.py": "openai",
    "test_openai_realtime.py": "websockets.sync",
}


def _is_installed(module):
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


collect_ignore = [file for file, module in NEEDED.items() if not _is_installed(module)]
missing = {f"test_{name}.py" for name in os.environ.get("AGENTOPS_TEST_SDKS", "").split()} & set(collect_ignore)
if missing:
    raise pytest.UsageError(f"AGENTOPS_TEST_SDKS asks for SDKs that are not installed: {', '.join(sorted(missing))}")


def pytest_collection_modifyitems(items):
    """What an SDK warns of, or a library below it, is no failure of ours."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.filterwarnings("ignore::DeprecationWarning"), append=False)
            item.add_marker(pytest.mark.filterwarnings("ignore::ResourceWarning"), append=False)  # (aiohttp's sockets)


@pytest.fixture
def server():
    with LlmServer() as server:
        yield server


@pytest.fixture(autouse=True)
def internal_errors_raise(monkeypatch):
    monkeypatch.setattr(guard, "reraise", True)
    monkeypatch.setattr(guard, "_reported", set())


@pytest.fixture(params=["leaf", "sdk"])
def provider(request):
    """What makes the spans of the calls: in the trace of a session of ours, or in a provider of the program's own."""
    capture = SpanCapture()
    if request.param == "leaf":
        house = House(capture)
        sdk, tracer, root, trace_id = house.provider, house.tracer, house.root, house.session.trace_id
    else:
        sdk, root, trace_id = TracerProvider(shutdown_on_exit=False), INVALID_SPAN, 0
        sdk.add_span_processor(SimpleSpanProcessor(capture))
        tracer = sdk.get_tracer("test")
    yield SimpleNamespace(capture=capture, tracer=tracer, sdk=sdk, root=root, trace_id=trace_id)
    sdk.shutdown()


@pytest.fixture
def record(provider):
    """Starts recording with the given settings: `record(capture_content="off")` returns the list of emitted events."""
    events = []

    def start(**settings):
        def emit(name, attributes, span):
            events.append((name, dict(attributes), span))

        place = {"session_id": SESSION, "trace_id": provider.trace_id, "root": provider.root}
        scope = context.Scope(provider.tracer, Configuration(**settings), **place, emit=emit)
        context.set_process(scope)
        instrumentation.instrument()
        return events

    yield start
    context.set_process(None)
    instrumentation.uninstrument()


@pytest.fixture
def spans(provider, record):
    """The finished spans, with the default settings; `spans()` takes them, `spans.one()` takes the only one."""
    record()

    def take():
        found = provider.capture.spans
        provider.capture.clear()
        return found

    def one():
        found = take()
        assert len(found) == 1, [span.name for span in found]
        return found[0]

    take.one = one
    return take


@pytest.fixture
async def connect(server):
    """Makes clients that ask the fake server, of SDKs of OpenAI's kind: `connect("groq")`."""
    clients = []

    def make(name, **settings):
        clients.append(compatible.client_of(name, server.url.removesuffix("/v1"), **settings))
        return clients[-1]

    yield make
    for client in clients:
        await compatible.done(client.close())
