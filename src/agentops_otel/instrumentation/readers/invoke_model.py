"""Bedrock's InvokeModel: the body is the model's own, and so is the answer, with the tokens also beside it.

Besides what a model says itself, Bedrock counts its tokens: in headers, or in the last chunk of a stream.
API reference: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModel.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from ... import semconv
from .. import _framing
from .._content import Content, Message, fields, items
from .._endpoint import Attributes, Endpoint, Failure, Fold
from . import chat, converse
from .chat_fold import ChatFold

_METRICS: Final = "amazon-bedrock-invocationMetrics"
_ACTION: Final = "amazon-bedrock-guardrailAction"
_WITHOUT_OUTPUT: Final = (semconv.OPERATION_EMBEDDINGS, semconv.OPERATION_RERANK)
_HEADERS: Final = {
    "x-amzn-bedrock-input-token-count": "inputTokens",
    "x-amzn-bedrock-output-token-count": "outputTokens",
    "x-amzn-bedrock-cache-read-input-token-count": "cacheReadInputTokens",
    "x-amzn-bedrock-cache-write-input-token-count": "cacheWriteInputTokens",
}


def body_of(given: Any) -> Mapping[str, Any]:
    """The JSON of a request; of a file nothing, because the SDK has to read it."""
    body = given.encode() if isinstance(given, str) else given
    found = _framing.json_in(bytes(body)) if isinstance(body, (bytes, bytearray)) else None
    return found if isinstance(found, dict) else {}


def head(result: Mapping[str, Any], attributes: Attributes) -> None:
    """What a result, or the response of an exception, says beside the answer."""
    said = fields(result.get("ResponseMetadata"))
    request_id, retries = said.get("RequestId"), said.get("RetryAttempts")
    if request_id and isinstance(request_id, str):
        attributes[semconv.REQUEST_ID] = request_id
    if isinstance(retries, int) and retries > 0:
        attributes[semconv.RESEND_COUNT] = retries
    headers = fields(said.get("HTTPHeaders"))
    counts = {field: headers[name] for name, field in _HEADERS.items() if name in headers}
    converse.write_counts(counts, attributes)
    converse.write_tier(result.get("serviceTier"), result.get("performanceConfigLatency"), attributes)


def invoked(endpoint: Endpoint) -> Endpoint:
    """An endpoint of a model's own API, as Bedrock has it."""
    fold = endpoint.fold

    def response(value: Any, attributes: Attributes) -> Failure | None:
        said = fields(value)
        converse.write_counts(fields(said.get(_METRICS)), attributes)
        failure = endpoint.response(value, attributes)
        if endpoint.operation in _WITHOUT_OUTPUT:  # whatever is counted
            attributes.pop(semconv.USAGE_OUTPUT_TOKENS, None)
        if said.get(_ACTION) == "INTERVENED":
            attributes[semconv.RESPONSE_FINISH_REASONS] = ("guardrail_intervened",)
        return failure

    return msgspec.structs.replace(
        endpoint, response=response, fold=None if fold is None else lambda: ChunksFold(fold())
    )


class ChunksFold:
    """The chunks of one stream: each has an event of the model's own stream in its bytes."""

    __slots__ = ("_beside", "_inner")

    def __init__(self, inner: Fold) -> None:
        self._inner = inner
        self._beside: dict[str, Any] = {}

    @property
    def done(self) -> bool:
        """Whether the last chunk has come, the one with the metrics."""
        return _METRICS in self._beside

    def extend(self, chunks: Sequence[Any]) -> None:
        """Take in the next chunks."""
        events = []
        for chunk in chunks:
            data = fields(fields(chunk).get("chunk")).get("bytes")
            event = _framing.json_in(data) if isinstance(data, bytes) else None
            if event is not None:
                events.append(event)
                said = fields(event)
                self._beside.update((name, said[name]) for name in (_METRICS, _ACTION) if name in said)
        self._inner.extend(events)

    def response(self) -> Mapping[str, Any]:
        """The answer so far."""
        return {**self._inner.response(), **self._beside}


# ---- chat completions ----


def with_reasons(value: Any) -> Any:
    """An answer of chat completions, or a chunk, from a model that has another word for the finish reason."""
    said = fields(value)
    choices = items(said.get("choices"))
    if not any(fields(choice).get("stop_reason") for choice in choices):
        return value
    return {**said, "choices": [_with_reason(each) for each in choices]}


def _with_reason(value: Any) -> Any:
    choice = fields(value)
    return choice if choice.get("finish_reason") else {**choice, "finish_reason": choice.get("stop_reason")}


class ChoicesFold(ChatFold):
    """The chunks of such a model."""

    __slots__ = ()

    def extend(self, chunks: Sequence[Any]) -> None:
        """Take in the next chunks."""
        super().extend([with_reasons(chunk) for chunk in chunks])


def chat_response(value: Any, attributes: Attributes) -> Failure | None:
    """What an answer says besides its text."""
    return chat.response(with_reasons(value), attributes)


def chat_output(value: Any, content: Content) -> list[Message]:
    """The messages of an answer."""
    return chat.output(with_reasons(value), content)
