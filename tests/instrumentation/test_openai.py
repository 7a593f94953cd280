"""What is read from OpenAI's requests and answers, over the real client."""

from __future__ import annotations

import base64
import hashlib
import inspect
import json

import openai
import pytest
from opentelemetry.trace import StatusCode
from pydantic import BaseModel

from agentops_otel import instrumentation, semconv
from agentops_otel.instrumentation import _openai_calls
from agentops_otel.instrumentation import openai as readers
from tests.fakes import llm_server
from tests.fakes.llm_server import Reply

USER = {"role": "user", "content": "Capital of France?"}
CHAT = {"model": "gpt-4o", "messages": [USER]}
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Weather of a city",
        "parameters": {"type": "object", "properties": {}},
    },
}


class City(BaseModel):
    city: str


def sent(span):
    return json.loads(span.attributes[semconv.INPUT_MESSAGES])


def received(span):
    return json.loads(span.attributes[semconv.OUTPUT_MESSAGES])


def test_chat_span(client, spans):
    """One chat call, whole: every attribute of the span and its value."""
    client.chat.completions.create(
        **CHAT,
        temperature=0.5,
        top_p=0.9,
        max_completion_tokens=100,
        seed=7,
        stop=["a", "b"],
        n=2,
        service_tier="flex",
        frequency_penalty=0.1,
        presence_penalty=0.2,
        response_format={"type": "json_object"},
    )
    seen = dict(spans.one().attributes)
    for name in (semconv.SERVER_PORT, semconv.INPUT_MESSAGES, semconv.OUTPUT_MESSAGES):
        seen.pop(name)
    assert seen == {
        "session.id": "0123abcd-0123-4567-89ab-0123456789ab",
        "agentops.span.kind": "llm",
        "agentops.request_id": "req_1",
        "agentops.ratelimit.remaining_requests": 99,
        "agentops.ratelimit.remaining_tokens": 149000,
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.output.type": "json",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.top_p": 0.9,
        "gen_ai.request.max_tokens": 100,
        "gen_ai.request.seed": 7,
        "gen_ai.request.stop_sequences": ("a", "b"),
        "gen_ai.request.choice.count": 2,
        "gen_ai.request.frequency_penalty": 0.1,
        "gen_ai.request.presence_penalty": 0.2,
        "gen_ai.response.id": "chatcmpl-1",
        "gen_ai.response.model": "gpt-4o-2024-08-06",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 57,
        "gen_ai.usage.output_tokens": 48,
        "gen_ai.usage.cache_read.input_tokens": 32,
        "gen_ai.usage.reasoning.output_tokens": 16,
        "openai.api.type": "chat_completions",
        "openai.request.service_tier": "flex",
        "openai.response.service_tier": "default",
        "openai.response.system_fingerprint": "fp_1",
        "server.address": "127.0.0.1",
    }


def test_messages_of_every_kind(client, spans):
    """Each kind of message and part has its form in the GenAI schema."""
    call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Paris"}'}}
    messages = [
        {"role": "developer", "content": "Be brief."},
        {
            "role": "user",
            "name": "ann",
            "content": [
                {"type": "text", "text": "look"},
                {"type": "image_url", "image_url": {"url": "https://x/y.png"}},
            ],
        },
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "22 degrees"},
        {"role": "assistant", "content": "", "refusal": "no"},
    ]
    client.chat.completions.create(model="gpt-4o", messages=messages)
    assert sent(spans.one()) == [
        {"role": "developer", "parts": [{"type": "text", "content": "Be brief."}]},
        {
            "role": "user",
            "name": "ann",
            "parts": [
                {"type": "text", "content": "look"},
                {"type": "uri", "modality": "image", "uri": "https://x/y.png"},
            ],
        },
        {
            "role": "assistant",
            "parts": [{"type": "tool_call", "id": "call_1", "name": "weather", "arguments": {"city": "Paris"}}],
        },
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "call_1", "response": "22 degrees"}]},
        {"role": "assistant", "parts": [{"type": "text", "content": ""}, {"type": "refusal", "content": "no"}]},
    ]


