"""Recorded content: message parts after the GenAI schema, cut text, media as references, and their JSON.

Schema: https://github.com/open-telemetry/semantic-conventions/blob/main/docs/gen-ai/gen-ai-input-messages.json
Media never go on a span. What stands there is a reference: type, size and a digest, as `media.py` says.

Secrets are looked for in the texts, before they become JSON: there a quote that ends a text cannot be told from one
in it. One search goes through all texts of a call together, because most calls have no secret.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from .. import secrets
from ..media import digest, may_be_inside, replaced
from ..text import cut
from ..values import plain_json, plain_texts, to_json

NOTHING: Final[Mapping[str, Any]] = {}

_FINISH: Final = {"tool_calls": "tool_call", "function_call": "tool_call", "cancelled": "error"}

# Between two texts of one search: a word begins behind it, no value goes on across it, and there is a blank in it for
# the search for media, which looks for long runs without one.
_BETWEEN: Final = "\n\x1f \n"

Attributes = dict[str, Any]
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
    """Makes message parts whose texts are at most `max_length` characters long.

    Attributes:
        searched: names of the attributes in which there is no secret.
        known: the known secrets that were looked for in them.
    """

    __slots__ = ("known", "max_length", "searched")

    def __init__(self, max_length: int) -> None:
        self.max_length = max_length
        self.searched: frozenset[str] = frozenset()
        self.known = secrets.forms

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

    def encoded(self, values: Mapping[str, Any]) -> Attributes:
        """Attributes of JSON: what is not plain text, or may be media, is written with care and not in `searched`."""
        attributes = self._searched(values)
        if attributes is None:  # then those that are plain, and the others one by one
            attributes = {}
            searched: set[str] = set()
            for name, value in values.items():
                attributes |= self._searched({name: value}) or {name: to_json(value, max_length=self.max_length)}
                searched |= self.searched
            self.searched = frozenset(searched)
        return attributes

    def _searched(self, values: Mapping[str, Any]) -> Attributes | None:
        """The JSON of plain values without secrets; None when one of them is not plain, or may hold media."""
        self.searched = frozenset()
        texts = plain_texts(*values.values(), max_length=self.max_length)
        clean = None if texts is None else _cleaned(texts)
        if clean is None:
            return None
        attributes = {name: plain_json(_with(value, clean) if clean else value) for name, value in values.items()}
        if None in attributes.values():
            return None
        self.searched = frozenset(values)
        return attributes


def _cleaned(texts: list[str]) -> dict[str, str] | None:
    """Texts in which a secret was found, and what they are without it; None when there may be media in them."""
    joined = _BETWEEN.join(texts)
    if may_be_inside(joined):
        return None
    clean = secrets.scrub(joined)
    if clean is joined:
        return {}
    pieces = clean.split(_BETWEEN)
    # A secret that goes on from one text to the next has to be found in their JSON.
    if len(pieces) != len(texts) or joined.count(_BETWEEN) != len(texts) - 1:
        return None
    return {text: piece for text, piece in zip(texts, pieces, strict=True) if text != piece}


def _with(value: Any, clean: Mapping[str, str]) -> Any:
    """A plain value with some of its texts replaced."""
    if isinstance(value, str):
        return clean.get(value, value)
    if isinstance(value, dict):
        return {clean.get(name, name): _with(item, clean) for name, item in value.items()}
    return [_with(item, clean) for item in value] if isinstance(value, list) else value
