"""Contents as bytes, and their words for the full-text search."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

from .bodies import Kind
from .encoding import UNWRITABLE, decode, deflate, encode, encoded, inflate

SEARCHED: Final = 100_000
"""So many characters of one content are searched."""


def searchable(data: bytes, kind: str) -> str:
    """The words of a content, as the index has them. A change here needs a migration that builds the index anew."""
    return "" if kind == "tools" else _words(decode(inflate(data)), kind)


def packed_content(kind: Kind, value: Any) -> tuple[bytes, str]:
    """The bytes of a content, and its words."""
    try:
        data = encode(value)
        words = "" if kind == "tools" else _words(value, kind)
    except UNWRITABLE:
        data = encoded(value)
        words = "" if kind == "tools" else _words(decode(data), kind)
    return deflate(data), words


def _words(value: Any, kind: str) -> str:
    if kind == "text":
        return str(value)[:SEARCHED]
    return "\n".join(_texts(value[1] if kind == "message" else value))[:SEARCHED]


_json: Final = json.JSONEncoder(ensure_ascii=False).encode  # json.dumps() makes one each time


def _texts(parts: Any) -> Iterable[str]:
    for part in parts:
        if not isinstance(part, dict):
            continue
        for name in ("content", "name", "arguments", "response", "result"):
            value = part.get(name)
            if isinstance(value, str):
                # Not what is no text: a picture's bytes.
                if part.get("type") not in {"blob", "uri", "file"}:
                    yield value
            elif value is not None:
                yield _json(value)
