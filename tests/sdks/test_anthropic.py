"""The `anthropic` package against a server on loopback: its own API, the clouds, streams, tools and failures."""

from __future__ import annotations

import asyncio
import gc
import inspect
import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import anthropic
import pytest
from anthropic._models import FinalRequestOptions
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.trace import StatusCode

import agentops_otel
from agentops_otel import guard, pricing, semconv
from agentops_otel.instrumentation import anthropic as sdk
from tests.fakes import event_stream
from tests.fakes.llm_server import Reply
from tests.fakes.odd_json import ANY, ODD, paths, replaced
from tests.sdks import answers_anthropic as answers
from tests.sdks.answers_anthropic import HELLO, TEXT, THINKING, WEATHER
from tests.sdks.case import Case

EXAMPLE = Path(__file__).parents[2] / "examples" / "sdks" / "with_anthropic.py"
AWS = {"aws_access_key": "AKIAIOSFODNN7EXAMPLE", "aws_secret_key": "none", "aws_region": "us-east-1"}
# Class, its arguments, what its address ends with, and who answers.
CLIENTS = {
    "Anthropic": ({"api_key": "none"}, "", "anthropic"),
    "AnthropicBedrock": (AWS, "", "aws.bedrock"),
    "AnthropicBedrockMantle": ({"api_key": "none", "aws_region": "us-east-1"}, "/anthropic", "aws.bedrock"),
    "AnthropicVertex": ({"region": "us-east5", "project_id": "p", "access_token": "none"}, "/v1", "gcp.vertex_ai"),
    "AnthropicFoundry": ({"api_key": "none"}, "/anthropic", "azure.ai.inference"),
    "AnthropicAWS": ({"api_key": "none", "workspace_id": "w"}, "", "anthropic"),
    "AnthropicGoogleCloud": ({"token_provider": lambda: "none", "workspace_id": "w"}, "", "anthropic"),
}
needs_tracing = pytest.mark.skipif(
    "span_name" not in FinalRequestOptions.model_fields, reason="this release does not trace itself"
)


def _case(name, call, stream):
    def client(kind):
        return lambda address: kind(api_key="none", base_url=address, max_retries=0)

    return Case(
        name=f"anthropic {name}",
        span="chat claude-opus-4-8",
        provider="anthropic",
        model="claude-opus-4-8",
        tokens=(73, 48),
        client=client(anthropic.Anthropic),
        async_client=client(anthropic.AsyncAnthropic),
        call=call,
        answer=answers.tools(),
        stream=stream,
        events=answers.events(answers.tools()),
        refusal=answers.error("invalid_request_error"),
        code="invalid_request_error",
    )


CASES = [
    _case("messages", lambda c: c.messages.create(**HELLO), lambda c: c.messages.create(**HELLO, stream=True)),
    _case("beta", lambda c: c.beta.messages.create(**HELLO), lambda c: c.beta.messages.create(**HELLO, stream=True)),
]


def made(name, server, *, asynchronous=False, **more):
    """A client of a class, which is not in every release."""
    kind = getattr(anthropic, f"Async{name}" if asynchronous else name, None)
    if kind is None:
        pytest.skip(f"this release has no {name}")
    arguments, path, _ = CLIENTS[name]
    if asynchronous and "token_provider" in arguments:
        arguments = {**arguments, "token_provider": _token}
    http = anthropic.DefaultAsyncHttpxClient if asynchronous else anthropic.DefaultHttpxClient
    url = server.url.removesuffix("/v1") + path
    # Loading certificates takes longer than most tests.
    return kind(**arguments, base_url=url, max_retries=0, http_client=http(verify=False), **more)


async def _token():
    return "none"


@pytest.fixture
def client(server):
    with made("Anthropic", server) as client:
        yield client


@pytest.fixture
async def async_client(server):
    async with made("Anthropic", server, asynchronous=True) as client:
        yield client


@pytest.fixture(params=["sync", "async"])
def either(request, client, async_client):
    """The client, and then the async one, for what must hold for both."""
    return client if request.param == "sync" else async_client


def reply(body, **more):
    """A reply with the headers of the API."""
    return Reply(body, headers={**answers.HEADERS, **more.pop("headers", {})}, **more)


def text_of(span):
    (message,) = json.loads(span.attributes[semconv.OUTPUT_MESSAGES])
    return "".join(part["content"] for part in message["parts"] if part["type"] == "text")


