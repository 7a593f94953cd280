"""Groq, Together, Cerebras and Fireworks, through their own SDKs: what they have in common."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from genai_prices import extract_usage
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.trace import SpanKind, StatusCode

from agentops_otel import pricing, semconv
from agentops_otel.instrumentation._content import Content
from agentops_otel.instrumentation.readers import compatible
from tests.fakes import llm_server, odd_json
from tests.fakes.llm_server import Reply
from tests.sdks import answers_anthropic
from tests.sdks.answers_compatible import ANSWERS, TIME_INFO, Answer
from tests.sdks.case import Case
from tests.sdks.compatible import BOTH, INSTALLED, MESSAGES, MODULES, call, client_of, done, is_together_2, module_of

EACH = pytest.mark.parametrize("name", INSTALLED)
EXAMPLES = Path(__file__).parents[2] / "examples" / "sdks"


def _case(name, api, **said):
    """One call of one SDK for the contract."""
    return Case(
        name=f"{name} {api}",
        provider=name,
        model="some-model",
        client=lambda address: client_of(name, address),
        async_client=lambda address: client_of(name, address, asynchronous=True),
        refusal=llm_server.error("model_not_found"),
        code="model_not_found",
        **said,
    )


def _chat(name):
    def call(client, **more):
        return client.chat.completions.create(model="some-model", messages=MESSAGES, **more)

    return _case(
        name,
        "chat",
        span="chat some-model",
        tokens=(57, 48),
        call=call,
        answer=llm_server.chat(),
        stream=lambda client: call(client, stream=True),
        events=[*llm_server.chat_chunks()[:-2], llm_server.chunk({}, "stop", usage=llm_server.USAGE), "[DONE]"],
    )


def _completions(name):
    whole = llm_server.completion()
    texts = [{"index": 0, "text": text, "logprobs": None, "finish_reason": None} for text in ("Pa", "r", "is")]

    def call(client, **more):
        return client.completions.create(model="some-model", prompt="Capital?", **more)

    return _case(
        name,
        "completions",
        span="text_completion some-model",
        tokens=(5, 1),
        call=call,
        answer=whole,
        stream=lambda client: call(client, stream=True),
        events=[
            *({**whole, "choices": [text], "usage": None} for text in texts),
            {**whole, "choices": [{**texts[0], "text": "", "finish_reason": "stop"}]},
            "[DONE]",
        ],
    )


def _embeddings(name):
    return _case(
        name,
        "embeddings",
        span="embeddings some-model",
        tokens=(8, None),
        call=lambda client: client.embeddings.create(model="some-model", input="Paris"),
        answer=llm_server.embeddings(),
        said="",
    )


def _has(name, api):
    return name in INSTALLED and find_spec(f"{MODULES[name][0]}.resources.{api}") is not None


CASES = [
    *map(_chat, INSTALLED),
    *(_completions(name) for name in ("cerebras", "fireworks", "together") if _has(name, "completions")),
    *(_embeddings(name) for name in ("groq", "together") if _has(name, "embeddings")),
]
ROWS = [row for row in ANSWERS if row.sdk in INSTALLED]


def named(answer):
    return f"{answer.sdk}-{answer.api}-{answer.dollars}"


def tokens_of(seen):
    names = (
        semconv.USAGE_INPUT_TOKENS,
        semconv.USAGE_OUTPUT_TOKENS,
        semconv.USAGE_CACHE_READ_TOKENS,
        semconv.USAGE_REASONING_TOKENS,
    )
    return tuple(seen.get(name) for name in names)


@BOTH
@pytest.mark.parametrize("answer", ROWS, ids=named)
async def test_tokens_and_cost_of_an_answer(answer: Answer, asynchronous, connect, server, spans):
    """Every answer has the tokens that it says, by class, and their price."""
    stream = isinstance(answer.body, list)
    model = (answer.body[0] if stream else answer.body)["model"]
    server.then(Reply(answer.body))
    await call(connect(answer.sdk, asynchronous=asynchronous), answer.api, model, stream=stream)
    seen = spans.one().attributes
    assert seen[semconv.PROVIDER_NAME] == answer.sdk
    assert tokens_of(seen) == answer.tokens
    priced = pricing.span_cost(seen)
    if priced is None and pricing.table_version().startswith("0.1."):
        pytest.skip("older tables know fewer models")
    assert (None if priced is None else priced.amount) == (
        None if answer.dollars is None else pytest.approx(answer.dollars, rel=1e-12)
    )


@pytest.mark.parametrize("answer", [row for row in ROWS if row.dollars and row.is_plain], ids=named)
def test_the_price_tables_own_reader_finds_the_same(answer: Answer):
    """`genai_prices` reads the same tokens out of an answer, where it has a reader for the provider.

    It has none for Together; of Cerebras it leaves out what was cached, which costs the same there.
    """
    if answer.sdk == "together":
        pytest.skip("genai_prices has no reader")
    body = answer.body[-2] if isinstance(answer.body, list) else answer.body
    found = extract_usage(body, provider_id=answer.sdk, api_flavor="default" if answer.sdk == "groq" else "chat").usage
    cached = None if answer.sdk == "cerebras" else answer.tokens[2]
    assert (found.input_tokens, found.output_tokens) == answer.tokens[:2]
    assert (found.cache_read_tokens or None) == cached
    assert (found.output_reasoning_tokens or None) == answer.tokens[3]


LIMITS = {
    "cerebras": {"x-ratelimit-remaining-requests-day": "14399", "x-ratelimit-remaining-tokens-minute": "59000"},
    "fireworks": {"x-ratelimit-remaining-requests": "14399", "x-ratelimit-remaining-tokens-prompt": "59000"},
    "groq": {"x-ratelimit-remaining-requests": "14399", "x-ratelimit-remaining-tokens": "59000"},
    "together": {"x-ratelimit-remaining": "14399", "x-tokenlimit-remaining": "59000"},
}


@EACH
@BOTH
@pytest.mark.parametrize("stream", [False, True])
async def test_a_call_says_who_what_and_how(name, asynchronous, stream, connect, server, spans):
    """A call is one client span with its provider, settings, request id and what is left of the rate limits."""
    chunks = [*llm_server.chat_chunks()[:-1], llm_server.chunk(usage=llm_server.USAGE), "[DONE]"]
    server.then(Reply(chunks if stream else llm_server.chat(), headers=LIMITS[name]))
    body = {"temperature": 0.5, "top_p": 0.9, "max_tokens": 100, "stop": ["."], "seed": 7, "reasoning_effort": "low"}
    await call(connect(name, asynchronous=asynchronous), "chat", "some-model", stream=stream, extra_body=body)
    (request,) = server.requests
    assert request.body == {"model": "some-model", "messages": MESSAGES, **({"stream": True} if stream else {}), **body}
    span = spans.one()
    seen = span.attributes
    assert (span.name, span.kind, span.status.status_code) == ("chat some-model", SpanKind.CLIENT, StatusCode.UNSET)
    expected = {
        semconv.SPAN_KIND: "llm",
        semconv.PROVIDER_NAME: name,
        semconv.REQUEST_MODEL: "some-model",
        semconv.REQUEST_TEMPERATURE: 0.5,
        semconv.REQUEST_TOP_P: 0.9,
        semconv.REQUEST_MAX_TOKENS: 100,
        semconv.REQUEST_STOP_SEQUENCES: (".",),
        semconv.REQUEST_SEED: 7,
        semconv.REQUEST_REASONING_LEVEL: "low",
        semconv.RESPONSE_ID: "chatcmpl-1",
        semconv.RESPONSE_MODEL: "gpt-4o-2024-08-06",
        semconv.RESPONSE_FINISH_REASONS: ("stop",),
        semconv.SERVER_ADDRESS: "127.0.0.1",
        semconv.SERVER_PORT: server.port,
        semconv.RATELIMIT_REMAINING_REQUESTS: 14399,
        semconv.RATELIMIT_REMAINING_TOKENS: 59000,
        semconv.REQUEST_ID: "req_1",
    }
    assert {key: seen.get(key) for key in expected} == expected
    assert semconv.OPENAI_API_TYPE not in seen
    assert tokens_of(seen) == (57, 48, 32, 16)
    assert seen.get(semconv.STREAM_OUTCOME) == ("completed" if stream else None)
    assert "Capital of France?" in seen[semconv.INPUT_MESSAGES]
    assert "Paris" in seen[semconv.OUTPUT_MESSAGES]


@EACH
@pytest.mark.parametrize("stream", [False, True])
async def test_the_tier_is_the_providers_own(name, stream, connect, server, spans):
    """The tier that was asked for and the one that served are no tiers of OpenAI's."""
    chunks = [llm_server.chunk({"content": "Paris"}, "stop", service_tier="priority"), "[DONE]"]
    server.then(Reply(chunks if stream else llm_server.chat(service_tier="priority")))
    await call(connect(name), "chat", "some-model", stream=stream, extra_body={"service_tier": "auto"})
    seen = spans.one().attributes
    assert (seen[semconv.REQUEST_SERVICE_TIER], seen[semconv.RESPONSE_SERVICE_TIER]) == ("auto", "priority")
    assert not {semconv.OPENAI_REQUEST_SERVICE_TIER, semconv.OPENAI_RESPONSE_SERVICE_TIER} & seen.keys()


