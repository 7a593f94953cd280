"""Gemini's `generateContent`: what is read of requests and answers."""

from __future__ import annotations

import hashlib
import json
from base64 import b64decode, urlsafe_b64encode

import pytest

from agentops_otel import semconv
from agentops_otel.instrumentation._content import Content
from agentops_otel.instrumentation._endpoint import NOT_AN_ANSWER
from agentops_otel.instrumentation.readers import generate
from tests.sdks import answers_google as google


def settings(**config):
    """The attributes of a request with these settings."""
    attributes = {}
    generate.request({"generationConfig": config}, attributes)
    return attributes


def prompt(**body):
    """The messages of a request."""
    attributes = {}
    generate.prompt(body, Content(1000), attributes)
    return attributes


def parts(*given, role="user"):
    """The parts of a message."""
    (message,) = prompt(contents=[{"role": role, "parts": [*given]}])[semconv.INPUT_MESSAGES]
    return message["parts"]


def answered(answer):
    """The attributes, the failure and the messages of an answer."""
    attributes = {}
    failure = generate.response(answer, attributes)
    return attributes, failure, generate.output(answer, Content(1000))


# ---- requests ----


def test_settings_are_attributes():
    """Each setting that the conventions know is an attribute."""
    found = settings(
        temperature=0.5,
        topP=0.9,
        topK=40.0,
        candidateCount=2,
        maxOutputTokens=100,
        stopSequences=["END"],
        presencePenalty=0.1,
        frequencyPenalty=0.2,
        seed=3,
        responseMimeType="application/json",
        thinkingConfig={"thinkingLevel": "LOW", "includeThoughts": True},
    )
    assert found == {
        semconv.REQUEST_TEMPERATURE: 0.5,
        semconv.REQUEST_TOP_P: 0.9,
        semconv.REQUEST_TOP_K: 40,
        semconv.REQUEST_CHOICE_COUNT: 2,
        semconv.REQUEST_MAX_TOKENS: 100,
        semconv.REQUEST_STOP_SEQUENCES: ("END",),
        semconv.REQUEST_PRESENCE_PENALTY: 0.1,
        semconv.REQUEST_FREQUENCY_PENALTY: 0.2,
        semconv.REQUEST_SEED: 3,
        semconv.OUTPUT_TYPE: "json",
        semconv.REQUEST_REASONING_LEVEL: "low",
    }
    assert isinstance(found[semconv.REQUEST_TOP_K], int)


def test_the_tier_that_is_asked_for():
    """The tier stands beside the settings."""
    attributes = {}
    generate.request({"serviceTier": "FLEX"}, attributes)
    assert attributes == {semconv.REQUEST_SERVICE_TIER: "flex"}


def test_settings_have_two_names():
    """A setting is found under the SDK's own name as well, which newer releases send inside of objects."""
    found = settings(max_output_tokens=5, thinking_config={"thinking_level": "HIGH"})
    assert found == {semconv.REQUEST_MAX_TOKENS: 5, semconv.REQUEST_REASONING_LEVEL: "high"}


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"responseModalities": ["TEXT", "IMAGE"]}, "image"),
        ({"responseModalities": ["AUDIO"], "responseMimeType": "text/plain"}, "speech"),
        ({"responseMimeType": "text/x.enum"}, "json"),
        ({"responseMimeType": "text/plain"}, "text"),
        ({"responseModalities": ["TEXT"]}, None),
        ({"candidateCount": 1, "temperature": True, "topK": 1.5, "seed": "3"}, None),
    ],
)
def test_the_type_of_the_output(config, expected):
    """What the answer is asked to be; what is no value of the API is left out."""
    assert settings(**config) == ({} if expected is None else {semconv.OUTPUT_TYPE: expected})


