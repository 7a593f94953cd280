"""One part of a message, of chat completions and of the Responses API alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ._content import Content, Part, fields


def message_part(part: Mapping[str, Any], content: Content) -> Part:
    """One part of a message, of chat completions and of the Responses API."""
    kind = part.get("type")
    if kind in ("text", "input_text", "output_text"):
        return content.text(str(part.get("text", "")))
    if kind == "refusal":
        return content.text(str(part.get("refusal", "")), "refusal")
    if kind in ("image_url", "input_image"):
        return _picture(part, content)
    if kind == "input_audio":
        audio = fields(part.get("input_audio"))
        form = audio.get("format")
        return content.blob("audio", f"audio/{form}" if form else None, str(audio.get("data", "")))
    if kind in ("file", "input_file"):
        return _file(fields(part.get("file")) or part, content)
    return {"type": kind}


def _picture(part: Mapping[str, Any], content: Content) -> Part:
    url = part.get("image_url")
    url = url if isinstance(url, str) else fields(url).get("url")
    if isinstance(url, str):
        return content.media("image", url)
    return {"type": "file", "modality": "image", "file_id": part.get("file_id")}


def _file(file: Mapping[str, Any], content: Content) -> Part:
    source = file.get("file_data") or file.get("file_url")
    if isinstance(source, str):
        is_link = source.startswith(("data:", "http://", "https://"))
        found = content.media("file", source) if is_link else content.blob("file", None, source)
    else:
        found = {"type": "file", "modality": "file", "file_id": file.get("file_id")}
    if isinstance(file.get("filename"), str):
        found["filename"] = file["filename"]
    return found
