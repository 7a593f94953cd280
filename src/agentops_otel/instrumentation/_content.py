"""Recorded content: message parts after the GenAI schema, cut text, media as references, and their JSON.

Schema: https://github.com/open-telemetry/semantic-conventions/blob/main/docs/gen-ai/gen-ai-input-messages.json
Media never go on a span. What stands there is a reference: type, size and a digest, as `media.py` says.

Secrets are looked for in the texts, before they become JSON: there a quote that ends a text cannot be told from one
in it. One search goes through all texts of a call together, because most calls have no secret.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, Final

from .. import secrets, semconv
from ..media import digest, digest_of, may_be_inside, replaced, type_of
from ..text import cut, plain_text
from ..values import MAX_DEPTH, MAX_ITEMS, are_small, plain_json, plain_texts, to_json, to_text
from . import _clean_texts

# What stands in nearly every message, and is no secret.
_WORDS: Final = frozenset({
    "system", "developer", "user", "assistant", "tool", "stop", "length", "tool_call", "content_filter", "error",
})  # fmt: skip
# How much JSON may make of a character of what was JSON, and of a part or a message without its texts.
_LENGTH_OF_A_CHARACTER: Final = 12
_LENGTH_OF_AN_OBJECT: Final = 600
_MOST_DEPTH: Final = MAX_DEPTH - 5  # in a part of a response in a part of a message
_IDS: Final = (semconv.RESPONSE_ID, semconv.REQUEST_ID)

NOTHING: Final[Mapping[str, Any]] = {}
_LEFT_OUT: Final = ("Omit", "NotGiven")  # classes of the SDKs' values for arguments that were not given

_FINISH: Final = {"tool_calls": "tool_call", "function_call": "tool_call", "cancelled": "error", "eos": "stop"}

# Between two texts of one search: a word begins behind it, no value goes on across it, and there is a blank in it for
# the search for media, which looks for long runs without one.
_BETWEEN: Final = "\n\x1f \n"

Attributes = dict[str, Any]
Part = dict[str, Any]
Message = dict[str, Any]


def fields(value: Any) -> Mapping[str, Any]:
    """The fields of a JSON object or a pydantic model, unknown ones included; of anything else none."""
    if type(value) is dict:
        return value
    if value is None:
        return NOTHING
    try:
        known: Mapping[str, Any] = value.__dict__
        unknown = value.__pydantic_extra__
    except AttributeError:
        return value if isinstance(value, dict) else getattr(value, "__dict__", NOTHING)
    return {**known, **unknown} if unknown else known


def items(value: Any) -> Iterable[Any]:
    """The elements of a list or tuple; of anything else none: an iterator is the caller's to consume."""
    return value if isinstance(value, (list, tuple)) else ()


def sent(body: Mapping[str, Any]) -> dict[str, Any]:
    """A body without the arguments that were not given, which an SDK leaves out where it sends it."""
    return {name: value for name, value in body.items() if type(value).__name__ not in _LEFT_OUT}


def as_text(value: Any) -> str:
    """A text as it is, nothing as an empty one, any other value as JSON."""
    if isinstance(value, str):
        return plain_text(value)
    return "" if value is None else to_json(value)


def message_finish(reason: Any) -> str:
    """Why an answer's message ended, in the words of the schema, which asks for one: `error` when none ever came."""
    return _FINISH.get(reason, reason) if isinstance(reason, str) and reason else "error"


