"""Anthropic's Messages API as the readers and the fold see it: tokens, parts, streams, and odd JSON anywhere."""

from __future__ import annotations

import base64
import hashlib
import json

import pytest
from genai_prices import extract_usage
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentops_otel import semconv
from agentops_otel.instrumentation._content import Content
from agentops_otel.instrumentation.readers import messages as reader
from agentops_otel.instrumentation.readers.messages_fold import MessagesFold
from agentops_otel.pricing import rates, span_cost
from agentops_otel.usage import Usage
from tests.fakes.odd_json import ODD, paths, replaced
from tests.fakes.secrets import SECRETS
from tests.sdks import answers_anthropic as answers
from tests.sdks.answers_anthropic import TEXT, THINKING, TIME, WEATHER

ANY = settings(max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck))
BYTES = b"\x89PNG" * 100
DATA = base64.b64encode(BYTES).decode()
DIGEST = hashlib.sha256(BYTES).hexdigest()


def said(answer):
    """The attributes and the messages of an answer."""
    attributes = {}
    failure = reader.response(answer, attributes)
    return failure, attributes, json.loads(json.dumps(reader.output(answer, Content(65536))))


def folded(events, *, at_once=True):
    fold = MessagesFold()
    if at_once:
        fold.extend(events)
    else:
        for event in events:
            fold.add(event)
    return fold


def asked(body):
    """The attributes and the messages of a request."""
    attributes, messages = {}, {}
    reader.request(body, attributes)
    reader.prompt(body, Content(65536), messages)
    return attributes, json.loads(json.dumps(messages))


# ---- tokens ----

SONNET = "claude-sonnet-4-5-20250929"
# What the host says of one answer; the tokens; and what they cost by the list of prices, in dollars a million: 3 in,
# 15 out, 0.30 read, 3.75 written, 6 written for an hour.
COUNTED = {
    "plain": ({"input_tokens": 1200, "output_tokens": 300}, Usage(1200, 300), 0.0081),
    "cached": (
        {"input_tokens": 21, "cache_read_input_tokens": 18000, "cache_creation_input_tokens": 0, "output_tokens": 393},
        Usage(18021, 393, 18000),
        0.011358,
    ),
    "written": (
        {
            "input_tokens": 50,
            "cache_creation_input_tokens": 2000,
            "cache_creation": {"ephemeral_5m_input_tokens": 2000, "ephemeral_1h_input_tokens": 0},
            "cache_read_input_tokens": 0,
            "output_tokens": 100,
        },
        Usage(2050, 100, 0, 2000),
        0.00915,
    ),
    "written for an hour": (
        {
            "input_tokens": 50,
            "cache_creation_input_tokens": 3000,
            "cache_creation": {"ephemeral_5m_input_tokens": 1000, "ephemeral_1h_input_tokens": 2000},
            "cache_read_input_tokens": 500,
            "output_tokens": 100,
        },
        Usage(3550, 100, 500, 3000),
        0.01755,
    ),
    "thinking": (
        {"input_tokens": 400, "output_tokens": 2048, "output_tokens_details": {"thinking_tokens": 1800}},
        Usage(400, 2048, reasoning_tokens=1800),
        0.03192,
    ),
    "tools of the host": (
        {
            "input_tokens": 105,
            "output_tokens": 50,
            "server_tool_use": {"web_search_requests": 1, "web_fetch_requests": 0},
            "service_tier": "standard",
            "inference_geo": "not_available",
        },
        Usage(105, 50),
        0.011065,  # a search is 10 a thousand
    ),
    "compacted": (
        {
            "input_tokens": 23000,
            "output_tokens": 1000,
            "iterations": [
                {"type": "compaction", "input_tokens": 100000, "output_tokens": 3500, "cache_read_input_tokens": 5000},
                {"type": "message", "input_tokens": 23000, "output_tokens": 1000},
                {"type": "advisor_message", "model": "claude-opus-4-8", "input_tokens": 800, "output_tokens": 90},
            ],
        },
        Usage(128000, 4500, 5000),
        None,  # some of its tokens are the advisor's
    ),
    "compacted, and nothing else": (
        {
            "input_tokens": 23000,
            "output_tokens": 1000,
            "iterations": [
                {"type": "compaction", "input_tokens": 100000, "output_tokens": 3500, "cache_read_input_tokens": 5000},
                {"type": "message", "input_tokens": 23000, "output_tokens": 1000, "model": SONNET},
            ],
        },
        Usage(128000, 4500, 5000),
        0.438,
    ),
    "of one iteration": (
        {
            "input_tokens": 1000,
            "output_tokens": 50,
            "iterations": [{"type": "fallback_message", "input_tokens": 1000, "output_tokens": 50, "model": "other"}],
        },
        Usage(1000, 50),
        0.00375,
    ),
    "in the US": (
        {"input_tokens": 1000, "output_tokens": 50, "inference_geo": "us"},
        Usage(1000, 50),
        0.00375 * 1.1,
    ),
    "faster": ({"input_tokens": 1000, "output_tokens": 50, "speed": "fast"}, Usage(1000, 50), None),
}
# Where the list's own reader differs: it does not look into iterations.
OTHERWISE = {"compacted", "compacted, and nothing else"}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("kind", COUNTED)
def test_tokens_by_class_and_their_price(kind, stream):
    """Cached and written tokens are inside the input, a compaction's inside both, and each class has its price."""
    usage, expected, dollars = COUNTED[kind]
    answer = answers.message(usage=usage, model=SONNET)
    if stream:
        answer = folded(answers.events(answer)).response()
    attributes = {semconv.PROVIDER_NAME: "anthropic", semconv.OPERATION_NAME: "chat"}
    reader.response(answer, attributes)
    found = Usage.from_attributes(attributes)
    assert (found.input_tokens, found.output_tokens) == (expected.input_tokens, expected.output_tokens)
    assert found.cache_read_tokens == expected.cache_read_tokens
    assert found.cache_write_tokens == expected.cache_write_tokens
    assert found.reasoning_tokens == expected.reasoning_tokens
    priced = span_cost(attributes)
    assert (priced and priced.amount) == (dollars and pytest.approx(dollars, rel=1e-12))


