"""Bedrock through boto3: one span for each call, with the tokens of whatever model it was, and nothing changed."""

from __future__ import annotations

import copy
import functools
import gc
import io
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import boto3
import pytest
from botocore.client import BaseClient
from botocore.config import Config
from botocore.eventstream import EventStream
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    EventStreamError,
    ReadTimeoutError,
    ResponseStreamingError,
)
from botocore.response import StreamingBody
from botocore.stub import Stubber
from opentelemetry import trace
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.trace import SpanKind, StatusCode

from agentops_otel import instrumentation, semconv
from tests.fakes import event_stream
from tests.fakes.llm_server import Reply
from tests.sdks import answers_bedrock as answers
from tests.sdks.answers_bedrock import CLAUDE, DRAWN, HEADERS, INVOKED, PICTURE, TITAN_EMBED
from tests.sdks.case import Case

# botocore leaves the connection of a stream that has failed or is abandoned to the garbage collector.
pytestmark = pytest.mark.filterwarnings(
    "ignore:unclosed <socket:ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)

SESSION = boto3.session.Session("AKIATEST", "secret", region_name="us-east-1")
KNOWN = SESSION.client("bedrock-runtime").meta.service_model  # of this release: what it does not know, it drops
KNOWS_CACHES = "cacheReadInputTokens" in KNOWN.shape_for("TokenUsage").members
CACHE_POINT = [{"cachePoint": {"type": "default"}}] if KNOWS_CACHES else []
CONVERSED = (57, 48, 20, 12) if KNOWS_CACHES else (25, 48, None, None)
EXAMPLE = Path(__file__).parents[2] / "examples" / "sdks" / "with_boto3.py"
ASK = {"modelId": CLAUDE, "messages": [{"role": "user", "content": [{"text": "Capital of France?"}]}]}
STREAMED = [name for name, (_, _, _, chunks) in INVOKED.items() if chunks]
# Tokens by class: input, output, read from a cache, written to one.
TOKENS = {"claude": (57, 48, 20, 12), "nova": (45, 48, 20, None), "titan-embed": (8, None, None, None)}
USUAL = (57, 48, None, None)


def client_at(address, service="bedrock-runtime", attempts=1, **config):
    """A client of a server."""
    config = Config(retries={"total_max_attempts": attempts, "mode": "standard"}, **config)
    return SESSION.client(service, endpoint_url=address, config=config)


def connect(server, service="bedrock-runtime", attempts=1, **config):
    """A client of the fake server."""
    return client_at(f"http://127.0.0.1:{server.port}", service, attempts, **config)


one_client_at = functools.lru_cache(maxsize=2)(client_at)  # making one takes a third of a second


def invoked_case(name, span, tokens, **fields):
    """A case of an invoked model."""
    model, body, answer, chunks = INVOKED[name]
    arguments = {"modelId": model, "body": json.dumps(body)}
    if chunks:
        fields["stream"] = lambda client: client.invoke_model_with_response_stream(**arguments)["body"]
        fields |= {"events": event_stream.chunks(chunks), "headers": event_stream.CONTENT_TYPE}
    return Case(
        f"bedrock {name}",
        f"{span} {model}",
        "aws.bedrock",
        model,
        tokens,
        one_client_at,
        None,
        lambda client: client.invoke_model(**arguments)["body"].read(),
        answer,
        {"__type": "ValidationException", "message": "no"},
        "ValidationException",
        **fields,
    )


PLAIN = {"inputTokens": 57, "outputTokens": 48, "totalTokens": 105}
CASES = [
    Case(
        "bedrock converse",
        f"chat {CLAUDE}",
        "aws.bedrock",
        CLAUDE,
        (57, 48),
        one_client_at,
        None,
        lambda client: client.converse(**ASK)["output"],
        answers.converse(usage=PLAIN),
        {"__type": "ThrottlingException", "message": "no"},
        "ThrottlingException",
        stream=lambda client: client.converse_stream(**ASK)["stream"],
        events=event_stream.events(answers.converse_events(usage=PLAIN)),
        headers=event_stream.CONTENT_TYPE,
    ),
    invoked_case("claude", "chat", (57, 48)),
    invoked_case("titan-embed", "embeddings", (8, None), said=""),
]


@pytest.fixture
def client(server):
    client = connect(server)
    yield client
    client.close()


def reply(body, **fields):
    return Reply(body, headers=HEADERS, **fields)


def streamed(events, **fields):
    return Reply(events, headers={**HEADERS, **event_stream.CONTENT_TYPE}, **fields)


def refusal(code, status):
    return Reply({"message": "no"}, status=status, headers={**HEADERS, "x-amzn-errortype": code})


def invoke(client, server, name, **headers):
    model, body, answer, _ = INVOKED[name]
    server.then(Reply(answer, headers={**HEADERS, **headers}))
    return client.invoke_model(modelId=model, body=json.dumps(body))


def invoke_stream(client, server, name):
    model, body, _, chunks = INVOKED[name]
    server.then(streamed(event_stream.chunks(chunks)))
    return client.invoke_model_with_response_stream(modelId=model, body=json.dumps(body))["body"]


def converse_stream(client, server, events=None, **fields):
    server.then(streamed(event_stream.events(answers.converse_events()) if events is None else events, **fields))
    return client.converse_stream(**ASK)["stream"]


def tokens(span):
    names = (
        semconv.USAGE_INPUT_TOKENS,
        semconv.USAGE_OUTPUT_TOKENS,
        semconv.USAGE_CACHE_READ_TOKENS,
        semconv.USAGE_CACHE_WRITE_TOKENS,
    )
    return tuple(span.attributes.get(name) for name in names)


def text_of(span):
    messages = json.loads(span.attributes[semconv.OUTPUT_MESSAGES])
    return "".join(part["content"] for part in messages[0]["parts"] if part["type"] == "text")


# ---- one call, one span ----


def test_converse_is_one_span(client, server, spans):
    """A call of Converse says who, what and how much."""
    server.then(reply(answers.converse()))
    client.converse(**ASK)
    span = spans.one()
    seen = span.attributes
    assert (span.name, span.kind, span.status.status_code) == (f"chat {CLAUDE}", SpanKind.CLIENT, StatusCode.UNSET)
    assert (seen[semconv.SPAN_KIND], seen[semconv.PROVIDER_NAME]) == ("llm", "aws.bedrock")
    assert (seen[semconv.SERVER_ADDRESS], seen[semconv.SERVER_PORT]) == ("127.0.0.1", server.port)
    assert seen[semconv.REQUEST_MODEL] == CLAUDE
    assert tokens(span) == CONVERSED
    if "cacheDetails" in KNOWN.shape_for("TokenUsage").members:
        assert seen[semconv.USAGE_CACHE_WRITE_1H_TOKENS] == 8
    assert seen[semconv.RESPONSE_FINISH_REASONS] == ("end_turn",)
    assert seen[semconv.REQUEST_ID] == "req-1"
    assert semconv.RESEND_COUNT not in seen
    assert text_of(span) == "Paris"
    assert "Capital of France?" in seen[semconv.INPUT_MESSAGES]
    assert len(server.requests) == 1


@pytest.mark.parametrize("name", INVOKED)
def test_an_invoked_model_is_one_span(name, client, server, spans):
    """A body of each model's own API gives text, reason and tokens; where it has none, the headers give the tokens."""
    counts = {"x-amzn-bedrock-input-token-count": "57", "x-amzn-bedrock-output-token-count": "48"}
    response = invoke(client, server, name, **({} if name in TOKENS else counts))
    assert not spans()
    assert json.loads(response["body"].read()) == INVOKED[name][2]
    span = spans.one()
    is_embedding = "embed" in name
    assert tokens(span) == TOKENS.get(name, (57, None if is_embedding else 48, None, None))
    assert span.attributes[semconv.REQUEST_ID] == "req-1"
    assert span.status.status_code is StatusCode.UNSET
    if is_embedding:
        assert span.name == f"embeddings {INVOKED[name][0]}"
        assert span.attributes[semconv.EMBEDDINGS_DIMENSION_COUNT] == (2 if name == "cohere-embed" else 4)
        assert "Paris" in span.attributes[semconv.INPUT_MESSAGES]
        return
    assert text_of(span) == "Paris"
    assert json.loads(span.attributes[semconv.OUTPUT_MESSAGES])[0]["finish_reason"] == "stop"
    assert span.attributes[semconv.REQUEST_MAX_TOKENS] == 100
    assert "Capital of France?" in span.attributes[semconv.INPUT_MESSAGES]


def test_the_headers_count_a_cache_beside_the_input(client, server, spans):
    """What was read from a cache and written to one is not in the input of the headers."""
    classes = {"input": "25", "output": "48", "cache-read-input": "20", "cache-write-input": "12"}
    headers = {f"x-amzn-bedrock-{name}-token-count": value for name, value in classes.items()}
    invoke(client, server, "mistral", **headers)["body"].read()
    assert tokens(spans.one()) == (57, 48, 20, 12)


def test_a_stream_of_converse_is_one_span(client, server, spans):
    """A stream is one span with its text, its thoughts, its tool call, and the number of its events."""
    events = list(converse_stream(client, server))
    span = spans.one()
    seen = span.attributes
    assert seen[semconv.REQUEST_STREAM] is True
    assert (seen[semconv.STREAM_OUTCOME], seen[semconv.STREAM_CHUNKS]) == ("completed", len(events))
    assert 0 < seen[semconv.RESPONSE_TIME_TO_FIRST_CHUNK] < 60
    assert seen[semconv.RESPONSE_FINISH_REASONS] == ("tool_use",)
    assert tokens(span) == CONVERSED
    (message,) = json.loads(seen[semconv.OUTPUT_MESSAGES])
    assert message["finish_reason"] == "tool_call"
    knows_thoughts = "reasoningContent" in KNOWN.shape_for("ContentBlockDelta").members
    assert message["parts"] == [
        *([{"type": "reasoning", "content": "France, so Paris"}] if knows_thoughts else []),
        {"type": "text", "content": "Paris"},
        {"type": "tool_call", "id": "call_0", "name": "weather", "arguments": {"city": "Paris"}},
    ]


@pytest.mark.parametrize("name", STREAMED)
def test_a_stream_of_an_invoked_model_is_one_span(name, client, server, spans):
    """The chunks of each model's own stream give text, reason and tokens."""
    chunks = list(invoke_stream(client, server, name))
    assert [json.loads(each["chunk"]["bytes"]) for each in chunks] == INVOKED[name][3]
    span = spans.one()
    assert (span.attributes[semconv.STREAM_OUTCOME], span.attributes[semconv.STREAM_CHUNKS]) == (
        "completed",
        len(chunks),
    )
    assert tokens(span) == TOKENS.get(name, USUAL)
    assert text_of(span) == "Paris"
    assert json.loads(span.attributes[semconv.OUTPUT_MESSAGES])[0]["finish_reason"] == "stop"


# ---- the ends of a stream ----


def test_a_stream_that_is_closed_early(client, server, spans):
    """A stream that its reader closes ends its span with what had come, and without an output count."""
    stream = converse_stream(client, server)
    events = iter(stream)
    for _ in range(7):
        next(events)
    assert not spans()
    stream.close()
    span = spans.one()
    assert (span.attributes[semconv.STREAM_OUTCOME], span.attributes[semconv.STREAM_CHUNKS]) == ("closed", 7)
    assert text_of(span) == "Paris"
    assert tokens(span) == (None, None, None, None)
    assert span.status.status_code is StatusCode.UNSET


def test_a_stream_that_is_left_after_its_last_event_is_complete(client, server, spans):
    """A reader that stops at the last event has read all of the answer."""
    stream = converse_stream(client, server)
    for event in stream:
        if "metadata" in event:
            break
    stream.close()
    assert spans.one().attributes[semconv.STREAM_OUTCOME] == "completed"


@pytest.mark.parametrize("read", [0, 3])
def test_a_stream_that_is_abandoned(read, client, server, spans):
    """A stream that nobody holds any more ends its span when it is collected."""
    stream = converse_stream(client, server)
    events = iter(stream)
    for _ in range(read):
        next(events)
    assert not spans()
    del stream, events
    gc.collect()
    assert spans.one().attributes[semconv.STREAM_OUTCOME] == "abandoned"


def test_an_error_event_in_a_stream(client, server, spans):
    """What the server sends as an error is raised by botocore, and fails the span with its code."""
    events = [*event_stream.events(answers.converse_events()[:7]), event_stream.exception("throttlingException")]
    with pytest.raises(EventStreamError) as caught:
        list(converse_stream(client, server, events))
    assert caught.value.response["Error"]["Code"] == "throttlingException"
    span = spans.one()
    seen = span.attributes
    assert (seen[semconv.ERROR_TYPE], seen[semconv.STREAM_OUTCOME]) == ("throttlingException", "failed")
    assert (seen[semconv.STREAM_CHUNKS], text_of(span)) == (7, "Paris")
    assert seen[semconv.REQUEST_ID] == "req-1"
    assert span.status.status_code is StatusCode.ERROR


def test_a_connection_that_is_lost_in_a_stream(client, server, spans):
    """A connection that breaks in a stream fails the span, which keeps what had come."""
    with pytest.raises(Exception) as caught:
        list(converse_stream(client, server, cut=7))
    span = spans.one()
    kind = type(caught.value)
    assert span.attributes[semconv.ERROR_TYPE] == f"{kind.__module__}.{kind.__qualname__}"
    assert span.attributes[semconv.STREAM_OUTCOME] == "failed"
    assert text_of(span) == "Paris"


def test_a_stream_stays_botocores(client, server, spans):
    """The caller gets botocore's own stream, which is as before when it is read."""
    instrumentation.uninstrument()
    plain = vars(converse_stream(client, server)).keys()
    instrumentation.instrument()
    stream = converse_stream(client, server)
    assert type(stream) is EventStream
    list(stream)
    assert vars(stream).keys() == plain
    assert list(stream) == []
    spans.one()


# ---- bodies ----


def _into(body):
    buffer = bytearray(4096)
    return bytes(buffer[: body.readinto(buffer)])


def _within(body, read):
    with body as raw:
        return read(raw)


READINGS = {
    "readinto": _into,
    "read": lambda body: body.read(),
    "amounts": lambda body: b"".join(iter(lambda: body.read(10), b"")),
    "chunks": lambda body: b"".join(body.iter_chunks(7)),
    "lines": lambda body: b"\n".join(body.iter_lines()),
    "iterator": b"".join,
    "next": next,
    "readlines": lambda body: b"".join(body.readlines()),
    "buffered": lambda body: io.BufferedReader(body).read(),
    "raw": lambda body: _within(body, lambda raw: raw.read()),
    "raw-stream": lambda body: _within(body, lambda raw: b"".join(raw.stream(8))),
    "raw-lines": lambda body: _within(body, b"".join),
}


if not hasattr(StreamingBody, "readinto"):
    del READINGS["readinto"], READINGS["buffered"]


@pytest.mark.parametrize("reading", READINGS)
def test_a_body_may_be_read_in_any_way(reading, client, server, spans):
    """Whatever way the caller takes to read a body, the answer is recorded and the bytes are the caller's."""
    body = invoke(client, server, "claude")["body"]
    assert type(body) is StreamingBody
    assert json.loads(READINGS[reading](body)) == answers.MESSAGE
    span = spans.one()
    assert (text_of(span), tokens(span)) == ("Paris", (57, 48, 20, 12))
    if "raw" not in reading and reading != "readlines":  # behind botocore's back; it would miss the length then
        assert body.read() == b""
    assert not spans()


@pytest.mark.parametrize("end", ["close", "forget", "close-partly-read"])
def test_a_body_that_is_not_read(end, client, server, spans):
    """A body that nobody reads to its end ends its span with the tokens of the headers."""
    counts = {"x-amzn-bedrock-input-token-count": "57", "x-amzn-bedrock-output-token-count": "48"}
    body = invoke(client, server, "claude", **counts)["body"]
    if end == "close-partly-read":
        body.read(20)
    gc.disable()  # reference counts alone, as without us
    try:
        if end == "forget":
            del body
        else:
            body.close()
    finally:
        gc.enable()
    span = spans.one()
    assert tokens(span) == USUAL
    assert semconv.OUTPUT_MESSAGES not in span.attributes
    assert span.status.status_code is StatusCode.UNSET


def test_a_body_whose_connection_is_lost(client, server, spans):
    """A body that breaks off fails the span, with the error of the HTTP library for which botocore has its own."""
    server.then(Reply(b'{"half":', headers={"content-length": "100", "connection": "close"}))
    body = client.invoke_model(modelId=CLAUDE, body=json.dumps(INVOKED["claude"][1]))["body"]
    with pytest.raises(ResponseStreamingError):
        body.read()
    assert spans.one().attributes[semconv.ERROR_TYPE] == "urllib3.exceptions.ProtocolError"


def test_a_body_that_is_no_json(client, server, spans):
    """A page in the place of an answer is a failure, and the caller's to read."""
    server.then(reply(b"<html>"))
    body = client.invoke_model(modelId=CLAUDE, body=json.dumps(INVOKED["claude"][1]))["body"]
    assert body.read() == b"<html>"
    assert spans.one().attributes[semconv.ERROR_TYPE] == "invalid_response"


@pytest.mark.parametrize("kind", [str, bytes, bytearray, io.BytesIO])
def test_a_request_may_be_any_kind_of_bytes(kind, client, server, spans):
    """The body of a request goes out as it is; of a file it is not read."""
    model, body, answer, _ = INVOKED["llama"]
    text = json.dumps(body)
    server.then(reply(answer))
    client.invoke_model(modelId=model, body=text if kind is str else kind(text.encode()))["body"].read()
    assert server.requests[0].body == body
    span = spans.one()
    assert tokens(span) == USUAL
    assert (semconv.INPUT_MESSAGES in span.attributes) is (kind is not io.BytesIO)


# ---- errors ----

CALLS = {
    "converse": lambda client: client.converse(**ASK),
    "converse-stream": lambda client: client.converse_stream(**ASK),
    "invoke": lambda client: client.invoke_model(modelId=TITAN_EMBED, body='{"inputText": "Paris"}'),
    "invoke-stream": lambda client: client.invoke_model_with_response_stream(modelId=CLAUDE, body="{}"),
}


@pytest.mark.parametrize(
    ("code", "status"),
    [("ThrottlingException", 429), ("ValidationException", 400), ("AccessDeniedException", 403), ("Unheard", 500)],
)
@pytest.mark.parametrize("name", CALLS)
def test_a_refused_call_is_one_failed_span(name, code, status, client, server, spans):
    """An error status is botocore's own exception for the caller, and one failed span with the service's code."""
    server.then(refusal(code, status))
    with pytest.raises(ClientError) as caught:
        CALLS[name](client)
    assert caught.value.response["Error"]["Code"] == code
    span = spans.one()
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes[semconv.ERROR_TYPE] == code
    assert span.attributes[semconv.REQUEST_ID] == "req-1"
    assert [event.name for event in span.events] == ["exception"]


@pytest.mark.parametrize("refusals", [1, 2])
def test_retries_are_one_span_that_counts_them(refusals, server, spans):
    """botocore's retries happen inside one span, which says how many there were, whether it fails in the end or not."""
    client = connect(server, attempts=2)
    server.then(*[refusal("ThrottlingException", 429)] * refusals, reply(answers.converse()))
    if refusals == 2:
        with pytest.raises(ClientError):
            client.converse(**ASK)
    else:
        client.converse(**ASK)
    seen = spans.one().attributes
    assert seen[semconv.RESEND_COUNT] == 1
    assert (semconv.ERROR_TYPE in seen) is (refusals == 2)
    assert len(server.requests) == 2


def test_a_timeout(server, spans):
    """A timeout is botocore's exception and one failed span."""
    server.then(Reply(answers.converse(), delay=5))
    with pytest.raises(ReadTimeoutError):
        connect(server, read_timeout=0.1).converse(**ASK)
    assert spans.one().attributes[semconv.ERROR_TYPE] == "botocore.exceptions.ReadTimeoutError"


def test_a_server_that_is_not_there(spans):
    """A server that is not there is one failed span."""
    client = client_at("http://127.0.0.1:1")
    with pytest.raises(EndpointConnectionError):
        client.converse(**ASK)
    seen = spans.one().attributes
    assert seen[semconv.ERROR_TYPE] == "botocore.exceptions.EndpointConnectionError"
    assert seen[semconv.SERVER_PORT] == 1


# ---- what is no LLM call ----


def test_other_operations_are_not_recorded(client, server, spans):
    """Guardrails and counts of tokens make no span, and neither do other services of AWS."""
    server.then(reply({"action": "NONE", "outputs": [], "assessments": [], "usage": {}}))
    content = [{"text": {"text": "Paris"}}]
    client.apply_guardrail(guardrailIdentifier="g", guardrailVersion="1", source="INPUT", content=content)
    server.then(reply({"TableNames": ["cities"]}))
    assert connect(server, "dynamodb").list_tables()["TableNames"] == ["cities"]
    assert not spans()


LOADED = """
import sys
import boto3
from botocore.stub import Stubber
from agentops_otel import instrumentation

instrumentation.instrument("bedrock")
client = boto3.Session("AKIATEST", "secret", region_name="us-east-1").client("dynamodb")
stubber = Stubber(client)
stubber.add_response("list_tables", {"TableNames": []})
with stubber:
    client.list_tables()
ours = sorted(name.removeprefix("agentops_otel.instrumentation.") for name in sys.modules)
print([name for name in ours if name.startswith(("_bedrock", "readers."))])
"""


def test_other_services_load_nothing():
    """A program that asks no model does not load what reads its calls."""
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "[]\n", done.stderr


@pytest.mark.parametrize("provider", ["leaf"], indirect=True)
@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("outer", ["theirs", "ours"])
def test_beside_opentelemetrys_instrumentation(outer, name, client, server, record, provider):
    """OpenTelemetry's own instrumentation may be around ours or inside: ours is the one call, theirs at most a step."""
    botocore = pytest.importorskip("opentelemetry.instrumentation.botocore")
    instrumentor = botocore.BotocoreInstrumentor()
    events = answers.converse_events()
    replies = {
        "converse": reply(answers.converse()),
        "converse-stream": streamed(event_stream.events(events)),
        "invoke": reply(answers.TITAN_VECTOR),
        "invoke-stream": streamed(event_stream.chunks(answers.MESSAGE_EVENTS)),
    }
    steps = [record, lambda: instrumentor.instrument(tracer_provider=provider.sdk)]
    original = BaseClient.__dict__["_make_api_call"]
    try:
        for step in steps if outer == "theirs" else reversed(steps):
            step()
        server.then(replies[name])
        with trace.use_span(provider.root):
            for value in CALLS[name](client).values():
                if isinstance(value, (EventStream, StreamingBody)):
                    list(value)
    finally:
        instrumentor.uninstrument()
        BaseClient._make_api_call = original  # it takes off the outermost wrapper, whosever that is
    kinds = [span.attributes.get(semconv.SPAN_KIND) for span in provider.capture.spans]
    assert sorted(kinds) == (["llm", "step"] if outer == "theirs" else ["llm"])
    (span,) = [span for span in provider.capture.spans if span.attributes.get(semconv.SPAN_KIND) == "llm"]
    assert span.instrumentation_scope.name == semconv.SCOPE_NAME
    assert tokens(span)[0] > 0


def test_a_suppressed_call_is_not_recorded(client, server, spans):
    """A call in a suppressed context makes no span."""
    server.then(reply(answers.converse()))
    with suppress_instrumentation():
        client.converse(**ASK)
    assert not spans()


# ---- nothing is changed ----


@pytest.mark.parametrize("name", ["converse", "converse-stream", "invoke", "invoke-stream"])
def test_results_are_equal_with_and_without_us(name, client, server, spans):
    """Results, their types and the requests are the same with and without us."""
    events = answers.converse_events()
    replies = {
        "converse": reply(answers.converse()),
        "converse-stream": streamed(event_stream.events(events)),
        "invoke": reply(answers.TITAN_VECTOR),
        "invoke-stream": streamed(event_stream.chunks(answers.MESSAGE_EVENTS)),
    }

    def run():
        server.then(replies[name])
        result = CALLS[name](client)
        result["ResponseMetadata"]["HTTPHeaders"].pop("date", None)
        for key, value in result.items():
            if isinstance(value, EventStream):
                result[key] = list(value)
            elif isinstance(value, StreamingBody):
                result[key] = value.read()
        return result

    ours = run()
    instrumentation.uninstrument()
    assert run() == ours
    assert server.requests[0].raw == server.requests[1].raw
    assert len(server.requests) == 2
    spans.one()


def stubbed(client):
    """The body of an answer that botocore's own stub gives, in memory, and its bytes."""
    model, body, answer, _ = INVOKED["claude"]
    data = json.dumps(answer).encode()
    stubber = Stubber(client)
    stubber.add_response(
        "invoke_model", {"body": StreamingBody(io.BytesIO(data), len(data)), "contentType": "application/json"}
    )
    with stubber:
        return client.invoke_model(modelId=model, body=json.dumps(body))["body"], data


def test_stubbed_answers_are_recorded(client, spans):
    """Answers that botocore's own stubs give, in memory, are read as others are."""
    body, data = stubbed(client)
    assert body.read() == data
    assert tokens(spans.one()) == (57, 48, 20, 12)


def test_a_body_is_copied_as_without_us(client, spans):
    """What can be copied of it can be, and is another one."""
    body, data = stubbed(client)
    response = body._raw_stream
    for other in (copy.copy(response), copy.deepcopy(response), pickle.loads(pickle.dumps(response))):
        assert type(other) is io.BytesIO
        assert other.read() == data
    assert not spans()
    assert response.read() == data
    spans.one()


# ---- what requests and answers say ----


def test_the_settings_of_converse(client, server, spans):
    """Settings are recorded, those that only some models have included."""
    more = {}
    if "outputConfig" in KNOWN.shape_for("ConverseRequest").members:
        more["outputConfig"] = {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": {"schema": "{}"}}}}
    server.then(reply(answers.converse(serviceTier={"type": "flex"})))
    client.converse(
        **ASK,
        **more,
        inferenceConfig={"maxTokens": 100, "temperature": 0.5, "topP": 0.9, "stopSequences": ["END"]},
        additionalModelRequestFields={"top_k": 50, "output_config": {"effort": "high"}},
    )
    seen = spans.one().attributes
    assert seen[semconv.REQUEST_MAX_TOKENS] == 100
    assert seen[semconv.REQUEST_TEMPERATURE] == 0.5
    assert seen[semconv.REQUEST_TOP_P] == 0.9
    assert seen[semconv.REQUEST_TOP_K] == 50
    assert seen[semconv.REQUEST_STOP_SEQUENCES] == ("END",)
    assert seen[semconv.REQUEST_REASONING_LEVEL] == "high"
    assert seen.get(semconv.OUTPUT_TYPE) == ("json" if more else None)
    if "serviceTier" in KNOWN.shape_for("ConverseResponse").members:
        assert seen[semconv.RESPONSE_SERVICE_TIER] == "flex"


def test_tools_and_their_results(client, server, spans):
    """Definitions, parallel calls and their results are recorded as the schema has them."""
    calls = [
        {"toolUse": {"toolUseId": f"call_{number}", "name": "weather", "input": {"city": city}}}
        for number, city in enumerate(["Paris", "Rome"])
    ]
    results = [
        {"toolResult": {"toolUseId": "call_0", "content": [{"text": "sun"}]}},
        {"toolResult": {"toolUseId": "call_1", "content": [{"json": {"sky": "rain"}}], "status": "success"}},
        {"text": "Which is warmer?"},
    ]
    parameters = {"type": "object", "properties": {"city": {"type": "string"}}}
    specification = {"name": "weather", "description": "The weather.", "inputSchema": {"json": parameters}}
    server.then(reply(answers.converse(*calls, stop_reason="tool_use")))
    client.converse(
        modelId=CLAUDE,
        system=[{"text": "Be brief."}, *CACHE_POINT],
        messages=[
            *ASK["messages"],
            {"role": "assistant", "content": calls},
            {"role": "user", "content": results},
        ],
        toolConfig={"tools": [{"toolSpec": specification}, *CACHE_POINT]},
    )
    seen = spans.one().attributes
    assert json.loads(seen[semconv.SYSTEM_INSTRUCTIONS]) == [{"type": "text", "content": "Be brief."}]
    assert json.loads(seen[semconv.TOOL_DEFINITIONS]) == [
        {"type": "function", "name": "weather", "description": "The weather.", "parameters": parameters}
    ]
    _, asked, given, more = json.loads(seen[semconv.INPUT_MESSAGES])
    assert [part["arguments"] for part in asked["parts"]] == [{"city": "Paris"}, {"city": "Rome"}]
    assert given == {
        "role": "tool",
        "parts": [
            {"type": "tool_call_response", "id": "call_0", "response": "sun"},
            {"type": "tool_call_response", "id": "call_1", "response": '{"sky":"rain"}'},
        ],
    }
    assert more == {"role": "user", "parts": [{"type": "text", "content": "Which is warmer?"}]}
    (message,) = json.loads(seen[semconv.OUTPUT_MESSAGES])
    assert message["finish_reason"] == "tool_call"
    assert [part["id"] for part in message["parts"]] == ["call_0", "call_1"]


def test_media_are_references(client, server, spans):
    """Pictures and documents are references to their bytes, or their place in S3; a text document is its text."""
    picture = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8
    place = {"s3Location": {"uri": "s3://films/paris.mp4"}}
    note = {"text": "Paris is a city."}
    if "text" in KNOWN.shape_for("DocumentSource").members:
        note = {"document": {"format": "txt", "name": "notes", "source": note}}
    blocks = [
        {"text": "What is this?"},
        {"image": {"format": "png", "source": {"bytes": picture}}},
        {"document": {"format": "pdf", "name": "report", "source": {"bytes": b"%PDF-1.7" + picture}}},
        note,
        {"video": {"format": "mp4", "source": place}},
    ]
    server.then(reply(answers.converse()))
    client.converse(modelId=CLAUDE, messages=[{"role": "user", "content": blocks}])
    (message,) = json.loads(spans.one().attributes[semconv.INPUT_MESSAGES])
    _, image, document, notes, video = message["parts"]
    assert (image["type"], image["modality"], image["mime_type"]) == ("file", "image", "image/png")
    assert (image["bytes"], len(image["sha256"])) == (len(picture), 64)
    assert (document["modality"], document["mime_type"], document["filename"]) == (
        "document",
        "application/pdf",
        "report",
    )
    assert notes == {"type": "text", "content": "Paris is a city."}
    assert video == {"type": "uri", "modality": "video", "uri": "s3://films/paris.mp4"}


def test_a_guardrail_that_steps_in(client, server, spans):
    """A guardrail that stopped an answer is its reason, of an invoked model as of Converse."""
    server.then(reply(answers.converse(stop_reason="guardrail_intervened")))
    client.converse(**ASK)
    server.then(reply({**answers.MESSAGE, "amazon-bedrock-guardrailAction": "INTERVENED"}))
    client.invoke_model(modelId=CLAUDE, body=json.dumps(INVOKED["claude"][1]))["body"].read()
    for span in spans():
        assert span.attributes[semconv.RESPONSE_FINISH_REASONS] == ("guardrail_intervened",)


def test_a_prompt_router_says_which_model_answered(client, server, spans):
    """The model that a router has chosen is the model of the answer, and gives its price."""
    chosen = f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/{CLAUDE}"
    server.then(reply(answers.converse(trace={"promptRouter": {"invokedModelId": chosen}})))
    router = "arn:aws:bedrock:us-east-1:123456789012:default-prompt-router/anthropic.claude:1"
    client.converse(**{**ASK, "modelId": router})
    seen = spans.one().attributes
    assert (seen[semconv.REQUEST_MODEL], seen[semconv.RESPONSE_MODEL]) == (router, CLAUDE)


@pytest.mark.parametrize("model", ["cohere.rerank-v3-5:0", "amazon.rerank-v1:0"])
def test_a_ranking(model, client, server, spans):
    """A ranking says how many were wanted, and the places and scores of those found."""
    server.then(reply({"results": [{"index": 1, "relevance_score": 0.75}]}))
    body = {"query": "Capital?", "documents": ["Rome", "Paris"], "top_n": 1}
    client.invoke_model(modelId=model, body=json.dumps(body))["body"].read()
    span = spans.one()
    assert (span.name, span.status.status_code) == (f"rerank {model}", StatusCode.UNSET)
    assert span.attributes[semconv.RETRIEVAL_TOP_K] == 1
    assert json.loads(span.attributes[semconv.RETRIEVAL_DOCUMENTS]) == [{"id": "1", "score": 0.75}]


def test_lists_that_go_on_after_the_request(client, server, spans):
    """What a program adds to its messages while it reads the answer was not in the request."""
    messages = [*ASK["messages"]]
    server.then(streamed(event_stream.events(answers.converse_events())))
    stream = client.converse_stream(modelId=CLAUDE, messages=messages)["stream"]
    messages.append({"role": "assistant", "content": [{"text": "later"}]})
    list(stream)
    assert len(json.loads(spans.one().attributes[semconv.INPUT_MESSAGES])) == 1


@pytest.mark.parametrize("name", DRAWN)
def test_a_picture_that_is_made(name, client, server, spans):
    """A picture is measured; what it was made from is the prompt."""
    model, body, answer = DRAWN[name]
    server.then(reply(answer))
    client.invoke_model(modelId=model, body=json.dumps(body))["body"].read()
    span = spans.one()
    seen = span.attributes
    assert (span.name, span.status.status_code) == (f"generate_content {model}", StatusCode.UNSET)
    assert (seen[semconv.OUTPUT_TYPE], seen[semconv.REQUEST_SEED]) == ("image", 7)
    assert "Paris" in seen[semconv.INPUT_MESSAGES]
    (message,) = json.loads(seen[semconv.OUTPUT_MESSAGES])
    assert message["parts"][0]["modality"] == "image"
    assert PICTURE not in seen[semconv.OUTPUT_MESSAGES]


def test_without_content_no_text_is_recorded(client, server, record, provider):
    """With content off, tokens are recorded and texts are not."""
    record(capture_content="off")
    list(converse_stream(client, server))
    (span,) = provider.capture.spans
    assert tokens(span) == CONVERSED
    assert not any("Paris" in str(value) or "Capital" in str(value) for value in span.attributes.values())


def test_the_example_is_recorded(server, tmp_path):
    """The example runs as it stands, with boto3's own variables, and makes a span for each of its calls."""
    pytest.importorskip("google.rpc", reason="the backend needs it")
    from tests.fakes.fault_server import FaultServer

    text = [event for event in answers.converse_events() if "oning" not in str(event) and "toolUse" not in str(event)]
    server.then(reply(answers.converse()), streamed(event_stream.events(text)))
    variables = {
        "AWS_ACCESS_KEY_ID": "AKIATEST",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": f"http://127.0.0.1:{server.port}",
    }
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("AGENTOPS_", "OTEL_", "AWS_"))}
    with FaultServer() as backend:
        done = subprocess.run(
            [sys.executable, str(EXAMPLE)],
            env={**clean, **variables, "OTEL_EXPORTER_OTLP_ENDPOINT": backend.url},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stdout) == (0, "Paris\nParis\n"), done.stderr
        assert sorted(span.name for span in backend.spans()) == [*["chat us.amazon.nova-lite-v1:0"] * 2, "session"]
        assert "internal error" not in done.stderr
