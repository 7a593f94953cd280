"""Reading Hugging Face's own tasks, text generation and vectors: any JSON anywhere, and what a stream adds up to."""

from __future__ import annotations

import json
from functools import partial

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agentops_otel import semconv
from agentops_otel.instrumentation import huggingface_hub as sdk
from agentops_otel.instrumentation._content import Content
from agentops_otel.instrumentation.readers import text_generation, vectors
from tests.fakes.odd_json import ANY, ODD, costs_itself, paths, replaced

DETAILS = {
    "finish_reason": "eos_token",
    "generated_tokens": 5,
    "prefill": [{"id": 1, "text": "Capital"}, {"id": 2, "text": "?"}],
    "tokens": [],
    "best_of_sequences": [{"generated_tokens": 3, "finish_reason": "length"}],
}
ANSWERS = {
    "whole": {"generated_text": "Paris", "details": DETAILS},
    "list": [{"generated_text": "Paris", "details": DETAILS}],
    "stream": [
        {"index": 1, "token": {"id": 1, "text": "Pa", "special": False}, "generated_text": None, "details": None},
        {"index": 2, "token": {"id": 2, "text": "ris", "special": False}, "generated_text": None, "details": None},
        {
            "index": 3,
            "token": {"id": 3, "text": "</s>", "special": True},
            "generated_text": "Paris",
            "details": {"finish_reason": "eos_token", "generated_tokens": 3, "input_length": 2, "seed": None},
        },
    ],
}
REQUEST = {
    "inputs": "Capital of France?",
    "stream": True,
    "parameters": {
        "temperature": 0.5,
        "top_k": 4,
        "seed": 7,
        "max_new_tokens": 20,
        "stop": ["\n"],
        "details": True,
        "grammar": {"type": "json", "value": {}},
    },
}
SOURCES = {
    semconv.RESPONSE_FINISH_REASONS: {"finish_reason", "details"},
    semconv.USAGE_INPUT_TOKENS: {"prefill", "input_length", "details"},
    semconv.USAGE_OUTPUT_TOKENS: {"generated_tokens", "best_of_sequences", "details"},
    "text": {"generated_text"},
    "finish_reason": {"finish_reason", "details", "generated_text"},
}


def read(kind, answer):
    """The facts of an answer, by the readers alone."""
    if kind == "stream":
        fold = text_generation.TextGenerationFold()
        fold.extend(answer)
        answer = fold.response()
    facts = {}
    failure = text_generation.response(answer, facts)
    for message in json.loads(json.dumps(text_generation.output(answer, Content(65536)))):
        facts |= {"finish_reason": message["finish_reason"], "text": message["parts"]}
    return facts if failure is None else {**facts, "failure": failure}


def test_what_the_answers_say():
    """The end, the text and the tokens; those of sequences that were not taken have been made, too."""
    usual = {
        semconv.RESPONSE_FINISH_REASONS: ("eos_token",),
        semconv.USAGE_INPUT_TOKENS: 2,
        semconv.USAGE_OUTPUT_TOKENS: 8,
        "text": [{"type": "text", "content": "Paris"}],
        "finish_reason": "stop",
    }
    assert read("whole", ANSWERS["whole"]) == read("list", ANSWERS["list"]) == usual
    assert read("stream", ANSWERS["stream"]) == {**usual, semconv.USAGE_OUTPUT_TOKENS: 3}


def test_without_details_there_are_no_tokens():
    """A request that did not ask for details gets no counts, and none are made up."""
    assert read("whole", [{"generated_text": "Paris"}]) == {
        "text": [{"type": "text", "content": "Paris"}],
        "finish_reason": "stop",
    }
    assert read("stream", ANSWERS["stream"][:2]) == {
        "text": [{"type": "text", "content": "Paris"}],
        "finish_reason": "stop",
    }


def test_a_failure_in_a_stream():
    """The server's name of a failure inside a stream."""
    line = 'data: {"error": "Request failed during generation", "error_type": "generation"}'
    for form in (line, line.encode()):
        found = read("stream", [ANSWERS["stream"][0], sdk.opened(form)])
        assert found["failure"] == ("generation", "Request failed during generation")


@pytest.mark.parametrize("kind", ANSWERS)
def test_an_odd_field_costs_itself(kind):
    """Any JSON in the place of each field of each answer and chunk: what the field does not say survives."""
    answer = ANSWERS[kind]
    sources = {fact: SOURCES[fact] for fact in read(kind, answer)}

    @ANY
    @given(st.sampled_from([*paths(answer)]), ODD)
    def check(path, odd):
        costs_itself(partial(read, kind), answer, path, odd, sources)

    check()


def test_an_odd_field_of_a_request_costs_itself():
    """Any JSON in the place of a field of a request: its other settings and the prompt are recorded."""

    def facts(asked):
        found = {}
        text_generation.request(asked, found)
        text_generation.prompt(asked, Content(65536), found)
        return json.loads(json.dumps(found))

    usual = facts(REQUEST)
    assert len(usual) == 7

    @ANY
    @given(st.sampled_from([*paths(REQUEST)]), ODD)
    def check(path, odd):
        found = facts(replaced(REQUEST, path, odd))
        lost = {name for name, value in usual.items() if found.get(name) != value}
        assert len(lost) <= (6 if path == ("parameters",) else 1)

    check()


@pytest.mark.parametrize(
    ("body", "dimensions"),
    [
        (b"[0.25, -0.5, 1.0]", 3),
        (b"[[0.25, -0.5, 1.0], [1, 2, 3]]", 3),
        (b"[[[0.25, -0.5], [1, 2], [3, 4]]]", 2),
        (b"[]", 0),
    ],
)
def test_the_length_of_a_vector(body, dimensions):
    """Of one text, of several, and of each token of a text."""
    attributes = {}
    assert sdk.VECTORS.response(vectors.document(body), attributes) is None
    assert attributes[semconv.EMBEDDINGS_DIMENSION_COUNT] == dimensions


def test_a_failure_in_the_place_of_vectors():
    """A failure that came with status 200 is one."""
    assert sdk.VECTORS.response(vectors.document(b'{"error": "no such model"}'), {}) == ("error", "no such model")
    with pytest.raises(msgspec.DecodeError):
        vectors.document(b"<html>")


@ANY
@given(ODD)
def test_any_document_of_vectors(odd):
    """Whatever comes, no exception leaves the readers."""
    sdk.VECTORS.response(vectors.document(json.dumps(odd).encode()), {})


@ANY
@given(st.binary(max_size=20) | st.text(max_size=20) | ODD.map(lambda odd: f"data: {json.dumps(odd)}"))
@example(b"data:")
@example("data: " + "[" * 100_000)
def test_any_line_of_a_stream(line):
    """Whatever a line is, no exception leaves the one who opens it."""
    sdk.opened(line)