def test_the_prompt():
    """System instruction, messages and tools stand where the conventions have them."""
    found = prompt(
        systemInstruction={"role": "user", "parts": [{"text": "Be brief."}]},
        contents=[
            {"role": "user", "parts": [{"text": "Weather?"}]},
            {
                "role": "model",
                "parts": [
                    {"text": "I ask.", "thought": True},
                    {"functionCall": {"id": "c1", "name": "weather", "args": {"city": "Paris"}}},
                ],
            },
            {"role": "user", "parts": [{"functionResponse": {"id": "c1", "name": "weather", "response": {"r": 1}}}]},
        ],
        tools=[
            {"functionDeclarations": [{"name": "weather", "description": "d", "parameters": {"type": "OBJECT"}}]},
            {"functionDeclarations": [{"name": "time", "parameters_json_schema": {"type": "object"}}]},
            {"googleSearch": {}},
        ],
    )
    assert found == {
        semconv.SYSTEM_INSTRUCTIONS: [{"type": "text", "content": "Be brief."}],
        semconv.INPUT_MESSAGES: [
            {"role": "user", "parts": [{"type": "text", "content": "Weather?"}]},
            {
                "role": "assistant",
                "parts": [
                    {"type": "reasoning", "content": "I ask."},
                    {"type": "tool_call", "id": "c1", "name": "weather", "arguments": {"city": "Paris"}},
                ],
            },
            {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": '{"r":1}'}]},
        ],
        semconv.TOOL_DEFINITIONS: [
            {"type": "function", "name": "weather", "description": "d", "parameters": {"type": "OBJECT"}},
            {"type": "function", "name": "time", "parameters": {"type": "object"}},
            {"type": "googleSearch"},
        ],
    }


def test_media_are_references():
    """Inline data are never recorded, and one file has one digest in either alphabet of base64."""
    data = b64decode(google.PNG)
    (plain, urls) = parts(
        {"inlineData": {"data": google.PNG, "mimeType": "image/png"}},
        {
            "inline_data": {
                "data": urlsafe_b64encode(data).decode(),
                "mime_type": "image/png",
                "display_name": "dot.png",
            }
        },
    )
    digest = hashlib.sha256(data).hexdigest()
    assert plain == {
        "type": "file",
        "modality": "image",
        "mime_type": "image/png",
        "file_id": f"sha256:{digest}",
        "bytes": len(data),
        "sha256": digest,
    }
    assert urls == {**plain, "filename": "dot.png"}


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (
            {"fileData": {"fileUri": "gs://bucket/film.mp4", "mimeType": "video/mp4"}},
            {"type": "uri", "modality": "video", "uri": "gs://bucket/film.mp4"},
        ),
        (
            {"file_data": {"file_uri": "https://host/files/1", "mime_type": "application/pdf"}},
            {"type": "uri", "modality": "document", "uri": "https://host/files/1"},
        ),
        (
            {"executableCode": {"language": "PYTHON", "code": "print(1)"}},
            {
                "type": "tool_call",
                "id": None,
                "name": "code_execution",
                "arguments": {"language": "PYTHON", "code": "print(1)"},
            },
        ),
        (
            {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1\n"}},
            {"type": "tool_call_response", "id": None, "response": "1\n"},
        ),
        (
            {"codeExecutionResult": {"outcome": "OUTCOME_DEADLINE_EXCEEDED"}},
            {"type": "tool_call_response", "id": None, "response": "OUTCOME_DEADLINE_EXCEEDED"},
        ),
        (
            {"toolCall": {"id": "t1", "toolType": "GOOGLE_SEARCH_WEB", "args": {"q": "x"}}},
            {"type": "google_search_web", "id": "t1"},
        ),
        (
            {"functionResponse": {"name": "f", "response": {}}},
            {"type": "tool_call_response", "id": "f", "response": "{}"},
        ),
        ({"audioTranscription": {"text": "hi"}}, {"type": "audioTranscription"}),
        ("Hello", {"type": "text", "content": "Hello"}),
    ],
)
def test_each_kind_of_part(part, expected):
    """A part is named by its only field; of an unknown one the name is recorded."""
    assert parts(part, role="model") == [expected]


def test_a_part_without_content_is_left_out():
    """A signature, or an empty text, is nothing that was said."""
    assert parts({"thoughtSignature": "c2ln"}, {"text": ""}, {"thought": True}, {}, None) == []


def test_the_pictures_of_a_function_stay_with_its_answer():
    """A function that answers with media has its JSON and the references in one part."""
    picture = {"inlineData": {"data": google.PNG, "mimeType": "image/png"}}
    (part,) = parts({"functionResponse": {"id": "c1", "name": "draw", "response": {"ok": True}, "parts": [picture]}})
    assert [each["type"] for each in part["response"]] == ["text", "file"]


@pytest.mark.parametrize(
    "contents", ["Hello", {"role": "user", "parts": [{"text": "Hello"}]}, [{"parts": {"text": "Hello"}}]]
)
def test_contents_of_other_shapes(contents):
    """A text, or a message without a list around it, is a user's message."""
    expected = [{"role": "user", "parts": [{"type": "text", "content": "Hello"}]}]
    assert prompt(contents=contents)[semconv.INPUT_MESSAGES] == expected


# ---- answers ----


