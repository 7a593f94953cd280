"""Gemini's Interactions API: what is read of requests, answers and streams."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentops_otel import semconv
from agentops_otel.instrumentation._content import Content
from agentops_otel.instrumentation.readers import interactions
from agentops_otel.instrumentation.readers.interactions_fold import InteractionsFold
from tests.fakes.odd_json import ODD, message_facts, paths, replaced
from tests.instrumentation.readers.test_odd_fields import ANY
from tests.sdks import answers_google as google

CALL = {"type": "function_call", "id": "c1", "name": "weather", "arguments": {"city": "Paris"}}
STEPS = [
    {"type": "user_input", "content": [{"type": "text", "text": "Hi"}, {"type": "image", "uri": "gs://bucket/x.png"}]},
    {"type": "thought", "signature": "c2ln", "summary": [{"type": "text", "text": "Hm."}]},
    CALL,
    {"type": "function_result", "call_id": "c1", "name": "weather", "result": "sunny"},
    {"type": "google_search_call", "id": "s1", "arguments": {"queries": ["x"]}},
    {"type": "code_execution_call", "id": "x1", "arguments": {"language": "python", "code": "1"}},
    {"type": "code_execution_result", "call_id": "x1", "result": "1"},
    {"type": "model_output", "content": [{"type": "text", "text": "Sunny."}]},
]
REQUEST = {
    "model": "gemini-3.5-flash",
    "input": STEPS,
    "system_instruction": "Be brief.",
    "tools": [{"type": "function", "name": "weather", "parameters": {}}, {"type": "google_search"}],
    "previous_interaction_id": "ix_0",
    "service_tier": "flex",
    "response_format": {"type": "text", "mime_type": "application/json", "schema": {}},
    "generation_config": {
        "temperature": 0.5,
        "top_p": 0.9,
        "max_output_tokens": 9,
        "seed": 3,
        "stop_sequences": ["END"],
        "thinking_level": "low",
    },
}


def read(answer):
    attributes = {}
    failure = interactions.response(answer, attributes)
    return attributes, failure, interactions.output(answer, Content(1000))


def folded(*events):
    fold = InteractionsFold()
    fold.extend([event for event in events if event != "[DONE]"])
    return fold


def test_settings_are_attributes():
    """Each setting that the conventions know is an attribute."""
    attributes = {}
    interactions.request(REQUEST, attributes)
    assert attributes == {
        semconv.REQUEST_TEMPERATURE: 0.5,
        semconv.REQUEST_TOP_P: 0.9,
        semconv.REQUEST_MAX_TOKENS: 9,
        semconv.REQUEST_SEED: 3,
        semconv.REQUEST_STOP_SEQUENCES: ("END",),
        semconv.REQUEST_REASONING_LEVEL: "low",
        semconv.REQUEST_PREVIOUS_RESPONSE_ID: "ix_0",
        semconv.OUTPUT_TYPE: "json",
        semconv.REQUEST_SERVICE_TIER: "flex",
    }


def test_steps_are_messages():
    """What went before are messages of the user, of the model and of tools."""
    attributes = {}
    interactions.prompt(REQUEST, Content(1000), attributes)
    found = [
        (message["role"], [part["type"] for part in message["parts"]]) for message in attributes[semconv.INPUT_MESSAGES]
    ]
    assert found == [
        ("user", ["text", "uri"]),
        ("assistant", ["reasoning"]),
        ("assistant", ["tool_call"]),
        ("tool", ["tool_call_response"]),
        ("assistant", ["google_search_call"]),
        ("assistant", ["tool_call"]),
        ("assistant", ["tool_call_response"]),
        ("assistant", ["text"]),
    ]
    assert attributes[semconv.SYSTEM_INSTRUCTIONS] == [{"type": "text", "content": "Be brief."}]
    assert [tool["type"] for tool in attributes[semconv.TOOL_DEFINITIONS]] == ["function", "google_search"]


@pytest.mark.parametrize(
    "given",
    [
        "Hi",
        {"type": "text", "text": "Hi"},
        [{"type": "text", "text": "Hi"}],
        [{"role": "user", "content": "Hi"}],
        [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}],
    ],
)
def test_inputs_of_other_shapes(given):
    """A text, a content, several and a turn are a user's message."""
    attributes = {}
    interactions.prompt({"input": given}, Content(1000), attributes)
    assert attributes == {semconv.INPUT_MESSAGES: [{"role": "user", "parts": [{"type": "text", "content": "Hi"}]}]}


def test_media_are_references():
    """Data of media are never recorded."""
    picture = {"type": "image", "data": google.PNG, "mime_type": "image/png"}
    _, _, (message,) = read(google.interaction({"type": "model_output", "content": [picture]}))
    (part,) = message["parts"]
    assert (part["type"], part["modality"], part["mime_type"]) == ("file", "image", "image/png")


