"""One odd field costs one field: any JSON in the place of any field of an answer, a chunk or a request.

Whatever a host sends, what does not depend on the odd field is recorded as without it, and nothing in us fails.
"""

from __future__ import annotations

import json

import openai
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from agentops_otel import context, guard, instrumentation, semconv
from agentops_otel.config import Configuration
from agentops_otel.instrumentation import _openai_calls as sdk
from agentops_otel.instrumentation._content import Content
from agentops_otel.instrumentation.readers import usage
from agentops_otel.testing import SpanCapture
from tests.fakes import llm_server
from tests.fakes.llm_server import LlmServer, Reply
from tests.fakes.odd_json import ODD, TYPES, message_facts, paths, replaced

ANY = settings(max_examples=40, deadline=None, database=None, suppress_health_check=list(HealthCheck))
CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Capital of France?"}]}
WEATHER = {"name": "weather", "arguments": '{"city":"Paris"}'}
TIME = {"name": "time", "arguments": '{"zone":"CET"}'}
MESSAGE = {
    "content": "Paris",
    "reasoning_content": "France, so Paris",
    "tool_calls": [
        {"id": "call_0", "type": "function", "function": WEATHER},
        {"id": "call_1", "type": "function", "function": TIME},
    ],
}
ITEMS = [
    {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "France, so Paris"}]},
    {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": "Paris", "annotations": []}],
    },
    {"type": "function_call", "id": "fc_1", "call_id": "call_0", "status": "completed", **WEATHER},
    {"type": "custom_tool_call", "id": "ct_1", "call_id": "call_1", "name": "time", "input": "CET"},
]


def _piece(index, **said):
    call = {"index": index, "type": "function", **said}
    return llm_server.chunk({"tool_calls": [call]})


def _chat_stream():
    return [
        llm_server.chunk({"role": "assistant", "content": "", "reasoning_content": "France, so Paris"}),
        llm_server.chunk({"content": "Paris"}),
        _piece(0, id="call_0", function={"name": "weather", "arguments": ""}),
        _piece(0, function={"arguments": WEATHER["arguments"]}),
        _piece(1, id="call_1", function={"name": "time", "arguments": ""}),
        _piece(1, function={"arguments": TIME["arguments"]}),
        llm_server.chunk({}, "tool_calls"),
        llm_server.chunk(usage=llm_server.USAGE),
    ]


def _responses_stream():
    events = [{"type": "response.created", "response": llm_server.response("in_progress")}]
    for index, item in enumerate(ITEMS):
        events.append({"type": "response.output_item.added", "output_index": index, "item": {**item, "status": "x"}})
        events.append({"type": "response.output_item.done", "output_index": index, "item": item})
    return [*events, {"type": "response.completed", "response": llm_server.response(output=ITEMS)}]


ANSWERS = {
    "chat": llm_server.chat(choices=[llm_server.choice(MESSAGE, 0, "tool_calls"), llm_server.choice({}, 1)]),
    "chat-stream": _chat_stream(),
    "responses": llm_server.response(output=ITEMS),
    "responses-stream": _responses_stream(),
    "completions": llm_server.completion(),
    "completions-stream": llm_server.completion_chunks()[:-1],
    "embeddings": llm_server.embeddings(),
}


ENDPOINTS = {
    "chat": sdk.CHAT,
    "responses": sdk.RESPONSES,
    "completions": sdk.COMPLETIONS,
    "embeddings": sdk.EMBEDDINGS,
}


