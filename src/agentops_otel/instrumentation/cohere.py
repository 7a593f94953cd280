"""Cohere: which requests of its clients are LLM calls.

Every call is a request of its HTTP client. The client says what it is in words, and calls itself again for a retry.
API reference: https://docs.cohere.com/reference
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from .. import semconv
from ._content import NOTHING, fields
from ._endpoint import Endpoint, Request, Sdk, Server, server_at
from ._integration import Integration, calls
from .readers import cohere_chat, cohere_embed, cohere_v1
from .readers.cohere_fold import CohereFold
from .readers.cohere_v1_fold import CohereChatFold, CohereGenerateFold
from .readers.rerank import RERANK

CHAT: Final = Endpoint(
    semconv.OPERATION_CHAT,
    cohere_chat.request,
    cohere_chat.prompt,
    cohere_chat.response,
    cohere_chat.output,
    CohereFold,
)
V1_CHAT: Final = Endpoint(
    semconv.OPERATION_CHAT,
    cohere_v1.chat_request,
    cohere_v1.chat_prompt,
    cohere_v1.chat_response,
    cohere_v1.chat_output,
    CohereChatFold,
)
GENERATE: Final = Endpoint(
    semconv.OPERATION_TEXT_COMPLETION,
    cohere_chat.request,
    cohere_v1.generate_prompt,
    cohere_v1.generate_response,
    cohere_v1.generate_output,
    CohereGenerateFold,
)
EMBED: Final = Endpoint(
    semconv.OPERATION_EMBEDDINGS,
    cohere_embed.request,
    cohere_embed.prompt,
    cohere_embed.response,
    cohere_embed.output,
    document=cohere_embed.document,
)
ENDPOINTS: Final = {
    "v2/chat": CHAT,
    "v2/embed": EMBED,
    "v2/rerank": RERANK,
    "v1/chat": V1_CHAT,
    "v1/generate": GENERATE,
    "v1/embed": EMBED,
    "v1/rerank": RERANK,
}
# Hooks of the HTTP client that send the request somewhere else.
_HOSTS: Final = {"cohere.aws_client": "aws.bedrock", "cohere.oci_client": "oci"}


def request(client: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Request | None:
    """A request whose answer is read as a whole."""
    return _read(client, args, kwargs, lazy=False)


def stream(client: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Request | None:
    """A request that is sent when its context manager is entered."""
    return _read(client, args, kwargs, lazy=True)


def _read(client: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], *, lazy: bool) -> Request | None:
    path, body = args[0] if args else kwargs.get("path"), kwargs.get("json")
    if kwargs.get("method") != "POST" or not isinstance(path, str) or not isinstance(body, Mapping):
        return None
    endpoint = ENDPOINTS.get(path.strip("/"))
    if endpoint is None:
        return None
    more = fields(fields(kwargs.get("request_options")).get("additional_body_parameters"))
    # What the program has left out is an ellipsis.
    given = {name: value for name, value in {**body, **more}.items() if value is not ...}
    return Request(endpoint, given, _server(client, kwargs), stream=given.get("stream") is True, lazy=lazy)


def _server(client: Any, kwargs: Mapping[str, Any]) -> Server:
    hooks = getattr(client.httpx_client, "event_hooks", NOTHING).get("request", ())
    provider = next((_HOSTS[hook.__module__] for hook in hooks if hook.__module__ in _HOSTS), None)
    if provider is not None:
        return Server(provider)  # its base URL is not where the request goes
    return server_at("cohere", client.get_base_url(kwargs.get("base_url")))


SDK: Final = Sdk(
    name="cohere",
    response_headers={
        b"x-debug-trace-id": (semconv.REQUEST_ID, str),
        b"x-trial-endpoint-call-remaining": (semconv.RATELIMIT_REMAINING_REQUESTS, int),
    },
)
_METHODS: Final = {
    "HttpClient.request": request,
    "HttpClient.stream": stream,
    "AsyncHttpClient.request": request,
    "AsyncHttpClient.stream": stream,
}
INTEGRATION: Final = Integration("cohere", "cohere", ">=5.13,<8", (calls(SDK, ("cohere.core.http_client",), _METHODS),))
