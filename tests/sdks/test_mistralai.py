"""Mistral's clients, oldest and newest, over real HTTP: one call, one span, and nothing changes for the program."""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import os
import subprocess
import sys
from operator import attrgetter
from pathlib import Path

import pytest

from agentops_otel import instrumentation, semconv
from agentops_otel.dialects.kinds import kind_in
from tests.fakes import llm_server
from tests.fakes.llm_server import Reply
from tests.sdks import answers_mistral as answers
from tests.sdks.case import Case
from tests.sdks.seen import seen


def found(name, *modules):
    """The first module of these that has a class of this name; None where this release has none."""
    for module in modules:
        try:
            kept = importlib.import_module(module)
        except ImportError:
            continue
        if hasattr(kept, name):
            return kept
    return None


mistralai = found("Mistral", "mistralai", "mistralai.client")
azure = found("MistralAzure", "mistralai_azure", "mistralai.azure.client")
gcp = found("MistralGCP", "mistralai_gcp", "mistralai.gcp.client")
errors = found("SDKError", "mistralai.client.errors", "mistralai.models")
utils = found("RetryConfig", "mistralai.utils", "mistralai.client.utils")
IS_NEW = mistralai.__name__ == "mistralai.client"
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the oldest release is older than its pydantic
EXAMPLE = Path(__file__).parents[2] / "examples" / "sdks" / "with_mistralai.py"
MODEL = "mistral-large-2512"
CHAT = {"model": MODEL, "messages": [{"role": "user", "content": "Capital of France?"}]}
TOKENS = (semconv.USAGE_INPUT_TOKENS, semconv.USAGE_OUTPUT_TOKENS, semconv.USAGE_CACHE_READ_TOKENS)


def made(address):
    """A client that can be closed."""
    client = mistralai.Mistral(api_key="none", server_url=address)
    client.close = client.sdk_configuration.client.close
    return client


def async_made(address):
    """The same for its asynchronous methods."""
    client = mistralai.Mistral(api_key="none", server_url=address)
    client.aclose = client.sdk_configuration.async_client.aclose
    return client


def either(path, **arguments):
    """Calls a method, or with a client for asynchronous calls its twin."""

    def call(client):
        return attrgetter(path + "_async" if hasattr(client, "aclose") else path)(client)(**arguments)

    return call


USUAL = {
    "provider": "mistral_ai",
    "client": made,
    "async_client": async_made,
    "refusal": answers.error(),
    "code": "1300",
}
CASES = [
    Case(
        name="mistralai chat",
        span=f"chat {MODEL}",
        model=MODEL,
        tokens=(57, 48),
        call=either("chat.complete", **CHAT),
        answer=answers.chat(),
        stream=either("chat.stream", **CHAT),
        events=answers.chunks(),
        **USUAL,
    ),
    Case(
        name="mistralai embeddings",
        span="embeddings mistral-embed",
        model="mistral-embed",
        tokens=(8, None),
        call=either("embeddings.create", model="mistral-embed", inputs=["a"]),
        answer=answers.embeddings(),
        said="",
        **USUAL,
    ),
]
if IS_NEW:
    inputs = {"model": "mistral-medium-2508", "inputs": "Capital?"}
    CASES += [
        Case(
            name="mistralai conversations",
            span="chat mistral-medium-2508",
            model="mistral-medium-2508",
            tokens=(7300, 55),
            call=either("beta.conversations.start", **inputs),
            answer=answers.conversation(),
            stream=either("beta.conversations.start_stream", **inputs),
            events=answers.events(),
            **USUAL,
        ),
    ]


def url(server):
    return f"http://127.0.0.1:{server.port}"


@pytest.fixture
def client(server):
    with mistralai.Mistral(api_key="none", server_url=url(server)) as client:
        yield client


def asynchronously(server, use):
    """The result of a coroutine function of a client."""

    async def run():
        async with mistralai.Mistral(api_key="none", server_url=url(server)) as client:
            return await use(client)

    return asyncio.run(run())


def output(span):
    """The only message of an answer."""
    (message,) = json.loads(span.attributes[semconv.OUTPUT_MESSAGES])
    return message


def tokens(span):
    return tuple(span.attributes.get(name) for name in TOKENS)


