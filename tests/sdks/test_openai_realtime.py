"""Connections of the `openai` package against a real websocket server: each response is a span with its own tokens."""

from __future__ import annotations

import base64
import gc
import inspect
import json
from importlib import import_module
from importlib.util import find_spec

import openai
import pytest
from genai_prices import extract_usage
from opentelemetry.trace import SpanKind, StatusCode

from agentops_otel import guard, instrumentation, pricing, secrets, semconv
from tests.fakes import llm_server
from tests.fakes.statement_fault import StatementFault, probes
from tests.fakes.talk_server import CUT, END, TalkServer
from tests.sdks.answers_openai import MP3, TALKED

pytestmark = pytest.mark.filterwarnings("ignore:connect.. must be used:DeprecationWarning")  # by the SDK's `enter()`
RELEASE = tuple(map(int, openai.__version__.split(".")[:2]))
IS_RELEASED = find_spec("openai.resources.realtime") is not None
MODULE = "openai.resources.realtime.realtime" if IS_RELEASED else "openai.resources.beta.realtime.realtime"
SESSION = {
    "id": "sess_1",
    "object": "realtime.session",
    "type": "realtime",
    "model": "gpt-realtime-2025-08-28",
    "instructions": "Be kind",
    "output_modalities": ["audio"],
    "audio": {"input": {"transcription": {"model": "whisper-1"}}},
    "temperature": 0.8,
    "max_output_tokens": "inf",
    "tools": [{"type": "function", "name": "weather", "description": "Weather", "parameters": {}}],
}
GREETING = {"type": "session.created", "event_id": "event_1", "session": SESSION}
HELLO = {
    "id": "item_1",
    "type": "message",
    "role": "user",
    "status": "completed",
    "content": [{"type": "input_text", "text": "Hello"}],
}
SPOKEN = {
    "id": "item_2",
    "type": "message",
    "role": "assistant",
    "status": "completed",
    "content": [{"type": "output_audio", "transcript": "Hi there"}],
}
CALL = {
    "id": "item_3",
    "type": "function_call",
    "call_id": "call_1",
    "name": "weather",
    "status": "completed",
    "arguments": '{"city":"Paris"}',
}


def heard(item):
    """The server has taken an item into the conversation."""
    return {"type": "conversation.item.added", "event_id": "event_2", "previous_item_id": None, "item": item}


def response(name="resp_1", status="in_progress", **fields):
    """A response as an event has it."""
    return {
        "id": name,
        "object": "realtime.response",
        "status": status,
        "output": [],
        "conversation_id": "conv_1",
        "usage": None,
        **fields,
    }


def spoken(name="resp_1", status="completed", usage=TALKED, output=(SPOKEN,), **fields):
    """All events of a response that speaks."""
    where = {"response_id": name, "item_id": "item_2", "output_index": 0, "content_index": 0}
    sound = base64.b64encode(MP3).decode()
    return [
        {"type": "response.created", "event_id": "e", "response": response(name)},
        {
            "type": "response.output_item.added",
            "response_id": name,
            "output_index": 0,
            "item": {**SPOKEN, "content": []},
        },
        heard({**SPOKEN, "content": []}),
        {"type": "response.output_audio_transcript.delta", **where, "delta": "Hi "},
        {"type": "response.output_audio.delta", **where, "delta": sound},
        {"type": "response.output_audio_transcript.delta", **where, "delta": "there"},
        {"type": "response.output_audio.delta", **where, "delta": sound},
        {
            "type": "response.done",
            "event_id": "e",
            "response": response(name, status, usage=usage, output=[*output], **fields),
        },
    ]


@pytest.fixture
def talk():
    with TalkServer(GREETING) as server:
        yield server


def connected(client, **arguments):
    """The manager of a connection, by release."""
    return (client if IS_RELEASED else client.beta).realtime.connect(model="gpt-realtime", **arguments)


class Either:
    """The same talk with the client and with the async one."""

    def __init__(self, server, kind):
        self.client = (openai.OpenAI if kind == "sync" else openai.AsyncOpenAI)(
            api_key="sk-test", websocket_base_url=server.url
        )

    async def enter(self, manager=None):
        manager = manager or connected(self.client)
        self.connection = await got(manager.enter())
        return self.connection

    async def until(self, *kinds):
        """The events up to one of these."""
        events = []
        while True:
            event = await got(self.connection.recv())
            events.append(event)
            if event.type in kinds:
                return events


