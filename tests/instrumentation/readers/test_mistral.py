"""How Mistral's requests and answers are read: tokens and costs, streams, and odd values in any place."""

from __future__ import annotations

import json
from functools import partial

import pytest
from genai_prices import extract_usage
from hypothesis import given
from hypothesis import strategies as st

from agentops_otel import pricing, semconv
from agentops_otel.instrumentation._content import Content
from agentops_otel.instrumentation.readers import chat, embeddings, mistral_chat, mistral_conversation, mistral_ocr
from agentops_otel.instrumentation.readers.chat_fold import ChatFold
from agentops_otel.instrumentation.readers.mistral_conversation_fold import ConversationFold
from tests.fakes.odd_json import FEW, ODD, TYPES, costs_itself, message_facts, paths, replaced
from tests.sdks import answers_mistral as answers

MILLION = 1_000_000
IN, OUT, CACHED = semconv.USAGE_INPUT_TOKENS, semconv.USAGE_OUTPUT_TOKENS, semconv.USAGE_CACHE_READ_TOKENS
READERS = {
    "chat": (mistral_chat.response, mistral_chat.output, ChatFold),
    "conversation": (mistral_conversation.response, mistral_conversation.output, ConversationFold),
    "embeddings": (embeddings.response, embeddings.output, None),
    "ocr": (mistral_ocr.response, mistral_ocr.output, None),
}


# ---- tokens ----


def tokens(api, answer):
    """The tokens of an answer by class, and its cost."""
    attributes = {}
    assert READERS[api][0](answer, attributes) is None
    operation = "embeddings" if api == "embeddings" else "chat"
    span = {semconv.PROVIDER_NAME: "mistral_ai", semconv.OPERATION_NAME: operation} | attributes
    cost = pricing.span_cost(span)
    used = {name: value for name, value in attributes.items() if ".usage." in name}
    return used, None if cost is None else cost.amount