@pytest.mark.parametrize(
    ("changed", "is_free"),
    [
        ({}, True),
        ({"content": None}, True),
        ({"stop_reason": "end_turn"}, False),
        ({"content": [{"type": "text", "text": "I"}]}, False),
        ({"id": "msg_bdrk_1"}, False),
        ({"id": "msg_vrtx_1"}, False),
    ],
)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_refusal_without_output_is_free(changed, is_free, stream):
    """Anthropic does not bill it; its tokens are still told."""
    answer = answers.message(usage={"input_tokens": 1000, "output_tokens": 1}, model=SONNET)
    answer |= {"content": [], "stop_reason": "refusal", **changed}
    if stream:
        answer = folded(answers.events({**answer, "content": answer["content"] or []})).response()
    attributes = {semconv.PROVIDER_NAME: "anthropic", semconv.OPERATION_NAME: "chat"}
    reader.response(answer, attributes)
    assert attributes[semconv.USAGE_INPUT_TOKENS] == 1000
    assert span_cost(attributes).amount == (0 if is_free else pytest.approx(0.003015))


@pytest.mark.parametrize("kind", COUNTED.keys() - OTHERWISE)
def test_tokens_are_those_of_the_price_list(kind):
    """The reader of the price list finds the same tokens in the same answer."""
    usage, expected, _ = COUNTED[kind]
    theirs = extract_usage(
        answers.message(usage=usage, model=SONNET), provider_id="anthropic", api_flavor="default"
    ).usage
    assert (theirs.input_tokens, theirs.output_tokens) == (expected.input_tokens, expected.output_tokens)
    assert (theirs.cache_read_tokens or 0, theirs.cache_write_tokens or 0) == (
        expected.cache_read_tokens,
        expected.cache_write_tokens,
    )


