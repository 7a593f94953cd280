"""Videos: the request that begins one, which is made later. It says no tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ... import semconv
from .._content import Content, Message, fields
from .._endpoint import Attributes, Endpoint, Failure
from . import form
from .answer import failure, head
from .parts import message_parts


def request(_body: Mapping[str, Any], attributes: Attributes) -> None:
    """What is asked for."""
    attributes[semconv.OUTPUT_TYPE] = "video"


def prompt(body: Mapping[str, Any], content: Content, attributes: Attributes) -> None:
    """The video in words, and the files to begin with."""
    parts = message_parts(body.get("prompt"), content) + form.file_parts(body, "image", content)
    if parts:
        attributes[semconv.INPUT_MESSAGES] = content.complete([content.message("user", parts)])


def response(value: Any, attributes: Attributes) -> Failure | None:
    """Which video it is, and how far its making is."""
    said = fields(value)
    head(said, attributes)
    status = said.get("status")
    if isinstance(status, str) and status:
        attributes[semconv.RESPONSE_STATUS] = status
    return failure(value, said, "status")


def output(_value: Any, _content: Content) -> list[Message]:
    """There is none yet."""
    return []


VIDEOS: Final = Endpoint(semconv.OPERATION_GENERATE_CONTENT, request, prompt, response, output, body=form.body)