class Recorder:
    """A client whose calls are recorded, and what was recorded of the last one."""

    def __init__(self, server, client, capture):
        self.server, self.client, self.capture = server, client, capture

    def call(self, kind, answer, mode, **request):
        """The facts of one call; None when the SDK itself fails on such an answer."""
        api, _, stream = kind.partition("-")
        self.capture.clear()
        self.server.then(Reply([*answer, "[DONE]"] if stream else answer))
        target = {
            "chat": self.client.chat.completions,
            "responses": self.client.responses,
            "completions": self.client.completions,
            "embeddings": self.client.embeddings,
        }[api]
        usual = {
            "chat": CHAT,
            "responses": {"model": "gpt-4o", "input": "hi"},
            "completions": {"model": "davinci", "prompt": "Capital?"},
            "embeddings": {"model": "ada", "input": "Paris"},
        }[api]
        arguments = {**usual, **request, **({"stream": True} if stream else {})}
        try:
            if mode == "raw":
                with target.with_streaming_response.create(**arguments) as raw:
                    raw.read()
            else:
                result = target.create(**arguments)
                if stream:
                    list(result)
        except Exception:  # the SDK's own, of its own models
            return None
        finally:
            assert not guard._reported
        (span,) = self.capture.spans
        return facts(span)

    def raw(self, body):
        """The facts of a chat completion whose stream is exactly `body`, read raw."""
        self.capture.clear()
        self.server.then(Reply(body, headers={"content-type": "text/event-stream"}))
        with self.client.chat.completions.with_streaming_response.create(**CHAT, stream=True) as raw:
            raw.read()
        assert not guard._reported
        (span,) = self.capture.spans
        return facts(span)


def facts(span):
    """What a span says: its attributes, and of its messages each field and each text."""
    found = dict(span.attributes)
    for which in (semconv.INPUT_MESSAGES, semconv.OUTPUT_MESSAGES):
        found |= message_facts(which, json.loads(found.pop(which, "[]")))
    return found


@pytest.fixture(autouse=True)
def internal_errors_raise(monkeypatch):
    """They are looked for instead: the SDK's own errors have to be told apart from them."""
    monkeypatch.setattr(guard, "_reported", set())


@pytest.fixture(scope="module")
def recorder():
    """One server and one client for all examples."""
    capture = SpanCapture()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(capture))
    context.set_process(context.Scope(provider.get_tracer("test"), Configuration(), emit=lambda *_: None))
    instrumentation.instrument("openai")
    with LlmServer() as server, openai.OpenAI(api_key="sk-test", base_url=server.url, max_retries=0) as client:
        yield Recorder(server, client, capture)
    context.set_process(None)
    instrumentation.uninstrument()
    provider.shutdown()


# What a fact is read from: the names of fields, of which any place in an answer counts.
SOURCES = {
    semconv.RESPONSE_ID: ("id",),
    semconv.RESPONSE_MODEL: ("model",),
    semconv.OPENAI_RESPONSE_SERVICE_TIER: ("service_tier",),
    semconv.OPENAI_SYSTEM_FINGERPRINT: ("system_fingerprint",),
    semconv.RESPONSE_FINISH_REASONS: ("finish_reason", "status"),
    semconv.USAGE_INPUT_TOKENS: ("prompt_tokens", "input_tokens"),
    semconv.USAGE_OUTPUT_TOKENS: ("completion_tokens", "output_tokens"),
    semconv.USAGE_CACHE_READ_TOKENS: ("cached_tokens", "prompt_tokens_details", "input_tokens_details"),
    semconv.USAGE_REASONING_TOKENS: ("reasoning_tokens", "completion_tokens_details", "output_tokens_details"),
    semconv.EMBEDDINGS_DIMENSION_COUNT: ("embedding",),
    "role": ("role",),
    "finish": ("finish_reason", "status"),
    "text": ("content", "text"),
    "reasoning": ("reasoning_content", "summary"),
    "id": ("id", "call_id"),
    "name": ("name",),
    "arguments": ("arguments", "input"),
}
# Fields that hold others: what is in them goes with them. (A stream's pieces are told apart by the index.)
CONTAINERS = {"choices", "message", "delta", "output", "item", "response", "tool_calls", "function", "data", "usage"}
STRUCTURE = {"type", "index", "output_index", "object", "error"}