WEATHER = [("call_0", "weather", {"city": "Paris"}), ("call_1", "weather", {"city": "Rome"})]


def _tool_call(index, call_id, name, arguments):
    function = {"name": name, "arguments": json.dumps(arguments)}
    return {"index": index, "id": call_id, "type": "function", "function": function}


@EACH
@BOTH
@pytest.mark.parametrize("stream", [False, True])
async def test_reasoning_and_parallel_tool_calls(name, asynchronous, stream, connect, server, spans):
    """What a model thinks, says and calls is one message, however it came."""
    field = "reasoning_content" if name == "fireworks" else "reasoning"
    said = {"content": "Let me look.", field: "Both cities"}
    tools = [_tool_call(index, *one) for index, one in enumerate(WEATHER)]
    deltas = [{"role": "assistant", field: "Both "}, {field: "cities"}, {"content": "Let me "}, {"content": "look."}]
    deltas += [{"tool_calls": [{**tool, "function": {**tool["function"], "arguments": ""}}]} for tool in tools]
    for tool in tools:
        text = tool["function"]["arguments"]
        deltas += [
            {"tool_calls": [{"index": tool["index"], "type": "function", "function": {"arguments": piece}}]}
            for piece in (text[:5], text[5:])
        ]
    chunks = [*map(llm_server.chunk, deltas), llm_server.chunk({}, "tool_calls"), "[DONE]"]
    server.then(Reply(chunks if stream else llm_server.chat({**said, "tool_calls": tools})))
    await call(connect(name, asynchronous=asynchronous), "chat", "some-model", stream=stream)
    (message,) = json.loads(spans.one().attributes[semconv.OUTPUT_MESSAGES])
    by_type = {kind: [part for part in message["parts"] if part["type"] == kind] for kind in ("text", "reasoning")}
    assert by_type["text"] == [{"type": "text", "content": "Let me look."}]
    assert by_type["reasoning"] == [{"type": "reasoning", "content": "Both cities"}]
    calls = [part for part in message["parts"] if part["type"] == "tool_call"]
    assert [(each["id"], each["name"], each["arguments"]) for each in calls] == WEATHER


