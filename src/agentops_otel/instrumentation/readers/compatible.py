"""Providers that speak OpenAI's API through an SDK of their own: their calls, which differ by path alone.

The one thing to know: they say the usage of a stream unasked, so nothing is added to a request.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from ... import semconv
from .._content import fields
from .._endpoint import Attributes, Endpoint, Failure
from . import chat, responses
from .chat_fold import ChatFold
from .responses_fold import ResponsesFold


def request(body: Mapping[str, Any], attributes: Attributes) -> None:
    """The settings of a chat completion or a legacy completion."""
    chat.completion_request(body, attributes)
    _name_tier(semconv.OPENAI_REQUEST_SERVICE_TIER, semconv.REQUEST_SERVICE_TIER, attributes)


def response(value: Any, attributes: Attributes) -> Failure | None:
    """What an answer says besides its text."""
    failure = chat.response(value, attributes)
    _name_tier(semconv.OPENAI_RESPONSE_SERVICE_TIER, semconv.RESPONSE_SERVICE_TIER, attributes)
    return failure


def responses_request(body: Mapping[str, Any], attributes: Attributes) -> None:
    """The settings of a request of the Responses API."""
    responses.request(body, attributes)
    attributes.pop(semconv.OPENAI_API_TYPE, None)
    _name_tier(semconv.OPENAI_REQUEST_SERVICE_TIER, semconv.REQUEST_SERVICE_TIER, attributes)


def responses_response(value: Any, attributes: Attributes) -> Failure | None:
    """What an answer of the Responses API says besides its text."""
    failure = responses.response(value, attributes)
    _name_tier(semconv.OPENAI_RESPONSE_SERVICE_TIER, semconv.RESPONSE_SERVICE_TIER, attributes)
    return failure


def _name_tier(name: str, other: str, attributes: Attributes) -> None:
    """Tiers of other providers are no tiers of OpenAI's."""
    if name in attributes:
        attributes[other] = attributes.pop(name)


CHAT: Final = Endpoint(semconv.OPERATION_CHAT, request, chat.prompt, response, chat.output, ChatFold)
COMPLETIONS: Final = Endpoint(
    semconv.OPERATION_TEXT_COMPLETION,
    request,
    chat.completion_prompt,
    response,
    chat.completion_output,
    ChatFold,
)
RESPONSES: Final = Endpoint(
    semconv.OPERATION_CHAT,
    responses_request,
    responses.prompt,
    responses_response,
    responses.output,
    ResponsesFold,
)


def posts(endpoints: Mapping[str, Endpoint]) -> Callable[[str, str, bool], Endpoint | None]:
    """What finds the endpoint of a POST by its path; an SDK whose provider has several hosts gives whole URLs."""

    def endpoint(method: str, path: str, stream: bool) -> Endpoint | None:  # noqa: FBT001  (as the floor says)
        if method not in ("post", "POST"):
            return None
        return endpoints.get(path) or endpoints.get("/" + urlsplit(path).path.strip("/"))

    return endpoint


def always(name: str) -> Callable[[type, str], str]:
    """A provider that has its own SDK, wherever the requests go."""
    return lambda _client, _host: name


def error_code(error: BaseException) -> str | None:
    """The API's own code of an error, such as `model_not_found`, else its kind."""
    body = fields(getattr(error, "body", None))
    said = fields(body.get("error")) or body
    codes = (said.get("code"), said.get("type"))
    return next((str(code) for code in codes if code and isinstance(code, (str, int)) and code is not True), None)
