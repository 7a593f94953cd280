"""The Realtime API: how the request and the answer of one response are read.

What stands for a request is made in `talk.py` of what was said over the connection.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ... import semconv
from .._content import Content, Message, fields, items
from .._endpoint import Attributes, Endpoint, Failure
from . import responses
from .answer import failure, head
from .parts import message_parts
from .request import parameters, tool_definitions
from .responses_fold import ResponsesFold

_LIMITS: Final = ("max_output_tokens", "max_response_output_tokens")
_REASONS: Final = {"completed": "stop", "max_output_tokens": "length", "failed": "error"}


def request(body: Mapping[str, Any], attributes: Attributes) -> None:
    """The session, and the settings of one response in it."""
    settings = fields(body.get("settings"))
    parameters({name: value for name, value in settings.items() if name not in _LIMITS}, attributes)
    for name in _LIMITS:
        if type(settings.get(name)) is int:  # or `inf`
            attributes[semconv.REQUEST_MAX_TOKENS] = settings[name]
    modes = [*items(settings.get("output_modalities") or settings.get("modalities"))]
    if modes:
        attributes[semconv.OUTPUT_TYPE] = "speech" if "audio" in modes else "text"
    if isinstance(body.get("id"), str):
        attributes[semconv.REALTIME_SESSION_ID] = body["id"]


def prompt(body: Mapping[str, Any], content: Content, attributes: Attributes) -> None:
    """The instructions, what was said since the response before, and the tools."""
    settings = fields(body.get("settings"))
    instructions = message_parts(settings.get("instructions"), content)
    if instructions:
        attributes[semconv.SYSTEM_INSTRUCTIONS] = content.complete(instructions)
    given = [each for item in items(body.get("input")) if (each := responses.message(item, content)) is not None]
    if given:
        attributes[semconv.INPUT_MESSAGES] = content.complete(given)
    tool_definitions(settings, attributes)


def response(value: Any, attributes: Attributes) -> Failure | None:
    """What a response says besides its content."""
    said = fields(value)
    head(said, attributes)
    finish = _finish(said)
    if finish:
        attributes[semconv.RESPONSE_FINISH_REASONS] = (finish,)
    conversation = said.get("conversation_id")
    if isinstance(conversation, str) and conversation:
        attributes[semconv.CONVERSATION_ID] = conversation
    if said.get("status") == "failed":
        error = fields(fields(said.get("status_details")).get("error"))
        named = (error.get("code"), error.get("type"))
        code = next((name for name in named if isinstance(name, str) and name), "failed")
        return code, error["message"] if isinstance(error.get("message"), str) else ""
    return failure(value, said, "output")


def output(value: Any, content: Content) -> list[Message]:
    """The message of a response."""
    return responses.output_message(value, _finish(fields(value)), content)


def _finish(said: Mapping[str, Any]) -> str | None:
    status = said.get("status")
    if status == "incomplete":
        status = fields(said.get("status_details")).get("reason") or status
    elif status == "completed" and "function_call" in responses.kinds(said.get("output")):
        status = "tool_calls"
    if not isinstance(status, str) or status == "in_progress":
        return None
    return _REASONS.get(status, status)


REALTIME: Final = Endpoint(semconv.OPERATION_REALTIME, request, prompt, response, output, ResponsesFold)