ERRORS = [
    ("groq", {"error": {"message": "no", "type": "tokens", "code": "rate_limit_exceeded"}}, "rate_limit_exceeded"),
    ("groq", {"error": {"message": "no", "type": "invalid_request_error"}}, "invalid_request_error"),
    (
        "together",
        {"error": {"message": "no", "type": "model_rate_limit", "param": None, "code": None}},
        "model_rate_limit",
    ),
    ("together", {"id": "1", "error": {"message": "no", "type": "server_error", "code": 503}}, "503"),
    (
        "cerebras",
        {"message": "no", "type": "invalid_request_error", "param": "", "code": "wrong_api_key"},
        "wrong_api_key",
    ),
    ("cerebras", {"message": "no", "type": "too_many_requests_error", "code": ""}, "too_many_requests_error"),
    ("fireworks", {"error": {"object": "error", "type": "invalid_request_error", "code": "NOT_FOUND"}}, "NOT_FOUND"),
    ("fireworks", {"type": "error", "error": {"type": "rate_limit_error", "message": "no"}}, "rate_limit_error"),
    ("fireworks", {"error": "no such model"}, None),
    ("fireworks", {"detail": [{"loc": ["body"]}]}, None),
    ("together", [], None),
    ("groq", "no", None),
    ("groq", {"error": {"code": True, "type": ["x"]}}, None),
]


