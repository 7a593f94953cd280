"""Imagen's `predict`: how to read its requests and its pictures. It counts no tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ... import semconv
from .._content import Content, Message, Part, fields, items
from .._endpoint import Attributes, Failure
from .generate import failed

_ANSWER: Final = ("predictions",)
_PICTURE: Final = ("bytesBase64Encoded", "gcsUri", "raiFilteredReason")


def request(body: Mapping[str, Any], attributes: Attributes) -> None:
    """How many pictures are asked for, and the seed."""
    attributes[semconv.OUTPUT_TYPE] = "image"
    settings = fields(body.get("parameters"))
    choices, seed = settings.get("sampleCount"), settings.get("seed")
    if type(choices) is int and choices != 1:
        attributes[semconv.REQUEST_CHOICE_COUNT] = choices
    if type(seed) is int:
        attributes[semconv.REQUEST_SEED] = seed


def prompt(body: Mapping[str, Any], content: Content, attributes: Attributes) -> None:
    """The text of the picture, and the picture that it begins with."""
    messages = []
    for instance in map(fields, items(body.get("instances"))):
        text = instance.get("prompt")
        parts = [] if text is None else [content.text(text)]
        given = [each.get("referenceImage") for each in map(fields, items(instance.get("referenceImages")))]
        for image in (instance.get("image"), *given):
            parts += _picture(fields(image), content)
        if parts:
            messages.append(content.message("user", parts))
    if messages:
        attributes[semconv.INPUT_MESSAGES] = content.complete(messages)


def response(value: Any, attributes: Attributes) -> Failure | None:
    """Why pictures were left out, if some were."""
    response = fields(value)
    reasons = tuple(map(_finish, _pictures(response)))
    if reasons:
        attributes[semconv.RESPONSE_FINISH_REASONS] = reasons
    return failed(value, response, _ANSWER)


def output(value: Any, content: Content) -> list[Message]:
    """One message of each picture, as a reference."""
    messages = []
    for found in _pictures(fields(value)):
        reason = found.get("raiFilteredReason")
        parts = _picture(found, content) + ([content.text(reason, "refusal")] if reason else [])
        messages.append(content.message("assistant", parts, _finish(found)))
    return content.complete(messages)


def _pictures(response: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What became of each picture; a prediction can also be about the prompt."""
    predictions = map(fields, items(response.get("predictions")))
    return [each for each in predictions if any(each.get(name) for name in _PICTURE)]


def _finish(prediction: Mapping[str, Any]) -> str:
    return "content_filter" if prediction.get("raiFilteredReason") else "stop"


def _picture(image: Mapping[str, Any], content: Content) -> list[Part]:
    data, uri, mime_type = image.get("bytesBase64Encoded"), image.get("gcsUri"), image.get("mimeType")
    if isinstance(data, str) and data:
        return [content.blob("image", mime_type if isinstance(mime_type, str) else None, data)]
    return [content.media("image", uri)] if isinstance(uri, str) and uri else []