def test_chat(client, server, spans):
    """One span with the request, the answer, its tokens and its ids."""
    headers = {"mistral-correlation-id": "m1", "x-ratelimit-remaining-req-minute": "59"}
    server.then(Reply(answers.chat(), headers={**headers, "x-ratelimit-remaining-tokens-minute": "499"}))
    answer = client.chat.complete(**CHAT, temperature=0.25, top_p=0.5, random_seed=1, stop=["END"], max_tokens=9)
    assert answer.choices[0].message.content == "Paris"
    span = spans.one()
    assert span.name == f"chat {MODEL}"
    expected = {
        semconv.PROVIDER_NAME: "mistral_ai",
        semconv.SPAN_KIND: "llm",
        semconv.REQUEST_TEMPERATURE: 0.25,
        semconv.REQUEST_TOP_P: 0.5,
        semconv.REQUEST_SEED: 1,
        semconv.REQUEST_MAX_TOKENS: 9,
        semconv.REQUEST_STOP_SEQUENCES: ("END",),
        semconv.RESPONSE_ID: "cf79f7daaee244b1",
        semconv.RESPONSE_MODEL: MODEL,
        semconv.RESPONSE_FINISH_REASONS: ("stop",),
        semconv.RESPONSE_SERVICE_TIER: "default",
        semconv.SERVER_ADDRESS: "127.0.0.1",
        semconv.SERVER_PORT: server.port,
        semconv.REQUEST_ID: "m1",
        semconv.RATELIMIT_REMAINING_REQUESTS: 59,
        semconv.RATELIMIT_REMAINING_TOKENS: 499,
    }
    assert {name: span.attributes.get(name) for name in expected} == expected
    assert tokens(span) == (57, 48, 32)
    assert json.loads(span.attributes[semconv.INPUT_MESSAGES])[0]["parts"][0]["content"] == "Capital of France?"
    assert output(span) == {
        "role": "assistant",
        "parts": [{"type": "text", "content": "Paris"}],
        "finish_reason": "stop",
    }
    assert not [name for name in span.attributes if name.startswith("openai.")]
    assert span.status.is_ok
    assert len(server.requests) == 1


def test_tools_and_structured_output(client, server, spans):
    """Parallel tool calls, and an answer that is JSON."""
    tool = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
    server.then(Reply(answers.tools()), Reply(answers.chat({"content": '{"city": "Paris"}'})))
    client.chat.complete(**CHAT, tools=[tool])
    span = spans.one()
    assert [part["name"] for part in output(span)["parts"]] == ["weather", "time"]
    assert json.loads(span.attributes[semconv.TOOL_DEFINITIONS])[0]["name"] == "weather"
    client.chat.complete(**CHAT, response_format={"type": "json_object"})
    assert spans.one().attributes[semconv.OUTPUT_TYPE] == "json"


@pytest.mark.parametrize("events", [answers.chunks(), answers.tool_chunks()], ids=["text", "tools"])
def test_stream(events, client, server, spans):
    """A stream says its tokens by itself; it is read to its end, and the SDK's own events come out."""
    server.then(Reply(events))
    stream = client.chat.stream(**CHAT)
    assert [event.data.id for event in stream] == ["cf79f7daaee244b1"] * (len(events) - 1)
    span = spans.one()
    assert tokens(span) == (57, 48, 32)
    assert span.attributes[semconv.STREAM_OUTCOME] == "completed"
    assert span.attributes[semconv.STREAM_CHUNKS] == len(events) - 1
    assert span.attributes[semconv.RESPONSE_TIME_TO_FIRST_CHUNK] > 0
    assert "stream_options" not in server.requests[0].body


@pytest.mark.parametrize("how", ["closed", "abandoned"])
def test_a_stream_left_early(how, client, server, spans):
    """What came is there, without tokens, whether it was closed or became garbage."""
    server.then(Reply(answers.chunks("Pa", "r", "x"), hang=True, gap=0.02))
    stream = client.chat.stream(**CHAT)
    next(stream)
    if how == "closed":
        stream.response.close()
    del stream
    gc.collect()
    span = spans.one()
    # Newer releases close the response of a stream that is garbage.
    assert span.attributes[semconv.STREAM_OUTCOME] in (how, "closed")
    assert tokens(span) == (None, None, None)
    assert span.status.is_ok


