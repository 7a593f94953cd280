"""The calls of OpenAI's API, which many hosts speak: which request is which, by its method and its path.

How they are read is in the files that are named here.
API reference: https://platform.openai.com/docs/api-reference
"""

from __future__ import annotations

from typing import Final

from .. import semconv
from . import (
    _audio,
    _batches,
    _chat,
    _decisions,
    _embeddings,
    _fetch,
    _images,
    _moderation,
    _responses,
    _retrieval,
    _runs,
    _videos,
)
from ._chat_fold import ChatFold
from ._endpoint import Endpoint
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
    "/images/generations": _images.IMAGES,
    "/images/edits": _images.IMAGES,
    "/images/variations": _images.IMAGES,
    "/videos": _videos.VIDEOS,
    "/videos/edits": _videos.VIDEOS,
    "/videos/extensions": _videos.VIDEOS,
    "/decisions": _decisions.DECISIONS,
    "/audio/speech": _audio.SPEECH,
    "/audio/transcriptions": _audio.TRANSCRIPT,
    "/audio/translations": _audio.TRANSCRIPT,
    "/moderations": _moderation.MODERATION,
    "/batches": _batches.BATCHES,
    "/threads/runs": _runs.RUNS,
}
# The ends of paths with an id in the middle, by their beginnings.
BELOW: Final = {
    "videos": ("remix", _videos.VIDEOS),
    "vector_stores": ("search", _retrieval.VECTOR_STORE),
    "threads": ("runs", _runs.RUNS),
}


def endpoint(method: str, path: str, stream: bool) -> Endpoint | None:  # noqa: FBT001  (as StainlessSdk.endpoint says)
    """What a request is; None when it is no call, nor the fetch of what one has made."""
    if method in ("post", "POST"):
        return ENDPOINTS.get(path) or _post(path)
    return FETCH if method in ("get", "GET") and _fetch.response_id(path) is not None else None


def _post(path: str) -> Endpoint | None:
    path = "/" + path.partition("?")[0].strip("/")
    if path.startswith("/deployments/"):  # Azure: /deployments/{name}/chat/completions
        path = path[path.find("/", len("/deployments/")) :]
    found = ENDPOINTS.get(path)
    if found is None:
        head, _, rest = path[1:].partition("/")
        end, below = BELOW.get(head, ("", None))
        found = below if rest.partition("/")[2] == end else None
    return found
