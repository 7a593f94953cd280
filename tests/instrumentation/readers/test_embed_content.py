"""Embeddings of Google's APIs: what is read of requests and answers."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from agentops_otel import pricing, semconv
from agentops_otel.instrumentation import google_genai
from agentops_otel.instrumentation._content import Content
from agentops_otel.instrumentation.readers import embed_content
from tests.sdks import answers_google as google

TEXTS = {"type": "text", "content": "Paris"}, {"type": "text", "content": "Rome"}


def content(*texts):
    return {"role": "user", "parts": [{"text": text} for text in texts]}


def answered(answer):
    attributes = {}
    failure = embed_content.response(answer, attributes)
    assert embed_content.output(answer, Content(100)) == []
    return attributes, failure


@pytest.mark.parametrize(
    "body",
    [
        {"requests": [{"content": content("Paris"), "model": "m"}, {"content": content("Rome"), "model": "m"}]},
        {"requests": [{"content": content("Paris", "Rome")}]},
        {"content": content("Paris", "Rome"), "embedContentConfig": {"outputDimensionality": 64}},
        {"instances": [{"content": "Paris"}, {"content": "Rome"}], "parameters": {}},
    ],
)
def test_the_texts_of_each_kind_of_request(body):
    """The texts are the parts of one message."""
    attributes = {}
    embed_content.request(body, attributes)
    embed_content.prompt(body, Content(100), attributes)
    assert attributes == {semconv.INPUT_MESSAGES: [{"role": "user", "parts": [*TEXTS]}]}


def test_media_are_references():
    """Pictures stand behind the texts, as references."""
    picture = {"inlineData": {"data": google.PNG, "mimeType": "image/png"}}
    attributes = {}
    embed_content.prompt({"content": {"parts": [picture, {"text": "Paris"}]}}, Content(100), attributes)
    (message,) = attributes[semconv.INPUT_MESSAGES]
    assert [part["type"] for part in message["parts"]] == ["text", "file"]
    embed_content.prompt({"content": {"parts": [picture]}}, Content(100), attributes)
    (message,) = attributes[semconv.INPUT_MESSAGES]
    assert [part["type"] for part in message["parts"]] == ["file"]


def test_a_library_is_not_recorded():
    """Texts are recorded up to the length of one."""
    attributes = {}
    embed_content.prompt({"instances": [{"content": "x" * 60}] * 5}, Content(100), attributes)
    (message,) = attributes[semconv.INPUT_MESSAGES]
    assert [part["content"] for part in message["parts"]] == ["x" * 60, "[4 more texts]"]


@pytest.mark.parametrize(
    ("answer", "tokens", "length"),
    [
        (google.embedded(), 8, 4),
        (google.embedded(usageMetadata={"promptTokenCount": 8, "totalTokenCount": 8}), 8, 4),
        ({"embeddings": [{"values": [1.0]}]}, None, 1),
        ({"embedding": {"values": [1.0, 2.0]}, "usageMetadata": {"promptTokenCount": 3}}, 3, 2),
        (google.predicted(3, 5), 8, 2),
        ({"predictions": [*google.predicted(3)["predictions"], {"embeddings": {"values": [1.0]}}]}, None, 2),
        ({"embeddings": [{"values": [1.0], "statistics": {"tokenCount": 4.0}}]}, 4, 1),
    ],
)
def test_tokens_and_length(answer, tokens, length):
    """Tokens from the usage or from each vector's statistics; there are none of an output."""
    attributes, failure = answered(answer)
    assert failure is None
    assert attributes.get(semconv.USAGE_INPUT_TOKENS) == tokens
    assert semconv.USAGE_OUTPUT_TOKENS not in attributes
    assert attributes[semconv.EMBEDDINGS_DIMENSION_COUNT] == length


@pytest.mark.parametrize(
    "answer",
    [
        google.embedded(),
        google.predicted(3, 5),
        {"embedding": {"values": [1.0, 2.0]}, "usageMetadata": {"promptTokenCount": 3}},
        {"candidates": [{"content": {"parts": [{"functionCall": {"name": "f", "args": {"values": [1]}}}]}}]},
        {"embeddings": [{"values": []}]},
        {"embeddings": 5},
        {"predictions": [{"bytesBase64Encoded": "AAAA"}]},
        google.error("INTERNAL", 500, "x"),
        ["values"],
    ],
)
def test_vectors_are_not_decoded(answer):
    """An answer from its JSON says the same as one that was decoded whole, of whatever kind it is."""
    document = embed_content.document(json.dumps(answer))
    assert answered(document) == answered(answer)


def test_the_cost():
    """Input tokens alone have a price."""
    attributes, _ = answered(google.embedded(usageMetadata={"promptTokenCount": 2000}))
    attributes |= {
        semconv.OPERATION_NAME: semconv.OPERATION_EMBEDDINGS,
        semconv.PROVIDER_NAME: "gcp.gemini",
        semconv.REQUEST_MODEL: "gemini-embedding-001",
    }
    assert Decimal(str(pricing.span_cost(attributes).amount)) == Decimal("0.0003")


def test_a_failure_inside_of_a_200():
    """A failure that comes as an ordinary answer has the provider's status."""
    assert answered(google.error("INTERNAL", 500, "x"))[1] == ("INTERNAL", "x")


@pytest.mark.parametrize(
    "body", ["", "<html>", '{"candidates": [', '{"values": [', "[" * 100_000, '{"values": ' * 100_000]
)
def test_a_body_that_is_no_json_stays_text(body):
    """Oldest msgspec's error is no `ValueError`, and a body that is nested too deep raises another one."""
    assert google_genai.opened(body) == body
