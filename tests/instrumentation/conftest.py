"""A fake API, a session scope whose spans stay in memory, and openai instrumented for the time of one test."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from agentops_otel import context, guard, instrumentation
from agentops_otel.config import Configuration
from agentops_otel.testing import SpanCapture
from tests.fakes.llm_server import LlmServer

SESSION = "0123abcd-0123-4567-89ab-0123456789ab"


@pytest.fixture
def server():
    with LlmServer() as server:
        yield server


@pytest.fixture(autouse=True)
def internal_errors_raise(monkeypatch):
    monkeypatch.setattr(guard, "reraise", True)
    monkeypatch.setattr(guard, "_reported", set())


@pytest.fixture
def provider():
    capture = SpanCapture()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(capture))
    yield SimpleNamespace(capture=capture, tracer=provider.get_tracer("test"), sdk=provider)
    provider.shutdown()


@pytest.fixture
def record(provider):
    """Starts recording with the given settings: `record(capture_content="off")` returns the list of emitted events."""
    events = []

    def start(**settings):
        def emit(name, attributes, span):
            events.append((name, dict(attributes), span))

        scope = context.Scope(provider.tracer, Configuration(**settings), session_id=SESSION, emit=emit)
        context.set_process(scope)
        instrumentation.instrument("openai")
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
def client(server):
    import openai

    http = openai.DefaultHttpxClient(verify=False)  # loading certificates takes longer than most tests
    with openai.OpenAI(api_key="sk-test", base_url=server.url, max_retries=0, http_client=http) as client:
        yield client


@pytest.fixture
async def async_client(server):
    import openai

    http = openai.DefaultAsyncHttpxClient(verify=False)  # as above
    async with openai.AsyncOpenAI(api_key="sk-test", base_url=server.url, max_retries=0, http_client=http) as client:
        yield client


@pytest.fixture(params=["sync", "async"])
def either(request, client, async_client):
    """The client, and then the async one, for what must hold for both."""
    return client if request.param == "sync" else async_client