@pytest.mark.parametrize(
    ("api", "answer", "used", "dollars"),
    [
        pytest.param(
            "chat",
            answers.chat(),
            {IN: 57, OUT: 48, CACHED: 32},
            (25 * 0.5 + 32 * 0.05 + 48 * 1.5) / MILLION,
            id="cached tokens are a part of the input",
        ),
        pytest.param(
            "chat",
            answers.chat(model="magistral-medium-2509", usage={"prompt_tokens": 19, "completion_tokens": 400}),
            {IN: 19, OUT: 400},
            (19 * 2 + 400 * 5) / MILLION,
            id="thoughts are a part of the output",
        ),
        pytest.param(
            "chat",
            answers.chat(
                model="codestral-2508", usage={"prompt_tokens": 8, "completion_tokens": 9, "total_tokens": 17}
            ),
            {IN: 8, OUT: 9},
            (8 * 0.3 + 9 * 0.9) / MILLION,
            id="fill in the middle",
        ),
        pytest.param(
            "chat",
            answers.chat(
                model="voxtral-small-2507",
                usage={
                    "prompt_audio_seconds": 203,
                    "prompt_tokens": 4,
                    "completion_tokens": 635,
                    "total_tokens": 3264,
                },
            ),
            {IN: 2629, OUT: 635, semconv.USAGE_INPUT_AUDIO_TOKENS: 2625, semconv.USAGE_AUDIO_SECONDS: 203.0},
            None,
            id="sound, which is paid by its length",
        ),
        pytest.param(
            "conversation",
            answers.conversation(),
            {IN: 7300, OUT: 55},
            (7300 * 0.4 + 55 * 2) / MILLION,
            id="what a connector has found is input",
        ),
        pytest.param(
            "conversation",
            answers.conversation(usage={"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}),
            {IN: 10, OUT: 5},
            (10 * 0.4 + 5 * 2) / MILLION,
            id="conversation",
        ),
        pytest.param("embeddings", answers.embeddings(), {IN: 8}, 8 * 0.1 / MILLION, id="embeddings"),
        pytest.param("ocr", answers.ocr(), {semconv.USAGE_PAGES: 2}, None, id="pages"),
    ],
)
def test_tokens_and_cost(api, answer, used, dollars):
    """Totals with their classes inside, and the price of the table for them."""
    found, cost = tokens(api, answer)
    assert found == used
    assert cost == (None if dollars is None else pytest.approx(dollars, rel=1e-15))


@pytest.mark.parametrize(
    ("api", "answer", "more"),
    [
        ("chat", answers.chat(), 0),
        ("chat", answers.tools(), 0),
        # The table does not know of the tokens of connectors, which are in the total only.
        ("conversation", answers.conversation(model="mistral-medium-2508"), 7112),
    ],
)
def test_tokens_are_those_of_the_price_table(api, answer, more):
    """The price table reads the same answer alike."""
    found, _ = tokens(api, answer)
    usage = extract_usage(answer, provider_id="mistral", api_flavor="default").usage
    assert (usage.input_tokens + more, usage.output_tokens) == (found[IN], found[OUT])
    assert (usage.cache_read_tokens or 0) == found.get(CACHED, 0)


def test_the_tier_that_served():
    """It stands in the usage."""
    attributes = {}
    mistral_chat.response(answers.chat(), attributes)
    assert attributes[semconv.RESPONSE_SERVICE_TIER] == "default"


# ---- requests ----

CHAT = {
    "model": "mistral-large-2512",
    "random_seed": 7,
    "max_tokens": 9,
    "stop": ["END"],
    "response_format": {"type": "json_object"},
    "messages": [
        {"role": "system", "content": "Be brief."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image_url", "image_url": "data:image/png;base64,iVBORw0KGgo="},
                {"type": "document_url", "document_url": "https://a/b.pdf", "document_name": "b"},
                {"type": "input_audio", "input_audio": "UklGRiQAAABXQVZF"},
                {"type": "input_audio", "input_audio": "https://a/b.mp3"},
                {"type": "file", "file_id": "file-1"},
            ],
        },
        {"role": "assistant", "content": [answers.THOUGHT], "tool_calls": answers.CALLS[:1]},
        {"role": "tool", "tool_call_id": "D681PevKs", "name": "weather", "content": "sun"},
    ],
    "tools": [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}],
}
CONVERSATION = {
    "agent_id": "ag_1",
    "conversation_id": answers.CONVERSATION,
    "instructions": "Be brief.",
    "completion_args": {"temperature": 0.25, "random_seed": 7, "stop": "END", "max_tokens": 9},
    "inputs": [
        {"type": "message.input", "role": "user", "content": "Capital?"},
        {"role": "user", "content": [{"type": "text", "text": "Of France?"}]},
        {"type": "message.output", "role": "assistant", "content": "Paris"},
        {"type": "function.call", "tool_call_id": "c1", "name": "weather", "arguments": '{"city":"Paris"}'},
        {"type": "function.result", "tool_call_id": "c1", "result": "sun"},
        {"type": "agent.handoff", "previous_agent_name": "a", "next_agent_name": "b"},
    ],
    "tools": [{"type": "web_search"}, {"type": "function", "function": {"name": "weather"}}],
}
FIM = {"model": "codestral-2508", "prompt": "def f(", "suffix": "return x", "random_seed": 7}
OCR = {"model": "mistral-ocr-2512", "document": {"type": "document_url", "document_url": "https://a/b.pdf"}}
REQUESTS = {
    "chat": (mistral_chat.request, chat.prompt, CHAT),
    "fim": (mistral_chat.request, mistral_chat.fim_prompt, FIM),
    "conversation": (mistral_conversation.request, mistral_conversation.prompt, CONVERSATION),
    "ocr": (mistral_ocr.request, mistral_ocr.prompt, OCR),
}


