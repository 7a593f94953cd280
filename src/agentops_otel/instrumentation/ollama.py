"""Ollama: which requests are LLM calls. How they are read is in `readers/ollama_*.py`.

API reference: https://docs.ollama.com/api
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from .. import semconv
from ._endpoint import Endpoint, Request, Sdk, server_at
from ._integration import Integration, calls
from .readers import ollama_answers as answers
from .readers import ollama_requests as requests
from .readers import ollama_scores as scores
from .readers.ollama_fold import OllamaFold

CHAT: Final = Endpoint(
    semconv.OPERATION_CHAT, requests.request, requests.prompt, answers.response, answers.output, OllamaFold
)
GENERATE: Final = Endpoint(
    semconv.OPERATION_TEXT_COMPLETION,
    requests.request,
    requests.generate_prompt,
    answers.response,
    answers.generate_output,
    OllamaFold,
)
EMBED: Final = Endpoint(
    semconv.OPERATION_EMBEDDINGS,
    requests.no_settings,
    requests.embed_prompt,
    answers.embed_response,
    answers.no_output,
)
SCORES: Final = Endpoint(
    semconv.OPERATION_GENERATE_CONTENT, scores.request, scores.prompt, scores.response, scores.output
)
ENDPOINTS: Final = {
    "/api/chat": CHAT,
    "/api/generate": GENERATE,
    "/api/embed": EMBED,
    "/api/embeddings": EMBED,
    "/v1/systemone": SCORES,
}


def read(client: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Request | None:
    """`_request(model class, method, path, json=, stream=)` of both clients."""
    endpoint = ENDPOINTS.get(args[2]) if len(args) > 2 and isinstance(args[2], str) else None
    body = kwargs.get("json")
    if endpoint is None or not isinstance(body, Mapping):
        return None
    http = client._client  # noqa: SLF001
    stream = kwargs.get("stream") is True
    # A stream is a generator: the server is asked when it is read.
    return Request(
        endpoint,
        body,
        server_at("ollama", str(http.base_url)),
        stream=stream,
        lazy=stream,
        keys=(http.headers.get("authorization"),),
    )


def error_code(error: BaseException) -> str | None:
    """The status of a refusal; a failure inside a stream has none."""
    status = getattr(error, "status_code", None)
    return str(status) if isinstance(status, int) and status > 0 else None


SDK: Final = Sdk(name="ollama", error_code=error_code)
INTEGRATION: Final = Integration(
    "ollama",
    "ollama",
    ">=0.4.4,<1",
    (calls(SDK, ("ollama._client",), {"Client._request": read, "AsyncClient._request": read}),),
)
