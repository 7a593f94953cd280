"""A fake API, and a session scope whose spans stay in memory; `conftest.py` of a folder takes these fixtures over.

It has a fixture `sdks` of its own: the names of the SDKs that are recorded for the time of one test; none means all.
"""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import trustme
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import INVALID_SPAN

from agentops_otel import context, guard, instrumentation
from agentops_otel.config import Configuration
from agentops_otel.testing import SpanCapture
from tests.fakes.house import SESSION, House
from tests.fakes.llm_server import LlmServer

__all__ = ["few_certificates", "internal_errors_raise", "provider", "record", "server", "spans"]


@pytest.fixture(scope="session", autouse=True)
def few_certificates(tmp_path_factory):
    """Clients trust one authority that signs nothing: to load a machine's hundreds takes longer than most tests."""
    authority = tmp_path_factory.mktemp("authority") / "ca.pem"
    trustme.CA(key_type=trustme.KeyType.ECDSA).cert_pem.write_to_path(str(authority))
    with pytest.MonkeyPatch.context() as variables:
        variables.setenv("SSL_CERT_FILE", str(authority))
        yield


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
def record(provider, sdks):
    """Starts recording with the given settings: `record(capture_content="off")` returns the list of emitted events."""
    events = []

    def start(**settings):
        def emit(name, attributes, span):
            events.append((name, dict(attributes), span))

        place = {"session_id": SESSION, "trace_id": provider.trace_id, "root": provider.root}
        scope = context.Scope(provider.tracer, Configuration(**settings), **place, emit=emit)
        context.set_process(scope)
        instrumentation.instrument(*sdks)
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