@pytest.mark.parametrize(("name", "body", "code"), [row for row in ERRORS if row[0] in INSTALLED])
@BOTH
@pytest.mark.parametrize("stream", [False, True])
async def test_the_providers_code_of_an_error(name, body, code, asynchronous, stream, connect, server, spans):
    """A refused call has the provider's own code, wherever its body says it, else the name of the exception."""
    module = module_of(name)
    server.then(Reply(body, status=429))
    with pytest.raises(module.RateLimitError) as caught:
        await call(connect(name, asynchronous=asynchronous), "chat", "some-model", stream=stream)
    assert caught.value.__cause__ is None
    span = spans.one()
    assert span.attributes[semconv.ERROR_TYPE] == (code or f"{module.__name__}.RateLimitError")
    assert span.attributes[semconv.REQUEST_ID] == "req_1"
    assert span.status.status_code is StatusCode.ERROR


@EACH
@BOTH
async def test_an_error_inside_a_stream(name, asynchronous, connect, server, spans):
    """A stream that fails after it has begun fails its span, whether the SDK raises or hands the error over."""
    error = {"error": {"message": "over capacity", "type": "server_error", "code": "overloaded"}}
    server.then(Reply([*llm_server.chat_chunks()[:3], error]))
    module = module_of(name)
    try:
        await call(connect(name, asynchronous=asynchronous), "chat", "some-model", stream=True)
    except module.APIError:
        assert name != "fireworks"
    else:
        assert name == "fireworks"  # its SDK makes a chunk of it
    span = spans.one()
    assert span.attributes[semconv.ERROR_TYPE] == "overloaded"
    assert span.attributes[semconv.STREAM_OUTCOME] == "failed"
    assert span.status.status_code is StatusCode.ERROR
    assert "Par" in span.attributes[semconv.OUTPUT_MESSAGES]
    assert semconv.USAGE_OUTPUT_TOKENS not in span.attributes


@EACH
@BOTH
async def test_what_is_no_llm_call(name, asynchronous, connect, server, spans):
    """Lists of models and files make no span."""
    client = connect(name, asynchronous=asynchronous)
    server.then(*[Reply({"object": "list", "data": []})] * 2)
    for ask in (lambda: client.get("/v1/models", cast_to=object), lambda: client.post("/v1/files", cast_to=object)):
        await done(ask())
    assert spans() == []


HOSTS = {"fireworks": "api.fireworks.ai", "together": "api-inference.together.ai"}


@pytest.mark.parametrize("name", [name for name in INSTALLED if name in HOSTS])
@BOTH
async def test_a_client_with_its_own_addresses(name, asynchronous, connect, server, spans):
    """A client without a base URL may ask a host for each kind of call; a span has the one that was asked."""
    httpx = pytest.importorskip("httpx")
    kind = httpx.AsyncHTTPTransport if asynchronous else httpx.HTTPTransport
    asked = []

    class Redirected(kind):
        """Sends each request to the fake server."""

        def handle_request(self, request):
            return super().handle_request(self.to_server(request))

        async def handle_async_request(self, request):
            return await super().handle_async_request(self.to_server(request))

        def to_server(self, request):
            asked.append(str(request.url))
            request.url = request.url.copy_with(scheme="http", host="127.0.0.1", port=server.port)
            return request

    http = (httpx.AsyncClient if asynchronous else httpx.Client)(transport=Redirected())
    await call(connect(name, asynchronous=asynchronous, base_url=None, http_client=http), "chat", "some-model")
    seen = spans.one().attributes
    host = "api.together.xyz" if name == "together" and is_together_2() else HOSTS[name]
    assert asked[0].startswith(f"https://{host}/")
    assert (seen[semconv.SERVER_ADDRESS], seen[semconv.SERVER_PORT]) == (host, 443)
    assert tokens_of(seen) == (57, 48, 32, 16)