def test_small_media_become_a_reference(client, spans):
    """A small picture or sound is named by type, size and the sha-256 of its bytes, which are nowhere on the span."""
    data = b"\x89PNG" * 100
    text = base64.b64encode(data).decode()
    parts = [
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{text}"}},
        {"type": "input_audio", "input_audio": {"data": text, "format": "wav"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{text}"}},
    ]
    client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": parts}])
    span = spans.one()
    digest = hashlib.sha256(data).hexdigest()
    same = {"type": "file", "file_id": f"sha256:{digest}", "bytes": 400, "sha256": digest}
    assert sent(span)[0]["parts"] == [
        {**same, "modality": "image", "mime_type": "image/png"},
        {**same, "modality": "audio", "mime_type": "audio/wav"},
        {**same, "modality": "document", "mime_type": "application/pdf", "filename": "a.pdf"},
    ]
    assert text[:100] not in str(span.attributes)


def test_large_media_are_sampled(client, spans):
    """A large picture has a digest of a sample of it, and the attribute says so."""
    url = "data:image/png;base64," + "iVBORw0K" * 100_000
    client.chat.completions.create(
        model="gpt-4o", messages=[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]
    )
    part = sent(spans.one())[0]["parts"][0]
    assert part["bytes"] == 600_000
    assert len(part["sha256_sample"]) == 64
    assert "sha256" not in part


def test_long_text_is_cut(client, record, provider):
    """A text over the limit is cut, with a marker; its neighbours are not."""
    record(max_content_length=100)
    client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "x" * 500}, USER])
    first, second = sent(provider.capture.spans[0])
    assert len(first["parts"][0]["content"]) <= 100
    assert "cut" in first["parts"][0]["content"]
    assert second["parts"][0]["content"] == "Capital of France?"


def test_messages_from_a_generator(client, spans, server):
    """A generator is consumed by the SDK and not by us: everything in it is sent and recorded."""
    client.chat.completions.create(model="gpt-4o", messages=(message for message in [USER, USER]))
    assert len(server.requests[0].body["messages"]) == 2
    assert len(sent(spans.one())) == 2


def test_messages_with_the_sdks_own_object(client, spans):
    """An answer put back among the messages is recorded like any other message."""
    message = client.chat.completions.create(**CHAT).choices[0].message
    spans()
    client.chat.completions.create(model="gpt-4o", messages=[USER, message, {"role": "user", "content": "and Spain?"}])
    assert [part["content"] for message in sent(spans.one()) for part in message["parts"]] == [
        "Capital of France?",
        "Paris",
        "and Spain?",
    ]


def test_request_is_the_same_on_the_wire(client, spans, server):
    """Body and headers are those of an SDK without us, `traceparent` included."""
    client.chat.completions.create(**CHAT, stream=True).close()
    instrumentation.uninstrument()
    client.chat.completions.create(**CHAT, stream=True).close()
    ours, plain = server.requests
    assert ours.raw == plain.raw
    changing = {"x-stainless-read-timeout", "idempotency-key"}
    assert {k: v for k, v in ours.headers.items() if k not in changing} == {
        k: v for k, v in plain.headers.items() if k not in changing
    }


def test_tools(client, spans, server):
    """Tool definitions are flat, parallel calls are all there, arguments are values."""
    calls = [
        {
            "id": f"call_{n}",
            "type": "function",
            "function": {"name": "weather", "arguments": json.dumps({"city": city})},
        }
        for n, city in enumerate(["Paris", "Rome"])
    ]
    message = {"content": None, "tool_calls": calls}
    server.then(Reply(llm_server.chat(choices=[llm_server.choice(message, finish_reason="tool_calls")])))
    client.chat.completions.create(**CHAT, tools=[WEATHER], parallel_tool_calls=True)
    span = spans.one()
    assert json.loads(span.attributes[semconv.TOOL_DEFINITIONS]) == [{"type": "function", **WEATHER["function"]}]
    assert received(span) == [
        {
            "role": "assistant",
            "finish_reason": "tool_call",
            "parts": [
                {"type": "tool_call", "id": "call_0", "name": "weather", "arguments": {"city": "Paris"}},
                {"type": "tool_call", "id": "call_1", "name": "weather", "arguments": {"city": "Rome"}},
            ],
        }
    ]


