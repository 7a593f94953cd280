"""Together: which requests are LLM calls. It ranks as Cohere does, and counts tokens as OpenAI does.

How they are read is in `readers/compatible.py`, `readers/images.py`, `readers/audio.py` and `readers/rerank.py`.
API reference: https://docs.together.ai/reference
"""

from __future__ import annotations

from typing import Any, Final

from .. import semconv
from ._content import fields
from ._endpoint import Attributes, Endpoint, Failure, StainlessSdk
from ._integration import Integration, stainless
from .readers import rerank
from .readers.answer import head
from .readers.audio import SPEECH, TRANSCRIPT
from .readers.compatible import CHAT, COMPLETIONS, always, error_code, posts
from .readers.embeddings import EMBEDDINGS
from .readers.images import IMAGES


def ranked(value: Any, attributes: Attributes) -> Failure | None:
    """What the answer of a ranking says."""
    head(fields(value), attributes, only_input=True)
    return rerank.response(value, attributes)


ENDPOINTS: Final = {
    "/chat/completions": CHAT,
    "/completions": COMPLETIONS,
    "/embeddings": EMBEDDINGS,
    "/rerank": Endpoint(semconv.OPERATION_RERANK, rerank.request, rerank.prompt, ranked, rerank.output),
    "/images/generations": IMAGES,
    "/audio/speech": SPEECH,
    "/audio/transcriptions": TRANSCRIPT,
    "/audio/translations": TRANSCRIPT,
}
SDK: Final = StainlessSdk(
    name="together",
    endpoint=posts({f"{prefix}{path}": found for path, found in ENDPOINTS.items() for prefix in ("", "/v1")}),
    provider=always("together"),
    error_code=error_code,
    response_headers={
        b"x-request-id": (semconv.REQUEST_ID, str),
        b"x-ratelimit-remaining": (semconv.RATELIMIT_REMAINING_REQUESTS, int),
        b"x-tokenlimit-remaining": (semconv.RATELIMIT_REMAINING_TOKENS, int),
    },
)
INTEGRATION: Final = Integration("together", "together", ">=2,<4", (stainless(SDK, "together._base_client"),))
