"""One odd field of Bedrock's costs one field: any JSON in the place of any field of a request, an answer or an event.

Whatever does not depend on the odd field is recorded as without it, and nothing in us fails.
"""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentops_otel import guard, semconv
from agentops_otel.instrumentation import _bedrock_models
from agentops_otel.instrumentation._content import Content
from tests.fakes.odd_json import ANY, ODD, paths, replaced
from tests.sdks import answers_bedrock as answers
from tests.sdks.answers_bedrock import CLAUDE, DRAWN, INVOKED

TOTALS = (semconv.USAGE_INPUT_TOKENS, semconv.USAGE_OUTPUT_TOKENS)
CALL = {"toolUse": {"toolUseId": "call_0", "name": "weather", "input": {"city": "Paris"}}}
THOUGHT = {"reasoningContent": {"reasoningText": {"text": "France, so Paris", "signature": "c2ln"}}}
REQUEST = {
    "modelId": CLAUDE,
    "system": [{"text": "Be brief."}, {"cachePoint": {"type": "default", "ttl": "1h"}}],
    "messages": [
        {
            "role": "user",
            "content": [
                {"text": "Capital of France?"},
                {"image": {"format": "png", "source": {"bytes": "iVBORw0KGgo="}}},
                {"document": {"format": "pdf", "name": "report", "source": {"s3Location": {"uri": "s3://a/b"}}}},
                {"guardContent": {"text": {"text": "Paris", "qualifiers": ["query"]}}},
                {"searchResult": {"source": "a", "title": "b", "content": [{"text": "Paris"}]}},
            ],
        },
        {"role": "assistant", "content": [THOUGHT, CALL]},
        {
            "role": "user",
            "content": [{"toolResult": {"toolUseId": "call_0", "content": [{"text": "sun"}, {"json": {"sky": 1}}]}}],
        },
    ],
    "inferenceConfig": {"maxTokens": 100, "temperature": 0.5, "topP": 0.9, "stopSequences": ["END"]},
    "additionalModelRequestFields": {"top_k": 50, "reasoningConfig": {"maxReasoningEffort": "high"}},
    "outputConfig": {"textFormat": {"type": "json_schema"}, "effort": "low"},
    "toolConfig": {"tools": [{"toolSpec": {"name": "weather", "inputSchema": {"json": {"type": "object"}}}}]},
}
ANSWER = answers.converse(
    {"text": "Paris"}, CALL, THOUGHT, serviceTier={"type": "flex"}, trace={"promptRouter": {"invokedModelId": CLAUDE}}
)
KINDS = {name: _bedrock_models.endpoint_of(model, body) for name, (model, body, _, _) in INVOKED.items()}
BODIES = {"converse": (_bedrock_models.CONVERSE, REQUEST, ANSWER)}
BODIES |= {name: (KINDS[name], body, answer) for name, (_, body, answer, _) in INVOKED.items()}
BODIES |= {name: (_bedrock_models.IMAGES, body, answer) for name, (_, body, answer) in DRAWN.items()}
CHUNKS = {"converse": (_bedrock_models.CONVERSE, answers.converse_events())}
CHUNKS |= {name: (KINDS[name], chunks) for name, (_, _, _, chunks) in INVOKED.items() if chunks}


@pytest.fixture(autouse=True)
def internal_errors_raise(monkeypatch):
    monkeypatch.setattr(guard, "reraise", True)


def read(endpoint, body, answer):
    """What the readers say of a call: its attributes, and all its texts."""
    attributes, messages = {}, {}
    content = Content(10_000)
    endpoint.request(body, attributes)
    endpoint.prompt(body, content, messages)
    endpoint.response(answer, attributes)
    messages[semconv.OUTPUT_MESSAGES] = endpoint.output(answer, content)
    encoded = content.encoded(messages)
    for message in json.loads(encoded[semconv.OUTPUT_MESSAGES]):
        assert isinstance(message["role"], str)
        assert isinstance(message["finish_reason"], str)
    for value in attributes.values():
        assert isinstance(value, (str, int, float, tuple))
    return attributes, encoded


@pytest.mark.parametrize("name", BODIES)
@ANY
@given(data=st.data())
def test_an_odd_field_of_an_answer(name, data):
    """An answer with an odd field loses that field: tokens do not depend on texts, nor texts on tokens."""
    endpoint, body, answer = BODIES[name]
    path = data.draw(st.sampled_from([*paths(answer)]))
    seen, messages = read(endpoint, body, replaced(answer, path, data.draw(ODD)))
    usual, said = read(endpoint, body, answer)
    counts = {"usage", "inputTextTokenCount", "prompt_token_count", "generation_token_count", "results"}
    if counts.isdisjoint(path):
        assert [seen.get(total) for total in TOTALS] == [usual.get(total) for total in TOTALS]
    if path[0] in counts - {"results"}:
        assert messages == said


@pytest.mark.parametrize("name", BODIES)
@ANY
@given(data=st.data())
def test_an_odd_field_of_a_request(name, data):
    """A request with an odd field loses that field: what is said of the answer stays."""
    endpoint, body, answer = BODIES[name]
    path = data.draw(st.sampled_from([*paths(body)]))
    seen, messages = read(endpoint, replaced(body, path, data.draw(ODD)), answer)
    usual, said = read(endpoint, body, answer)
    assert messages[semconv.OUTPUT_MESSAGES] == said[semconv.OUTPUT_MESSAGES]
    for attribute in (*TOTALS, semconv.RESPONSE_FINISH_REASONS):
        assert seen.get(attribute) == usual.get(attribute)


@pytest.mark.parametrize("name", CHUNKS)
@ANY
@given(data=st.data())
def test_an_odd_field_of_an_event(name, data):
    """A stream with an odd field in one event keeps the tokens, unless they are what is odd."""
    endpoint, events = CHUNKS[name]

    def folded(found):
        fold = endpoint.fold()
        fold.extend(found if name == "converse" else [{"chunk": {"bytes": json.dumps(one).encode()}} for one in found])
        return read(endpoint, {}, fold.response())

    path = data.draw(st.sampled_from([*paths(events)]))
    seen, _ = folded(replaced(events, path, data.draw(ODD)))
    usual, _ = folded(events)
    if path[0] != len(events) - 1 and name in ("converse", "nova", "llama", "mistral", "command"):
        assert seen.get(semconv.USAGE_OUTPUT_TOKENS) == usual[semconv.USAGE_OUTPUT_TOKENS]


@ANY
@given(body=ODD, model=st.sampled_from(["", CLAUDE, "amazon.titan-embed-text-v2:0"]))
def test_any_json_is_the_body_of_some_model(body, model):
    """Whatever a program sends is read by the readers of some model."""
    body = body if isinstance(body, dict) else {"messages": body, "prompt": body, "texts": body}
    read(_bedrock_models.endpoint_of(model, body), body, body)
