"""The search in a vector store: what was asked, and which files were found. Their text is not recorded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote

from ... import semconv
from .._content import Content, Message, fields, items
from .._endpoint import Attributes, Endpoint, Failure
from .answer import failure
from .request import strings

_SOURCE: Final = "vector_store_id"


def body(options: Any) -> Mapping[str, Any]:
    """The fields of a request, and the store in its path."""
    given, more = options.json_data, options.extra_json
    asked = {**given} if isinstance(given, Mapping) else {}
    if isinstance(more, Mapping):
        asked.update(more)
    return {**asked, _SOURCE: unquote(options.url.strip("/").split("/")[1])}


def request(body: Mapping[str, Any], attributes: Attributes) -> None:
    """Where is searched, and for how many results."""
    attributes[semconv.DATA_SOURCE_ID] = body[_SOURCE]
    most = body.get("max_num_results")
    if type(most) is int:
        attributes[semconv.RETRIEVAL_TOP_K] = most


def prompt(body: Mapping[str, Any], content: Content, attributes: Attributes) -> None:
    """What is searched for."""
    text = "\n".join(strings(body.get("query")))
    if text:
        attributes[semconv.RETRIEVAL_QUERY_TEXT] = content.text(text)["content"]


def response(value: Any, _attributes: Attributes) -> Failure | None:
    """Whether it has failed; a search without results has not."""
    said = fields(value)
    return None if isinstance(said.get("data"), list) and not said.get("error") else failure(value, said, "data")


def documents(value: Any, _content: Content) -> list[Message]:
    """The files that were found, and how well each fits."""
    found = []
    for said in map(fields, items(fields(value).get("data"))):
        name, score = said.get("file_id"), said.get("score")
        is_number = isinstance(score, (int, float)) and not isinstance(score, bool)
        if isinstance(name, str):
            found.append({"id": name, **({"score": score} if is_number else {})})
    return found


VECTOR_STORE: Final = Endpoint(
    semconv.OPERATION_RETRIEVAL,
    request,
    prompt,
    response,
    documents,
    body=body,
    kind=semconv.KIND_RETRIEVAL,
    results=semconv.RETRIEVAL_DOCUMENTS,
    target=_SOURCE,
)