async def finished(value):
    return await value if inspect.isawaitable(value) else value


async def drained(stream):
    return [item async for item in stream] if hasattr(stream, "__aiter__") else list(stream)


def tokens(span):
    names = (semconv.USAGE_INPUT_TOKENS, semconv.USAGE_OUTPUT_TOKENS, semconv.USAGE_CACHE_READ_TOKENS)
    return tuple(span.attributes.get(name) for name in names)


# ---- calls ----


@pytest.mark.parametrize("mode", ["plain", "raw", "streaming-raw", "beta", "beta-raw"])
async def test_a_call_is_one_span(mode, either, server, spans):
    """However a message is asked for, there is one span with who, what, how much, and what was said."""
    server.then(reply(answers.tools()))
    messages = either.beta.messages if mode.startswith("beta") else either.messages
    if mode == "streaming-raw":
        manager = messages.with_streaming_response.create(**HELLO)
        if hasattr(manager, "__aenter__"):
            async with manager as raw:
                message = await raw.parse()
        else:
            with manager as raw:
                message = raw.parse()
    elif mode.endswith("raw"):
        raw = await finished(messages.with_raw_response.create(**HELLO))
        assert raw.headers["request-id"] == "req_1"
        message = await finished(raw.parse())
    else:
        message = await finished(messages.create(**HELLO))
    assert message.usage.input_tokens == 25
    span = spans.one()
    seen = span.attributes
    assert span.name == "chat claude-opus-4-8"
    assert span.status.status_code is StatusCode.UNSET
    assert seen[semconv.PROVIDER_NAME] == "anthropic"
    assert seen[semconv.REQUEST_MODEL] == "claude-opus-4-8"
    assert seen[semconv.RESPONSE_MODEL] == answers.MODEL
    assert seen[semconv.REQUEST_MAX_TOKENS] == 64
    assert (seen[semconv.SERVER_ADDRESS], seen[semconv.SERVER_PORT]) == ("127.0.0.1", server.port)
    assert seen[semconv.RESPONSE_FINISH_REASONS] == ("tool_use",)
    assert seen[semconv.REQUEST_ID] == "req_1"
    assert seen[semconv.RATELIMIT_REMAINING_REQUESTS] == 99
    assert seen[semconv.RATELIMIT_REMAINING_TOKENS] == 149000
    assert seen[semconv.RESPONSE_SERVICE_TIER] == "standard"
    assert tokens(span) == (73, 48, 32)
    assert seen[semconv.USAGE_CACHE_CREATION_TOKENS] == 16
    assert seen[semconv.USAGE_REASONING_TOKENS] == 20
    (output,) = json.loads(seen[semconv.OUTPUT_MESSAGES])
    assert [part["type"] for part in output["parts"]] == ["reasoning", "text", "tool_call", "tool_call"]
    assert [part["id"] for part in output["parts"][2:]] == ["toolu_0", "toolu_1"]
    (request,) = server.requests
    assert request.body == HELLO


@pytest.mark.parametrize("mode", ["plain", "raw", "streaming-raw", "beta"])
async def test_a_stream_is_one_span(mode, either, server, spans):
    """A stream read to its end is one span with all of its text and the counts of its end."""
    server.then(reply(answers.events(answers.tools())))
    messages = either.beta.messages if mode == "beta" else either.messages
    if mode == "streaming-raw":
        manager = messages.with_streaming_response.create(**HELLO, stream=True)
        if hasattr(manager, "__aenter__"):
            async with manager as raw:
                items = await drained(await raw.parse())
        else:
            with manager as raw:
                items = await drained(raw.parse())
    elif mode == "raw":
        raw = await finished(messages.with_raw_response.create(**HELLO, stream=True))
        items = await drained(await finished(raw.parse()))
    else:
        items = await drained(await finished(messages.create(**HELLO, stream=True)))
    assert items[-1].type == "message_stop"
    span = spans.one()
    seen = span.attributes
    assert seen[semconv.REQUEST_STREAM] is True
    assert seen[semconv.STREAM_OUTCOME] == "completed"
    assert seen[semconv.STREAM_CHUNKS] >= len(items)
    assert 0 < seen[semconv.RESPONSE_TIME_TO_FIRST_CHUNK] < 60
    assert seen[semconv.RESPONSE_FINISH_REASONS] == ("tool_use",)
    assert tokens(span) == (73, 48, 32)
    assert seen[semconv.USAGE_REASONING_TOKENS] == 20
    assert text_of(span) == "Paris"
    (output,) = json.loads(seen[semconv.OUTPUT_MESSAGES])
    assert output["parts"][2]["arguments"] == {"city": "Paris"}


