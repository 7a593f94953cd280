"""Hugging Face's inference clients against a real server: chats, text generation and vectors, and nothing changed."""

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

import genai_prices
import huggingface_hub
import pytest
from huggingface_hub.inference._common import RequestParameters
from huggingface_hub.utils import HfHubHTTPError
from opentelemetry.trace import SpanKind, StatusCode

from agentops_otel import pricing, secrets, semconv
from agentops_otel.instrumentation import huggingface_hub as sdk
from agentops_otel.usage import Usage
from tests.fakes import llm_server
from tests.fakes.llm_server import Reply
from tests.sdks.case import Case
from tests.sdks.seen import ask, tokens

EXAMPLE = Path(__file__).parents[2] / "examples" / "sdks" / "with_huggingface_hub.py"
KEY = "hf_Xw7Qz2Lm5Vt8RbKd"
# All clients share one HTTP client, which no client closes. That of older releases takes no notice of the header.
RESET = getattr(huggingface_hub.utils, "reset_sessions", None)
HEADERS = {} if RESET else {"connection": "close"}
MESSAGES = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Capital of France?"}]
CHAT = {"model": "Qwen/Qwen3-32B", "messages": MESSAGES}
DETAILS = {"finish_reason": "eos_token", "generated_tokens": 2, "prefill": [], "tokens": [], "seed": None}
GENERATED = [{"generated_text": "Paris", "details": DETAILS}]
ENDED = {"finish_reason": "length", "generated_tokens": 2, "input_length": 4, "seed": None}


def token(number, text, whole=None, details=None):
    made = {"id": number, "text": text, "logprob": -0.5, "special": False}
    return {"index": number, "token": made, "generated_text": whole, "details": details}


def made(host):
    """A client of any release, with what closes its connections."""
    client = huggingface_hub.InferenceClient(base_url=f"{host}/v1", api_key=KEY, headers=HEADERS, timeout=10)
    if RESET:
        client.close = RESET
    return client


def made_async(host):
    """As `made()`."""
    return huggingface_hub.AsyncInferenceClient(base_url=f"{host}/v1", api_key=KEY, headers=HEADERS, timeout=10)


CASES = [
    Case(
        name="huggingface_hub chat",
        span="chat Qwen/Qwen3-32B",
        provider="huggingface",
        model="Qwen/Qwen3-32B",
        tokens=(57, 48),
        client=made,
        async_client=made_async,
        call=lambda client: client.chat_completion(**CHAT),
        answer=llm_server.chat(),
        refusal={"error": "Input validation error", "error_type": "validation"},
        code="validation",
        stream=lambda client: client.chat_completion(**CHAT, stream=True),
        events=llm_server.chat_chunks(usage=True),
    )
]
TOKENS = [token(1, "Pa"), token(2, "ris", "Paris", ENDED)]


def whole(answer):
    """A list as an answer; in a `Reply` it would be a stream."""
    return Reply(json.dumps(answer).encode())


@pytest.fixture
def client(server):
    yield made(server.url.removesuffix("/v1"))
    if RESET:
        RESET()


@pytest.fixture
async def async_client(server):
    async with made_async(server.url.removesuffix("/v1")) as client:
        yield client


@pytest.fixture(params=["sync", "async"])
def either(request, client, async_client):
    """The client, and then the async one, for what must hold for both."""
    return client if request.param == "sync" else async_client


def said(span):
    (message,) = json.loads(span.attributes[semconv.OUTPUT_MESSAGES])
    return message["parts"][0]["content"]