def test_an_answer_and_its_stream():
    """Id, model, tokens, end and message; the same of a stream."""
    thought = {"type": "thought", "summary": [{"type": "text", "text": "Hm."}]}
    whole = read(google.interaction(thought, *google.interaction()["steps"]))
    attributes, failure, messages = whole
    assert failure is None
    assert attributes == {
        semconv.RESPONSE_ID: "ix_1",
        semconv.RESPONSE_MODEL: "gemini-3.5-flash",
        semconv.USAGE_INPUT_TOKENS: 57,
        semconv.USAGE_OUTPUT_TOKENS: 48,
        semconv.USAGE_CACHE_READ_TOKENS: 32,
        semconv.USAGE_REASONING_TOKENS: 16,
        semconv.USAGE_INPUT_TEXT_TOKENS: 57,
        semconv.RESPONSE_FINISH_REASONS: ("stop",),
    }
    assert [(part["type"], part["content"]) for part in messages[0]["parts"]] == [
        ("reasoning", "Hm."),
        ("text", "Paris"),
    ]
    fold = folded(*google.interaction_events())
    assert fold.done
    assert read(fold.response()) == whole


def test_a_stream_that_broke_off():
    """What came is kept; there are no counts, and no reason."""
    fold = folded(*google.interaction_events()[:6])
    assert not fold.done
    attributes, failure, messages = read(fold.response())
    assert failure is None
    assert semconv.USAGE_INPUT_TOKENS not in attributes
    assert semconv.RESPONSE_FINISH_REASONS not in attributes
    assert [part["content"] for part in messages[0]["parts"]] == ["Hm.", "Pa"]


def test_a_call_in_pieces():
    """The arguments of a call come as pieces of JSON."""
    first = {**CALL, "arguments": {}}
    pieces = [{"type": "arguments_delta", "arguments": piece} for piece in ('{"city":', '"Paris"}')]
    fold = folded(
        {"event_type": "step.start", "index": 0, "step": first},
        *({"event_type": "step.delta", "index": 0, "delta": piece} for piece in pieces),
        {"event_type": "interaction.completed", "interaction": {"id": "ix_1", "status": "requires_action"}},
    )
    attributes, _, (message,) = read(fold.response())
    assert attributes[semconv.RESPONSE_FINISH_REASONS] == ("tool_calls",)
    assert message["finish_reason"] == "tool_call"
    assert message["parts"] == [{"type": "tool_call", "id": "c1", "name": "weather", "arguments": {"city": "Paris"}}]


@pytest.mark.parametrize("odd", [[], {}, 5, None])
def test_an_event_of_an_odd_kind_costs_itself(odd):
    """An event whose kind is no text says what it says, and is no end."""
    first, *others = google.interaction_events()
    fold = folded({**first, "event_type": odd}, *others)
    assert fold.done
    assert read(fold.response()) == read(folded(first, *others).response())


def test_steps_of_a_last_event_win():
    """A last event that has the steps is the whole answer."""
    last = {"event_type": "interaction.completed", "interaction": google.interaction()}
    _, _, (message,) = read(folded(*google.interaction_events()[:6], last).response())
    assert [part["content"] for part in message["parts"]] == ["Paris"]


def test_older_answers_have_outputs():
    """Before there were steps, an answer had contents."""
    _, failure, (message,) = read({"id": "ix_1", "status": "completed", "outputs": [{"type": "text", "text": "Paris"}]})
    assert failure is None
    assert message["parts"] == [{"type": "text", "content": "Paris"}]


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (google.interaction(status="failed", errors=[{"code": "internal", "message": "x"}]), ("internal", "x")),
        (google.interaction(status="failed"), ("failed", "")),
        ({"error": {"code": "internal", "message": "x"}}, ("internal", "x")),
    ],
)
def test_a_failure_inside_of_a_200(answer, failure):
    """A failure that comes as an ordinary answer has the provider's code."""
    assert read(answer)[1] == failure


def test_a_background_interaction_is_under_way():
    """It has a status, and no end yet."""
    attributes, failure, _ = read({"id": "ix_1", "status": "in_progress", "model": "gemini-3.5-flash"})
    assert failure is None
    assert attributes[semconv.RESPONSE_STATUS] == "in_progress"
    assert semconv.RESPONSE_FINISH_REASONS not in attributes


WHOLE = google.interaction(*STEPS, service_tier="standard")
EVENTS = [event for event in google.interaction_events() if event != "[DONE]"]


@pytest.mark.parametrize("kind", ["answer", "stream", "request"])
def test_odd_fields_cost_themselves(kind):
    """Whatever JSON stands in a field, no reader fails, and the head of an answer survives what is not in it."""
    value = {"answer": WHOLE, "stream": EVENTS, "request": REQUEST}[kind]

    @settings(ANY)
    @given(st.sampled_from(list(paths(value))), ODD)
    def check(path, odd):
        found = replaced(value, path, odd)
        if kind == "request":
            attributes, content = {}, Content(1000)
            interactions.request(found, attributes)
            interactions.prompt(found, content, attributes)
            return
        attributes, _, messages = read(folded(*found).response() if kind == "stream" else found)
        message_facts(semconv.OUTPUT_MESSAGES, messages)
        if path[0] == "steps":
            assert attributes[semconv.USAGE_OUTPUT_TOKENS] == 48

    check()
