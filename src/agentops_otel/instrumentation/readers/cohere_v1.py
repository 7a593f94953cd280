"""Cohere's chat and generate, version 1 of the API, which Bedrock speaks too: how to read their requests and answers.

API reference: https://docs.cohere.com/v1/reference/chat and https://docs.cohere.com/v1/reference/generate
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ... import semconv
from .._content import Content, Message, Part, fields, items
from .._endpoint import Attributes, Failure
from . import cohere_answer
from .answer import finish_reasons
from .cohere_chat import documents, request
from .request import role_of, strings, tool_definitions

_ROLES: Final = {"CHATBOT": "assistant"}

# ---- chat ----


def chat_request(body: Mapping[str, Any], attributes: Attributes) -> None:
    """The settings of a chat."""
    request(body, attributes)
    conversation = body.get("conversation_id")
    if isinstance(conversation, str) and conversation:
        attributes[semconv.CONVERSATION_ID] = conversation


def chat_prompt(body: Mapping[str, Any], content: Content, attributes: Attributes) -> None:
    """The preamble, what was said before, the message, and what the tools have returned."""
    if body.get("preamble"):
        attributes[semconv.SYSTEM_INSTRUCTIONS] = content.complete([content.text(body["preamble"])])
    messages = documents(body, content)
    for turn in items(body.get("chat_history")):
        messages += _turn(turn, content)
    if body.get("message"):
        messages.append(content.message("user", [content.text(body["message"])]))
    messages += _results(body.get("tool_results"), content)
    if messages:
        attributes[semconv.INPUT_MESSAGES] = content.complete(messages)
    tool_definitions(body, attributes)


def chat_response(value: Any, attributes: Attributes) -> Failure | None:
    """What an answer says besides its text."""
    answer = fields(value)
    cohere_answer.head(answer, attributes)
    return cohere_answer.failure(value, answer, "text")


def chat_output(value: Any, content: Content) -> list[Message]:
    """The message of an answer: its text, or the plan, and the tool calls."""
    answer = fields(value)
    parts = _said(answer.get("text"), answer.get("tool_calls"), content)
    reason = answer.get("finish_reason")
    if not parts and not reason:
        return []
    return content.complete([content.message("assistant", parts, cohere_answer.finish(reason))])


def _turn(value: Any, content: Content) -> list[Message]:
    turn = fields(value)
    if not turn:
        return [content.message("user", [content.text(value)])]
    role = role_of(turn)
    if turn.get("tool_results"):
        return _results(turn["tool_results"], content)
    parts = _said(turn.get("message"), turn.get("tool_calls"), content)
    return [content.message(_ROLES.get(role, role.lower()), parts)]


def _said(text: Any, calls: Any, content: Content) -> list[Part]:
    parts = [content.text(text)] if text else []
    made = map(fields, items(calls))
    return parts + [content.tool_call(None, call.get("name"), call.get("parameters")) for call in made]


def _results(value: Any, content: Content) -> list[Message]:
    """What tools have returned: here a call has no id but its tool's name."""
    results = map(fields, items(value))
    parts = [
        content.tool_response(fields(result.get("call")).get("name"), [content.text(result.get("outputs"))])
        for result in results
    ]
    return [content.message("tool", parts)] if parts else []


# ---- generate ----


def generate_prompt(body: Mapping[str, Any], content: Content, attributes: Attributes) -> None:
    """The prompt of a completion."""
    messages = [content.message("user", [content.text(text)]) for text in strings(body.get("prompt"))]
    if messages:
        attributes[semconv.INPUT_MESSAGES] = content.complete(messages)


def generate_response(value: Any, attributes: Attributes) -> Failure | None:
    """What an answer says besides its texts; Bedrock's have a reason each."""
    answer = fields(value)
    cohere_answer.head(answer, attributes)
    finish_reasons(answer.get("generations"), attributes)
    return cohere_answer.failure(value, answer, "generations")


def generate_output(value: Any, content: Content) -> list[Message]:
    """The messages of an answer: one of each text."""
    answer = fields(value)
    return content.complete(
        [
            content.message(
                "assistant",
                [content.text(each.get("text"))],
                # The API says a reason only where it has none to complain about: the answer has ended by itself.
                cohere_answer.finish(each.get("finish_reason") or answer.get("finish_reason") or "COMPLETE"),
            )
            for each in map(fields, items(answer.get("generations")))
        ]
    )
