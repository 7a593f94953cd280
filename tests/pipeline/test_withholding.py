"""What other instrumentations say does not leave where it is not to be recorded."""

from __future__ import annotations

from pathlib import Path

import pytest
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace.status import Status, StatusCode

import agentops_otel as agentops
from agentops_otel import semconv
from agentops_otel.config import Configuration
from agentops_otel.pipeline.withholding import withholding
from agentops_otel.server.otlp import spans_from_protobuf
from agentops_otel.testing import SpanCapture

FIXTURES = Path(__file__).parents[1] / "fixtures" / "dialects"
ALL = sorted(path.name.partition(".")[0] for path in FIXTURES.glob("*.traces.pb"))
SAID = ("first program", "Lovelace")  # in the question, and in the answer


def recorded(name):
    """The spans that another instrumentation has sent, as the SDK would have them."""
    for span in spans_from_protobuf((FIXTURES / f"{name}.traces.pb").read_bytes())[0]:
        yield ReadableSpan(
            span.name,
            attributes=span.attributes,
            events=[Event(event.name, event.attributes, 1) for event in span.events],
            instrumentation_scope=InstrumentationScope("other"),
            resource=Resource.get_empty(),
        )


def shown(span):
    return repr((dict(span.attributes), [(event.name, dict(event.attributes)) for event in span.events]))


@pytest.mark.parametrize("mode", ["metadata", "off"])
@pytest.mark.parametrize("name", ALL)
def test_what_was_said_is_left_out(name, mode):
    """Of each dialect, as it was recorded: no words of the talk are left, and the tokens are."""
    withhold = withholding(Configuration(capture_content=mode))
    given = [*recorded(name)]
    left = [withhold(span) for span in given]
    assert any(SAID[0] in shown(span) for span in given) == (name not in {"anthropic", "genai-events", "genai-logs"})
    for words in SAID:
        assert [shown(span) for span in left if words in shown(span)] == []
    for before, after in zip(given, left, strict=True):
        numbers = {name: value for name, value in before.attributes.items() if "token" in name and value != ""}
        assert numbers.items() <= dict(after.attributes).items()


@pytest.mark.parametrize("mode", ["full", "span_and_event", "event_only"])
def test_what_may_be_recorded_is_let_alone(mode):
    """Where content is recorded nothing is looked at."""
    assert withholding(Configuration(capture_content=mode)) is None


@pytest.mark.parametrize(
    ("mode", "texts"),
    [("full", {"my prompt", "my error", "my status"}), ("metadata", {"my error", "my status"}), ("off", set())],
)
def test_a_session_records_no_more_than_it_is_to(mode, texts):
    """Attributes, messages as events, exceptions and the status; our own spans and other attributes stay."""
    capture = SpanCapture(agentops.flush)
    agentops.init(exporter=capture, summary=False, capture_content=mode)
    with trace.get_tracer("other").start_as_current_span("chat") as span:
        span.set_attributes({semconv.INPUT_MESSAGES: "my prompt", semconv.REQUEST_MODEL: "m", "mine": "kept"})
        span.add_event("gen_ai.user.message", {"content": "my prompt"})
        span.add_event("note", {semconv.INPUT_MESSAGES: "my prompt", "a": 1})
        span.record_exception(ValueError("my error"))
        span.set_status(Status(StatusCode.ERROR, "my status"))
    agentops.end_session("Success")
    found = capture.find("chat")
    everything = f"{shown(found)} {found.status.description}"
    assert {text for text in ("my prompt", "my error", "my status") if text in everything} == texts
    assert (found.attributes[semconv.REQUEST_MODEL], found.attributes["mine"]) == ("m", "kept")
    assert not found.status.is_ok
    exception = next(event for event in found.events if event.name == "exception")
    assert exception.attributes["exception.type"] == "ValueError"
    assert next(event for event in found.events if event.name == "note").attributes["a"] == 1


@pytest.mark.parametrize("mode", ["metadata", "off"])
def test_what_counts_or_only_begins_alike_stays(mode):
    """Numbers, roles, and a program's own attributes whose names begin as those of the talk do."""
    kept = {
        "events": 12, "completion": 0.93, "gen_ai.prompt_tokens": 5, "gen_ai.prompt_id": "abc", "request_data_size": 12,
        "final_result_kind": "text", "gen_ai.completion.0.role": "assistant",
        "retrieval.documents.0.document.score": 0.5,
    }  # fmt: skip
    said = {"prompt": "my prompt", "gen_ai.completion.0.content": "my answer", "llm.prompts.0": "my prompt"}
    span = ReadableSpan("own", attributes={**kept, **said}, instrumentation_scope=InstrumentationScope("mine"))
    assert withholding(Configuration(capture_content=mode))(span).attributes == kept


@pytest.mark.parametrize("mode", ["metadata", "off"])
@pytest.mark.parametrize(
    "name",
    [
        "gen_ai.user.message", "gen_ai.task.input", "gen_ai.response.text", "gcp.vertex.agent.llm_request",
        "gcp.vertex.agent.tool_call_args", "mlflow.spanInputs", "haystack.component.input",
        "haystack.pipeline.output_data.answers", "lk.user_transcript", "crewai.task.description",
        "semantic_kernel.function.arguments", "mcp.request.argument.query",
    ],
)  # fmt: skip
def test_what_frameworks_record_by_names_of_their_own_is_left_out(name, mode):
    """Spans that a framework makes itself, without an instrumentation."""
    span = ReadableSpan(
        "call", attributes={name: "my prompt", "mine": "kept"}, instrumentation_scope=InstrumentationScope("framework")
    )
    assert withholding(Configuration(capture_content=mode))(span).attributes == {"mine": "kept"}