def test_streamed_tool_calls(client, spans, server):
    """Parallel tool calls that come in pieces are put together by their index."""

    def piece(index, arguments, **more):
        call = {
            "index": index,
            "type": "function",
            "function": {"arguments": arguments, **more.pop("function", {})},
            **more,
        }
        return llm_server.chunk({"tool_calls": [call]})

    server.then(
        Reply(
            [
                piece(0, "", id="call_0", function={"name": "weather"}),
                piece(1, "", id="call_1", function={"name": "time"}),
                piece(0, '{"city":'),
                piece(1, '{"zone":"CET"}'),
                piece(0, '"Paris"}'),
                llm_server.chunk({}, "tool_calls"),
                "[DONE]",
            ]
        )
    )
    list(client.chat.completions.create(**CHAT, tools=[WEATHER], stream=True))
    assert received(spans.one())[0]["parts"] == [
        {"type": "tool_call", "id": "call_0", "name": "weather", "arguments": {"city": "Paris"}},
        {"type": "tool_call", "id": "call_1", "name": "time", "arguments": {"zone": "CET"}},
    ]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_reasoning_of_compatible_hosts(stream, client, spans, server):
    """A field that OpenAI does not have, `reasoning_content`, is recorded as reasoning."""
    message = {"content": "Paris", "reasoning_content": "France, so Paris"}
    chunks = [
        llm_server.chunk({"reasoning_content": "France, "}),
        llm_server.chunk({"reasoning_content": "so Paris"}),
        llm_server.chunk({"content": "Paris"}, "stop"),
    ]
    server.then(Reply([*chunks, "[DONE]"] if stream else llm_server.chat(message)))
    answer = client.chat.completions.create(**CHAT, stream=stream)
    if stream:
        list(answer)
    parts = received(spans.one())[0]["parts"]
    assert {"type": "reasoning", "content": "France, so Paris"} in parts
    assert {"type": "text", "content": "Paris"} in parts


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_refusal(stream, client, spans, server):
    """A refusal is a part of its own."""
    chunks = [llm_server.chunk({"refusal": "I can"}), llm_server.chunk({"refusal": "not"}, "stop"), "[DONE]"]
    server.then(Reply(chunks if stream else llm_server.chat({"content": None, "refusal": "I cannot"})))
    answer = client.chat.completions.create(**CHAT, stream=stream)
    if stream:
        list(answer)
    assert received(spans.one())[0]["parts"] == [{"type": "refusal", "content": "I cannot"}]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_several_choices(stream, client, spans, server):
    """With n > 1 each choice is a message, and each has its finish reason."""
    chunks = [
        llm_server.chunk({"content": "Par"}, index=0),
        llm_server.chunk({"content": "Lu"}, index=1),
        llm_server.chunk({"content": "is"}, "stop", index=0),
        llm_server.chunk({"content": "tetia"}, "length", index=1),
        "[DONE]",
    ]
    choices = [llm_server.choice({"content": "Paris"}), llm_server.choice({"content": "Lutetia"}, 1, "length")]
    server.then(Reply(chunks if stream else llm_server.chat(choices=choices)))
    answer = client.chat.completions.create(**CHAT, n=2, stream=stream)
    if stream:
        list(answer)
    span = spans.one()
    assert span.attributes[semconv.RESPONSE_FINISH_REASONS] == ("stop", "length")
    assert [message["parts"][0]["content"] for message in received(span)] == ["Paris", "Lutetia"]


