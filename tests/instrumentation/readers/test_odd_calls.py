"""Any JSON in any place of what OpenAI's other endpoints say: no reader fails, and the other fields stay."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentops_otel import guard, semconv
from agentops_otel.instrumentation._content import Content
from agentops_otel.instrumentation._endpoint import Heard
from agentops_otel.instrumentation._openai_calls import RESPONSES
from agentops_otel.instrumentation.readers.audio import SPEECH, TRANSCRIPT
from agentops_otel.instrumentation.readers.batches import BATCHES
from agentops_otel.instrumentation.readers.decisions import DECISIONS
from agentops_otel.instrumentation.readers.images import IMAGES
from agentops_otel.instrumentation.readers.moderation import MODERATION
from agentops_otel.instrumentation.readers.realtime import REALTIME
from agentops_otel.instrumentation.readers.retrieval import VECTOR_STORE
from agentops_otel.instrumentation.readers.runs import RUNS
from agentops_otel.instrumentation.readers.talk import RealtimeTalk, ResponsesTalk
from agentops_otel.instrumentation.readers.videos import VIDEOS
from tests.fakes.odd_json import ODD, paths, replaced
from tests.sdks import answers_openai as answers

ANY = settings(max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck))
CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
WAITS = {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": [CALL]}}
SAID = {"role": "user", "content": [{"type": "text", "text": "Hello"}]}
REQUESTS = [
    {"model": "m", "prompt": "A fox", "n": 2, "image": [{"image_url": "https://x.example/1.png"}], "mask": "data:,x"},
    {"model": "m", "input": "Hello", "instructions": "Softly", "prompt": "Names", "temperature": 0.1},
    {"input": [{"type": "text", "text": "Hello"}], "endpoint": "/v1", "input_file_id": "f", "completion_window": "24h"},
    {"model": "m", "input": [SAID], "questions": [{"type": "predicate", "text": "Safe?"}]},
    {"query": ["refunds"], "max_num_results": 4, "vector_store_id": "vs_1"},
    {
        "assistant_id": "a",
        "thread_id": "t",
        "thread": {"messages": [SAID]},
        "additional_messages": [SAID],
        "tools": [CALL],
    },
]
MESSAGE = {"object": "thread.message", "id": "m", "role": "assistant", "content": [{"text": {"value": "Paris"}}]}
ANSWERS = [
    answers.images(svg_usage={"input_tokens": 1}),
    answers.moderation(),
    {"model": "m", "answers": [{"type": "predicate", "probability": 0.5}], "usage": answers.DRAWN},
    {"id": "video_1", "object": "video", "status": "queued", "model": "sora-2"},
    answers.batch(),
    answers.found(),
    answers.run("failed", last_error={"code": "x", "message": "y"}),
    {**answers.run("requires_action", required_action=WAITS, usage=answers.RUN), "messages": [MESSAGE]},
    {
        "id": "resp_1",
        "status": "failed",
        "status_details": {"error": {"code": "x"}},
        "output": [],
        "usage": answers.TALKED,
    },
    {
        "id": "resp_1",
        "status": "completed",
        "output": [{"type": "message", "role": "assistant", "content": [{"type": "output_audio", "transcript": "Hi"}]}],
        "usage": answers.TALKED,
    },
]
STREAMS = {
    IMAGES: answers.image_events(),
    RUNS: [
        event if isinstance(event, str) else {"event": event[0], "data": event[1]} for event in answers.run_events()
    ],
}
ITEM = {"id": "item_1", "type": "message", "role": "user", "content": [{"type": "input_audio", "audio": "UklG"}]}
EAR = {"input": {"transcription": {"model": "whisper-1"}}}
SESSION = {
    "id": "sess_1",
    "audio": EAR,
    "model": "m",
    "instructions": "Be kind",
    "output_modalities": ["audio"],
    "tools": [CALL],
}
TALK = [
    ("received", {"type": "session.created", "session": SESSION}),
    ("received", {"type": "conversation.item.added", "item": ITEM}),
    (
        "received",
        {
            "type": "conversation.item.input_audio_transcription.completed",
            "item_id": "item_1",
            "transcript": "A",
            "usage": {"seconds": 2},
        },
    ),
    ("sent", {"type": "response.create", "event_id": "e", "response": {"input": [ITEM], "max_output_tokens": 5}}),
    ("begins", {"type": "response.created", "response": {"id": "resp_1"}}),
    ("sent", {"type": "response.create", "event_id": "f", "model": "m", "input": "Hello"}),
    ("refused", {"type": "error", "error": {"code": "x", "event_id": "f"}}),
]
ENDPOINTS = [IMAGES, SPEECH, TRANSCRIPT, MODERATION, BATCHES, VECTOR_STORE, RUNS, REALTIME, VIDEOS, DECISIONS]


def written(endpoint, answer):
    """What the readers write of an answer; all of it is what an attribute may be, or JSON."""
    attributes = {}
    endpoint.response(answer, attributes)
    for value in attributes.values():
        assert isinstance(value, (str, int, float, tuple))
    json.dumps(endpoint.output(answer, Content(4096)))
    return attributes


@pytest.fixture(autouse=True)
def internal_errors_raise(monkeypatch):
    monkeypatch.setattr(guard, "reraise", True)


@ANY
@given(st.sampled_from([(request, path) for request in REQUESTS for path in paths(request)]), ODD)
def test_odd_requests(place, odd):
    """A request with any JSON in the place of a field is read."""
    request, path = place
    body = replaced(request, path, odd)
    for endpoint in ENDPOINTS:
        if endpoint is VECTOR_STORE and "vector_store_id" not in body:
            continue
        attributes, messages = {}, {}
        endpoint.request(body, attributes)
        endpoint.prompt(body, Content(4096), messages)
        json.dumps([list(attributes.values()), messages])


@ANY
@given(st.sampled_from([(answer, path) for answer in ANSWERS for path in paths(answer)]), ODD)
def test_odd_answers(place, odd):
    """An answer with any JSON in the place of a field is read, its tokens too when it is not these that are odd."""
    answer, path = place
    found = replaced(answer, path, odd)
    for endpoint in ENDPOINTS:
        usual, seen = written(endpoint, answer), written(endpoint, found)
        if "usage" not in path and "svg_usage" not in path:
            assert seen.get(semconv.USAGE_INPUT_TOKENS) == usual.get(semconv.USAGE_INPUT_TOKENS)
        written(endpoint, odd)


@ANY
@given(
    st.sampled_from([(endpoint, path) for endpoint, events in STREAMS.items() for path in paths(events)]),
    ODD,
    st.lists(ODD, max_size=3),
)
def test_odd_streams(place, odd, more):
    """A stream with any JSON in the place of a field, or between its events, is read to its end."""
    endpoint, path = place
    fold = endpoint.fold()
    fold.extend([*more, *replaced(STREAMS[endpoint], path, odd), *more])
    written(endpoint, fold.response())


@ANY
@given(st.sampled_from(list(paths([event for _, event in TALK]))), ODD)
def test_odd_talks(path, odd):
    """Any JSON in the place of any field of what was said over a connection costs nothing but itself."""
    events = replaced([event for _, event in TALK], path, odd)
    for talk, endpoint in ((RealtimeTalk("m"), REALTIME), (ResponsesTalk("m"), RESPONSES)):
        bodies = []
        for (name, _), event in zip(TALK, events, strict=True):
            said = getattr(talk, name)(event if isinstance(event, dict) else {})
            if isinstance(said, Heard):
                written(said.endpoint, said.answer)
            else:
                bodies += [said[0] if isinstance(said, tuple) else said]
        for body in bodies:
            if body is not None:
                attributes, messages = {}, {}
                endpoint.request(body, attributes)
                endpoint.prompt(body, Content(4096), messages)
