"""What was said, ready to show: messages and their parts, arguments of tools, results, each cut where it is long."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, Final, Literal

from ...rows import Message, SpanBody
from .session import CUT, Piece, Said

LONGEST_SIGNATURE: Final = 200
_LONGEST_VALUE: Final = 100
_REFERENCE: Final = re.compile(r"<(\S{1,100}) of ([\d,]{1,20}) bytes, sha256\w* ([0-9a-f]{64})>")
_DIFF: Final = re.compile(r"^(?:@@ |diff --git |\+\+\+ |--- )", re.MULTILINE)
_CHANGED: Final = re.compile(r"^[+-]", re.MULTILINE)
_PICTURES: Final = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
_LARGEST_PICTURE: Final = 2_000_000
"""Characters of base64."""
Form = Literal["prose", "code", "json", "diff"]


def said(message: Message, where: str, *, again: bool = False) -> Said:
    """A message, ready to show.

    Args:
        message: the message.
        where: its place in the span, such as ``input.3``.
        again: whether it was shown before.
    """
    pieces = [piece(part, f"{where}.{number}") for number, part in enumerate(message.parts)]
    return Said(message.role, tuple(each for each in pieces if each.kind == "media" or each.text or each.name), again)


def piece(part: Mapping[str, Any], where: str) -> Piece:
    """A part of a message, ready to show."""
    kind = part.get("type")
    content = part.get("content")
    if kind in {"blob", "uri", "file"} or (isinstance(content, str) and _REFERENCE.fullmatch(content)):
        return _media(part)
    if kind == "text":
        return text_piece(as_text(content), where)
    if kind == "reasoning":
        return text_piece(as_text(content), where, kind="reasoning")
    if kind == "tool_call":
        arguments = part.get("arguments")
        shown = text_piece(as_text(arguments), where, kind="call", form="json")
        return _named(shown, as_text(part.get("name")), signature(arguments))
    if kind == "tool_call_response":
        response = part.get("response", part.get("result"))
        return text_piece(as_text(response), where, kind="result", form="code")
    rest = {name: value for name, value in part.items() if name != "type"}
    text = as_text(content) if set(rest) == {"content"} else as_text(rest)
    return text_piece(text, where, kind="other", form="code")


def text_piece(
    text: str,
    where: str,
    *,
    kind: Literal["text", "reasoning", "call", "result", "media", "other"] = "text",
    form: Form = "prose",
) -> Piece:
    """A text, cut at `CUT` bytes; a result that is JSON is indented if it is long, a diff says so."""
    size = len(text.encode(errors="replace"))
    if form != "prose":
        text, form = _laid_out(text)
    if len(text) <= CUT // 4:
        return Piece(kind, text, size, form)
    shown = text.encode(errors="replace")[:CUT].decode(errors="ignore")
    return Piece(kind, shown, size, form, where if len(shown) < len(text) else "")


def _named(shown: Piece, name: str, arguments: str) -> Piece:
    return Piece(shown.kind, shown.text, shown.size, shown.form, shown.whole, name=name, signature=arguments)


def _laid_out(text: str) -> tuple[str, Form]:
    if len(text) <= CUT and text[:1] in {"{", "[", '"'}:
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return text, "code"
        if isinstance(value, str):
            return value, "diff" if is_diff(value) else "code"
        line = json.dumps(value, ensure_ascii=False)
        return line if len(line) <= _LONGEST_VALUE else json.dumps(value, indent=2, ensure_ascii=False), "json"
    return text, "diff" if is_diff(text) else "code"


def is_diff(text: str) -> bool:
    """Whether a text looks like a diff: it says so, or most of its lines begin with + or -."""
    if "\n" not in text or len(text) > CUT:
        return False
    lines = text.count("\n") + 1
    changed = len(_CHANGED.findall(text))
    if _DIFF.search(text):
        return changed > 0
    return changed * 2 >= lines and "+" in text and "-" in text


def _media(part: Mapping[str, Any]) -> Piece:
    content = part.get("content", part.get("data"))
    mime = as_text(part.get("mime_type")) or as_text(part.get("modality"))
    uri, name = as_text(part.get("uri")), as_text(part.get("file_id") or part.get("name"))
    reference = next(
        (found for text in (content, uri) if isinstance(text, str) and (found := _REFERENCE.fullmatch(text))), None
    )
    if reference is not None:
        size = int(reference[2].replace(",", ""))
        return Piece("media", size=size, mime=reference[1], digest=reference[3], name=name)
    if isinstance(content, str) and content:
        shown = mime in _PICTURES and len(content) <= _LARGEST_PICTURE and _is_base64(content)
        return Piece("media", size=len(content) * 3 // 4, mime=mime, name=name, data=content if shown else "")
    return Piece("media", mime=mime, name=name, uri=uri)


def _is_base64(text: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9+/]+={0,2}", text) is not None


# ---------------------------------------------------------------------------------------------------------- arguments


def signature(arguments: Any) -> str:
    """The arguments of a call as one writes them: ``path="a.py", count=50``, at most 200 characters.

    A long or multi-line text is left out where there are others: it is shown below the call.
    """
    value = opened(arguments)
    if value is None or value in ("", {}):
        return ""
    if isinstance(value, list):
        return _shortened(", ".join(map(_literal, value)), LONGEST_SIGNATURE)
    if not isinstance(value, dict):
        return _shortened(_literal(value), LONGEST_SIGNATURE)
    shown = {name: _literal(each) for name, each in value.items() if not is_block(each)}
    shown = shown or dict.fromkeys(value, "…")
    return _shortened(", ".join(f"{name}={each}" for name, each in shown.items()), LONGEST_SIGNATURE)


def blocks(arguments: Any) -> list[tuple[str, str]]:
    """The arguments that are texts of several lines: name and text."""
    value = opened(arguments)
    if not isinstance(value, dict):
        return []
    return [(name, each) for name, each in value.items() if is_block(each)]


def is_block(value: Any) -> bool:
    """Whether an argument is a text of several lines."""
    return isinstance(value, str) and "\n" in value.strip()


def opened(value: Any) -> Any:
    """What a JSON text stands for; anything else as it is."""
    if not isinstance(value, str) or value[:1] not in {"{", "[", '"'} or len(value) > 16 * CUT:
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def task(arguments: str | None) -> str:
    """What an agent was asked, where its arguments are one text; else its arguments as one writes them."""
    value = opened(arguments)
    for _ in range(3):
        if isinstance(value, dict) and len(value) == 1:
            value = next(iter(value.values()))
        elif isinstance(value, list) and len(value) == 1:
            value = value[0]
    if isinstance(value, str):
        return value
    return signature(arguments) if arguments else ""


def _literal(value: Any) -> str:
    if isinstance(value, str) and len(value) > _LONGEST_VALUE:
        value = value[: _LONGEST_VALUE - 1] + "…"
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        text = str(value)
    return _shortened(text, _LONGEST_VALUE + 2)


def _shortened(text: str, most: int) -> str:
    line = " ".join(text.split("\n"))
    return line if len(line) <= most else line[: most - 1] + "…"


# ------------------------------------------------------------------------------------------------------------- texts


def as_text(value: Any) -> str:
    """A text as it is, nothing as an empty one, anything else as JSON."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    try:
        return json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        return str(value)


