"""Embeddings: how to read their requests and answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import semconv
from ._answer import failure, head
from ._content import Content, Message, Part, fields
from ._endpoint import Answer, Attributes
from ._request import strings


def request(body: Mapping[str, Any]) -> Attributes:
    encoding = body.get("encoding_format")
    return {semconv.REQUEST_ENCODING_FORMATS: (encoding,)} if isinstance(encoding, str) else {}


def prompt(body: Mapping[str, Any], content: Content) -> Attributes:
    """The texts, up to the length of one; a batch can be the whole of a library."""
    texts = strings(body.get("input"))
    parts: list[Part] = []
    room = content.max_length
    for text in texts:
        if parts and len(text) > room:
            parts.append({"type": "text", "content": f"[{len(texts) - len(parts)} more texts]"})
            break
        parts.append(content.text(text))
        room -= len(text)
    return {semconv.INPUT_MESSAGES: [{"role": "user", "parts": parts}]} if parts else {}


def response(value: Any) -> Answer:
    response = fields(value)
    answer = head(response, only_input=True)
    data = response.get("data")
    vector = fields(data[0]).get("embedding") if isinstance(data, list) and data else None
    if isinstance(vector, str):  # base64 of 4-byte floats
        answer.attributes[semconv.EMBEDDINGS_DIMENSION_COUNT] = len(vector) * 3 // 16
    elif isinstance(vector, (list, tuple)):
        answer.attributes[semconv.EMBEDDINGS_DIMENSION_COUNT] = len(vector)
    answer.error = failure(value, response, "data")
    return answer


def output(_value: Any, _content: Content) -> list[Message]:
    return []
