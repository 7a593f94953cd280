"""The parts of a message, of chat completions and of the Responses API alike.

A content is a text, a list of parts, or whatever else a host puts there: that is recorded as JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from .._content import Content, Part, as_text, fields

_TEXTS: Final = frozenset({"text", "input_text", "output_text"})
_REASONING: Final = frozenset({"thinking", "reasoning", "reasoning_text", "summary_text"})
_LINKS: Final = ("data:", "http://", "https://")
_SOUNDS: Final = frozenset({"audio", "input_audio", "output_audio"})
_MEDIA_URLS: Final = {  # modality, and the field that has the link
    "image_url": ("image", "image_url"),
    "input_image": ("image", "image_url"),
    "computer_screenshot": ("image", "image_url"),
    "video_url": ("video", "video_url"),
    "audio_url": ("audio", "audio_url"),
    "document_url": ("document", "document_url"),  # Mistral
}


def message_parts(value: Any, content: Content) -> list[Part]:
    """The parts of a message's content."""
    if type(value) is str:  # as most are
        return [content.text(value)]
    if value is None:
        return []
    values = value if isinstance(value, (list, tuple)) else (value,)
    return [_part(each, content) for each in values if each is not None]


def plain_text(value: Any, depth: int = 8) -> str:
    """The text of a text, of an object that has one, or of a list of them; of what lies deeper than that the JSON."""
    if depth and isinstance(value, (list, tuple)):
        return "".join(plain_text(each, depth - 1) for each in value)
    inside = fields(value) if depth else {}
    for name in ("text", "thinking", "summary", "content"):
        if inside.get(name) is not None:
            return plain_text(inside[name], depth - 1)
    return as_text(value)


def tool_calls(value: Any, content: Content) -> list[Part]:
    """The calls of an assistant's message: of functions, and of custom tools, whose input is any text."""
    calls = value if isinstance(value, (list, tuple)) else (value,) if fields(value) else ()
    return [_tool_call(call, content) for call in calls if call is not None]


def _tool_call(value: Any, content: Content) -> Part:
    call = fields(value)
    if not call:
        return content.tool_call(None, None, value)
    function = fields(call.get("function"))
    if function:
        return content.tool_call(call.get("id"), function.get("name"), function.get("arguments"))
    custom = fields(call.get("custom"))
    return content.tool_call(call.get("id"), custom.get("name"), custom.get("input"))


def _part(value: Any, content: Content) -> Part:
    if type(value) is str:
        return content.text(value)
    part = {} if isinstance(value, str) else fields(value)
    kind = part.get("type")
    if not isinstance(kind, str):
        return content.text(part["text"] if isinstance(part.get("text"), str) else value)
    if kind in _TEXTS:
        return content.text(part.get("text"))
    if kind in _REASONING:
        return content.text(plain_text(part), "reasoning")
    if kind == "refusal":
        return content.text(part.get("refusal"), "refusal")
    if kind in _MEDIA_URLS:
        return _linked(*_MEDIA_URLS[kind], part, content)
    if kind in _SOUNDS and ("transcript" in part or "audio" in part):
        return _heard(part, content)
    if kind == "input_audio":
        return _sound(part.get("input_audio"), content)
    if kind == "document" and part.get("document"):  # Cohere
        return content.text(fields(part["document"]).get("data") or part["document"])
    if kind in ("file", "input_file", "tool_file"):
        return _file(fields(part.get("file")) or part, content)
    return _inline(kind, part, content)


def _linked(modality: str, name: str, part: Mapping[str, Any], content: Content) -> Part:
    given = part.get(name)
    url = given if isinstance(given, str) else fields(given).get("url")
    return content.media(modality, url) if isinstance(url, str) else content.file(modality, part.get("file_id"))


def _sound(value: Any, content: Content) -> Part:
    """Base64 with its format; Mistral has a link or the base64 alone."""
    if isinstance(value, str):
        return content.media("audio", value) if value.startswith(_LINKS) else content.blob("audio", None, value)
    audio = fields(value)
    data, form = audio.get("data"), audio.get("format")
    return content.blob(
        "audio", f"audio/{form}" if isinstance(form, str) and form else None, data if isinstance(data, str) else ""
    )


def _heard(part: Mapping[str, Any], content: Content) -> Part:
    """Sound of the Realtime API: what was said, where that is known."""
    if part.get("transcript"):
        return content.text(part["transcript"])
    data = part.get("audio")
    return content.blob("audio", None, data) if isinstance(data, str) else content.other("audio")


def _file(file: Mapping[str, Any], content: Content) -> Part:
    source = file.get("file_data") or file.get("file_url")
    if isinstance(source, str):
        is_link = source.startswith(_LINKS)
        found = content.media("document", source) if is_link else content.blob("document", None, source)
    else:
        found = content.file("document", file.get("file_id"))
    return content.named(found, file["filename"]) if isinstance(file.get("filename"), str) else found


def _inline(kind: str, part: Mapping[str, Any], content: Content) -> Part:
    """A part of another API: MCP and Anthropic put the data of their media into it. Of an unknown one the type."""
    source = fields(part.get("source")) or part
    data, mime_type = source.get("data"), source.get("mimeType") or source.get("media_type")
    if isinstance(data, str) and kind in ("image", "audio", "document"):
        return content.blob(kind, mime_type if isinstance(mime_type, str) else None, data)
    return content.other(kind)
