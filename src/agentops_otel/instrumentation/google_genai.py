"""google-genai: Gemini's models, at Google AI and on Vertex AI.

One request of the SDK is one call: what calls functions by itself, or lets an answer go on by itself, makes several.
Counted tokens, caches, files, batches and tunings are no calls. The Interactions API has a client of its own.
API reference: https://ai.google.dev/api
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from .. import semconv
from ._content import fields, items
from ._endpoint import Endpoint, Fold, Request, Sdk, Server, server_at
from ._integration import Integration, attempts, calls
from .readers import embed_content, generate, imagen, interactions
from .readers.generate_fold import GenerateFold
from .readers.interactions_fold import InteractionsFold


def _endpoint(
    readers: Any, fold: Callable[[], Fold] | None = None, operation: str = semconv.OPERATION_GENERATE_CONTENT
) -> Endpoint:
    return Endpoint(operation, readers.request, readers.prompt, readers.response, readers.output, fold)


GENERATE: Final = _endpoint(generate, GenerateFold)
EMBED: Final = _endpoint(embed_content, operation=semconv.OPERATION_EMBEDDINGS)
IMAGES: Final = _endpoint(imagen)
INTERACTIONS: Final = _endpoint(interactions, InteractionsFold)
ENDPOINTS: Final = {
    "generateContent": GENERATE,
    "streamGenerateContent": GENERATE,
    "embedContent": EMBED,
    "batchEmbedContents": EMBED,
}
_VECTOR: Final = '"values"'
_NAMES: Final = ("http_method", "path", "request_dict", "http_options")


def read(client: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], *, lazy: bool = False) -> Request | None:
    """The call that a request is; its action and its model stand in the path: `models/gemini-2.5-pro:embedContent`."""
    given = {**dict(zip(_NAMES, args, strict=False)), **kwargs}
    model, _, action = str(given.get("path")).partition("?")[0].rpartition(":")
    body = fields(given.get("request_dict"))
    endpoint = _predict(body) if action == "predict" else ENDPOINTS.get(action)
    if endpoint is None:
        return None
    body = {**body, "model": _model(model)}
    server = _server(client, given.get("http_options"))
    keys = getattr(client, "api_key", None), getattr(getattr(client, "_credentials", None), "token", None)
    return Request(endpoint, body, server, action.startswith("stream"), lazy, keys)


def read_lazily(client: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Request | None:
    """The same for a generator, which makes its request when it is read."""
    return read(client, args, kwargs, lazy=True)


def read_interaction(_client: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Request | None:
    """The call that a request of the Interactions API is; of an agent, which is no model, there is none."""
    request = kwargs.get("request", args[1] if len(args) > 1 else None)
    url = str(getattr(request, "url", "")).partition("?")[0]
    if getattr(request, "method", None) != "POST" or not url.endswith("/interactions"):
        return None
    body = fields(opened(getattr(request, "content", None)))
    if not isinstance(body.get("model"), str):
        return None
    server = server_at("gcp.vertex_ai" if "/projects/" in url else "gcp.gemini", url)
    return Request(INTERACTIONS, {**body, "model": _model(body["model"])}, server, body.get("stream") is True)


def _predict(body: Mapping[str, Any]) -> Endpoint:
    """Vertex AI predicts vectors of contents, and pictures of prompts."""
    return EMBED if any("content" in fields(each) for each in items(body.get("instances"))) else IMAGES


def _model(path: str) -> str:
    """A model's name without its publisher; a tuned model, or an endpoint of the program's own, as it is."""
    before, _, name = path.rpartition("models/")
    return name if before == "" or before.endswith("/") else path


def _server(client: Any, options: Any) -> Server:
    provider = "gcp.vertex_ai" if getattr(client, "vertexai", False) else "gcp.gemini"
    own = fields(options).get("base_url") or fields(options).get("baseUrl")
    url = own or fields(getattr(client, "_http_options", None)).get("base_url")
    return server_at(provider, url if isinstance(url, str) else "")


def opened(value: Any) -> Any:
    """The JSON of an answer or a chunk, which older releases hand over and newer ones have as the text of a body."""
    body = getattr(value, "body", value)
    if not isinstance(body, (str, bytes)):
        return {} if body is None else body
    try:
        return embed_content.document(body) if isinstance(body, str) and _VECTOR in body else msgspec.json.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return body


def error_code(error: BaseException) -> str | None:
    """The API's own status of an error, such as `RESOURCE_EXHAUSTED`; for a page of a proxy the status of HTTP."""
    status, code = getattr(error, "status", None), getattr(error, "code", None)
    if isinstance(status, str) and status.isupper():
        return status
    return str(code) if isinstance(code, int) and not isinstance(code, bool) else None


SDK: Final = Sdk(
    name="google-genai",
    error_code=error_code,
    response_headers={b"x-gemini-service-tier": (semconv.RESPONSE_SERVICE_TIER, str)},
    opened=opened,
)
OVER_HTTP: Final = Sdk(name="google-genai", error_code=error_code)
INTEGRATION: Final = Integration(
    "google-genai",
    "google-genai",
    ">=1.16,<4",
    (
        calls(
            SDK,
            ("google.genai._api_client",),
            {
                "BaseApiClient.request": read,
                "BaseApiClient.async_request": read,
                "BaseApiClient.request_streamed": read_lazily,
                "BaseApiClient.async_request_streamed": read,
            },
        ),
        attempts(
            SDK,
            ("google.genai._api_client",),
            ("BaseApiClient._request_once", "BaseApiClient._async_request_once"),
        ),
        calls(
            OVER_HTTP,
            ("google.genai._gaos.basesdk",),
            {"BaseSDK.do_request": read_interaction, "AsyncBaseSDK.do_request_async": read_interaction},
        ),
    ),
)