async def test_a_chat_is_one_span_with_tokens(either, spans, server):
    """A chat makes one client span that says who, what and how much."""
    answer = await ask(either, "chat_completion", **CHAT, temperature=0.5, max_tokens=20, stop=["END"], seed=7)
    assert answer.choices[0].message.content == "Paris"
    span = spans.one()
    seen = span.attributes
    assert (span.name, span.kind, span.status.status_code) == ("chat Qwen/Qwen3-32B", SpanKind.CLIENT, StatusCode.UNSET)
    assert (seen[semconv.SPAN_KIND], seen[semconv.PROVIDER_NAME]) == ("llm", "huggingface")
    assert (seen[semconv.SERVER_ADDRESS], seen[semconv.SERVER_PORT]) == ("127.0.0.1", server.port)
    assert (seen[semconv.REQUEST_TEMPERATURE], seen[semconv.REQUEST_MAX_TOKENS]) == (0.5, 20)
    assert (seen[semconv.REQUEST_STOP_SEQUENCES], seen[semconv.REQUEST_SEED]) == (("END",), 7)
    assert (*tokens(span), seen[semconv.USAGE_CACHE_READ_TOKENS], seen[semconv.USAGE_REASONING_TOKENS]) == (
        57,
        48,
        32,
        16,
    )
    assert seen[semconv.RESPONSE_FINISH_REASONS] == ("stop",)
    assert said(span) == "Paris"
    assert len(server.requests) == 1


@pytest.mark.parametrize("usage", [False, True])
async def test_a_streamed_chat(usage, either, spans, server):
    """A stream has its whole text, and the tokens if the program has asked for them."""
    server.then(Reply(llm_server.chat_chunks(usage)))
    options = {"stream_options": {"include_usage": True}} if usage else {}
    pieces = await ask(either, "chat_completion", **CHAT, stream=True, **options)
    span = spans.one()
    seen = span.attributes
    assert seen[semconv.STREAM_OUTCOME] == "completed"
    assert seen[semconv.STREAM_CHUNKS] == len(pieces) == (6 if usage else 5)
    assert 0 < seen[semconv.RESPONSE_TIME_TO_FIRST_CHUNK] < 60
    assert tokens(span) == ((57, 48) if usage else (None, None))
    assert said(span) == "Paris"
    assert ("stream_options" in server.requests[0].body) is usage


async def test_the_interface_of_openai(either, spans, server):
    """`chat.completions.create()` is the same call."""
    result = either.chat.completions.create(**CHAT)
    await result if inspect.isawaitable(result) else None
    assert spans.one().name == "chat Qwen/Qwen3-32B"


async def test_a_server_with_one_model(either, spans, server):
    """Without a model in the call the span has none: what the SDK sends is a placeholder."""
    await ask(either, "chat_completion", messages=MESSAGES)
    span = spans.one()
    assert span.name == "chat"
    assert semconv.REQUEST_MODEL not in span.attributes
    assert span.attributes[semconv.RESPONSE_MODEL] == "gpt-4o-2024-08-06"


@pytest.mark.parametrize("details", [False, True])
async def test_text_generation(details, either, spans, server):
    """The text, and the tokens if the program has asked for details; those of the prompt are not in them."""
    server.then(whole(GENERATED if details else [{"generated_text": "Paris"}]))
    answer = await ask(either, "text_generation", prompt="Capital?", details=details, max_new_tokens=20, top_k=4)
    assert (answer.generated_text if details else answer) == "Paris"
    span = spans.one()
    seen = span.attributes
    assert span.name == "text_completion"
    assert (seen[semconv.REQUEST_MAX_TOKENS], seen[semconv.REQUEST_TOP_K]) == (20, 4)
    assert tokens(span) == (None, 2 if details else None)
    assert seen.get(semconv.RESPONSE_FINISH_REASONS) == (("eos_token",) if details else None)
    assert said(span) == "Paris"
    assert "Capital?" in seen[semconv.INPUT_MESSAGES]


async def test_streamed_text_generation(either, spans, server):
    """The last token of a stream has the details, with the tokens of the prompt."""
    server.then(Reply(TOKENS))
    pieces = await ask(either, "text_generation", prompt="Capital?", details=True, stream=True)
    assert [piece.token.text for piece in pieces] == ["Pa", "ris"]
    span = spans.one()
    seen = span.attributes
    assert (seen[semconv.STREAM_OUTCOME], seen[semconv.STREAM_CHUNKS]) == ("completed", 2)
    assert tokens(span) == (4, 2)
    assert (seen[semconv.RESPONSE_FINISH_REASONS], said(span)) == (("length",), "Paris")