def request(kind):
    attributes = {}
    REQUESTS[kind][0](REQUESTS[kind][2], attributes)
    return attributes


def prompt(read, body):
    attributes = {}
    read(body, Content(65536), attributes)
    return json.loads(json.dumps(attributes))


def test_settings():
    """The settings under the names of the conventions, those of a conversation from their own object."""
    assert request("chat") == {
        semconv.REQUEST_SEED: 7,
        semconv.REQUEST_MAX_TOKENS: 9,
        semconv.REQUEST_STOP_SEQUENCES: ("END",),
        semconv.OUTPUT_TYPE: "json",
    }
    assert request("conversation") == {
        semconv.REQUEST_SEED: 7,
        semconv.REQUEST_MAX_TOKENS: 9,
        semconv.REQUEST_TEMPERATURE: 0.25,
        semconv.REQUEST_STOP_SEQUENCES: ("END",),
        semconv.AGENT_ID: "ag_1",
        semconv.CONVERSATION_ID: answers.CONVERSATION,
    }
    assert request("fim") == {semconv.REQUEST_SEED: 7}
    assert request("ocr") == {semconv.OUTPUT_TYPE: "text"}


def test_prompt_of_a_chat():
    """Media are references, thoughts are reasoning."""
    system, user, assistant, tool = prompt(chat.prompt, CHAT)[semconv.INPUT_MESSAGES]
    assert system["parts"] == [{"type": "text", "content": "Be brief."}]
    kinds = [(part["type"], part.get("modality")) for part in user["parts"]]
    assert kinds == [
        ("text", None),
        ("file", "image"),
        ("uri", "document"),
        ("file", "audio"),
        ("uri", "audio"),
        ("file", "document"),
    ]
    assert [part["type"] for part in assistant["parts"]] == ["reasoning", "tool_call"]
    assert tool["parts"] == [{"type": "tool_call_response", "id": "D681PevKs", "response": "sun"}]


def test_prompt_of_a_conversation():
    """Each entry is a message of who has said it."""
    found = prompt(mistral_conversation.prompt, CONVERSATION)
    assert found[semconv.SYSTEM_INSTRUCTIONS] == [{"type": "text", "content": "Be brief."}]
    assert found[semconv.TOOL_DEFINITIONS] == [{"type": "web_search"}, {"type": "function", "name": "weather"}]
    messages = found[semconv.INPUT_MESSAGES]
    assert [message["role"] for message in messages] == ["user", "user", "assistant", "assistant", "tool", "assistant"]
    assert messages[3]["parts"][0]["arguments"] == {"city": "Paris"}
    assert messages[4]["parts"][0]["response"] == [{"type": "text", "content": "sun"}]
    assert messages[5]["parts"] == [{"type": "agent_handoff", "name": "b"}]
    (only,) = prompt(mistral_conversation.prompt, {"inputs": "Capital?"})[semconv.INPUT_MESSAGES]
    assert only == {"role": "user", "parts": [{"type": "text", "content": "Capital?"}]}


def test_prompt_of_fill_in_the_middle_and_ocr():
    """What is before and behind the gap; the document."""
    (message,) = prompt(mistral_chat.fim_prompt, FIM)[semconv.INPUT_MESSAGES]
    assert [part["content"] for part in message["parts"]] == ["def f(", "return x"]
    (message,) = prompt(mistral_ocr.prompt, OCR)[semconv.INPUT_MESSAGES]
    assert message["parts"] == [{"type": "uri", "modality": "document", "uri": "https://a/b.pdf"}]


# ---- answers ----


def read(kind, answer):
    """The facts of an answer, by the readers alone."""
    response, output, fold = READERS[kind.partition("-")[0]]
    if isinstance(answer, list):
        whole = fold()
        whole.extend([event for event in answer if event != "[DONE]"])
        answer = whole.response()
    attributes = {}
    response(answer, attributes)
    messages = json.loads(json.dumps(output(answer, Content(65536))))
    return attributes | message_facts(semconv.OUTPUT_MESSAGES, messages)


