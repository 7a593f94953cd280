"""google-genai: what is recorded of the real SDK's calls, and that nothing of them changes."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import inspect
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from google import genai
from google.genai import errors, types
from google.oauth2.credentials import Credentials
from opentelemetry.trace import SpanKind, StatusCode

from agentops_otel import secrets, semconv
from tests.fakes.llm_server import Reply
from tests.sdks import answers_google as google
from tests.sdks.case import Case

MODEL = "gemini-2.5-flash"
ASKED = {"model": MODEL, "contents": "Capital of France?"}
EXAMPLE = Path(__file__).parents[2] / "examples" / "sdks" / "with_google_genai.py"
KEY = "plain7gateway+key/of==us"


def _undated(response):
    """The SDK shows the headers of each answer, and this one says when that was."""
    response.headers.pop("date", None)


async def _aundated(response):
    _undated(response)


def connected(address, **options):
    """A client of a server; `vertexai` makes one of Vertex AI."""
    vertexai = options.pop("vertexai", False)
    place = {"project": "proj", "location": "us-central1", "credentials": Credentials("ya29.token")}
    where = {
        "base_url": address,
        # Loading certificates takes longer than most tests.
        "client_args": {"verify": False, "event_hooks": {"response": [_undated]}},
        "async_client_args": {"verify": False, "event_hooks": {"response": [_aundated]}},
    }
    return genai.Client(
        vertexai=vertexai, http_options={**where, **options}, **(place if vertexai else {"api_key": KEY})
    )


class Connection:
    """A client for the one or the other way, that can be closed; older releases leave it to the garbage collector."""

    def __init__(self, address):
        self._client = connected(address)
        self.models = self._client.models

    def close(self):
        self._client._api_client._httpx_client.close()


class AsyncConnection:
    def __init__(self, address):
        self._client = connected(address)
        self.models = self._client.aio.models

    async def aclose(self):
        await self._client._api_client._async_httpx_client.aclose()


CONNECTED = {"provider": "gcp.gemini", "client": Connection, "async_client": AsyncConnection}
REFUSED = {"refusal": google.error("INVALID_ARGUMENT", 400), "code": "INVALID_ARGUMENT"}
CASES = [
    Case(
        "google-genai generate_content",
        f"generate_content {MODEL}",
        model=MODEL,
        tokens=(57, 48),
        call=lambda client: client.models.generate_content(**ASKED),
        answer=google.generated(),
        stream=lambda client: client.models.generate_content_stream(**ASKED),
        events=google.chunks(),
        **CONNECTED,
        **REFUSED,
    ),
    Case(
        "google-genai embed_content",
        "embeddings gemini-embedding-001",
        model="gemini-embedding-001",
        tokens=(8, None),
        call=lambda client: client.models.embed_content(model="gemini-embedding-001", contents="Paris"),
        answer=google.embedded(),
        said="",
        **CONNECTED,
        **REFUSED,
    ),
]


@pytest.fixture
async def clients(server):
    """Makes clients of the server, and closes them: `clients()` at Google AI, `clients(vertexai=True)` on Vertex AI."""
    made = []

    def make(**options):
        made.append(connected(f"http://127.0.0.1:{server.port}", **options))
        return made[-1]

    yield make
    for client in made:
        if hasattr(client, "close"):
            client.close()
            await client.aio.aclose()
        else:  # older releases leave it to the garbage collector
            client._api_client._httpx_client.close()
            await client._api_client._async_httpx_client.aclose()


class Either:
    """A client whose calls are made in the one or the other way, and read to their end."""

    def __init__(self, client, *, is_async):
        self.client = client
        self.is_async = is_async

    async def call(self, method, **arguments):
        target = self.client.aio if self.is_async else self.client
        result = getattr(target.models, method)(**arguments)
        return await _maybe(result)

    async def stream(self, **arguments):
        answer = await self.call("generate_content_stream", **{**ASKED, **arguments})
        return [chunk async for chunk in answer] if self.is_async else list(answer)


async def _maybe(value):
    return await value if inspect.isawaitable(value) else value


@pytest.fixture(params=["sync", "async"])
def either(request, clients):
    return Either(clients(), is_async=request.param == "async")


def output(span):
    return json.loads(span.attributes[semconv.OUTPUT_MESSAGES])


# ---- one call, one span ----


async def test_a_call_is_one_span_with_tokens(either, spans, server):
    """One client span says who, what and how much."""
    server.then(Reply(google.generated()))
    answer = await either.call("generate_content", **ASKED, config={"temperature": 0.5, "max_output_tokens": 9})
    assert answer.text == "Paris"
    span = spans.one()
    seen = span.attributes
    assert (span.name, span.kind) == (f"generate_content {MODEL}", SpanKind.CLIENT)
    assert span.status.status_code is StatusCode.UNSET
    assert seen[semconv.SPAN_KIND] == "llm"
    assert seen[semconv.PROVIDER_NAME] == "gcp.gemini"
    assert seen[semconv.REQUEST_MODEL] == MODEL
    assert seen[semconv.RESPONSE_MODEL] == "gemini-2.5-flash"
    assert seen[semconv.RESPONSE_ID] == "resp_1"
    assert (seen[semconv.SERVER_ADDRESS], seen[semconv.SERVER_PORT]) == ("127.0.0.1", server.port)
    assert (seen[semconv.REQUEST_TEMPERATURE], seen[semconv.REQUEST_MAX_TOKENS]) == (0.5, 9)
    assert (seen[semconv.USAGE_INPUT_TOKENS], seen[semconv.USAGE_OUTPUT_TOKENS]) == (57, 48)
    assert (seen[semconv.USAGE_CACHE_READ_TOKENS], seen[semconv.USAGE_REASONING_TOKENS]) == (32, 16)
    assert seen[semconv.RESPONSE_FINISH_REASONS] == ("stop",)
    assert json.loads(seen[semconv.INPUT_MESSAGES])[0]["parts"][0]["content"] == "Capital of France?"
    assert output(span)[0]["parts"][0]["content"] == "Paris"
    assert len(server.requests) == 1


async def test_a_stream_is_one_span_with_its_text(either, spans, server):
    """A stream read to its end is one span with the whole text and the last counts."""
    server.then(Reply(google.chunks()))
    chunks = await either.stream()
    assert [chunk.text for chunk in chunks] == ["Pa", "r", "is"]
    span = spans.one()
    seen = span.attributes
    assert seen[semconv.REQUEST_STREAM] is True
    assert seen[semconv.STREAM_OUTCOME] == "completed"
    assert seen[semconv.STREAM_CHUNKS] == 3
    assert 0 < seen[semconv.RESPONSE_TIME_TO_FIRST_CHUNK] < 60
    assert (seen[semconv.USAGE_INPUT_TOKENS], seen[semconv.USAGE_OUTPUT_TOKENS]) == (57, 48)
    assert seen[semconv.RESPONSE_FINISH_REASONS] == ("stop",)
    assert output(span)[0]["parts"] == [{"type": "text", "content": "Paris"}]
    assert len(server.requests) == 1


async def test_an_embedding_is_one_span(either, spans, server):
    """Embeddings have the tokens of their input, the length of a vector and no output."""
    server.then(Reply(google.embedded()))
    answer = await either.call("embed_content", model="gemini-embedding-001", contents=["Paris", "Rome"])
    assert answer.embeddings[0].values == [0.25, -0.5, 1.0, 0.0]
    span = spans.one()
    assert span.name == "embeddings gemini-embedding-001"
    assert span.attributes[semconv.USAGE_INPUT_TOKENS] == 8
    assert semconv.USAGE_OUTPUT_TOKENS not in span.attributes
    assert span.attributes[semconv.EMBEDDINGS_DIMENSION_COUNT] == 4
    assert "Rome" in span.attributes[semconv.INPUT_MESSAGES]


def test_what_is_no_call_is_no_span(clients, spans, server):
    """Counted tokens and lists of models are requests of the SDK, and no calls of a model."""
    client = clients()
    server.then(Reply({"totalTokens": 5}), Reply({"models": [{"name": "models/x"}]}))
    assert client.models.count_tokens(**ASKED).total_tokens == 5
    assert [model.name for model in client.models.list()] == ["models/x"]
    assert spans() == []


# ---- Vertex AI ----


def test_vertex_is_another_provider(clients, spans, server):
    """The publisher stands in the path, and the provider is Vertex AI."""
    server.then(Reply(google.generated(usageMetadata={**google.USAGE, "trafficType": "ON_DEMAND"})))
    assert clients(vertexai=True).models.generate_content(**ASKED).text == "Paris"
    assert server.requests[0].path.endswith(f"/publishers/google/models/{MODEL}:generateContent")
    span = spans.one()
    assert span.name == f"generate_content {MODEL}"
    assert span.attributes[semconv.PROVIDER_NAME] == "gcp.vertex_ai"
    assert span.attributes[semconv.RESPONSE_SERVICE_TIER] == "on_demand"
    assert "ya29.token" not in str(span.attributes)


def test_vectors_of_vertex(clients, spans, server):
    """Vertex AI counts the tokens of each vector."""
    server.then(Reply(google.predicted(3, 5)))
    clients(vertexai=True).models.embed_content(model="text-embedding-005", contents=["Paris", "Rome"])
    span = spans.one()
    assert span.name == "embeddings text-embedding-005"
    assert span.attributes[semconv.USAGE_INPUT_TOKENS] == 8


@pytest.mark.filterwarnings("ignore:The generate_images method")
def test_pictures_of_vertex(clients, spans, server):
    """Pictures are references, and their prompt is the input."""
    server.then(Reply({"predictions": [{"bytesBase64Encoded": google.PNG, "mimeType": "image/png"}]}))
    answer = clients(vertexai=True).models.generate_images(
        model="imagen-4.0-generate-001", prompt="A cat.", config={"number_of_images": 1}
    )
    assert answer.generated_images[0].image.image_bytes
    span = spans.one()
    assert span.name == "generate_content imagen-4.0-generate-001"
    assert span.attributes[semconv.OUTPUT_TYPE] == "image"
    assert output(span)[0]["parts"][0]["modality"] == "image"
    assert google.PNG not in str(span.attributes)


# ---- what is said ----


def test_a_chat_records_what_went_before(clients, spans, server):
    """Each message of a chat is one call with the whole conversation as its input."""
    server.then(Reply(google.generated()), Reply(google.generated(google.candidate({"text": "Rome"}))))
    chat = clients().chats.create(model=MODEL, config={"system_instruction": "Be brief."})
    chat.send_message("Capital of France?")
    chat.send_message("Of Italy?")
    first, second = spans()
    roles = [message["role"] for message in json.loads(second.attributes[semconv.INPUT_MESSAGES])]
    assert roles == ["user", "assistant", "user"]
    assert json.loads(first.attributes[semconv.SYSTEM_INSTRUCTIONS])[0]["content"] == "Be brief."


def test_functions_that_the_sdk_calls(clients, spans, server):
    """Each of the requests that automatic function calling makes is a span."""
    calls = [{"functionCall": {"name": "weather", "args": {"city": city}}} for city in ("Paris", "Rome")]
    server.then(Reply(google.generated(google.candidate(*calls))), Reply(google.generated()))
    asked = []

    def weather(city):
        """The weather in a city."""
        asked.append(city)
        return "sunny"

    weather.__annotations__ = {"city": str, "return": str}  # older releases want types, not their names

    clients().models.generate_content(**ASKED, config={"tools": [weather]})
    assert asked == ["Paris", "Rome"]
    first, second = spans()
    (message,) = output(first)
    assert message["finish_reason"] == "tool_call"
    assert [part["arguments"]["city"] for part in message["parts"]] == asked
    assert json.loads(first.attributes[semconv.TOOL_DEFINITIONS])[0]["name"] == "weather"
    answers = json.loads(second.attributes[semconv.INPUT_MESSAGES])[-1]
    assert answers["role"] == "tool"
    assert len(answers["parts"]) == 2
    assert len(server.requests) == 2


def test_structured_output(clients, spans, server):
    """A schema for the answer is an output of JSON."""
    server.then(Reply(google.generated(google.candidate({"text": '{"city": "Paris"}'}))))
    schema = {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}}
    config = {"response_mime_type": "application/json", "response_schema": schema}
    answer = clients().models.generate_content(**ASKED, config=config)
    assert json.loads(answer.text) == {"city": "Paris"}
    assert spans.one().attributes[semconv.OUTPUT_TYPE] == "json"


def test_thoughts_are_reasoning(clients, spans, server):
    """Thoughts are parts of their own."""
    server.then(Reply(google.generated(google.candidate({"text": "Hm.", "thought": True}, {"text": "Paris"}))))
    clients().models.generate_content(**ASKED)
    assert [part["type"] for part in output(spans.one())[0]["parts"]] == ["reasoning", "text"]


def test_media_are_references(clients, spans, server):
    """Bytes that go out are recorded as a reference; the server gets them."""
    server.then(Reply(google.generated()))
    picture = types.Part.from_bytes(data=b"\x89PNG\r\n\x1a\n" + b"\xfb\xef" * 40, mime_type="image/png")
    clients().models.generate_content(model=MODEL, contents=["Look", picture])
    sent = server.requests[0].body["contents"][0]["parts"][1]["inlineData"]
    span = spans.one()
    reference = json.loads(span.attributes[semconv.INPUT_MESSAGES])[0]["parts"][1]
    assert reference["mime_type"] == "image/png"
    assert reference["bytes"] == 88
    assert sent["data"] not in str(span.attributes)


async def test_a_blocked_prompt_is_no_failure(either, spans, server):
    """The answer says what blocked it."""
    server.then(Reply(google.blocked()))
    answer = await either.call("generate_content", **ASKED)
    assert answer.candidates is None
    span = spans.one()
    assert span.status.status_code is StatusCode.UNSET
    assert span.attributes[semconv.RESPONSE_FINISH_REASONS] == ("prohibited_content",)
    assert output(span)[0]["finish_reason"] == "content_filter"


def test_content_can_be_off(clients, record, provider, server):
    """Without content a span has its numbers and no text."""
    record(capture_content="off")
    server.then(Reply(google.generated()))
    clients().models.generate_content(**ASKED)
    (span,) = provider.capture.spans
    assert span.attributes[semconv.USAGE_INPUT_TOKENS] == 57
    assert "Paris" not in str(span.attributes)
    assert "France" not in str(span.attributes)


# ---- failures ----


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(google.error("INVALID_ARGUMENT", 400), status=400), "INVALID_ARGUMENT"),
        (Reply(google.error(), status=429), "RESOURCE_EXHAUSTED"),
        (Reply(google.error("UNAVAILABLE", 503), status=503), "UNAVAILABLE"),
        (Reply(b"<html>Bad Gateway</html>", 502, {"content-type": "text/html"}), "502"),
    ],
)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_a_refused_call_is_one_failed_span(reply, kind, stream, either, spans, server):
    """An error status is the SDK's own exception, and one failed span with the provider's status."""
    server.then(reply)
    with pytest.raises(errors.APIError) as caught:
        await (either.stream() if stream else either.call("generate_content", **ASKED))
    assert caught.value.code == reply.status
    span = spans.one()
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes[semconv.ERROR_TYPE] == kind
    assert [event.name for event in span.events] == ["exception"]
    assert len(server.requests) == 1


async def test_an_error_inside_of_a_stream(either, spans, server):
    """An error in a chunk of a 200 fails the span, whether the SDK raises it or hands it over, and keeps what came."""
    server.then(Reply([google.chunks()[0], google.error("UNAVAILABLE", 503)]))
    with contextlib.suppress(errors.APIError):
        await either.stream()
    span = spans.one()
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes[semconv.ERROR_TYPE] == "UNAVAILABLE"
    assert span.attributes[semconv.STREAM_OUTCOME] == "failed"
    assert output(span)[0]["parts"][0]["content"] == "Pa"
    assert semconv.USAGE_OUTPUT_TOKENS not in span.attributes


async def test_a_connection_lost_in_mid_stream(either, spans, server):
    """A stream that breaks off fails the span; there is no count of its output."""
    server.then(Reply(google.chunks(), cut=2))
    with pytest.raises(Exception) as caught:
        await either.stream()
    assert not isinstance(caught.value, errors.APIError)
    seen = spans.one().attributes
    assert seen[semconv.STREAM_OUTCOME] == "failed"
    assert seen[semconv.USAGE_INPUT_TOKENS] == 57
    assert semconv.USAGE_OUTPUT_TOKENS not in seen


async def test_connection_refused(either, spans, server):
    """A server that is not there is one failed span."""
    with pytest.raises(Exception) as caught:
        await either.call("generate_content", **ASKED, config={"http_options": {"base_url": "http://127.0.0.1:1"}})
    seen = spans.one().attributes
    assert seen[semconv.ERROR_TYPE].endswith(type(caught.value).__name__)
    assert seen[semconv.SERVER_PORT] == 1


@pytest.mark.skipif(not hasattr(types, "HttpRetryOptions"), reason="this release sends no request again")
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_retries_are_one_span_that_counts_them(stream, either, spans, server):
    """What the SDK sends again is the same call, whether it ends well or not."""
    options = {"attempts": 3, "initial_delay": 0.01, "max_delay": 0.02}
    config = {"http_options": {"retry_options": options}}
    refused = Reply(google.error("UNAVAILABLE", 503), status=503)
    answer = Reply(google.chunks()) if stream else Reply(google.generated())
    server.then(refused, refused, answer, refused, refused, refused)
    for _ in range(2):
        with contextlib.suppress(errors.APIError):
            await (either.stream(config=config) if stream else either.call("generate_content", **ASKED, config=config))
    first, second = spans()
    assert first.status.status_code is StatusCode.UNSET
    assert second.attributes[semconv.ERROR_TYPE] == "UNAVAILABLE"
    assert first.attributes[semconv.RESEND_COUNT] == second.attributes[semconv.RESEND_COUNT] == 2
    assert len(server.requests) == 6


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_the_tier_of_a_header(stream, either, spans, server):
    """Google AI says in a header which tier has served the call."""
    answer = google.chunks() if stream else google.generated()
    server.then(Reply(answer, headers={"x-gemini-service-tier": "flex"}))
    await (either.stream() if stream else either.call("generate_content", **ASKED))
    tier = spans.one().attributes.get(semconv.RESPONSE_SERVICE_TIER)
    assert tier == ("flex" if hasattr(types, "SdkHttpResponse") or hasattr(types, "HttpResponse") else None)


def test_an_argument_that_is_not_valid_is_no_call(clients, spans, server):
    """What the SDK itself refuses never was a request."""
    with pytest.raises(ValueError):
        clients().models.generate_content(**ASKED, config={"temperature": "hot"})
    assert spans() == []


@pytest.mark.usefixtures("spans")
def test_a_key_is_in_no_text(clients, server):
    """What a client lets itself in with is taken out of every text from then on."""
    server.then(Reply(google.error("INVALID_ARGUMENT", 400, f"API key not valid: {KEY}"), status=400))
    with pytest.raises(errors.APIError) as caught:
        clients().models.generate_content(**ASKED)
    assert KEY in str(caught.value)
    assert KEY not in secrets.scrub(str(caught.value))


# ---- streams that are not read to their end ----


def test_a_stream_that_nobody_reads_is_no_call(clients, spans, server):
    """The SDK asks the server at the first `next()`: without it there was no call."""
    stream = clients().models.generate_content_stream(**ASKED)
    assert inspect.isgenerator(stream)
    stream.close()
    assert server.requests == []
    assert spans() == []


def test_a_stream_that_is_left(clients, spans, server):
    """A stream that is closed or dropped ends its span with what came, and without an output count."""
    server.then(Reply(google.chunks(), gap=0.01), Reply(google.chunks(), gap=0.01))
    client = clients()
    for chunk in client.models.generate_content_stream(**ASKED):
        assert chunk.text == "Pa"
        break
    stream = client.models.generate_content_stream(**ASKED)
    next(stream)
    stream.close()
    gc.collect()
    found = spans()
    assert len(found) == 2
    for span in found:
        assert span.attributes[semconv.STREAM_OUTCOME] in ("closed", "abandoned")
        assert span.attributes[semconv.STREAM_CHUNKS] == 1
        assert span.status.status_code is StatusCode.UNSET
        assert semconv.USAGE_OUTPUT_TOKENS not in span.attributes


async def test_an_async_stream_that_is_left(clients, spans, server):
    """The same for an asynchronous one."""
    server.then(Reply(google.chunks(), gap=0.01))
    stream = await clients().aio.models.generate_content_stream(**ASKED)
    async for _chunk in stream:
        break
    await stream.aclose()
    del stream
    gc.collect()
    await asyncio.sleep(0.05)
    assert spans.one().attributes[semconv.STREAM_OUTCOME] in ("closed", "abandoned")


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_a_cancelled_call(stream, clients, spans, server):
    """A task that is cancelled is no error of the call."""
    server.then(Reply(google.chunks()[:1], hang=True) if stream else Reply(google.generated(), delay=5))
    either = Either(clients(), is_async=True)
    task = asyncio.ensure_future(either.stream() if stream else either.call("generate_content", **ASKED))
    await asyncio.sleep(0.3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    span = spans.one()
    assert span.attributes[semconv.CANCELLED] is True
    assert span.status.status_code is StatusCode.UNSET


# ---- nothing changes ----


async def test_results_are_the_same_without_us(either, record, server):
    """Types, results and what the server gets are equal with and without recording."""

    async def use():
        server.then(Reply(google.generated()), Reply(google.chunks()), Reply(google.embedded()))
        answer = await either.call("generate_content", **ASKED, config={"temperature": 0})
        stream = await either.call("generate_content_stream", **ASKED)
        chunks = [chunk async for chunk in stream] if either.is_async else list(stream)
        vectors = await either.call("embed_content", model="gemini-embedding-001", contents="Paris")
        sent = [(request.method, request.path, request.raw) for request in server.requests]
        server.requests.clear()
        found = [answer.model_dump(exclude={"sdk_http_response"}), vectors.model_dump(exclude={"sdk_http_response"})]
        found += [chunk.model_dump(exclude={"sdk_http_response"}) for chunk in chunks]
        return type(answer), type(stream), found, sent

    before = await use()
    record()
    assert await use() == before


async def test_calls_side_by_side(clients, spans, server):
    """Streams that are read in turns are spans of their own, each with its own text."""
    server.then(Reply(google.chunks()), Reply([google.generated(google.candidate({"text": "Rome"}))]))
    client = clients()
    first = client.models.generate_content_stream(**ASKED)
    second = client.models.generate_content_stream(**ASKED)
    next(first), next(second)
    assert len([*first]) == 2
    assert [*second] == []
    texts = {output(span)[0]["parts"][0]["content"] for span in spans()}
    assert texts == {"Paris", "Rome"}


# ---- the example ----


def test_the_example(server, tmp_path):
    """The example runs as it stands; its calls are in the session's trace."""
    pytest.importorskip("google.rpc", reason="the fake backend needs it")
    from tests.fakes.fault_server import FaultServer

    call = {"functionCall": {"name": "weather", "args": {"city": "Paris"}}}
    server.then(Reply(google.generated(google.candidate(call))), Reply(google.chunks()))
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("GOOGLE_", "GEMINI_"))}
    with FaultServer() as backend:
        where = {"GOOGLE_GEMINI_BASE_URL": f"http://127.0.0.1:{server.port}", "GOOGLE_API_KEY": KEY}
        done = subprocess.run(
            [sys.executable, str(EXAMPLE)],
            env={**clean, **where, "OTEL_EXPORTER_OTLP_ENDPOINT": backend.url},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stdout) == (0, "{'city': 'Paris'}\nParis"), done.stderr
        assert sorted(span.name for span in backend.spans()) == [f"generate_content {MODEL}"] * 2 + ["session"]
        assert "internal error" not in done.stderr