@pytest.mark.parametrize("beta", [False, True])
async def test_the_stream_helper(beta, either, server, spans):
    """`messages.stream()` is one span too, and its final message is the whole one."""
    server.then(reply(answers.events(answers.message(THINKING, TEXT))))
    messages = either.beta.messages if beta else either.messages
    manager = messages.stream(**HELLO)
    if hasattr(manager, "__aenter__"):
        async with manager as stream:
            text = "".join([piece async for piece in stream.text_stream])
            final = await stream.get_final_message()
    else:
        with manager as stream:
            text = "".join(stream.text_stream)
            final = stream.get_final_message()
    assert text == "Paris"
    assert final.content[0].thinking == "France, so Paris"
    span = spans.one()
    assert span.attributes[semconv.STREAM_OUTCOME] == "completed"
    assert text_of(span) == "Paris"
    assert tokens(span) == (73, 48, 32)


@pytest.mark.parametrize("name", CLIENTS)
@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_the_clients_of_clouds(name, asynchronous, stream, server, spans):
    """Each client is recorded with the provider that answers, whatever path and body its cloud wants."""
    client = made(name, server, asynchronous=asynchronous)
    body = answers.events() if stream else answers.message()
    if stream and name == "AnthropicBedrock":
        server.then(reply(b"".join(event_stream.chunks(body)), headers=event_stream.CONTENT_TYPE))
    else:
        server.then(reply(body))
    result = await finished(client.messages.create(**HELLO, stream=stream))
    if stream:
        assert [item.type for item in await drained(result)][-1] == "message_stop"
    else:
        assert result.content[0].text == "Paris"
    await finished(client.close())
    span = spans.one()
    assert span.name == "chat claude-opus-4-8"
    assert span.attributes[semconv.PROVIDER_NAME] == CLIENTS[name][2]
    assert text_of(span) == "Paris"
    assert tokens(span) == (73, 48, 32)
    assert "Capital of France?" in span.attributes[semconv.INPUT_MESSAGES]
    assert len(server.requests) == 1


def test_bought_capacity_of_bedrock_has_no_price(server, spans):
    """The answer names the base model, whose price it does not have."""
    arn = "arn:aws:bedrock:us-east-1:123456789012:provisioned-model/abc123def456"
    server.then(reply(answers.message()))
    with made("AnthropicBedrock", server) as client:
        client.messages.create(**{**HELLO, "model": arn})
    seen = spans.one().attributes
    assert (seen[semconv.REQUEST_MODEL], seen[semconv.RESPONSE_MODEL]) == (arn, answers.message()["model"])
    assert semconv.COST_AMOUNT not in seen
    assert pricing.span_cost(seen) is None


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
async def test_a_raw_stream_of_bedrock(asynchronous, server, spans):
    """Bedrock's raw streams are AWS event streams, and are read along as they are."""
    client = made("AnthropicBedrock", server, asynchronous=asynchronous)
    data = b"".join(event_stream.chunks(answers.events()))
    server.then(reply(data, headers=event_stream.CONTENT_TYPE))
    manager = client.messages.with_streaming_response.create(**HELLO, stream=True)
    if asynchronous:
        async with manager as raw:
            got = b"".join([piece async for piece in raw.iter_bytes()])
    else:
        with manager as raw:
            got = b"".join(raw.iter_bytes())
    await finished(client.close())
    assert got == data
    span = spans.one()
    assert span.attributes[semconv.STREAM_OUTCOME] == "completed"
    assert text_of(span) == "Paris"
    assert tokens(span) == (73, 48, 32)


def test_an_exception_in_a_raw_stream_of_bedrock(server, spans):
    """What ends Bedrock's event stream as an exception fails the span with AWS's code."""
    pieces = [*event_stream.chunks(answers.events()[:4]), event_stream.exception("throttlingException")]
    server.then(reply(b"".join(pieces), headers=event_stream.CONTENT_TYPE))
    with (
        made("AnthropicBedrock", server) as client,
        client.messages.with_streaming_response.create(**HELLO, stream=True) as raw,
    ):
        raw.read()
    span = spans.one()
    assert span.attributes[semconv.ERROR_TYPE] == "throttlingException"
    assert text_of(span) == "Pa"


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("api.anthropic.com", "anthropic"),
        ("localhost", "anthropic"),
        ("api.deepseek.com", "deepseek"),
        ("openrouter.ai", "openrouter"),
    ],
)
def test_other_hosts_have_their_own_name(host, name):
    """A host that speaks Anthropic's API keeps its provider's name, and with it its prices."""
    assert sdk.provider(anthropic.Anthropic, host) == name


