"""The calls of OpenAI's API, which many hosts speak: which request is which, by its method and its path.

How they are read is in the files that are named here.
API reference: https://platform.openai.com/docs/api-reference
"""

from __future__ import annotations

from typing import Final

from .. import semconv
from ._endpoint import Endpoint
from .readers import (
    audio,
    batches,
    chat,
    decisions,
    fetch,
    images,
    moderation,
    responses,
    retrieval,
    runs,
    videos,
)
from .readers.chat_fold import ChatFold
from .readers.embeddings import EMBEDDINGS
from .readers.responses_fold import ResponsesFold

CHAT: Final = Endpoint(
    semconv.OPERATION_CHAT,
    chat.request,
    chat.prompt,
    chat.response,
    chat.output,
    ChatFold,
    chat.with_usage,
    chat.is_usage_only,
)
RESPONSES: Final = Endpoint(
    semconv.OPERATION_CHAT,
    responses.request,
    responses.prompt,
    responses.response,
    responses.output,
    ResponsesFold,
    work=fetch.work,
)
FETCH: Final = Endpoint(
    semconv.OPERATION_FETCH_RESPONSE,
    fetch.request,
    fetch.prompt,
    fetch.response,
    responses.output,
    ResponsesFold,
    work=fetch.work,
    makes=RESPONSES,
    body=fetch.body,
)
COMPLETIONS: Final = Endpoint(
    semconv.OPERATION_TEXT_COMPLETION,
    chat.completion_request,
    chat.completion_prompt,
    chat.response,
    chat.completion_output,
    ChatFold,
    chat.with_usage,
    chat.is_usage_only,
)
ENDPOINTS: Final = {
    "/chat/completions": CHAT,
    "/responses": RESPONSES,
    "/responses/compact": RESPONSES,
    "/completions": COMPLETIONS,
    "/embeddings": EMBEDDINGS,
    "/images/generations": images.IMAGES,
    "/images/edits": images.IMAGES,
    "/images/variations": images.IMAGES,
    "/videos": videos.VIDEOS,
    "/videos/edits": videos.VIDEOS,
    "/videos/extensions": videos.VIDEOS,
    "/decisions": decisions.DECISIONS,
    "/audio/speech": audio.SPEECH,
    "/audio/transcriptions": audio.TRANSCRIPT,
    "/audio/translations": audio.TRANSCRIPT,
    "/moderations": moderation.MODERATION,
    "/batches": batches.BATCHES,
    "/threads/runs": runs.RUNS,
}
# The ends of paths with an id in the middle, by their beginnings.
BELOW: Final = {
    "videos": ("remix", videos.VIDEOS),
    "vector_stores": ("search", retrieval.VECTOR_STORE),
    "threads": ("runs", runs.RUNS),
}


def endpoint(method: str, path: str, stream: bool) -> Endpoint | None:  # noqa: FBT001  (as StainlessSdk.endpoint says)
    """What a request is; None when it is no call, nor the fetch of what one has made."""
    if method in ("post", "POST"):
        return ENDPOINTS.get(path) or _post(path)
    return FETCH if method in ("get", "GET") and fetch.response_id(path) is not None else None


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
