"""A streamed answer of Gemini's API is put together again."""

from __future__ import annotations

import pytest

from agentops_otel import semconv
from agentops_otel.instrumentation._content import Content
from agentops_otel.instrumentation.readers import generate
from agentops_otel.instrumentation.readers.generate_fold import GenerateFold
from tests.sdks import answers_google as google


def folded(*chunks):
    fold = GenerateFold()
    fold.extend(chunks)
    return fold


def read(fold):
    attributes = {}
    failure = generate.response(fold.response(), attributes)
    return attributes, failure, generate.output(fold.response(), Content(1000))


def streamed(*parts, finish="STOP"):
    """A stream with one part in each chunk."""
    pieces = [{"candidates": [google.candidate(part, finish=None)]} for part in parts]
    return read(folded(*pieces, google.generated(google.candidate({"text": ""}, finish=finish))))


def test_a_stream_reads_as_the_whole_answer():
    """Everything that is recorded of an answer is recorded of its stream."""
    fold = folded(*google.chunks())
    assert fold.done
    whole = {}
    generate.response(google.generated(), whole)
    attributes, failure, messages = read(fold)
    assert (attributes, failure) == (whole, None)
    assert messages == generate.output(google.generated(), Content(1000))


@pytest.mark.parametrize("count", [1, 2])
def test_a_stream_that_broke_off_has_no_output_tokens(count):
    """What a chunk counts before the last one is no final count; the prompt's tokens are known from the first."""
    fold = folded(*google.chunks()[:count])
    attributes, failure, messages = read(fold)
    assert not fold.done
    assert failure is None
    assert attributes[semconv.USAGE_INPUT_TOKENS] == 57
    assert semconv.USAGE_OUTPUT_TOKENS not in attributes
    assert semconv.USAGE_REASONING_TOKENS not in attributes
    assert messages[0]["finish_reason"] == "error"


def test_usage_of_only_some_chunks():
    """Vertex AI's early chunks have no counts, and a last one without them does not take them away."""
    first = {"candidates": [google.candidate(finish=None)], "usageMetadata": {"trafficType": "ON_DEMAND"}}
    last = {"candidates": [google.candidate({"text": ""})], "usageMetadata": {"trafficType": "ON_DEMAND"}}
    attributes, _, _ = read(folded(first, google.generated(), last))
    assert (attributes[semconv.USAGE_INPUT_TOKENS], attributes[semconv.USAGE_OUTPUT_TOKENS]) == (57, 48)
    assert attributes[semconv.RESPONSE_SERVICE_TIER] == "on_demand"


def test_thoughts_and_texts_take_turns():
    """Pieces of one kind go on; a change of the kind begins a part."""
    _, _, (message,) = streamed(
        {"text": "I ", "thought": True},
        {"text": "think.", "thought": True},
        {"text": "Pa"},
        {"text": "ris"},
        {"inlineData": {"mimeType": "image/png", "data": google.PNG}},
        {"text": "!", "thoughtSignature": "c2ln"},
    )
    found = [(part["type"], part.get("content")) for part in message["parts"]]
    assert found == [("reasoning", "I think."), ("text", "Paris"), ("file", None), ("text", "!")]


def test_parallel_calls():
    """Each function call comes whole, several in one stream."""
    calls = [{"functionCall": {"name": "weather", "args": {"city": city}}} for city in ("Paris", "Rome")]
    _, _, (message,) = streamed(*calls)
    assert message["finish_reason"] == "tool_call"
    assert [part["arguments"] for part in message["parts"]] == [{"city": "Paris"}, {"city": "Rome"}]


def test_a_call_in_pieces():
    """Vertex AI can send the arguments in pieces, each with its place: they are one call."""
    _, _, (message,) = streamed(
        {"functionCall": {"id": "c1", "name": "weather", "willContinue": True}},
        {
            "functionCall": {
                "partialArgs": [{"jsonPath": "$.city", "stringValue": "Pa", "willContinue": True}],
                "willContinue": True,
            }
        },
        {"functionCall": {"partialArgs": [{"jsonPath": "$.city", "stringValue": "ris"}], "willContinue": True}},
        {"functionCall": {"partialArgs": [{"jsonPath": "$.days", "numberValue": 3}], "willContinue": True}},
        {"functionCall": {}},
        {"functionCall": {"id": "c2", "name": "time", "args": {}}},
    )
    found = [(part["id"], part["name"], part["arguments"]) for part in message["parts"]]
    assert found == [("c1", "weather", {"city": "Paris", "days": 3}), ("c2", "time", {})]


def test_candidates_of_one_stream():
    """Two candidates are told apart by their index, and the answer is complete when both have ended."""
    first = {"candidates": [google.candidate({"text": "A"}), google.candidate({"text": "B"}, finish=None, index=1)]}
    fold = folded(first)
    assert not fold.done
    fold.extend([google.generated(google.candidate({"text": "C"}, index=1))])
    assert fold.done
    _, _, messages = read(fold)
    assert [message["parts"][0]["content"] for message in messages] == ["A", "BC"]


def test_a_blocked_prompt():
    """A stream whose only chunk says that the prompt was blocked is complete."""
    fold = folded(google.blocked("SAFETY"))
    assert fold.done
    attributes, failure, _ = read(fold)
    assert failure is None
    assert attributes[semconv.RESPONSE_FINISH_REASONS] == ("safety",)
    assert attributes[semconv.USAGE_INPUT_TOKENS] == 8


def test_an_error_in_a_chunk():
    """An error inside a 200 is the failure of the call, with what came before it."""
    attributes, failure, messages = read(folded(google.chunks()[0], google.error("UNAVAILABLE", 503, "Overloaded.")))
    assert failure == ("UNAVAILABLE", "Overloaded.")
    assert messages[0]["parts"][0]["content"] == "Pa"
    assert attributes[semconv.RESPONSE_ID] == "resp_1"


@pytest.mark.parametrize(
    "odd", [None, 5, "x", [], [5], {"candidates": 5}, {"candidates": [None, 5]}, {"usageMetadata": []}]
)
def test_odd_chunks_cost_themselves(odd):
    """A chunk that is nothing of the kind changes nothing of what the others say."""
    usual = read(folded(*google.chunks()))
    chunks = google.chunks()
    attributes, failure, messages = read(folded(chunks[0], odd, *chunks[1:]))
    assert (attributes[semconv.USAGE_OUTPUT_TOKENS], failure) == (48, None)
    assert messages[0]["parts"] == usual[2][0]["parts"]
