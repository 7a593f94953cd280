"""How Cohere's requests and answers are read: tokens and costs, streams, and odd values in any place."""

from __future__ import annotations

import json
from functools import partial

import pytest
from genai_prices import extract_usage
from hypothesis import given
from hypothesis import strategies as st

from agentops_otel import pricing, semconv
from agentops_otel.instrumentation._content import Content
from agentops_otel.instrumentation.readers import cohere_chat, cohere_embed, cohere_v1, rerank
from agentops_otel.instrumentation.readers.cohere_fold import CohereFold
from agentops_otel.instrumentation.readers.cohere_v1_fold import CohereChatFold, CohereGenerateFold
from tests.fakes.odd_json import FEW, ODD, TYPES, costs_itself, message_facts, paths, replaced
from tests.sdks import answers_cohere as answers

MILLION = 1_000_000

# ---- tokens ----


def tokens(read, answer):
    """The tokens of an answer by class, and its cost for a model of the price table."""
    attributes = {}
    assert read(answer, attributes) is None
    model = "embed-v4.0" if read is cohere_embed.response else "command-a-03-2025"
    operation = "embeddings" if read is cohere_embed.response else "chat"
    span = {semconv.PROVIDER_NAME: "cohere", semconv.REQUEST_MODEL: model, semconv.OPERATION_NAME: operation}
    cost = pricing.span_cost(span | attributes)
    used = {name: value for name, value in attributes.items() if ".usage." in name}
    return used, None if cost is None else cost.amount


IN, OUT, CACHED = semconv.USAGE_INPUT_TOKENS, semconv.USAGE_OUTPUT_TOKENS, semconv.USAGE_CACHE_READ_TOKENS
PAID_IN, PAID_OUT = semconv.BILLED_INPUT_TOKENS, semconv.BILLED_OUTPUT_TOKENS


@pytest.mark.parametrize(
    ("read", "answer", "used", "dollars"),
    [
        pytest.param(
            cohere_chat.response,
            answers.chat(),
            {IN: 215, OUT: 12, CACHED: 176, PAID_IN: 17},
            (17 * 2.5 + 12 * 10) / MILLION,
            id="counted and billed",
        ),
        pytest.param(
            cohere_chat.response,
            answers.tools(),
            {IN: 925, OUT: 90, PAID_IN: 37, PAID_OUT: 51},
            (37 * 2.5 + 51 * 10) / MILLION,
            id="tools, whose template is not billed",
        ),
        pytest.param(
            cohere_chat.response,
            answers.chat(usage={"tokens": {"input_tokens": 20, "output_tokens": 3}, "cached_tokens": 16}),
            {IN: 20, OUT: 3, CACHED: 16},
            (20 * 2.5 + 3 * 10) / MILLION,
            id="counted only",
        ),
        pytest.param(
            cohere_v1.chat_response,
            answers.v1_chat(meta={"billed_units": {"input_tokens": 20, "output_tokens": 3}, "cached_tokens": 0}),
            {IN: 20, OUT: 3},
            (20 * 2.5 + 3 * 10) / MILLION,
            id="billed only",
        ),
        pytest.param(
            cohere_v1.chat_response,
            answers.v1_chat(meta={"tokens": {"input_tokens": -1, "output_tokens": -1}}),
            {},
            None,
            id="not known, as the AWS client says it",
        ),
        pytest.param(
            cohere_v1.generate_response,
            answers.generate(),
            {IN: 215, OUT: 12, CACHED: 176, PAID_IN: 17},
            (17 * 2.5 + 12 * 10) / MILLION,
            id="generate",
        ),
        pytest.param(cohere_embed.response, answers.embed(), {IN: 4}, 4 * 0.12 / MILLION, id="embed"),
        pytest.param(
            cohere_embed.response,
            answers.embed(images=1, image_tokens=258),
            {IN: 258, semconv.USAGE_INPUT_IMAGE_TOKENS: 258},
            None,  # the table has the price of texts alone
            id="embed a picture",
        ),
        pytest.param(
            rerank.response,
            answers.rerank(),
            {semconv.USAGE_SEARCH_UNITS: 1},
            None,
            id="rerank, which is paid by searches",
        ),
    ],
)
def test_tokens_and_cost(read, answer, used, dollars):
    """The usage is what the model has counted, the price what is billed."""
    found, cost = tokens(read, answer)
    assert found == used
    assert cost == (None if dollars is None else pytest.approx(dollars, rel=1e-15))


