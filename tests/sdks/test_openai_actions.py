"""Moderations, batches, searches and assistants' runs of the `openai` package: what is no LLM call, and says so."""

from __future__ import annotations

import inspect
import json
import warnings

import openai
import pytest
from opentelemetry.trace import SpanKind, StatusCode

from agentops_otel import pricing, semconv
from agentops_otel.totals import kind_of
from tests.fakes import llm_server
from tests.fakes.llm_server import Reply
from tests.sdks import answers_openai as answers
from tests.sdks.answers_openai import PNG, reference
from tests.sdks.case import Case

pytestmark = pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning")  # the assistants


def _client(address):
    http = openai.DefaultHttpxClient(verify=False)  # loading certificates takes longer than most tests
    return openai.OpenAI(api_key="sk-test", base_url=f"{address}/v1", max_retries=0, http_client=http)


def _async_client(address):
    http = openai.DefaultAsyncHttpxClient(verify=False)  # as above
    return openai.AsyncOpenAI(api_key="sk-test", base_url=f"{address}/v1", max_retries=0, http_client=http)


def _run(client, **more):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return client.beta.threads.runs.create("thread_1", assistant_id="asst_1", model="gpt-4o", **more)


BOTH = {
    "provider": "openai",
    "client": _client,
    "async_client": _async_client,
    "refusal": llm_server.error("model_not_found"),
    "code": "model_not_found",
    "said": "",
    "finishes": False,
}
CASES = [
    Case(
        name="openai moderation",
        span="moderation omni-moderation-latest",
        model="omni-moderation-latest",
        tokens=(None, None),
        call=lambda client: client.moderations.create(model="omni-moderation-latest", input="Hello"),
        answer=answers.moderation(),
        **BOTH,
    ),
    Case(
        name="openai batch",
        span="create_batch",
        model="",
        tokens=(None, None),
        call=lambda client: client.batches.create(
            input_file_id="file-1", endpoint="/v1/embeddings", completion_window="24h"
        ),
        answer=answers.batch(),
        **BOTH,
    ),
    Case(
        name="openai search",
        span="retrieval vs_1",
        model="",
        tokens=(None, None),
        call=lambda client: client.vector_stores.search("vs_1", query="refunds"),
        answer=answers.found(),
        **BOTH,
    ),
    Case(
        name="openai run",
        span="invoke_agent asst_1",
        model="gpt-4o",
        tokens=(123, 45),
        call=_run,
        answer=answers.run("completed", usage=answers.RUN),
        stream=lambda client: _run(client, stream=True),
        events=answers.run_events(),
        **BOTH,
    ),
]


@pytest.fixture
def client(server):
    with _client(server.url.removesuffix("/v1")) as client:
        yield client


@pytest.fixture
async def async_client(server):
    async with _async_client(server.url.removesuffix("/v1")) as client:
        yield client


@pytest.fixture(params=["sync", "async"])
def either(request, client, async_client):
    """The client, and then the async one, for what must hold for both."""
    return client if request.param == "sync" else async_client


async def got(value):
    """What a call of either client returns."""
    return await value if inspect.isawaitable(value) else value


def said(span, name):
    """The JSON of an attribute."""
    return json.loads(span.attributes[name])


# ---- moderations and batches ----


async def test_moderation(server, either, spans):
    """A moderation is an action: what was looked at, and what was found."""
    server.then(Reply(answers.moderation()))
    data = "data:image/png;base64,iVBORw0KGgoAAQ=="
    given = [{"type": "text", "text": "I will hit you"}, {"type": "image_url", "image_url": {"url": data}}]
    answer = await got(either.moderations.create(model="omni-moderation-latest", input=given))
    assert answer.results[0].flagged
    span = spans.one()
    assert (span.name, span.kind) == ("moderation omni-moderation-latest", SpanKind.CLIENT)
    attributes = span.attributes
    assert kind_of(attributes) == semconv.KIND_ACTION
    assert attributes[semconv.ACTION_TYPE] == "moderation"
    assert attributes[semconv.RESPONSE_ID] == "modr-1"
    assert attributes[semconv.RESPONSE_MODEL] == "omni-moderation-2024-09-26"
    assert attributes[semconv.SERVER_PORT] == server.port
    picture = reference(PNG[:8] + bytes([0, 1]), "image", "image/png")
    assert said(span, semconv.ACTION_PARAMS) == {"input": [{"type": "text", "content": "I will hit you"}, picture]}
    assert said(span, semconv.ACTION_RETURNS) == [{"flagged": True, "categories": ["violence"]}]
    assert pricing.span_cost(attributes) is None


