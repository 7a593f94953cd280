"""Contents of messages, whatever JSON they are: what is recorded of each, in requests and answers."""

from __future__ import annotations

import base64
import hashlib
import json

import pytest

from agentops_otel import semconv
from tests.fakes import llm_server
from tests.fakes.llm_server import Reply

BYTES = b"\x89PNG" * 100
DATA = base64.b64encode(BYTES).decode()
DIGEST = hashlib.sha256(BYTES).hexdigest()


def text(content, kind="text"):
    return {"type": kind, "content": content}


def reference(modality, mime_type, **more):
    head = {"type": "file", "modality": modality, "mime_type": mime_type}
    return {**head, "file_id": f"sha256:{DIGEST}", "bytes": 400, "sha256": DIGEST, **more}


CONTENTS = [
    ("Paris", [text("Paris")]),
    (["Pa", "ris"], [text("Pa"), text("ris")]),
    ([{"type": "text", "text": "Paris"}], [text("Paris")]),
    ([{"text": "Paris"}], [text("Paris")]),
    ([{"type": "text", "text": {"value": "Paris"}}], [text('{"value":"Paris"}')]),
    ([{"type": "text", "text": None}], [text("")]),
    ([{"type": "thinking", "thinking": [{"type": "text", "text": "so"}]}], [text("so", "reasoning")]),
    ([{"type": "thinking", "thinking": "so"}], [text("so", "reasoning")]),
    ([{"type": "refusal", "refusal": "no"}], [text("no", "refusal")]),
    (5, [text("5")]),
    (True, [text("true")]),
    ({"city": "Paris"}, [text('{"city":"Paris"}')]),
    ([{"city": "Paris"}, 5, None], [text('{"city":"Paris"}'), text("5")]),
    ([["Paris"]], [text('["Paris"]')]),
    ([{"type": "hologram", "data": DATA}], [{"type": "hologram"}]),
    ([{"type": ["text"], "text": "Paris"}], [text("Paris")]),
    (
        [{"type": "image_url", "image_url": {"url": "https://x/y.png"}}],
        [{"type": "uri", "modality": "image", "uri": "https://x/y.png"}],
    ),
    ([{"type": "image_url", "image_url": f"data:image/png;base64,{DATA}"}], [reference("image", "image/png")]),
    ([{"type": "image_url", "image_url": None}], [{"type": "file", "modality": "image", "file_id": ""}]),
    ([{"type": "input_image", "file_id": "file_1"}], [{"type": "file", "modality": "image", "file_id": "file_1"}]),
    (
        [{"type": "video_url", "video_url": {"url": "https://x/y.mp4"}}],
        [{"type": "uri", "modality": "video", "uri": "https://x/y.mp4"}],
    ),
    ([{"type": "input_audio", "input_audio": {"data": DATA, "format": "wav"}}], [reference("audio", "audio/wav")]),
    (
        [{"type": "file", "file": {"file_data": f"data:application/pdf;base64,{DATA}", "filename": "a.pdf"}}],
        [reference("document", "application/pdf", filename="a.pdf")],
    ),
    (
        [{"type": "file", "file": {"file_id": "file_1"}}],
        [{"type": "file", "modality": "document", "file_id": "file_1"}],
    ),
    ([{"type": "image", "data": DATA, "mimeType": "image/png"}], [reference("image", "image/png")]),
    (
        [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": DATA}}],
        [reference("image", "image/png")],
    ),
    (None, []),
]


@pytest.mark.parametrize(("content", "parts"), CONTENTS, ids=range(len(CONTENTS)))
def test_content_of_any_kind(content, parts, client, server, spans):
    """A content becomes parts of the schema in a user's message, in a tool's result, and in an answer."""
    server.then(Reply(llm_server.chat({"content": content})))
    client.chat.completions.create(
        model="gpt-4o",
        messages=[{"role": "user", "content": content}, {"role": "tool", "tool_call_id": "a", "content": content}],
    )
    span = spans.one()
    user, tool = json.loads(span.attributes[semconv.INPUT_MESSAGES])
    (answer,) = json.loads(span.attributes[semconv.OUTPUT_MESSAGES])
    assert user["parts"] == parts
    assert tool["parts"][0]["response"] == (content if isinstance(content, str) else parts)
    assert answer["parts"] == parts
    assert DATA not in str(span.attributes)


@pytest.mark.parametrize(
    ("message", "parts"),
    [
        ({"refusal": {"reason": "no"}}, [text('{"reason":"no"}', "refusal")]),
        ({"reasoning": [{"type": "reasoning.text", "text": "so"}]}, [text("so", "reasoning")]),
        ({"reasoning_content": {"effort": 5}}, [text('{"effort":5}', "reasoning")]),
        ({"function_call": {"name": "f", "arguments": "{}"}}, [("f", {})]),
        ({"function_call": "f"}, []),
        ({"tool_calls": [{"id": "a", "function": {"name": "f", "arguments": {"x": 1}}}]}, [("f", {"x": 1})]),
        ({"tool_calls": [{"id": "a", "function": {"name": "f", "arguments": [1]}}]}, [("f", [1])]),
        ({"tool_calls": [{"id": "a", "function": {"name": "f", "arguments": "not {json"}}]}, [("f", "not {json")]),
        ({"tool_calls": [{"id": "a", "function": {"name": "f", "arguments": "{broken"}}]}, [("f", "{broken")]),
        ({"tool_calls": [{"id": "a", "function": {"name": {"f": 1}, "arguments": None}}]}, [('{"f":1}', None)]),
        ({"tool_calls": {"id": "a", "function": {"name": "f", "arguments": "{}"}}}, [("f", {})]),
        ({"tool_calls": [{"id": "a", "type": "custom", "custom": {"name": "f", "input": "x"}}]}, [("f", "x")]),
        ({"tool_calls": "f"}, []),
        ({"audio": "sound"}, []),
        ({"audio": {"id": "audio_1"}}, [{"type": "file", "modality": "audio", "file_id": "audio_1"}]),
    ],
)
def test_fields_of_an_assistants_message(message, parts, client, server, spans):
    """Whatever stands in a field of an answer is recorded as what it is, or as JSON, beside the other fields."""
    server.then(Reply(llm_server.chat({"content": "Paris", **message})))
    client.chat.completions.with_raw_response.create(model="gpt-4o", messages=[])
    (answer,) = json.loads(spans.one().attributes[semconv.OUTPUT_MESSAGES])
    found = [(p["name"], p["arguments"]) if p["type"] == "tool_call" else p for p in answer["parts"]]
    assert found == [text("Paris"), *parts]


def test_a_message_that_is_null_keeps_its_place(client, server, spans):
    """A choice without a message is a message without parts, with its finish reason."""
    server.then(
        Reply(llm_server.chat(choices=[{"index": 0, "message": None, "finish_reason": "stop"}, llm_server.choice()]))
    )
    client.chat.completions.create(model="gpt-4o", messages=[])
    first, second = json.loads(spans.one().attributes[semconv.OUTPUT_MESSAGES])
    assert first == {"role": "assistant", "parts": [], "finish_reason": "stop"}
    assert second["parts"] == [text("Paris")]
