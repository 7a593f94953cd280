"""Reading Ollama's requests and answers: any JSON in the place of any field, and what a stream adds up to."""

from __future__ import annotations

import json
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentops_otel import semconv
from agentops_otel.instrumentation import ollama as sdk
from agentops_otel.instrumentation._content import Content
from tests.fakes.odd_json import ANY, ODD, costs_itself, paths, replaced

COUNTS = {
    "total_duration": 9_000_000,
    "load_duration": 1_000_000,
    "prompt_eval_count": 26,
    "prompt_eval_duration": 4_000_000,
    "eval_count": 11,
    "eval_duration": 4_000_000,
}
HEAD = {"model": "qwen3", "created_at": "2026-11-01T10:00:00Z"}
END = {**HEAD, "done": True, "done_reason": "stop", **COUNTS}
CALLS = [
    {"id": "call_0", "function": {"index": 0, "name": "weather", "arguments": {"city": "Paris"}}},
    {"id": "call_1", "function": {"index": 1, "name": "time", "arguments": {"zone": "CET"}}},
]
MESSAGE = {"role": "assistant", "content": "Paris", "thinking": "France, so Paris", "tool_calls": CALLS}
ANSWERS = {
    "chat": {**END, "message": MESSAGE},
    "generate": {**END, "response": "Paris", "thinking": "France, so Paris", "context": [1, 2]},
    "embed": {**HEAD, "embeddings": [[0.25, -0.5, 1.0]], "prompt_eval_count": 3},
    "scores": {
        "model": "tiny",
        "answers": {"safe": {"type": "noul", "noul": 0.9}},
        "usage": {"input_tokens": 47, "output_tokens": 3},
    },
    "chat-stream": [
        {**HEAD, "message": {"role": "assistant", "content": "", "thinking": "France, "}, "done": False},
        {**HEAD, "message": {"role": "assistant", "content": "", "thinking": "so Paris"}, "done": False},
        {**HEAD, "message": {"role": "assistant", "content": "Pa"}, "done": False},
        {**HEAD, "message": {"role": "assistant", "content": "ris"}, "done": False},
        {**HEAD, "message": {"role": "assistant", "content": "", "tool_calls": CALLS}, "done": False},
        {**END, "message": {"role": "assistant", "content": ""}},
    ],
    "generate-stream": [
        {**HEAD, "response": "", "thinking": "France, so Paris", "done": False},
        {**HEAD, "response": "Pa", "done": False},
        {**HEAD, "response": "ris", "done": False},
        {**END, "response": "", "context": [1, 2]},
    ],
}
ENDPOINTS = {"chat": sdk.CHAT, "generate": sdk.GENERATE, "embed": sdk.EMBED, "scores": sdk.SCORES}
REQUESTS = {
    "chat": {
        "model": "qwen3",
        "stream": False,
        "think": "high",
        "format": {"type": "object"},
        "options": {"temperature": 0.5, "top_k": 40, "seed": 7, "num_predict": 64, "stop": ["END"], "num_ctx": 2048},
        "tools": [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}],
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Look", "images": ["iVBORw0KGgo="]},
            {"role": "assistant", "content": "", "thinking": "hm", "tool_calls": CALLS},
            {"role": "tool", "tool_name": "weather", "content": "sunny"},
        ],
    },
    "generate": {
        "model": "qwen3",
        "system": "Be brief.",
        "prompt": "def add(",
        "suffix": "return total",
        "images": ["/9j/4AAQ"],
        "format": "json",
        "options": {"num_predict": -1},
    },
    "embed": {"model": "qwen3", "input": ["Paris", "Rome"], "dimensions": 3},
    "scores": {"model": "tiny", "state": {"text": "hi"}, "questions": {"safe": {"type": "noul"}}},
}
# What a fact is read from: fields of any object of an answer.
SOURCES = {
    semconv.RESPONSE_MODEL: {"model"},
    semconv.RESPONSE_FINISH_REASONS: {"done_reason"},
    semconv.USAGE_INPUT_TOKENS: {"prompt_eval_count", "usage", "input_tokens", "output_tokens"},
    semconv.USAGE_OUTPUT_TOKENS: {"eval_count", "usage", "input_tokens", "output_tokens"},
    semconv.EMBEDDINGS_DIMENSION_COUNT: {"embeddings"},
    "text": {"content", "response", "message", "answers"},
    "reasoning": {"thinking", "message"},
    "tool_call": {"tool_calls", "message"},
    "finish_reason": {"done_reason", "answers"},
}