@EACH
@BOTH
@pytest.mark.parametrize("last", [200, 500])
async def test_retries_are_one_span_that_counts_them(name, asynchronous, last, connect, server, spans):
    """Retries happen inside one span, which says how many there were, whether the last one succeeds or not."""
    again = {"retry-after-ms": "1"}
    failed = [Reply(llm_server.error("busy"), status, again) for status in (429, 500)]
    server.then(*failed, Reply(llm_server.chat() if last == 200 else llm_server.error("busy"), last))
    client = connect(name, asynchronous=asynchronous, max_retries=2)
    if last == 200:
        assert (await call(client, "chat", "some-model")).choices[0].message.content == "Paris"
    else:
        with pytest.raises(module_of(name).InternalServerError):
            await call(client, "chat", "some-model")
    seen = spans.one().attributes
    assert seen[semconv.RESEND_COUNT] == 2
    assert seen.get(semconv.ERROR_TYPE) == (None if last == 200 else "busy")
    assert len(server.requests) == 3


@EACH
@BOTH
@pytest.mark.parametrize("way", ["with_raw_response", "with_streaming_response"])
@pytest.mark.parametrize("stream", [False, True])
async def test_raw_access(name, asynchronous, way, stream, connect, server, spans):
    """A raw response is recorded as a parsed one is, and has the headers and the body that it has without us."""
    chunks = [*llm_server.chat_chunks()[:-2], llm_server.chunk({}, "stop", usage=llm_server.USAGE), "[DONE]"]
    server.then(Reply(chunks if stream else llm_server.chat()))
    target = getattr(connect(name, asynchronous=asynchronous).chat.completions, way)
    asked = {"model": "some-model", "messages": MESSAGES, **({"stream": True} if stream else {})}
    made = target.create(**asked)
    if way == "with_raw_response":
        await _read(await done(made))
    elif asynchronous:
        async with made as raw:
            await _read(raw)
    else:
        with made as raw:
            await _read(raw)
    seen = spans.one().attributes
    assert tokens_of(seen) == (57, 48, 32, 16)
    assert "Paris" in seen[semconv.OUTPUT_MESSAGES]
    assert seen[semconv.REQUEST_ID] == "req_1"
    assert seen.get(semconv.STREAM_OUTCOME) == ("completed" if stream else None)


async def _read(raw):
    """Read a raw response to its end."""
    assert raw.headers["x-request-id"] == "req_1"
    found = await done(raw.parse())
    if hasattr(found, "__aiter__"):
        assert [chunk async for chunk in found]
    elif hasattr(found, "__next__"):
        assert list(found)


# ---- odd fields ----

COMPOUND = {
    "reasoning": "France, so Paris",
    "content": "Paris",
    "executed_tools": [{"index": 0, "type": "search", "arguments": "{}"}],
    "tool_calls": [_tool_call(0, *WEATHER[0])],
}
WHOLE = {
    "chat": llm_server.chat(COMPOUND, time_info=TIME_INFO, x_groq={"id": "req_2", "usage": llm_server.USAGE}),
    "stream": [
        llm_server.chunk({"reasoning": "France"}),
        llm_server.chunk({"executed_tools": COMPOUND["executed_tools"]}),
        llm_server.chunk({"content": "Paris"}),
        llm_server.chunk({"tool_calls": COMPOUND["tool_calls"]}),
        llm_server.chunk({}, "stop", time_info=TIME_INFO, x_groq={"id": "req_2", "usage": llm_server.USAGE}),
    ],
    "completions": llm_server.completion(),
}
READERS = {"chat": compatible.CHAT, "stream": compatible.CHAT, "completions": compatible.COMPLETIONS}
ASKED = {
    "model": "some-model",
    "messages": [*MESSAGES, {"role": "assistant", **COMPOUND}, {"role": "tool", "tool_call_id": "1", "content": "x"}],
    "temperature": 0.5,
    "service_tier": "flex",
    "stop": ["."],
    "tools": [{"type": "function", "function": {"name": "weather"}}],
    "response_format": {"type": "json_object"},
    "reasoning_effort": "low",
    "reasoning": {"enabled": True},
}
PLACES = [(kind, path) for kind in WHOLE for path in odd_json.paths(WHOLE[kind])]


