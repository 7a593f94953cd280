"""Recorded content: message parts after the GenAI schema, cut text, media as references, and their JSON.

Schema: https://github.com/open-telemetry/semantic-conventions/blob/main/docs/gen-ai/gen-ai-input-messages.json
Media never go on a span. What stands there is a reference: type, size and a digest, as `media.py` says.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from ..media import digest, replaced
from ..text import cut
from ..values import to_json

NOTHING: Final[Mapping[str, Any]] = {}

_FINISH: Final = {"tool_calls": "tool_call", "function_call": "tool_call", "cancelled": "error"}

Part = dict[str, Any]
Message = dict[str, Any]


def fields(value: Any) -> Mapping[str, Any]:
    """The fields of a JSON object or a pydantic model, unknown ones included; of anything else none."""
    if isinstance(value, dict):
        return value
    known: Mapping[str, Any] = getattr(value, "__dict__", NOTHING)
    if not known:
        return NOTHING
    unknown = getattr(value, "__pydantic_extra__", None)
    return {**known, **unknown} if unknown else known


def items(value: Any) -> Iterable[Any]:
    """The elements of a list or tuple; of anything else none: an iterator is the caller's to consume."""
    return value if isinstance(value, (list, tuple)) else ()


def as_text(value: Any) -> str:
    """A text as it is, nothing as an empty one, any other value as JSON."""
    return value if isinstance(value, str) else "" if value is None else to_json(value)


def message_finish(reason: Any) -> str:
    """Why an answer's message ended, in the words of the schema, which asks for one: `error` when none ever came."""
    return _FINISH.get(reason, reason) if isinstance(reason, str) and reason else "error"


class Content:
    """Makes message parts whose texts are at most `max_length` characters long."""

    __slots__ = ("max_length",)

    def __init__(self, max_length: int) -> None:
        self.max_length = max_length

    def text(self, value: Any, kind: str = "text") -> Part:
        """A text; what is none, although it stands where one is expected, as JSON."""
        text = as_text(value)
        if len(text) > self.max_length:
            text = cut(replaced(text, self.max_length), self.max_length)
        return {"type": kind, "content": text}

    def tool_call(self, call_id: Any, name: Any, arguments: Any) -> Part:
        return {
            "type": "tool_call",
            "id": None if call_id is None else as_text(call_id),
            "name": as_text(name),
            "arguments": self.value(arguments),
        }

    def tool_response(self, call_id: Any, response: Any) -> Part:
        return {
            "type": "tool_call_response",
            "id": None if call_id is None else as_text(call_id),
            "response": response,
        }

    def file(self, modality: str, file_id: Any) -> Part:
        """A picture, sound or file that the provider has already."""
        return {"type": "file", "modality": modality, "file_id": as_text(file_id)}

    def value(self, value: Any) -> Any:
        """JSON text as the value it stands for; text that is too long or no JSON stays text."""
        if not isinstance(value, str) or len(value) > self.max_length or not value.startswith(("{", "[")):
            return value
        try:
            return json.loads(value)
        except ValueError:
            return value

    def media(self, modality: str, source: str) -> Part:
        """A picture, sound or file from a URL: a link as it is, `data:` as a reference."""
        if not source.startswith("data:"):
            return {"type": "uri", "modality": modality, "uri": cut(replaced(source, self.max_length), self.max_length)}
        head = source[: source.find(",", 0, 512) + 1]
        mime_type = head[5:].partition(";")[0].rstrip(",") or None
        return self.blob(modality, mime_type, source, skip=len(head))

    def blob(self, modality: str, mime_type: str | None, base64: str, skip: int = 0) -> Part:
        """A reference to base64 text that starts after `skip` characters."""
        size, name, value = digest(base64, skip)
        return {
            # Not `blob`, which has to have the content.
            "type": "file",
            "modality": modality,
            "mime_type": mime_type,
            "file_id": f"{name}:{value}",
            "bytes": size,
            name: value,
        }

    def json(self, value: Any) -> str:
        return to_json(value, max_length=self.max_length)
