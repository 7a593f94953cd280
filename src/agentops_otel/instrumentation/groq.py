"""Groq: which requests are LLM calls.

How they are read is in `readers/compatible.py`, `readers/audio.py` and `readers/batches.py`.
API reference: https://console.groq.com/docs/api-reference
"""

from __future__ import annotations

from typing import Final

from .. import semconv
from ._endpoint import StainlessSdk
from ._integration import Integration, stainless
from .readers.audio import SPEECH, TRANSCRIPT
from .readers.batches import BATCHES
from .readers.compatible import CHAT, always, error_code, posts
from .readers.embeddings import EMBEDDINGS

SDK: Final = StainlessSdk(
    name="groq",
    endpoint=posts(
        {
            "/openai/v1/chat/completions": CHAT,
            "/openai/v1/embeddings": EMBEDDINGS,
            "/openai/v1/audio/speech": SPEECH,
            "/openai/v1/audio/transcriptions": TRANSCRIPT,
            "/openai/v1/audio/translations": TRANSCRIPT,
            "/openai/v1/batches": BATCHES,
        }
    ),
    provider=always("groq"),
    error_code=error_code,
    response_headers={
        b"x-request-id": (semconv.REQUEST_ID, str),
        b"x-ratelimit-remaining-requests": (semconv.RATELIMIT_REMAINING_REQUESTS, int),
        b"x-ratelimit-remaining-tokens": (semconv.RATELIMIT_REMAINING_TOKENS, int),
    },
)
INTEGRATION: Final = Integration("groq", "groq", ">=0.13,<2", (stainless(SDK, "groq._base_client"),))
