"""Sound: speech that is made from text, and the text of speech. OpenAI's endpoints, which Groq has too.

Sound is only measured. A transcription is paid by its tokens or by the length of the sound, and says which.
"""

from __future__ import annotations

import binascii
import math
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from ... import semconv
from .._content import Content, Message, Part, fields
from .._endpoint import Attributes, Endpoint, Failure
from . import form
from .answer import failure, head
from .event_fold import EventFold
from .parts import message_parts
from .request import parameters

_ENDS: Final = "transcript.text.done"

# ---- speech ----


def speech_request(_body: Mapping[str, Any], attributes: Attributes) -> None:
    """What is asked for."""
    attributes[semconv.OUTPUT_TYPE] = "speech"


def speech_prompt(body: Mapping[str, Any], content: Content, attributes: Attributes) -> None:
    """The text to speak, and how it is to be spoken."""
    instructions = message_parts(body.get("instructions"), content)
    if instructions:
        attributes[semconv.SYSTEM_INSTRUCTIONS] = content.complete(instructions)
    text = message_parts(body.get("input"), content)
    if text:
        attributes[semconv.INPUT_MESSAGES] = content.complete([content.message("user", text)])


def speech_document(body: bytes) -> Any:
    """Sound as it is, or put together from the events that it came in; JSON is the answer of a host that failed."""
    if body.startswith((b"data:", b"event:")):
        return _spoken(body)
    if body.startswith(b"{"):
        try:
            return msgspec.json.decode(body)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            pass
    return {"audio": body}


def speech_response(value: Any, attributes: Attributes) -> Failure | None:
    """What is said besides the sound."""
    said = fields(value)
    head(said, attributes)
    error = failure(value, said, "audio")
    return None if "audio" in said and not said.get("error") else error


def speech_output(value: Any, content: Content) -> list[Message]:
    """The message of the sound that was made."""
    sound = fields(value).get("audio")
    if not isinstance(sound, bytes):
        return []
    return content.complete([content.message("assistant", [content.binary("audio", None, sound)], "stop")])


def _spoken(body: bytes) -> Mapping[str, Any]:
    """The sound of server-sent events, and the usage that the last one has."""
    answer: dict[str, Any] = {}
    sound: list[bytes] = []
    for line in body.splitlines():
        event = _event(line[5:]) if line.startswith(b"data:") else {}
        if isinstance(event.get("audio"), str):
            try:
                sound.append(binascii.a2b_base64(event["audio"].encode()))
            except ValueError:
                continue
        elif event:
            answer.update({name: event[name] for name in ("usage", "error") if event.get(name)})
    return {**answer, "audio": b"".join(sound)}


def _event(data: bytes) -> Mapping[str, Any]:
    try:
        return fields(msgspec.json.decode(data))
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return {}


# ---- transcriptions and translations ----


def transcript_request(body: Mapping[str, Any], attributes: Attributes) -> None:
    """What is asked for, and the settings."""
    attributes[semconv.OUTPUT_TYPE] = "text"
    parameters(body, attributes)


def transcript_prompt(body: Mapping[str, Any], content: Content, attributes: Attributes) -> None:
    """The sound, and the text that helps to understand it."""
    parts: list[Part] = form.file_parts(body, "audio", content)
    if isinstance(body.get("url"), str):  # Groq
        parts.append(content.media("audio", body["url"]))
    parts += message_parts(body.get("prompt"), content)
    if parts:
        attributes[semconv.INPUT_MESSAGES] = content.complete([content.message("user", parts)])


def transcript_document(body: bytes) -> Any:
    """The answer; one that is no JSON object is the text itself, also where it looks like other JSON."""
    if body.lstrip()[:1] == b"{":
        try:
            return msgspec.json.decode(body)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            pass
    return {"text": body.decode("utf-8", "replace")}


def transcript_response(value: Any, attributes: Attributes) -> Failure | None:
    """What is said besides the text: tokens, or how long the sound is."""
    said = {"text": value} if isinstance(value, str) else fields(value)
    head(said, attributes)
    seconds = _seconds(fields(said.get("usage")).get("seconds") if said.get("usage") else said.get("duration"))
    if seconds is not None:
        attributes[semconv.USAGE_AUDIO_SECONDS] = seconds
    error = failure(value, said, "text")
    return None if isinstance(said.get("text"), str) and not said.get("error") else error


def transcript_output(value: Any, content: Content) -> list[Message]:
    """The message of the text; of one that was not heard to its end, the part that came."""
    said = {"text": value} if isinstance(value, str) else fields(value)
    text = said.get("text")
    if not text:
        return []
    finish = "error" if said.get("partial") else "stop"
    return content.complete([content.message("assistant", message_parts(text, content), finish)])


class TranscriptFold(EventFold):
    """The events of one transcription."""

    __slots__ = ("_error", "_last", "_pieces")

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[str] = []
        self._last: Mapping[str, Any] = {}
        self._error: Any = None

    def add(self, chunk: Any) -> None:
        """Take in one event."""
        event = fields(chunk)
        kind = event.get("type")
        if kind == "transcript.text.delta" and isinstance(event.get("delta"), str):
            self._pieces.append(event["delta"])
        elif kind == _ENDS:
            self._last = event
            self.done = True
        elif kind == "error" or event.get("error"):
            self._error = event.get("error") or {"code": event.get("code"), "message": event.get("message")}

    def response(self) -> Mapping[str, Any]:
        """The answer so far."""
        answer: dict[str, Any] = {"partial": not self.done}
        text = self._last.get("text") or "".join(self._pieces)
        if text or self.done:
            answer["text"] = text
        if self._error is not None:
            answer["error"] = self._error
        return {**answer, "usage": self._last.get("usage")}


def _seconds(value: Any) -> float | None:
    """How long the sound is; hosts say it as a number or in digits."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        seconds = float(value)
    except (ValueError, OverflowError):
        return None
    return seconds if 0 <= seconds < math.inf else None


SPEECH: Final = Endpoint(
    semconv.OPERATION_GENERATE_CONTENT,
    speech_request,
    speech_prompt,
    speech_response,
    speech_output,
    document=speech_document,
)
TRANSCRIPT: Final = Endpoint(
    semconv.OPERATION_GENERATE_CONTENT,
    transcript_request,
    transcript_prompt,
    transcript_response,
    transcript_output,
    TranscriptFold,
    body=form.body,
    document=transcript_document,
)
