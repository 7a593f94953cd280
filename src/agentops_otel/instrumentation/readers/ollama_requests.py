"""Ollama's requests: chats, generations and embeddings.

API reference: https://docs.ollama.com/api
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ... import semconv
from .._content import Content, Message, Part, as_text, fields, items
from .._endpoint import Attributes
from . import embeddings
from .parts import message_parts, tool_calls
from .request import parameters, role_of, strings, tool_definitions
from .usage import count

# How the base64 text of a picture begins.
_PICTURES: Final = {"iVBORw": "image/png", "/9j/": "image/jpeg", "UklGR": "image/webp", "R0lGOD": "image/gif"}


def request(body: Mapping[str, Any], attributes: Attributes) -> None:
    """The settings of a chat or a generation; most are in `options`."""
    options = fields(body.get("options"))
    parameters(options, attributes)
    most = count(options.get("num_predict"))  # -1: no limit
    if most:
        attributes[semconv.REQUEST_MAX_TOKENS] = most
    stop = strings(options.get("stop"))
    if stop:
        attributes[semconv.REQUEST_STOP_SEQUENCES] = stop
    form = body.get("format")
    if form == "json" or fields(form):  # else a schema
        attributes[semconv.OUTPUT_TYPE] = "json"
    think = body.get("think")
    if isinstance(think, str) and think:
        attributes[semconv.REQUEST_REASONING_LEVEL] = think


def prompt(body: Mapping[str, Any], content: Content, attributes: Attributes) -> None:
    """The messages of a chat, and its tools."""
    messages = [_message(message, content) for message in items(body.get("messages"))]
    if messages:
        attributes[semconv.INPUT_MESSAGES] = content.complete(messages)
    tool_definitions(body, attributes)


def generate_prompt(body: Mapping[str, Any], content: Content, attributes: Attributes) -> None:
    """The prompt of a generation: one message, with what is to come behind the answer as a part of its own."""
    instructions = message_parts(body.get("system") or None, content)
    if instructions:
        attributes[semconv.SYSTEM_INSTRUCTIONS] = content.complete(instructions)
    parts = message_parts(body.get("prompt") or None, content)
    if body.get("suffix"):
        parts.append(content.text(body["suffix"], "suffix"))
    parts += pictures(body.get("images"), content)
    if parts:
        attributes[semconv.INPUT_MESSAGES] = content.complete([content.message("user", parts)])


def embed_prompt(body: Mapping[str, Any], content: Content, attributes: Attributes) -> None:
    """The texts of an embedding; the older endpoint takes one, as `prompt`."""
    embeddings.prompt({"input": body.get("input", body.get("prompt"))}, content, attributes)


def no_settings(_body: Mapping[str, Any], _attributes: Attributes) -> None:
    """An embedding has none that are recorded."""


def _message(value: Any, content: Content) -> Message:
    message = fields(value)
    role = role_of(message)
    if role == "tool":
        # The calls have no ids, or had none: the tool's name is what an answer is known by.
        call_id = message.get("tool_call_id") or message.get("tool_name") or message.get("name")
        return content.message(role, [content.tool_response(call_id, as_text(message.get("content")))])
    return content.message(role, spoken(message, content) if message else message_parts(value, content))


def spoken(message: Mapping[str, Any], content: Content) -> list[Part]:
    """The parts of a message, in the order in which a model makes them."""
    parts: list[Part] = []
    if message.get("thinking"):
        parts.append(content.text(message["thinking"], "reasoning"))
    parts += message_parts(message.get("content") or None, content)
    parts += pictures(message.get("images"), content)
    if message.get("tool_calls"):
        parts += tool_calls(message["tool_calls"], content)
    return parts


def pictures(values: Any, content: Content) -> list[Part]:
    """References to pictures, each the base64 text of a file."""
    found = [fields(each).get("value", each) for each in items(values)]
    return [content.blob("image", _mime_type(each), each) for each in found if isinstance(each, str) and each]


def _mime_type(base64: str) -> str | None:
    return next((kind for start, kind in _PICTURES.items() if base64.startswith(start)), None)
