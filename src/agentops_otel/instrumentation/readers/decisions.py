"""Decisions: a model answers set questions about an input, with probabilities in the place of a text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ... import semconv
from .._content import Content, Message, fields, items
from .._endpoint import Attributes, Endpoint, Failure
from . import responses
from .answer import failure, head


def request(_body: Mapping[str, Any], attributes: Attributes) -> None:
    """What is asked for."""
    attributes[semconv.OUTPUT_TYPE] = "json"


def prompt(body: Mapping[str, Any], content: Content, attributes: Attributes) -> None:
    """The input, and the questions about it."""
    responses.prompt({"input": body.get("input")}, content, attributes)
    asked = [content.text(question) for question in items(body.get("questions"))]
    if asked:
        given = [*attributes.get(semconv.INPUT_MESSAGES, ()), content.message("user", asked)]
        attributes[semconv.INPUT_MESSAGES] = content.complete(given)


def response(value: Any, attributes: Attributes) -> Failure | None:
    """The model and the tokens."""
    said = fields(value)
    head(said, attributes)
    return failure(value, said, "answers")


def output(value: Any, content: Content) -> list[Message]:
    """The answers, each as its JSON."""
    parts = [content.text(answer) for answer in items(fields(value).get("answers"))]
    return content.complete([content.message("assistant", parts, "stop")]) if parts else []


DECISIONS: Final = Endpoint(semconv.OPERATION_GENERATE_CONTENT, request, prompt, response, output)
