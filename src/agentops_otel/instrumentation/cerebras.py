"""Cerebras: which requests are LLM calls.

How they are read is in `readers/compatible.py`. API reference: https://inference-docs.cerebras.ai/api-reference
"""

from __future__ import annotations

from typing import Final

from .. import semconv
from ._endpoint import StainlessSdk
from ._integration import Integration, stainless
from .readers.compatible import CHAT, COMPLETIONS, always, error_code, posts

SDK: Final = StainlessSdk(
    name="cerebras",
    endpoint=posts({"/v1/chat/completions": CHAT, "/v1/completions": COMPLETIONS}),
    provider=always("cerebras"),
    error_code=error_code,
    response_headers={
        b"x-request-id": (semconv.REQUEST_ID, str),
        b"x-ratelimit-remaining-requests-day": (semconv.RATELIMIT_REMAINING_REQUESTS, int),
        b"x-ratelimit-remaining-tokens-minute": (semconv.RATELIMIT_REMAINING_TOKENS, int),
    },
)
INTEGRATION: Final = Integration(
    "cerebras", "cerebras-cloud-sdk", ">=1.5,<2", (stainless(SDK, "cerebras.cloud.sdk._base_client"),)
)