@pytest.mark.parametrize(
    ("usage", "total_in", "total_out"),
    [
        ({}, None, None),
        (None, None, None),
        ({"input_tokens": 0, "output_tokens": 0}, None, None),
        ({"input_tokens": 5, "output_tokens": 0}, 5, 0),
        ({"input_tokens": 0, "output_tokens": 5}, None, 5),
        ({"input_tokens": "five", "output_tokens": 5}, None, 5),
        ({"input_tokens": "5", "output_tokens": 5.0}, 5, 5),
        ({"input_tokens": 5, "cache_read_input_tokens": None, "output_tokens": -1}, 5, None),
        ({"input_tokens": True, "output_tokens": 5}, None, 5),
        ({"cache_read_input_tokens": 7, "output_tokens": 5}, None, 5),
        ({"input_tokens": 5, "cache_creation": {"ephemeral_5m_input_tokens": 7}, "output_tokens": 5}, 12, 5),
        ({"input_tokens": 5, "output_tokens": 5, "iterations": [{"type": "compaction", "input_tokens": "x"}]}, 5, 5),
    ],
)
def test_a_count_that_cannot_be_read_is_left_out(usage, total_in, total_out):
    """No count is invented, and none is 0 because it is not known."""
    _, attributes, _ = said(answers.message(usage=usage))
    assert attributes.get(semconv.USAGE_INPUT_TOKENS) == total_in
    assert attributes.get(semconv.USAGE_OUTPUT_TOKENS) == total_out


def test_a_stream_that_broke_off_has_no_output_count():
    """The output of `message_start` is a placeholder, the input is not."""
    _, attributes, _ = said(folded(answers.events()[:-2]).response())
    assert attributes[semconv.USAGE_INPUT_TOKENS] == 73
    assert attributes[semconv.USAGE_CACHE_READ_TOKENS] == 32
    assert semconv.USAGE_OUTPUT_TOKENS not in attributes
    assert semconv.USAGE_REASONING_TOKENS not in attributes


def test_counts_at_the_end_of_a_stream_are_the_last_word():
    """What `message_delta` counts replaces what `message_start` has counted; what it leaves out stays."""
    events = answers.events()
    events[-2]["usage"] = {"input_tokens": 40, "cache_read_input_tokens": None, "output_tokens": 9}
    _, attributes, _ = said(folded(events).response())
    assert attributes[semconv.USAGE_INPUT_TOKENS] == 40 + 32 + 16
    assert attributes[semconv.USAGE_OUTPUT_TOKENS] == 9


def test_the_tier_that_served_is_recorded():
    """The service tier stands in the usage; in a stream at its start."""
    usage = {**answers.USAGE, "service_tier": "priority"}
    for answer in (answers.message(usage=usage), folded(answers.events(answers.message(usage=usage))).response()):
        assert said(answer)[1][semconv.RESPONSE_SERVICE_TIER] == "priority"


@pytest.mark.parametrize(("speed", "dollars"), [("standard", 0.048), ("fast", 0.096)])
def test_fast_answers_have_prices_of_their_own(speed, dollars):
    """The speed that a model was asked for decides what its tokens cost."""
    if rates("anthropic", "claude-fable-5-2") is None:
        pytest.skip("an older price list")
    usage = {"input_tokens": 1000, "output_tokens": 1000, "service_tier": "standard", "speed": speed}
    attributes = {semconv.PROVIDER_NAME: "anthropic", semconv.OPERATION_NAME: "chat"}
    reader.response(answers.message(usage=usage, model="claude-fable-5-2"), attributes)
    assert attributes[semconv.RESPONSE_SERVICE_TIER] == speed
    assert span_cost(attributes).amount == pytest.approx(dollars, rel=1e-12)