async def got(value):
    """What a call of either client returns."""
    return await value if inspect.isawaitable(value) else value


@pytest.fixture(params=["sync", "async"])
async def either(request, talk):
    found = Either(talk, request.param)
    yield found
    await got(found.connection.close())
    await got(found.client.close())


def said(span, name):
    """The JSON of an attribute."""
    return json.loads(span.attributes[name])


def usage(span):
    """The tokens of a span, under short names."""
    prefix = "gen_ai.usage."
    return {
        name.removeprefix(prefix): value
        for name, value in span.attributes.items()
        if name.startswith(prefix) and name.endswith("tokens")
    }


async def test_a_response(talk, either, spans):
    """One response, one span: model, session, what was said, its tokens by modality."""
    talk.then([heard(HELLO), *spoken()])
    connection = await either.enter()
    await either.until("session.created")
    await got(connection.send({"type": "response.create", "response": {"instructions": "Be brief"}}))
    events = await either.until("response.done")
    assert len(events) == 9
    assert type(events[0]).__module__.startswith("openai.types.")
    span = spans.one()
    assert (span.name, span.kind) == ("realtime_inference gpt-realtime", SpanKind.CLIENT)
    attributes = span.attributes
    assert attributes[semconv.SPAN_KIND] == semconv.KIND_LLM
    assert attributes[semconv.PROVIDER_NAME] == "openai"
    assert (attributes[semconv.SERVER_ADDRESS], attributes[semconv.SERVER_PORT]) == ("127.0.0.1", talk.port)
    assert attributes[semconv.REALTIME_SESSION_ID] == "sess_1"
    assert attributes[semconv.CONVERSATION_ID] == "conv_1"
    assert attributes[semconv.RESPONSE_ID] == "resp_1"
    assert attributes[semconv.RESPONSE_MODEL] == "gpt-realtime-2025-08-28"
    assert attributes[semconv.RESPONSE_FINISH_REASONS] == ("stop",)
    assert attributes[semconv.OUTPUT_TYPE] == "speech"
    assert attributes[semconv.REQUEST_TEMPERATURE] == 0.8
    assert semconv.REQUEST_MAX_TOKENS not in attributes
    assert attributes[semconv.STREAM_CHUNKS] == 4
    assert attributes[semconv.STREAM_OUTCOME] == "completed"
    assert attributes[semconv.RESPONSE_TIME_TO_FIRST_CHUNK] > 0
    assert usage(span) == {
        "input_tokens": 1132,
        "output_tokens": 121,
        "cache_read.input_tokens": 1064,
        "audio.cache_read.input_tokens": 1000,
        "text.input_tokens": 119,
        "audio.input_tokens": 1013,
        "text.output_tokens": 30,
        "audio.output_tokens": 91,
    }
    assert said(span, semconv.SYSTEM_INSTRUCTIONS) == [{"type": "text", "content": "Be brief"}]
    assert said(span, semconv.INPUT_MESSAGES) == [{"role": "user", "parts": [{"type": "text", "content": "Hello"}]}]
    assert said(span, semconv.TOOL_DEFINITIONS)[0]["name"] == "weather"
    (answer,) = said(span, semconv.OUTPUT_MESSAGES)
    assert answer == {
        "role": "assistant",
        "parts": [{"type": "text", "content": "Hi there"}],
        "finish_reason": "stop",
    }


