"""LiteLLM: each call of its functions is one span, with the provider that has answered and the right tokens."""

from __future__ import annotations

import asyncio
import copy
import functools
import gc
import io
import json
import os
import pickle
import subprocess
import sys
import time
import warnings
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import cloudpickle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # importing it asks the network otherwise
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import litellm
    import litellm.types.utils as litellm_types
    from litellm import acompletion as held_acompletion
    from litellm import completion as held

from agentops_otel import instrumentation, pricing, semconv
from agentops_otel.instrumentation import litellm as integration
from agentops_otel.instrumentation.readers.litellm_answer import opened
from agentops_otel.usage import Usage
from tests.fakes.fault_server import FaultServer
from tests.fakes.llm_server import Reply, chat, chat_chunks, error, response
from tests.sdks import answers_bedrock, answers_cohere
from tests.sdks.case import Case

pytestmark = pytest.mark.filterwarnings("ignore")
EXAMPLE = Path(__file__).parents[2] / "examples" / "sdks" / "with_litellm.py"
ASKED = [{"role": "user", "content": "What is the weather in Paris?"}]
USAGE = {"stream_options": {"include_usage": True}}

IS_NEW = hasattr(litellm, "responses")  # whose exceptions have the body of the answer


def _client(name):
    def make(address):
        warnings.simplefilter("ignore")  # for the rest of the test: LiteLLM warns of its own models
        return SimpleNamespace(name=name, to={"api_base": f"{address}/v1", "api_key": "sk-test"})

    return make


def _asked(**options):
    return lambda client: getattr(litellm, client.name)(
        model="openai/gpt-4o-mini", messages=ASKED, max_retries=0, **client.to, **options
    )


CASES = [
    Case(
        name="litellm completion",
        span="chat gpt-4o-mini",
        provider="openai",
        model="gpt-4o-mini",
        tokens=(57, 48),
        client=_client("completion"),
        async_client=_client("acompletion"),
        call=_asked(),
        answer=chat(),
        refusal=error("context_length_exceeded"),
        code="context_length_exceeded" if IS_NEW else "litellm.exceptions.BadRequestError",
        stream=_asked(stream=True, **USAGE),
        events=chat_chunks(True),
        held=not IS_NEW,
    )
]


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    """No lines on the terminal."""
    monkeypatch.setattr(litellm, "suppress_debug_info", True)


@pytest.fixture
def openai_kwargs(server):
    return {"model": "openai/gpt-4o-mini", "messages": ASKED, "api_base": server.url, "api_key": "sk-test"}


@pytest.fixture(params=["sync", "async"])
def call(request):
    """Calls a function of litellm: `call("completion", model=...)` or the coroutine of the same name."""

    def run(name, *args, **kwargs):
        if request.param == "sync":
            found = getattr(litellm, name)(*args, **kwargs)
            return list(found) if kwargs.get("stream") else found
        return asyncio.run(_run(f"a{name}", args, kwargs))

    return run


async def _run(name, args, kwargs):
    found = await getattr(litellm, name)(*args, **kwargs)
    return [chunk async for chunk in found] if kwargs.get("stream") else found


def test_a_chat(spans, server, call, openai_kwargs):
    """One span with what was asked for, who has answered and what it has cost; the openai client below adds none."""
    answer = call("completion", temperature=0.5, **openai_kwargs)
    span = spans.one()
    assert answer.choices[0].message.content == "Paris"
    assert span.name == "chat gpt-4o-mini"
    assert (
        span.attributes.items()
        >= {
            semconv.OPERATION_NAME: "chat",
            semconv.SPAN_KIND: "llm",
            semconv.PROVIDER_NAME: "openai",
            semconv.REQUEST_MODEL: "gpt-4o-mini",
            semconv.RESPONSE_MODEL: "gpt-4o-2024-08-06",
            semconv.RESPONSE_ID: "chatcmpl-1",
            semconv.RESPONSE_FINISH_REASONS: ("stop",),
            semconv.REQUEST_ID: "req_1",
            semconv.RATELIMIT_REMAINING_REQUESTS: 99,
            semconv.USAGE_INPUT_TOKENS: 57,
            semconv.USAGE_OUTPUT_TOKENS: 48,
            semconv.USAGE_CACHE_READ_TOKENS: 32,
            semconv.USAGE_REASONING_TOKENS: 16,
            semconv.SERVER_ADDRESS: "127.0.0.1",
            semconv.SERVER_PORT: server.port,
            "gen_ai.request.temperature": 0.5,
        }.items()
    )
    assert "Paris" in span.attributes[semconv.OUTPUT_MESSAGES]
    assert "weather" in span.attributes[semconv.INPUT_MESSAGES]
    assert semconv.COST_AMOUNT not in span.attributes  # (LiteLLM's own reckoning)
    assert len(server.requests) == 1