# ---- answers ----


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_call"),
        ("refusal", "content_filter"),
        ("pause_turn", "pause_turn"),
        (None, "error"),
        (5, "error"),
    ],
)
def test_why_an_answer_ended(reason, finish):
    """The attribute has the provider's word, the message that of the schema."""
    _, attributes, (message,) = said(answers.message(stop_reason=reason))
    assert attributes.get(semconv.RESPONSE_FINISH_REASONS) == ((reason,) if isinstance(reason, str) else None)
    assert message["finish_reason"] == finish


def test_a_refusal_without_content_is_a_message():
    """An answer that was refused before its first word still has its message and its reason."""
    failure, _, messages = said(answers.message(content=[], stop_reason="refusal"))
    assert failure is None
    assert messages == [{"role": "assistant", "parts": [], "finish_reason": "content_filter"}]


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (answers.error("overloaded_error"), "overloaded_error"),
        ({"type": "error", "error": {"message": "no"}}, "error"),
        ({"type": "error", "error": "no"}, "error"),
        ("<html>", "invalid_response"),
        ({}, "invalid_response"),
        (None, "invalid_response"),
        (5, "invalid_response"),
        ([], "invalid_response"),
    ],
)
def test_a_failure_inside_a_200(answer, code):
    """An error, or a page that is no answer, is a failure with its code."""
    assert said(answer)[0][0] == code


def test_an_error_in_a_stream_keeps_what_had_come():
    """A raw stream that ends with an error has the text before it, and the error's code."""
    fold = folded([*answers.events()[:4], answers.error("overloaded_error")])
    failure, attributes, (message,) = said(fold.response())
    assert failure == ("overloaded_error", "no")
    assert not fold.done
    assert attributes[semconv.RESPONSE_ID] == "msg_1"
    assert message["parts"] == [{"type": "text", "content": "Pa"}]


BLOCKS = [
    (TEXT, [{"type": "text", "content": "Paris"}]),
    ({**TEXT, "citations": [{"type": "char_location", "cited_text": "x"}]}, [{"type": "text", "content": "Paris"}]),
    (THINKING, [{"type": "reasoning", "content": "France, so Paris"}]),
    ({**THINKING, "thinking": ""}, []),
    ({"type": "redacted_thinking", "data": DATA}, [{"type": "redacted_thinking"}]),
    (WEATHER, [{"type": "tool_call", "id": "toolu_0", "name": "weather", "arguments": {"city": "Paris"}}]),
    (
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}},
        [{"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search"}],
    ),
    (
        {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [{"type": "web_search_result"}]},
        [{"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1"}],
    ),
    (
        {"type": "mcp_tool_use", "id": "m", "name": "find", "server_name": "docs", "input": {}},
        [{"type": "mcp_tool_use", "id": "m", "name": "find", "server_name": "docs"}],
    ),
    (
        {"type": "container_upload", "file_id": "file_1"},
        [{"type": "file", "modality": "document", "file_id": "file_1"}],
    ),
    ({"type": "compaction", "content": "They spoke."}, [{"type": "compaction", "content": "They spoke."}]),
    ({"type": "compaction", "content": None}, [{"type": "compaction"}]),
    ({"type": "hologram", "data": DATA}, [{"type": "hologram"}]),
    ({"text": "Paris"}, [{"type": "text", "content": "Paris"}]),
    ({"city": "Paris"}, [{"type": "text", "content": '{"city":"Paris"}'}]),
    ("Paris", [{"type": "text", "content": "Paris"}]),
    (5, [{"type": "text", "content": "5"}]),
    (None, []),
]


@pytest.mark.parametrize(("block", "parts"), BLOCKS, ids=range(len(BLOCKS)))
def test_blocks_of_an_answer(block, parts):
    """Each kind of block becomes parts of the schema; what is encrypted or the host's own data is left out."""
    _, _, (message,) = said(answers.message(content=[block]))
    assert message["parts"] == parts