async def test_a_talk_of_several_responses(talk, either, spans):
    """The input of a response is what was said since the one before, spoken words as text where they are known."""
    sound = {**HELLO, "id": "item_5", "content": [{"type": "input_audio", "audio": None, "transcript": None}]}
    words = {
        "type": "conversation.item.input_audio_transcription.completed",
        "item_id": "item_5",
        "content_index": 0,
        "transcript": "Weather in Paris?",
        "usage": {"type": "duration", "seconds": 2},
    }
    output = {"id": "item_6", "type": "function_call_output", "call_id": "call_1", "output": "sunny"}
    second = spoken("resp_2", output=(CALL,))
    talk.then(
        [heard(HELLO), *spoken()], [heard(sound), second[0], words, *second[1:]], [heard(output), *spoken("resp_3")]
    )
    connection = await either.enter()
    await got(connection.response.create())
    await either.until("response.done")
    await got(connection.input_audio_buffer.commit())  # the server begins the response by itself
    await either.until("response.done")
    await got(connection.response.create())
    await either.until("response.done")
    first, heard_span, second, third = spans()
    assert heard_span.name == "generate_content whisper-1"
    assert heard_span.attributes[semconv.USAGE_AUDIO_SECONDS] == 2
    assert pricing.span_cost(heard_span.attributes).amount == pytest.approx(0.0002)
    (words,) = said(heard_span, semconv.OUTPUT_MESSAGES)
    assert words["parts"] == [{"type": "text", "content": "Weather in Paris?"}]
    assert [said(span, semconv.INPUT_MESSAGES)[0]["parts"] for span in (first, second)] == [
        [{"type": "text", "content": "Hello"}],
        [{"type": "text", "content": "Weather in Paris?"}],
    ]
    (answer,) = said(second, semconv.OUTPUT_MESSAGES)
    call = {"type": "tool_call", "id": "call_1", "name": "weather", "arguments": {"city": "Paris"}}
    assert (answer["parts"], answer["finish_reason"]) == ([call], "tool_call")
    assert second.attributes[semconv.RESPONSE_FINISH_REASONS] == ("tool_calls",)
    (given,) = said(third, semconv.INPUT_MESSAGES)
    assert given["parts"] == [{"type": "tool_call_response", "id": "call_1", "response": "sunny"}]


@pytest.mark.parametrize(
    ("status", "details", "reason", "error"),
    [
        ("cancelled", {"type": "cancelled", "reason": "turn_detected"}, "cancelled", None),
        ("incomplete", {"type": "incomplete", "reason": "max_output_tokens"}, "length", None),
        (
            "failed",
            {"type": "failed", "error": {"code": "rate_limit_exceeded", "type": "x"}},
            "error",
            "rate_limit_exceeded",
        ),
    ],
)
async def test_how_responses_end(status, details, reason, error, talk, either, spans):
    """A speaker who is interrupted is no failure; a response that has failed has its own code."""
    talk.then(spoken(status=status, status_details=details))
    connection = await either.enter()
    await got(connection.response.create())
    await either.until("response.done")
    span = spans.one()
    assert span.attributes[semconv.RESPONSE_FINISH_REASONS] == (reason,)
    assert span.attributes.get(semconv.ERROR_TYPE) == error
    assert (span.status.status_code is StatusCode.ERROR) == (error is not None)


async def test_responses_at_the_same_time(talk, either, spans):
    """The events of two responses that come mixed are told apart by their ids."""
    first, second = spoken("resp_1"), spoken("resp_2", output=(CALL,), usage=None)
    mixed = [event for pair in zip(first, second, strict=True) for event in pair]
    talk.then([], mixed)
    connection = await either.enter()
    await got(connection.response.create())
    await got(connection.response.create(response={"conversation": "none"}))
    await either.until("response.done")
    await either.until("response.done")
    found = {span.attributes[semconv.RESPONSE_ID]: span for span in spans()}
    assert usage(found["resp_1"])["output_tokens"] == 121
    assert usage(found["resp_2"]) == {}
    assert [span.attributes[semconv.STREAM_CHUNKS] for span in found.values()] == [4, 4]


async def test_a_refused_request(talk, either, spans):
    """An error in the place of a response is a call that has failed; one about anything else is nothing."""
    error = {"type": "invalid_request_error", "code": "conversation_already_has_active_response", "message": "wait"}
    other = {**error, "code": "invalid_value", "event_id": "update_1"}
    talk.then([{"type": "error", "event_id": "e", "error": other}, {"type": "error", "event_id": "e", "error": error}])
    connection = await either.enter()
    await got(connection.send({"type": "response.create"}))
    await either.until("error")
    assert spans() == []
    await either.until("error")
    span = spans.one()
    assert span.name == "realtime_inference gpt-realtime"
    assert span.attributes[semconv.ERROR_TYPE] == "conversation_already_has_active_response"


