"""Batches: many requests in one file, that are made later. To create one is an action; it has no tokens yet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ... import semconv
from .._content import Content, Message, fields
from .._endpoint import Attributes, Endpoint, Failure
from .answer import failure

_ASKED: Final = ("endpoint", "input_file_id", "completion_window")
_SAID: Final = ("id", "status", "output_file_id")


def request(_body: Mapping[str, Any], attributes: Attributes) -> None:
    """What is done."""
    attributes[semconv.ACTION_TYPE] = semconv.OPERATION_CREATE_BATCH


def prompt(body: Mapping[str, Any], _content: Content, attributes: Attributes) -> None:
    """Which requests, and until when."""
    asked = _some(body, _ASKED)
    if asked:
        attributes[semconv.ACTION_PARAMS] = asked


def response(value: Any, attributes: Attributes) -> Failure | None:
    """Which batch this is, and how far it is."""
    said = fields(value)
    for name, attribute in (
        ("id", semconv.RESPONSE_ID),
        ("model", semconv.RESPONSE_MODEL),
        ("status", semconv.RESPONSE_STATUS),
    ):
        if isinstance(said.get(name), str) and said[name]:
            attributes[attribute] = said[name]
    failed = failure(value, said, "status")
    return ("failed", "") if failed is None and said.get("status") == "failed" else failed


def results(value: Any, _content: Content) -> list[Message]:
    """The batch as its provider has taken it."""
    said = _some(fields(value), _SAID)
    return [said] if said else []


def _some(value: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: value[name] for name in names if isinstance(value.get(name), str)}


BATCHES: Final = Endpoint(
    semconv.OPERATION_CREATE_BATCH,
    request,
    prompt,
    response,
    results,
    kind=semconv.KIND_ACTION,
    results=semconv.ACTION_RETURNS,
)
