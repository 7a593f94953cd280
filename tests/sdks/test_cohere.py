"""Cohere's clients, oldest and newest, over real HTTP: one call, one span, and nothing changes for the program."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gc
import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from agentops_otel import instrumentation, semconv
from tests.fakes.llm_server import Reply
from tests.sdks import answers_cohere as answers
from tests.sdks.case import Case
from tests.sdks.seen import seen

cohere = pytest.importorskip("cohere")  # (a plain import fails with the warnings of the oldest release)
IS_OLD = not hasattr(cohere.ClientV2, "with_raw_response")
# The oldest release is older than its pydantic, and its streams go on when they are closed or collected.
IGNORED = ("ignore::DeprecationWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
pytestmark = [pytest.mark.filterwarnings(each) for each in IGNORED] if IS_OLD else []
EXAMPLE = Path(__file__).parents[2] / "examples" / "sdks" / "with_cohere.py"
MODEL = "command-a-03-2025"
CHAT = {"model": MODEL, "messages": [{"role": "user", "content": "Capital of France?"}]}
V1_CHAT = {"model": MODEL, "message": "Capital of France?"}
LINES = {"content-type": "application/stream+json"}
TOKENS = (semconv.USAGE_INPUT_TOKENS, semconv.USAGE_OUTPUT_TOKENS, semconv.USAGE_CACHE_READ_TOKENS)


def made(kind, http):
    """What makes a client of a class, which can be closed with its HTTP client."""

    def make(address):
        inner = http()
        client = kind(api_key="none", base_url=address, httpx_client=inner)
        name = "aclose" if hasattr(inner, "aclose") else "close"
        setattr(client, name, getattr(inner, name))
        return client

    return make


ONCE = {"request_options": {"max_retries": 0}}
CLIENTS = {"client": made(cohere.ClientV2, httpx.Client), "async_client": made(cohere.AsyncClientV2, httpx.AsyncClient)}
USUAL = {"provider": "cohere", "refusal": {"id": "e1", "message": "no"}, "code": "400"}
CASES = [
    Case(
        name="cohere chat",
        span=f"chat {MODEL}",
        model=MODEL,
        tokens=(215, 12),
        call=lambda client: client.chat(**CHAT, **ONCE),
        answer=answers.chat(),
        # Streams of the oldest release cannot be closed.
        stream=None if IS_OLD else lambda client: client.chat_stream(**CHAT, **ONCE),
        events=answers.chat_events(),
        **CLIENTS,
        **USUAL,
    ),
    Case(
        name="cohere embed",
        span="embeddings embed-v4.0",
        model="embed-v4.0",
        tokens=(4, None),
        call=lambda client: client.embed(
            model="embed-v4.0", texts=["a"], input_type="search_query", embedding_types=["float"], **ONCE
        ),
        answer=answers.embed(),
        said="",
        **CLIENTS,
        **USUAL,
    ),
]


def url(server):
    return f"http://127.0.0.1:{server.port}"


@pytest.fixture
def client(server):
    with cohere.ClientV2(api_key="none", base_url=url(server)) as client:
        yield client


@pytest.fixture
def v1(server):
    with cohere.Client(api_key="none", base_url=url(server)) as client:
        yield client


def asynchronously(server, use):
    """The result of a coroutine function of an asynchronous client."""

    async def run():
        async with cohere.AsyncClientV2(api_key="none", base_url=url(server)) as client:
            return await use(client)

    return asyncio.run(run())


def lines(events):
    return Reply("\n".join(map(json.dumps, events)).encode(), headers=LINES)


def output(span):
    """The parts of the only message of an answer."""
    (message,) = json.loads(span.attributes[semconv.OUTPUT_MESSAGES])
    return message


def tokens(span):
    return tuple(span.attributes.get(name) for name in TOKENS)


def test_chat(client, server, spans):
    """One span with the request, the answer, its tokens and its ids."""
    reply = Reply(answers.chat(), headers={"x-debug-trace-id": "t1", "x-trial-endpoint-call-remaining": "19"})
    server.then(reply)
    answer = client.chat(**CHAT, temperature=0.25, k=5, p=0.5, seed=1, stop_sequences=["END"], max_tokens=9)
    assert answer.message.content[0].text == "Paris"
    span = spans.one()
    assert span.name == f"chat {MODEL}"
    expected = {
        semconv.PROVIDER_NAME: "cohere",
        semconv.OPERATION_NAME: "chat",
        semconv.SPAN_KIND: "llm",
        semconv.REQUEST_TEMPERATURE: 0.25,
        semconv.REQUEST_TOP_K: 5,
        semconv.REQUEST_TOP_P: 0.5,
        semconv.REQUEST_SEED: 1,
        semconv.REQUEST_MAX_TOKENS: 9,
        semconv.REQUEST_STOP_SEQUENCES: ("END",),
        semconv.RESPONSE_ID: "c14c80c3",
        semconv.RESPONSE_FINISH_REASONS: ("COMPLETE",),
        semconv.SERVER_ADDRESS: "127.0.0.1",
        semconv.SERVER_PORT: server.port,
        semconv.REQUEST_ID: "t1",
        semconv.RATELIMIT_REMAINING_REQUESTS: 19,
    }
    assert {name: span.attributes.get(name) for name in expected} == expected
    assert tokens(span) == (215, 12, 176)
    assert semconv.REQUEST_FREQUENCY_PENALTY not in span.attributes
    assert json.loads(span.attributes[semconv.INPUT_MESSAGES])[0]["parts"][0]["content"] == "Capital of France?"
    assert output(span) == {
        "role": "assistant",
        "parts": [{"type": "text", "content": "Paris"}],
        "finish_reason": "stop",
    }
    assert span.status.is_ok
    assert len(server.requests) == 1


def test_messages_of_models(client, server, spans):
    """Messages may be objects of the SDK's."""
    server.then(Reply(answers.chat()))
    client.chat(model=MODEL, messages=[cohere.UserChatMessageV2(role="user", content="Capital?")])
    (message,) = json.loads(spans.one().attributes[semconv.INPUT_MESSAGES])
    assert (message["role"], message["parts"][0]["content"]) == ("user", "Capital?")


