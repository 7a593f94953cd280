"""Reranking, as Cohere and those who speak like it do it: how to read its requests and answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ... import semconv
from ...values import to_json
from .._content import Content, Message, fields, items
from .._endpoint import Attributes, Endpoint, Failure
from . import cohere_answer, embeddings
from .usage import count


def request(body: Mapping[str, Any], attributes: Attributes) -> None:
    """How many documents are wanted."""
    wanted = count(body.get("top_n"))
    if wanted is not None:
        attributes[semconv.RETRIEVAL_TOP_K] = wanted


def prompt(body: Mapping[str, Any], content: Content, attributes: Attributes) -> None:
    """The query, and the documents, up to the length of one text."""
    query = body.get("query")
    messages = [content.message("user", [content.text(query)])] if query else []
    documents = embeddings.parts([_text(document) for document in items(body.get("documents"))], content)
    if documents:
        messages.append(content.message("document", documents))
    if messages:
        attributes[semconv.INPUT_MESSAGES] = content.complete(messages)


def response(value: Any, attributes: Attributes) -> Failure | None:
    """The places of the documents in the request and their scores, the best first."""
    answer = fields(value)
    cohere_answer.head(answer, attributes, only_input=True)
    found = []
    for each in map(fields, items(answer.get("results"))):
        index, score = count(each.get("index")), each.get("relevance_score")
        if index is not None and isinstance(score, (int, float)) and not isinstance(score, bool):
            found.append({"id": str(index), "score": score})
    if found:
        attributes[semconv.RETRIEVAL_DOCUMENTS] = to_json(found)
    return cohere_answer.failure(value, answer, "results")


def output(_value: Any, _content: Content) -> list[Message]:
    """Scores are no messages."""
    return []


def _text(document: Any) -> Any:
    """The text of a document, which may stand in an object; else all of it."""
    text = fields(document).get("text") if not isinstance(document, str) else document
    return document if text is None else text


RERANK: Final = Endpoint(semconv.OPERATION_RERANK, request, prompt, response, output)