def reference(modality, mime_type, **more):
    head = {"type": "file", "modality": modality, "mime_type": mime_type}
    return {**head, "file_id": f"sha256:{DIGEST}", "bytes": 400, "sha256": DIGEST, **more}


SOURCES = [
    ("image", {"type": "base64", "media_type": "image/png", "data": DATA}, [reference("image", "image/png")]),
    ("image", {"type": "url", "url": "https://x/y"}, [{"type": "uri", "modality": "image", "uri": "https://x/y"}]),
    ("image", {"type": "file", "file_id": "f"}, [{"type": "file", "modality": "image", "file_id": "f"}]),
    ("image", None, [{"type": "file", "modality": "image", "file_id": ""}]),
    (
        "document",
        {"type": "base64", "media_type": "application/pdf", "data": DATA},
        [reference("document", "application/pdf", filename="A title")],
    ),
    ("document", {"type": "text", "media_type": "text/plain", "data": "Hi"}, [{"type": "text", "content": "Hi"}]),
    ("document", {"type": "content", "content": [TEXT]}, [{"type": "text", "content": "Paris"}]),
    ("document", {"type": "content", "content": "Hi"}, [{"type": "text", "content": "Hi"}]),
]


@pytest.mark.parametrize(("kind", "source", "parts"), SOURCES, ids=range(len(SOURCES)))
def test_media_are_references(kind, source, parts):
    """Pictures and documents are links, file ids or digests; what is text in them is text."""
    block = {"type": kind, "source": source, "title": "A title" if kind == "document" else None}
    result = {"type": "tool_result", "tool_use_id": "t", "content": [block]}
    _, messages = asked({"messages": [{"role": "user", "content": [block, result]}]})
    tool, user = messages[semconv.INPUT_MESSAGES]
    assert user["parts"] == parts
    assert tool["parts"] == [{"type": "tool_call_response", "id": "t", "response": parts}]
    assert DATA not in json.dumps(messages)


# ---- requests ----


def test_settings_of_a_request():
    """Numbers, stop sequences, the form of the answer, the effort and the thread that goes on."""
    attributes, _ = asked(
        {
            "max_tokens": 64,
            "temperature": 0.5,
            "top_p": 1,
            "top_k": 5,
            "stop_sequences": ["END", "."],
            "service_tier": "auto",
            "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": {}}},
            "thread": {"type": "continue", "previous_message_id": "msg_0"},
            "messages": [{"role": "assistant", "content": [{"type": "compaction", "content": "They spoke."}]}],
        }
    )
    assert attributes == {
        semconv.REQUEST_MAX_TOKENS: 64,
        semconv.REQUEST_TEMPERATURE: 0.5,
        semconv.REQUEST_TOP_P: 1,
        semconv.REQUEST_TOP_K: 5,
        semconv.REQUEST_STOP_SEQUENCES: ("END", "."),
        semconv.OUTPUT_TYPE: "json",
        semconv.REQUEST_REASONING_LEVEL: "low",
        semconv.REQUEST_PREVIOUS_RESPONSE_ID: "msg_0",
        semconv.CONVERSATION_COMPACTED: True,
    }


CONVERSATION = {
    "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
    "tools": [
        {"name": "weather", "description": "of a city", "input_schema": {"type": "object"}, "cache_control": {}},
        {"type": "web_search_20260209", "name": "web_search", "max_uses": 5},
    ],
    "messages": [
        {"role": "user", "content": "Weather and time?"},
        {"role": "assistant", "content": [THINKING, WEATHER, TIME]},
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "toolu_0", "content": "sunny"},
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "noon"}]},
                {"type": "text", "text": "And?"},
            ],
        },
    ],
}


