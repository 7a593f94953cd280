"""A stored response that is fetched: a span of its own kind, without usage; what is counted is counted once."""

from __future__ import annotations

import inspect
import json

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.trace import SpanContext, SpanKind, StatusCode, TraceFlags

import agentops_otel
from agentops_otel import semconv
from agentops_otel.instrumentation import _background
from agentops_otel.instrumentation._endpoint import Work
from tests.fakes import llm_server
from tests.fakes.llm_server import Reply

WAYS = ["plain", "raw", "streaming-raw", "stream", "raw-stream"]
INPUT = {"model": "gpt-4o", "input": "Capital of France?"}
CANNOT_STREAM = "stream" not in inspect.signature(openai.OpenAI(api_key="k").responses.retrieve).parameters


@pytest.fixture(params=WAYS)
def way(request):
    if CANNOT_STREAM and request.param.endswith("stream"):
        pytest.skip("this release cannot fetch a response as a stream")
    return request.param


async def _maybe(value):
    return await value if inspect.isawaitable(value) else value


async def _read(stream):
    return list(stream) if isinstance(stream, openai.Stream) else [event async for event in stream]


async def fetch(client, way="plain", **arguments):
    """Fetch `resp_1` and read it; the response that was shown, or the events."""
    responses = client.responses
    if way.endswith("stream"):
        arguments["stream"] = True
    if way == "streaming-raw":
        manager = responses.with_streaming_response.retrieve("resp_1", **arguments)
        if hasattr(manager, "__aenter__"):
            async with manager as raw:
                return await _maybe(raw.parse())
        with manager as raw:
            return raw.parse()
    if way.startswith("raw"):
        found = (await _maybe(responses.with_raw_response.retrieve("resp_1", **arguments))).parse()
    else:
        found = await _maybe(responses.retrieve("resp_1", **arguments))
    return await _read(found) if way.endswith("stream") else found


def reply(way, **fields):
    """A response as the server gives it: whole, or as events."""
    whole = llm_server.response(**fields)
    return Reply(llm_server.response_events(whole) if way.endswith("stream") else whole)


def usage_of(spans):
    return [span for span in spans if any(name.startswith("gen_ai.usage") for name in span.attributes)]


async def test_a_fetch_is_a_span_of_its_own_kind(way, either, spans, server):
    """Id, status and answer of what was fetched, and nothing of a request, of usage, of cost."""
    server.then(
        reply(
            way,
            usage={**llm_server.response()["usage"], "cost": 0.25},
            service_tier="default",
            instructions="Be brief.",
        )
    )
    await fetch(either, way)
    span = spans.one()
    seen = dict(span.attributes)
    assert (span.name, span.kind, span.status.status_code) == ("fetch_response", SpanKind.CLIENT, StatusCode.UNSET)
    assert seen[semconv.OPERATION_NAME] == "fetch_response"
    assert seen[semconv.PROVIDER_NAME] == "openai"
    assert seen[semconv.OPENAI_API_TYPE] == "responses"
    assert seen[semconv.RESPONSE_ID] == "resp_1"
    assert seen[semconv.RESPONSE_STATUS] == "completed"
    assert seen[semconv.RESPONSE_MODEL] == "gpt-4o-2024-08-06"
    assert seen[semconv.RESPONSE_FINISH_REASONS] == ("stop",)
    assert seen[semconv.OPENAI_RESPONSE_SERVICE_TIER] == "default"
    assert (seen[semconv.SERVER_ADDRESS], seen[semconv.SERVER_PORT]) == ("127.0.0.1", server.port)
    assert "Paris" in seen[semconv.OUTPUT_MESSAGES]
    assert "Be brief." in seen[semconv.SYSTEM_INSTRUCTIONS]
    assert seen.keys().isdisjoint(
        {
            semconv.SPAN_KIND,
            semconv.REQUEST_MODEL,
            semconv.REQUEST_STREAM,
            semconv.INPUT_MESSAGES,
            semconv.REQUEST_STREAM_CURSOR,
        }
    )
    assert not [name for name in seen if "usage" in name or "cost" in name]


@pytest.mark.skipif(CANNOT_STREAM, reason="this release cannot fetch a response as a stream")
async def test_the_cursor_of_a_stream_that_goes_on(either, spans):
    """The event after which a stream is to go on is text."""
    await fetch(either, "stream", starting_after=3)
    assert spans.one().attributes[semconv.REQUEST_STREAM_CURSOR] == "3"


@pytest.mark.parametrize("status", ["failed", "incomplete", "cancelled", "in_progress", "queued"])
async def test_what_a_fetch_shows_is_no_failure_of_the_fetch(status, either, spans, server):
    """A response that failed was fetched well."""
    server.then(Reply(llm_server.response(status, error={"code": "server_error", "message": "no"})))
    await fetch(either)
    span = spans.one()
    assert span.status.status_code is StatusCode.UNSET
    assert span.attributes[semconv.RESPONSE_STATUS] == status
    assert semconv.ERROR_TYPE not in span.attributes