def test_spoken_answer(client, spans, server):
    """Sound in an answer is a reference, its transcript is text, and its tokens are counted."""
    audio = {"id": "audio_1", "data": base64.b64encode(b"RIFF").decode(), "expires_at": 1, "transcript": "Paris"}
    usage = {**llm_server.USAGE, "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 30}}
    server.then(Reply(llm_server.chat({"content": None, "audio": audio}, usage=usage)))
    client.chat.completions.create(**CHAT, modalities=["text", "audio"], audio={"voice": "alloy", "format": "wav"})
    span = spans.one()
    blob, text = received(span)[0]["parts"]
    assert (blob["type"], blob["modality"], blob["bytes"]) == ("file", "audio", 4)
    assert text == {"type": "text", "content": "Paris"}
    assert span.attributes[semconv.OUTPUT_TYPE] == "speech"
    assert span.attributes[semconv.USAGE_OUTPUT_AUDIO_TOKENS] == 30


def test_answer_without_usage_and_with_unknown_fields(client, spans, server):
    """An answer without usage has no token attributes; fields that nobody knows disturb nothing."""
    answer = llm_server.chat({"content": "Paris", "mood": "good"}, usage=None, weather={"of": ["Paris"]})
    server.then(Reply(answer))
    client.chat.completions.create(**CHAT, logprobs=True)
    span = spans.one()
    assert not [name for name in span.attributes if name.startswith("gen_ai.usage")]
    assert received(span)[0]["parts"] == [{"type": "text", "content": "Paris"}]


@pytest.mark.parametrize("body", [{"choices": [{}]}, {"choices": [{"message": None}], "usage": {}}, {"id": "x"}])
def test_answers_with_little_in_them(body, client, spans, server):
    """An answer that has something of one is no failure, whatever it lacks."""
    server.then(Reply(body))
    client.chat.completions.create(**CHAT)
    assert spans.one().status.status_code is StatusCode.UNSET


def test_cost_that_the_provider_states(client, spans, server):
    """A host that says what a call cost is believed."""
    server.then(Reply(llm_server.chat(usage={**llm_server.USAGE, "cost": 0.0125})))
    client.chat.completions.create(**CHAT)
    seen = spans.one().attributes
    assert seen[semconv.COST_AMOUNT] == 0.0125
    assert (seen[semconv.COST_SOURCE], seen[semconv.COST_CURRENCY]) == ("provider", "USD")


def test_failure_inside_an_answer(client, spans, server):
    """A failed response of the Responses API raises nothing for the user and is a failed span."""
    failed = llm_server.response("failed", error={"code": "server_error", "message": "it broke"})
    server.then(Reply(failed))
    assert client.responses.create(model="gpt-4o", input="hi").status == "failed"
    span = spans.one()
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes[semconv.ERROR_TYPE] == "server_error"
    assert span.attributes[semconv.RESPONSE_FINISH_REASONS] == ("error",)


def test_responses_items(client, spans, server):
    """Instructions, items of every kind, and the conversation of the Responses API."""
    server.then(
        Reply(
            llm_server.response(
                output=[
                    {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "thinking"}]},
                    {"type": "web_search_call", "id": "ws_1", "status": "completed"},
                    {
                        "type": "function_call",
                        "id": "fc_1",
                        "call_id": "call_1",
                        "name": "weather",
                        "arguments": '{"city":"Paris"}',
                    },
                ],
                conversation={"id": "conv_1"},
            )
        )
    )
    items = [
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": "look"},
                {"type": "input_image", "image_url": "https://x/y.png", "detail": "low"},
            ],
        },
        {"type": "function_call", "call_id": "call_0", "name": "weather", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_0", "output": "sunny"},
    ]
    client.responses.create(
        model="gpt-4o",
        instructions="Be brief.",
        input=items,
        max_output_tokens=50,
        previous_response_id="resp_0",
        tools=[{"type": "function", **WEATHER["function"]}],
        text={"format": {"type": "text"}},
    )
    span = spans.one()
    seen = span.attributes
    assert json.loads(seen[semconv.SYSTEM_INSTRUCTIONS]) == [{"type": "text", "content": "Be brief."}]
    assert [message["role"] for message in sent(span)] == ["user", "assistant", "tool"]
    assert sent(span)[2]["parts"] == [{"type": "tool_call_response", "id": "call_0", "response": "sunny"}]
    assert received(span)[0]["parts"] == [
        {"type": "reasoning", "content": "thinking"},
        {"type": "web_search_call", "id": "ws_1"},
        {"type": "tool_call", "id": "call_1", "name": "weather", "arguments": {"city": "Paris"}},
    ]
    assert seen[semconv.RESPONSE_FINISH_REASONS] == ("tool_calls",)
    assert seen[semconv.CONVERSATION_ID] == "conv_1"
    assert seen[semconv.OUTPUT_TYPE] == "text"
    assert seen[semconv.REQUEST_MAX_TOKENS] == 50
    assert seen[semconv.OPENAI_API_TYPE] == "responses"


