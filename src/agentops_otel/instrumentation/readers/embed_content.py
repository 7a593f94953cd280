"""Embeddings of Google's APIs: `batchEmbedContents` and `embedContent`, and `predict` of Vertex AI.

Of a vector only its length is wanted, so that its numbers are not made where the answer is still JSON.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from ... import semconv
from .._content import Content, Message, Part, fields, items
from .._endpoint import Attributes, Failure
from . import embeddings
from .generate import failed
from .generate_parts import content_parts, message_parts, said
from .generate_usage import write_usage
from .usage import count, write_tokens

_ANSWER: Final = ("embeddings", "embedding", "predictions")


class _Vector(msgspec.Struct):
    values: msgspec.Raw
    statistics: Any = None


class _Prediction(msgspec.Struct):
    embeddings: _Vector


class _Vectors(msgspec.Struct, rename="camel"):
    """The fields of an answer; others say nothing that is recorded."""

    embeddings: list[_Vector] = []
    embedding: _Vector | None = None
    predictions: list[_Prediction] = []
    usage_metadata: Any = None


_vectors: Final = msgspec.json.Decoder(_Vectors)


def request(_body: Mapping[str, Any], _attributes: Attributes) -> None:
    """There are no settings that the conventions have a name for."""


def prompt(body: Mapping[str, Any], content: Content, attributes: Attributes) -> None:
    """The texts, up to the length of one, and the references to media."""
    texts: list[str] = []
    media: list[Part] = []
    for part in (part for each in _contents(body) for part in content_parts(each)):
        text = part if isinstance(part, str) else fields(part).get("text")
        if isinstance(text, str):
            texts.append(text)
        else:
            media += message_parts(part, content)
    if media:
        attributes[semconv.INPUT_MESSAGES] = content.complete([content.message("user", media)])
    if texts:
        embeddings.prompt({"input": texts}, content, attributes)
        attributes[semconv.INPUT_MESSAGES][0]["parts"] += media


def _contents(body: Mapping[str, Any]) -> Iterable[Any]:
    """What is to be embedded, in each of the three shapes of a request."""
    several = [*items(body.get("requests")), *items(body.get("instances"))]
    return [each for request in [*map(fields, several), body] if (each := request.get("content")) is not None]


def document(body: str | bytes) -> Any:
    """The answer with raw vectors; what has none as any other JSON."""
    try:
        answer = _vectors.decode(body)
    except msgspec.ValidationError:
        return msgspec.json.decode(body)
    found = answer.embeddings or [each.embeddings for each in answer.predictions]
    if answer.embedding is not None:
        found = [*found, answer.embedding]
    if not found:
        return msgspec.json.decode(body)
    vectors = [{"values": each.values, "statistics": each.statistics} for each in found]
    return {"embeddings": vectors, "usageMetadata": answer.usage_metadata}


def response(value: Any, attributes: Attributes) -> Failure | None:
    """The tokens, and how long a vector is."""
    response = fields(value)
    found = [fields(each) for each in _embeddings_of(response)]
    usage = fields(said(response, "usageMetadata"))
    if usage:
        write_usage(usage, attributes, only_input=True)
    else:
        write_tokens(attributes, _counted(found), None)
    length = embeddings.dimensions(found[0].get("values")) if found else None
    if length is not None:
        attributes[semconv.EMBEDDINGS_DIMENSION_COUNT] = length
    return failed(value, response, _ANSWER)


def _embeddings_of(response: Mapping[str, Any]) -> list[Any]:
    """The embeddings, each with its vector."""
    predicted = [fields(each).get("embeddings") for each in items(response.get("predictions"))]
    single = response.get("embedding")
    return predicted or [*items(response.get("embeddings"))] or ([] if single is None else [single])


def _counted(vectors: list[Mapping[str, Any]]) -> int | None:
    """The tokens of all embeddings; None where one of them does not say its own."""
    counts = [count(said(fields(each.get("statistics")), "tokenCount")) for each in vectors]
    known = [tokens for tokens in counts if tokens is not None]
    return sum(known) if known and len(known) == len(counts) else None


def output(_value: Any, _content: Content) -> list[Message]:
    """Vectors are not recorded."""
    return []