async def test_what_is_no_call(either, server, spans):
    """Counting tokens, batches and lists of models make no span."""
    server.then(reply({"input_tokens": 5}), reply({"data": [], "has_more": False}), reply({"data": []}))
    messages = {"messages": HELLO["messages"], "model": HELLO["model"]}
    counted = await finished(either.messages.count_tokens(**messages))
    await finished(either.messages.batches.list())
    await finished(either.models.list())
    assert counted.input_tokens == 5
    assert spans() == []


async def test_iterators_are_consumed_once_and_recorded(either, server, spans):
    """Messages and tools that come from iterators go out as they would, and are on the span."""
    tool = {"name": "weather", "input_schema": {"type": "object"}}
    server.then(reply(answers.message()))
    await finished(
        either.messages.create(**{**HELLO, "messages": iter(HELLO["messages"]), "tools": (each for each in [tool])})
    )
    seen = spans.one().attributes
    assert server.requests[0].body["messages"] == HELLO["messages"]
    assert server.requests[0].body["tools"] == [tool]
    assert "Capital of France?" in seen[semconv.INPUT_MESSAGES]
    assert json.loads(seen[semconv.TOOL_DEFINITIONS])[0]["name"] == "weather"


async def test_a_body_beside_the_arguments(either, server, spans):
    """What `extra_body` adds is sent and read like the rest."""
    server.then(reply(answers.message()))
    await finished(either.messages.create(**HELLO, extra_body={"top_k": 5}))
    assert server.requests[0].body["top_k"] == 5
    assert spans.one().attributes[semconv.REQUEST_TOP_K] == 5


def test_a_conversation_goes_on_with_what_the_model_said(client, server, spans):
    """The SDK's own blocks may be handed back; calls and results are matched by their ids."""
    server.then(reply(answers.tools()), reply(answers.message()))
    first = client.messages.create(**HELLO)
    result = {"type": "tool_result", "tool_use_id": "toolu_0", "content": "sunny"}
    history = [
        *HELLO["messages"],
        {"role": "assistant", "content": first.content},
        {"role": "user", "content": [result]},
    ]
    client.messages.create(**{**HELLO, "messages": history})
    _, second = spans()
    asked = json.loads(second.attributes[semconv.INPUT_MESSAGES])
    assert [message["role"] for message in asked] == ["user", "assistant", "tool"]
    assert asked[1]["parts"][2]["id"] == asked[2]["parts"][0]["id"] == "toolu_0"


def test_pictures_are_not_on_the_span(client, server, spans):
    """A picture is a reference: type, size and digest."""
    data = "iVBORw0KGgo" * 40 + "AAAA"
    source = {"type": "base64", "media_type": "image/png", "data": data}
    server.then(reply(answers.message()))
    content = [{"type": "image", "source": source}, TEXT]
    client.messages.create(**{**HELLO, "messages": [{"role": "user", "content": content}]})
    seen = spans.one().attributes
    assert data[:200] not in str(seen)
    assert json.loads(seen[semconv.INPUT_MESSAGES])[0]["parts"][0]["modality"] == "image"


@pytest.mark.skipif(not hasattr(anthropic.resources.Messages, "parse"), reason="not in this release")
def test_structured_output(client, server, spans):
    """An answer that is parsed into a model is one span that says so."""
    from pydantic import BaseModel

    class City(BaseModel):
        name: str

    server.then(reply(answers.message({"type": "text", "text": '{"name":"Paris"}'})))
    parsed = client.messages.parse(**HELLO, output_format=City)
    assert parsed.parsed_output == City(name="Paris")
    assert spans.one().attributes[semconv.OUTPUT_TYPE] == "json"


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_the_program_sees_no_difference(stream, either, server, record):
    """Answers and requests are the same with and without recording."""
    seen = []
    for recording in (True, False):
        if recording:
            record()
        else:
            agentops_otel.uninstrument("anthropic")
        server.then(reply(answers.events(answers.tools()) if stream else answers.tools()))
        result = await finished(either.messages.create(**HELLO, stream=stream))
        items = await drained(result) if stream else [result]
        request = server.requests.pop()
        headers = {name: value for name, value in request.headers.items() if name != "idempotency-key"}
        seen.append((type(result), [item.model_dump() for item in items], request.path, headers, request.raw))
    assert seen[0] == seen[1]


