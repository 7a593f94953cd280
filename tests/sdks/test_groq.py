"""Groq: compound systems, and sound."""

from __future__ import annotations

import io
import json

import pytest

from agentops_otel import semconv
from tests.fakes import llm_server
from tests.fakes.llm_server import Reply
from tests.sdks.compatible import BOTH, MESSAGES, call, done

SEARCH = {"index": 0, "type": "search", "arguments": '{"query": "capital of France"}'}
FOUND = {
    "output": "Title: France",
    "search_results": {"results": [{"title": "France", "url": "https://x", "score": 1}]},
}


@BOTH
@pytest.mark.parametrize("stream", [False, True])
async def test_tools_of_a_compound_system(asynchronous, stream, connect, server, spans):
    """A compound system's own tools are part of its answer: which and what for, not the pages that it has read."""
    whole = llm_server.chat({"reasoning": "Look it up", "executed_tools": [{**SEARCH, **FOUND}]}, model="groq/compound")
    deltas = [
        {"role": "assistant", "reasoning": "Look "},
        {"reasoning": "it up"},
        {"executed_tools": [SEARCH]},
        {"executed_tools": [{**SEARCH, **FOUND}]},
        {"content": "Paris"},
    ]
    said = {"x_groq": {"id": "req_2", "usage": llm_server.USAGE}}
    chunks = [*map(llm_server.chunk, deltas), llm_server.chunk({}, "stop", **said), "[DONE]"]
    server.then(Reply(chunks if stream else whole))
    await call(connect("groq", asynchronous=asynchronous), "chat", "groq/compound", stream=stream)
    seen = spans.one().attributes
    (message,) = json.loads(seen[semconv.OUTPUT_MESSAGES])
    assert message["parts"] == [
        {"type": "text", "content": "Paris"},
        {"type": "reasoning", "content": "Look it up"},
        {"type": "server_tool_call", "name": "search", "arguments": SEARCH["arguments"]},
    ]
    assert "Title: France" not in str(dict(seen))
    assert (seen[semconv.USAGE_INPUT_TOKENS], seen[semconv.USAGE_OUTPUT_TOKENS]) == (57, 48)


SOUND = b"RIFF....WAVE" * 20


@BOTH
@pytest.mark.parametrize("way", ["transcriptions", "translations"])
async def test_sound_to_text(way, asynchronous, connect, server, spans):
    """A transcription has its text, a reference to the sound, and how long that is."""
    client = connect("groq", asynchronous=asynchronous)
    server.then(Reply({"text": "Paris", "duration": 12.5, "language": "English", "x_groq": {"id": "req_2"}}))
    asked = {"model": "whisper-large-v3", "prompt": "Cities", "response_format": "verbose_json"}
    target = getattr(client.audio, way)
    answer = await done(target.create(file=("a.wav", io.BytesIO(SOUND), "audio/wav"), **asked))
    assert answer.text == "Paris"
    span = spans.one()
    seen = span.attributes
    assert span.name == "generate_content whisper-large-v3"
    assert (seen[semconv.PROVIDER_NAME], seen[semconv.OUTPUT_TYPE]) == ("groq", "text")
    assert seen[semconv.USAGE_AUDIO_SECONDS] == 12.5
    (asked_for,) = json.loads(seen[semconv.INPUT_MESSAGES])
    assert [part["type"] for part in asked_for["parts"]] == ["file", "text"]
    assert asked_for["parts"][0]["bytes"] == len(SOUND)
    assert json.loads(seen[semconv.OUTPUT_MESSAGES])[0]["parts"] == [{"type": "text", "content": "Paris"}]
    assert server.requests[0].raw.count(SOUND) == 1


@BOTH
async def test_text_to_sound(asynchronous, connect, server, spans):
    """Speech is only measured."""
    client = connect("groq", asynchronous=asynchronous)
    if not hasattr(client.audio, "speech"):
        pytest.skip("not in this release")
    server.then(Reply(SOUND, headers={"content-type": "audio/wav"}))
    answer = await done(
        client.audio.speech.create(model="canopylabs/orpheus-v1-english", voice="autumn", input="Paris")
    )
    assert await done(answer.aread() if asynchronous and hasattr(answer, "aread") else answer.read()) == SOUND
    span = spans.one()
    assert span.name == "generate_content canopylabs/orpheus-v1-english"
    assert span.attributes[semconv.OUTPUT_TYPE] == "speech"
    assert "Paris" in span.attributes[semconv.INPUT_MESSAGES]
    (message,) = json.loads(span.attributes[semconv.OUTPUT_MESSAGES])
    assert message["parts"][0]["bytes"] == len(SOUND)


async def test_a_tool_is_asked_for_and_answered(connect, server, spans):
    """The definitions of tools and the results that are given back are part of the prompt."""
    tool = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
    asked = {"id": "call_0", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Paris"}'}}
    messages = [
        *MESSAGES,
        {"role": "assistant", "content": None, "tool_calls": [asked]},
        {"role": "tool", "tool_call_id": "call_0", "content": "20 degrees"},
    ]
    connect("groq").chat.completions.create(
        model="m", messages=messages, tools=[tool], response_format={"type": "json_object"}
    )
    seen = spans.one().attributes
    assert json.loads(seen[semconv.TOOL_DEFINITIONS]) == [{"type": "function", **tool["function"]}]
    assert json.loads(seen[semconv.INPUT_MESSAGES])[2]["parts"] == [
        {"type": "tool_call_response", "id": "call_0", "response": "20 degrees"}
    ]
    assert seen[semconv.OUTPUT_TYPE] == "json"


@BOTH
async def test_a_batch_is_an_action(asynchronous, connect, server, spans):
    """A batch is created; what it will cost is not known yet."""
    client = connect("groq", asynchronous=asynchronous)
    if not hasattr(client, "batches"):
        pytest.skip("not in this release")
    batch = {"id": "batch_1", "object": "batch", "status": "validating", "input_file_id": "file_1"}
    server.then(Reply(batch))
    asked = {"completion_window": "24h", "endpoint": "/v1/chat/completions", "input_file_id": "file_1"}
    assert (await done(client.batches.create(**asked))).id == "batch_1"
    seen = spans.one().attributes
    assert (seen[semconv.SPAN_KIND], seen[semconv.RESPONSE_ID]) == ("action", "batch_1")
    assert semconv.USAGE_INPUT_TOKENS not in seen
