"""Together: rankings, sound and pictures."""

from __future__ import annotations

import io
import json

import pytest
from opentelemetry.trace import StatusCode

from agentops_otel import semconv
from tests.fakes import llm_server
from tests.fakes.llm_server import Reply
from tests.sdks.compatible import BOTH, call, done

RANKED = {
    "id": "rank-1",
    "object": "rerank",
    "model": "Salesforce/Llama-Rank-v1",
    "results": [
        {"index": 1, "relevance_score": 0.98, "document": {"text": "Paris is the capital of France."}},
        {"index": 0, "relevance_score": 0.02, "document": {"text": "Rome is old."}},
    ],
    "usage": {"prompt_tokens": 120, "completion_tokens": 0, "total_tokens": 120},
}
SOUND = b"RIFF....WAVE" * 20


@BOTH
@pytest.mark.parametrize("api", ["chat", "completions"])
async def test_pieces_that_say_their_text_twice(api, asynchronous, connect, server, spans):
    """A chunk has its text in a delta and beside it, and the id of its token; the text is recorded once."""

    def piece(text, reason=None):
        delta = {"token_id": 9906, "role": "assistant", "content": text, "tool_calls": None}
        choice = {"index": 0, "text": text, "logprobs": None, "finish_reason": reason, "seed": None, "delta": delta}
        return llm_server.chunk(choices=[choice], usage=None)

    last = {**piece("", "eos"), "usage": {"prompt_tokens": 20, "completion_tokens": 3, "total_tokens": 23}}
    server.then(Reply([*map(piece, ("Pa", "r", "is")), last, "[DONE]"]))
    await call(connect("together", asynchronous=asynchronous), api, "some-model", stream=True)
    seen = spans.one().attributes
    assert json.loads(seen[semconv.OUTPUT_MESSAGES]) == [
        {"role": "assistant", "parts": [{"type": "text", "content": "Paris"}], "finish_reason": "stop"}
    ]
    assert seen[semconv.RESPONSE_FINISH_REASONS] == ("eos",)
    assert (seen[semconv.USAGE_INPUT_TOKENS], seen[semconv.USAGE_OUTPUT_TOKENS]) == (20, 3)


@BOTH
async def test_a_ranking(asynchronous, connect, server, spans):
    """A ranking has its query, its documents, their order, and the tokens that it has read."""
    server.then(Reply(RANKED))
    documents = ["Rome is old.", {"text": "Paris is the capital of France."}]
    client = connect("together", asynchronous=asynchronous)
    asked = {"model": RANKED["model"], "query": "Capital of France?", "documents": documents, "top_n": 2}
    answer = await done(client.rerank.create(**asked))
    assert answer.results[0].index == 1
    span = spans.one()
    seen = span.attributes
    assert span.name == f"{seen[semconv.OPERATION_NAME]} Salesforce/Llama-Rank-v1"
    assert (seen[semconv.PROVIDER_NAME], seen[semconv.RESPONSE_ID]) == ("together", "rank-1")
    assert (seen[semconv.USAGE_INPUT_TOKENS], seen.get(semconv.USAGE_OUTPUT_TOKENS)) == (120, None)
    assert seen[semconv.RETRIEVAL_TOP_K] == 2
    assert json.loads(seen[semconv.RETRIEVAL_DOCUMENTS]) == [{"id": "1", "score": 0.98}, {"id": "0", "score": 0.02}]
    query, given = json.loads(seen[semconv.INPUT_MESSAGES])
    assert query["parts"] == [{"type": "text", "content": "Capital of France?"}]
    assert [part["content"] for part in given["parts"]] == ["Rome is old.", "Paris is the capital of France."]


@BOTH
async def test_sound_to_text(asynchronous, connect, server, spans):
    """A transcription has its text, and a reference to the sound."""
    server.then(Reply({"text": "Paris", "language": "en", "duration": 3.5, "segments": [], "task": "transcribe"}))
    client = connect("together", asynchronous=asynchronous)
    asked = {"model": "openai/whisper-large-v3", "response_format": "verbose_json"}
    answer = await done(client.audio.transcriptions.create(file=("a.wav", io.BytesIO(SOUND), "audio/wav"), **asked))
    assert answer.text == "Paris"
    seen = spans.one().attributes
    assert (seen[semconv.OUTPUT_TYPE], seen[semconv.USAGE_AUDIO_SECONDS]) == ("text", 3.5)
    assert json.loads(seen[semconv.INPUT_MESSAGES])[0]["parts"][0]["bytes"] == len(SOUND)
    assert "Paris" in seen[semconv.OUTPUT_MESSAGES]


@BOTH
@pytest.mark.parametrize("stream", [False, True])
async def test_text_to_sound(asynchronous, stream, connect, server, spans):
    """Speech is one span, also where its sound comes in pieces."""
    piece = {"object": "audio.tts.chunk", "model": "hexgrad/Kokoro-82M", "b64": "UklGRg=="}
    server.then(Reply([piece, piece, "[DONE]"] if stream else SOUND))
    client = connect("together", asynchronous=asynchronous)
    asked = {"model": "hexgrad/Kokoro-82M", "voice": "af_alloy", "input": "Paris", "stream": stream}
    answer = await done(client.audio.speech.create(**asked))
    if not stream:
        assert await done(answer.read()) == SOUND
    elif asynchronous:
        assert len([chunk async for chunk in answer]) == 2
    else:
        assert len(list(answer)) == 2
    span = spans.one()
    assert span.name == "generate_content hexgrad/Kokoro-82M"
    assert span.status.status_code is StatusCode.UNSET
    assert span.attributes[semconv.OUTPUT_TYPE] == "speech"
    assert span.attributes.get(semconv.STREAM_OUTCOME) == ("completed" if stream else None)
    assert semconv.ERROR_TYPE not in span.attributes
    assert "Paris" in span.attributes[semconv.INPUT_MESSAGES]


@BOTH
async def test_a_picture(asynchronous, connect, server, spans):
    """A picture that is made is a link or a reference, beside the words and the picture that it was made from."""
    data = [
        {"index": 0, "type": "url", "url": "https://api.together.ai/imgproxy/1"},
        {"index": 1, "type": "b64_json", "b64_json": "UklGRg=="},
    ]
    server.then(Reply({"id": "img-1", "model": "black-forest-labs/FLUX.2-dev", "object": "list", "data": data}))
    client = connect("together", asynchronous=asynchronous)
    given = {"image_url": "https://example.org/a.png", "reference_images": ["https://example.org/b.png"]}
    asked = {"model": "black-forest-labs/FLUX.2-dev", "prompt": "Paris at night", "n": 2, "extra_body": given}
    answer = await done(client.images.generate(**asked))
    assert len(answer.data) == 2
    span = spans.one()
    seen = span.attributes
    assert span.name == "generate_content black-forest-labs/FLUX.2-dev"
    assert (seen[semconv.OUTPUT_TYPE], seen[semconv.RESPONSE_ID]) == ("image", "img-1")
    (prompt,) = json.loads(seen[semconv.INPUT_MESSAGES])
    assert [part.get("uri") or part["content"] for part in prompt["parts"]] == [
        "Paris at night",
        "https://example.org/a.png",
        "https://example.org/b.png",
    ]
    (message,) = json.loads(seen[semconv.OUTPUT_MESSAGES])
    assert [part["type"] for part in message["parts"]] == ["uri", "file"]
    assert "UklGRg" not in seen[semconv.OUTPUT_MESSAGES]