@pytest.mark.parametrize("asked", [False, True], ids=["plain", "with usage"])
def test_a_stream(spans, server, call, openai_kwargs, asked):
    """The chunks are LiteLLM's own, and the span ends with the last of them."""
    chunks = call("completion", stream=True, **openai_kwargs, **(USAGE if asked else {}))
    span = spans.one()
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "Paris"
    assert span.attributes[semconv.STREAM_OUTCOME] == "completed"
    assert span.attributes[semconv.STREAM_CHUNKS] == len(chunks)
    assert span.attributes[semconv.REQUEST_STREAM] is True
    assert span.attributes[semconv.RESPONSE_FINISH_REASONS] == ("stop",)
    assert "Paris" in span.attributes[semconv.OUTPUT_MESSAGES]
    assert span.attributes.get(semconv.USAGE_INPUT_TOKENS) == (57 if asked else None)
    assert span.attributes.get(semconv.USAGE_OUTPUT_TOKENS) == (48 if asked else None)
    assert semconv.COST_AMOUNT not in span.attributes
    assert len(server.requests) == 1


def test_a_stream_that_is_left(spans, server, openai_kwargs):
    """A stream that nobody reads to its end has no output tokens."""
    stream = litellm.completion(stream=True, **openai_kwargs, **USAGE)
    assert type(stream) is litellm.CustomStreamWrapper
    next(stream)
    del stream
    span = _awaited(spans)
    assert span.attributes[semconv.STREAM_OUTCOME] == "abandoned"
    assert semconv.USAGE_OUTPUT_TOKENS not in span.attributes


def _awaited(spans):
    """The only span, now or as at the end of the process: LiteLLM holds a stream for a while."""
    for _ in range(20):
        gc.collect()
        found = spans()
        if found:
            break
        time.sleep(0.1)
    else:
        instrumentation.drain(everything=True)
        found = spans()
    (span,) = found
    return span


def test_a_ranking(spans, server, call):
    """One span of the provider behind it: the query and the documents, their scores, what it is billed as."""
    server.then(Reply(answers_cohere.rerank()))
    asked = {"query": "Capital?", "documents": ["Lyon", {"text": "Nice"}, "Paris"], "top_n": 2}
    address = f"http://127.0.0.1:{server.port}"
    answer = call("rerank", model="cohere/rerank-v3.5", **asked, api_base=address, api_key="sk-test")
    assert [each["index"] for each in answer.results] == [2, 0]
    span = spans.one()
    seen = span.attributes
    assert (span.name, seen[semconv.PROVIDER_NAME]) == ("rerank rerank-v3.5", "cohere")
    assert (seen[semconv.RETRIEVAL_TOP_K], seen[semconv.USAGE_SEARCH_UNITS]) == (2, 1)
    assert json.loads(seen[semconv.RETRIEVAL_DOCUMENTS])[0] == {"id": "2", "score": 0.98}
    query, documents = json.loads(seen[semconv.INPUT_MESSAGES])
    assert query["parts"][0]["content"] == "Capital?"
    assert [part["content"] for part in documents["parts"]] == ["Lyon", "Nice", "Paris"]
    assert len(server.requests) == 1


def test_a_ranking_that_is_refused(spans, server, call):
    """The exception passes, and the call has failed."""
    server.then(Reply({"message": "invalid api token"}, status=401))
    to = {"api_base": f"http://127.0.0.1:{server.port}", "api_key": "sk-test", "max_retries": 0}
    with pytest.raises(Exception) as raised:
        call("rerank", "cohere/rerank-v3.5", "Capital?", ["Lyon"], **to)
    span = spans.one()
    assert span.attributes[semconv.ERROR_TYPE].endswith(type(raised.value).__name__)
    assert semconv.RETRIEVAL_DOCUMENTS not in span.attributes