def test_tools_and_thoughts(client, server, spans):
    """Parallel tool calls, the plan before them, and thoughts."""
    tool = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
    server.then(Reply(answers.tools()), Reply(answers.thinking()))
    client.chat(**CHAT, tools=[tool])
    span = spans.one()
    kinds = [part["type"] for part in output(span)["parts"]]
    assert kinds == ["reasoning", "tool_call", "tool_call"]
    assert output(span)["finish_reason"] == "tool_call"
    assert json.loads(span.attributes[semconv.TOOL_DEFINITIONS])[0]["name"] == "weather"
    assert (tokens(span)[0], span.attributes[semconv.BILLED_INPUT_TOKENS]) == (925, 37)
    client.chat(**CHAT)
    assert [part["type"] for part in output(spans.one())["parts"]] == ["reasoning", "text"]


def test_stream(client, server, spans):
    """A stream has its text, its tokens and the time of its first event, and nothing is read ahead."""
    server.then(Reply(answers.chat_events()))
    stream = client.chat_stream(**CHAT)
    assert not server.requests  # the SDK asks when it is read
    assert not spans()
    assert "message-end" in [event.type for event in stream]
    span = spans.one()
    assert tokens(span) == (215, 12, 176)
    assert [part["content"] for part in output(span)["parts"]] == ["France, so Paris", "Paris"]
    assert span.attributes[semconv.STREAM_OUTCOME] == "completed"
    assert span.attributes[semconv.REQUEST_STREAM] is True
    assert span.attributes[semconv.RESPONSE_TIME_TO_FIRST_CHUNK] > 0


def test_a_stream_that_nobody_reads(client, server, spans):
    """There was no call."""
    stream = client.chat_stream(**CHAT)
    del stream
    gc.collect()
    assert not spans()
    assert not server.requests


@pytest.mark.parametrize("how", ["closed", "abandoned"])
def test_a_stream_left_early(how, client, server, spans):
    """What came is there, without tokens, whether it was closed or became garbage."""
    server.then(Reply(answers.chat_events(), hang=True))
    stream = client.chat_stream(**CHAT)
    for event in stream:
        if event.type == "content-delta" and event.delta.message.content.text:
            break
    if how == "closed":
        with contextlib.suppress(RuntimeError):  # the oldest release goes on, whatever it is told
            stream.close()
    del stream, event
    gc.collect()
    span = spans.one()
    assert span.attributes[semconv.STREAM_OUTCOME] in ("closed", "abandoned")
    assert tokens(span) == (None, None, None)
    assert span.status.is_ok