async def test_batch(server, either, spans):
    """To create a batch is an action without tokens; to look at it later is nothing."""
    server.then(Reply(answers.batch()), Reply(answers.batch("completed")))
    arguments = {"input_file_id": "file-1", "endpoint": "/v1/chat/completions", "completion_window": "24h"}
    await got(either.batches.create(**arguments))
    await got(either.batches.retrieve("batch_1"))
    span = spans.one()
    assert span.name == "create_batch"
    assert kind_of(span.attributes) == semconv.KIND_ACTION
    assert span.attributes[semconv.RESPONSE_ID] == "batch_1"
    assert span.attributes[semconv.RESPONSE_STATUS] == "validating"
    assert said(span, semconv.ACTION_PARAMS) == arguments
    assert said(span, semconv.ACTION_RETURNS) == [{"id": "batch_1", "status": "validating"}]
    assert semconv.USAGE_INPUT_TOKENS not in span.attributes


@pytest.mark.parametrize("call", ["moderations", "batches", "search", "runs"])
def test_refusals(call, server, client, spans):
    """The exception passes and the span has the provider's code, whatever kind it is of."""
    server.then(Reply(llm_server.error("no_such_thing"), status=404))
    calls = {
        "moderations": lambda: client.moderations.create(input="Hello"),
        "batches": lambda: client.batches.create(
            input_file_id="file-1", endpoint="/v1/embeddings", completion_window="24h"
        ),
        "search": lambda: client.vector_stores.search("vs_1", query="refunds"),
        "runs": lambda: client.beta.threads.runs.create("thread_1", assistant_id="asst_1"),
    }
    with pytest.raises(openai.NotFoundError):
        calls[call]()
    span = spans.one()
    assert span.attributes[semconv.ERROR_TYPE] == "no_such_thing"
    assert span.status.status_code is StatusCode.ERROR


# ---- searches ----


async def test_search(server, either, spans):
    """A search says where and what was searched, and what was found, but not its text."""
    server.then(Reply(answers.found()))
    page = await got(either.vector_stores.search("vs 1", query=["refunds", "money back"], max_num_results=4))
    assert [found.file_id for found in page.data] == ["file-1", "file-2"]
    span = spans.one()
    assert (span.name, span.kind) == ("retrieval vs 1", SpanKind.CLIENT)
    assert kind_of(span.attributes) == semconv.KIND_RETRIEVAL
    assert span.attributes[semconv.DATA_SOURCE_ID] == "vs 1"
    assert span.attributes[semconv.RETRIEVAL_TOP_K] == 4
    assert span.attributes[semconv.RETRIEVAL_QUERY_TEXT] == "refunds\nmoney back"
    assert said(span, semconv.RETRIEVAL_DOCUMENTS) == [{"id": "file-1", "score": 0.95}, {"id": "file-2", "score": 0.5}]
    assert "five days" not in str(dict(span.attributes))
    assert span.status.status_code is StatusCode.UNSET


def test_a_search_without_results(server, client, spans):
    """Nothing found is no failure."""
    server.then(Reply({**answers.found(), "data": []}))
    client.vector_stores.search("vs_1", query="refunds")
    span = spans.one()
    assert semconv.RETRIEVAL_DOCUMENTS not in span.attributes
    assert span.status.status_code is StatusCode.UNSET


def test_secrets_in_a_query(server, client, spans):
    """A key in what is searched for is not recorded, and the rest of the text is."""
    server.then(Reply(answers.found()))
    client.vector_stores.search("vs_1", query="who uses sk-test and sk-proj-abcdefghijklmnopqrstuvwxyz0123456789?")
    text = spans.one().attributes[semconv.RETRIEVAL_QUERY_TEXT]
    assert "abcdefghij" not in text
    assert text.startswith("who uses ")


# ---- runs ----


async def test_a_run(server, either, spans):
    """A run is a hosted agent on its thread; without its end there are no tokens."""
    server.then(Reply(answers.run()))
    told = [{"role": "user", "content": [{"type": "text", "text": "Where is the Louvre?"}]}]
    await got(
        either.beta.threads.runs.create(
            "thread_1",
            assistant_id="asst_1",
            model="gpt-4o",
            instructions="Be short",
            additional_messages=told,
            temperature=0.5,
        )
    )
    span = spans.one()
    assert (span.name, span.kind) == ("invoke_agent asst_1", SpanKind.CLIENT)
    attributes = span.attributes
    assert kind_of(attributes) == semconv.KIND_AGENT
    assert attributes[semconv.AGENT_ID] == "asst_1"
    assert attributes[semconv.CONVERSATION_ID] == "thread_1"
    assert attributes[semconv.REQUEST_MODEL] == "gpt-4o"
    assert attributes[semconv.REQUEST_TEMPERATURE] == 0.5
    assert attributes[semconv.RESPONSE_ID] == "run_1"
    assert attributes[semconv.RESPONSE_STATUS] == "queued"
    assert said(span, semconv.SYSTEM_INSTRUCTIONS) == [{"type": "text", "content": "Be short"}]
    (message,) = said(span, semconv.INPUT_MESSAGES)
    assert message["parts"] == [{"type": "text", "content": "Where is the Louvre?"}]
    assert semconv.USAGE_INPUT_TOKENS not in attributes


