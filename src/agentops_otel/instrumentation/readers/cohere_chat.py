"""Cohere's chat, version 2 of the API: how to read its requests and answers.

API reference: https://docs.cohere.com/reference/chat
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ... import semconv
from .._content import Content, Message, fields, items
from .._endpoint import Attributes, Failure
from . import chat, cohere_answer
from .request import output_type, parameters, strings

_SETTINGS: Final = {
    "k": semconv.REQUEST_TOP_K,
    "p": semconv.REQUEST_TOP_P,
    "num_generations": semconv.REQUEST_CHOICE_COUNT,
}


def request(body: Mapping[str, Any], attributes: Attributes) -> None:
    """The settings of a request, of either version."""
    parameters(body, attributes)
    for name, attribute in _SETTINGS.items():
        value = body.get(name)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            attributes[attribute] = value
    stop = strings(body.get("stop_sequences")) + strings(body.get("end_sequences"))
    if stop:
        attributes[semconv.REQUEST_STOP_SEQUENCES] = stop
    if "response_format" in body:
        output_type(body["response_format"], attributes)


def prompt(body: Mapping[str, Any], content: Content, attributes: Attributes) -> None:
    """The messages, the tools, and the documents that the model is to cite."""
    chat.prompt(body, content, attributes)
    found = documents(body, content)
    if found:
        attributes[semconv.INPUT_MESSAGES] = content.complete([*found, *attributes.get(semconv.INPUT_MESSAGES, ())])


def documents(body: Mapping[str, Any], content: Content) -> list[Message]:
    """The documents of a request, in a message of their own; none where there are none."""
    parts = [content.text(document) for document in items(body.get("documents"))]
    return [content.message("document", parts)] if parts else []


def response(value: Any, attributes: Attributes) -> Failure | None:
    """What an answer says besides its text."""
    answer = fields(value)
    cohere_answer.head(answer, attributes)
    return cohere_answer.failure(value, answer, "finish_reason")


def output(value: Any, content: Content) -> list[Message]:
    """The message of an answer, which is one of chat completions with a plan before its tool calls."""
    answer = fields(value)
    message = fields(answer.get("message"))
    if not message:
        return []
    choice = {"message": message, "finish_reason": cohere_answer.finish(answer.get("finish_reason"))}
    return chat.output({"choices": [choice]}, content)