def test_a_stream_that_breaks(client, server, spans):
    """The SDK's exception passes, and the span has failed with what came."""
    server.then(Reply(answers.chunks(), cut=3))
    with pytest.raises(Exception, match=r".") as caught:
        list(client.chat.stream(**CHAT))
    span = spans.one()
    assert span.attributes[semconv.ERROR_TYPE].endswith(type(caught.value).__name__)
    assert (span.attributes[semconv.STREAM_OUTCOME], span.status.is_ok) == ("failed", False)
    assert output(span)["parts"][0]["content"] == "Par"


@pytest.mark.parametrize("stream", [False, True])
def test_a_refused_call(stream, client, server, spans):
    """The SDK raises its own exception, and the span has the provider's code."""
    server.then(Reply(answers.error(), status=429))
    with pytest.raises(errors.SDKError):
        list(client.chat.stream(**CHAT)) if stream else client.chat.complete(**CHAT)
    span = spans.one()
    assert (span.attributes[semconv.ERROR_TYPE], span.status.is_ok) == ("1300", False)
    assert span.status.description.endswith("Requests rate limit exceeded")


def test_a_refused_call_without_a_code(client, server, spans):
    """Then it is the status."""
    server.then(Reply({"message": "Unauthorized", "request_id": "r1"}, status=401), Reply(b"<html>", status=503))
    for status in ("401", "503"):
        with pytest.raises(errors.SDKError):
            client.chat.complete(**CHAT)
        assert spans.one().attributes[semconv.ERROR_TYPE] == status


def test_a_server_that_is_not_there(server, spans):
    """The exception of the HTTP library passes."""
    nowhere = mistralai.Mistral(api_key="none", server_url="http://127.0.0.1:9")
    with nowhere as client, pytest.raises(Exception, match=r".") as caught:
        client.chat.complete(**CHAT)
    assert spans.one().attributes[semconv.ERROR_TYPE].endswith(type(caught.value).__name__)
    assert not server.requests


def test_retries_are_one_call(client, server, spans):
    """The SDK sends the request again inside of one call."""
    server.then(Reply(answers.error(), status=503), Reply(answers.chat()))
    backoff = utils.BackoffStrategy(1, 2, 1.0, 5000)
    client.chat.complete(**CHAT, retries=utils.RetryConfig("backoff", backoff, retry_connection_errors=True))
    assert len(server.requests) == 2
    assert tokens(spans.one()) == (57, 48, 32)


def test_asynchronously(server, spans):
    """The asynchronous methods are recorded alike: a call, a stream, one left early, one that is cancelled."""
    server.then(Reply(answers.chat()), Reply(answers.chunks()))

    async def both(client):
        await client.chat.complete_async(**CHAT)
        return [event.data.id async for event in await client.chat.stream_async(**CHAT)]

    assert len(asynchronously(server, both)) == 4
    called, streamed = spans()
    assert tokens(called) == tokens(streamed) == (57, 48, 32)
    assert streamed.attributes[semconv.STREAM_OUTCOME] == "completed"

    async def early(client):
        async with await client.chat.stream_async(**CHAT) as stream:
            await stream.__anext__()

    server.then(Reply(answers.chunks(), hang=True))
    asynchronously(server, early)
    assert spans.one().attributes[semconv.STREAM_OUTCOME] == "closed"

    async def cancelled(client):
        came = asyncio.Event()

        async def consume():
            async for _ in await client.chat.stream_async(**CHAT):
                came.set()

        task = asyncio.ensure_future(consume())
        await came.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    server.then(Reply(answers.chunks()[:3], hang=True))
    asynchronously(server, cancelled)
    assert spans.one().attributes[semconv.STREAM_OUTCOME] == "cancelled"

    server.then(Reply(answers.error(), status=429))
    with pytest.raises(errors.SDKError):
        asynchronously(server, lambda client: client.chat.complete_async(**CHAT))
    assert spans.one().attributes[semconv.ERROR_TYPE] == "1300"