def test_a_conversation_with_tools():
    """Instructions, tools in the schema's words, calls, and their results as messages of the tools."""
    _, messages = asked(CONVERSATION)
    assert messages[semconv.SYSTEM_INSTRUCTIONS] == [{"type": "text", "content": "Be brief."}]
    assert messages[semconv.TOOL_DEFINITIONS] == [
        {"type": "function", "name": "weather", "description": "of a city", "parameters": {"type": "object"}},
        {"type": "web_search_20260209", "name": "web_search", "max_uses": 5},
    ]
    assert [message["role"] for message in messages[semconv.INPUT_MESSAGES]] == ["user", "assistant", "tool", "user"]
    assert messages[semconv.INPUT_MESSAGES][2]["parts"] == [
        {"type": "tool_call_response", "id": "toolu_0", "response": "sunny"},
        {"type": "tool_call_response", "id": "toolu_1", "response": [{"type": "text", "content": "noon"}]},
    ]
    assert messages[semconv.INPUT_MESSAGES][3]["parts"] == [{"type": "text", "content": "And?"}]


def test_an_iterator_is_the_callers():
    """Messages, blocks and tools in an iterator are not consumed."""
    messages, tools, blocks = iter([{"role": "user", "content": "Hi"}]), iter([{}]), iter([TEXT])
    asked({"messages": messages, "tools": tools, "system": "Be brief."})
    asked({"messages": [{"role": "user", "content": blocks}]})
    assert [len(list(each)) for each in (messages, tools, blocks)] == [1, 1, 1]


# ---- secrets ----


def everywhere(text):
    """A conversation with a text in every place that is recorded."""
    source = {"type": "base64", "media_type": text, "data": DATA}
    blocks = [
        {"type": "text", "text": text},
        {"type": "thinking", "thinking": text},
        {"type": "tool_use", "id": text, "name": text, "input": {"city": text, text: [text]}},
        {"type": "server_tool_use", "id": text, "name": text, "input": {}},
        {"type": "mcp_tool_use", "id": text, "name": text, "server_name": text},
        {"type": "compaction", "content": text},
        {"type": "container_upload", "file_id": text},
        {"type": "image", "source": source},
        {"type": "image", "source": {"type": "url", "url": f"https://{text}"}},
        {"type": "document", "source": source, "title": text},
        {"type": "document", "source": {"type": "text", "data": text}},
        {"type": "tool_result", "tool_use_id": text, "content": [{"type": "text", "text": text}, text]},
        {"type": text},
        text,
        {"city": text},
    ]
    messages = [{"role": text, "content": blocks}, {"role": "user", "content": text}, text]
    return {"messages": messages, "system": text, "role": text, "stop_reason": text, "content": blocks}


def strings_in(value):
    if isinstance(value, str):
        yield value
    inside = value.items() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    for each in inside:
        yield from strings_in(each)


def test_every_text_of_a_message_is_known():
    """What goes on a span was given to the object that looks for secrets, each text of it."""
    content = Content(65536)
    values = {}
    reader.prompt(everywhere("canary"), content, values)
    values["output"] = reader.output(everywhere("canary"), content)
    found = {text for text in strings_in(values) if "canary" in text}
    assert found
    assert found <= set(content._texts)
    assert all(any(value is complete for complete in content._complete) for value in values.values())


def test_no_secret_is_left_at_any_place():
    """A key leaves each place; one search is enough, also for the arguments of a call, which are an object."""
    key = SECRETS["anthropic"]
    encoded, _ = written(everywhere(key))
    assert key not in str(encoded)
    blocks = [WEATHER, {**TIME, "input": {"zone": key}}]
    encoded, searched = written({"messages": [{"role": "assistant", "content": blocks}]})
    assert key not in str(encoded)
    assert json.loads(encoded[semconv.INPUT_MESSAGES])[0]["parts"][0]["arguments"] == {"city": "Paris"}
    assert searched == {semconv.INPUT_MESSAGES}


def written(body):
    """The attributes of a request's messages, and which of them were searched."""
    content, values = Content(65536), {}
    reader.prompt(body, content, values)
    return content.encoded(values), {*content.searched}


# ---- streams ----

