"""Pictures and sound of the `openai` package against a server on loopback: one call, one span, no picture in it."""

from __future__ import annotations

import base64
import gc
import inspect
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import openai
import pytest
from genai_prices import extract_usage
from opentelemetry.trace import SpanKind, StatusCode

from agentops_otel import pricing, semconv
from tests.fakes import llm_server
from tests.fakes.llm_server import Reply
from tests.sdks import answers_openai as answers
from tests.sdks.answers_openai import DRAWN, HEARD, MP3, PNG, reference
from tests.sdks.case import Case

pytestmark = pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning")  # translations and variations
RELEASE = tuple(map(int, openai.__version__.split(".")[:2]))
streams_transcripts = pytest.mark.skipif(RELEASE < (1, 68), reason="this release streams no transcriptions")
streams_images = pytest.mark.skipif(RELEASE < (1, 91), reason="this release streams no pictures")
EXAMPLE = Path(__file__).parents[2] / "examples" / "sdks" / "with_openai_media.py"
SRT = b"1\n00:00:00,000 --> 00:00:02,000\nGood morning\n"
DRAW = {"model": "gpt-image-1", "prompt": "A fox"}
HEAR = {"model": "gpt-4o-transcribe", "file": ("a.mp3", MP3)}
SPEAK = {"model": "gpt-4o-mini-tts", "voice": "alloy", "input": "Good morning"}


def _client(address):
    http = openai.DefaultHttpxClient(verify=False)  # loading certificates takes longer than most tests
    return openai.OpenAI(api_key="sk-test", base_url=f"{address}/v1", max_retries=0, http_client=http)


def _async_client(address):
    http = openai.DefaultAsyncHttpxClient(verify=False)  # as above
    return openai.AsyncOpenAI(api_key="sk-test", base_url=f"{address}/v1", max_retries=0, http_client=http)


async def _sound(answer):
    return (await answer).content


def _spoken(client):
    answer = client.audio.speech.create(**SPEAK)
    return _sound(answer) if inspect.isawaitable(answer) else answer.content


