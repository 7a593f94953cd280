"""Moderations: whether a text or a picture is harmful, as a model sees it. They cost nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ... import semconv
from .._content import Content, Message, fields, items
from .._endpoint import Attributes, Endpoint, Failure
from .answer import failure, head
from .parts import message_parts


def request(_body: Mapping[str, Any], attributes: Attributes) -> None:
    """What is done."""
    attributes[semconv.ACTION_TYPE] = semconv.OPERATION_MODERATION


def prompt(body: Mapping[str, Any], content: Content, attributes: Attributes) -> None:
    """What is to be looked at."""
    parts = message_parts(body.get("input"), content)
    if parts:
        attributes[semconv.ACTION_PARAMS] = {"input": parts}


def response(value: Any, attributes: Attributes) -> Failure | None:
    """The model, and whether it has failed."""
    said = fields(value)
    head(said, attributes)
    return failure(value, said, "results")


def results(value: Any, _content: Content) -> list[Message]:
    """Of each input whether it is flagged, and for what."""
    return [
        {"flagged": said.get("flagged"), "categories": _flagged(fields(said.get("categories")))}
        for said in map(fields, items(fields(value).get("results")))
    ]


def _flagged(categories: Mapping[str, Any]) -> list[str]:
    """The names of the API, which the SDK's models have in another spelling: `self_harm` for `self-harm`."""
    return [name for name, is_flagged in categories.items() if is_flagged is True]


MODERATION: Final = Endpoint(
    semconv.OPERATION_MODERATION,
    request,
    prompt,
    response,
    results,
    kind=semconv.KIND_ACTION,
    results=semconv.ACTION_RETURNS,
)
