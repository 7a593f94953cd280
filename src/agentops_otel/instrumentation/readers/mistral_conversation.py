"""Mistral's conversations, which are stored there, with or without an agent: how to read requests and answers.

API reference: https://docs.mistral.ai/api/endpoint/beta/conversations
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ... import semconv
from .._content import Content, Message, Part, as_text, fields, items, message_finish
from .._endpoint import Attributes, Failure
from . import mistral_chat
from .answer import failure
from .parts import message_parts
from .request import role_of, tool_definitions
from .usage import count, write_tokens

_ENTRY: Final = {"id": semconv.RESPONSE_ID, "model": semconv.RESPONSE_MODEL, "agent_id": semconv.AGENT_ID}

# ---- requests ----


def request(body: Mapping[str, Any], attributes: Attributes) -> None:
    """The settings of a request; those of the model are in an object of their own."""
    mistral_chat.request({**fields(body.get("completion_args")), "agent_id": body.get("agent_id")}, attributes)
    conversation = body.get("conversation_id")
    if isinstance(conversation, str) and conversation:
        attributes[semconv.CONVERSATION_ID] = conversation


def prompt(body: Mapping[str, Any], content: Content, attributes: Attributes) -> None:
    """The instructions, what is new in the conversation, and the tools."""
    instructions = message_parts(body.get("instructions"), content)
    if instructions:
        attributes[semconv.SYSTEM_INSTRUCTIONS] = content.complete(instructions)
    given = body.get("inputs")
    entries = [_message(entry, content) for entry in (items(given) or ((given,) if given else ()))]
    if entries:
        attributes[semconv.INPUT_MESSAGES] = content.complete(entries)
    tool_definitions(body, attributes)


def _message(value: Any, content: Content) -> Message:
    entry = fields(value)
    kind = entry.get("type")
    if kind == "function.result":
        result = content.text(entry.get("result"))
        return content.message("tool", [content.tool_response(entry.get("tool_call_id"), [result])])
    if not isinstance(kind, str) or kind == "message.input":
        parts = message_parts(entry.get("content") if entry else value, content)
        return content.message(role_of(entry), parts)
    return content.message("assistant", _parts(entry, content))


def _parts(entry: Mapping[str, Any], content: Content) -> list[Part]:
    """What an entry of a model says."""
    kind = entry.get("type")
    if kind == "function.call":
        return [content.tool_call(entry.get("tool_call_id"), entry.get("name"), entry.get("arguments"))]
    if kind == "tool.execution":  # which one and what for, not what it found
        arguments = content.text(entry.get("arguments"))["content"]
        return [content.other("server_tool_call", name=as_text(entry.get("name")), arguments=arguments)]
    if kind == "agent.handoff":
        return [content.other("agent_handoff", name=as_text(entry.get("next_agent_name")))]
    return message_parts(entry.get("content"), content)


# ---- answers ----


def response(value: Any, attributes: Attributes) -> Failure | None:
    """What an answer says besides its text: of several models the last one."""
    answer = fields(value)
    outputs = [fields(each) for each in items(answer.get("outputs"))]
    _copy(answer, {"conversation_id": semconv.CONVERSATION_ID}, attributes)
    for entry in outputs:
        _copy(entry, _ENTRY, attributes)
    finish = _finish(answer)
    if finish:
        attributes[semconv.RESPONSE_FINISH_REASONS] = (finish,)
    said = fields(answer.get("usage"))
    given, made = count(said.get("prompt_tokens")), count(said.get("completion_tokens"))
    # What connectors have found is read by the model, too, and counted apart.
    write_tokens(attributes, None if given is None else given + (count(said.get("connector_tokens")) or 0), made)
    return failure(value, answer, "conversation_id")


def output(value: Any, content: Content) -> list[Message]:
    """The message of an answer: all of its entries in one."""
    answer = fields(value)
    parts = [part for entry in items(answer.get("outputs")) for part in _parts(fields(entry), content)]
    return content.complete([content.message("assistant", parts, message_finish(_finish(answer)))]) if parts else []


def _copy(said: Mapping[str, Any], names: Mapping[str, str], attributes: Attributes) -> None:
    for name, attribute in names.items():
        value = said.get(name)
        if isinstance(value, str) and value:
            attributes[attribute] = value


def _finish(answer: Mapping[str, Any]) -> str | None:
    """Why the model stopped, in the words of chat completions; None while it has not: a usage comes at the end."""
    if not answer.get("usage") and answer.get("object") != "conversation.response":
        return None
    kinds = [fields(entry).get("type") for entry in items(answer.get("outputs"))]
    return "tool_calls" if "function.call" in kinds else "stop"