def test_a_stream_that_breaks(client, server, spans):
    """The SDK's exception passes, and the span has failed with what came."""
    server.then(Reply(answers.chat_events(), cut=7))
    with pytest.raises(Exception, match=r".") as caught:
        list(client.chat_stream(**CHAT))
    span = spans.one()
    assert not span.status.is_ok
    assert span.attributes[semconv.ERROR_TYPE].endswith(type(caught.value).__name__)
    assert span.attributes[semconv.STREAM_OUTCOME] == "failed"
    assert tokens(span) == (None, None, None)


def test_a_stream_that_fails_inside(client, server, spans):
    """The last event says that the generation has failed."""
    server.then(Reply(answers.chat_events(finish_reason="ERROR", error="overloaded")))
    list(client.chat_stream(**CHAT))
    span = spans.one()
    assert (span.attributes[semconv.ERROR_TYPE], span.status.is_ok) == ("ERROR", False)


@pytest.mark.parametrize("stream", [False, True])
def test_a_refused_call(stream, client, server, spans):
    """The SDK raises its own exception, and the span has the status."""
    server.then(Reply({"id": "e1", "message": "invalid request: no such model"}, status=400))
    with pytest.raises(cohere.BadRequestError):
        list(client.chat_stream(**CHAT)) if stream else client.chat(**CHAT)
    span = spans.one()
    assert span.attributes[semconv.ERROR_TYPE] == "400"
    assert "no such model" in span.status.description


def test_retries_are_one_call(client, server, spans):
    """The SDK calls itself again for each retry."""
    refused = Reply({"message": "busy"}, status=503, headers={"retry-after-ms": "1", "retry-after": "0"})
    server.then(refused, refused, Reply(answers.chat()))
    client.chat(**CHAT, request_options={"max_retries": 2})
    span = spans.one()
    assert len(server.requests) == 3
    assert span.attributes[semconv.RESEND_COUNT] == 2
    assert tokens(span) == (215, 12, 176)


def test_more_parameters_of_the_body(client, server, spans):
    """What the program adds to the body is read, too."""
    server.then(Reply(answers.chat()))
    client.chat(**CHAT, request_options={"additional_body_parameters": {"temperature": 0.5}})
    assert spans.one().attributes[semconv.REQUEST_TEMPERATURE] == 0.5


def test_asynchronously(server, spans):
    """The asynchronous client is recorded alike: a call, a stream, a stream left early, one that is cancelled."""
    server.then(Reply(answers.chat()), Reply(answers.chat_events()))

    async def both(client):
        await client.chat(**CHAT)
        return [event.type async for event in client.chat_stream(**CHAT)]

    assert "message-end" in asynchronously(server, both)
    called, streamed = spans()
    assert tokens(called) == tokens(streamed) == (215, 12, 176)
    assert streamed.attributes[semconv.STREAM_OUTCOME] == "completed"

    async def early(client):
        stream = client.chat_stream(**CHAT)
        await stream.__anext__()
        with contextlib.suppress(RuntimeError):
            await stream.aclose()

    server.then(Reply(answers.chat_events()[:3], hang=True))
    asynchronously(server, early)
    gc.collect()  # the oldest release leaves the response to the garbage collector
    instrumentation.drain()
    assert spans.one().attributes[semconv.STREAM_OUTCOME] in (("closed", "abandoned") if IS_OLD else ("closed",))

    async def cancelled(client):
        came = asyncio.Event()

        async def consume():
            async for _ in client.chat_stream(**CHAT):
                came.set()

        task = asyncio.ensure_future(consume())
        await came.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    server.then(Reply(answers.chat_events()[:6], hang=True))
    asynchronously(server, cancelled)
    assert spans.one().attributes[semconv.STREAM_OUTCOME] == "cancelled"

    server.then(Reply({}, status=503, headers={"retry-after-ms": "1", "retry-after": "0"}), Reply(answers.chat()))
    asynchronously(server, lambda client: client.chat(**CHAT, request_options={"max_retries": 1}))
    assert spans.one().attributes[semconv.RESEND_COUNT] == 1

    server.then(Reply({"message": "no"}, status=401))
    with pytest.raises(cohere.UnauthorizedError):
        asynchronously(server, lambda client: client.chat(**CHAT))
    assert spans.one().attributes[semconv.ERROR_TYPE] == "401"