# ---- ends ----


async def test_a_stream_closed_early(either, server, spans):
    """A stream that was left has its text so far and its input, and no output count."""
    server.then(reply(answers.events()))
    stream = await finished(either.messages.create(**HELLO, stream=True))
    seen = 0
    if hasattr(stream, "__aiter__"):
        async for _ in stream:
            seen += 1
            if seen == 3:
                break
    else:
        for _ in stream:
            seen += 1
            if seen == 3:
                break
    await finished(stream.close())
    span = spans.one()
    assert span.attributes[semconv.STREAM_OUTCOME] == "closed"
    assert span.status.status_code is StatusCode.UNSET
    assert text_of(span) == "Pa"
    assert tokens(span) == (73, None, 32)


async def test_a_helper_left_early(either, server, spans):
    """Leaving the block of `messages.stream()` ends the span."""
    server.then(reply(answers.events()))
    manager = either.messages.stream(**HELLO)
    if hasattr(manager, "__aenter__"):
        async with manager as stream:
            await stream.__anext__()
    else:
        with manager as stream:
            next(stream)
    assert spans.one().attributes[semconv.STREAM_OUTCOME] == "closed"


def test_an_abandoned_stream(client, server, spans):
    """A stream that nobody reads any more ends when it is garbage."""
    server.then(reply(answers.events()))
    stream = client.messages.create(**HELLO, stream=True)
    next(stream)
    del stream
    gc.collect()
    assert spans.one().attributes[semconv.STREAM_OUTCOME] == "abandoned"


async def test_a_cancelled_stream(async_client, server, spans):
    """A stream cancelled while it waits is no error."""
    server.then(reply(answers.events()[:5], hang=True))

    async def read():
        return await drained(await async_client.messages.create(**HELLO, stream=True))

    task = asyncio.ensure_future(read())
    await asyncio.sleep(0.2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    span = spans.one()
    assert span.attributes[semconv.STREAM_OUTCOME] == "cancelled"
    assert span.status.status_code is StatusCode.UNSET
    assert tokens(span)[1] is None


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(
    ("status", "code", "name"),
    [
        (400, "invalid_request_error", "BadRequestError"),
        (401, "authentication_error", "AuthenticationError"),
        (404, "not_found_error", "NotFoundError"),
        (429, "rate_limit_error", "RateLimitError"),
        (529, "overloaded_error", "APIStatusError"),
    ],
)
async def test_a_refusal_has_the_providers_code(status, code, name, stream, either, server, spans):
    """A status that is an error is the SDK's exception, and one failed span with the API's own code."""
    server.then(reply(answers.error(code), status=status))
    with pytest.raises(getattr(anthropic, name)):
        await finished(either.messages.create(**HELLO, stream=stream))
    span = spans.one()
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes[semconv.ERROR_TYPE] == code
    assert span.attributes[semconv.REQUEST_ID] == "req_1"


def test_a_refusal_of_a_cloud_has_its_code(server, spans):
    """Bedrock says its code in a header, Vertex AI as the status of the error."""
    server.then(
        reply({"message": "no"}, status=429, headers={"x-amzn-errortype": "ThrottlingException:http://x/"}),
        reply({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "no"}}, status=429),
        reply(b"<html>", status=502),
    )
    for name in ("AnthropicBedrock", "AnthropicVertex", "AnthropicVertex"):
        with made(name, server) as client, pytest.raises(anthropic.APIStatusError):
            client.messages.create(**HELLO)
    first, second, third = (span.attributes[semconv.ERROR_TYPE] for span in spans())
    assert (first, second) == ("ThrottlingException", "RESOURCE_EXHAUSTED")
    assert third == "anthropic.InternalServerError"