@pytest.mark.parametrize("answer", [answers.chat(), answers.tools()], ids=["chat", "tools"])
def test_tokens_are_those_of_the_price_table(answer):
    """The table has two readings of the same answer: one is our usage, the other what we price."""
    found, _ = tokens(cohere_chat.response, answer)
    named = {**answer, "model": "command-a-03-2025"}
    counted = extract_usage(named, provider_id="cohere", api_flavor="tokens").usage
    assert (counted.input_tokens, counted.output_tokens) == (found[IN], found[OUT])
    assert (counted.cache_read_tokens or 0) == found.get(CACHED, 0)
    billed = extract_usage(named, provider_id="cohere", api_flavor="default").usage
    assert billed.input_tokens == found.get(PAID_IN, found[IN])
    assert billed.output_tokens == found.get(PAID_OUT, found[OUT])


# ---- requests ----


def request(read, body):
    attributes = {}
    read(body, attributes)
    return attributes


def test_settings():
    """The settings of a chat, under the names of the conventions."""
    body = {"model": "command-a", "k": 5, "p": 0.5, "max_tokens": 9, "temperature": 0.25, "seed": 1}
    body |= {"stop_sequences": ["END"], "response_format": {"type": "json_object"}}
    assert request(cohere_chat.request, body) == {
        semconv.REQUEST_TOP_K: 5,
        semconv.REQUEST_TOP_P: 0.5,
        semconv.REQUEST_MAX_TOKENS: 9,
        semconv.REQUEST_TEMPERATURE: 0.25,
        semconv.REQUEST_SEED: 1,
        semconv.REQUEST_STOP_SEQUENCES: ("END",),
        semconv.OUTPUT_TYPE: "json",
    }
    generate = request(cohere_chat.request, {"num_generations": 2, "end_sequences": ["."]})
    assert generate == {semconv.REQUEST_CHOICE_COUNT: 2, semconv.REQUEST_STOP_SEQUENCES: (".",)}
    assert request(cohere_v1.chat_request, {"conversation_id": "c1"}) == {semconv.CONVERSATION_ID: "c1"}


CHAT = {
    "messages": [
        {"role": "system", "content": "Be brief."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
            ],
        },
        {"role": "assistant", "tool_plan": "I look it up.", "tool_calls": answers.CALLS[:1]},
        {
            "role": "tool",
            "tool_call_id": "weather_1",
            "content": [{"type": "document", "document": {"data": '{"sun": true}'}}],
        },
    ],
    "documents": ["Paris is big.", {"id": "d1", "data": {"text": "Lyon is small."}}],
    "tools": [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}],
}
V1_CHAT = {
    "preamble": "Be brief.",
    "chat_history": [
        {"role": "USER", "message": "Hello"},
        {"role": "CHATBOT", "message": "Hi", "tool_calls": [{"name": "weather", "parameters": {"city": "Paris"}}]},
    ],
    "message": "Capital?",
    "tool_results": [{"call": {"name": "weather", "parameters": {"city": "Paris"}}, "outputs": [{"sun": True}]}],
    "tools": [{"name": "weather", "parameter_definitions": {"city": {"type": "str"}}}],
}


def prompt(read, body):
    attributes = {}
    read(body, Content(65536), attributes)
    return json.loads(json.dumps(attributes))


def test_prompt_of_a_chat():
    """All roles, pictures as references, the plan as reasoning, results and documents with their text."""
    found = prompt(cohere_chat.prompt, CHAT)
    assert found[semconv.TOOL_DEFINITIONS] == [
        {"type": "function", "name": "weather", "parameters": {"type": "object"}}
    ]
    documents, system, user, assistant, tool = found[semconv.INPUT_MESSAGES]
    assert documents["role"] == "document"
    assert documents["parts"][0] == {"type": "text", "content": "Paris is big."}
    assert json.loads(documents["parts"][1]["content"])["data"] == {"text": "Lyon is small."}
    assert system == {"role": "system", "parts": [{"type": "text", "content": "Be brief."}]}
    assert [part["type"] for part in user["parts"]] == ["text", "file"]
    assert user["parts"][1]["mime_type"] == "image/png"
    assert [part["type"] for part in assistant["parts"]] == ["reasoning", "tool_call"]
    assert tool["parts"][0]["id"] == "weather_1"
    assert json.loads(tool["parts"][0]["response"][0]["content"]) == {"sun": True}


def test_prompt_of_a_chat_of_version_1():
    """What was said before comes first; results of tools come last."""
    found = prompt(cohere_v1.chat_prompt, V1_CHAT)
    assert found[semconv.SYSTEM_INSTRUCTIONS] == [{"type": "text", "content": "Be brief."}]
    user, assistant, message, tool = found[semconv.INPUT_MESSAGES]
    assert (user["role"], assistant["role"], message["role"], tool["role"]) == ("user", "assistant", "user", "tool")
    assert assistant["parts"][1]["arguments"] == {"city": "Paris"}
    assert json.loads(tool["parts"][0]["response"][0]["content"]) == [{"sun": True}]
    assert found[semconv.TOOL_DEFINITIONS] == V1_CHAT["tools"]