STREAMED = {
    "text": answers.message(),
    "tools": answers.tools(),
    "tools of the host": answers.message(
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
        {"type": "web_search_tool_result", "tool_use_id": "s", "content": []},
        TEXT,
    ),
    "no argument": answers.message({**WEATHER, "input": {}}),
    "nothing": answers.message(content=[], stop_reason="refusal"),
}


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("kind", STREAMED)
def test_a_stream_says_what_the_whole_says(kind, at_once):
    """The events of an answer, put together, are read as the answer itself."""
    answer = STREAMED[kind]
    fold = folded(answers.events(answer), at_once=at_once)
    assert fold.done
    assert said(fold.response()) == said(answer)


@pytest.mark.parametrize("at_once", [True, False])
def test_a_tool_that_takes_nothing(at_once):
    """Arguments that come as an empty piece are an empty object, as in the whole answer."""
    events = answers.events(answers.message({**WEATHER, "input": {}}))
    for event in events:
        if event["type"] == "content_block_delta":
            event["delta"]["partial_json"] = ""
    found = said(folded(events, at_once=at_once).response())
    assert found == said(answers.message({**WEATHER, "input": {}}))


def test_blocks_that_interleave():
    """Pieces go to the block that they name, whatever their order."""
    events = answers.events(answers.tools())
    pieces = [event for event in events if event["type"] == "content_block_delta"]
    first = next(number for number, event in enumerate(events) if event["type"] == "content_block_delta")
    others = [event for event in events if event["type"] != "content_block_delta"]
    starts = [event for event in others[first:] if event["type"] == "content_block_start"]
    mixed = [*others[:first], *starts, *pieces[::2], *pieces[1::2], *others[-2:]]
    assert said(folded(mixed).response()) == said(answers.tools())


def test_a_piece_without_an_index_goes_on_with_the_last_block():
    """An event that does not say its block belongs to the block before it."""
    events = answers.events()
    for event in events:
        if event["type"] == "content_block_delta":
            event.pop("index")
    assert said(folded(events).response()) == said(answers.message())


def test_another_model_goes_on():
    """From where a stream falls back to another model, the answer is that model's."""
    events = answers.events()
    block = {"type": "fallback", "from": {"model": answers.MODEL}, "to": {"model": "claude-haiku-4-5"}}
    events.insert(2, {"type": "content_block_start", "index": 7, "content_block": block})
    _, attributes, _ = said(folded(events).response())
    assert attributes[semconv.RESPONSE_MODEL] == "claude-haiku-4-5"


# ---- odd fields ----

TYPES = [
    None, True, False, 0, 5, -5, 2.5, "", "x", "5", [], ["x"], [[]], [{}], [5], {}, {"x": 5}, {"text": "x"},
    {"type": "x"}, {"type": "text"}, {"type": ["x"]}, 10**30,
]  # fmt: skip
# What a fact is read from: the names of fields, of which any place in an answer counts.
FROM = {
    semconv.RESPONSE_ID: {"id"},
    semconv.RESPONSE_MODEL: {"model"},
    semconv.RESPONSE_FINISH_REASONS: {"stop_reason"},
    semconv.RESPONSE_SERVICE_TIER: {"service_tier"},
    semconv.USAGE_INPUT_TOKENS: {"input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"},
    semconv.USAGE_OUTPUT_TOKENS: {"output_tokens"},
    semconv.USAGE_CACHE_READ_TOKENS: {"cache_read_input_tokens"},
    semconv.USAGE_CACHE_WRITE_TOKENS: {"cache_creation_input_tokens"},
    semconv.USAGE_CACHE_CREATION_TOKENS: {"cache_creation_input_tokens"},
    semconv.USAGE_REASONING_TOKENS: {"output_tokens_details", "thinking_tokens", "output_tokens"},
    "role": {"role"},
    "finish_reason": {"stop_reason"},
    "text": {"text"},
    "reasoning": {"thinking"},
    "tool_call": {"id", "name", "input", "partial_json"},
}
# Fields that hold others, or say what they are: what is in them goes with them.
STRUCTURE = {"type", "index", "message", "delta", "content", "content_block", "usage", "error"}


