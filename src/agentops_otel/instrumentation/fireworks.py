"""Fireworks: which requests are LLM calls, in OpenAI's shape and in Anthropic's.

How they are read is in `readers/compatible.py` and `readers/messages.py`. API reference: https://docs.fireworks.ai/api-reference
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from .. import semconv
from . import _framing
from ._endpoint import Endpoint, StainlessSdk
from ._integration import Integration, stainless
from .readers import messages
from .readers.compatible import CHAT, COMPLETIONS, always, error_code, posts
from .readers.messages_fold import MessagesFold


def document(body: bytes) -> Any:
    """An answer in Anthropic's shape; one that is streamed reaches the caller as one text."""
    if not body.startswith((b"event:", b"data:")):
        return msgspec.json.decode(body)
    fold = MessagesFold()
    fold.extend(_framing.events(body)[0])
    return fold.response()


MESSAGES: Final = Endpoint(
    semconv.OPERATION_CHAT,
    messages.request,
    messages.prompt,
    messages.response,
    messages.output,
    MessagesFold,
    document=document,
)
ENDPOINTS: Final = {"/v1/chat/completions": CHAT, "/v1/completions": COMPLETIONS, "/v1/messages": MESSAGES}
SDK: Final = StainlessSdk(
    name="fireworks",
    endpoint=posts({f"{prefix}{path}": found for path, found in ENDPOINTS.items() for prefix in ("", "/inference")}),
    provider=always("fireworks"),
    error_code=error_code,
    response_headers={
        b"x-request-id": (semconv.REQUEST_ID, str),
        b"x-ratelimit-remaining-requests": (semconv.RATELIMIT_REMAINING_REQUESTS, int),
        b"x-ratelimit-remaining-tokens-prompt": (semconv.RATELIMIT_REMAINING_TOKENS, int),
    },
)
INTEGRATION: Final = Integration("fireworks", "fireworks-ai", ">=1.2,<2", (stainless(SDK, "fireworks._base_client"),))