EMBED = {
    "texts": ["Paris", "Lyon"],
    "images": ["data:image/png;base64,iVBORw0KGgo="],
    "inputs": [
        {"content": [{"type": "text", "text": "Nice"}, {"type": "image_url", "image_url": {"url": "https://a/b"}}]}
    ],
    "embedding_types": ["float", "int8"],
}
RERANK = {"query": "Capital?", "documents": ["Lyon", {"text": "Nice"}, "Paris"], "top_n": 2}


def test_prompt_of_embeddings_and_rerank():
    """Texts and pictures of what is embedded; the query and the documents of what is ranked."""
    texts, pictures = prompt(cohere_embed.prompt, EMBED)[semconv.INPUT_MESSAGES]
    assert [part["content"] for part in texts["parts"]] == ["Paris", "Lyon"]
    assert [part["type"] for part in pictures["parts"]] == ["file", "text", "uri"]
    assert request(cohere_embed.request, EMBED) == {semconv.REQUEST_ENCODING_FORMATS: ("float", "int8")}
    query, documents = prompt(rerank.prompt, RERANK)[semconv.INPUT_MESSAGES]
    assert query == {"role": "user", "parts": [{"type": "text", "content": "Capital?"}]}
    assert [part["content"] for part in documents["parts"]] == ["Lyon", "Nice", "Paris"]
    assert request(rerank.request, RERANK) == {semconv.RETRIEVAL_TOP_K: 2}


# ---- answers ----


def test_scores_of_a_rerank():
    """Which documents, by their place in the request, and how well they fit."""
    found = request(rerank.response, answers.rerank())
    assert json.loads(found[semconv.RETRIEVAL_DOCUMENTS]) == [{"id": "2", "score": 0.98}, {"id": "0", "score": 0.25}]


@pytest.mark.parametrize(
    ("vectors", "length"),
    [
        ({"float": [[0.5, 1.0, 0.0], [0.0, 1.0, 0.5]]}, 3),
        ({"int8": [[1, -2]], "float": [[0.5, 1.0]]}, 2),
        ({"ubinary": [[1, 255]]}, 16),
        ({"base64": ["AAAAAAAAAAAAAAAA"]}, 3),
        ([[0.5, 1.0, 0.0]], 3),
        ({"float": []}, None),
        ([], None),
        ("x", None),
        (None, None),
    ],
)
def test_length_of_vectors(vectors, length):
    """How many numbers a vector has, whatever they are, without making them."""
    whole = answers.embed(vectors) | {"embeddings": vectors}
    for answer in (whole, cohere_embed.document(json.dumps(whole).encode())):
        found = request(cohere_embed.response, answer)
        assert found.get(semconv.EMBEDDINGS_DIMENSION_COUNT) == length
        assert found[semconv.RESPONSE_ID] == "da6e531f"


def test_a_failure_with_status_200():
    """A generation that failed is a failure, in words or without; a text that is no answer is one, too."""
    read = cohere_chat.response
    assert read(answers.chat(finish_reason="ERROR", error="broken"), {}) == ("ERROR", "broken")
    assert read(answers.chat(finish_reason="TIMEOUT"), {}) == ("TIMEOUT", "")
    assert read({"message": "invalid api token"}, {}) == ("invalid_response", "invalid api token")
    assert read(answers.chat(finish_reason="ERROR_TOXIC"), {}) is None


# ---- streams ----


def readers(kind):
    return {
        "chat": (cohere_chat.response, cohere_chat.output),
        "tools": (cohere_chat.response, cohere_chat.output),
        "thinking": (cohere_chat.response, cohere_chat.output),
        "v1": (cohere_v1.chat_response, cohere_v1.chat_output),
        "generate": (cohere_v1.generate_response, cohere_v1.generate_output),
        "embed": (cohere_embed.response, cohere_embed.output),
        "rerank": (rerank.response, rerank.output),
    }[kind.partition("-")[0]]


def read(kind, answer):
    """The facts of an answer, by the readers alone."""
    response, output = readers(kind)
    if isinstance(answer, list):
        fold = {"v1": CohereChatFold, "generate": CohereGenerateFold}.get(kind.partition("-")[0], CohereFold)()
        fold.extend(answer)
        answer = fold.response()
    attributes = {}
    response(answer, attributes)
    messages = json.loads(json.dumps(output(answer, Content(65536))))
    return attributes | message_facts(semconv.OUTPUT_MESSAGES, messages)


