"""Cohere's embeddings, of both versions of the API: how to read their requests and answers.

Of a vector only its length is wanted, so its numbers are never made.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from ... import semconv
from .._content import Content, Message, Part, fields, items
from .._endpoint import Attributes, Failure
from . import cohere_answer, embeddings
from .parts import message_parts
from .request import strings

_BITS: Final = {"binary": 8, "ubinary": 8}  # numbers in one of the vector's


class _Answer(msgspec.Struct):
    """The fields of an answer; others say nothing that is recorded."""

    embeddings: msgspec.Raw
    id: Any = None
    meta: Any = None


_answer: Final = msgspec.json.Decoder(_Answer)
_lists: Final = msgspec.json.Decoder(list[msgspec.Raw])
_by_type: Final = msgspec.json.Decoder(dict[str, list[msgspec.Raw]])


def request(body: Mapping[str, Any], attributes: Attributes) -> None:
    """The types of the numbers that are asked for."""
    kinds = strings(body.get("embedding_types"))
    if kinds:
        attributes[semconv.REQUEST_ENCODING_FORMATS] = kinds


def prompt(body: Mapping[str, Any], content: Content, attributes: Attributes) -> None:
    """The texts, up to the length of one, the pictures, and what has both."""
    embeddings.prompt({"input": body.get("texts")}, content, attributes)
    parts: list[Part] = [content.media("image", picture) for picture in strings(body.get("images"))]
    for each in map(fields, items(body.get("inputs"))):
        parts += message_parts(each.get("content"), content)
    if parts:
        said = attributes.get(semconv.INPUT_MESSAGES, [])
        attributes[semconv.INPUT_MESSAGES] = [*said, *content.complete([content.message("user", parts)])]


def document(body: bytes) -> Any:
    """The answer with the first vector of each type, raw; what has none as any other JSON."""
    try:
        found = _answer.decode(body)
        vectors = bytes(found.embeddings)
        first: Any = _lists.decode(vectors)[:1] if vectors.startswith(b"[") else _by_type.decode(vectors)
    except msgspec.ValidationError:
        return msgspec.json.decode(body)
    return {"embeddings": first, "id": found.id, "meta": found.meta}


def response(value: Any, attributes: Attributes) -> Failure | None:
    """What an answer says besides its vectors, and how long they are."""
    answer = fields(value)
    cohere_answer.head(answer, attributes, only_input=True)
    length = _dimensions(answer.get("embeddings"))
    if length:
        attributes[semconv.EMBEDDINGS_DIMENSION_COUNT] = length
    return cohere_answer.failure(value, answer, "embeddings")


def output(_value: Any, _content: Content) -> list[Message]:
    """Vectors are no messages."""
    return []


def _dimensions(value: Any) -> int | None:
    """How many numbers the first vector has, whatever type they are of."""
    named = fields(value)
    for kind, vectors in named.items() if named else (("", value),):
        if isinstance(vectors, (list, tuple)) and vectors:
            length = embeddings.dimensions(vectors[0])
            if length:
                return length * _BITS.get(kind.rstrip("_"), 1)
    return None
