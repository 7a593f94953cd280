"""Ollama's answers: of chats, generations and embeddings.

They have no id. Counts that are 0 are left out, and so is that of a prompt that was evaluated before.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ... import semconv
from .._content import Content, Message, Part, fields, message_finish
from .._endpoint import Attributes, Failure
from .answer import failure
from .ollama_requests import pictures, spoken
from .request import role_of
from .usage import count, write_tokens


def response(value: Any, attributes: Attributes) -> Failure | None:
    """What the answer of a chat or a generation says besides its text."""
    answer = fields(value)
    _head(answer, attributes)
    reason = answer.get("done_reason")
    if isinstance(reason, str) and reason:
        attributes[semconv.RESPONSE_FINISH_REASONS] = (reason,)
    write_tokens(attributes, count(answer.get("prompt_eval_count")), count(answer.get("eval_count")))
    return _failure(value, answer, "message" if "message" in answer else "response")


def embed_response(value: Any, attributes: Attributes) -> Failure | None:
    """What the answer of an embedding says; that of the older endpoint is a vector and nothing else."""
    answer = fields(value)
    _head(answer, attributes)
    write_tokens(attributes, count(answer.get("prompt_eval_count")), None)
    vectors = answer.get("embeddings")
    vector = vectors[0] if isinstance(vectors, (list, tuple)) and vectors else answer.get("embedding")
    if isinstance(vector, (list, tuple)) and vector:
        attributes[semconv.EMBEDDINGS_DIMENSION_COUNT] = len(vector)
    return None if isinstance(vector, (list, tuple)) else _failure(value, answer, "embeddings")


def output(value: Any, content: Content) -> list[Message]:
    """The message of a chat's answer."""
    answer = fields(value)
    message = fields(answer.get("message"))
    return _said(role_of(message, "assistant"), spoken(message, content), answer, content)


def generate_output(value: Any, content: Content) -> list[Message]:
    """The text, or the picture, of a generation."""
    answer = fields(value)
    said = {"thinking": answer.get("thinking"), "content": answer.get("response")}
    return _said("assistant", [*spoken(said, content), *pictures([answer.get("image")], content)], answer, content)


def no_output(_value: Any, _content: Content) -> list[Message]:
    """The vectors of an embedding are not recorded."""
    return []


def _said(role: str, parts: list[Part], answer: Mapping[str, Any], content: Content) -> list[Message]:
    return content.complete([content.message(role, parts, message_finish(answer.get("done_reason")))])


def _head(answer: Mapping[str, Any], attributes: Attributes) -> None:
    model = answer.get("model")
    if isinstance(model, str) and model:
        attributes[semconv.RESPONSE_MODEL] = model


def _failure(value: Any, answer: Mapping[str, Any], body: str) -> Failure | None:
    """An answer has a model or says whether it is done; a failure with status 200 has neither."""
    if not answer.get("error") and (answer.get("model") or answer.get("done") is not None):
        return None
    return failure(value, answer, body)