def test_fill_in_the_middle_and_agents(client, server, spans):
    """A completion between two texts; a chat of an agent, whose model only the answer knows."""
    server.then(Reply(answers.chat(model="codestral-2508")), Reply(answers.chat()), Reply(answers.chunks()))
    client.fim.complete(model="codestral-2508", prompt="def f(", suffix="return x")
    span = spans.one()
    assert span.name == "text_completion codestral-2508"
    (message,) = json.loads(span.attributes[semconv.INPUT_MESSAGES])
    assert [part["content"] for part in message["parts"]] == ["def f(", "return x"]
    client.agents.complete(agent_id="ag_1", messages=CHAT["messages"])
    list(client.agents.stream(agent_id="ag_1", messages=CHAT["messages"]))
    for span in spans():
        assert (span.name, span.attributes[semconv.AGENT_ID]) == ("chat", "ag_1")
        assert span.attributes[semconv.RESPONSE_MODEL] == MODEL
        assert tokens(span) == (57, 48, 32)


def test_embeddings(client, server, spans):
    """Embeddings have the length of their vectors, and no output."""
    server.then(Reply(answers.embeddings()))
    client.embeddings.create(model="mistral-embed", inputs=["Paris"])
    span = spans.one()
    assert span.name == "embeddings mistral-embed"
    assert span.attributes[semconv.EMBEDDINGS_DIMENSION_COUNT] == 4
    assert tokens(span) == (8, None, None)


def test_ocr(client, server, spans):
    """What was read of a document, and how many pages it has."""
    if not hasattr(client, "ocr"):
        pytest.skip("this release has none")
    server.then(Reply(answers.ocr()))
    document = {"type": "document_url", "document_url": "https://example.com/paris.pdf"}
    client.ocr.process(model="mistral-ocr-2512", document=document)
    span = spans.one()
    assert span.name == "generate_content mistral-ocr-2512"
    assert span.attributes[semconv.USAGE_PAGES] == 2
    assert output(span)["parts"][0]["content"] == "# Paris"
    (message,) = json.loads(span.attributes[semconv.INPUT_MESSAGES])
    assert message["parts"][0]["uri"] == "https://example.com/paris.pdf"


def test_conversations(client, server, spans):
    """Begun, gone on with, begun anew from an entry, and streamed; the list of all is no call."""
    conversations = getattr(getattr(client, "beta", None), "conversations", None)
    if conversations is None:
        pytest.skip("this release has none")
    server.then(*(Reply(answers.conversation()) for _ in range(3)), Reply(answers.events()), Reply(b"[]"))
    conversations.start(model="mistral-medium-2508", inputs="Capital?", instructions="Be brief.")
    conversations.append(conversation_id=answers.CONVERSATION, inputs="And its river?")
    conversations.restart(conversation_id=answers.CONVERSATION, from_entry_id="msg_1", inputs="Again?")
    list(conversations.start_stream(agent_id="ag_1", inputs="Capital?"))
    started, gone_on, anew, streamed = found = spans()
    assert [span.name for span in found] == ["chat mistral-medium-2508", "chat", "chat", "chat"]
    for span in found:
        assert span.attributes[semconv.CONVERSATION_ID] == answers.CONVERSATION
        assert span.attributes[semconv.RESPONSE_MODEL] == "mistral-medium-2508"
        assert tokens(span) == (7300, 55, None)
        assert output(span)["parts"][1] == {"type": "text", "content": "Paris"}
    assert json.loads(started.attributes[semconv.SYSTEM_INSTRUCTIONS])[0]["content"] == "Be brief."
    assert json.loads(anew.attributes[semconv.INPUT_MESSAGES])[0]["parts"][0]["content"] == "Again?"
    assert gone_on.attributes[semconv.AGENT_ID] == "ag_1"
    assert streamed.attributes[semconv.STREAM_OUTCOME] == "completed"
    conversations.list()
    assert not spans()


def test_responses(client, server, spans):
    """The newest release speaks OpenAI's Responses API, too."""
    if not hasattr(client, "responses"):
        pytest.skip("this release has none")
    server.then(Reply(llm_server.response(model=MODEL)))
    client.responses.create(model=MODEL, input="Capital?")
    span = spans.one()
    assert not [name for name in span.attributes if name.startswith("openai.")]
    assert span.name == f"chat {MODEL}"
    assert tokens(span) == (57, 48, 32)


