"""google-genai's Interactions API: what is recorded of the real SDK's calls."""

from __future__ import annotations

import inspect
import json

import pytest
from google import genai
from opentelemetry.trace import StatusCode

from agentops_otel import semconv
from tests.fakes.llm_server import Reply
from tests.sdks import answers_google as google
from tests.sdks.case import Case

pytestmark = pytest.mark.filterwarnings("ignore:.*[Ii]nteractions.*")
MODEL = "gemini-3.5-flash"
ASKED = {"model": MODEL, "input": "Capital of France?"}


def made(address):
    quick = {"verify": False}  # loading certificates takes longer than most tests
    where = {"base_url": address, "client_args": quick, "async_client_args": quick}
    return genai.Client(api_key="AIza-test", http_options=where)


class AsyncConnection:
    """The asynchronous client, which is a part of the other, that has to stay."""

    def __init__(self, address):
        self._client = made(address)
        self.interactions = self._client.aio.interactions

    async def aclose(self):
        self._client.close()
        await self._client.aio.aclose()


CASES = [
    Case(
        "google-genai interactions",
        f"generate_content {MODEL}",
        "gcp.gemini",
        MODEL,
        (57, 48),
        made,
        AsyncConnection,
        call=lambda client: client.interactions.create(**ASKED),
        answer=google.interaction(),
        refusal={"error": {"code": "invalid_request", "message": "no"}},
        code="invalid_request",
        stream=lambda client: client.interactions.create(**ASKED, stream=True),
        events=google.interaction_events(),
    )
]


async def _maybe(value):
    return await value if inspect.isawaitable(value) else value


@pytest.fixture(params=["sync", "async"])
async def create(request, server):
    """Makes an interaction, in the one or the other way."""
    client = made(f"http://127.0.0.1:{server.port}")
    target = (client.aio if request.param == "async" else client).interactions

    async def call(**arguments):
        return await _maybe(target.create(**{**ASKED, **arguments}))

    yield call
    client.close()
    await client.aio.aclose()


async def _read(stream):
    return [event async for event in stream] if hasattr(stream, "__aiter__") else list(stream)


async def test_an_interaction_is_one_span(create, spans, server):
    """One span says who, what and how much."""
    server.then(Reply(google.interaction()))
    answer = await create(generation_config={"temperature": 0.5}, system_instruction="Be brief.")
    assert answer.id == "ix_1"
    span = spans.one()
    seen = span.attributes
    assert span.name == f"generate_content {MODEL}"
    assert seen[semconv.PROVIDER_NAME] == "gcp.gemini"
    assert seen[semconv.SERVER_PORT] == server.port
    assert seen[semconv.REQUEST_TEMPERATURE] == 0.5
    assert (seen[semconv.USAGE_INPUT_TOKENS], seen[semconv.USAGE_OUTPUT_TOKENS]) == (57, 48)
    assert seen[semconv.RESPONSE_FINISH_REASONS] == ("stop",)
    assert json.loads(seen[semconv.OUTPUT_MESSAGES])[0]["parts"][0]["content"] == "Paris"
    assert len(server.requests) == 1


async def test_a_stream_is_one_span(create, spans, server):
    """A stream read to its end has the whole text and the counts of its last event."""
    server.then(Reply(google.interaction_events()))
    events = await _read(await create(stream=True))
    seen = spans.one().attributes
    assert seen[semconv.STREAM_CHUNKS] == len(events) == 9
    assert seen[semconv.STREAM_OUTCOME] == "completed"
    assert seen[semconv.USAGE_OUTPUT_TOKENS] == 48
    parts = json.loads(seen[semconv.OUTPUT_MESSAGES])[0]["parts"]
    assert [part["content"] for part in parts] == ["Hm.", "Paris"]


async def test_a_refused_interaction_is_one_failed_span(create, spans, server):
    """An error status is the SDK's own exception, and one failed span with the provider's code."""
    server.then(Reply({"error": {"code": "invalid_request", "message": "no"}}, status=400))
    with pytest.raises(Exception, match="invalid_request"):
        await create()
    span = spans.one()
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes[semconv.ERROR_TYPE] == "invalid_request"


async def test_an_error_inside_of_a_stream(create, spans, server):
    """An event that is an error fails the span, which keeps what had come."""
    failed = {"event_type": "error", "error": {"code": "internal", "message": "x"}}
    server.then(Reply([*google.interaction_events()[:6], failed]))
    await _read(await create(stream=True))
    seen = spans.one().attributes
    assert seen[semconv.ERROR_TYPE] == "internal"
    assert seen[semconv.STREAM_OUTCOME] == "failed"
    assert "Pa" in seen[semconv.OUTPUT_MESSAGES]


async def test_a_fetched_interaction_is_no_call(spans, server):
    """What is fetched by its id was counted when it was made."""
    server.then(Reply(google.interaction()))
    client = made(f"http://127.0.0.1:{server.port}")
    assert client.interactions.get("ix_1").id == "ix_1"
    client.close()
    assert spans() == []