def test_incomplete_response(client, spans, server):
    """A response cut off at its limit ended for `length`, as in chat completions."""
    server.then(Reply(llm_server.response("incomplete", incomplete_details={"reason": "max_output_tokens"})))
    client.responses.create(model="gpt-4o", input="hi")
    assert spans.one().attributes[semconv.RESPONSE_FINISH_REASONS] == ("length",)


def test_structured_output(client, spans, server):
    """`parse` returns the user's model and is one span with JSON as its output type."""
    completions = client.chat.completions if hasattr(client.chat.completions, "parse") else client.beta.chat.completions
    server.then(Reply(llm_server.chat({"content": '{"city": "Paris"}'})))
    answer = completions.parse(**CHAT, response_format=City)
    assert answer.choices[0].message.parsed == City(city="Paris")
    assert spans.one().attributes[semconv.OUTPUT_TYPE] == "json"


def test_structured_output_of_responses(client, spans):
    """`responses.parse` returns the user's model and is one span."""
    if not hasattr(client.responses, "parse"):
        pytest.skip("this release has no responses.parse")
    assert client.responses.parse(model="gpt-4o", input="hi", text_format=City).output_parsed == City(city="Paris")
    assert spans.one().attributes[semconv.OUTPUT_TYPE] == "json"


@pytest.mark.parametrize("finish", ["length", "content_filter", "stop"])
async def test_structured_output_that_is_none(finish, either, spans, server):
    """An answer that is not of the form that was asked for is the SDK's exception, and was paid all the same."""
    completions = either.chat.completions if hasattr(either.chat.completions, "parse") else either.beta.chat.completions
    server.then(Reply(llm_server.chat(choices=[llm_server.choice({"content": '{"ci'}, finish_reason=finish)])))
    with pytest.raises((openai.OpenAIError, ValueError)) as raised:
        await _maybe(completions.parse(**CHAT, response_format=City))
    _is_paid(spans.one(), raised.type, finish)


async def test_structured_output_of_responses_that_is_none(either, spans, server):
    """So it is with the Responses API."""
    if not hasattr(either.responses, "parse"):
        pytest.skip("this release has no responses.parse")
    answer = llm_server.response()
    answer["output"][0]["content"][0]["text"] = '{"ci'
    server.then(Reply(answer))
    with pytest.raises(ValueError, match="City") as raised:
        await _maybe(either.responses.parse(model="gpt-4o", input="hi", text_format=City))
    _is_paid(spans.one(), raised.type, "stop")


async def _maybe(value):
    return await value if inspect.isawaitable(value) else value