@pytest.mark.skipif(not hasattr(litellm.CustomStreamWrapper, "close"), reason="this release cannot close a stream")
def test_a_stream_that_is_closed(spans, openai_kwargs):
    """The span ends with `close()`."""
    stream = litellm.completion(stream=True, **openai_kwargs)
    next(stream)
    stream.close()
    assert spans.one().attributes[semconv.STREAM_OUTCOME] == "closed"


def test_a_stream_that_breaks_off(spans, server, openai_kwargs):
    """The exception passes, and what came is recorded."""
    server.then(Reply(chat_chunks(True), cut=3))
    with pytest.raises(Exception) as raised:
        list(litellm.completion(stream=True, max_retries=0, **openai_kwargs, **USAGE))
    span = spans.one()
    assert span.attributes[semconv.STREAM_OUTCOME] == "failed"
    assert span.attributes[semconv.ERROR_TYPE].endswith(type(raised.value).__name__)
    assert semconv.USAGE_OUTPUT_TOKENS not in span.attributes


async def test_a_call_that_is_cancelled(spans, server, openai_kwargs):
    """It is no error."""
    server.then(Reply(chat(), delay=5))
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(litellm.acompletion(**openai_kwargs), 0.3)
    span = spans.one()
    assert span.attributes[semconv.CANCELLED] is True
    assert span.status.is_ok


def test_the_other_functions(spans, server, call):
    """Legacy completions, embeddings, and responses where the release has them."""
    to = {"api_base": server.url, "api_key": "sk-test"}
    call("text_completion", model="text-completion-openai/gpt-3.5-turbo-instruct", prompt="Hello", **to)
    span = spans.one()
    assert span.name == "text_completion gpt-3.5-turbo-instruct"
    assert span.attributes[semconv.PROVIDER_NAME] == "openai"
    assert span.attributes[semconv.USAGE_INPUT_TOKENS] > 0
    call("embedding", model="openai/text-embedding-3-small", input=["Hello"], **to)
    span = spans.one()
    assert span.name == "embeddings text-embedding-3-small"
    assert span.attributes[semconv.USAGE_INPUT_TOKENS] == 8
    assert semconv.USAGE_OUTPUT_TOKENS not in span.attributes
    assert span.attributes[semconv.EMBEDDINGS_DIMENSION_COUNT] > 0
    if hasattr(litellm, "responses"):
        call("responses", model="openai/gpt-4o-mini", input="Hello", **to)
        span = spans.one()
        assert span.attributes[semconv.USAGE_INPUT_TOKENS] == 57
        assert span.attributes[semconv.RESPONSE_ID].startswith("resp")
        call("responses", model="openai/gpt-4o-mini", input="Hello", stream=True, **to)
        span = spans.one()
        assert span.attributes[semconv.STREAM_OUTCOME] == "completed"
        assert span.attributes[semconv.USAGE_INPUT_TOKENS] == 57


def test_pictures_and_sound(spans, server, call):
    """A picture is made, and what is said is written down; neither is on the span itself."""
    to = {"api_base": server.url, "api_key": "sk-test"}
    usage = {"input_tokens": 9, "output_tokens": 1056, "total_tokens": 1065}
    if IS_NEW:  # others cannot read what a newer openai gives them
        server.then(Reply({"created": 1, "data": [{"b64_json": "iVBORw0KGgo="}], "usage": usage}))
        call("image_generation", prompt="A cat", model="openai/gpt-image-1", **to)
        span = spans.one()
        assert span.name == "generate_content gpt-image-1"
        assert span.attributes[semconv.OUTPUT_TYPE] == "image"
        assert "iVBORw0KGgo" not in str(span.attributes)
        assert span.attributes[semconv.USAGE_OUTPUT_TOKENS] == 1056
    server.then(Reply({"text": "Paris", "usage": {"type": "tokens", **usage}}))
    call("transcription", model="openai/gpt-4o-transcribe", file=("a.wav", b"RIFF0000WAVE"), **to)
    span = spans.one()
    assert span.name == "generate_content gpt-4o-transcribe"
    assert "Paris" in span.attributes[semconv.OUTPUT_MESSAGES]
    assert "RIFF" not in str(span.attributes)


