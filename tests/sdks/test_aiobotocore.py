"""Bedrock through aiobotocore, on which aioboto3 stands: recorded as through boto3."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json

import pytest

aiobotocore = pytest.importorskip("aiobotocore.session")

from botocore.exceptions import ClientError, EventStreamError  # noqa: E402

from agentops_otel import semconv  # noqa: E402
from tests.fakes import event_stream  # noqa: E402
from tests.fakes.llm_server import Reply  # noqa: E402
from tests.sdks import answers_bedrock as answers  # noqa: E402
from tests.sdks.answers_bedrock import CLAUDE, HEADERS, INVOKED  # noqa: E402
from tests.sdks.seen import tokens  # noqa: E402

# aiobotocore leaves the connection of a stream that has failed to the garbage collector.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Unclosed connection:ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)
ASK = {"modelId": CLAUDE, "messages": [{"role": "user", "content": [{"text": "Capital of France?"}]}]}
STREAM = {**HEADERS, **event_stream.CONTENT_TYPE}
CONVERSED = (57, 48)
PLAIN = {"inputTokens": 57, "outputTokens": 48, "totalTokens": 105}


@pytest.fixture
async def client(server):
    keys = {"aws_access_key_id": "AKIATEST", "aws_secret_access_key": "secret"}
    made = aiobotocore.get_session().create_client(
        "bedrock-runtime", region_name="us-east-1", endpoint_url=f"http://127.0.0.1:{server.port}", **keys
    )
    async with made as client:
        yield client


async def test_converse(client, server, spans):
    """A call of Converse is one span."""
    server.then(Reply(answers.converse(usage=PLAIN), headers=HEADERS))
    await client.converse(**ASK)
    span = spans.one()
    assert (span.name, tokens(span)) == (f"chat {CLAUDE}", CONVERSED)
    assert span.attributes[semconv.REQUEST_ID] == "req-1"


async def test_a_stream(client, server, spans):
    """A stream is one span with its text."""
    server.then(Reply(event_stream.events(answers.converse_events(usage=PLAIN)), headers=STREAM))
    events = [event async for event in (await client.converse_stream(**ASK))["stream"]]
    span = spans.one()
    assert (span.attributes[semconv.STREAM_OUTCOME], tokens(span)) == ("completed", CONVERSED)
    assert span.attributes[semconv.STREAM_CHUNKS] == len(events)
    assert "Paris" in span.attributes[semconv.OUTPUT_MESSAGES]


@pytest.mark.parametrize("end", ["closed", "abandoned"])
async def test_a_stream_that_is_left(end, client, server, spans):
    """A stream that is closed early or abandoned ends its span."""
    server.then(Reply(event_stream.events(answers.converse_events(usage=PLAIN)), headers=STREAM))
    stream = (await client.converse_stream(**ASK))["stream"]
    async with contextlib.aclosing(stream.__aiter__()) as events:
        for _ in range(7):
            await anext(events)
    if end == "closed":
        stream.close()
    del stream, events
    gc.collect()
    assert spans.one().attributes[semconv.STREAM_OUTCOME] == end


async def test_an_error_event_in_a_stream(client, server, spans):
    """What the server sends as an error fails the span with its code."""
    events = [
        *event_stream.events(answers.converse_events(usage=PLAIN)[:7]),
        event_stream.exception("throttlingException"),
    ]
    server.then(Reply(events, headers=STREAM))
    with pytest.raises(EventStreamError):
        [event async for event in (await client.converse_stream(**ASK))["stream"]]
    assert spans.one().attributes[semconv.ERROR_TYPE] == "throttlingException"


@pytest.mark.parametrize("reading", ["read", "amounts", "chunks", "with"])
async def test_a_body_may_be_read_in_any_way(reading, client, server, spans):
    """Whatever way the caller takes to read a body, the answer is recorded and the bytes are the caller's."""
    model, body, answer, _ = INVOKED["claude"]
    server.then(Reply(answer, headers=HEADERS))
    found = (await client.invoke_model(modelId=model, body=json.dumps(body)))["body"]
    if reading == "read":
        data = await found.read()
    elif reading == "chunks":
        data = b"".join([chunk async for chunk in found.iter_chunks(7)])
    elif reading == "with":
        async with found as opened:
            data = await opened.read()
    else:
        data = b""
        while piece := await found.read(10):
            data += piece
    assert json.loads(data) == answer
    assert tokens(spans.one()) == (57, 48)


async def test_a_stream_that_is_cancelled(client, server, spans):
    """A stream whose reader is cancelled ends its span without an error."""
    server.then(Reply(event_stream.events(answers.converse_events(usage=PLAIN)), headers=STREAM, gap=0.2))
    stream = (await client.converse_stream(**ASK))["stream"]
    task = asyncio.ensure_future(_read(stream))
    await asyncio.sleep(0.3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    span = spans.one()
    assert span.attributes[semconv.STREAM_OUTCOME] == "cancelled"
    assert span.attributes[semconv.CANCELLED] is True
    assert semconv.ERROR_TYPE not in span.attributes


async def _read(stream):
    return [event async for event in stream]


async def test_a_refused_call(client, server, spans):
    """An error status is one failed span with the service's code."""
    server.then(Reply({"message": "no"}, status=400, headers={**HEADERS, "x-amzn-errortype": "ValidationException"}))
    with pytest.raises(ClientError):
        await client.converse(**ASK)
    seen = spans.one().attributes
    assert (seen[semconv.ERROR_TYPE], seen[semconv.REQUEST_ID]) == ("ValidationException", "req-1")
