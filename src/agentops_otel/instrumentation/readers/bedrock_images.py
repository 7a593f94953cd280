"""Bodies of models that draw: Nova Canvas and Titan, and Stability's. A picture is only measured.

Reference: https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ... import semconv
from .._content import Content, Message, Part, as_text, fields, items
from .._endpoint import Attributes, Failure
from .answer import failure
from .request import strings
from .usage import count

_WORDS: Final = ("text", "prompt", "negativeText", "negative_prompt")
_PICTURES: Final = ("image", "images", "conditionImage", "maskImage", "mask", "init_image")  # to begin with


def request(body: Mapping[str, Any], attributes: Attributes) -> None:
    """What is asked for."""
    attributes[semconv.OUTPUT_TYPE] = "image"
    for said in (body, fields(body.get("imageGenerationConfig"))):
        seed, choices = count(said.get("seed")), count(said.get("numberOfImages") or said.get("samples"))
        if seed is not None:
            attributes[semconv.REQUEST_SEED] = seed
        if choices is not None and choices > 1:
            attributes[semconv.REQUEST_CHOICE_COUNT] = choices


def prompt(body: Mapping[str, Any], content: Content, attributes: Attributes) -> None:
    """The picture in words, and the pictures to begin with; Amazon has both in an object for each task."""
    parts: list[Part] = []
    said = [body, *(fields(value) for name, value in body.items() if str(name).endswith("Params"))]
    for each in (*said, *map(fields, items(body.get("text_prompts")))):
        parts += [content.text(each[name]) for name in _WORDS if isinstance(each.get(name), str)]
        parts += [content.blob("image", None, data) for name in _PICTURES for data in strings(each.get(name))]
    if parts:
        attributes[semconv.INPUT_MESSAGES] = content.complete([content.message("user", parts)])


def response(value: Any, attributes: Attributes) -> Failure | None:
    """Why each picture ended as it did; a filter that has stepped in leaves none."""
    said = fields(value)
    reasons = _reasons(said)
    if reasons:
        attributes[semconv.RESPONSE_FINISH_REASONS] = reasons
    if said.get("error"):
        return "error", as_text(said["error"])
    return None if reasons or said.get("artifacts") else failure(value, said, "images")


def output(value: Any, content: Content) -> list[Message]:
    """The message of an answer: its pictures."""
    said = fields(value)
    pictures = [*strings(said.get("images"))]
    pictures += [data for each in items(said.get("artifacts")) if isinstance(data := fields(each).get("base64"), str)]
    if not pictures:
        return []
    finish = "content_filter" if any("filter" in reason.lower() for reason in _reasons(said)) else "stop"
    parts = [content.blob("image", None, data) for data in pictures]
    return content.complete([content.message("assistant", parts, finish)])


def _reasons(said: Mapping[str, Any]) -> tuple[str, ...]:
    reasons = [fields(each).get("finishReason") for each in items(said.get("artifacts"))]
    reasons += items(said.get("finish_reasons"))
    return tuple(reason for reason in reasons if reason and isinstance(reason, str))
