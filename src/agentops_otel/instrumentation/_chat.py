"""Chat completions, and the legacy completions: how to read their requests and answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import semconv
from ._answer import failure, head
from ._content import Content, Message, Part, fields, items
from ._endpoint import Answer, Attributes
from ._parts import message_part
from ._request import output_type, parameters, strings, with_tools


def request(body: Mapping[str, Any]) -> Attributes:
    attributes = parameters(body)
    attributes[semconv.OPENAI_API_TYPE] = "chat_completions"
    count = body.get("n")
    if isinstance(count, int) and count != 1:
        attributes[semconv.REQUEST_CHOICE_COUNT] = count
    if "stop" in body:
        stop = strings(body["stop"])
        if stop:
            attributes[semconv.REQUEST_STOP_SEQUENCES] = stop
    if "response_format" in body:
        output_type(attributes, body["response_format"])
    if "audio" in items(body.get("modalities")):
        attributes[semconv.OUTPUT_TYPE] = "speech"
    return attributes


def completion_request(body: Mapping[str, Any]) -> Attributes:
    attributes = request(body)
    del attributes[semconv.OPENAI_API_TYPE]
    return attributes


def prompt(body: Mapping[str, Any], content: Content) -> Attributes:
    attributes: Attributes = {}
    messages = [_message(fields(message), content) for message in items(body.get("messages"))]
    if messages:
        attributes[semconv.INPUT_MESSAGES] = content.json(messages)
    return with_tools(attributes, body, content)


def completion_prompt(body: Mapping[str, Any], content: Content) -> Attributes:
    messages = [{"role": "user", "parts": [content.text(prompt)]} for prompt in strings(body.get("prompt"))]
    return {semconv.INPUT_MESSAGES: content.json(messages)} if messages else {}


def _message(message: Mapping[str, Any], content: Content) -> Message:
    role = message.get("role")
    text = message.get("content")
    if role in ("tool", "function"):
        call_id = message.get("tool_call_id") or message.get("name")
        return {"role": "tool", "parts": [content.tool_response(call_id, text)]}
    parts = (
        [content.text(text)] if isinstance(text, str) else [message_part(fields(part), content) for part in items(text)]
    )
    found: Message = {"role": role, "parts": parts}
    if role == "assistant":
        parts += _spoken(message, content)
    if isinstance(message.get("name"), str):
        found["name"] = message["name"]
    return found


def _spoken(message: Mapping[str, Any], content: Content) -> list[Part]:
    """What an assistant's message holds besides its text."""
    parts: list[Part] = []
    get = message.get
    reasoning = get("reasoning_content") or get("reasoning")  # DeepSeek, OpenRouter and others
    if isinstance(reasoning, str):
        parts.append(content.text(reasoning, "reasoning"))
    refusal = get("refusal")
    if isinstance(refusal, str):
        parts.append(content.text(refusal, "refusal"))
    if get("tool_calls"):
        parts += [_tool_call(fields(call), content) for call in items(message["tool_calls"])]
    if get("function_call"):
        legacy = fields(message["function_call"])
        parts.append(content.tool_call(None, legacy.get("name"), legacy.get("arguments")))
    if get("audio"):
        parts += _sound(fields(message["audio"]), content)
    return parts


def _tool_call(call: Mapping[str, Any], content: Content) -> Part:
    function = fields(call.get("function"))
    if function:
        return content.tool_call(call.get("id"), function.get("name"), function.get("arguments"))
    custom = fields(call.get("custom"))
    return content.tool_call(call.get("id"), custom.get("name"), custom.get("input"))


def _sound(audio: Mapping[str, Any], content: Content) -> list[Part]:
    data, transcript = audio.get("data"), audio.get("transcript")
    sound = content.blob("audio", None, data) if isinstance(data, str) else None
    parts = [sound or {"type": "file", "modality": "audio", "file_id": audio.get("id")}]
    if isinstance(transcript, str):
        parts.append(content.text(transcript))
    return parts


def response(value: Any) -> Answer:
    response = fields(value)
    answer = head(response)
    reasons = [fields(choice).get("finish_reason") for choice in items(response.get("choices"))]
    finish = [reason for reason in reasons if isinstance(reason, str)]
    if finish:
        answer.attributes[semconv.RESPONSE_FINISH_REASONS] = tuple(finish)
    # Compatible hosts report a failure as an answer with status 200.
    answer.error = failure(response)
    return answer


def output(value: Any, content: Content) -> list[Message]:
    messages = []
    for choice in map(fields, items(fields(value).get("choices"))):
        message = fields(choice.get("message"))
        text = message.get("content")
        parts = [content.text(text)] if isinstance(text, str) and text else []
        parts += _spoken(message, content)
        role = message.get("role") or "assistant"
        messages.append({"role": role, "parts": parts, "finish_reason": choice.get("finish_reason")})
    return messages


def completion_output(value: Any, content: Content) -> list[Message]:
    return [
        {
            "role": "assistant",
            "parts": [content.text(str(choice.get("text") or ""))],
            "finish_reason": choice.get("finish_reason"),
        }
        for choice in map(fields, items(fields(value).get("choices")))
    ]


def with_usage(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    options = body.get("stream_options")
    if options is not None and (not isinstance(options, Mapping) or "include_usage" in options):
        return None
    return {**body, "stream_options": {**(options or {}), "include_usage": True}}


def is_usage_only(chunk: Any) -> bool:
    return not getattr(chunk, "choices", True) and getattr(chunk, "usage", None) is not None
