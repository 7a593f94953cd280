"""The feature-extraction task of Hugging Face: vectors alone, one for each text or for each of its tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from .._content import Content
from .._endpoint import Attributes
from . import embeddings


def prompt(body: Mapping[str, Any], content: Content, attributes: Attributes) -> None:
    """The texts."""
    embeddings.prompt({"input": body.get("inputs")}, content, attributes)


def document(body: bytes) -> Any:
    """The first vector, unread, in the shape that OpenAI's answers have."""
    try:
        while (found := msgspec.json.decode(body, type=list[msgspec.Raw])) and bytes(found[0]).startswith(b"["):
            body = bytes(found[0])
    except msgspec.ValidationError:  # a failure
        return msgspec.json.decode(body)
    return {"data": [{"embedding": msgspec.Raw(body)}]}