async def test_a_streamed_run(server, either, spans):
    """The last event has the tokens, and the messages are put together."""
    server.then(Reply(answers.run_events()))
    stream = await got(
        either.beta.threads.create_and_run(
            assistant_id="asst_1", thread={"messages": [{"role": "user", "content": "Where?"}]}, stream=True
        )
    )
    events = list(stream) if hasattr(stream, "__iter__") else [event async for event in stream]
    assert events[-1].event == "thread.run.completed"
    span = spans.one()
    assert span.name == "invoke_agent asst_1"
    assert span.attributes[semconv.CONVERSATION_ID] == "thread_1"
    assert span.attributes[semconv.USAGE_INPUT_TOKENS] == 123
    assert span.attributes[semconv.USAGE_OUTPUT_TOKENS] == 45
    assert span.attributes[semconv.STREAM_OUTCOME] == "completed"
    (given,) = said(span, semconv.INPUT_MESSAGES)
    (answer,) = said(span, semconv.OUTPUT_MESSAGES)
    assert given["parts"] == [{"type": "text", "content": "Where?"}]
    assert answer == {
        "role": "assistant",
        "parts": [{"type": "text", "content": "In Paris"}],
        "finish_reason": "stop",
    }


def test_a_run_with_the_stream_helper(server, client, spans):
    """The SDK's helper is one call, too, and sees what it saw without us."""
    server.then(Reply(answers.run_events()))
    with client.beta.threads.runs.stream(thread_id="thread_1", assistant_id="asst_1") as stream:
        assert "".join(stream.text_deltas) == "In Paris"
    assert spans.one().attributes[semconv.USAGE_OUTPUT_TOKENS] == 45


def test_a_run_that_breaks_off(server, client, spans):
    """What came is kept, without the tokens that only its end would have said."""
    server.then(Reply(answers.run_events(), cut=4))
    stream = client.beta.threads.runs.create("thread_1", assistant_id="asst_1", stream=True)
    with pytest.raises(Exception, match=r".*"):
        list(stream)
    span = spans.one()
    (answer,) = said(span, semconv.OUTPUT_MESSAGES)
    assert answer["parts"] == [{"type": "text", "content": "In "}]
    assert answer["finish_reason"] == "error"
    assert semconv.USAGE_INPUT_TOKENS not in span.attributes


def test_a_run_that_waits_for_tools(server, client, spans):
    """The tools that it waits for are its answer."""
    call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Paris"}'}}
    action = {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": [call]}}
    last = ("thread.run.requires_action", answers.run("requires_action", required_action=action))
    server.then(Reply([answers.run_events()[0], last, "[DONE]"]))
    list(client.beta.threads.runs.create("thread_1", assistant_id="asst_1", stream=True))
    (answer,) = said(spans.one(), semconv.OUTPUT_MESSAGES)
    part = {"type": "tool_call", "id": "call_1", "name": "weather", "arguments": {"city": "Paris"}}
    assert (answer["parts"], answer["finish_reason"]) == ([part], "tool_call")


def test_a_run_that_fails(server, client, spans):
    """A run that has failed is a failure with its own code."""
    error = {"code": "rate_limit_exceeded", "message": "later"}
    server.then(Reply([("thread.run.failed", answers.run("failed", last_error=error)), "[DONE]"]))
    list(client.beta.threads.runs.create("thread_1", assistant_id="asst_1", stream=True))
    span = spans.one()
    assert span.attributes[semconv.ERROR_TYPE] == "rate_limit_exceeded"
    assert span.status.status_code is StatusCode.ERROR


def test_what_is_no_call(server, client, spans):
    """Files, models, threads and what is only looked at make no span."""
    server.then(*[Reply({"id": "x", "object": "thread", "data": []}) for _ in range(6)])
    client.files.create(file=("a.jsonl", b"{}"), purpose="batch")
    client.models.list()
    client.beta.threads.create()
    client.beta.threads.runs.retrieve("run_1", thread_id="thread_1")
    client.beta.threads.messages.list("thread_1")
    client.vector_stores.create()
    assert len(server.requests) == 6
    assert spans() == []