def read(kind, answer):
    """The facts of an answer, by the readers alone."""
    api, _, stream = kind.partition("-")
    endpoint = ENDPOINTS[api]
    if stream:
        fold = endpoint.fold()
        fold.extend(answer)
        answer = fold.response()
    facts = {}
    endpoint.response(answer, facts)
    for message in json.loads(json.dumps(endpoint.output(answer, Content(65536)))):
        facts["finish_reason"] = message["finish_reason"]
        for part in message["parts"]:
            facts.setdefault(part["type"], []).append(part)
    return facts


def test_what_the_answers_say():
    """Model, end, tokens, thinking, text and both tool calls of an answer, streamed or not."""
    for kind in ("chat", "chat-stream"):
        assert read(kind, ANSWERS[kind]) == {
            semconv.RESPONSE_MODEL: "qwen3",
            semconv.RESPONSE_FINISH_REASONS: ("stop",),
            semconv.USAGE_INPUT_TOKENS: 26,
            semconv.USAGE_OUTPUT_TOKENS: 11,
            "finish_reason": "stop",
            "reasoning": [{"type": "reasoning", "content": "France, so Paris"}],
            "text": [{"type": "text", "content": "Paris"}],
            "tool_call": [
                {"type": "tool_call", "id": "call_0", "name": "weather", "arguments": {"city": "Paris"}},
                {"type": "tool_call", "id": "call_1", "name": "time", "arguments": {"zone": "CET"}},
            ],
        }
    assert read("generate", ANSWERS["generate"]) == read("generate-stream", ANSWERS["generate-stream"])


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


@pytest.mark.parametrize("kind", REQUESTS)
def test_an_odd_field_of_a_request_costs_itself(kind):
    """Any JSON in the place of a field of a request: its other settings and messages are recorded."""
    endpoint, body = ENDPOINTS[kind], REQUESTS[kind]

    def facts(asked):
        found = {}
        endpoint.request(asked, found)
        endpoint.prompt(asked, Content(65536), found)
        return json.loads(json.dumps(found, default=str))

    usual = facts(body)

    @ANY
    @given(st.sampled_from([*paths(body)]), ODD)
    def check(path, odd):
        found = facts(replaced(body, path, odd))
        lost = {name for name, value in usual.items() if found.get(name) != value}
        assert len(lost) <= (1 if len(path) > 1 or path != ("options",) else len(usual))
        if path[:1] == ("messages",) and len(path) > 1:
            kept = found[semconv.INPUT_MESSAGES]
            assert [m for n, m in enumerate(kept) if n != path[1]] == [
                m for n, m in enumerate(usual[semconv.INPUT_MESSAGES]) if n != path[1]
            ]

    check()


def test_a_picture_is_a_reference():
    """Pictures of a request and of an answer are recorded by size and digest, with the type that their data say."""
    content, found = Content(65536), {}
    sdk.CHAT.prompt(REQUESTS["chat"], content, found)
    part = found[semconv.INPUT_MESSAGES][1]["parts"][1]
    assert (part["type"], part["modality"], part["mime_type"], part["bytes"]) == ("file", "image", "image/png", 8)
    (message,) = sdk.GENERATE.output({**HEAD, "done": True, "image": "UklGRgAA"}, Content(65536))
    assert [(part["modality"], part["mime_type"]) for part in message["parts"]] == [("image", "image/webp")]


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        ({"error": "model 'x' not found"}, ("error", "model 'x' not found")),
        ({}, ("invalid_response", "the answer has no id and no other field that was expected")),
        ("<html>", ("invalid_response", "<html>")),
        ({**HEAD, "response": "", "done": True, "done_reason": "load"}, None),
        ({**HEAD, "response": "", "done": True, "done_reason": "unload"}, None),
    ],
)
def test_a_failure_that_is_no_exception(answer, failure):
    """An answer that is none fails; one that only loads a model, and has no text and no tokens, does not."""
    attributes = {}
    assert sdk.GENERATE.response(answer, attributes) == failure
    assert semconv.USAGE_OUTPUT_TOKENS not in attributes


def test_a_stream_that_broke_off_has_no_counts():
    """Without the last object no token is known."""
    found = read("chat-stream", ANSWERS["chat-stream"][:4])
    assert not {semconv.USAGE_INPUT_TOKENS, semconv.USAGE_OUTPUT_TOKENS} & set(found)
    assert found["text"] == [{"type": "text", "content": "Paris"}]