def test_raw_access(client, server, spans):
    """The raw client gives the headers as without us."""
    if IS_OLD:
        pytest.skip("this release has none")
    server.then(Reply(answers.chat(), headers={"x-debug-trace-id": "t1"}), Reply(answers.chat_events()))
    raw = client.with_raw_response.chat(**CHAT)
    assert (raw.headers["x-debug-trace-id"], raw.data.id) == ("t1", "c14c80c3")
    assert tokens(spans.one()) == (215, 12, 176)
    with client.with_raw_response.chat_stream(**CHAT) as response:
        list(response.data)
    assert tokens(spans.one()) == (215, 12, 176)


def test_embed(client, server, spans):
    """Embeddings have the length of their vectors."""
    server.then(Reply(answers.embed()))
    answer = client.embed(
        model="embed-v4.0", texts=["Paris", "Lyon"], input_type="search_document", embedding_types=["float"]
    )
    assert answer.embeddings.float_[0] == [0.5, -0.25, 1.0, 0.0]
    span = spans.one()
    assert span.name == "embeddings embed-v4.0"
    assert span.attributes[semconv.EMBEDDINGS_DIMENSION_COUNT] == 4
    assert span.attributes[semconv.REQUEST_ENCODING_FORMATS] == ("float",)
    assert tokens(span) == (4, None, None)


def test_rerank(client, server, spans):
    """A ranking has the scores and what it is billed as, and no tokens."""
    server.then(Reply(answers.rerank()))
    client.rerank(model="rerank-v3.5", query="Capital?", documents=["Lyon", "Nice", "Paris"], top_n=2)
    span = spans.one()
    assert span.name == "rerank rerank-v3.5"
    assert span.attributes[semconv.RETRIEVAL_TOP_K] == 2
    assert json.loads(span.attributes[semconv.RETRIEVAL_DOCUMENTS])[0] == {"id": "2", "score": 0.98}
    assert tokens(span) == (None, None, None)
    assert span.attributes[semconv.USAGE_SEARCH_UNITS] == 1


def test_version_1(v1, server, spans):
    """Chat, its stream and its tools of version 1."""
    server.then(Reply(answers.v1_chat()), lines(answers.v1_chat_events()), lines(answers.v1_tool_events()))
    assert v1.chat(**V1_CHAT).text == "Paris"
    span = spans.one()
    assert (span.name, tokens(span)) == (f"chat {MODEL}", (215, 12, 176))
    assert span.attributes[semconv.RESPONSE_ID] == "0385c7cf"
    assert [event.event_type for event in v1.chat_stream(**V1_CHAT)][-1] == "stream-end"
    span = spans.one()
    assert output(span)["parts"] == [{"type": "text", "content": "Paris"}]
    assert tokens(span) == (215, 12, 176)
    list(v1.chat_stream(**V1_CHAT))
    assert [part["type"] for part in output(spans.one())["parts"]] == ["text", "tool_call", "tool_call"]


def test_embed_in_batches(v1, server, spans):
    """The old client sends many texts in several requests from threads of its own: each is one call."""
    server.then(*(Reply({**answers.embed([[0.5, 1.0]] * 96), "response_type": "embeddings_floats"}) for _ in "ab"))
    v1.embed(texts=["Paris"] * 192, model="embed-english-v3.0", input_type="search_document")
    assert [tokens(span) for span in spans()] == [(4, None, None)] * 2
    assert len(server.requests) == 2


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # as above
def test_through_aws(server, spans, monkeypatch):
    """The client for Bedrock sends the same requests elsewhere, and makes the same events of what it gets."""
    pytest.importorskip("boto3")
    aws_client = pytest.importorskip("cohere.aws_client")
    monkeypatch.setattr(aws_client, "get_url", lambda **_: f"{url(server)}/model/m/invoke")
    keys = {"aws_access_key": "AKIAIOSFODNN7EXAMPLE", "aws_secret_key": "none", "aws_region": "us-east-1"}
    model = {"model": "cohere.command-r-v1:0", "message": "Capital?"}
    counts = {"x-amzn-bedrock-input-token-count": "20", "x-amzn-bedrock-output-token-count": "3"}
    inside = [base64.b64encode(json.dumps(event).encode()).decode() for event in answers.v1_chat_events()]
    events = "".join(json.dumps({"bytes": text}) + "\n" for text in inside).encode()
    server.then(
        Reply(answers.v1_chat(meta=None), headers=counts),
        Reply(events, headers={"content-type": "application/vnd.amazon.eventstream"}),
    )
    with cohere.BedrockClient(**keys) as client:
        assert client.chat(**model).text == "Paris"
        assert len(list(client.chat_stream(**model))) == 5
    called, streamed = spans()
    for span in (called, streamed):
        assert span.attributes[semconv.PROVIDER_NAME] == "aws.bedrock"
        assert semconv.SERVER_ADDRESS not in span.attributes
        assert output(span)["parts"] == [{"type": "text", "content": "Paris"}]
    assert tokens(called) == (20, 3, None)
    assert tokens(streamed) == (215, 12, 176)


