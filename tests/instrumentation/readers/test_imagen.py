"""Imagen's pictures: what is read of requests and answers."""

from __future__ import annotations

from agentops_otel import semconv
from agentops_otel.instrumentation._content import Content
from agentops_otel.instrumentation.readers import imagen
from tests.sdks import answers_google as google


def test_a_request():
    """The prompt, the pictures that it begins with, and how many are asked for."""
    attributes = {}
    body = {
        "instances": [
            {
                "prompt": "A cat.",
                "image": {"bytesBase64Encoded": google.PNG, "mimeType": "image/png"},
                "referenceImages": [{"referenceImage": {"gcsUri": "gs://bucket/cat.png"}, "referenceId": 1}],
            }
        ],
        "parameters": {"sampleCount": 2, "seed": 7},
    }
    imagen.request(body, attributes)
    assert attributes == {
        semconv.OUTPUT_TYPE: "image",
        semconv.REQUEST_CHOICE_COUNT: 2,
        semconv.REQUEST_SEED: 7,
    }
    imagen.prompt(body, Content(1000), attributes)
    (message,) = attributes[semconv.INPUT_MESSAGES]
    assert [part["type"] for part in message["parts"]] == ["text", "file", "uri"]


def test_an_answer():
    """One message of each picture, one that was filtered too; there are no tokens."""
    answer = {
        "predictions": [
            {"bytesBase64Encoded": google.PNG, "mimeType": "image/png"},
            {"gcsUri": "gs://bucket/1.png"},
            {"raiFilteredReason": "It is not allowed."},
            {"contentType": "Positive Prompt", "safetyAttributes": {}},
        ]
    }
    attributes = {}
    assert imagen.response(answer, attributes) is None
    assert attributes == {semconv.RESPONSE_FINISH_REASONS: ("stop", "stop", "content_filter")}
    messages = imagen.output(answer, Content(1000))
    assert [message["parts"][0]["type"] for message in messages] == ["file", "uri", "refusal"]
    assert [message["finish_reason"] for message in messages] == ["stop", "stop", "content_filter"]


def test_a_failure_inside_of_a_200():
    """A failure that comes as an ordinary answer has the provider's status."""
    assert imagen.response(google.error("INTERNAL", 500, "x"), {}) == ("INTERNAL", "x")
