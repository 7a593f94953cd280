"""Fireworks: which requests are LLM calls, in OpenAI's shape and in Anthropic's.

How they are read is in `_compatible.py` and `_messages.py`. API reference: https://docs.fireworks.ai/api-reference
"""

from __future__ import annotations

from typing import Final

from .. import semconv
from ._compatible import CHAT, COMPLETIONS, always, error_code, posts
from ._endpoint import StainlessSdk
from ._integration import Integration, stainless

ENDPOINTS: Final = {"/v1/chat/completions": CHAT, "/v1/completions": COMPLETIONS}
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
