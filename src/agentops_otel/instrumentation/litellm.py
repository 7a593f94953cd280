"""LiteLLM: its functions, whichever provider's API they ask.

What comes back has the shape of OpenAI's, for every provider, with cached tokens inside the input. Which provider has
answered stands beside it, in `_hidden_params`. Each attempt of a `Router` is a call of its own.
Reference: https://docs.litellm.ai/docs/
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from msgspec.structs import replace

from ._content import fields
from ._endpoint import Endpoint, Request, Sdk, Server, server_at
from ._integration import Integration, functions, iterators
from ._iterators import follow
from ._openai_calls import CHAT, COMPLETIONS, RESPONSES
from .readers import chat
from .readers.audio import TRANSCRIPT
from .readers.embeddings import EMBEDDINGS
from .readers.form import FILES
from .readers.images import IMAGES
from .readers.litellm_answer import PROVIDER, HiddenFold, mocked, opened, request, response
from .readers.litellm_providers import BEDROCK, asked
from .readers.rerank import RERANK


def _reader(endpoint: Endpoint, *names: str) -> Callable[[Any, tuple[Any, ...], Mapping[str, Any]], Request | None]:
    mocks = replace(endpoint, response=partial(mocked, endpoint.response))

    def read(_instance: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Request | None:
        body = {**dict(zip(names, args, strict=False)), **kwargs}
        if body.get("acompletion") is True:  # the coroutine that is returned makes the call
            return None
        provider, body["model"] = asked(body)
        body[PROVIDER] = provider
        if provider == BEDROCK and isinstance(body.get("model_id"), str):
            body["model"] = body["model_id"]  # what is called: https://docs.litellm.ai/docs/providers/bedrock
        if "file" in body:
            body[FILES] = (("file", body["file"]),)
        if "image" in body:
            pictures = body["image"]
            body[FILES] = [("image", each) for each in (pictures if isinstance(pictures, list) else [pictures])]
        if isinstance(body.get("response_format"), type):
            body["response_format"] = {"type": "json_schema"}
        url = body.get("api_base") or body.get("base_url")
        server = server_at(provider, url) if isinstance(url, str) else Server(provider)
        read_as = mocks if body.get("mock_response") is not None else endpoint
        return Request(read_as, body, server, stream=body.get("stream") is True, keys=(body.get("api_key"),))

    return read


def _endpoint(base: Endpoint, read: Callable[..., None] | None = None) -> Endpoint:
    return replace(
        base,
        request=partial(request, read or base.request),
        response=partial(response, base.response),
        fold=None if base.fold is None else partial(HiddenFold, base.fold),
        work=None,
    )


def error_code(error: BaseException) -> str | None:
    """The provider's own code, where the exception has it and not only the status."""
    body = fields(getattr(error, "body", None))
    found = fields(body.get("error")) or body
    for code in (found.get("code"), found.get("type"), getattr(error, "code", None)):
        if isinstance(code, str) and code and not code.isdecimal():
            return code
    return None


_CALLS: Final = {
    "completion": _reader(_endpoint(CHAT, chat.completion_request), "model", "messages"),
    "text_completion": _reader(_endpoint(COMPLETIONS), "prompt", "model"),
    "embedding": _reader(_endpoint(EMBEDDINGS), "model", "input"),
    "image_generation": _reader(_endpoint(IMAGES), "prompt", "model"),
    "transcription": _reader(_endpoint(TRANSCRIPT), "model", "file"),
    "responses": _reader(_endpoint(RESPONSES), "input", "model"),
    "rerank": _reader(_endpoint(RERANK), "model", "query", "documents", "custom_llm_provider", "top_n"),
}
_EDITS: Final = {  # (the order of their parameters is not the same)
    "image_edit": _reader(_endpoint(IMAGES), "image", "prompt", "model"),
    "aimage_edit": _reader(_endpoint(IMAGES), "image", "model", "prompt"),
}
SDK: Final = Sdk(name="litellm", is_built_on_others=True, error_code=error_code, opened=opened, follow=follow)
INTEGRATION: Final = Integration(
    "litellm",
    "litellm",
    ">=1.60,<2",
    (
        functions(SDK, "litellm", _CALLS | {f"a{name}": read for name, read in _CALLS.items()} | _EDITS),
        iterators(("litellm.litellm_core_utils.streaming_handler",), ("CustomStreamWrapper",)),
        iterators(("litellm.text_completions.streaming_iterator", "litellm.utils"), ("TextCompletionStreamWrapper",)),
        iterators(
            ("litellm.responses.streaming_iterator",),
            (
                "ResponsesAPIStreamingIterator",
                "SyncResponsesAPIStreamingIterator",
                "MockResponsesAPIStreamingIterator",
                "CachedResponsesAPIStreamingIterator",
            ),
        ),
    ),
)
