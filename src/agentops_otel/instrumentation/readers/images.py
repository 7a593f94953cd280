"""Pictures that are made, changed or varied. A picture is only measured.

A model that draws says its tokens by modality, a stream only in its last event, and there without the modality of what
was put out: that is a picture.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ... import semconv
from .._content import Content, Message, Part, fields, items
from .._endpoint import Attributes, Endpoint, Failure
from . import form
from .answer import failure, head
from .event_fold import EventFold
from .parts import message_parts
from .request import choice_count
from .usage import count

# Where hosts that take JSON have the pictures to begin with; the last two are Together's.
_GIVEN: Final = ("image", "images", "mask", "image_url", "reference_images")
_ENDS: Final = frozenset({"image_generation.completed", "image_edit.completed"})


def request(body: Mapping[str, Any], attributes: Attributes) -> None:
    """What is asked for."""
    attributes[semconv.OUTPUT_TYPE] = "image"
    choice_count(body, attributes)


def prompt(body: Mapping[str, Any], content: Content, attributes: Attributes) -> None:
    """The picture in words, and the pictures to begin with."""
    parts = message_parts(body.get("prompt"), content) + form.file_parts(body, "image", content)
    for name in _GIVEN:
        value = body.get(name)
        for each in value if isinstance(value, list) else (value,):
            parts += _given(each, content)
    if parts:
        attributes[semconv.INPUT_MESSAGES] = content.complete([content.message("user", parts)])


def _given(value: Any, content: Content) -> list[Part]:
    said = fields(value)
    source = value if isinstance(value, str) else said.get("image_url") or said.get("url")
    if isinstance(source, str):
        return [content.media("image", source)]
    return [content.file("image", said["file_id"])] if said.get("file_id") else []


def response(value: Any, attributes: Attributes) -> Failure | None:
    """What an answer says besides its pictures."""
    said = fields(value)
    head(said, attributes)
    usage = fields(said.get("usage"))
    made = attributes.get(semconv.USAGE_OUTPUT_TOKENS)
    if made and not count(fields(usage.get("output_tokens_details")).get("text_tokens")):
        attributes.setdefault(semconv.USAGE_OUTPUT_IMAGE_TOKENS, made)
    if fields(
        said.get("svg_usage")
    ):  # a second model has worked, at a price of its own: half of a price is a wrong one
        attributes.pop(semconv.USAGE_OUTPUT_TOKENS, None)
    return failure(value, said, "data")


def output(value: Any, content: Content) -> list[Message]:
    """The message of an answer: its pictures, and the words that they were made from if these are not the caller's."""
    said = fields(value)
    kind = said.get("output_format")
    media_type = f"image/{kind}" if isinstance(kind, str) and kind else None
    parts: list[Part] = []
    for picture in map(fields, items(said.get("data"))):
        data, url, words = picture.get("b64_json"), picture.get("url"), picture.get("revised_prompt")
        if isinstance(data, str):
            parts.append(content.blob("image", media_type, data))
        elif isinstance(url, str):
            parts.append(content.media("image", url))
        if words:
            parts += message_parts(words, content)
    return content.complete([content.message("assistant", parts, "stop")]) if parts else []


class ImagesFold(EventFold):
    """The events of one stream; pictures that are not complete are let go."""

    __slots__ = ("_error", "_last", "_pictures")

    def __init__(self) -> None:
        super().__init__()
        self._last: Mapping[str, Any] = {}
        self._pictures: list[Mapping[str, Any]] = []
        self._error: Any = None

    def add(self, chunk: Any) -> None:
        """Take in one event."""
        event = fields(chunk)
        kind = event.get("type")
        if isinstance(kind, str) and kind in _ENDS:
            self._last = event
            self._pictures.append({"b64_json": event.get("b64_json"), "url": event.get("url")})
            self.done = True
        elif kind == "error" or event.get("error"):
            self._error = event.get("error") or {"code": event.get("code"), "message": event.get("message")}

    def response(self) -> Mapping[str, Any]:
        """The answer so far."""
        answer: dict[str, Any] = {"usage": self._last.get("usage"), "output_format": self._last.get("output_format")}
        if self._error is not None:
            answer["error"] = self._error
        return {**answer, "data": self._pictures}


IMAGES: Final = Endpoint(
    semconv.OPERATION_GENERATE_CONTENT, request, prompt, response, output, ImagesFold, body=form.body
)