class Content:
    """Makes messages and their parts, with texts of at most `max_length` characters, and remembers all their texts.

    Attributes:
        searched: names of the attributes in which there is no secret.
        known: the known secrets that were looked for in them.
    """

    __slots__ = ("_complete", "_is_plain", "_length", "_looked_through", "_texts", "known", "max_length", "searched")

    def __init__(self, max_length: int) -> None:
        self.max_length: int = max_length
        self.searched: tuple[str, ...] = ()
        self.known: tuple[str, ...] = secrets.forms
        self._texts: list[str] = []
        self._length = 0  # at most, of the JSON of what is no text
        self._is_plain = True
        self._looked_through: list[str] = []  # texts in which there is no media any more
        self._complete: list[list[Message]] = []

    def complete(self, messages: list[Message]) -> list[Message]:
        """Say of messages that there is no text in them but what methods of this object were given.

        Others are looked through once more, which costs as much as all the rest.
        """
        self._complete.append(messages)
        return messages

    def message(self, role: str, parts: list[Part], finish_reason: str | None = None, name: Any = None) -> Message:
        """A message; a name that is no text is left out."""
        role = plain_text(role)
        message: Message = {"role": role, "parts": parts}
        if role not in _WORDS:
            self._texts.append(role)
        if finish_reason is not None:
            finish_reason = message["finish_reason"] = plain_text(finish_reason)
            if finish_reason not in _WORDS:
                self._texts.append(finish_reason)
        elif name is not None and isinstance(name, str):
            message["name"] = self._noted(name)
        return message

    def text(self, value: Any, kind: str = "text") -> Part:
        """A text; what is none, although it stands where one is expected, as JSON."""
        text = value if type(value) is str else as_text(value)
        if len(text) > self.max_length:
            text = self._without_media(text)
        self._texts.append(text)
        return {"type": kind, "content": text}

    def _without_media(self, text: str) -> str:
        """A long text with references in the place of media, cut."""
        text = cut(replaced(text, self.max_length), self.max_length)
        self._looked_through.append(text)
        return text

    def tool_call(self, call_id: Any, name: Any, arguments: Any) -> Part:
        return {
            "type": "tool_call",
            "id": None if call_id is None else self._noted(as_text(call_id)),
            "name": self._noted(as_text(name)),
            "arguments": self._value(arguments),
        }

    def tool_response(self, call_id: Any, response: str | list[Part]) -> Part:
        return {
            "type": "tool_call_response",
            "id": None if call_id is None else self._noted(as_text(call_id)),
            "response": self._noted(response) if isinstance(response, str) else response,
        }

    def other(self, kind: str, **more: Any) -> Part:
        """A part of which only this is recorded."""
        for value in more.values():
            if isinstance(value, str):
                self._texts.append(value)
            elif value is not None:
                self._is_plain = False
        return {"type": self._noted(kind), **more}

    def file(self, modality: str, file_id: Any) -> Part:
        """A picture, sound or file that the provider has already."""
        return {"type": "file", "modality": modality, "file_id": self._noted(as_text(file_id))}

    def named(self, part: Part, name: str) -> Part:
        """A file with its name."""
        part["filename"] = self._noted(name)
        return part

    def _noted(self, text: str) -> str:
        text = plain_text(text)
        self._texts.append(text)
        return text

    def _value(self, value: Any) -> Any:
        """JSON text as the value it stands for; text that is too long or no JSON stays text."""
        found = value
        if isinstance(value, str) and len(value) <= self.max_length and value.startswith(("{", "[")):
            with suppress(ValueError):
                found = json.loads(value)
        if isinstance(found, str):
            return self._noted(found)
        texts = plain_texts(found, max_length=self.max_length, depth=_MOST_DEPTH)
        written = value if isinstance(value, str) else None if texts is None else plain_json(found)
        if texts is None or written is None:
            self._is_plain = False
        else:
            self._texts += texts
            self._length += len(written) * _LENGTH_OF_A_CHARACTER
        return found

    def media(self, modality: str, source: str) -> Part:
        """A picture, sound or file from a URL: a link as it is, `data:` as a reference."""
        if not source.startswith("data:"):
            uri = self._noted(self._without_media(source))
            return {"type": "uri", "modality": modality, "uri": uri}
        head = source[: source.find(",", 0, 512) + 1]
        mime_type = head[5:].partition(";")[0].rstrip(",") or None
        return self.blob(modality, mime_type, source, skip=len(head))

    def blob(self, modality: str, mime_type: str | None, base64: str, skip: int = 0) -> Part:
        """A reference to base64 text that starts after `skip` characters."""
        return self._reference(modality, mime_type, *digest(base64, skip))

    def binary(self, modality: str, mime_type: str | None, data: bytes) -> Part:
        """A reference to bytes, whose type is known by how they begin when it is not given."""
        return self._reference(modality, mime_type or type_of(data), len(data), *digest_of(data))

    def _reference(self, modality: str, mime_type: str | None, size: int, name: str, value: str) -> Part:
        return {
            # Not `blob`, which has to have the content.
            "type": "file",
            "modality": modality,
            "mime_type": self._noted(mime_type) if isinstance(mime_type, str) else mime_type,
            "file_id": f"{name}:{value}",
            "bytes": size,
            name: value,
        }

    def encoded(self, values: Mapping[str, Any], beside: Mapping[str, Any] = NOTHING) -> Attributes:
        """Attributes of JSON, of a text as it is.

        What is not plain text, or may be media, is written with care and not in `searched`.

        Args:
            beside: other attributes of the span, of which ids are searched together with these: they are always new.
        """
        attributes = self._written(values, self._all_texts(values), beside)
        if attributes is None:  # look at each as a whole
            attributes = {}
            for name, value in values.items():
                texts = plain_texts(value, max_length=self.max_length)
                one = self._written({name: value}, texts, NOTHING)
                attributes |= {name: to_text(value, max_length=self.max_length)} if one is None else one
        return attributes

    def _all_texts(self, values: Mapping[str, Any]) -> list[str] | None:
        """The texts of plain values; None when they are not, or cannot be told so quickly."""
        complete = {*map(id, self._complete)}
        objects = len(self._texts) + sum(map(len, self._complete))
        length = self._length + objects * _LENGTH_OF_AN_OBJECT
        if not self._is_plain or objects > MAX_ITEMS or not are_small(self._texts, length, self.max_length):
            return None
        others = [value for value in values.values() if id(value) not in complete]
        if not others:
            return self._texts
        texts = plain_texts(*others, max_length=self.max_length)
        return None if texts is None else texts + self._texts

    def _written(
        self, values: Mapping[str, Any], texts: list[str] | None, beside: Mapping[str, Any]
    ) -> Attributes | None:
        """The JSON of plain values without secrets; None when they are not plain, or may hold media."""
        if texts is None:
            return None
        ids = {name: found for name in _IDS if type(found := beside.get(name)) is str}
        clean = self._cleaned(texts, [*ids.values()])
        if clean is None:
            return None
        attributes: Attributes = {}
        for name, value in values.items():
            found = _with(value, clean) if clean else value
            text = found if isinstance(found, str) else plain_json(found)
            if text is None:
                return None
            attributes[name] = text
        self.searched += (*values,) if clean else (*values, *ids)
        return attributes

    def _cleaned(self, texts: list[str], ids: list[str]) -> dict[str, str] | None:
        """Texts in which a secret was found, and what they are without it; None when there may be media in them.

        Args:
            ids: texts that never come again.
        """
        clean, through = _clean_texts.of(self.known), self._looked_through
        fresh = clean.others(texts)
        found = _searched([*fresh, *ids], through)
        if found:  # it may go on in a text that is clean alone, as a private key does
            return _searched([*texts, *ids], through)
        if found is not None:  # (where media was taken out of a text, it may be in the same one when that comes again)
            clean.keep([text for text in fresh if text not in through] if through else fresh)
        return found


def _searched(texts: list[str], looked_through: list[str]) -> dict[str, str] | None:
    """As `Content._cleaned()`.

    Args:
        looked_through: those in which no media is left.
    """
    joined = _BETWEEN.join(texts)
    unsure = joined
    if looked_through:
        ids = {*map(id, looked_through)}
        unsure = _BETWEEN.join(text for text in texts if id(text) not in ids)
    if may_be_inside(unsure):
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
