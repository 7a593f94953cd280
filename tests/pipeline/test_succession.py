"""A provider that the program sets after `init()`."""

from __future__ import annotations

import pytest

from tests.fakes.fault_server import FaultServer
from tests.fakes.program import run

START = """
import logging
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
import agentops_otel as agentops

mine = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(mine))
def seen(): return sorted(span.name for span in mine.get_finished_spans())

@agentops.tool
def dig():
    with trace.get_tracer("app").start_as_current_span("inside"): return 1

before = trace.get_tracer("before init")
"""


def program(body, variables=None):
    """What the program printed, and the names of the spans that our backend got."""
    with FaultServer() as server:
        endpoint = {} if variables is None else {"OTEL_EXPORTER_OTLP_ENDPOINT": server.url}
        given = variables if variables is not None else {"AGENTOPS_ENDPOINT": server.url}
        ended = run(START + body, {"AGENTOPS_SUMMARY": "false", **endpoint, **given})
        assert (ended.code, ended.err) == (0, ""), ended.err
        return ended.out.split("\n")[:-1], sorted(span.name for span in server.spans())


def test_the_programs_provider_gets_its_spans():
    """As if we were not there: it is the global one, its spans are its own, and the session goes on over ours."""
    out, sent = program("""
agentops.init()
trace.set_tracer_provider(provider)
print(trace.get_tracer_provider() is provider)
span = trace.get_tracer("app").start_span("GET /")
print(span.parent, "session.id" in span.attributes)
span.end()
agentops.end_session("Success")
print(seen())
""")
    assert out == ["True", "None False", "['GET /']"]
    assert sent == ["session"]


def test_tracers_fetched_before_are_the_new_providers_too():
    """A tracer from before `init()` or from our provider starts spans of the program's provider from then on."""
    out, sent = program("""
agentops.init()
ours = trace.get_tracer("after init")
before.start_span("one").end()
ours.start_span("two").end()
trace.set_tracer_provider(provider)
before.start_span("three").end()
with ours.start_as_current_span("four"):
    ours.start_span("five").end()
agentops.end_session("Success")
print(seen())
spans = mine.get_finished_spans()
print([span.parent is not None for span in spans])
print(sorted({span.instrumentation_scope.name for span in spans}))
""")
    assert out == ["['five', 'four', 'three']", "[False, True, False]", "['after init', 'before init']"]
    assert sent == ["one", "session", "two"]


@pytest.mark.parametrize("named", [True, False])
def test_spans_in_the_trace_of_a_session(named):
    """They go to the program's exporter, and to the endpoint that was given to us; not to that of `OTEL_*`."""
    out, sent = program(
        """
agentops.init(auto_start_session=False)
trace.set_tracer_provider(provider)
with agentops.session() as session:
    dig()
    assert trace.get_current_span().get_span_context().trace_id == int(session.trace_id, 16)
print(seen())
(span,) = mine.get_finished_spans()
print(format(span.context.trace_id, "032x") == session.trace_id)
agentops.shutdown()
""",
        None if named else {},
    )
    assert out == ["['inside']", "True"]
    assert sent == (["execute_tool dig", "inside", "session"] if named else ["execute_tool dig", "session"])


def test_a_third_provider_is_refused_as_ever():
    """OpenTelemetry takes one provider of the program, and warns of the next."""
    out, _ = program("""
agentops.init()
lines = []
class Lines(logging.Handler):
    def emit(self, record): lines.append(record.getMessage())
logging.getLogger("opentelemetry.trace").addHandler(Lines())
trace.set_tracer_provider(provider)
print(lines)
trace.set_tracer_provider(TracerProvider())
print(lines, trace.get_tracer_provider() is provider)
agentops.end_session("Success")
""")
    assert out == ["[]", "['Overriding of current TracerProvider is not allowed'] True"]


def test_a_later_init_uses_the_programs_provider():
    """After `shutdown()` it is the provider that was set before `init()`."""
    out, sent = program("""
agentops.init()
trace.set_tracer_provider(provider)
agentops.shutdown()
agentops.init()
dig()
trace.get_tracer("app").start_span("GET /").end()
agentops.end_session("Success")
print(seen())
""")
    assert out == ["['GET /', 'execute_tool dig', 'inside', 'session']"]
    assert sent == ["GET /", "execute_tool dig", "inside", "session", "session"]


def test_a_provider_that_is_no_sdk():
    """Any provider of OpenTelemetry's API gets its calls; that of ours stays out of its way."""
    out, sent = program("""
class Provider(trace.TracerProvider):
    def get_tracer(self, *about, **more):
        print("asked by", about[0])
        return trace.NoOpTracer()
agentops.init()
ours = trace.get_tracer("after init")
trace.set_tracer_provider(Provider())
ours.start_span("x").end()
ours.start_span("x").end()
trace.get_tracer("app").start_span("y").end()
agentops.end_session("Success")
""")
    assert out == ["asked by after init", "asked by app"]
    assert sent == ["session"]


def test_programs_that_use_our_provider():
    """It is an SDK provider to which processors can be added, and setting it once more changes nothing."""
    out, sent = program("""
agentops.init()
print(isinstance(trace.get_tracer_provider(), TracerProvider))
trace.get_tracer_provider().add_span_processor(SimpleSpanProcessor(mine))
trace.set_tracer_provider(trace.get_tracer_provider())
trace.get_tracer("app").start_span("GET /").end()
agentops.end_session("Success")
print(seen())
""")
    assert out == ["True", "['GET /', 'session']"]
    assert sent == ["GET /", "session"]


def test_without_the_private_name_the_programs_provider_must_be_first():
    """In a release of OpenTelemetry without it, everything is as documented for that order, and nothing fails."""
    _, sent = program("""
trace.__dict__.pop("_TRACER_PROVIDER_SET_ONCE")
trace._set_tracer_provider = lambda given, log: trace.__dict__.__setitem__("_TRACER_PROVIDER", given)
agentops.init()
trace.get_tracer("app").start_span("GET /").end()
agentops.end_session("Success")
""")
    assert sent == ["GET /", "session"]