@pytest.mark.skipif(not hasattr(litellm, "image_edit"), reason="this release edits no pictures")
@pytest.mark.parametrize("way", ["by name", "by place", "async"])
def test_a_picture_that_is_edited(spans, server, way):
    """What is asked, the picture to begin with, and the cost by modality."""
    usage = {"input_tokens": 50, "input_tokens_details": {"text_tokens": 10, "image_tokens": 40}}
    usage |= {"output_tokens": 1056, "total_tokens": 1106}
    server.then(Reply({"created": 1, "data": [{"b64_json": "iVBORw0KGgo="}], "usage": usage}))
    asked = {"image": io.BytesIO(b"PICTURE"), "prompt": "A red cat", "model": "openai/gpt-image-1"}
    to = {"api_base": server.url, "api_key": "sk-test"}
    if way == "async":
        asyncio.run(litellm.aimage_edit(**asked, **to))
    elif way == "by name":
        litellm.image_edit(**asked, **to)
    else:
        litellm.image_edit(*asked.values(), **to)
    span = spans.one()
    assert span.name == "generate_content gpt-image-1"
    assert span.attributes[semconv.USAGE_INPUT_IMAGE_TOKENS] == 40
    text, picture = json.loads(span.attributes[semconv.INPUT_MESSAGES])[0]["parts"]
    assert (text["content"], picture["bytes"]) == ("A red cat", 7)
    assert pricing.span_cost(span.attributes).amount == pytest.approx((10 * 5 + 40 * 10 + 1056 * 40) / 1e6)


def test_a_legacy_stream(spans, server, call):
    """A stream of a class of its own."""
    to = {"api_base": server.url, "api_key": "sk-test"}
    call("text_completion", model="text-completion-openai/gpt-3.5-turbo-instruct", prompt="Hello", stream=True, **to)
    span = spans.one()
    assert span.attributes[semconv.STREAM_OUTCOME] == "completed"
    assert "Paris" in span.attributes[semconv.OUTPUT_MESSAGES]


def test_functions_that_were_held_before(spans, openai_kwargs):
    """`from litellm import completion` in a program that was imported before us, and positional arguments."""
    model, messages = openai_kwargs.pop("model"), openai_kwargs.pop("messages")
    held(model, messages, **openai_kwargs)
    asyncio.run(held_acompletion(model, messages, **openai_kwargs))
    assert [span.name for span in spans()] == ["chat gpt-4o-mini"] * 2


def test_an_error(spans, server, call, openai_kwargs):
    """LiteLLM's exception passes; the span has the provider's code where the exception has it."""
    server.then(Reply(error("context_length_exceeded"), status=400))
    with pytest.raises(litellm.BadRequestError):
        call("completion", max_retries=0, **openai_kwargs)
    span = spans.one()
    assert span.attributes[semconv.ERROR_TYPE] in (
        "context_length_exceeded",
        "litellm.exceptions.BadRequestError",
        "litellm.exceptions.ContextWindowExceededError",
    )
    assert not span.status.is_ok
    assert len(server.requests) == 1


def test_retries_are_one_call(spans, server, openai_kwargs):
    """What LiteLLM sends again is the same call."""
    server.then(Reply(error("overloaded"), status=500))
    litellm.completion(num_retries=1, max_retries=0, **openai_kwargs)
    assert len(server.requests) == 2
    assert spans.one().status.is_ok


def test_a_fallback_is_one_call(spans, server, openai_kwargs):
    """The model that has answered is the one that is priced."""
    server.then(Reply(error("overloaded"), status=500))
    litellm.completion(fallbacks=["openai/gpt-4.1-mini"], max_retries=0, **openai_kwargs)
    assert len(server.requests) == 2
    span = spans.one()
    assert span.status.is_ok
    assert span.attributes[semconv.USAGE_INPUT_TOKENS] == 57


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_router(spans, server, openai_kwargs, streamed):
    """Each attempt of a router is a call of its own: it may go to another provider."""
    messages = openai_kwargs.pop("messages")
    router = litellm.Router(
        model_list=[{"model_name": "any", "litellm_params": {**openai_kwargs, "max_retries": 0}}],
        num_retries=1,
        retry_after=0,
    )
    server.then(Reply(error("overloaded"), status=500))
    found = await router.acompletion(model="any", messages=messages, stream=streamed)
    if streamed:
        assert [chunk async for chunk in found]
    assert [span.status.is_ok for span in spans()] == [False, True]
    found = router.completion(model="any", messages=messages, stream=streamed)
    if streamed:
        assert list(found)
    assert spans.one().attributes[semconv.RESPONSE_FINISH_REASONS] == ("stop",)
    assert len(server.requests) == 3


