"""The Responses API: how to read its requests and answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from .. import semconv
from ._answer import failure, head
from ._content import Content, Message, Part, fields, items
from ._endpoint import Answer, Attributes
from ._parts import message_part
from ._request import conversation_id, output_type, parameters, with_tools

_FINISH: Final = {"completed": "stop", "failed": "error", "max_output_tokens": "length"}


def request(body: Mapping[str, Any]) -> Attributes:
    attributes = parameters(body)
    attributes[semconv.OPENAI_API_TYPE] = "responses"
    conversation = conversation_id(body)
    if conversation:
        attributes[semconv.CONVERSATION_ID] = conversation
    if "text" in body:
        output_type(attributes, fields(body["text"]).get("format"))
    return attributes


def prompt(body: Mapping[str, Any], content: Content) -> Attributes:
    attributes: Attributes = {}
    instructions = body.get("instructions")
    if isinstance(instructions, str):
        attributes[semconv.SYSTEM_INSTRUCTIONS] = content.json([content.text(instructions)])
    given = body.get("input")
    if isinstance(given, str):
        messages = [{"role": "user", "parts": [content.text(given)]}]
    else:
        messages = [_message(fields(item), content) for item in items(given)]
    if messages:
        attributes[semconv.INPUT_MESSAGES] = content.json(messages)
    return with_tools(attributes, body, content)


def _message(item: Mapping[str, Any], content: Content) -> Message:
    kind = item.get("type")
    if kind is not None and kind != "message":
        role = "tool" if str(kind).endswith("_output") else "assistant"
        return {"role": role, "parts": [_item_part(item, content)]}
    text = item.get("content")
    parts = (
        [content.text(text)] if isinstance(text, str) else [message_part(fields(part), content) for part in items(text)]
    )
    return {"role": item.get("role"), "parts": parts}


def _item_part(item: Mapping[str, Any], content: Content) -> Part:
    kind = item.get("type")
    if kind == "function_call":
        return content.tool_call(item.get("call_id"), item.get("name"), item.get("arguments"))
    if kind == "custom_tool_call":
        return content.tool_call(item.get("call_id"), item.get("name"), item.get("input"))
    if kind in ("function_call_output", "custom_tool_call_output"):
        output = item.get("output")
        if not isinstance(output, str):
            output = [message_part(fields(part), content) for part in items(output)]
        return content.tool_response(item.get("call_id"), output)
    if kind == "reasoning":
        texts = [fields(part).get("text") for part in (*items(item.get("summary")), *items(item.get("content")))]
        return content.text("\n".join(text for text in texts if isinstance(text, str)), "reasoning")
    if kind == "image_generation_call" and isinstance(item.get("result"), str):
        return content.blob("image", f"image/{item.get('output_format') or 'png'}", item["result"])
    # Tools that run at the provider (web search, code interpreter ...): which one, not its pages of results.
    return {"type": str(kind), "id": item.get("id")}


def response(value: Any) -> Answer:
    response = fields(value)
    answer = head(response)
    finish = _finish(response)
    if finish:
        answer.attributes[semconv.RESPONSE_FINISH_REASONS] = (finish,)
    conversation = conversation_id(response)
    if conversation:
        answer.attributes[semconv.CONVERSATION_ID] = conversation
    answer.error = failure(response)
    return answer


def _finish(response: Mapping[str, Any]) -> str | None:
    """Why the model stopped, in the words of chat completions; None while it has not."""
    status = response.get("status")
    if status == "incomplete":
        status = fields(response.get("incomplete_details")).get("reason")
    elif status == "completed":
        called = any(fields(item).get("type") == "function_call" for item in items(response.get("output")))
        status = "tool_calls" if called else status
    if not isinstance(status, str) or status in ("in_progress", "queued"):
        return None
    return _FINISH.get(status, status)


def output(value: Any, content: Content) -> list[Message]:
    response = fields(value)
    parts: list[Part] = []
    for item in map(fields, items(response.get("output"))):
        if item.get("type") == "message":
            parts += [message_part(fields(part), content) for part in items(item.get("content"))]
        else:
            parts.append(_item_part(item, content))
    return [{"role": "assistant", "parts": parts, "finish_reason": _finish(response)}] if parts else []