@pytest.mark.parametrize("body", [None, [], "no", 5, {}, {"error": 5}, {"error": {"type": 5}}, {"error": {"type": ""}}])
def test_a_refusal_without_a_code_has_the_name_of_its_class(body, client, server, spans):
    """Whatever JSON a refusal is, it is the SDK's exception, and nothing is invented."""
    server.then(reply(body, status=400))
    with pytest.raises(anthropic.BadRequestError):
        client.messages.create(**HELLO)
    assert spans.one().attributes[semconv.ERROR_TYPE] == "anthropic.BadRequestError"


@pytest.mark.parametrize("mode", ["plain", "raw"])
async def test_an_error_inside_a_stream(mode, either, async_client, server, spans):
    """An error event after the first words fails the span, which keeps what had come."""
    server.then(reply([*answers.events()[:4], answers.error("overloaded_error")]))
    messages = either.messages.with_raw_response if mode == "raw" else either.messages
    result = await finished(messages.create(**HELLO, stream=True))
    with pytest.raises(anthropic.APIStatusError):
        await drained(await finished(result.parse()) if mode == "raw" else result)
    if mode == "raw":  # which older releases leave open
        await finished(getattr(result.http_response, "aclose" if either is async_client else "close")())
    span = spans.one()
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes[semconv.ERROR_TYPE] == "overloaded_error"
    assert span.attributes[semconv.STREAM_OUTCOME] == "failed"
    assert text_of(span) == "Pa"
    assert tokens(span) == (73, None, 32)


async def test_a_connection_lost_in_a_stream(either, server, spans):
    """A connection that breaks fails the span, which keeps what had come and has no output count."""
    server.then(reply(answers.events(), cut=4))
    with pytest.raises(Exception) as caught:
        await drained(await finished(either.messages.create(**HELLO, stream=True)))
    span = spans.one()
    kind = type(caught.value)
    assert span.attributes[semconv.ERROR_TYPE] == f"{kind.__module__}.{kind.__qualname__}"
    assert span.attributes[semconv.STREAM_OUTCOME] == "failed"
    assert tokens(span) == (73, None, 32)


async def test_retries_are_counted(either, server, spans):
    """Retries are one span that says how many there were."""
    again = {"retry-after-ms": "1"}
    server.then(
        reply(answers.error("overloaded_error"), status=529, headers=again),
        reply(answers.error("api_error"), status=500, headers=again),
        reply(answers.message()),
    )
    message = await finished(either.with_options(max_retries=2).messages.create(**HELLO))
    assert message.content[0].text == "Paris"
    span = spans.one()
    assert span.attributes[semconv.RESEND_COUNT] == 2
    assert span.status.status_code is StatusCode.UNSET
    assert len(server.requests) == 3


async def test_a_timeout(either, server, spans):
    """A timeout is the SDK's exception and one failed span."""
    server.then(reply(answers.message(), delay=5))
    with pytest.raises(anthropic.APITimeoutError):
        await finished(either.with_options(timeout=0.1).messages.create(**HELLO))
    assert spans.one().attributes[semconv.ERROR_TYPE] == "anthropic.APITimeoutError"


def test_a_failure_with_status_200(client, server, spans):
    """A proxy's error in an ordinary answer is a failure."""
    server.then(reply(answers.error("api_error")))
    with suppress(Exception):  # (the SDK makes of it what it can)
        client.messages.create(**HELLO)
    assert spans.one().attributes[semconv.ERROR_TYPE] == "api_error"


# ---- odd fields ----


@pytest.mark.parametrize("provider", ["leaf"], indirect=True)
@pytest.mark.parametrize("mode", ["whole", "stream", "raw"])
def test_an_odd_field_costs_itself(mode, client, server, spans):
    """Any JSON in the place of any field, as the package's models have it: one span, and nothing of ours fails."""
    answer = answers.tools() if mode == "whole" else answers.events(answers.tools())

    @settings(ANY)
    @given(st.sampled_from(list(paths(answer))), ODD)
    def check(path, odd):
        server.then(reply(replaced(answer, path, odd)))
        with suppress(Exception):  # (the package's own, of its own models)
            if mode == "raw":
                client.messages.with_raw_response.create(**HELLO, stream=True).http_response.read()
            elif mode == "stream":
                list(client.messages.create(**HELLO, stream=True))
            else:
                client.messages.create(**HELLO)
        assert not guard._reported
        span = spans.one()
        if {"usage", "message"}.isdisjoint(path) and not isinstance(path[-1], int) and path[-1] != "type":
            assert span.attributes[semconv.USAGE_INPUT_TOKENS] == 73

    check()


