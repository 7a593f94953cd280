"""Embeddings: how to read their requests and answers.

Of a vector only its length is wanted, so its numbers are never made: the answer is decoded with each vector as the text
it is in the JSON.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from ... import semconv
from .._content import Content, Message, Part, as_text, fields
from .._endpoint import Attributes, Endpoint, Failure
from .answer import failure, head
from .request import strings


class _Item(msgspec.Struct):
    embedding: msgspec.Raw


class _Vectors(msgspec.Struct):
    """The fields of an answer; others say nothing that is recorded."""

    data: list[_Item]
    id: Any = None
    model: Any = None
    object: Any = None
    usage: Any = None
    x_groq: Any = None
    choices: Any = None
    service_tier: Any = None
    system_fingerprint: Any = None
    error: Any = None
    message: Any = None
    detail: Any = None


_vectors: Final = msgspec.json.Decoder(_Vectors)


def request(body: Mapping[str, Any], attributes: Attributes) -> None:
    """The settings of a request."""
    encoding = body.get("encoding_format")
    if isinstance(encoding, str):
        attributes[semconv.REQUEST_ENCODING_FORMATS] = (encoding,)


def prompt(body: Mapping[str, Any], content: Content, attributes: Attributes) -> None:
    """The texts, up to the length of one; a batch can be the whole of a library."""
    found = parts(strings(body.get("input")), content)
    if found:
        attributes[semconv.INPUT_MESSAGES] = content.complete([content.message("user", found)])


def parts(values: Sequence[Any], content: Content) -> list[Part]:
    """Texts, up to the length of one, and how many more there are."""
    found: list[Part] = []
    room = content.max_length
    for value in values:
        text = as_text(value)
        if found and len(text) > room:
            found.append({"type": "text", "content": f"[{len(values) - len(found)} more texts]"})
            break
        found.append(content.text(text))
        room -= len(text)
    return found


def document(body: bytes) -> Any:
    """The answer with raw vectors; what has none as any other JSON."""
    try:
        found = _vectors.decode(body)
    except msgspec.ValidationError:
        return msgspec.json.decode(body)
    answer = msgspec.structs.asdict(found)
    answer["data"] = [{"embedding": item.embedding} for item in found.data[:1]]
    return answer


def response(value: Any, attributes: Attributes) -> Failure | None:
    """What an answer says besides its vectors."""
    response = fields(value)
    head(response, attributes, only_input=True)
    data = response.get("data")
    length = dimensions(fields(data[0]).get("embedding")) if isinstance(data, list) and data else None
    if length is not None:
        attributes[semconv.EMBEDDINGS_DIMENSION_COUNT] = length
    return failure(value, response, "data")


def output(_value: Any, _content: Content) -> list[Message]:
    """Vectors are not recorded."""
    return []


def dimensions(vector: Any) -> int | None:
    """How many numbers a vector has; None for what is none."""
    if isinstance(vector, msgspec.Raw):
        return _dimensions_of_json(bytes(vector))
    if isinstance(vector, str):  # base64 of 4-byte floats
        return len(vector) * 3 // 16
    return len(vector) if isinstance(vector, (list, tuple)) else None


def _dimensions_of_json(vector: bytes) -> int | None:
    if vector.startswith(b'"') and b"\\" not in vector and vector.isascii():
        return (len(vector) - 2) * 3 // 16
    if vector.startswith(b"[") and vector.find(b"[", 1) < 0 and b'"' not in vector and b"{" not in vector:
        return vector.count(b",") + 1 if vector[1:-1].strip() else 0
    return dimensions(msgspec.json.decode(vector))


EMBEDDINGS: Final = Endpoint(semconv.OPERATION_EMBEDDINGS, request, prompt, response, output, document=document)