def _is_paid(span, error, finish):
    seen = span.attributes
    assert span.status.status_code is StatusCode.ERROR
    assert seen[semconv.ERROR_TYPE].endswith(error.__name__)
    assert seen[semconv.RESPONSE_FINISH_REASONS] == (finish,)
    assert seen[semconv.RESPONSE_ID]
    assert seen[semconv.RESPONSE_MODEL]
    assert seen[semconv.USAGE_OUTPUT_TOKENS]
    assert '{\\"ci' in seen[semconv.OUTPUT_MESSAGES]


def test_embeddings(client, spans):
    """Embeddings record their texts, the dimensions and the encoding asked for."""
    client.embeddings.create(model="ada", input=["one", "two"], encoding_format="float")
    span = spans.one()
    assert span.attributes[semconv.EMBEDDINGS_DIMENSION_COUNT] == 4
    assert span.attributes[semconv.REQUEST_ENCODING_FORMATS] == ("float",)
    assert [part["content"] for part in sent(span)[0]["parts"]] == ["one", "two"]


def test_embeddings_of_many_texts(client, record, provider):
    """A large batch records its first texts and how many more there were."""
    record(max_content_length=100)
    client.embeddings.create(model="ada", input=["x" * 60] * 10)
    assert [part["content"] for part in sent(provider.capture.spans[0])[0]["parts"]] == ["x" * 60, "[9 more texts]"]


def test_extra_body(client, spans):
    """What a user adds to the body by hand is part of the request."""
    client.chat.completions.create(**CHAT, extra_body={"top_k": 5, "model": "other"})
    span = spans.one()
    assert span.name == "chat other"
    assert span.attributes[semconv.REQUEST_TOP_K] == 5


def test_lone_surrogate(client, spans, server):
    """Text that UTF-8 cannot carry is recorded in its escaped form when the SDK manages to send it."""
    server.then(Reply(json.dumps(llm_server.chat({"content": "\ud83d"})).encode()))
    client.chat.completions.create(**CHAT)
    assert "\\ud83d" in spans.one().attributes[semconv.OUTPUT_MESSAGES]


@pytest.mark.parametrize("mode", ["metadata", "off"])
def test_content_off(mode, client, record, server, provider):
    """Without content no text of prompt, answer or tool is on the span; with `off` none of an exception either."""
    record(capture_content=mode)
    client.chat.completions.create(**CHAT, tools=[WEATHER])
    client.responses.create(model="gpt-4o", instructions="Be brief.", input="Capital of France?")
    server.then(Reply(llm_server.error("bad", "Capital of France? is no question"), status=400))
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(**CHAT)
    first, second, failed = provider.capture.spans
    for span in (first, second):
        text = str(dict(span.attributes))
        assert not any(word in text for word in ("Capital", "Paris", "brief", "weather"))
        assert span.attributes[semconv.USAGE_INPUT_TOKENS] == 57
    assert failed.attributes[semconv.ERROR_TYPE] == "bad"
    (event,) = failed.events
    told = f"{dict(event.attributes)} {failed.status.description}"
    assert ("Capital" in told) is (mode == "metadata")
    assert (semconv.EXCEPTION_STACKTRACE in event.attributes) is (mode == "metadata")


@pytest.mark.parametrize("mode", ["event_only", "span_and_event"])
def test_content_as_an_event(mode, client, record, provider):
    """Messages go out as the GenAI event where that was asked for, with all that the span says."""
    events = record(capture_content=mode)
    client.chat.completions.create(**CHAT)
    ((name, attributes, span),) = events
    (finished,) = provider.capture.spans
    assert name == "gen_ai.client.inference.operation.details"
    assert span.get_span_context() == finished.get_span_context()
    assert "Capital" in attributes[semconv.INPUT_MESSAGES]
    assert "Paris" in attributes[semconv.OUTPUT_MESSAGES]
    assert attributes[semconv.USAGE_INPUT_TOKENS] == 57
    assert (semconv.INPUT_MESSAGES in finished.attributes) is (mode == "span_and_event")


