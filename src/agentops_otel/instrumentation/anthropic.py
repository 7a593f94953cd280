"""Anthropic: which requests are LLM calls, of its own API and of the clouds that serve it.

How they are read is in `readers/messages.py`. API reference: https://platform.claude.com/docs/en/api/overview
The one thing to know: the clients for clouds rewrite path and body behind the seam, so that here all of them are alike.
"""

from __future__ import annotations

from typing import Final

from .. import semconv
from . import _hosts
from ._content import fields
from ._endpoint import Endpoint, StainlessSdk
from ._integration import Integration, stainless
from .readers import messages
from .readers.messages_fold import MessagesFold

MESSAGES: Final = Endpoint(
    semconv.OPERATION_CHAT,
    messages.request,
    messages.prompt,
    messages.response,
    messages.output,
    MessagesFold,
)
# A word in the name of a client's class, and who answers: Anthropic itself where AWS and Google only sell.
_CLIENTS: Final = {
    "Bedrock": "aws.bedrock",
    "Vertex": "gcp.vertex_ai",
    "Foundry": "azure.ai.inference",
    "AnthropicAWS": "anthropic",
    "GoogleCloud": "anthropic",
}
_AWS_ERROR: Final = "x-amzn-errortype"  # the code, and perhaps a colon and an address


def endpoint(method: str, path: str, stream: bool) -> Endpoint | None:  # noqa: FBT001  (as StainlessSdk.endpoint says)
    """What a request is; counting tokens, batches and hosted agents are no LLM calls."""
    return MESSAGES if method in ("post", "POST") and path.partition("?")[0].strip("/") == "v1/messages" else None


def provider(client: type, host: str) -> str:
    """Who answers the requests of a client: by its class for clouds, else by its host."""
    names = " ".join(base.__name__ for base in client.__mro__)
    found = next((name for word, name in _CLIENTS.items() if word in names), None)
    return found or _hosts.provider_of(host) or "anthropic"


def error_code(error: BaseException) -> str | None:
    """The API's own code of an error, such as `overloaded_error`; on a cloud that cloud's, if it has refused."""
    said = fields(fields(getattr(error, "body", None)).get("error"))
    code = said.get("type") or said.get("status")
    if isinstance(code, str) and code:
        return code
    headers = getattr(getattr(error, "response", None), "headers", {})
    return headers.get(_AWS_ERROR, "").partition(":")[0] or None


SDK: Final = StainlessSdk(
    name="anthropic",
    endpoint=endpoint,
    provider=provider,
    error_code=error_code,
    response_headers={
        b"request-id": (semconv.REQUEST_ID, str),
        b"x-amzn-requestid": (semconv.REQUEST_ID, str),
        b"anthropic-ratelimit-requests-remaining": (semconv.RATELIMIT_REMAINING_REQUESTS, int),
        b"anthropic-ratelimit-tokens-remaining": (semconv.RATELIMIT_REMAINING_TOKENS, int),
    },
    quiet={"span_name": None},  # newer releases make a span, and tell the host of it
)
INTEGRATION: Final = Integration(
    name="anthropic",
    package="anthropic",
    supported=">=0.49,<3",
    parts=(stainless(SDK, "anthropic._base_client"),),
)