def read(kind, answer):
    """What the readers write of an answer, and its messages."""
    if kind == "stream":
        fold = READERS[kind].fold()
        fold.extend(answer)
        answer = fold.response()
    seen = {}
    READERS[kind].response(answer, seen)
    content = Content(1000)
    messages = READERS[kind].output(answer, content)
    return {**seen, **content.encoded({semconv.OUTPUT_MESSAGES: messages})}


@settings(odd_json.ANY)
@given(st.sampled_from(PLACES), odd_json.ODD)
def test_an_odd_field_costs_itself(place, odd):
    """Any JSON in the place of any field: no reader fails, and the id and the model survive where they are not it."""
    kind, path = place
    seen = read(kind, odd_json.replaced(WHOLE[kind], path, odd))
    if "id" not in path:
        assert seen[semconv.RESPONSE_ID] == read(kind, WHOLE[kind])[semconv.RESPONSE_ID]
    if "choices" in path and "error" not in str(odd):
        assert seen[semconv.USAGE_INPUT_TOKENS] == read(kind, WHOLE[kind])[semconv.USAGE_INPUT_TOKENS]


@settings(odd_json.ANY)
@given(st.sampled_from(list(odd_json.paths(ASKED))), odd_json.ODD)
def test_an_odd_request_costs_its_field(path, odd):
    """The same for what is asked: the other settings are recorded."""
    seen = {}
    body = odd_json.replaced(ASKED, path, odd)
    compatible.CHAT.request(body, seen)
    compatible.CHAT.prompt(body, Content(1000), {})
    if path != ("temperature",):
        assert seen[semconv.REQUEST_TEMPERATURE] == 0.5
    if path != ("service_tier",):
        assert seen[semconv.REQUEST_SERVICE_TIER] == "flex"


@settings(odd_json.ANY)
@given(odd_json.ODD)
def test_any_body_of_an_error(body):
    """The body of an error is whatever a proxy makes of it."""
    error = RuntimeError("no")
    error.body = body
    code = compatible.error_code(error)
    assert code is None or (isinstance(code, str) and code)


# ---- examples ----


@EACH
def test_the_example(name, server, tmp_path):
    """The example runs as it stands, with the variables of its SDK; its calls are in the session's trace."""
    pytest.importorskip("google.rpc", reason="the fake backend needs it")
    from tests.fakes.fault_server import FaultServer

    if name == "fireworks":
        server.then(Reply(llm_server.chat_chunks()), Reply(answers_anthropic.message()))
    root = server.url if name == "together" and is_together_2() else server.url.removesuffix("/v1")
    keys = {f"{name.upper()}_API_KEY": "none", f"{name.upper()}_BASE_URL": root}
    clean = {key: value for key, value in os.environ.items() if not key.startswith((name.upper(), "PYTHONWARN"))}
    with FaultServer() as backend:
        done = subprocess.run(
            [sys.executable, str(EXAMPLES / f"with_{name}.py")],
            env={**clean, **keys, "OTEL_EXPORTER_OTLP_ENDPOINT": backend.url},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "Paris" in done.stdout
        spans = [span.name for span in backend.spans()]
    assert (len(spans), sum(span.startswith(("chat ", "embeddings ")) for span in spans)) == (3, 2)