async def test_a_fetch_that_fails(either, spans, server):
    """A response that is not there is the SDK's exception, and one failed span that names what was asked for."""
    server.then(Reply(llm_server.error(None), 404))
    with pytest.raises(openai.NotFoundError):
        await fetch(either)
    span = spans.one()
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes[semconv.ERROR_TYPE] == "openai.NotFoundError"
    assert span.attributes[semconv.RESPONSE_ID] == "resp_1"
    assert semconv.RESPONSE_STATUS not in span.attributes


async def test_a_page_in_place_of_a_response(either, spans, server):
    """What is no response at all is a failed fetch."""
    server.then(Reply(b"<html>sign in</html>", headers={"content-type": "text/html"}))
    await fetch(either)
    span = spans.one()
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes[semconv.ERROR_TYPE]


async def test_one_call_and_three_fetches_are_one_paid_call(way, either, agentops_session, server):
    """However often and in which way a response is read again, its tokens were paid once."""
    await _maybe(either.responses.create(**INPUT))
    for _ in range(3):
        await fetch(either, way)
    totals = agentops_otel.current_session().totals
    assert (totals.llm_calls, totals.usage.input_tokens, totals.unpriced_calls) == (1, 57, 0)
    agentops_otel.flush()
    assert [span.name for span in usage_of(agentops_session.spans)] == ["chat gpt-4o"]


# ---- responses that are made in the background ----


async def test_background_work_is_counted_once(way, either, agentops_session, server):
    """Polling makes fetches; the first that shows the end also one call with usage, cost and answer, as its child."""
    server.then(Reply(llm_server.response("queued", background=True)))
    await _maybe(either.responses.create(extra_body={"background": True}, **INPUT))
    totals = agentops_otel.current_session().totals
    assert (totals.llm_calls, totals.unpriced_calls) == (1, 1)
    for status in ("queued", "in_progress"):
        server.then(Reply(llm_server.response(status, background=True)))
        assert (await fetch(either)).status == status
    for _ in range(3):
        server.then(reply(way, background=True, instructions="Be brief.", temperature=0.5))
        await fetch(either, way)
    totals = agentops_otel.current_session().totals
    assert (totals.llm_calls, totals.unpriced_calls, totals.usage.output_tokens) == (1, 0, 48)
    assert totals.cost > 0
    agentops_otel.flush()
    found = agentops_session.spans
    fetches = [span for span in found if span.name == "fetch_response"]
    assert len(fetches) == 5
    begun, ended = (span for span in found if span.name.startswith("chat"))
    assert begun.attributes[semconv.RESPONSE_STATUS] == "queued"
    assert usage_of(found) == [ended]
    assert ended.parent.span_id == fetches[2].context.span_id
    assert [link.context.span_id for link in ended.links] == [begun.context.span_id]
    assert fetches[2].start_time == ended.start_time <= ended.end_time <= fetches[2].end_time
    seen = ended.attributes
    assert seen[semconv.COST_AMOUNT] > 0
    assert seen[semconv.SPAN_KIND] == "llm"
    assert seen[semconv.REQUEST_TEMPERATURE] == 0.5
    assert seen[semconv.RESPONSE_FINISH_REASONS] == ("stop",)
    assert "Paris" in seen[semconv.OUTPUT_MESSAGES]
    assert "Be brief." in seen[semconv.SYSTEM_INSTRUCTIONS]


async def test_background_work_of_another_process(way, either, spans, server):
    """Who only fetches counts what says of itself that it was made in the background, and links to nothing."""
    for _ in range(2):
        server.then(reply(way, background=True))
        await fetch(either, way)
    found = spans()
    assert [span.name for span in found] == ["chat gpt-4o-2024-08-06", "fetch_response", "fetch_response"]
    assert not found[0].links


async def test_background_work_that_was_streamed_to_its_end(either, agentops_session, server):
    """The call has seen the end itself: a fetch finds nothing to count."""
    server.then(Reply(llm_server.response_events(llm_server.response(background=True))))
    await _read(await _maybe(either.responses.create(extra_body={"background": True}, stream=True, **INPUT)))
    server.then(Reply(llm_server.response(background=True)))
    await fetch(either)
    totals = agentops_otel.current_session().totals
    assert (totals.llm_calls, totals.usage.output_tokens) == (1, 48)