@pytest.mark.parametrize("streamed", [False, True])
def test_a_mocked_answer_is_a_call(spans, server, call, streamed):
    """It goes to no host."""
    call("completion", model="anthropic/claude-sonnet-4-5", messages=ASKED, mock_response="Paris", stream=streamed)
    span = spans.one()
    assert span.attributes[semconv.PROVIDER_NAME] == "anthropic"
    assert "Paris" in span.attributes[semconv.OUTPUT_MESSAGES]
    assert not span.attributes.get(semconv.USAGE_INPUT_TOKENS)
    assert not span.attributes.get(semconv.COST_AMOUNT)
    assert server.requests == []


def test_an_answer_of_the_cache_costs_nothing(spans, server, openai_kwargs, monkeypatch):
    """LiteLLM's own cache asks nobody."""
    pytest.importorskip("orjson")
    pytest.importorskip("soundfile")
    from litellm.caching.caching import Cache

    monkeypatch.setattr(litellm, "cache", Cache(type="local"))
    for _ in range(2):
        litellm.completion(caching=True, **openai_kwargs)
    fresh, cached = spans()
    assert fresh.attributes[semconv.USAGE_INPUT_TOKENS] == 57
    assert cached.attributes[semconv.USAGE_INPUT_TOKENS] == cached.attributes[semconv.USAGE_OUTPUT_TOKENS] == 0
    assert len(server.requests) == 1


def test_tools(spans, server, openai_kwargs):
    """Parallel tool calls, streamed."""
    calls = [
        {"index": number, "id": f"call_{number}", "type": "function", "function": {"name": "look", "arguments": "{}"}}
        for number in range(2)
    ]
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o-mini"}
    deltas = [{"role": "assistant", "tool_calls": [calls[0]]}, {"tool_calls": [calls[1]]}]
    chunks = [{**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    chunks.append({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]})
    server.then(Reply(chunks))
    tools = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]
    list(litellm.completion(stream=True, tools=tools, **openai_kwargs))
    span = spans.one()
    assert span.attributes[semconv.RESPONSE_FINISH_REASONS] == ("tool_calls",)
    assert [f"call_{number}" in span.attributes[semconv.OUTPUT_MESSAGES] for number in range(2)] == [True, True]
    assert "look" in span.attributes[semconv.TOOL_DEFINITIONS]


def test_it_comes_off(record, server, openai_kwargs):
    """The originals are back wherever they were held."""
    before = litellm.completion, held, litellm.CustomStreamWrapper.__next__
    record()
    assert litellm.completion is not before[0]
    assert litellm.completion is held
    instrumentation.uninstrument()
    assert (litellm.completion, held, litellm.CustomStreamWrapper.__next__) == before


@pytest.mark.parametrize("name", ["completion", "acompletion", "embedding"])
def test_a_function_is_sent_and_copied_as_a_function_is(record, name):
    """A pool, a data class, Dask: by its name, so that a process without us finds LiteLLM's own."""

    @dataclass
    class Model:
        call: object

    before = [send(getattr(litellm, name)) for send in (pickle.dumps, cloudpickle.dumps)]
    record()
    function = getattr(litellm, name)
    assert [send(function) for send in (pickle.dumps, cloudpickle.dumps)] == before
    assert copy.copy(function) is copy.deepcopy(function) is function
    assert asdict(Model(function))["call"] is function
    for send in (pickle.dumps, cloudpickle.dumps):
        assert pickle.loads(send(functools.partial(function, model="m"))).func is function
    assert cloudpickle.loads(cloudpickle.dumps(lambda: function))() is function
    instrumentation.uninstrument()
    assert pickle.loads(pickle.dumps(function)) is getattr(litellm, name) is not function


ANTHROPIC = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5",
    "content": [{"type": "text", "text": "Paris"}],
    "stop_reason": "end_turn",
}
CLAUDE = {"input_tokens": 10, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 1000, "output_tokens": 7}