@pytest.mark.parametrize(
    ("kind", "events", "answer"),
    [
        ("chat", answers.chunks(), answers.chat()),
        ("chat", answers.tool_chunks(), answers.tools()),
        ("chat", answers.thinking_chunks(), answers.thinking()),
        ("conversation", answers.events(), answers.conversation()),
        ("conversation", answers.function_call_events(), answers.function_call()),
    ],
)
def test_a_stream_says_what_an_answer_says(kind, events, answer):
    """The same tokens, end and messages."""
    assert read(kind, events) == read(kind, answer)


def test_a_conversation_says_its_ids():
    """The conversation, the last entry, the model and the agent."""
    found = read("conversation", answers.conversation())
    assert found[semconv.CONVERSATION_ID] == answers.CONVERSATION
    assert found[semconv.RESPONSE_ID] == "msg_1"
    assert found[semconv.RESPONSE_MODEL] == "mistral-medium-2508"
    assert found[semconv.AGENT_ID] == "ag_1"
    assert found[semconv.RESPONSE_FINISH_REASONS] == ("stop",)
    called = read("conversation", answers.function_call())
    assert called[semconv.RESPONSE_FINISH_REASONS] == ("tool_calls",)


def test_a_conversation_that_broke_off_or_failed():
    """What came is there without an end and without tokens; an error event is a failure."""
    found = read("conversation", answers.events()[:-1])
    assert found[semconv.OUTPUT_MESSAGES, 0, "finish"] == "error"
    assert IN not in found
    assert semconv.RESPONSE_FINISH_REASONS not in found
    fold = ConversationFold()
    fold.extend(answers.events({"type": "conversation.response.error", "code": 3000, "message": "overloaded"}))
    assert not fold.done
    assert mistral_conversation.response(fold.response(), {}) == ("3000", "overloaded")


def test_an_error_that_came_as_an_answer():
    """With the provider's own code."""
    assert mistral_chat.response(answers.error(), {}) == ("1300", "Requests rate limit exceeded")
    assert mistral_chat.response(answers.chat(finish_reason="error"), {}) == ("error", "")


def test_messages_of_one_choice():
    """A choice that has several messages is as many."""
    choice = {"index": 0, "finish_reason": "stop", "messages": [{"content": "Pa"}, {"content": "ris"}]}
    found = mistral_chat.output(answers.chat(choices=[choice]), Content(65536))
    assert [message["parts"][0]["content"] for message in found] == ["Pa", "ris"]


def test_what_was_read_of_a_document():
    """The text of each page, and its pictures as references."""
    (message,) = json.loads(json.dumps(mistral_ocr.output(answers.ocr(), Content(65536))))
    first, second, picture = message["parts"]
    assert (first["content"], second["content"]) == ("# Paris", "![img-0.jpeg](img-0.jpeg)")
    assert (picture["type"], picture["mime_type"]) == ("file", "image/jpeg")


# ---- odd values ----

ANSWERS = {
    "chat": answers.chat(),
    "chat-tools": answers.tools(),
    "chat-thinking": answers.thinking(),
    "conversation": answers.conversation(),
    "conversation-call": answers.function_call(),
    "embeddings": answers.embeddings(),
    "ocr": answers.ocr(),
    "chat-stream": answers.chunks(),
    "conversation-stream": answers.events(),
    "conversation-call-stream": answers.function_call_events(),
}
HEAD = (semconv.RESPONSE_MODEL, semconv.CONVERSATION_ID, IN, OUT, semconv.USAGE_PAGES)
NOT_ALONE = {"id", "usage", "usage_info", "model", "outputs", "type", "conversation_id", "choices", "error", "object"}
NOT_ALONE |= {"output_index", "index"}


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
