"""Readers of sound: what is measured of speech, what is written of transcriptions, and odd answers."""

from __future__ import annotations

import base64
import hashlib
import io
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentops_otel import semconv
from agentops_otel.instrumentation._content import Content
from agentops_otel.instrumentation._endpoint import NOT_AN_ANSWER
from agentops_otel.instrumentation.readers.audio import SPEECH, TRANSCRIPT, TranscriptFold
from agentops_otel.instrumentation.readers.form import FILES, file_parts

ANY = settings(max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck))
ODD = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 10**6) | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)
MP3 = b"ID3" + bytes(range(256))
DIGEST = hashlib.sha256(MP3).hexdigest()
SOUND = {
    "type": "file",
    "modality": "audio",
    "mime_type": "audio/mpeg",
    "file_id": f"sha256:{DIGEST}",
    "bytes": 259,
    "sha256": DIGEST,
}
TOKENS = {
    "type": "tokens",
    "input_tokens": 14,
    "input_token_details": {"text_tokens": 4, "audio_tokens": 10},
    "output_tokens": 101,
    "total_tokens": 115,
}
DELTAS = [{"type": "transcript.text.delta", "delta": piece} for piece in ("Good ", "morning")]
DONE = {"type": "transcript.text.done", "text": "Good morning", "usage": TOKENS}


def read(endpoint, answer):
    """The attributes and the failure of an answer."""
    attributes = {}
    return attributes, endpoint.response(answer, attributes)


def said(endpoint, answer):
    """The parts of the only message of an answer, and why it ended."""
    (message,) = endpoint.output(answer, Content(4096))
    return message["parts"], message["finish_reason"]


def test_speech_is_measured():
    """Of sound there is the type, the size and a digest."""
    answer = SPEECH.document(MP3)
    assert read(SPEECH, answer) == ({}, None)
    assert said(SPEECH, answer) == ([SOUND], "stop")


def test_speech_that_came_in_events():
    """The pieces are put together, and the last event has the tokens."""
    events = [
        {"type": "speech.audio.delta", "audio": base64.b64encode(piece).decode()} for piece in (MP3[:100], MP3[100:])
    ]
    usage = {"input_tokens": 14, "output_tokens": 101, "total_tokens": 115}
    events += [{"type": "speech.audio.done", "usage": usage}]
    body = b"".join(b"event: x\ndata: " + json.dumps(event).encode() + b"\n\n" for event in events)
    answer = SPEECH.document(body)
    attributes, failed = read(SPEECH, answer)
    assert (attributes, failed) == ({semconv.USAGE_INPUT_TOKENS: 14, semconv.USAGE_OUTPUT_TOKENS: 101}, None)
    assert said(SPEECH, answer) == ([SOUND], "stop")


def test_a_failure_in_the_place_of_speech():
    """An error with status 200 is a failure; sound that begins like JSON is sound."""
    _, failed = read(SPEECH, SPEECH.document(b'{"error": {"code": "overloaded", "message": "later"}}'))
    assert failed == ("overloaded", "later")
    assert read(SPEECH, SPEECH.document(b"{\x00\x01")) == ({}, None)
    assert read(SPEECH, SPEECH.document(b'{"a": 1}'))[1][0] == NOT_AN_ANSWER


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(
            {"text": "Hi", "usage": TOKENS},
            {
                semconv.USAGE_INPUT_TOKENS: 14,
                semconv.USAGE_OUTPUT_TOKENS: 101,
                semconv.USAGE_INPUT_TEXT_TOKENS: 4,
                semconv.USAGE_INPUT_AUDIO_TOKENS: 10,
            },
            id="tokens",
        ),
        pytest.param(
            {"text": "Hi", "usage": {"type": "duration", "seconds": 9}}, {semconv.USAGE_AUDIO_SECONDS: 9.0}, id="length"
        ),
        pytest.param(
            {"text": "Hi", "duration": "8.5", "language": "english"}, {semconv.USAGE_AUDIO_SECONDS: 8.5}, id="verbose"
        ),
        pytest.param(
            {"text": "Hi", "duration": 8.5, "usage": {"type": "duration", "seconds": 9}},
            {semconv.USAGE_AUDIO_SECONDS: 9.0},
            id="what is paid",
        ),
        pytest.param({"text": ""}, {}, id="silence"),
        pytest.param("1\n00:00:00,000 --> 00:00:02,000\nHi\n", {}, id="subtitles"),
    ],
)
def test_what_a_transcription_costs(answer, expected):
    """Tokens where it is paid by tokens, seconds where it is paid by its length, neither where nothing is said."""
    assert read(TRANSCRIPT, answer) == (expected, None)


