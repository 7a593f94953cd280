"""Mistral: which requests of its clients are LLM calls, at Mistral's own, on Azure and on Vertex.

Each client has a copy of the same base, which gets a prepared HTTP request.
API reference: https://docs.mistral.ai/api
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from .. import semconv
from ._endpoint import Endpoint, Request, Sdk, server_at
from ._integration import Integration, calls
from .readers import chat, compatible, mistral_chat, mistral_conversation, mistral_ocr
from .readers.chat_fold import ChatFold
from .readers.embeddings import EMBEDDINGS
from .readers.mistral_conversation_fold import ConversationFold

CHAT: Final = Endpoint(
    semconv.OPERATION_CHAT,
    mistral_chat.request,
    chat.prompt,
    mistral_chat.response,
    mistral_chat.output,
    ChatFold,
)
FIM: Final = Endpoint(
    semconv.OPERATION_TEXT_COMPLETION,
    mistral_chat.request,
    mistral_chat.fim_prompt,
    mistral_chat.response,
    mistral_chat.output,
    ChatFold,
)
CONVERSATION: Final = Endpoint(
    semconv.OPERATION_CHAT,
    mistral_conversation.request,
    mistral_conversation.prompt,
    mistral_conversation.response,
    mistral_conversation.output,
    ConversationFold,
)
OCR: Final = Endpoint(
    semconv.OPERATION_GENERATE_CONTENT,
    mistral_ocr.request,
    mistral_ocr.prompt,
    mistral_ocr.response,
    mistral_ocr.output,
)
# The ends of their paths. Vertex has one for all, whose end says what it is.
ENDPOINTS: Final = {
    "/chat/completions": CHAT,
    "/agents/completions": CHAT,
    "/fim/completions": FIM,
    "/v1/responses": compatible.RESPONSES,
    "/v1/embeddings": EMBEDDINGS,
    "/ocr": OCR,
    "/rawPredict": CHAT,
    "/streamRawPredict": CHAT,
}
_VERTEX_FIM: Final = "fim"
_CONVERSATIONS: Final = re.compile(r"/v1/conversations(?:/([^/]+)(?:/restart)?)?/?")
# The first that a module's name begins with.
_PROVIDERS: Final = {
    "mistralai.azure": "azure.ai.inference",
    "mistralai_azure": "azure.ai.inference",
    "mistralai.gcp": "gcp.vertex_ai",
    "mistralai_gcp": "gcp.vertex_ai",
    "mistralai": "mistral_ai",
}


def read(client: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Request | None:
    """The call that a prepared HTTP request is."""
    request = args[1] if len(args) > 1 else kwargs["request"]
    if request.method != "POST":
        return None
    path = request.url.path
    conversation = _CONVERSATIONS.search(path) if "/conversations" in path else None
    endpoint = CONVERSATION if conversation else _endpoint(path, request.url.fragment)
    if endpoint is None:
        return None
    body = msgspec.json.decode(request.content)
    if not isinstance(body, dict):
        return None
    if conversation and conversation[1]:
        body["conversation_id"] = conversation[1]
    module = type(client).__module__
    provider = next(name for begin, name in _PROVIDERS.items() if module.startswith(begin))
    return Request(endpoint, body, server_at(provider, str(request.url)), stream=body.get("stream") is True)


def _endpoint(path: str, fragment: str) -> Endpoint | None:
    found = next((endpoint for end, endpoint in ENDPOINTS.items() if path.endswith(end)), None)
    return FIM if found is CHAT and fragment == _VERTEX_FIM else found


SDK: Final = Sdk(
    name="mistralai",
    response_headers={
        b"mistral-correlation-id": (semconv.REQUEST_ID, str),
        b"x-ratelimit-remaining-req-minute": (semconv.RATELIMIT_REMAINING_REQUESTS, int),
        b"x-ratelimit-remaining-tokens-minute": (semconv.RATELIMIT_REMAINING_TOKENS, int),
    },
)
_METHODS: Final = {"BaseSDK.do_request": read, "BaseSDK.do_request_async": read}
INTEGRATION: Final = Integration(
    "mistralai",
    "mistralai",
    ">=1.5,<4",
    (
        calls(SDK, ("mistralai.client.basesdk", "mistralai.basesdk"), _METHODS),
        calls(SDK, ("mistralai.azure.client.basesdk", "mistralai_azure.basesdk"), _METHODS),
        calls(SDK, ("mistralai.gcp.client.basesdk", "mistralai_gcp.basesdk"), _METHODS),
    ),
)
