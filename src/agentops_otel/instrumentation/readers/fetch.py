"""A stored response that is fetched by its id: no inference, so it has no usage of its own.

https://github.com/open-telemetry/semantic-conventions-genai: the span `fetch_response`. Which fetch is the first that
shows the end of a response made in the background is known in `_background.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote

from ... import semconv
from ...usage import USAGE_ATTRIBUTES
from .._content import Content, fields
from .._endpoint import NOT_AN_ANSWER, Attributes, Failure, Work
from . import responses

_UNFINISHED: Final = ("queued", "in_progress")
_SPENT: Final = USAGE_ATTRIBUTES | {semconv.COST_AMOUNT, semconv.COST_CURRENCY, semconv.COST_SOURCE}
# What a response repeats of the request that made it, besides what it calls by a name of its own.
_REPEATED: Final = ("model", "instructions", "tools", "temperature", "top_p", "max_output_tokens", "text", "reasoning")


def response_id(path: str) -> str | None:
    """The id in `/responses/{id}`; None for any other path, also for one below it."""
    head, _, found = path.partition("?")[0].strip("/").partition("/")
    return unquote(found) if head == "responses" and found and "/" not in found else None


def body(options: Any) -> Mapping[str, Any]:
    """What stands for the body of a request that has none: the id of its path, and its query."""
    return {**fields(options.params), "response_id": response_id(options.url)}


def request(body: Mapping[str, Any], attributes: Attributes) -> None:
    """What is fetched, and from where."""
    attributes[semconv.OPENAI_API_TYPE] = "responses"
    attributes[semconv.RESPONSE_ID] = body["response_id"]
    cursor = body.get("starting_after")
    if isinstance(cursor, (int, str)):
        attributes[semconv.REQUEST_STREAM_CURSOR] = str(cursor)


def prompt(_body: Mapping[str, Any], _content: Content, _attributes: Attributes) -> None:
    """A fetch has no messages."""


def response(value: Any, attributes: Attributes) -> Failure | None:
    """What the response says. A fetch fails when this is not an answer at all, not when the response has failed."""
    said: Attributes = {}
    failed = responses.response(value, said)
    attributes.update({name: found for name, found in said.items() if name not in _SPENT})
    status = fields(value).get("status")
    if isinstance(status, str):
        attributes[semconv.RESPONSE_STATUS] = status
    return failed if failed is not None and failed[0] == NOT_AN_ANSWER else None


def work(value: Any) -> Work | None:
    """How far the making of a response is."""
    response = fields(value)
    found, status = response.get("id"), response.get("status")
    if not isinstance(found, str) or not isinstance(status, str):
        return None
    return Work(
        found,
        status,
        ended=status not in _UNFINISHED,
        background=response.get("background") is True,
        request={name: response[name] for name in _REPEATED if response.get(name) is not None},
    )
