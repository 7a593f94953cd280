"""The content blocks of Anthropic's Messages API, in requests and answers alike, as parts of a message."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from .._content import Content, Part, fields
from .parts import plain_text

_MOST_DEPTH: Final = 3  # of blocks in blocks: a tool's result has documents, which have texts
_NAMED: Final = ("id", "tool_use_id", "name", "server_name")  # what is recorded of a block of another kind


def message_parts(value: Any, content: Content, depth: int = _MOST_DEPTH) -> list[Part]:
    """The parts of a content: a text, a list of blocks, or whatever else stands there."""
    if type(value) is str:
        return [content.text(value)]
    values = value if isinstance(value, (list, tuple)) else (value,)
    return [part for each in values if each is not None for part in _block(each, content, depth)]


def _block(value: Any, content: Content, depth: int) -> list[Part]:
    if isinstance(value, str):
        return [content.text(value)]
    block = fields(value)
    kind = block.get("type")
    if not isinstance(kind, str):
        return [content.text(block["text"] if isinstance(block.get("text"), str) else value)]
    if kind == "text":
        return [content.text(block.get("text"))]
    if depth and kind in _INSIDE:
        return _INSIDE[kind](block, content, depth - 1)
    return _KINDS.get(kind, _other)(block, content)


def _thinking(block: Mapping[str, Any], content: Content) -> list[Part]:
    text = plain_text(block.get("thinking"))
    return [content.text(text, "reasoning")] if text else []  # a model may keep it to itself


def _tool_use(block: Mapping[str, Any], content: Content) -> list[Part]:
    return [content.tool_call(block.get("id"), block.get("name"), block.get("input"))]


def _tool_result(block: Mapping[str, Any], content: Content, depth: int) -> list[Part]:
    found = block.get("content")
    response = found if isinstance(found, str) else message_parts(found, content, depth)
    return [content.tool_response(block.get("tool_use_id"), response)]


def _search_result(block: Mapping[str, Any], content: Content, depth: int) -> list[Part]:
    return message_parts(block.get("content"), content, depth)


def _image(block: Mapping[str, Any], content: Content) -> list[Part]:
    return [_media("image", block, content)]


def _document(block: Mapping[str, Any], content: Content, depth: int) -> list[Part]:
    source = fields(block.get("source"))
    kind = source.get("type")
    if kind == "text":
        return [content.text(source.get("data"))]
    if kind == "content":
        return message_parts(source.get("content"), content, depth)
    part, title = _media("document", block, content), block.get("title")
    return [content.named(part, title) if isinstance(title, str) else part]


def _upload(block: Mapping[str, Any], content: Content) -> list[Part]:
    return [content.file("document", block.get("file_id"))]


def _compaction(block: Mapping[str, Any], content: Content) -> list[Part]:
    summary = block.get("content")
    return [content.text(summary, "compaction")] if summary is not None else _other(block, content)


def _other(block: Mapping[str, Any], content: Content) -> list[Part]:
    """A block of another kind: of a tool that runs at the provider which one, not its pages of results."""
    more = {name: block[name] for name in _NAMED if isinstance(block.get(name), str)}
    return [content.other(block["type"], **more)]


def _media(modality: str, block: Mapping[str, Any], content: Content) -> Part:
    """A reference to what is there as base64, as a link, or as a file that the provider has already."""
    source = fields(block.get("source"))
    data, url, mime_type = source.get("data"), source.get("url"), source.get("media_type")
    if isinstance(data, str):
        return content.blob(modality, mime_type if isinstance(mime_type, str) else None, data)
    return content.media(modality, url) if isinstance(url, str) else content.file(modality, source.get("file_id"))


_INSIDE: Final[Mapping[str, Callable[[Mapping[str, Any], Content, int], list[Part]]]] = {
    "tool_result": _tool_result,
    "search_result": _search_result,
    "document": _document,
}
_KINDS: Final[Mapping[str, Callable[[Mapping[str, Any], Content], list[Part]]]] = {
    "thinking": _thinking,
    "tool_use": _tool_use,
    "image": _image,
    "container_upload": _upload,
    "compaction": _compaction,
}