def test_other_requests_are_no_calls(v1, server, spans):
    """Tokens that are counted, and models that are listed, are no LLM calls."""
    server.then(Reply({"tokens": [1], "token_strings": ["a"]}), Reply({"models": []}))
    v1.tokenize(text="a", model="command", offline=False)
    v1.models.list()
    assert not spans()


def test_generate(v1, server, spans):
    """Legacy completions, where the release still has them."""
    if not hasattr(v1, "generate"):
        pytest.skip("this release has none")
    server.then(Reply(answers.generate()), lines(answers.generate_events()))
    v1.generate(prompt="Capital?", model="command", num_generations=2)
    span = spans.one()
    assert span.name == "text_completion command"
    assert span.attributes[semconv.REQUEST_CHOICE_COUNT] == 2
    assert len(json.loads(span.attributes[semconv.OUTPUT_MESSAGES])) == 2
    list(v1.generate_stream(prompt="Capital?", model="command"))
    assert output(spans.one())["parts"][0]["content"] == "Paris"


@pytest.mark.parametrize("api", ["chat", "stream", "refused", "refused stream", "broken", "odd", "retried"])
def test_nothing_changes(api, client, server, record):
    """Results, exceptions and requests are the same with and without us."""
    busy = Reply({"message": "busy"}, status=503, headers={"retry-after-ms": "1", "retry-after": "0", "date": "now"})
    fixed = {"date": "now"}
    replies = {
        "chat": [Reply(answers.chat(), headers=fixed)],
        "stream": [Reply(answers.chat_events(), headers=fixed)],
        "refused": [Reply({"message": "no"}, status=422, headers=fixed)],
        "refused stream": [Reply({"message": "no"}, status=401, headers=fixed)],
        "broken": [Reply(answers.chat_events(), cut=4, headers=fixed)],
        "odd": [Reply(b"<html>", headers=fixed)],
        "retried": [busy, busy, Reply(answers.chat(), headers=fixed)],
    }[api]

    def do():
        if "stream" in api or api == "broken":
            return list(client.chat_stream(**CHAT))
        return client.chat(**CHAT, request_options={"max_retries": 2 if api == "retried" else 0})

    usual = seen(server, replies, do)
    record()
    assert seen(server, replies, do) == usual


def test_without_content(client, server, record, provider):
    """No text is recorded when content is off."""
    record(capture_content="off")
    server.then(Reply(answers.chat()))
    client.chat(**CHAT)
    (span,) = provider.capture.spans
    assert not set(semconv.MESSAGES) & set(span.attributes)
    assert tokens(span) == (215, 12, 176)


def test_uninstrumented(client, server, spans):
    """Nothing is left behind."""
    instrumentation.uninstrument()
    server.then(Reply(answers.chat()))
    client.chat(**CHAT)
    assert not spans()


def test_the_example(server, tmp_path):
    """The example of the documentation runs."""
    server.then(Reply(answers.chat()), Reply(answers.chat_events()))
    environment = {**os.environ, "CO_API_URL": url(server), "CO_API_KEY": "none", "HOME": str(tmp_path)}
    run = subprocess.run(
        [sys.executable, EXAMPLE],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout == "Paris\nParis\n"
    assert "2 LLM calls" in run.stderr
    assert len(server.requests) == 2
