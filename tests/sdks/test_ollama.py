"""Ollama's clients against a real server: one span for each call, lazy streams, failures, and nothing changed."""

from __future__ import annotations

import asyncio
import gc
import inspect
import json
import os
import subprocess
import sys
from pathlib import Path

import ollama
import pytest
from opentelemetry.trace import SpanKind, StatusCode

from agentops_otel import pricing, secrets, semconv
from tests.fakes.llm_server import LINES, Reply
from tests.sdks import answers_ollama as answers
from tests.sdks.case import Case
from tests.sdks.seen import ask, tokens

EXAMPLE = Path(__file__).parents[2] / "examples" / "sdks" / "with_ollama.py"
MESSAGES = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Capital of France?"}]
CHAT = {"model": "qwen3", "messages": MESSAGES}
CALLS = {
    "chat": (CHAT, answers.chat(), "chat qwen3", (26, 11)),
    "generate": ({"model": "qwen3", "prompt": "Capital?"}, answers.generate(), "text_completion qwen3", (26, 11)),
    "embed": ({"model": "qwen3", "input": ["Paris", "Rome"]}, answers.EMBED, "embeddings qwen3", (8, None)),
    "embeddings": ({"model": "qwen3", "prompt": "Paris"}, answers.EMBEDDINGS, "embeddings qwen3", (None, None)),
    "systemone": (
        {"model": "qwen3", "state": "Paris", "questions": {"safe": {"type": "noul", "instructions": "Is it safe?"}}},
        answers.SCORES,
        "generate_content qwen3",
        (47, 0),
    ),
}
STREAMS = {"chat": answers.chat_pieces(), "generate": answers.generate_pieces()}


def made(host):
    """A client of any release, with what closes it."""
    client = ollama.Client(host=host, verify=False)  # loading certificates takes longer than most tests
    client.close = client._client.close
    return client


def made_async(host):
    """As `made()`."""
    client = ollama.AsyncClient(host=host, verify=False)
    client.aclose = client._client.aclose
    return client


BOTH = {"provider": "ollama", "model": "qwen3", "client": made, "async_client": made_async, "headers": LINES}
CASES = [
    Case(
        name="ollama chat",
        span="chat qwen3",
        tokens=(26, 11),
        call=lambda client: client.chat(**CHAT),
        answer=answers.chat(),
        refusal={"error": "invalid options"},
        code="400",
        stream=lambda client: client.chat(**CHAT, stream=True),
        events=answers.chat_pieces(),
        **BOTH,
    ),
    Case(
        name="ollama generate",
        span="text_completion qwen3",
        tokens=(26, 11),
        call=lambda client: client.generate("qwen3", "Capital?"),
        answer=answers.generate(),
        refusal={"error": "invalid options"},
        code="400",
        stream=lambda client: client.generate("qwen3", "Capital?", stream=True),
        events=answers.generate_pieces(),
        **BOTH,
    ),
    Case(
        name="ollama embed",
        span="embeddings qwen3",
        tokens=(8, None),
        call=lambda client: client.embed("qwen3", "Paris"),
        answer=answers.EMBED,
        refusal={"error": "invalid options"},
        code="400",
        said="",
        **BOTH,
    ),
]


@pytest.fixture
def host(server):
    return f"http://127.0.0.1:{server.port}"


@pytest.fixture
def client(host):
    client = made(host)
    yield client
    client.close()


@pytest.fixture
async def async_client(host):
    client = made_async(host)
    yield client
    await client.aclose()


@pytest.fixture(params=["sync", "async"])
def either(request, client, async_client):
    """The client, and then the async one, for what must hold for both."""
    return client if request.param == "sync" else async_client


def message(span, which=semconv.OUTPUT_MESSAGES, number=0):
    return json.loads(span.attributes[which])[number]


@pytest.mark.parametrize("kind", CALLS)
async def test_a_call_is_one_span_with_tokens(kind, either, spans, server):
    """Each LLM call makes one client span that says who, what and how much."""
    arguments, answer, name, usage = CALLS[kind]
    if not hasattr(either, kind):
        pytest.skip("absent in this release")
    server.then(Reply(answer))
    result = await ask(either, kind, **arguments)
    span = spans.one()
    seen = span.attributes
    assert (span.name, span.kind, span.status.status_code) == (name, SpanKind.CLIENT, StatusCode.UNSET)
    assert (seen[semconv.SPAN_KIND], seen[semconv.PROVIDER_NAME]) == ("llm", "ollama")
    assert (seen[semconv.SERVER_ADDRESS], seen[semconv.SERVER_PORT]) == ("127.0.0.1", server.port)
    assert seen[semconv.REQUEST_MODEL] == "qwen3"
    assert seen.get(semconv.RESPONSE_MODEL) == answer.get("model")
    assert tokens(span) == usage
    assert "Paris" in seen[semconv.INPUT_MESSAGES] + seen.get(semconv.OUTPUT_MESSAGES, "")
    assert pricing.span_cost(seen) is None  # models of one's own machine have no price
    assert len(server.requests) == 1
    assert type(result).__module__ == "ollama._types"


