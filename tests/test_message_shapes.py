"""Messages as the APIs and frameworks write them -> messages of the GenAI conventions."""

from __future__ import annotations

import json

import pytest

from agentops_otel.messages import dumped, messages, plain, structured

CALL = {"type": "tool_call", "id": "c1", "name": "search", "arguments": {"q": 1}}
TEXT = {"type": "text", "content": "Hi"}


def shape(value, role="user"):
    return [(each.role, list(each.parts)) for each in messages(value, role)]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Hi", [("user", [TEXT])]),
        (5, [("user", [{"type": "text", "content": "5"}])]),
        (None, []),
        ("", []),
        ("[]", []),
        ([{"role": "user", "content": "Hi"}], [("user", [TEXT])]),
        ({"messages": [{"role": "user", "content": "Hi"}], "model": "m"}, [("user", [TEXT])]),
        ({"choices": [{"message": {"content": "Hi"}}]}, [("user", [TEXT])]),
        ([{"role": "user", "content": [{"type": "text", "text": "Hi"}]}], [("user", [TEXT])]),
        ([{"role": "user", "content": [{"text": "Hi"}]}], [("user", [TEXT])]),
        ([{"role": "model", "parts": [{"text": "Hi"}]}], [("assistant", [TEXT])]),
        ([["human", "Hi"]], [("user", [TEXT])]),
        ([{"type": "human", "data": {"content": "Hi", "type": "human"}}], [("user", [TEXT])]),
        ([{"lc": 1, "type": "constructor", "kwargs": {"content": "Hi", "type": "human"}}], [("user", [TEXT])]),
        ([{"role": "user"}], [("user", [])]),
        ([{"a": 1}], [("user", [{"type": "text", "content": '{"a":1}'}])]),
    ],
)
def test_whatever_holds_messages(value, expected):
    """A text, one message, several, a request, an answer; as values or as JSON."""
    assert shape(value) == expected
    if not isinstance(value, (str, int, type(None))):
        assert shape(json.dumps(value)) == expected


@pytest.mark.parametrize(
    "message",
    [
        {
            "content": None,
            "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "search", "arguments": '{"q":1}'}}],
        },
        {"content": "", "tool_calls": [{"id": "c1", "name": "search", "args": {"q": 1}, "type": "tool_call"}]},
        {"content": [{"type": "tool_use", "id": "c1", "name": "search", "input": {"q": 1}}]},
        {"parts": [{"type": "tool_call", "id": "c1", "name": "search", "arguments": '{"q": 1}'}]},
        {"content": [{"toolUse": {"toolUseId": "c1", "name": "search", "input": {"q": 1}}}]},
        {"type": "function_call", "call_id": "c1", "name": "search", "arguments": '{"q":1}'},
    ],
    ids=["openai", "langchain", "anthropic", "genai", "bedrock", "responses"],
)
def test_a_tool_call_is_the_same_in_every_api(message):
    """OpenAI, LangChain, Anthropic, GenAI, Bedrock and the Responses API: one part, one digest."""
    given = message if "type" in message else {"role": "assistant", **message}
    (found,) = messages([given])
    assert (found.role, found.parts) == ("assistant", (CALL,))
    assert found.digest == messages([{"role": "assistant", "parts": [CALL]}])[0].digest


@pytest.mark.parametrize(
    "message",
    [
        {"role": "tool", "tool_call_id": "c1", "content": "found"},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "found"}]},
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "c1", "content": [{"type": "text", "text": "found"}]}],
        },
        {"role": "user", "parts": [{"type": "tool_call_response", "id": "c1", "result": "found"}]},
        {"type": "function_call_output", "call_id": "c1", "output": "found"},
    ],
    ids=["openai", "anthropic", "anthropic-parts", "pydantic-ai", "responses"],
)
def test_what_a_tool_returned_is_the_same_in_every_api(message):
    """It is a message of the tool, whoever carries it."""
    (found,) = messages([message])
    assert (found.role, found.parts) == ("tool", ({"type": "tool_call_response", "id": "c1", "response": "found"},))


def test_items_of_the_responses_api_are_one_message():
    """Its answer is one message with reasoning and calls; sent back it is several items, and still the same message."""
    reasoning = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Let me see"}]}
    calls = [{"type": "function_call", "call_id": f"c{n}", "name": "search", "arguments": "{}"} for n in (1, 2)]
    items = messages([{"role": "user", "content": "Hi"}, reasoning, *calls, {"role": "user", "content": "So?"}])
    assert [each.role for each in items] == ["user", "assistant", "user"]
    answer = messages([{"role": "assistant", "content": [reasoning, *calls], "finish_reason": "stop"}])
    assert items[1].digest == answer[0].digest
    assert answer[0].finish_reason == "stop"


def test_two_answers_in_a_row_stay_two():
    """Only what has no text of its own is put to the message before it."""
    assert len(messages([{"role": "assistant", "content": text} for text in ("One", "Two")])) == 2


def test_reasoning_makes_another_message():
    """Messages of one digest are one: a store keeps them once, and must not lose what only one of them says."""
    plain_one, thought = (
        messages([{"role": "assistant", "content": "Hi", **more}])[0] for more in ({}, {"reasoning_content": "Hm"})
    )
    assert thought.parts[0] == {"type": "reasoning", "content": "Hm"}
    assert plain_one.digest != thought.digest


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
            {"type": "blob", "modality": "image", "mime_type": "image/png", "content": "AAAA"},
        ),
        (
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
            {"type": "blob", "modality": "image", "mime_type": "image/png", "content": "AAAA"},
        ),
        (
            {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
            {"type": "blob", "modality": "audio", "mime_type": "audio/wav", "content": "AAAA"},
        ),
        (
            {"type": "input_image", "image_url": "https://example.com/a.png"},
            {"type": "uri", "modality": "image", "uri": "https://example.com/a.png"},
        ),
        ({"type": "input_image", "file_id": "f1"}, {"type": "file", "modality": "image", "file_id": "f1"}),
        ({"type": "refusal", "refusal": "No"}, {"type": "refusal", "content": "No"}),
        ({"type": "thinking", "thinking": "Hm", "signature": "x"}, {"type": "reasoning", "content": "Hm"}),
        ({"type": "web_search_call", "id": "w1"}, {"type": "web_search_call", "id": "w1"}),
    ],
)
def test_other_parts(part, expected):
    """Media, refusals, reasoning; what the conventions do not know stays as it is."""
    (found,) = messages([{"role": "user", "content": [part]}])
    assert found.parts == (expected,)
    assert messages(dumped([found])) == (found,)


def test_values_that_json_does_not_have():
    """They become what it has, so that what is written can be read again."""
    value = plain({"a": float("nan"), "b": 2**70, "c": b"xx", 5: {1, 2}})
    assert value["a"] == "nan"
    assert value["b"] == "<int of 71 bits>"
    assert value["c"] == "<2 bytes>"
    assert value["5"] == "{1, 2}"
    assert structured("[" * 10_000) == "[" * 10_000
    deep = current = []
    for _ in range(500):
        current.append([])
        current = current[0]
    assert len(json.dumps(plain(deep))) < 200