async def test_vectors(either, spans, server):
    """Feature extraction is an embedding; the vectors themselves are not recorded."""
    server.then(whole([[0.25, -0.5, 1.0]]))
    with contextlib.suppress(ImportError):  # the SDK needs numpy for its answer
        await ask(either, "feature_extraction", text="Paris")
    span = spans.one()
    assert span.name == "embeddings"
    assert span.attributes[semconv.EMBEDDINGS_DIMENSION_COUNT] == 3
    assert "Paris" in span.attributes[semconv.INPUT_MESSAGES]


async def test_what_is_no_llm_call(either, spans, server):
    """Other tasks make no span."""
    server.then(whole([[{"label": "POSITIVE", "score": 0.9}]]))
    (label,) = await ask(either, "text_classification", text="good")
    assert label.label == "POSITIVE"
    assert spans() == []


async def test_tool_calls(either, spans, server):
    """Parallel tool calls, the definitions of the tools, and the form of a structured answer."""
    calls = [
        {"id": f"call_{number}", "type": "function", "function": {"name": "weather", "arguments": {"city": city}}}
        for number, city in enumerate(("Paris", "Rome"))
    ]
    server.then(Reply(llm_server.chat({"content": None, "tool_calls": calls})))
    tools = [{"type": "function", "function": {"name": "weather", "parameters": {}}}]
    form = {"type": "json_object", "value": {}}
    await ask(either, "chat_completion", **CHAT, tools=tools, response_format=form)
    seen = spans.one().attributes
    (message,) = json.loads(seen[semconv.OUTPUT_MESSAGES])
    assert [part["arguments"] for part in message["parts"]] == [{"city": "Paris"}, {"city": "Rome"}]
    assert json.loads(seen[semconv.TOOL_DEFINITIONS])[0]["name"] == "weather"
    assert seen[semconv.OUTPUT_TYPE] == "json"


async def test_a_stream_that_is_closed_early(client, spans, server):
    """It ends its span as closed, with the text so far and without counts."""
    server.then(Reply(llm_server.chat_chunks(usage=True), gap=0.01))
    stream = client.chat_completion(**CHAT, stream=True)
    next(stream), next(stream)
    stream.close()
    del stream
    gc.collect()
    span = spans.one()
    assert span.attributes[semconv.STREAM_OUTCOME] in ("closed", "abandoned")
    assert span.status.status_code is StatusCode.UNSET
    assert tokens(span) == (None, None)
    assert said(span) == "Pa"


