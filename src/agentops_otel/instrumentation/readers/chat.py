"""Chat completions, and the legacy completions: how to read their requests and answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ... import semconv
from .._content import Content, Message, Part, as_text, fields, items, message_finish
from .._endpoint import Attributes, Failure
from .answer import failure, finish_reasons, head
from .parts import message_parts, plain_text, tool_calls
from .request import choice_count, output_type, parameters, reasoning_level, role_of, strings, tool_definitions

_ONLY_SPEAK: Final = frozenset({"system", "developer", "user"})

# ---- requests ----


def request(body: Mapping[str, Any], attributes: Attributes) -> None:
    """The settings of a chat completion."""
    attributes[semconv.OPENAI_API_TYPE] = "chat_completions"
    completion_request(body, attributes)


def completion_request(body: Mapping[str, Any], attributes: Attributes) -> None:
    """The settings of a legacy completion."""
    parameters(body, attributes)
    choice_count(body, attributes)
    if "stop" in body:
        stop = strings(body["stop"])
        if stop:
            attributes[semconv.REQUEST_STOP_SEQUENCES] = stop
    if "response_format" in body:
        output_type(body["response_format"], attributes)
    if "audio" in items(body.get("modalities")):
        attributes[semconv.OUTPUT_TYPE] = "speech"
    reasoning_level(body, attributes)


def prompt(body: Mapping[str, Any], content: Content, attributes: Attributes) -> None:
    """The messages of a chat completion, and its tools."""
    messages = [_message(message, content) for message in items(body.get("messages"))]
    if messages:
        attributes[semconv.INPUT_MESSAGES] = content.complete(messages)
    tool_definitions(body, attributes)


def completion_prompt(body: Mapping[str, Any], content: Content, attributes: Attributes) -> None:
    """The prompts of a legacy completion."""
    messages = [content.message("user", [content.text(text)]) for text in strings(body.get("prompt"))]
    if messages:
        attributes[semconv.INPUT_MESSAGES] = content.complete(messages)


def _message(value: Any, content: Content) -> Message:
    message = fields(value)
    if not message:
        return content.message("user", message_parts(value, content))
    role = role_of(message)
    text = message.get("content")
    if type(text) is str and role in _ONLY_SPEAK:
        return content.message(role, [content.text(text)], name=message.get("name"))
    if role in ("tool", "function"):
        call_id = message.get("tool_call_id") or message.get("name")
        response = text if isinstance(text, str) else message_parts(text, content)
        return content.message("tool", [content.tool_response(call_id, response)])
    parts = message_parts(text, content)
    if role == "assistant":
        parts += _spoken(message, content)
    return content.message(role, parts, name=message.get("name"))


def _spoken(message: Mapping[str, Any], content: Content) -> list[Part]:
    """What an assistant's message holds besides its text."""
    parts: list[Part] = []
    get = message.get
    reasoning = get("reasoning_content") or get("reasoning") or get("tool_plan")  # DeepSeek; OpenRouter; Cohere
    if reasoning:
        text = plain_text(reasoning)
        if text:
            parts.append(content.text(text, "reasoning"))
    if get("refusal"):
        parts.append(content.text(message["refusal"], "refusal"))
    if get("tool_calls"):
        parts += tool_calls(message["tool_calls"], content)
    if get("executed_tools"):
        parts += [_executed(fields(tool), content) for tool in items(message["executed_tools"])]
    legacy = fields(get("function_call"))
    if legacy:
        parts.append(content.tool_call(None, legacy.get("name"), legacy.get("arguments")))
    if get("audio"):
        parts += _sound(fields(message["audio"]), content)
    return parts


def _executed(tool: Mapping[str, Any], content: Content) -> Part:
    """A tool that the provider has run, as Groq's compound systems do: which one and what for, not what it found."""
    arguments = content.text(tool.get("arguments"))["content"]
    return content.other("server_tool_call", name=as_text(tool.get("type")), arguments=arguments)


def _sound(audio: Mapping[str, Any], content: Content) -> list[Part]:
    parts: list[Part] = []
    data, transcript = audio.get("data"), audio.get("transcript")
    if isinstance(data, str):
        parts.append(content.blob("audio", None, data))
    elif audio.get("id"):
        parts.append(content.file("audio", audio["id"]))
    if transcript:
        parts.append(content.text(transcript))
    return parts


# ---- answers ----


def response(value: Any, attributes: Attributes) -> Failure | None:
    """What an answer says besides its text."""
    response = fields(value)
    head(response, attributes)
    finish_reasons(response.get("choices"), attributes)
    return failure(value, response, "choices")


def output(value: Any, content: Content) -> list[Message]:
    """The messages of an answer of chat completions: one of each choice."""
    messages = []
    for choice in map(fields, items(fields(value).get("choices"))):
        message = fields(choice.get("message"))
        text = message.get("content")
        parts = message_parts(text, content) if text else []
        parts += _spoken(message, content)
        role = role_of(message, "assistant")
        messages.append(content.message(role, parts, message_finish(choice.get("finish_reason"))))
    return content.complete(messages)


def completion_output(value: Any, content: Content) -> list[Message]:
    """The messages of an answer of legacy completions."""
    return content.complete(
        [
            content.message(
                "assistant",
                message_parts(choice.get("text"), content) or [content.text("")],
                message_finish(choice.get("finish_reason")),
            )
            for choice in map(fields, items(fields(value).get("choices")))
        ]
    )


# ---- usage of a stream ----


def with_usage(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """A request that asks for the usage of its stream; None when the program has decided about that itself."""
    options = body.get("stream_options")
    if options is not None and (not isinstance(options, Mapping) or "include_usage" in options):
        return None
    return {**body, "stream_options": {**(options or {}), "include_usage": True}}


def is_usage_only(chunk: Any) -> bool:
    """Whether a chunk is the one that only such a request gets."""
    return not getattr(chunk, "choices", True) and getattr(chunk, "usage", None) is not None