@pytest.mark.parametrize("background", [False, True])
async def test_a_stream_that_broke_off_and_is_fetched(background, either, agentops_session, server):
    """The usage that a broken stream has not shown is counted by the fetch that shows it."""
    events = [llm_server.response_events()[0]]
    events[0]["response"]["background"] = background
    server.then(Reply([*events, *llm_server.response_events()[1:]], cut=4))
    with pytest.raises(Exception) as broken:
        await _read(await _maybe(either.responses.create(extra_body={"background": background}, stream=True, **INPUT)))
    assert not isinstance(broken.value, TypeError)
    for _ in range(2):
        server.then(Reply(llm_server.response(background=background)))
        await fetch(either)
    totals = agentops_otel.current_session().totals
    assert (totals.llm_calls, totals.usage.output_tokens, totals.streams_without_usage) == (1, 48, 0)


@pytest.mark.parametrize(("status", "failed"), [("failed", True), ("cancelled", False), ("incomplete", False)])
async def test_background_work_that_ends_otherwise(status, failed, either, spans, server):
    """The span of the call says how it ended, and is as failed as the call is."""
    error = {"code": "server_error", "message": "no"} if failed else None
    server.then(Reply(llm_server.response("queued", background=True)))
    server.then(*[Reply(llm_server.response(status, background=True, error=error))] * 2)
    await _maybe(either.responses.create(extra_body={"background": True}, **INPUT))
    await fetch(either)
    await fetch(either)
    begun, ended, *fetches = spans()
    assert [span.name for span in fetches] == ["fetch_response", "fetch_response"]
    assert begun.status.status_code is StatusCode.UNSET
    assert (ended.status.status_code is StatusCode.ERROR) is failed
    assert ended.attributes[semconv.RESPONSE_ID] == "resp_1"


@pytest.mark.parametrize("fields", [{"id": None}, {"id": 3}, {"status": None}, {"status": 7}, {"background": "maybe"}])
async def test_odd_fields_count_nothing_twice(fields, either, spans, server):
    """What says neither its id nor its status cannot be counted by a fetch; the fetch stays a span."""
    server.then(*[Reply(llm_server.response(**{"background": True, **fields}))] * 2)
    await fetch(either)
    await fetch(either)
    assert [span.name for span in spans()] == ["fetch_response", "fetch_response"]


async def test_compaction_is_a_call(either, spans):
    """`responses.compact` is an LLM call with usage."""
    if not hasattr(either.responses, "compact"):
        pytest.skip("this release has no responses.compact")
    await _maybe(either.responses.compact(model="gpt-4o", input="a long talk"))
    span = spans.one()
    assert span.name == "chat gpt-4o"
    assert span.attributes[semconv.USAGE_OUTPUT_TOKENS] == 48
    assert json.loads(span.attributes[semconv.INPUT_MESSAGES])[0]["parts"][0]["content"] == "a long talk"
    assert json.loads(span.attributes[semconv.OUTPUT_MESSAGES])[0]["finish_reason"] == "stop"


# ---- what is remembered ----

CALL = SpanContext(1, 2, is_remote=False, trace_flags=TraceFlags(1))
STATUSES = st.sampled_from(["queued", "in_progress", "completed", "failed", "incomplete", "cancelled"])


def work(response_id, status, *, background):
    return Work(response_id, status, ended=status not in ("queued", "in_progress"), background=background, request={})


@given(
    begun=st.sampled_from(["queued", "in_progress", "completed", None]),
    background=st.booleans(),
    fetches=st.lists(STATUSES, max_size=12),
)
def test_a_response_is_counted_at_most_once(begun, background, fetches):
    """Whatever order of begin and fetches: counted once if an end was seen and nobody has counted it before."""
    _background.forget()
    if begun is not None:
        _background.note(work("r", begun, background=background), CALL)
    counted = [_background.ends(work("r", status, background=background)) is not None for status in fetches]
    shown = any(status not in ("queued", "in_progress") for status in fetches)
    expected = shown and begun != "completed" and (background or begun is not None)
    assert sum(counted) == int(expected)


def test_a_second_fetch_at_the_same_moment_leaves_the_link_to_the_first():
    """Of two threads that poll, the one that counts the answer links it to the call, whichever looks first."""
    _background.forget()
    _background.note(work("r", "queued", background=True), CALL)
    _background._counted["r"] = object()  # the first thread, before it takes the link
    assert _background.ends(work("r", "completed", background=True)) is None
    assert _background._begun["r"] is CALL


def test_few_responses_are_remembered(monkeypatch):
    """The memory of ids is bounded; the oldest go first."""
    monkeypatch.setattr(_background, "_MOST", 100)
    for number in range(1000):
        _background.note(work(f"a{number}", "queued", background=True), CALL)
        assert _background.ends(work(f"b{number}", "completed", background=True)) == ()
    assert len(_background._begun) <= 100
    assert len(_background._counted) <= 100
    assert _background.ends(work("b999", "completed", background=True)) is None
    assert [link.context for link in _background.ends(work("a999", "completed", background=False))] == [CALL]
