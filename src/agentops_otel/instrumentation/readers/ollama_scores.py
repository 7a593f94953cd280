"""Ollama's scores: questions about a state, which a small model answers with probabilities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ... import semconv
from .._content import Content, Message, fields
from .._endpoint import Attributes, Failure
from .answer import failure, head


def request(_body: Mapping[str, Any], attributes: Attributes) -> None:
    """The answers are JSON."""
    attributes[semconv.OUTPUT_TYPE] = "json"


def prompt(body: Mapping[str, Any], content: Content, attributes: Attributes) -> None:
    """The state, then the questions."""
    parts = [content.text(body[name]) for name in ("state", "questions") if body.get(name)]
    if parts:
        attributes[semconv.INPUT_MESSAGES] = content.complete([content.message("user", parts)])


def response(value: Any, attributes: Attributes) -> Failure | None:
    """The model and the tokens."""
    answer = fields(value)
    head(answer, attributes)
    return failure(value, answer, "answers")


def output(value: Any, content: Content) -> list[Message]:
    """The answers, by the names of their questions."""
    answers = fields(value).get("answers")
    return content.complete([content.message("assistant", [content.text(answers)], "stop")]) if answers else []