def test_an_answer():
    """Id, model, tokens, finish reasons and the message."""
    attributes, failure, messages = answered(google.generated())
    assert failure is None
    assert attributes[semconv.RESPONSE_ID] == "resp_1"
    assert attributes[semconv.RESPONSE_MODEL] == "gemini-2.5-flash"
    assert attributes[semconv.RESPONSE_FINISH_REASONS] == ("stop",)
    assert (attributes[semconv.USAGE_INPUT_TOKENS], attributes[semconv.USAGE_OUTPUT_TOKENS]) == (57, 48)
    assert messages == [{"role": "assistant", "parts": [{"type": "text", "content": "Paris"}], "finish_reason": "stop"}]


@pytest.mark.parametrize(
    ("reason", "said", "finish"),
    [
        ("STOP", ("stop",), "stop"),
        ("MAX_TOKENS", ("max_tokens",), "length"),
        ("CONTINUATION", ("continuation",), "length"),
        ("SAFETY", ("safety",), "content_filter"),
        ("IMAGE_SAFETY", ("image_safety",), "content_filter"),
        ("MALFORMED_FUNCTION_CALL", ("malformed_function_call",), "error"),
        ("A_NEW_ONE", ("a_new_one",), "error"),
        ("FINISH_REASON_UNSPECIFIED", None, "error"),
        (None, None, "error"),
    ],
)
def test_finish_reasons(reason, said, finish):
    """The span has the provider's own word, the message one of the schema's."""
    attributes, failure, messages = answered(google.generated(google.candidate(finish=reason)))
    assert failure is None
    assert attributes.get(semconv.RESPONSE_FINISH_REASONS) == said
    assert messages[0]["finish_reason"] == finish


def test_parallel_function_calls():
    """A message that ends with calls waits for the program, although the API says it has stopped."""
    calls = [
        {"functionCall": {"id": f"c{n}", "name": "weather", "args": {"city": city}}} for n, city in enumerate("AB")
    ]
    _, _, (message,) = answered(google.generated(google.candidate(*calls)))
    assert message["finish_reason"] == "tool_call"
    assert [(part["id"], part["arguments"]["city"]) for part in message["parts"]] == [("c0", "A"), ("c1", "B")]


def test_code_that_the_provider_runs_is_no_call_of_the_program():
    """Code and its result are recorded, and the message has stopped by itself."""
    code = [{"executableCode": {"language": "PYTHON", "code": "1"}}, {"codeExecutionResult": {"output": "1"}}]
    _, _, (message,) = answered(google.generated(google.candidate(*code, {"text": "It is 1."})))
    assert message["finish_reason"] == "stop"
    assert [part["type"] for part in message["parts"]] == ["tool_call", "tool_call_response", "text"]


def test_candidates_keep_their_places():
    """A candidate without a reason keeps its place among those that have one."""
    attributes, _, messages = answered(
        google.generated(google.candidate(), google.candidate({"text": "Lyon"}, finish=None, index=1))
    )
    assert attributes[semconv.RESPONSE_FINISH_REASONS] == ("stop", "error")
    assert [message["parts"][0]["content"] for message in messages] == ["Paris", "Lyon"]


def test_a_blocked_prompt():
    """No failure: the answer says what blocked the prompt, and its tokens are counted."""
    attributes, failure, messages = answered(google.blocked(blockReasonMessage="It is not allowed."))
    assert failure is None
    assert attributes[semconv.RESPONSE_FINISH_REASONS] == ("prohibited_content",)
    assert (attributes[semconv.USAGE_INPUT_TOKENS], attributes[semconv.USAGE_OUTPUT_TOKENS]) == (8, 0)
    assert messages == [
        {
            "role": "assistant",
            "parts": [{"type": "refusal", "content": "It is not allowed."}],
            "finish_reason": "content_filter",
        }
    ]


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (google.error("UNAVAILABLE", 503, "Overloaded."), ("UNAVAILABLE", "Overloaded.")),
        ({"error": {"code": 503, "message": "Overloaded."}}, ("503", "Overloaded.")),
        ({"error": "no"}, ("error", "no")),
        ("<html>", (NOT_AN_ANSWER, "<html>")),
        ({}, (NOT_AN_ANSWER, "the answer has no id and no other field that was expected")),
        ({**google.generated(), "error": {"status": "INTERNAL", "message": "x"}}, ("INTERNAL", "x")),
    ],
)
def test_a_failure_inside_of_a_200(answer, failure):
    """A failure that comes as an ordinary answer has the provider's status."""
    assert answered(answer)[1] == failure


def test_messages_are_plain_json():
    """What is read of a picture in an answer is a reference in JSON."""
    _, _, messages = answered(
        google.generated(google.candidate({"inlineData": {"mimeType": "image/png", "data": google.PNG}}))
    )
    assert google.PNG not in json.dumps(messages)
    assert messages[0]["parts"][0]["modality"] == "image"
