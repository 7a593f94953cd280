"""OpenAI: which requests are LLM calls. Also right for everything that speaks OpenAI's API.

How they are read is in `_chat.py`, `_responses.py` and `_embeddings.py`.
API reference: https://platform.openai.com/docs/api-reference
"""

from __future__ import annotations

from typing import Final

from .. import semconv
from . import _chat, _embeddings, _fetch, _hosts, _responses
from ._chat_fold import ChatFold
from ._endpoint import Endpoint, StainlessSdk
from ._integration import Integration, stainless
from ._responses_fold import ResponsesFold

CHAT: Final = Endpoint(
    semconv.OPERATION_CHAT,
    _chat.request,
    _chat.prompt,
    _chat.response,
    _chat.output,
    ChatFold,
    _chat.with_usage,
    _chat.is_usage_only,
)
RESPONSES: Final = Endpoint(
    semconv.OPERATION_CHAT,
    _responses.request,
    _responses.prompt,
    _responses.response,
    _responses.output,
    ResponsesFold,
    work=_fetch.work,
)
FETCH: Final = Endpoint(
    semconv.OPERATION_FETCH_RESPONSE,
    _fetch.request,
    _fetch.prompt,
    _fetch.response,
    _responses.output,
    ResponsesFold,
    work=_fetch.work,
    makes=RESPONSES,
    body=_fetch.body,
)
COMPLETIONS: Final = Endpoint(
    semconv.OPERATION_TEXT_COMPLETION,
    _chat.completion_request,
    _chat.completion_prompt,
    _chat.response,
    _chat.completion_output,
    ChatFold,
    _chat.with_usage,
    _chat.is_usage_only,
)
EMBEDDINGS: Final = Endpoint(
    semconv.OPERATION_EMBEDDINGS,
    _embeddings.request,
    _embeddings.prompt,
    _embeddings.response,
    _embeddings.output,
    document=_embeddings.document,
)
ENDPOINTS: Final = {
    "/chat/completions": CHAT,
    "/responses": RESPONSES,
    "/responses/compact": RESPONSES,
    "/completions": COMPLETIONS,
    "/embeddings": EMBEDDINGS,
}


def endpoint(method: str, path: str, stream: bool) -> Endpoint | None:  # noqa: FBT001  (as Sdk.endpoint says)
    """What a request is; None when it is neither an LLM call nor the fetch of what one has made."""
    if method in ("post", "POST"):
        return ENDPOINTS.get(path) or _post(path)
    return FETCH if method in ("get", "GET") and _fetch.response_id(path) is not None else None


def _post(path: str) -> Endpoint | None:
    path = "/" + path.partition("?")[0].strip("/")
    if path.startswith("/deployments/"):  # Azure: /deployments/{name}/chat/completions
        path = path[path.find("/", len("/deployments/")) :]
    return ENDPOINTS.get(path)


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
INTEGRATION: Final = Integration("openai", "openai", ">=1.66,<4", (stainless(SDK, "openai._base_client"),))
