"""Other people's OpenTelemetry: their spans land in the session, and `opentelemetry-instrument` needs no code."""

from __future__ import annotations

import pytest

from tests.end_to_end.trace import Trace

BESIDE = """
import sys

import openai
import requests
from opentelemetry import trace
from opentelemetry.instrumentation.httpx import HTTPX2ClientInstrumentor
from opentelemetry.instrumentation.requests import RequestsInstrumentor

import agentops_otel as agentops

early = trace.get_tracer("early")
RequestsInstrumentor().instrument()
HTTPX2ClientInstrumentor().instrument()
session_id = agentops.init(name="beside", service_name="beside", max_wait_time=100)
late = trace.get_tracer("late")
client = openai.OpenAI(max_retries=0)

@agentops.agent
def work():
    with late.start_as_current_span("mine inside") as span:
        span.set_attribute("own", 1)
        requests.get(sys.argv[1], timeout=5).raise_for_status()

work()
with early.start_as_current_span("mine outside"):
    agentops.record(agentops.ActionEvent("noted"))
client.embeddings.create(model="text-embedding-3-small", input="tea")
agentops.flush()
requests.get(sys.argv[1], timeout=5)
agentops.end_session("Success")
print(session_id)
"""
UNSUSPECTING = """
import openai

client = openai.OpenAI(max_retries=0)
reply = client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "Capital?"}])
print(reply.choices[0].message.content)
"""


def test_spans_of_others_are_part_of_the_session(programs, read, llm):
    """Spans of the program's tracers, of `requests` and of HTTPX hang where they belong; our exports leave none."""
    done = programs.run(BESIDE, f"{llm.url}/models")
    trace = read(done.stdout.strip(), spans=9)

    tree = [line.replace(" [None]", "") for line in trace.tree().splitlines()]
    assert tree == [
        "session beside [session] OK",
        "  invoke_agent work [agent]",
        "    mine inside",
        "      GET",
        "  mine outside",
        "    noted [action]",
        "  embeddings text-embedding-3-small [llm]",
        "    POST",
        "  GET",
    ]
    assert {span.attributes["session.id"] for span in trace.spans} == {trace.session_id}
    assert {span.service for span in trace.spans} == {"beside"}
    assert trace.span("mine inside").attributes["own"] == 1
    post = trace.span("POST").attributes
    assert post.get("http.url", post.get("url.full")) == f"{llm.url}/embeddings"
    assert done.warnings == []


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_a_program_is_recorded_without_a_line_of_code(programs, jaeger, protocol):
    """`opentelemetry-instrument` and standard variables are enough for a session with LLM calls in Jaeger."""
    programs.install()
    service = f"unsuspecting-{protocol}"
    done = programs.run(
        UNSUSPECTING,
        launcher="opentelemetry-instrument",
        AGENTOPS_ENDPOINT=None,
        OTEL_EXPORTER_OTLP_ENDPOINT=jaeger.otlp_grpc if protocol == "grpc" else jaeger.otlp_http,
        OTEL_EXPORTER_OTLP_PROTOCOL=protocol,
        OTEL_SERVICE_NAME=service,
        OTEL_RESOURCE_ATTRIBUTES="deployment.environment.name=test",
        OTEL_PYTHON_DISABLED_INSTRUMENTATIONS="requests,httpx,httpx2",
    )
    assert done.stdout == "Paris\n"
    assert done.warnings == []

    (found,) = jaeger.search(service)
    session_id = found["traceID"]
    trace = Trace(session_id, jaeger.trace(session_id, spans=2))
    assert trace.tree().splitlines() == ["session [session]", "  chat gpt-4o [llm]"]
    assert trace.root.id == trace.root_id
    assert trace.root.attributes["session.id"].replace("-", "") == session_id
    assert trace.root.attributes["agentops.session.end_state"] == "Indeterminate"
    assert trace.root.attributes["agentops.session.llm_calls"] == 1
    assert trace.root.resource["deployment.environment.name"] == "test"