# ---- the package's own tracing ----


def names(session):
    return [span.name for span in session.spans if span.name != "session"]


@needs_tracing
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_the_packages_own_span_is_not_made(stream, client, server, agentops_session):
    """One call is one span that the session counts once, and the vendor does not get the trace's id."""
    server.then(reply(answers.events() if stream else answers.message()))
    result = client.messages.create(**HELLO, stream=stream)
    if stream:
        list(result)
    assert names(agentops_session) == ["chat claude-opus-4-8"]
    assert "traceparent" not in server.requests[0].headers
    totals = agentops_otel.current_session().totals
    assert (totals.llm_calls, totals.usage.input_tokens, totals.usage.output_tokens) == (1, 73, 48)
    assert totals.cost > 0


@needs_tracing
def test_what_is_not_recorded_here_is_traced_as_ever(client, server, agentops_session):
    """Requests that are no LLM calls, and calls that are not recorded, keep the package's own tracing."""
    server.then(reply({"data": []}), reply(answers.message()))
    client.models.list()
    agentops_otel.uninstrument("anthropic")
    client.messages.create(**HELLO)
    found = [name.partition(" ")[0] for name in names(agentops_session)]
    assert found == ["anthropic.models.list", "anthropic.messages.create"]
    totals = agentops_otel.current_session().totals
    assert (totals.llm_calls, totals.usage.input_tokens, totals.usage.output_tokens) == (1, 73, 48)


@needs_tracing
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_the_tool_runner(stream, client, server, agentops_session):
    """The runner's own spans for agent and tool are the tree; each of its calls is one span of ours below it."""

    @anthropic.beta_tool
    def weather(city: str) -> str:
        """The weather of a city."""
        return f"sunny in {city}"

    replies = [answers.message(WEATHER, stop_reason="tool_use"), answers.message()]
    server.then(*(reply(answers.events(each) if stream else each) for each in replies))
    runner = client.beta.messages.tool_runner(**HELLO, tools=[weather], stream=stream)
    final = [turn.get_final_message() for turn in runner][-1] if stream else runner.until_done()
    assert final.content[0].text == "Paris"
    found = [span for span in agentops_session.spans if span.name != "session"]
    by_name = {span.attributes[semconv.OPERATION_NAME]: span for span in found}
    agent, calls = by_name["invoke_agent"], [span for span in found if span.name == "chat claude-opus-4-8"]
    assert sorted(by_name) == ["chat", "execute_tool", "invoke_agent"]
    assert len(found) == 4
    assert {span.parent.span_id for span in calls} == {agent.context.span_id}
    assert "sunny in Paris" in calls[1].attributes[semconv.INPUT_MESSAGES]
    assert agentops_otel.current_session().totals.llm_calls == 2


@pytest.mark.skipif(not hasattr(anthropic, "Middleware"), reason="not in this release")
def test_middleware_runs_inside_the_call(server, spans):
    """What a middleware sends again is the same call; the answer that the program gets is the one recorded."""

    def again(request, call_next):
        call_next(request)
        return call_next(request)

    server.then(reply(answers.message(id="msg_0")), reply(answers.message()))
    with made("Anthropic", server, middleware=[again]) as client:
        assert client.messages.create(**HELLO).id == "msg_1"
    assert spans.one().attributes[semconv.RESPONSE_ID] == "msg_1"


# ---- the example ----


def test_the_example(server, tmp_path):
    """The example runs as it stands; its calls are in the session's trace, with tokens and cost."""
    pytest.importorskip("google.rpc", reason="the fake backend needs it")
    from tests.fakes.fault_server import FaultServer

    server.then(reply(answers.events()), reply(answers.message(WEATHER, stop_reason="tool_use")))
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("ANTHROPIC_", "PYTHONWARN"))}
    with FaultServer() as backend:
        keys = {"ANTHROPIC_API_KEY": "none", "ANTHROPIC_BASE_URL": server.url.removesuffix("/v1")}
        done = subprocess.run(
            [sys.executable, str(EXAMPLE)],
            env={**clean, **keys, "OTEL_EXPORTER_OTLP_ENDPOINT": backend.url},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stdout) == (0, "Paris\n{'city': 'Paris'}\n"), done.stderr
        assert sorted(span.name for span in backend.spans()) == ["chat claude-opus-4-8"] * 2 + ["session"]
        assert "internal error" not in done.stderr
