"""OpenAI: whose API a client calls, and what of its SDK is wrapped. Also for every host that speaks OpenAI's API.

Which request is which call is in `_openai_calls.py`.
"""

from __future__ import annotations

from typing import Final

from .. import semconv
from . import _hosts
from ._endpoint import StainlessSdk
from ._integration import Integration, connections, stainless
from ._openai_calls import RESPONSES, endpoint
from .readers.realtime import REALTIME
from .readers.talk import RealtimeTalk, ResponsesTalk


def refuses_usage(error: BaseException) -> bool:
    """Whether a host does not know the option that asks for the usage of a stream; many name it, none has a code."""
    if getattr(error, "status_code", None) not in (400, 422):
        return False
    text = f"{error} {getattr(error, 'body', None)}"  # newer releases leave the details out of the message
    return "stream_options" in text or "include_usage" in text


def provider(client: type, host: str) -> str:
    """The provider behind a client: by its class for Azure and Bedrock, else by its host."""
    classes = {base.__name__ for base in client.__mro__}
    if "BaseAzureClient" in classes:
        return "azure.ai.openai"
    if classes & {"BedrockOpenAI", "AsyncBedrockOpenAI"}:
        return "aws.bedrock"
    return _hosts.provider_of(host) or "openai"


def error_code(error: BaseException) -> str | None:
    """The API's own code of an error, such as `rate_limit_exceeded`."""
    code = getattr(error, "code", None)
    return str(code) if isinstance(code, (str, int)) and code != "" else None


SDK: Final = StainlessSdk(
    name="openai",
    endpoint=endpoint,
    provider=provider,
    error_code=error_code,
    response_headers={
        b"x-request-id": (semconv.REQUEST_ID, str),
        b"apim-request-id": (semconv.REQUEST_ID, str),
        b"x-ratelimit-remaining-requests": (semconv.RATELIMIT_REMAINING_REQUESTS, int),
        b"x-ratelimit-remaining-tokens": (semconv.RATELIMIT_REMAINING_TOKENS, int),
    },
    refuses_usage=refuses_usage,
)
_TALKS: Final = ("RealtimeConnection", "AsyncRealtimeConnection")
_RESPONSES: Final = ("ResponsesConnection", "AsyncResponsesConnection")
INTEGRATION: Final = Integration(
    "openai",
    "openai",
    ">=1.66,<4",
    (
        stainless(SDK, "openai._base_client"),
        connections(SDK, "openai.resources.realtime.realtime", _TALKS, REALTIME, RealtimeTalk),
        connections(SDK, "openai.resources.beta.realtime.realtime", _TALKS, REALTIME, RealtimeTalk),
        connections(SDK, "openai.resources.responses.responses", _RESPONSES, RESPONSES, ResponsesTalk),
    ),
)
