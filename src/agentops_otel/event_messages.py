"""Messages as `LLMEvent` is given them, text or those of a chat API, in the schema of the GenAI conventions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .figures import format_count
from .values import MAX_ITEMS


def messages(value: Any, role: str) -> list[dict[str, Any]] | None:
    """Text, or messages of a chat API, in the schema of the GenAI conventions."""
    if value is None:
        return None
    items = value if issubclass(type(value), (list, tuple)) else [value]
    most = MAX_ITEMS - (len(items) > MAX_ITEMS)  # one of them is the mark
    kept = [_message(item, role) for item in items[:most]]
    if len(items) > len(kept):
        kept.append(_message(f"… {format_count(len(items) - len(kept), 'more item')}", role))
    return kept


def _message(item: Any, role: str) -> dict[str, Any]:
    try:
        return _chat_message(item, role)
    except Exception:  # (no message of a chat API, but something that only looks like one)
        return {"role": role, "parts": [{"type": "text", "content": item}]}


def _chat_message(item: Any, role: str) -> dict[str, Any]:
    if not isinstance(item, Mapping) or not {"content", "parts", "tool_calls"} & item.keys():
        return {"role": role, "parts": [_part(item)]}
    own = item.get("role")
    parts = item.get("parts")
    if parts is None:
        content, calls = item.get("content"), item.get("tool_calls")
        items = content if isinstance(content, (list, tuple)) else [] if content is None else [content]
        calls = calls if isinstance(calls, (list, tuple)) else []  # an iterator is the caller's to consume
        parts = [*map(_part, items), *map(_tool_call, calls)]
    message = {"role": role if own is None else own, "parts": parts}
    if "finish_reason" in item:
        message["finish_reason"] = item["finish_reason"]
    return message


def _part(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {"type": "text", "content": value["text"]} if value.get("type") == "text" and "text" in value else value
    return {"type": "text", "content": value}


def _tool_call(call: Any) -> Any:
    function = call.get("function") if isinstance(call, Mapping) else None
    if not isinstance(function, Mapping):
        return call
    return {
        "type": "tool_call",
        "id": call.get("id"),
        "name": function.get("name"),
        "arguments": function.get("arguments"),
    }