@pytest.mark.parametrize(("how", "outcome"), [(CUT, "failed"), (END, "closed")])
async def test_a_connection_that_ends(how, outcome, talk, either, spans):
    """What came of a response is kept, without tokens; the exception passes."""
    talk.then([*spoken()[:5], how])
    connection = await either.enter()
    await got(connection.response.create())
    with pytest.raises(Exception, match=r".*") as raised:
        await either.until("response.done")
    assert type(raised.value).__module__ == "websockets.exceptions"
    span = spans.one()
    assert span.attributes[semconv.STREAM_OUTCOME] == outcome
    assert (span.status.status_code is StatusCode.ERROR) == (how is CUT)
    (answer,) = said(span, semconv.OUTPUT_MESSAGES)
    assert answer["parts"] == [{"type": "text", "content": "Hi "}]
    assert usage(span) == {}


async def test_a_connection_that_is_closed(talk, either, spans):
    """`close()` ends the span of the response under way, and only then."""
    talk.then(spoken()[:5])
    connection = await either.enter()
    await got(connection.response.create())
    await either.until("response.output_audio.delta")
    assert spans() == []
    await got(connection.close())
    assert spans.one().attributes[semconv.STREAM_OUTCOME] == "closed"


def test_a_connection_that_is_dropped(talk, spans):
    """A connection that is garbage ends the span, too."""
    talk.then(spoken()[:5])
    client = openai.OpenAI(api_key="sk-test", websocket_base_url=talk.url)
    connection = connected(client).enter()
    inner = connection._connection
    connection.response.create()
    while connection.recv().type != "response.output_audio.delta":
        pass
    del connection
    gc.collect()
    assert spans.one().attributes[semconv.STREAM_OUTCOME] == "abandoned"
    inner.close()


async def test_nothing_changes(talk, record, provider):
    """What is sent, received and raised is the same without us."""
    seen = []
    for recording in (True, False):
        if recording:
            record()
        else:
            instrumentation.uninstrument()
        talk.received.clear()
        talk.then([heard(HELLO), *spoken(), END])
        client = openai.AsyncOpenAI(api_key="sk-test", websocket_base_url=talk.url)
        async with connected(client) as connection:
            await connection.response.create(response={"instructions": "Be brief"})
            events = [event.to_dict() async for event in connection]
        seen.append((talk.received[:], events, [name for name in vars(connection) if name in ("close", "send")]))
        await client.close()
    assert seen[0] == seen[1]
    assert len(provider.capture.spans) == 1


def test_odd_events(talk, spans):
    """Events that are nothing of the kind are the caller's, and cost nothing of what the others say."""
    odd = [
        {"type": 7, "response_id": 5},
        {"type": "response.created"},
        {"type": "response.done", "response": 3},
        {"type": "session.updated", "session": []},
        {"type": "conversation.item.added", "item": "x"},
        {"type": "error"},
        {"type": "response.output_audio.delta", "response_id": None, "delta": 5},
        {"type": "response.output_audio_transcript.delta", "response_id": "resp_1", "delta": {"a": 1}},
    ]
    usual = spoken()
    talk.then([*usual[:2], *odd, *usual[2:]])
    client = openai.OpenAI(api_key="sk-test", websocket_base_url=talk.url)
    with connected(client) as connection:
        connection.response.create()
        while True:
            event = json.loads(connection.recv_bytes())
            if event["type"] == "response.done" and event["response"] != 3:
                break
    found = {span.attributes.get(semconv.RESPONSE_ID): span for span in spans()}
    assert usage(found["resp_1"])["output_tokens"] == 121


@pytest.mark.parametrize(
    ("let_in", "asked"),
    [({"api_key": "my-own-secret-key"}, {}), ({"api_key": "none"}, {"extra_query": {"key": "my-own-secret-key"}})],
    ids=["header", "query"],
)
def test_a_key_in_an_error(let_in, asked, spans):
    """The key of the connection leaves in no text."""
    secrets.forget()
    error = {
        "type": "invalid_request_error",
        "code": "invalid_api_key",
        "message": "Incorrect API key: my-own-secret-key",
    }
    with TalkServer(GREETING) as talk:
        talk.then([{"type": "error", "error": error}])
        with connected(openai.OpenAI(**let_in, websocket_base_url=talk.url), **asked) as connection:
            connection.response.create()
            while connection.recv().type != "error":
                pass
    span = spans.one()
    assert span.attributes[semconv.ERROR_TYPE] == "invalid_api_key"