def test_azure(server, spans):
    """Azure's client is its own provider; filters in its answers and an empty first chunk disturb nothing."""
    filters = {"hate": {"filtered": False, "severity": "safe"}}
    first = llm_server.chunk(prompt_filter_results=[{"prompt_index": 0, "content_filter_results": filters}])
    server.then(Reply([first, *llm_server.chat_chunks()]))
    with openai.AzureOpenAI(
        api_key="k", api_version="2024-10-21", azure_endpoint=server.url.removesuffix("/v1"), max_retries=0
    ) as azure:
        assert len(list(azure.chat.completions.create(**CHAT, stream=True))) == 6
    span = spans.one()
    assert server.requests[0].path.startswith("/openai/deployments/gpt-4o/chat/completions")
    assert span.attributes[semconv.PROVIDER_NAME] == "azure.ai.openai"
    assert span.attributes[semconv.RESPONSE_ID] == "chatcmpl-1"
    assert received(span)[0]["parts"] == [{"type": "text", "content": "Paris"}]


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("api.openai.com", "openai"),
        ("api.groq.com", "groq"),
        ("api.deepseek.com", "deepseek"),
        ("api.x.ai", "x_ai"),
        ("api.perplexity.ai", "perplexity"),
        ("api.mistral.ai", "mistral_ai"),
        ("api.moonshot.ai", "moonshot_ai"),
        ("me.openai.azure.com", "azure.ai.openai"),
        ("notgroq.com", "openai"),
        ("127.0.0.1", "openai"),
        ("", "openai"),
    ],
)
def test_provider_of_a_host(host, name):
    """The provider follows from the host; an unknown one that speaks OpenAI's API counts as `openai`."""
    assert readers.provider(openai.OpenAI, host) == name


@pytest.mark.parametrize(
    ("method", "path", "stream", "operation"),
    [
        ("post", "/chat/completions", False, "chat"),
        ("post", "chat/completions", False, "chat"),
        ("post", "/deployments/gpt-4o/chat/completions", False, "chat"),
        ("post", "/deployments/ada/embeddings?api-version=1", False, "embeddings"),
        ("post", "/responses?beta=true", False, "chat"),
        ("post", "/responses/compact", False, "chat"),
        ("get", "/responses/resp_1", True, "fetch_response"),
        ("get", "/responses/resp_1", False, "fetch_response"),
        ("get", "/responses/resp_1?include=usage", False, "fetch_response"),
        ("get", "/responses/resp_1/input_items", False, None),
        ("get", "/responses", False, None),
        ("get", "/responses/", False, None),
        ("get", "/conversations/conv_1", False, None),
        ("get", "/chat/completions", False, None),
        ("post", "/responses/resp_1/cancel", False, None),
        ("post", "/audio/speech", False, "generate_content"),
        ("post", "/deployments/my-ears/audio/transcriptions", False, "generate_content"),
        ("post", "/images/edits", True, "generate_content"),
        ("post", "/moderations", False, "moderation"),
        ("post", "/batches", False, "create_batch"),
        ("post", "/batches/batch_1/cancel", False, None),
        ("post", "/vector_stores/vs_1/search", False, "retrieval"),
        ("post", "/vector_stores/vs_1/files", False, None),
        ("post", "/vector_stores", False, None),
        ("post", "/threads/runs", True, "invoke_agent"),
        ("post", "/threads/thread_1/runs", False, "invoke_agent"),
        ("post", "/threads/thread_1/runs/run_1/cancel", False, None),
        ("post", "/threads", False, None),
        ("post", "/files", False, None),
        ("post", "/responses/input_tokens", False, None),
        ("delete", "/responses/resp_1", False, None),
    ],
)
def test_what_is_an_llm_call(method, path, stream, operation):
    """The method and the path of a request decide whether it is an LLM call."""
    found = _openai_calls.endpoint(method, path, stream)
    assert (found.operation if found else None) == operation
