"""The parts of a message of Gemini's API. A field has two names: `mimeType` on the wire, `mime_type` in the SDK.

A part has no type: it is named by the only field that says something.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from .._content import Content, Part, as_text, fields, items

_CAPITAL: Final = re.compile(r"(?=[A-Z])")
_MODALITIES: Final = frozenset({"image", "audio", "video"})
_CODE: Final = "code_execution"
_ABOUT: Final = frozenset({"text", "thought", "thoughtSignature", "thought_signature"})  # no part by itself


@lru_cache(maxsize=256)
def _sdk_name(name: str) -> str:
    return _CAPITAL.sub("_", name).lower()


def said(value: Mapping[str, Any], name: str) -> Any:
    """A field by its name on the wire, or by the SDK's own, which some of its releases send."""
    found = value.get(name)
    return value.get(_sdk_name(name)) if found is None else found


def content_parts(value: Any) -> list[Any]:
    """The parts of a `Content`, as they are; a text or a part alone is one, too."""
    found = fields(value)
    if "parts" in found:
        value = found["parts"]
    return [each for each in items(value) or (value,) if each is not None]


def message_parts(value: Any, content: Content) -> list[Part]:
    """The parts of a `Content` in the words of the schema; one that says nothing is left out."""
    return [part for each in content_parts(value) if (part := _part(each, content)) is not None]


def _part(value: Any, content: Content) -> Part | None:
    part = fields(value)
    if not part:
        return content.text(value) if value else None
    text = part.get("text")
    if text:
        return content.text(text, "reasoning" if part.get("thought") is True else "text")
    for name, read in _KINDS.items():
        found = said(part, name)
        if found is not None:
            return read(fields(found), content)
    tool = said(part, "toolCall") or said(part, "toolResponse")
    if tool is not None:  # run at the provider: which one, not its pages of results
        found = fields(tool)
        return content.other(as_text(said(found, "toolType")).lower() or "tool", id=_text(found.get("id")))
    kind = next((name for name, each in part.items() if each is not None and name not in _ABOUT), None)
    return None if kind is None else content.other(as_text(kind))


def _call(call: Mapping[str, Any], content: Content) -> Part:
    return content.tool_call(call.get("id"), call.get("name"), call.get("args"))


def _answer(answer: Mapping[str, Any], content: Content) -> Part:
    call_id = answer.get("id") or answer.get("name")
    text, media = as_text(answer.get("response")), message_parts(answer.get("parts"), content)
    return content.tool_response(call_id, [content.text(text), *media] if media else text)


def media(file: Mapping[str, Any], content: Content) -> Part:
    """A picture, sound or file: the reference to its data, or its link."""
    data, uri = file.get("data"), said(file, "fileUri") or file.get("uri")
    mime_type, kind = _text(said(file, "mimeType")), _text(file.get("type"))
    modality = kind if kind in _MODALITIES else _modality(mime_type)
    if isinstance(uri, str) and not isinstance(data, str):
        return _named(content.media(modality, uri), file, content)
    plain = data if isinstance(data, str) else ""
    if "-" in plain or "_" in plain:  # the SDK sends the alphabet of URLs; a file has one digest, whoever sends it
        plain = plain.replace("-", "+").replace("_", "/")
    return _named(content.blob(modality, mime_type, plain), file, content)


def _code(code: Mapping[str, Any], content: Content) -> Part:
    arguments = {name: code[name] for name in ("language", "code") if code.get(name) is not None}
    return content.tool_call(code.get("id"), _CODE, arguments)


def _result(result: Mapping[str, Any], content: Content) -> Part:
    output = result.get("output")
    return content.tool_response(result.get("id"), as_text(result.get("outcome") if output is None else output))


_KINDS: Final = {
    "functionCall": _call,
    "functionResponse": _answer,
    "inlineData": media,
    "fileData": media,
    "executableCode": _code,
    "codeExecutionResult": _result,
}


def _named(part: Part, file: Mapping[str, Any], content: Content) -> Part:
    name = _text(said(file, "displayName"))
    return part if name is None else content.named(part, name)


def _modality(mime_type: str | None) -> str:
    kind = (mime_type or "").partition("/")[0]
    return kind if kind in _MODALITIES else "document"


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