@pytest.mark.parametrize("kind", STREAMS)
async def test_a_stream_is_one_span_with_its_text(kind, either, spans, server):
    """A stream read to its end is one span with the whole text and the counts of the last object."""
    arguments, _, name, usage = CALLS[kind]
    server.then(answers.stream(STREAMS[kind]))
    pieces = await ask(either, kind, **arguments, stream=True)
    span = spans.one()
    seen = span.attributes
    assert span.name == name
    assert seen[semconv.REQUEST_STREAM] is True
    assert seen[semconv.STREAM_OUTCOME] == "completed"
    assert seen[semconv.STREAM_CHUNKS] == len(pieces) == 4
    assert 0 < seen[semconv.RESPONSE_TIME_TO_FIRST_CHUNK] < 60
    assert seen[semconv.RESPONSE_FINISH_REASONS] == ("stop",)
    assert tokens(span) == usage
    assert message(span) == {
        "role": "assistant",
        "parts": [{"type": "text", "content": "Paris"}],
        "finish_reason": "stop",
    }
    assert server.requests[0].body["stream"] is True


async def test_a_stream_asks_when_it_is_read(client, async_client, spans, server):
    """A stream stays a generator: as long as nobody reads it there is no request and no span."""
    unread = client.chat(**CHAT, stream=True)
    assert inspect.isgenerator(unread)
    also_unread = await async_client.chat(**CHAT, stream=True)
    assert inspect.isasyncgen(also_unread)
    assert server.requests == []
    del unread, also_unread
    gc.collect()
    assert spans() == []


async def test_a_stream_that_is_closed_early(client, spans, server):
    """It ends its span as closed, with the text so far and without counts."""
    server.then(answers.stream(answers.chat_pieces()))
    stream = client.chat(**CHAT, stream=True)
    assert next(stream).message.content == "Pa"
    stream.close()
    span = spans.one()
    assert span.attributes[semconv.STREAM_OUTCOME] == "closed"
    assert span.status.status_code is StatusCode.UNSET
    assert tokens(span) == (None, None)
    assert message(span)["parts"] == [{"type": "text", "content": "Pa"}]


async def test_an_async_stream_that_is_closed_early(async_client, spans, server):
    """As the other: its span ends when it is closed."""
    server.then(answers.stream(answers.chat_pieces()))
    stream = await async_client.chat(**CHAT, stream=True)
    async for _ in stream:
        break
    await stream.aclose()
    assert spans.one().attributes[semconv.STREAM_OUTCOME] == "closed"


async def test_a_stream_that_is_complete_when_it_is_closed(client, spans, server):
    """Who stops at the object that says `done` has read the whole answer."""
    server.then(answers.stream(answers.chat_pieces()))
    stream = client.chat(**CHAT, stream=True)
    while not next(stream).done:
        pass
    stream.close()
    span = spans.one()
    assert span.attributes[semconv.STREAM_OUTCOME] == "completed"
    assert tokens(span) == (26, 11)


async def test_a_stream_that_is_abandoned(client, spans, server):
    """One that nobody holds any more ends its span."""
    server.then(answers.stream(answers.chat_pieces()))
    stream = client.chat(**CHAT, stream=True)
    next(stream)
    del stream
    gc.collect()
    assert spans.one().attributes[semconv.STREAM_OUTCOME] in ("closed", "abandoned")