def text_of(message: Message) -> str:
    """The text of a message."""
    texts = [as_text(part.get("content")) for part in message.parts if part.get("type") == "text"]
    return "\n".join(filter(None, texts))


def mark(message: Message) -> str:
    """What is equal for equal messages."""
    return message.digest or hashlib.sha256(repr((message.role, message.parts)).encode(errors="replace")).hexdigest()


def gist(value: Any) -> str:
    """What is equal for equal results, whether they are a value or its JSON."""
    for _ in range(2):
        value = opened(value)
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.strip().encode(errors="replace")).hexdigest()


def lines_in(text: str) -> int:
    """How many lines a text has."""
    return text.rstrip("\n").count("\n") + 1


def whole_text(body: SpanBody, where: str) -> str | None:
    """The whole text at a place of a span, such as ``input.3.0``, ``result`` or ``attributes.http.url``."""
    name, _, rest = where.partition(".")
    if name in {"arguments", "result", "logs", "stack"}:
        text: str | None = getattr(body, name)
        return text
    if name == "attributes":
        return as_text(body.attributes[rest]) if rest in body.attributes else None
    numbers = [int(number) for number in rest.split(".") if number.isdecimal() and len(number) < 8]
    try:
        if name == "system":
            return _whole_part(body.system[numbers[0]])
        messages = {"input": body.input, "output": body.output}[name]
        return _whole_part(messages[numbers[0]].parts[numbers[1]])
    except (KeyError, IndexError):
        return None


def _whole_part(part: Mapping[str, Any]) -> str:
    for name in ("content", "arguments", "response", "result"):
        if part.get(name) is not None:
            return as_text(part[name])
    return as_text(dict(part))