@pytest.mark.parametrize(
    ("kind", "events", "answer"),
    [
        ("chat", answers.chat_events(), answers.thinking()),
        ("tools", answers.tool_events(), answers.tools()),
        ("v1", answers.v1_chat_events(), answers.v1_chat()),
        ("v1-tools", answers.v1_tool_events(), answers.v1_tools()),
        ("generate", answers.generate_events(), answers.generate_events()[-1]["response"]),
    ],
)
def test_a_stream_says_what_an_answer_says(kind, events, answer):
    """The same tokens, end and messages, and it is complete."""
    assert read(kind, events) == read(kind, answer)
    fold = {"v1": CohereChatFold, "generate": CohereGenerateFold}.get(kind.partition("-")[0], CohereFold)()
    fold.extend(events[:-1])
    assert not fold.done
    fold.extend(events[-1:])
    assert fold.done


def test_a_stream_that_broke_off():
    """What came is there; it has no end and no tokens."""
    found = read("chat", answers.chat_events()[:-4])
    texts = {fact[3] for fact in found if fact[2:3] == ("text",)}
    assert texts == {"Paris"}
    assert found[semconv.OUTPUT_MESSAGES, 0, "finish"] == "error"
    assert not [name for name in found if isinstance(name, str) and ".usage." in name]
    assert found[semconv.RESPONSE_ID] == "c14c80c3"
    early = read("v1", answers.v1_chat_events()[:-1])
    assert {fact[3] for fact in early if fact[2:3] == ("text",)} == {"Paris"}


def test_events_of_bedrock():
    """Events without names make the same text."""
    found = read("generate", answers.bedrock_generate_events())
    assert {fact[3] for fact in found if fact[2:3] == ("text",)} == {"Paris"}
    assert found[semconv.RESPONSE_FINISH_REASONS] == ("COMPLETE",)


def test_a_stream_that_fails():
    """The last event says why."""
    fold = CohereFold()
    fold.extend(answers.chat_events(finish_reason="ERROR", error="overloaded"))
    assert cohere_chat.response(fold.response(), {}) == ("ERROR", "overloaded")
    generate = CohereGenerateFold()
    generate.extend([{"event_type": "stream-error", "is_finished": True, "finish_reason": "ERROR", "err": "broken"}])
    assert cohere_v1.generate_response(generate.response(), {}) == ("ERROR", "broken")


# ---- odd values ----

ANSWERS = {
    "chat": answers.chat(),
    "thinking": answers.thinking(),
    "tools": answers.tools(),
    "v1": answers.v1_tools(),
    "generate": answers.generate(),
    "embed": answers.embed(),
    "rerank": answers.rerank(),
    "chat-stream": answers.chat_events(),
    "tools-stream": answers.tool_events(),
    "v1-stream": answers.v1_tool_events(),
    "generate-stream": answers.generate_events(),
    "generate-bedrock": answers.bedrock_generate_events(),
}
REQUESTS = {
    "chat": (cohere_chat.request, cohere_chat.prompt, CHAT),
    "v1": (cohere_v1.chat_request, cohere_v1.chat_prompt, V1_CHAT),
    "generate": (cohere_chat.request, cohere_v1.generate_prompt, {"prompt": "Capital?", "k": 5}),
    "embed": (cohere_embed.request, cohere_embed.prompt, EMBED),
    "rerank": (rerank.request, rerank.prompt, RERANK),
}
HEAD = (semconv.RESPONSE_ID, semconv.RESPONSE_FINISH_REASONS, semconv.USAGE_INPUT_TOKENS, semconv.USAGE_OUTPUT_TOKENS)
# Fields whose loss takes others with them, and those that the head itself is read from.
NOT_ALONE = {"id", "response_id", "generation_id", "finish_reason", "usage", "meta", "delta", "response", "type"}
NOT_ALONE |= {"event_type", "generations", "is_finished", "error", "err", "index"}


def check(kind, path, odd):
    costs_itself(partial(read, kind), ANSWERS[kind], path, odd, dict.fromkeys(HEAD, NOT_ALONE))


@pytest.mark.parametrize("kind", ANSWERS)
def test_every_type_in_every_field(kind):
    """Each JSON type in the place of each field: no reader fails, and what the field does not say survives."""
    for path in paths(ANSWERS[kind]):
        for odd in TYPES:
            check(kind, path, odd)


@FEW
@given(st.sampled_from([(kind, path) for kind in ANSWERS for path in paths(ANSWERS[kind])]), ODD)
def test_any_value_in_any_field_of_an_answer(place, odd):
    """The same for any JSON."""
    check(*place, odd)


@FEW
@given(st.sampled_from([(kind, path) for kind in REQUESTS for path in paths(REQUESTS[kind][2])]), ODD)
def test_any_value_in_any_field_of_a_request(place, odd):
    """No reader of a request fails, and its messages are those of the schema."""
    kind, path = place
    settings_of, prompt_of, body = REQUESTS[kind]
    body = replaced(body, path, odd)
    settings_of(body, {})
    for message in prompt(prompt_of, body).get(semconv.INPUT_MESSAGES, ()):
        assert isinstance(message["role"], str)
        assert isinstance(message["parts"], list)
