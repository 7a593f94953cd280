"""Bodies of models that make embeddings: Titan's, Nova's and Marengo's.

Reference: https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ... import semconv
from .._content import Content, Message, fields
from .._endpoint import Attributes, Failure
from . import embeddings
from .answer import failure
from .request import strings
from .usage import count, write_tokens

_VECTORS: Final = ("embedding", "embeddings", "embeddingsByType", "data", "float", "int8", "binary")
_MOST_DEPTH: Final = 6


def request(body: Mapping[str, Any], attributes: Attributes) -> None:
    """The formats that are asked for."""
    formats = strings(body.get("embeddingTypes"))
    if formats:
        attributes[semconv.REQUEST_ENCODING_FORMATS] = formats


def prompt(body: Mapping[str, Any], content: Content, attributes: Attributes) -> None:
    """The text, or the picture."""
    inner = fields(fields(body.get("singleEmbeddingParams")).get("text")).get("value")  # Nova
    parts = embeddings.parts([text for given in (body.get("inputText"), inner) for text in strings(given)], content)
    parts += [content.blob("image", None, image) for image in strings(body.get("inputImage"))]
    if parts:
        attributes[semconv.INPUT_MESSAGES] = content.complete([content.message("user", parts)])


def response(value: Any, attributes: Attributes) -> Failure | None:
    """The length of a vector, and the tokens of the input."""
    response = fields(value)
    write_tokens(attributes, count(response.get("inputTextTokenCount")), None)
    length = _dimensions(value)
    if length is not None:
        attributes[semconv.EMBEDDINGS_DIMENSION_COUNT] = length
    reply_id = response.get("id")
    if reply_id and isinstance(reply_id, str):
        attributes[semconv.RESPONSE_ID] = reply_id
    return failure(value, response, next((name for name in _VECTORS if response.get(name)), "embedding"))


def output(_value: Any, _content: Content) -> list[Message]:
    """Nothing: of a vector only its length is recorded."""
    return []


def _dimensions(value: Any, depth: int = _MOST_DEPTH) -> int | None:
    """How many numbers the first vector has: in a list, or in an object by type."""
    if not depth:
        return None
    if isinstance(value, (list, tuple)):
        first = next(iter(value), None)
        return len(value) if isinstance(first, (int, float)) else _dimensions(first, depth - 1)
    said = fields(value)
    inner = (said[name] for name in _VECTORS if name in said)
    return next((found for each in inner if (found := _dimensions(each, depth - 1)) is not None), None)