@pytest.mark.parametrize(
    ("model", "answer", "name", "usage", "cost"),
    [
        pytest.param(
            "openai/gpt-4o-mini", chat(model="gpt-4o-mini"), "openai",
            Usage(57, 48, cache_read_tokens=32, reasoning_tokens=16), (25 * 0.15 + 32 * 0.075 + 48 * 0.6) / 1e6,
            id="openai",
        ),
        pytest.param(
            "anthropic/claude-sonnet-4-5", {**ANTHROPIC, "usage": CLAUDE}, "anthropic",
            Usage(1110, 7, cache_read_tokens=100, cache_write_tokens=1000),
            (10 * 3 + 100 * 0.3 + 1000 * 3.75 + 7 * 15) / 1e6,
            id="anthropic",
        ),
        pytest.param(
            "groq/llama-3.3-70b-versatile", chat(model="llama-3.3-70b-versatile"), "groq",
            Usage(57, 48, cache_read_tokens=32, reasoning_tokens=16), (57 * 0.59 + 48 * 0.79) / 1e6,
            id="groq",
        ),
        pytest.param(
            "deepseek/deepseek-chat",
            chat(model="deepseek-chat", usage={
                "prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120,
                "prompt_cache_hit_tokens": 40, "prompt_cache_miss_tokens": 60,
            }),
            "deepseek", Usage(100, 20, cache_read_tokens=40), None,
            id="deepseek",
        ),
        pytest.param(
            "mistral/mistral-small-latest",
            chat(model="mistral-small-latest",
                 usage={"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}),
            "mistral_ai", Usage(100, 20), None,
            id="mistral",
        ),
    ],
)  # fmt: skip
def test_tokens_and_cost(spans, server, model, answer, name, usage, cost):
    """Tokens by class, the provider's name and the price, for answers of several providers."""
    from genai_prices import Usage as TableUsage
    from genai_prices import calc_price

    server.then(Reply(answer))
    litellm.completion(model=model, messages=ASKED, api_base=server.url, api_key="sk-test")
    attributes = spans.one().attributes
    assert attributes[semconv.PROVIDER_NAME] == name
    assert replace(Usage.from_attributes(attributes), output_text_tokens=0) == usage
    found = pricing.span_cost(attributes)
    table = TableUsage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cache_read_tokens or None,
        cache_write_tokens=usage.cache_write_tokens or None,
    )
    ids = {"mistral_ai": "mistral"}
    expected = calc_price(table, attributes[semconv.RESPONSE_MODEL], provider_id=ids.get(name, name))
    assert found.amount == pytest.approx(float(expected.total_price), rel=1e-12)
    if cost is not None:
        assert found.amount == pytest.approx(cost, rel=1e-12)


def _events(usage):
    """The stream of Anthropic's whose answer has this usage."""
    begun = {**ANTHROPIC, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
    return [
        {"type": "message_start", "message": begun},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Paris"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": usage},
        {"type": "message_stop"},
    ]


IS_NOW = hasattr(litellm_types, "UnreportedUsage")
now = pytest.mark.skipif(not IS_NOW, reason="older releases leave out what the usage says of the price")
WAYS = {
    "whole": {},
    "streamed": {"stream": True},
    "streamed with usage": {"stream": True, "stream_options": {"include_usage": True}},
}


@now
@pytest.mark.parametrize("way", WAYS)
def test_what_the_usage_says_of_the_price(spans, server, way):
    """Fast answers, their place and searches of the web are on the span, whichever way the answer comes."""
    usage = {"input_tokens": 1000, "output_tokens": 100, "server_tool_use": {"web_search_requests": 2}}
    usage |= {"inference_geo": "us", "speed": "fast"}
    server.then(Reply({**ANTHROPIC, "usage": usage} if way == "whole" else _events(usage)))
    found = litellm.completion(
        model="anthropic/claude-opus-5",
        messages=ASKED,
        api_base=server.url,
        api_key="sk-test",
        speed="fast",
        **WAYS[way],
    )
    if way != "whole":
        assert list(found)
    attributes = spans.one().attributes
    assert attributes[semconv.USAGE_WEB_SEARCHES] == 2
    assert attributes[semconv.RESPONSE_INFERENCE_GEO] == "us"
    assert attributes[semconv.RESPONSE_SERVICE_TIER] == "fast"


COUNTS = {"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150}


def _chunks(model, usage, *, everywhere):
    """The stream of a chat completion, with its usage in each chunk or in one of its own."""
    head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": model}
    more = {"usage": usage} if everywhere else {}
    deltas = [({"role": "assistant", "content": "Pa"}, None), ({"content": "ris"}, "stop")]
    chunks = [
        {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": end}], **more} for delta, end in deltas
    ]
    return [*chunks, *([] if everywhere else [{**head, "choices": [], "usage": usage}]), "[DONE]"]


STATED = [
    ("perplexity/sonar", {"cost": {"request_cost": 0.005, "total_cost": 0.00515}}, 0.00515),
    ("xai/grok-4", {"cost_in_usd_ticks": 1_280_000_000}, 0.128),
    ("openrouter/openai/gpt-4o", {"cost": 0.0123}, 0.0123),
    ("perplexity/sonar", {}, None),
    ("openrouter/openai/gpt-4o", {}, None),
    ("openai/gpt-4o", {}, None),
]


@now
@pytest.mark.parametrize("flagged", [False, True])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("model", "stated", "dollars"), STATED)
def test_what_the_provider_says_that_it_has_cost(spans, server, monkeypatch, model, stated, dollars, way, flagged):
    """The provider's own word is taken, whichever way it comes; LiteLLM's reckoning, which it adds to it, is not."""
    monkeypatch.setattr(litellm, "include_cost_in_streaming_usage", flagged)
    provider, _, name = model.partition("/")
    usage = {**COUNTS, **stated}
    streamed = _chunks(name, usage, everywhere=provider == "perplexity")
    server.then(Reply(chat(model=name, usage=usage) if way == "whole" else streamed))
    found = litellm.completion(model=model, messages=ASKED, api_base=server.url, api_key="sk-test", **WAYS[way])
    if way != "whole":
        list(found)
    attributes = spans.one().attributes
    assert attributes.get(semconv.COST_AMOUNT) == dollars
    assert attributes.get(semconv.COST_SOURCE) == (None if dollars is None else "provider")


@now
@pytest.mark.parametrize(
    ("model", "way"),
    [
        ("anthropic/claude-sonnet-4-5", "whole"),
        ("anthropic/claude-sonnet-4-5", "streamed with usage"),
        *(("mistral/mistral-small-latest", way) for way in WAYS),
    ],
)
def test_the_tier_that_served_the_call(spans, server, model, way):
    """It is in the usage, of a stream in that of a chunk; without a price for it the call has none."""
    usage = {"input_tokens": 1000, "output_tokens": 100, **COUNTS, "service_tier": "priority"}
    if model.startswith("anthropic"):
        answer = {**ANTHROPIC, "usage": usage} if way == "whole" else _events(usage)
    else:
        answer = chat(usage=usage) if way == "whole" else _chunks("mistral-small-latest", usage, everywhere=True)
    server.then(Reply(answer))
    found = litellm.completion(model=model, messages=ASKED, api_base=server.url, api_key="sk-test", **WAYS[way])
    if way != "whole":
        list(found)
    attributes = spans.one().attributes
    assert attributes[semconv.RESPONSE_SERVICE_TIER] == "priority"
    assert pricing.span_cost(attributes) is None


@now
@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(("cost", "dollars"), [({"total_cost": 0.005, "currency": "USD"}, 0.005), (None, None)])
def test_what_perplexity_says_that_a_response_has_cost(spans, server, call, cost, dollars, streamed):
    """As of a chat."""
    usage = {"input_tokens": 100, "output_tokens": 50, "total_tokens": 150, **({"cost": cost} if cost else {})}
    answer = response(model="sonar", usage=usage)
    begun = {"type": "response.created", "sequence_number": 0, "response": response("in_progress", usage=None)}
    ended = {"type": "response.completed", "sequence_number": 1, "response": answer}
    server.then(Reply([begun, ended] if streamed else answer))
    call("responses", model="perplexity/sonar", input="Hello", api_base=server.url, api_key="k", stream=streamed)
    assert spans.one().attributes.get(semconv.COST_AMOUNT) == dollars


@now
def test_a_chat_of_coheres_has_no_cost(spans, server):
    """LiteLLM hands over what the model has read and written, not what is billed."""
    server.then(Reply(answers_cohere.chat()))
    address = f"http://127.0.0.1:{server.port}"
    litellm.completion(
        model="cohere/command-r-08-2024",
        messages=ASKED,
        api_base=f"{address}/v2/chat",
        api_key="sk-test",
    )
    attributes = spans.one().attributes
    assert attributes[semconv.USAGE_INPUT_TOKENS] > 0
    assert pricing.span_cost(attributes) is None


ARN = "arn:aws:bedrock:us-east-1:123456789012:provisioned-model/abc123def456"


@now
@pytest.mark.parametrize(
    ("asked", "cost"),
    [
        ({"model": f"bedrock/converse/{ARN}"}, None),
        ({"model": f"bedrock/invoke/{answers_bedrock.CLAUDE}", "model_id": ARN}, None),
        ({"model": f"bedrock/{answers_bedrock.CLAUDE}", "model_id": ARN}, None),
        ({"model": f"bedrock/{answers_bedrock.CLAUDE}"}, 0.0009504),
    ],
)
def test_what_an_arn_stands_for_has_no_price(spans, server, monkeypatch, asked, cost):
    """Capacity that is bought on Bedrock does not cost what its model does."""
    pytest.importorskip("boto3")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    answer = (
        answers_bedrock.MESSAGE if "invoke" in asked["model"] else answers_bedrock.converse(usage=answers_bedrock.USAGE)
    )
    server.then(Reply(answer))
    to = {"aws_region_name": "us-east-1", "aws_bedrock_runtime_endpoint": f"http://127.0.0.1:{server.port}"}
    litellm.completion(messages=ASKED, **to, **asked)
    attributes = spans.one().attributes
    assert attributes[semconv.USAGE_INPUT_TOKENS] > 0
    found = pricing.span_cost(attributes)
    assert (found and found.amount) == (cost and pytest.approx(cost))


_odd = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


class _Answer:
    """As LiteLLM's models, with fields of any type."""

    def __init__(self, hidden, **said):
        self.__dict__.update(said)
        self._hidden_params = hidden


@settings(max_examples=int(os.environ.get("AGENTOPS_TEST_EXAMPLES", "50")), deadline=None)
@given(
    st.dictionaries(st.sampled_from(["model", "custom_llm_provider", "api_base", "stream", "response_format"]), _odd),
    st.dictionaries(
        st.sampled_from(["custom_llm_provider", "api_base", "additional_headers", "usage", "cache_hit"]), _odd
    )
    | _odd,
    st.dictionaries(st.sampled_from(["usage", "model", "id", "choices"]), _odd),
)
def test_odd_fields(asked, hidden, said):
    """A field of any type costs at most itself."""
    for name in ("completion", "embedding", "responses", "text_completion"):
        request = integration._CALLS[name](None, ("first",), asked)
        assert request is not None
        request.endpoint.request(request.body, {})
        answer = opened(_Answer(hidden, **said))
        attributes = {}
        request.endpoint.response(answer, attributes)
        assert all(isinstance(value, (str, int, float, tuple)) for value in attributes.values())
        if request.endpoint.fold is not None:
            fold = request.endpoint.fold()
            fold.extend([answer, opened(_Answer(hidden))])
            request.endpoint.response(fold.response(), {})


def test_the_example(server, tmp_path):
    """A user's program: a call, and a stream of another provider's."""
    answer = {**ANTHROPIC, "content": [], "stop_reason": None, "usage": {**CLAUDE, "output_tokens": 1}}
    events = [
        {"type": "message_start", "message": answer},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Paris"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 7}},
        {"type": "message_stop"},
    ]
    server.then(Reply(chat()), Reply(events))
    keep = {name: value for name, value in os.environ.items() if not name.startswith(("AGENTOPS_", "OTEL_"))}
    with FaultServer() as backend:
        hosts = dict.fromkeys(("OPENAI_BASE_URL", "OPENAI_API_BASE"), server.url)  # (by release)
        hosts |= {"ANTHROPIC_API_BASE": server.url.removesuffix("/v1")}
        keys = {"OPENAI_API_KEY": "sk-test", "ANTHROPIC_API_KEY": "sk-test", "PYTHONWARNINGS": "ignore"}
        done = subprocess.run(
            [sys.executable, str(EXAMPLE)],
            env={**keep, **hosts, **keys, "OTEL_EXPORTER_OTLP_ENDPOINT": backend.url},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert (done.returncode, done.stdout) == (0, "Paris\nParis\n"), done.stderr
        found = sorted(span.name for span in backend.spans())
    assert found == ["chat claude-opus-4-8", "chat gpt-4o-mini", "session"]
    assert "internal error" not in done.stderr