@pytest.mark.parametrize("text", ["Hello", "42", '"quoted"', "null", "[1]", "{not json"])
def test_a_transcription_that_is_plain_text(text):
    """An answer that is no JSON object is the text itself."""
    answer = TRANSCRIPT.document(text.encode())
    assert read(TRANSCRIPT, answer)[1] is None
    assert said(TRANSCRIPT, answer) == ([{"type": "text", "content": text}], "stop")


def test_what_a_transcription_was_asked_for():
    """The sound as a reference and the prompt beside it, with the settings."""
    attributes, messages = {}, {}
    body = {"model": "whisper-1", "temperature": 0.2, "prompt": "Names: Ada", FILES: (("file", ("a.mp3", MP3)),)}
    TRANSCRIPT.request(body, attributes)
    TRANSCRIPT.prompt(body, Content(4096), messages)
    assert attributes == {semconv.OUTPUT_TYPE: "text", semconv.REQUEST_TEMPERATURE: 0.2}
    parts = [{**SOUND, "filename": "a.mp3"}, {"type": "text", "content": "Names: Ada"}]
    assert messages[semconv.INPUT_MESSAGES] == [{"role": "user", "parts": parts}]


def test_a_transcription_in_events():
    """The last event has the whole; of one that broke off there is what came, and no tokens."""
    fold = TranscriptFold()
    fold.extend([*DELTAS, DONE])
    assert fold.done
    assert read(TRANSCRIPT, fold.response())[0][semconv.USAGE_OUTPUT_TOKENS] == 101
    assert said(TRANSCRIPT, fold.response()) == ([{"type": "text", "content": "Good morning"}], "stop")
    broken = TranscriptFold()
    broken.extend(DELTAS[:1])
    assert read(TRANSCRIPT, broken.response()) == ({}, None)
    assert said(TRANSCRIPT, broken.response()) == ([{"type": "text", "content": "Good "}], "error")


def test_an_error_among_the_events():
    """An error in a stream is the failure of the call, whatever came before."""
    fold = TranscriptFold()
    fold.extend([DELTAS[0], {"type": "error", "error": {"code": "server_error", "message": "broken"}}])
    assert read(TRANSCRIPT, fold.response())[1] == ("server_error", "broken")


def test_files_of_a_form(tmp_path):
    """Bytes have a digest; of an open file name and size are known and nothing is read."""
    path = tmp_path / "speech.mp3"
    path.write_bytes(MP3)

    class Odd(io.BytesIO):
        def __getattribute__(self, name):
            if name != "__class__":
                raise AssertionError(name)
            return Odd

    with path.open("rb") as opened:
        forms = [MP3, io.BytesIO(MP3), ("b.mp3", MP3, "audio/mp3", {}), opened, ("c.mp3", opened), Odd(), None, ()]
        parts = file_parts({FILES: tuple(("file", form) for form in forms)}, "audio", Content(4096))
        assert opened.tell() == 0
    measured = {"type": "file", "modality": "audio", "mime_type": None, "bytes": 259}
    nothing = {"type": "file", "modality": "audio", "mime_type": None}
    assert parts == [
        SOUND,
        SOUND,
        {**SOUND, "mime_type": "audio/mp3", "filename": "b.mp3"},
        {**measured, "filename": "speech.mp3"},
        {**measured, "filename": "c.mp3"},
        nothing,
        nothing,
        nothing,
    ]


def paths(value, here=()):
    """The places of all fields of an answer."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inside:
        yield (*here, key)
        yield from paths(item, (*here, key))


def replaced(value, path, odd):
    """A copy with another value in one place."""
    value = json.loads(json.dumps(value))
    holder = value
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = odd
    return value


@ANY
@given(st.sampled_from(list(paths([{"text": "Hi", "usage": TOKENS}, *DELTAS, DONE]))), ODD)
def test_odd_fields(path, odd):
    """Any JSON in the place of any field raises nothing, and what is written is text and numbers."""
    answer, *events = replaced([{"text": "Hi", "usage": TOKENS}, *DELTAS, DONE], path, odd)
    fold = TranscriptFold()
    fold.extend(events)
    for found in (answer, fold.response(), odd):
        for endpoint in (SPEECH, TRANSCRIPT):
            attributes, _ = read(endpoint, found)
            assert all(isinstance(value, (str, int, float)) for value in attributes.values())
            endpoint.output(found, Content(4096))
            endpoint.prompt({"input": odd, "instructions": odd, "prompt": odd, "url": odd, FILES: odd}, Content(9), {})