def spared(fact, path, odd):
    """Whether a fact must survive an odd value in a place."""
    names = [key for key in path if isinstance(key, str)]
    if not names:  # a whole event
        return False
    field = names[-1]
    if isinstance(path[-1], int) or field in STRUCTURE or (field in CONTAINERS and field != "usage"):
        # The field of an object: only what stands beside it is sure to survive, and that is the head.
        return (
            isinstance(fact, str) and fact in (semconv.RESPONSE_ID, semconv.RESPONSE_MODEL) and "response" not in names
        )
    is_count = usage.count(odd) is not None or isinstance(odd, bool)  # of which the SDK makes 0 and 1
    if field == "usage" or (is_count and "usage" in names):
        return not (isinstance(fact, str) and "usage" in fact)
    kind = fact if isinstance(fact, str) else fact[2].rpartition(" ")[2]
    return not set(names) & set(SOURCES.get(kind, ()))


def read(kind, answer):
    """The facts of an answer, by the readers alone."""
    api, _, stream = kind.partition("-")
    endpoint = ENDPOINTS[api]
    if stream:
        fold = endpoint.fold()
        for event in answer:
            fold.add(event)
        answer = fold.response()
    attributes = {}
    endpoint.response(answer, attributes)
    messages = json.loads(json.dumps(endpoint.output(answer, Content(65536))))
    return attributes | message_facts(semconv.OUTPUT_MESSAGES, messages)


@pytest.mark.parametrize("kind", ANSWERS)
def test_every_type_in_every_field(kind):
    """Each JSON type in the place of each field of each answer and chunk: the facts that it does not say survive."""
    answer = ANSWERS[kind]
    usual = read(kind, answer)
    for path in paths(answer):
        for odd in TYPES:
            found = read(kind, replaced(answer, path, odd))
            for fact, value in usual.items():
                if spared(fact, path, odd):
                    assert found.get(fact) == value, (fact, path, odd)


@pytest.mark.parametrize("mode", ["plain", "raw"])
@pytest.mark.parametrize("kind", ANSWERS)
def test_an_odd_field_costs_itself(kind, mode, recorder):
    """Each field of each answer and chunk, replaced by any JSON: the facts that it does not say survive."""
    answer = ANSWERS[kind]
    usual = recorder.call(kind, answer, mode)
    places = [path for path in paths(answer) if len(path) > 1 or not isinstance(path[0], int)]

    @settings(ANY)
    @given(st.sampled_from(places), ODD)
    def check(path, odd):
        found = recorder.call(kind, replaced(answer, path, odd), mode)
        if found is None:
            return
        moving = {semconv.RESPONSE_TIME_TO_FIRST_CHUNK, semconv.STREAM_OUTCOME, semconv.STREAM_CHUNKS}
        for fact, value in usual.items():
            if fact not in moving and spared(fact, path, odd):
                assert found.get(fact) == value, (fact, path, odd)

    check()