BOTH = {
    "provider": "openai",
    "client": _client,
    "async_client": _async_client,
    "refusal": llm_server.error("model_not_found"),
    "code": "model_not_found",
    "finishes": False,
}
DRAWING = {"stream": lambda client: client.images.generate(**DRAW, stream=True), "events": answers.image_events()}
HEARING = {
    "stream": lambda client: client.audio.transcriptions.create(**HEAR, stream=True),
    "events": answers.transcript_events(),
}
CASES = [
    Case(
        name="openai images",
        span="generate_content gpt-image-1",
        model="gpt-image-1",
        tokens=(50, 4160),
        call=lambda client: client.images.generate(**DRAW),
        answer=answers.images(),
        said="sha256",
        **(DRAWING if RELEASE >= (1, 91) else {}),
        **BOTH,
    ),
    Case(
        name="openai pictures changed",
        span="generate_content gpt-image-1",
        model="gpt-image-1",
        tokens=(50, 4160),
        call=lambda client: client.images.edit(**DRAW, image=("fox.png", PNG)),
        answer=answers.images(),
        said="sha256",
        **BOTH,
    ),
    Case(
        name="openai speech",
        span="generate_content gpt-4o-mini-tts",
        model="gpt-4o-mini-tts",
        tokens=(None, None),
        call=_spoken,
        answer=MP3,
        said="sha256",
        **BOTH,
    ),
    Case(
        name="openai transcription",
        span="generate_content gpt-4o-transcribe",
        model="gpt-4o-transcribe",
        tokens=(114, 31),
        call=lambda client: client.audio.transcriptions.create(**HEAR),
        answer={"text": "Good morning", "usage": HEARD},
        said="Good morning",
        **(HEARING if RELEASE >= (1, 68) else {}),
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


async def drained(stream):
    """All chunks of either kind of stream."""
    return list(stream) if isinstance(stream, Iterable) else [chunk async for chunk in stream]


def messages(span, name=semconv.OUTPUT_MESSAGES):
    """The only message of one direction: its role and its parts."""
    (message,) = json.loads(span.attributes[name])
    return message["role"], message["parts"]


def usage(span):
    """The tokens of a span, under short names."""
    prefix = "gen_ai.usage."
    return {
        name.removeprefix(prefix): value
        for name, value in span.attributes.items()
        if name.startswith(prefix) and name.endswith("tokens")
    }


# ---- pictures ----


async def test_pictures(server, either, spans):
    """A picture is a reference, its tokens are told apart by modality, and nothing of it is in the span."""
    server.then(Reply(answers.images()))
    answer = await got(either.images.generate(**DRAW, n=2, extra_body={"output_format": "png"}))
    assert base64.b64decode(answer.data[0].b64_json) == PNG
    span = spans.one()
    assert (span.name, span.kind) == ("generate_content gpt-image-1", SpanKind.CLIENT)
    attributes = dict(span.attributes)
    assert attributes[semconv.SPAN_KIND] == semconv.KIND_LLM
    assert attributes[semconv.OUTPUT_TYPE] == "image"
    assert attributes[semconv.REQUEST_CHOICE_COUNT] == 2
    assert attributes[semconv.REQUEST_ID] == "req_1"
    assert usage(span) == {
        "input_tokens": 50,
        "output_tokens": 4160,
        "text.input_tokens": 10,
        "image.input_tokens": 40,
        "image.output_tokens": 4160,
    }
    assert messages(span, semconv.INPUT_MESSAGES) == ("user", [{"type": "text", "content": "A fox"}])
    assert messages(span) == ("assistant", [reference(PNG, "image", "image/png")])
    assert len(server.requests) == 1


async def test_pictures_as_links(server, either, spans):
    """Models that answer with links say no tokens and have no cost; the prompt that they made is part of the answer."""
    data = [{"url": "https://pictures.example/1.png", "revised_prompt": "A red fox"}]
    server.then(Reply({"created": 1760000000, "data": data}))
    await got(either.images.generate(model="dall-e-3", prompt="A fox"))
    span = spans.one()
    link = {"type": "uri", "modality": "image", "uri": "https://pictures.example/1.png"}
    assert messages(span) == ("assistant", [link, {"type": "text", "content": "A red fox"}])
    assert usage(span) == {}
    assert pricing.span_cost(span.attributes) is None


async def test_changed_pictures(server, either, spans, tmp_path):
    """The pictures of a form are references with their names; what the server gets is what it got without us."""
    server.then(Reply(answers.images()), Reply(answers.images()))
    mask = io.BytesIO(PNG)
    mask.name = "mask.png"
    await got(either.images.edit(**DRAW, image=("fox.png", PNG, "image/png"), mask=mask))
    expected = [
        {"type": "text", "content": "A fox"},
        reference(PNG, "image", "image/png", filename="fox.png"),
        reference(PNG, "image", "image/png"),
    ]
    assert messages(spans.one(), semconv.INPUT_MESSAGES) == ("user", expected)
    assert server.requests[0].raw.count(PNG) == 2
    path = tmp_path / "fox.png"
    path.write_bytes(PNG)
    with path.open("rb") as opened:
        await got(either.images.create_variation(image=opened))
    part = {"type": "file", "modality": "image", "mime_type": None, "bytes": len(PNG), "filename": "fox.png"}
    assert messages(spans.one(), semconv.INPUT_MESSAGES) == ("user", [part])
    assert PNG in server.requests[1].raw


@streams_images
@pytest.mark.parametrize("kind", ["image_generation", "image_edit"])
async def test_streamed_pictures(kind, server, either, spans):
    """The last event has the picture and its tokens; those that are not complete are only counted."""
    server.then(Reply(answers.image_events(kind)))
    if kind == "image_edit":
        stream = await got(either.images.edit(**DRAW, image=PNG, stream=True, partial_images=1))
    else:
        stream = await got(either.images.generate(**DRAW, stream=True, partial_images=1))
    assert len(await drained(stream)) == 2
    span = spans.one()
    assert span.attributes[semconv.STREAM_CHUNKS] == 2
    assert span.attributes[semconv.STREAM_OUTCOME] == "completed"
    assert usage(span)["image.output_tokens"] == 4160
    assert messages(span) == ("assistant", [reference(PNG, "image", "image/png")])


@streams_images
def test_a_stream_of_pictures_that_is_left(server, client, spans):
    """One that is closed or dropped early has no output and no tokens of it."""
    server.then(Reply(answers.image_events(), hang=True), Reply(answers.image_events(), hang=True))
    stream = client.images.generate(**DRAW, stream=True)
    next(iter(stream))
    stream.close()
    span = spans.one()
    assert span.attributes[semconv.STREAM_OUTCOME] == "closed"
    assert usage(span) == {}
    assert semconv.OUTPUT_MESSAGES not in span.attributes
    stream = client.images.generate(**DRAW, stream=True)
    next(iter(stream))
    del stream
    gc.collect()
    assert spans.one().attributes[semconv.STREAM_OUTCOME] == "abandoned"


def test_a_refused_picture(server, client, spans):
    """The exception passes and the span has the provider's code."""
    server.then(Reply(llm_server.error("moderation_blocked"), status=400))
    with pytest.raises(openai.BadRequestError):
        client.images.generate(**DRAW)
    span = spans.one()
    assert span.attributes[semconv.ERROR_TYPE] == "moderation_blocked"
    assert span.status.status_code is StatusCode.ERROR


# ---- videos and decisions ----


@pytest.mark.filterwarnings("ignore:The Sora API:DeprecationWarning")
@pytest.mark.skipif(not hasattr(openai.OpenAI, "videos"), reason="this release has no videos")
async def test_videos(server, either, spans):
    """The request that begins a video is a call without tokens; to look how far it is, is none."""
    video = {"id": "video_1", "object": "video", "model": "sora-2", "status": "queued", "progress": 0, "seconds": "4"}
    server.then(Reply(video), Reply({**video, "status": "completed"}))
    await got(either.videos.create(model="sora-2", prompt="A fox", input_reference=("fox.png", PNG, "image/png")))
    await got(either.videos.retrieve("video_1"))
    span = spans.one()
    assert span.name == "generate_content sora-2"
    assert span.attributes[semconv.OUTPUT_TYPE] == "video"
    assert span.attributes[semconv.RESPONSE_ID] == "video_1"
    assert span.attributes[semconv.RESPONSE_STATUS] == "queued"
    parts = [{"type": "text", "content": "A fox"}, reference(PNG, "image", "image/png", filename="fox.png")]
    assert messages(span, semconv.INPUT_MESSAGES) == ("user", parts)
    assert usage(span) == {}


@pytest.mark.skipif(not hasattr(openai.OpenAI, "decisions"), reason="this release has no decisions")
async def test_decisions(server, either, spans):
    """A decision is a call with tokens, its questions a part of the input and its answers the output."""
    tokens = {
        "input_tokens": 57,
        "input_tokens_details": {"cached_tokens": 32, "cache_write_tokens": 0},
        "output_tokens": 4,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 61,
    }
    answer = {"type": "predicate", "name": "safe", "probability": 0.75}
    server.then(Reply({"model": "gpt-5", "answers": [answer], "usage": tokens}))
    question = {"type": "predicate", "name": "safe", "question": "Is it safe?"}
    await got(either.decisions.create(model="gpt-5", input="Sell the fox", questions=[question]))
    span = spans.one()
    assert span.name == "generate_content gpt-5"
    assert usage(span) == {"input_tokens": 57, "output_tokens": 4, "cache_read.input_tokens": 32}
    given = json.loads(span.attributes[semconv.INPUT_MESSAGES])
    assert [json.loads(part["content"]) for part in given[1]["parts"]] == [question]
    role, (part,) = messages(span)
    assert (role, json.loads(part["content"])) == ("assistant", answer)


# ---- speech ----


async def test_speech(server, either, spans):
    """The sound is measured, and the text that was spoken is the input."""
    server.then(Reply(MP3, headers={"content-type": "audio/mpeg"}))
    answer = await got(either.audio.speech.create(**SPEAK))
    assert answer.content == MP3
    span = spans.one()
    assert span.name == "generate_content gpt-4o-mini-tts"
    assert span.attributes[semconv.OUTPUT_TYPE] == "speech"
    assert messages(span, semconv.INPUT_MESSAGES) == ("user", [{"type": "text", "content": "Good morning"}])
    assert messages(span) == ("assistant", [reference(MP3, "audio", "audio/mpeg")])
    assert usage(span) == {}
    assert span.status.status_code is StatusCode.UNSET


def test_speech_that_is_streamed_to_a_file(server, client, spans, tmp_path):
    """A response that is read piece by piece is measured at its end."""
    server.then(Reply(MP3))
    with client.audio.speech.with_streaming_response.create(**SPEAK) as response:
        response.stream_to_file(tmp_path / "speech.mp3")
    assert (tmp_path / "speech.mp3").read_bytes() == MP3
    assert messages(spans.one()) == ("assistant", [reference(MP3, "audio", "audio/mpeg")])


def test_speech_in_events(server, client, spans):
    """The last event has the tokens, which have a price."""
    pieces = [{"type": "speech.audio.delta", "audio": base64.b64encode(part).decode()} for part in (MP3[:99], MP3[99:])]
    tokens = {"input_tokens": 14, "output_tokens": 101, "total_tokens": 115}
    server.then(Reply([*pieces, {"type": "speech.audio.done", "usage": tokens}]))
    with client.audio.speech.with_streaming_response.create(**SPEAK, extra_body={"stream_format": "sse"}) as response:
        assert b"speech.audio.done" in response.read()
    span = spans.one()
    assert usage(span) == {"input_tokens": 14, "output_tokens": 101}
    assert messages(span) == ("assistant", [reference(MP3, "audio", "audio/mpeg")])
    assert pricing.span_cost(span.attributes).amount == pytest.approx((14 * 0.6 + 101 * 12) / 1e6, abs=0)


# ---- transcriptions ----


async def test_transcription(server, either, spans):
    """The sound is a reference, the text the answer, and the tokens are told apart by modality."""
    server.then(Reply({"text": "Good morning", "usage": HEARD}))
    sound = ("speech.mp3", io.BytesIO(MP3), "audio/mpeg")
    answer = await got(
        either.audio.transcriptions.create(model="gpt-4o-transcribe", file=sound, prompt="Greetings", temperature=0.2)
    )
    assert answer.text == "Good morning"
    span = spans.one()
    assert span.name == "generate_content gpt-4o-transcribe"
    assert span.attributes[semconv.OUTPUT_TYPE] == "text"
    assert span.attributes[semconv.REQUEST_TEMPERATURE] == 0.2
    parts = [reference(MP3, "audio", "audio/mpeg", filename="speech.mp3"), {"type": "text", "content": "Greetings"}]
    assert messages(span, semconv.INPUT_MESSAGES) == ("user", parts)
    assert messages(span) == ("assistant", [{"type": "text", "content": "Good morning"}])
    assert usage(span) == {"input_tokens": 114, "output_tokens": 31, "text.input_tokens": 14, "audio.input_tokens": 100}
    assert MP3 in server.requests[0].raw


@pytest.mark.parametrize("kind", ["transcriptions", "translations"])
@pytest.mark.parametrize(
    ("form", "body", "seconds"),
    [
        ("json", {"text": "Good morning", "usage": {"type": "duration", "seconds": 3}}, 3),
        ("verbose_json", {"text": "Good morning", "duration": 2.5, "language": "english", "segments": []}, 2.5),
        ("text", b"Good morning", None),
        ("srt", SRT, None),
        ("vtt", b"WEBVTT\n\nGood morning", None),
    ],
)
async def test_forms_of_transcriptions(kind, form, body, seconds, server, either, spans):
    """Each form is the caller's as without us, and its text is recorded; what is paid by its length has no tokens."""
    server.then(Reply(body))
    answer = await got(getattr(either.audio, kind).create(model="whisper-1", file=("a.mp3", MP3), response_format=form))
    text = body.decode() if isinstance(body, bytes) else body["text"]
    assert (answer if isinstance(answer, str) else answer.text) == text
    span = spans.one()
    assert span.name == "generate_content whisper-1"
    assert messages(span) == ("assistant", [{"type": "text", "content": text}])
    assert span.attributes.get(semconv.USAGE_AUDIO_SECONDS) == seconds
    assert usage(span) == {}
    assert span.status.status_code is StatusCode.UNSET


@streams_transcripts
async def test_streamed_transcription(server, either, spans):
    """The last event has the text and the tokens."""
    server.then(Reply(answers.transcript_events()))
    stream = await got(either.audio.transcriptions.create(model="gpt-4o-transcribe", file=("a.mp3", MP3), stream=True))
    assert [event.type for event in await drained(stream)][-1] == "transcript.text.done"
    span = spans.one()
    assert span.attributes[semconv.REQUEST_STREAM] is True
    assert span.attributes[semconv.STREAM_CHUNKS] == 3
    assert usage(span)["audio.input_tokens"] == 100
    assert messages(span) == ("assistant", [{"type": "text", "content": "Good morning"}])


@streams_transcripts
def test_a_transcription_that_breaks_off(server, client, spans):
    """What came is kept, without the tokens that only the end would have said."""
    server.then(Reply(answers.transcript_events(), cut=1))
    stream = client.audio.transcriptions.create(model="gpt-4o-transcribe", file=("a.mp3", MP3), stream=True)
    with pytest.raises(Exception, match=r".*"):
        list(stream)
    span = spans.one()
    assert span.attributes[semconv.STREAM_OUTCOME] == "failed"
    assert messages(span) == ("assistant", [{"type": "text", "content": "Good "}])
    assert usage(span) == {}


def test_raw_access(server, client, spans):
    """A raw response is recorded when it is parsed, and its headers are the caller's."""
    server.then(Reply(answers.images()), Reply({"text": "Hi", "usage": HEARD}))
    raw = client.images.with_raw_response.generate(**DRAW)
    assert raw.headers["x-request-id"] == "req_1"
    assert len(raw.parse().data) == 1
    assert usage(spans.one())["output_tokens"] == 4160
    raw = client.audio.transcriptions.with_raw_response.create(model="gpt-4o-transcribe", file=("a.mp3", MP3))
    assert raw.parse().text == "Hi"
    assert usage(spans.one())["audio.input_tokens"] == 100


def test_no_content(server, client, record, provider):
    """With content off there is nothing of what was said, drawn or spoken, and the tokens are there."""
    record(capture_content="off")
    server.then(Reply(answers.images()), Reply({"text": "Good morning", "usage": HEARD}), Reply(MP3))
    client.images.edit(**DRAW, image=("fox.png", PNG))
    client.audio.transcriptions.create(model="gpt-4o-transcribe", file=("secret.mp3", MP3))
    client.audio.speech.create(**SPEAK)
    for span in provider.capture.spans:
        text = str(dict(span.attributes))
        assert not {word for word in ("fox", "secret", "morning", "sha256") if word in text}
    assert usage(provider.capture.spans[0])["output_tokens"] == 4160


def test_azure(server, spans):
    """A deployment in the path is found again for pictures and for forms."""
    client = openai.AzureOpenAI(
        api_key="none",
        api_version="2025-04-01-preview",
        azure_endpoint=f"http://127.0.0.1:{server.port}",
        max_retries=0,
    )
    server.then(Reply(answers.images()), Reply({"text": "Hi", "usage": HEARD}))
    client.images.generate(model="my-pictures", prompt="A fox")
    client.audio.transcriptions.create(model="my-ears", file=("a.mp3", MP3))
    found = spans()
    assert [span.name for span in found] == ["generate_content my-pictures", "generate_content my-ears"]
    assert {span.attributes[semconv.PROVIDER_NAME] for span in found} == {"azure.ai.openai"}


def test_the_example(server, tmp_path):
    """The example records a picture, speech and a transcription in one session."""
    pytest.importorskip("google.rpc", reason="the fake backend needs it")
    from tests.fakes.fault_server import FaultServer

    server.then(Reply(answers.images()), Reply(MP3), Reply({"text": "A fox in the snow", "usage": HEARD}))
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "AGENTOPS_", "PYTHONWARN"))
    }
    with FaultServer() as backend:
        done = subprocess.run(
            [sys.executable, str(EXAMPLE)],
            env={
                **clean,
                "OPENAI_API_KEY": "sk-test",
                "OPENAI_BASE_URL": server.url,
                "OTEL_EXPORTER_OTLP_ENDPOINT": backend.url,
            },
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert (done.returncode, done.stdout) == (0, "1 picture\nA fox in the snow\n"), done.stderr
        assert sorted(span.name for span in backend.spans()) == [
            "generate_content gpt-4o-mini-tts",
            "generate_content gpt-4o-transcribe",
            "generate_content gpt-image-1",
            "session",
        ]


# ---- prices ----

PRICES = {
    "drawn, its output told apart": (
        "gpt-image-1.5",
        {**DRAWN, "output_tokens_details": {"text_tokens": 60, "image_tokens": 4100}},
        (10 * 5 + 40 * 8 + 60 * 10 + 4100 * 32) / 1e6,
    ),
    "drawn": ("gpt-image-1", DRAWN, (10 * 5 + 40 * 10 + 4160 * 40) / 1e6),
    "drawn, all of its output a picture": ("gpt-image-1.5", DRAWN, (10 * 5 + 40 * 8 + 4160 * 32) / 1e6),
    "drawn from words alone": (
        "gpt-image-1-mini",
        {"input_tokens": 9, "output_tokens": 272, "input_tokens_details": {"text_tokens": 9, "image_tokens": 0}},
        (9 * 2 + 272 * 8) / 1e6,
    ),
}


@pytest.mark.parametrize("name", PRICES)
def test_what_pictures_cost(name, server, client, spans):
    """Tokens by modality have their own prices, to the last digit, and the table reads the same answer alike."""
    model, tokens, amount = PRICES[name]
    server.then(Reply(answers.images(usage=tokens)))
    client.images.generate(model=model, prompt="A fox")
    span = spans.one()
    assert pricing.span_cost(span.attributes).amount == pytest.approx(amount, rel=1e-12)
    if "output_tokens_details" in tokens or model != "gpt-image-1.5":  # else the table takes the picture for text
        read = extract_usage({"model": model, "usage": tokens}, provider_id="openai", api_flavor="images")
        assert float(read.calc_price().total_price) == pytest.approx(amount, rel=1e-12)


def test_a_picture_that_two_models_have_drawn(server, client, spans):
    """There is no cost where a part of the work has another price, which the answer does not say."""
    author = {"model": "gpt-5", "input_tokens": 5, "output_tokens": 7, "reasoning_tokens": 0, "total_tokens": 12}
    server.then(Reply(answers.images(svg_usage=author)))
    client.images.generate(**DRAW)
    assert pricing.span_cost(spans.one().attributes) is None


@pytest.mark.parametrize(
    ("model", "amount"),
    [
        ("gpt-4o-transcribe", (14 * 2.5 + 100 * 6 + 31 * 10) / 1e6),
        ("gpt-4o-mini-transcribe", (14 * 1.25 + 100 * 3 + 31 * 5) / 1e6),
    ],
)
def test_what_transcriptions_cost(model, amount, server, client, spans):
    """Sound has a price of its own among the tokens of the input."""
    server.then(Reply({"text": "Hi", "usage": HEARD}))
    client.audio.transcriptions.create(model=model, file=("a.mp3", MP3))
    assert pricing.span_cost(spans.one().attributes).amount == pytest.approx(amount, rel=1e-12)


@pytest.mark.parametrize(
    ("model", "seconds", "amount"),
    [("whisper-1", 90, 0.009), ("whisper-1", 2.5, 0.00025), ("gpt-4o-transcribe", 90, None), ("whisper-9", 90, None)],
)
def test_what_the_length_of_sound_costs(model, seconds, amount, server, client, spans):
    """What is paid by the length alone is priced by it; a model that the table prices by tokens has no cost then."""
    server.then(Reply({"text": "Hi", "usage": {"type": "duration", "seconds": seconds}}))
    client.audio.transcriptions.create(model=model, file=("a.mp3", MP3))
    cost = pricing.span_cost(spans.one().attributes)
    assert (cost and cost.amount) == (amount and pytest.approx(amount, rel=1e-12))