async def test_a_cancelled_stream(async_client, spans, server):
    """A stream that is cancelled while it waits ends its span without an error, with its text so far."""
    server.then(Reply(llm_server.chat_chunks()[:3], hang=True))
    stream = await async_client.chat_completion(**CHAT, stream=True)
    for _ in range(3):
        await anext(stream)
    task = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    span = spans.one()
    assert span.attributes[semconv.CANCELLED] is True
    assert span.status.status_code is StatusCode.UNSET
    assert said(span) == "Par"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (llm_server.error("rate_limit_exceeded"), 429, "rate_limit_exceeded"),
        ({"error": "Model is overloaded", "error_type": "overloaded"}, 429, "overloaded"),
        ({"error": "Invalid credentials"}, 401, "401"),
        (b"<html>bad gateway</html>", 502, "502"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_refused_call_is_one_failed_span(body, status, code, stream, either, spans, server):
    """An error status is the SDK's own exception for the user and one failed span with the server's code for us."""
    server.then(Reply(body, status=status))
    with pytest.raises(Exception) as caught:
        await ask(either, "chat_completion", **CHAT, stream=stream)
    assert isinstance(caught.value, HfHubHTTPError) or type(caught.value).__name__ == "ClientResponseError"
    span = spans.one()
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes[semconv.ERROR_TYPE] == code
    assert span.attributes[semconv.REQUEST_ID] == "req_1"
    assert len(server.requests) == 1


async def test_an_error_in_a_stream(either, spans, server):
    """An error that the server sends as an event is raised by the SDK and fails the span."""
    server.then(Reply([TOKENS[0], {"error": "Request failed during generation", "error_type": "generation"}]))
    with pytest.raises(huggingface_hub.errors.GenerationError):
        await ask(either, "text_generation", prompt="Capital?", stream=True)
    await asyncio.sleep(0)  # an async stream is closed by its loop
    gc.collect()
    await asyncio.sleep(0)
    span = spans.one()
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes[semconv.ERROR_TYPE] == "generation"
    assert span.attributes[semconv.STREAM_OUTCOME] == "failed"
    assert said(span) == "Pa"


def test_a_call_that_the_sdk_makes_again(client, spans, server):
    """A server that does not know an option is asked again by the SDK: two requests, two spans."""
    refusal = {"error": "The following `model_kwargs` are not used by the model: ['top_n_tokens']"}
    server.then(Reply(refusal, status=400), whole([{"generated_text": "Paris"}]))
    with pytest.warns(UserWarning, match="not served via TGI"):
        assert client.text_generation("Capital?", model=server.url, top_n_tokens=2) == "Paris"
    assert [span.attributes.get(semconv.ERROR_TYPE) for span in spans()] == ["400", None]
    assert len(server.requests) == 2


async def test_a_key_is_learnt(client, spans, server):
    """The key that a client is let in with is taken out of every text."""
    client.chat_completion(**CHAT)
    assert KEY not in secrets.scrub(f"{KEY} is not a key")


ROUTER = "https://router.huggingface.co"
HOSTS = [
    (f"{ROUTER}/v1/chat/completions", "openai/gpt-oss-120b:groq", "huggingface", "openai/gpt-oss-120b:groq"),
    (f"{ROUTER}/v1/chat/completions", "openai/gpt-oss-120b", "huggingface", "openai/gpt-oss-120b"),
    (f"{ROUTER}/together/v1/chat/completions", "Qwen/Qwen2.5-7B", "huggingface", "Qwen/Qwen2.5-7B:together"),
    (f"{ROUTER}/fireworks-ai/inference/v1/chat/completions", "m/x", "huggingface", "m/x:fireworks-ai"),
    (f"{ROUTER}/hf-inference/models/m/x/v1/chat/completions", "m/x", "huggingface", "m/x"),
    ("https://x.us-east-1.aws.endpoints.huggingface.cloud/v1/chat/completions", "tgi", "huggingface", "tgi"),
    ("https://api.groq.com/openai/v1/chat/completions", "llama-3.3-70b-versatile", "groq", "llama-3.3-70b-versatile"),
    ("https://api.together.xyz/v1/chat/completions", "Qwen/Qwen2.5-7B", "together", "Qwen/Qwen2.5-7B"),
    ("https://api.cerebras.ai/v1/chat/completions", "gpt-oss-120b", "cerebras", "gpt-oss-120b"),
    ("https://api.scaleway.ai/v1/chat/completions", "m/x", "scaleway", "m/x"),
    ("https://api.featherless.ai/v1/chat/completions", "m/x", "featherless_ai", "m/x"),
    ("https://api.publicai.co/v1/chat/completions", "m/x", "publicai", "m/x"),
]


@pytest.mark.parametrize(("url", "asked", "provider", "model"), HOSTS)
def test_who_serves(url, asked, provider, model):
    """The router is Hugging Face, whoever it sends a call to; a provider's own host is that provider."""
    parameters = RequestParameters(url, "conversational", asked, {"model": asked, "messages": []}, None, {})
    request = sdk.read(None, (parameters,), {})
    assert (request.server.provider, request.body["model"]) == (provider, model)


@pytest.mark.parametrize(
    ("model", "dollars"),
    [
        ("meta-llama/Llama-3.3-70B-Instruct:groq", 0.0669),
        ("Qwen/Qwen2.5-7B-Instruct:together", 0.033),
        ("Qwen/Qwen3-32B:groq", 0.0349),
        ("openai/gpt-oss-120b:fastest", None),
    ],
)
def test_prices(model, dollars):
    """A routed call costs what the provider behind the router takes; without its name nobody knows."""
    cost = pricing.cost("huggingface", model, Usage(100_000, 10_000))
    assert (None if cost is None else round(cost.amount, 9)) == dollars


# What hosts behind the router say: the model, the usage, then our tokens (in, out, cached, reasoning) and US dollars.
USAGES = {
    "groq": (
        "Qwen/Qwen3-32B:groq",
        {"prompt_tokens": 1200, "completion_tokens": 345, "total_tokens": 1545, "queue_time": 0.01},
        (1200, 345, None, None),
        0.00055155,
    ),
    "groq, nothing cached": (
        "meta-llama/Llama-3.3-70B-Instruct:groq",
        {"prompt_tokens": 10, "completion_tokens": 0, "prompt_tokens_details": {"cached_tokens": 0}},
        (10, 0, None, None),
        0.0000059,
    ),
    "together, cached": (
        "Qwen/Qwen2.5-7B-Instruct:together",
        {"prompt_tokens": 900, "completion_tokens": 100, "prompt_tokens_details": {"cached_tokens": 512}},
        (900, 100, 512, None),
        0.0003,
    ),
    "novita, thinking": (
        "deepseek-ai/DeepSeek-R1:novita",
        {
            "prompt_tokens": 70,
            "completion_tokens": 900,
            "total_tokens": 970,
            "prompt_tokens_details": None,
            "completion_tokens_details": {"reasoning_tokens": 850},
        },
        (70, 900, None, 850),
        ...,
    ),
    "text-generation-inference": (
        "tgi",
        {"prompt_tokens": 33, "completion_tokens": 4, "total_tokens": 37},
        (33, 4, None, None),
        None,
    ),
}


@pytest.mark.parametrize("name", USAGES)
@pytest.mark.parametrize("stream", [False, True])
def test_tokens_and_cost(name, stream, client, spans, server):
    """Tokens by class, and what they cost to the last digit, as the price table reads and prices the same answer."""
    model, usage, expected, dollars = USAGES[name]
    answer = llm_server.chat(model=model.partition(":")[0], usage=usage)
    last = llm_server.chunk(usage=usage, model=answer["model"])
    server.then(Reply([*llm_server.chat_chunks()[:-1], last, "[DONE]"] if stream else answer))
    result = client.chat_completion(model=model, messages=MESSAGES, stream=stream)
    assert not stream or list(result)
    seen = spans.one().attributes
    names = (
        semconv.USAGE_INPUT_TOKENS,
        semconv.USAGE_OUTPUT_TOKENS,
        semconv.USAGE_CACHE_READ_TOKENS,
        semconv.USAGE_REASONING_TOKENS,
    )
    assert tuple(map(seen.get, names)) == expected
    cost = pricing.span_cost(seen)
    if ":" not in model:
        assert cost is None
        return
    provider = f"huggingface_{model.partition(':')[2]}"
    theirs = genai_prices.extract_usage(answer, provider_id=provider, api_flavor="chat").usage
    assert (theirs.input_tokens, theirs.output_tokens, theirs.cache_read_tokens or None) == expected[:3]
    price = genai_prices.calc_price(theirs, answer["model"], provider_id=provider)
    assert round(cost.amount, 12) == round(float(price.total_price), 12)
    assert dollars in (..., round(cost.amount, 12))


def test_the_example(server, tmp_path):
    """The example runs as it stands; its calls are in the session's trace."""
    pytest.importorskip("google.rpc", reason="the fake backend needs it")
    from tests.fakes.fault_server import FaultServer

    clean = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "PYTHONWARN"))}
    with FaultServer() as backend:
        done = subprocess.run(
            [sys.executable, str(EXAMPLE), server.url],
            env={**clean, "HF_TOKEN": KEY, "HF_HOME": str(tmp_path), "OTEL_EXPORTER_OTLP_ENDPOINT": backend.url},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stdout) == (0, "Paris\nParis\n"), done.stderr
        assert sorted(span.name for span in backend.spans()) == ["chat", "chat", "session"]
        assert "internal error" not in done.stderr