REQUESTS = {
    "chat": {
        "temperature": 0.5,
        "stop": ["a"],
        "n": 2,
        "response_format": {"type": "json_object"},
        "reasoning_effort": "low",
        "tools": [{"type": "function", "function": {"name": "weather", "parameters": {}}}],
        "messages": [
            {"role": "system", "content": "Be brief."},
            {
                "role": "user",
                "content": [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": "x"}}],
            },
            {"role": "assistant", "content": None, "tool_calls": MESSAGE["tool_calls"]},
            {"role": "tool", "tool_call_id": "call_0", "content": [{"type": "text", "text": "sunny"}]},
            {"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}}]},
        ],
    },
    "responses": {
        "temperature": 0.5,
        "instructions": "Be brief.",
        "reasoning": {"effort": "low"},
        "text": {"format": {"type": "json_object"}},
        "conversation": {"id": "conv_1"},
        "previous_response_id": "resp_0",
        "tools": [{"type": "function", "name": "weather", "parameters": {}}],
        "input": [
            {
                "role": "user",
                "content": [{"type": "input_text", "text": "look"}, {"type": "input_image", "image_url": "x"}],
            },
            {**ITEMS[0], "content": [{"type": "reasoning_text", "text": "so"}]},  # without any text it is left out
            *ITEMS[1:],
            {"type": "function_call_output", "call_id": "call_0", "output": "sunny"},
            {
                "type": "computer_call_output",
                "call_id": "c",
                "output": {"type": "computer_screenshot", "image_url": "x"},
            },
        ],
    },
}


@pytest.mark.parametrize("kind", REQUESTS)
def test_an_odd_field_of_a_request_costs_itself(kind, recorder):
    """A request with any JSON in the place of a field is recorded, its other settings and messages too."""
    request = REQUESTS[kind]
    usual = recorder.call(kind, ANSWERS[kind], "plain", extra_body=request)

    @settings(ANY)
    @given(st.sampled_from(list(paths(request))), ODD)
    def check(path, odd):
        found = recorder.call(kind, ANSWERS[kind], "plain", extra_body=replaced(request, path, odd))
        lost = {fact for fact, value in usual.items() if found.get(fact) != value}
        if path[0] in ("messages", "input") and len(path) > 1:
            allowed = {fact for fact in usual if fact[:2] == (semconv.INPUT_MESSAGES, path[1])}
            assert lost <= allowed | {semconv.CONVERSATION_COMPACTED}
        elif path[0] not in ("messages", "input"):
            assert len(lost) <= 1

    check()


@pytest.mark.parametrize("kind", [kind for kind in ANSWERS if kind.endswith("-stream")])
def test_odd_events_between_the_others(kind, recorder):
    """Events that are nothing of the kind, anywhere in a raw stream, cost nothing of what the others say."""
    usual = recorder.call(kind, ANSWERS[kind], "raw")
    moving = {semconv.RESPONSE_TIME_TO_FIRST_CHUNK, semconv.STREAM_CHUNKS}

    @settings(ANY)
    @given(st.integers(0, len(ANSWERS[kind])), ODD.filter(lambda odd: not isinstance(odd, (dict, str))))
    def check(place, odd):
        found = recorder.call(kind, [*ANSWERS[kind][:place], odd, *ANSWERS[kind][place:]], "raw")
        assert {k: v for k, v in found.items() if k not in moving} == {
            k: v for k, v in usual.items() if k not in moving
        }

    check()


BROKEN = [
    b"data: {not json\n\n",
    b'data: {"choices": [{"delta": {"content": "x\n\n',
    b"data: \xff\xfe\n\n",
    b"data: " + b"[" * 100_000 + b"\n\n",
    b"data:\n\n",
    b": a comment\n\n",
    b"nonsense\n",
    b"data: null\n\n",
    b'data: {"choices"\ndata: : 5\n\n',
]


@pytest.mark.parametrize("broken", BROKEN, ids=range(len(BROKEN)))
@pytest.mark.parametrize("place", [0, 2, 8])
def test_one_broken_line_costs_that_line(broken, place, recorder):
    """A line of a raw stream that is no JSON costs itself, wherever it stands."""
    events = [b"data: " + json.dumps(event).encode() + b"\n\n" for event in ANSWERS["chat-stream"]]
    usual = recorder.raw(b"".join([*events, b"data: [DONE]\n\n"]))
    found = recorder.raw(b"".join([*events[:place], broken, *events[place:], b"data: [DONE]\n\n"]))
    moving = {semconv.RESPONSE_TIME_TO_FIRST_CHUNK, semconv.STREAM_CHUNKS}
    assert {k: v for k, v in found.items() if k not in moving} == {k: v for k, v in usual.items() if k not in moving}
    assert usual[semconv.USAGE_INPUT_TOKENS] == 57


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_how_the_lines_of_a_stream_may_end(end, recorder):
    """Events of several lines, without a space or an empty line between them, with any end of line, are read."""
    chunk = json.dumps(llm_server.chunk({"content": "Par"})).partition('"choices"')
    lines = [f"data: {chunk[0]}", f"data:{chunk[1]}{chunk[2]}", ""]
    lines += [
        f"data:{json.dumps(event)}" for event in (llm_server.chunk({"content": "is"}), llm_server.chunk({}, "stop"))
    ]
    found = recorder.raw(end.join(["\ufeff: a comment", *lines, "data: [DONE]", "", ""]).encode())
    assert (semconv.OUTPUT_MESSAGES, 0, "text", "Paris") in found
    assert found[semconv.STREAM_CHUNKS] == 3