@pytest.mark.parametrize("stream", [False, True])
def test_azure_and_vertex(stream, server, spans):
    """Their clients are recorded with their providers' names."""
    here = url(server)
    clients = []
    if azure is not None:
        where = {"api_key": "none", "server_url": here} if IS_NEW else {"azure_api_key": "none", "azure_endpoint": here}
        clients.append(("azure.ai.inference", azure.MistralAzure, where))
    if gcp is not None and IS_NEW:  # the older ones ask Google for a token
        where = {"project_id": "p", "access_token": "none", "server_url": here}
        clients.append(("gcp.vertex_ai", gcp.MistralGCP, where))
    for provider, kind, arguments in clients:
        server.then(Reply(answers.chunks() if stream else answers.chat()))
        client = kind(**arguments)
        list(client.chat.stream(**CHAT)) if stream else client.chat.complete(**CHAT)
        client.sdk_configuration.client.close()  # which the oldest release has no method for
        span = spans.one()
        assert span.attributes[semconv.PROVIDER_NAME] == provider
        assert tokens(span) == (57, 48, 32)


def test_other_requests_are_no_calls(client, server, spans):
    """Models that are listed, and texts that are moderated, are no LLM calls."""
    server.then(Reply({"object": "list", "data": []}))
    client.models.list()
    assert not spans()
    assert len(server.requests) == 1


@pytest.mark.parametrize("api", ["chat", "stream", "refused", "refused stream", "broken", "odd", "odd stream"])
def test_nothing_changes(api, client, server, record):
    """Results, exceptions and requests are the same with and without us."""
    replies = {
        "chat": [Reply(answers.chat())],
        "stream": [Reply(answers.chunks())],
        "refused": [Reply(answers.error(), status=429)],
        "refused stream": [Reply(answers.error(), status=429)],
        "broken": [Reply(answers.chunks(), cut=3)],
        "odd": [Reply(answers.chat(choices="x"))],
        "odd stream": [Reply([{"choices": "x"}, "[DONE]"])],
    }[api]

    def do():
        if "stream" in api or api == "broken":
            return list(client.chat.stream(**CHAT))
        return client.chat.complete(**CHAT)

    usual = seen(server, replies, do)
    record()
    assert seen(server, replies, do) == usual


@pytest.mark.parametrize("provider", ["leaf"], indirect=True)
@pytest.mark.parametrize("api", ["chat", "stream", "conversation", "conversation-stream"])
def test_its_own_tracing(api, client, server, spans, provider):
    """The spans that the SDK makes about a call, once it is told to, count no call and no tokens."""
    own = pytest.importorskip("mistralai.extra.observability.telemetry", reason="this release has none")
    own.configure_telemetry(client, provider=provider.sdk)
    asked = {"model": "mistral-medium-2508", "inputs": "Capital?"}
    if api == "chat":
        server.then(Reply(answers.chat()))
        client.chat.complete(**CHAT)
    elif api == "stream":
        server.then(Reply(answers.chunks()))
        list(client.chat.stream(**CHAT))
    elif api == "conversation":
        server.then(Reply(answers.conversation()))
        client.beta.conversations.start(**asked)
    else:
        server.then(Reply(answers.events()))
        list(client.beta.conversations.start_stream(**asked))
    (call,) = found = [span for span in spans() if kind_in(dict(span.attributes)) == semconv.KIND_LLM]
    assert call.instrumentation_scope.name == semconv.SCOPE_NAME
    assert tokens(call)[0] in (57, 7300)
    assert len(found) == len(server.requests) == 1


def test_without_content(client, server, record, provider):
    """No text is recorded when content is off."""
    record(capture_content="off")
    server.then(Reply(answers.chat()))
    client.chat.complete(**CHAT)
    (span,) = provider.capture.spans
    assert not set(semconv.MESSAGES) & set(span.attributes)
    assert tokens(span) == (57, 48, 32)


def test_uninstrumented(client, server, spans):
    """Nothing is left behind."""
    instrumentation.uninstrument()
    server.then(Reply(answers.chat()))
    client.chat.complete(**CHAT)
    assert not spans()


@pytest.mark.skipif(not IS_NEW, reason="the example is for newer releases")
def test_the_example(server, tmp_path):
    """The example of the documentation runs."""
    server.then(Reply(answers.chat()), Reply(answers.chunks()))
    environment = {**os.environ, "MISTRAL_URL": url(server), "MISTRAL_API_KEY": "none", "HOME": str(tmp_path)}
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