@pytest.mark.parametrize("provider", ["leaf"], indirect=True)  # both ways would take minutes
def test_a_fault_of_ours_changes_nothing(talk, record, monkeypatch):
    """Whichever statement of ours fails, the user sends and gets the same. (Each of some is tried.)"""

    def said():
        talk.received.clear()
        talk.then([heard(HELLO), *spoken()], spoken("resp_2")[:4])
        client = openai.OpenAI(api_key="sk-test", websocket_base_url=talk.url)
        with client, connected(client) as connection:
            connection.response.create(response={"instructions": "Be brief"})
            events = [connection.recv().to_dict() for _ in range(10)]
            connection.response.create()
            events += [connection.recv().to_dict() for _ in range(4)]
            connection.close()
        return events, talk.received[:]

    expected = said()
    record()
    assert said() == expected  # all is imported
    monkeypatch.setattr(guard, "reraise", False)
    number, step, wrong = 7, 23, {}
    with probes():
        while True:
            with StatementFault(number) as fault:
                found = said()
            if fault.place is None:
                break
            if found != expected:
                wrong[fault.place] = found
            number += step
    assert wrong == {}
    assert number > 5 * step


def test_targets(spans):
    """The connections of this release are patched."""
    found = instrumentation.targets()
    import_module(MODULE)
    found = instrumentation.targets()
    for name in ("RealtimeConnection", "AsyncRealtimeConnection"):
        for method in ("send", "recv_bytes"):
            assert found[f"{MODULE}.{name}.{method}"] == "live"


# ---- prices ----