async def test_a_cancelled_call(async_client, spans, server):
    """A cancelled call ends its span without an error."""
    server.then(Reply(answers.chat(), delay=5))
    task = asyncio.ensure_future(ask(async_client, "chat", **CHAT))
    await asyncio.sleep(0.2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    span = spans.one()
    assert span.status.status_code is StatusCode.UNSET
    assert span.attributes[semconv.CANCELLED] is True


async def test_a_cancelled_stream(async_client, spans, server):
    """A stream that is cancelled while it waits ends its span without an error, with its text so far."""
    server.then(answers.stream(answers.chat_pieces()[:2], hang=True))
    stream = await async_client.chat(**CHAT, stream=True)
    for _ in range(2):
        await anext(stream)
    task = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    span = spans.one()
    assert span.attributes[semconv.CANCELLED] is True
    assert span.status.status_code is StatusCode.UNSET
    assert message(span)["parts"] == [{"type": "text", "content": "Par"}]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_refused_call_is_one_failed_span(stream, either, spans, server):
    """An error status is the SDK's own exception for the user and one failed span with the status for us."""
    server.then(Reply({"error": "model 'qwen3' not found"}, status=404))
    with pytest.raises(ollama.ResponseError) as caught:
        await ask(either, "chat", **CHAT, stream=stream)
    assert (caught.value.error, caught.value.status_code) == ("model 'qwen3' not found", 404)
    span = spans.one()
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes[semconv.ERROR_TYPE] == "404"
    assert [event.name for event in span.events] == ["exception"]
    assert len(server.requests) == 1


async def test_an_error_as_a_line_of_a_stream(either, spans, server):
    """An error inside a stream of status 200 fails the span, which keeps what had come."""
    server.then(answers.stream([*answers.chat_pieces()[:2], {"error": "an error was encountered"}]))
    with pytest.raises(ollama.ResponseError):
        await ask(either, "chat", **CHAT, stream=True)
    span = spans.one()
    seen = span.attributes
    assert span.status.status_code is StatusCode.ERROR
    assert (seen[semconv.ERROR_TYPE], seen[semconv.STREAM_OUTCOME]) == ("ollama._types.ResponseError", "failed")
    assert message(span)["parts"] == [{"type": "text", "content": "Par"}]
    assert tokens(span) == (None, None)


async def test_a_connection_lost_in_mid_stream(either, spans, server):
    """A connection that breaks fails the span, which keeps what had come."""
    server.then(answers.stream(answers.chat_pieces(), cut=2))
    with pytest.raises(Exception) as caught:
        await ask(either, "chat", **CHAT, stream=True)
    seen = spans.one().attributes
    assert seen[semconv.ERROR_TYPE] == f"{type(caught.value).__module__}.{type(caught.value).__qualname__}"
    assert (seen[semconv.STREAM_OUTCOME], seen[semconv.STREAM_CHUNKS]) == ("failed", 2)


async def test_no_server(spans, server):
    """A server that is not there is one failed span."""
    nowhere = made("http://127.0.0.1:1")
    with nowhere._client, pytest.raises(Exception) as caught:
        nowhere.chat(**CHAT)
    seen = spans.one().attributes
    assert seen[semconv.ERROR_TYPE].endswith(type(caught.value).__qualname__)
    assert seen[semconv.SERVER_PORT] == 1


async def test_an_answer_that_is_no_json(either, spans, server):
    """A page in the place of an answer raises what it raised before, and fails one span."""
    server.then(Reply(b"<html>gateway</html>"))
    with pytest.raises(json.JSONDecodeError):
        await ask(either, "chat", **CHAT)
    assert spans.one().attributes[semconv.ERROR_TYPE] == "json.decoder.JSONDecodeError"


async def test_tool_calls_and_their_answers(either, spans, server):
    """Parallel tool calls, the definitions of the tools, and what the tools have said."""
    server.then(answers.stream(answers.chat_pieces(answers.piece(tool_calls=answers.CALLS))))
    tool = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
    said = [{"role": "assistant", "content": "", "tool_calls": answers.CALLS}, {"role": "tool", "content": "sunny"}]
    await ask(either, "chat", model="qwen3", messages=[*MESSAGES, *said], tools=[tool], stream=True)
    span = spans.one()
    calls = [part for part in message(span)["parts"] if part["type"] == "tool_call"]
    assert [call["arguments"] for call in calls] == [{"city": "Paris"}, {"city": "Rome"}]
    assert json.loads(span.attributes[semconv.TOOL_DEFINITIONS])[0]["name"] == "weather"
    asked = json.loads(span.attributes[semconv.INPUT_MESSAGES])
    assert [part["name"] for part in asked[2]["parts"]] == ["weather", "weather"]
    assert asked[3]["parts"] == [{"type": "tool_call_response", "id": None, "response": "sunny"}]


async def test_settings(either, spans, server):
    """Options, the format of a structured answer, and how hard the model should think."""
    server.then(Reply(answers.chat({"thinking": "France, so Paris"})))
    options = {"temperature": 0.5, "top_p": 0.9, "top_k": 40, "seed": 7, "num_predict": 64, "stop": ["END"]}
    more = {"think": "high"} if "think" in inspect.signature(either.chat).parameters else {}
    await ask(either, "chat", **CHAT, options=options, format={"type": "object", "properties": {}}, **more)
    span = spans.one()
    seen = span.attributes
    assert {
        name: seen[name] for name in seen if name.startswith("gen_ai.request.") and name != "gen_ai.request.model"
    } == {
        semconv.REQUEST_TEMPERATURE: 0.5,
        semconv.REQUEST_TOP_P: 0.9,
        semconv.REQUEST_TOP_K: 40,
        semconv.REQUEST_SEED: 7,
        semconv.REQUEST_MAX_TOKENS: 64,
        semconv.REQUEST_STOP_SEQUENCES: ("END",),
        **({semconv.REQUEST_REASONING_LEVEL: "high"} if more else {}),
    }
    assert seen[semconv.OUTPUT_TYPE] == "json"
    if more:
        assert message(span)["parts"][0] == {"type": "reasoning", "content": "France, so Paris"}


async def test_pictures_are_references(either, spans, server):
    """The data of a picture never go on a span; what stands there is its type, size and digest."""
    server.then(Reply(answers.chat()))
    picture = b"\x89PNG\r\n\x1a\n" + bytes(64)
    asked = {"role": "user", "content": "What is it?", "images": [picture]}
    await ask(either, "chat", model="qwen3", messages=[asked])
    part = message(spans.one(), semconv.INPUT_MESSAGES)["parts"][1]
    assert (part["type"], part["mime_type"], part["bytes"]) == ("file", "image/png", len(picture))


@pytest.mark.parametrize(
    ("counts", "usage"),
    [
        ({}, (26, 11)),
        ({"prompt_eval_count": None}, (None, 11)),  # the prompt was evaluated before
        ({"prompt_eval_count": 1, "eval_count": 128_000}, (1, 128_000)),
        ({"eval_count": None, "prompt_eval_count": None, "done_reason": "load"}, (None, None)),
        ({"eval_count": None, "done_reason": "stop"}, (26, None)),
        ({"eval_count": 2, "done_reason": "length"}, (26, 2)),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_tokens(counts, usage, stream, client, spans, server):
    """The counts of an answer: what is not said is not known, and never 0."""
    fields = {**answers.END, **counts}
    said = {name: value for name, value in fields.items() if value is not None}
    last = {**said, "message": {"role": "assistant", "content": "" if stream else "Paris"}}
    server.then(answers.stream([answers.piece(content="Paris"), last]) if stream else Reply(last))
    await ask(client, "chat", **CHAT, stream=stream)
    span = spans.one()
    assert tokens(span) == usage
    assert span.attributes[semconv.RESPONSE_FINISH_REASONS] == (fields["done_reason"],)
    assert span.status.status_code is StatusCode.UNSET


async def test_functions_of_the_module(monkeypatch, host, spans, server):
    """`ollama.chat()` is the method of a client that the module has made."""
    http = ollama.chat.__self__._client
    monkeypatch.setattr(http, "base_url", host)
    monkeypatch.setitem(http.headers, "connection", "close")  # nobody closes that client
    server.then(Reply(answers.chat()))
    assert ollama.chat(**CHAT).message.content == "Paris"
    assert spans.one().name == "chat qwen3"


async def test_what_is_no_llm_call(either, spans, server):
    """Models that are listed, pulled or searched for make no span."""
    server.then(Reply({"models": []}), answers.stream([{"status": "pulling"}, {"status": "success"}]))
    await ask(either, "list")
    assert len(await ask(either, "pull", model="qwen3", stream=True)) == 2
    assert spans() == []


async def test_without_content(record, provider, client, server):
    """With `capture_content="off"` no text is recorded, and all else is."""
    record(capture_content="off")
    server.then(answers.stream(answers.chat_pieces()))
    list(client.chat(**CHAT, stream=True))
    (span,) = provider.capture.spans
    assert not {*semconv.MESSAGES} & {*span.attributes}
    assert tokens(span) == (26, 11)


async def test_a_key_is_learnt(host, spans, server):
    """The key that a client is let in with is taken out of every text, such as an error that repeats it."""
    key = "k9-Xw7Qz2Lm5Vt8Rb"
    server.then(Reply({"error": f"{key} is not a key"}, status=401))
    keyed = ollama.Client(host=host, verify=False, headers={"Authorization": f"Bearer {key}"})
    with keyed._client, pytest.raises(ollama.ResponseError, match=key):
        keyed.chat(**CHAT)
    assert spans.one().attributes[semconv.ERROR_TYPE] == "401"
    assert key not in secrets.scrub(f"{key} is not a key")


def test_the_example(host, server, tmp_path):
    """The example runs as it stands; its calls are in the session's trace."""
    pytest.importorskip("google.rpc", reason="the fake backend needs it")
    from tests.fakes.fault_server import FaultServer

    server.then(Reply(answers.chat({"tool_calls": answers.CALLS})), answers.stream(answers.generate_pieces()))
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("OLLAMA_", "PYTHONWARN"))}
    with FaultServer() as backend:
        done = subprocess.run(
            [sys.executable, str(EXAMPLE)],
            env={**clean, "OLLAMA_HOST": host, "OTEL_EXPORTER_OTLP_ENDPOINT": backend.url},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stdout) == (0, "{'city': 'Paris'} {'city': 'Rome'}\nParis\n"), done.stderr
        assert sorted(span.name for span in backend.spans()) == ["chat qwen3", "session", "text_completion qwen3"]
        assert "internal error" not in done.stderr