def facts(answer):
    """What is said of an answer, each fact with what it is read from."""
    _, attributes, messages = said(answer)
    found = {name: value for name, value in attributes.items() if name in FROM}
    for message in messages:
        found["role"], found["finish_reason"] = message["role"], message["finish_reason"]
        for part in message["parts"]:
            found[part["type"], json.dumps(part)] = True
    return found


def spared(fact, path):
    """Whether a fact must survive an odd value in a place."""
    names = {key for key in path if isinstance(key, str)}
    field = path[-1]
    kind = fact if isinstance(fact, str) else fact[0]
    if isinstance(field, int) and not names:  # a whole event
        return False
    if field in STRUCTURE or isinstance(field, int) or "cache_creation" in names:
        return kind in (semconv.RESPONSE_ID, semconv.RESPONSE_MODEL) and field != "message" and path[1:] != ("type",)
    return not names & FROM[kind]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_every_type_in_every_field_of_an_answer(stream):
    """Each JSON type in the place of each field: the facts that it does not say survive, and nothing fails."""
    answer = answers.events(answers.tools()) if stream else answers.tools()
    usual = facts(folded(answer).response() if stream else answer)
    assert len(usual) >= 14
    for path in paths(answer):
        for odd in TYPES:
            changed = replaced(answer, path, odd)
            found = facts(folded(changed).response() if stream else changed)
            for fact, value in usual.items():
                if spared(fact, path):
                    assert found.get(fact) == value, (fact, path, odd)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_any_json_in_any_field_of_an_answer(stream):
    """Any JSON in the place of any field costs that field at most."""
    answer = answers.events(answers.tools()) if stream else answers.tools()
    usual = facts(folded(answer).response() if stream else answer)

    @settings(ANY)
    @given(st.sampled_from(list(paths(answer))), ODD)
    def check(path, odd):
        changed = replaced(answer, path, odd)
        found = facts(folded(changed).response() if stream else changed)
        for fact, value in usual.items():
            if spared(fact, path):
                assert found.get(fact) == value, (fact, path, odd)

    check()


@settings(ANY)
@given(ODD, st.lists(ODD, max_size=4))
def test_any_json_is_read(answer, events):
    """Whatever JSON comes as an answer, or as the events of one, no reader fails."""
    said(answer)
    said(folded(events).response())


@settings(ANY)
@given(st.data())
def test_any_json_in_any_field_of_a_request(data):
    """Any JSON in the place of any field of a request: the messages beside it are recorded, and nothing fails."""
    body = {**CONVERSATION, "output_config": {"effort": "low"}, "stop_sequences": ["a"], "thread": {}, "max_tokens": 5}
    path = data.draw(st.sampled_from(list(paths(body))))
    attributes, messages = asked(replaced(body, path, data.draw(ODD)))
    if path[0] != "max_tokens":
        assert attributes[semconv.REQUEST_MAX_TOKENS] == 5
    if path[0] != "messages":
        roles = [message["role"] for message in messages[semconv.INPUT_MESSAGES]]
        assert roles == ["user", "assistant", "tool", "user"]
    if path[0] != "system":
        assert messages[semconv.SYSTEM_INSTRUCTIONS] == [{"type": "text", "content": "Be brief."}]


def test_blocks_inside_blocks_have_a_limit():
    """JSON that goes deeper than any API does is read to a depth, and no further."""
    block = {"type": "tool_result", "tool_use_id": "t", "content": []}
    for _ in range(5000):
        block = {"type": "tool_result", "tool_use_id": "t", "content": [block]}
    attributes = {}
    reader.prompt({"messages": [{"role": "user", "content": [block]}]}, Content(100), attributes)
    assert attributes[semconv.INPUT_MESSAGES][0]["role"] == "tool"