TALKS = {
    "all fresh": (
        "gpt-realtime",
        {"input_tokens": 30, "output_tokens": 20, "input_token_details": {"text_tokens": 10, "audio_tokens": 20},
         "output_token_details": {"text_tokens": 5, "audio_tokens": 15}},
        (10 * 4 + 20 * 32 + 5 * 16 + 15 * 64) / 1e6,
    ),
    "most of the sound cached": ("gpt-realtime", TALKED, (55 * 4 + 13 * 32 + 1064 * 0.4 + 30 * 16 + 91 * 64) / 1e6),
    "cached sound at a price of its own": (
        "gpt-realtime-mini",
        TALKED,
        (55 * 0.6 + 13 * 10 + 64 * 0.06 + 1000 * 0.3 + 30 * 2.4 + 91 * 20) / 1e6,
    ),
    "a picture": (
        "gpt-realtime",
        {"input_tokens": 300, "output_tokens": 8,
         "input_token_details": {"text_tokens": 50, "audio_tokens": 0, "image_tokens": 250, "cached_tokens": 128,
                                 "cached_tokens_details": {"text_tokens": 28, "audio_tokens": 0, "image_tokens": 100}},
         "output_token_details": {"text_tokens": 8, "audio_tokens": 0}},
        (22 * 4 + 150 * 5 + 28 * 0.4 + 100 * 0.5 + 8 * 16) / 1e6,
    ),
    "text alone": (
        "gpt-4o-realtime-preview",
        {"input_tokens": 40, "output_tokens": 9, "input_token_details": {"text_tokens": 40, "audio_tokens": 0},
         "output_token_details": {"text_tokens": 9, "audio_tokens": 0}},
        (40 * 5 + 9 * 20) / 1e6,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TALKS)
def test_what_talks_cost(name, spans):
    """Each class has its price, cached sound and cached pictures too; the table reads the same answer alike."""
    model, tokens, amount = TALKS[name]
    greeting = {**GREETING, "session": {**SESSION, "model": model}}
    with TalkServer(greeting) as talk:
        talk.then(spoken(usage=tokens))
        with connected(openai.OpenAI(api_key="sk-test", websocket_base_url=talk.url)) as connection:
            connection.response.create()
            while connection.recv().type != "response.done":
                pass
    assert pricing.span_cost(spans.one().attributes).amount == pytest.approx(amount, rel=1e-12)
    answer = {"type": "response.done", "model": model, "response": {"model": model, "usage": tokens}}
    try:
        read = extract_usage(answer, provider_id="openai", api_flavor="realtime")
    except (LookupError, ValueError):  # it has no flavour for it in this release
        return
    found = pricing._find("openai", model)
    assert float(found[0].calc_price(read.usage, found[1]).total_price) == pytest.approx(amount, rel=1e-12)


# ---- the Responses API over a connection ----

needs_responses = pytest.mark.skipif(
    not hasattr(import_module("openai.resources.responses.responses"), "ResponsesConnection"),
    reason="this release has no connection for responses",
)


@needs_responses
async def test_responses_over_a_connection(spans):
    """Each response is a chat, read as one over HTTP."""
    with TalkServer() as talk:
        for kind in ("sync", "async"):
            either = Either(talk, kind)
            connection = await either.enter(either.client.responses.connect())
            talk.then(llm_server.response_events())
            given = [{"role": "user", "content": "Capital of France?"}]
            await got(connection.response.create(model="gpt-4o", input=given, temperature=0.5))
            given.append({"role": "user", "content": "Never mind"})
            await either.until("response.completed")
            span = spans.one()
            assert span.name == "chat gpt-4o"
            assert span.attributes[semconv.OPENAI_API_TYPE] == "responses"
            assert span.attributes[semconv.REQUEST_TEMPERATURE] == 0.5
            assert span.attributes[semconv.RESPONSE_ID] == "resp_1"
            assert usage(span)["cache_read.input_tokens"] == 32
            assert span.attributes[semconv.STREAM_CHUNKS] == 2
            (message,) = said(span, semconv.INPUT_MESSAGES)
            assert message["parts"] == [{"type": "text", "content": "Capital of France?"}]
            (answer,) = said(span, semconv.OUTPUT_MESSAGES)
            assert answer["parts"] == [{"type": "text", "content": '{"city": "Paris"}'}]
            await got(connection.close())
            await got(either.client.close())


@needs_responses
@pytest.mark.skipif(RELEASE < (3, 0), reason="this release has no lanes")
def test_lanes(spans):
    """Responses on several lanes that come mixed are told apart."""

    def events(name, lane):
        said = llm_server.response_events(llm_server.response(id=name))
        said[0] = {**said[0], "response": llm_server.response("in_progress", id=name)}
        return [{**event, "stream_id": lane} for event in said]

    mixed = [event for pair in zip(events("resp_a", "a"), events("resp_b", "b"), strict=True) for event in pair]
    with TalkServer() as talk, openai.OpenAI(api_key="sk-test", websocket_base_url=talk.url) as client:
        talk.then([], mixed)
        with client.responses.connect() as connection:
            connection.response.create(model="gpt-4o", input="A", stream_id="a")
            connection.response.create(model="gpt-4o-mini", input="B", stream_id="b")
            ends = 0
            while ends < 2:
                ends += connection.recv().type == "response.completed"
    found = {span.attributes[semconv.RESPONSE_ID]: span for span in spans()}
    assert {name: span.name for name, span in found.items()} == {"resp_a": "chat gpt-4o", "resp_b": "chat gpt-4o-mini"}
    assert [span.attributes[semconv.STREAM_CHUNKS] for span in found.values()] == [2, 2]


@needs_responses
@pytest.mark.parametrize("begun", [False, True])
def test_an_error_over_a_connection(begun, spans):
    """An error ends the response that it is about, or is the answer of a request that was never begun."""
    error = {
        "type": "error",
        "status": 400,
        "error": {"code": "previous_response_not_found", "message": "no such response"},
    }
    with TalkServer() as talk, openai.OpenAI(api_key="sk-test", websocket_base_url=talk.url) as client:
        talk.then([*llm_server.response_events()[: 4 if begun else 0], error])
        with client.responses.connect() as connection:
            connection.response.create(model="gpt-4o", input="A", previous_response_id="resp_0")
            while connection.recv().type != "error":
                pass
            span = spans.one()
    assert span.name == "chat gpt-4o"
    assert span.attributes[semconv.ERROR_TYPE] == "previous_response_not_found"
    assert span.attributes[semconv.REQUEST_PREVIOUS_RESPONSE_ID] == "resp_0"
