"""Hugging Face: which tasks of its inference clients are LLM calls.

Chats are OpenAI's, whoever serves them; text generation and vectors are so only with other providers than Hugging Face.
API reference: https://huggingface.co/docs/inference-providers
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from .. import semconv
from . import _hosts
from ._content import fields
from ._endpoint import NOT_AN_ANSWER, Endpoint, Request, Sdk, server_at
from ._integration import Integration, calls
from .readers import chat, text_generation, vectors
from .readers.answer import failure
from .readers.chat_fold import ChatFold
from .readers.embeddings import EMBEDDINGS

_ROUTER: Final = "https://router.huggingface.co/"
_OWN: Final = ("hf-inference", "v1")  # of the router's paths, which begin with the provider else
_NO_CODE: Final = (NOT_AN_ANSWER, "error")
_EVENT: Final = b"data:"
_NO_EVENT: Final = (b":", b"event:", b"id:", b"retry:")  # other lines of server-sent events


CHAT: Final = Endpoint(
    semconv.OPERATION_CHAT, chat.completion_request, chat.prompt, chat.response, chat.output, ChatFold
)
COMPLETIONS: Final = Endpoint(
    semconv.OPERATION_TEXT_COMPLETION,
    chat.completion_request,
    chat.completion_prompt,
    chat.response,
    chat.completion_output,
    ChatFold,
)
TEXT: Final = Endpoint(
    semconv.OPERATION_TEXT_COMPLETION,
    text_generation.request,
    text_generation.prompt,
    text_generation.response,
    text_generation.output,
    text_generation.TextGenerationFold,
)
VECTORS: Final = msgspec.structs.replace(EMBEDDINGS, prompt=vectors.prompt, document=vectors.document)
# Task -> Hugging Face's own shape, which has `inputs`, and that of others.
TASKS: Final = {
    "conversational": (CHAT, CHAT),
    "text-generation": (TEXT, COMPLETIONS),
    "feature-extraction": (VECTORS, EMBEDDINGS),
}


def read(_client: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Request | None:
    """`_inner_post(request_parameters, *, stream=)` of both clients."""
    asked = args[0] if args else kwargs["request_parameters"]
    endpoints, body = TASKS.get(asked.task), asked.json
    if endpoints is None or not isinstance(body, Mapping):
        return None
    keys = [value for name, value in asked.headers.items() if name.lower() == "authorization"]
    provider = _hosts.provider_of(urlsplit(asked.url).hostname or "") or "huggingface"
    return Request(
        endpoints["inputs" not in body],
        {**body, "model": _model(asked, body)},
        server_at(provider, asked.url),
        stream=kwargs.get("stream") is True,
        keys=keys,
    )


def _model(asked: Any, body: Mapping[str, Any]) -> str | None:
    """The model, and whom the router sends it to: as `model:provider`, which is how the router names both."""
    model = body.get("model") or asked.model
    if not isinstance(model, str) or (isinstance(asked.model, str) and asked.model.startswith(("http:", "https:"))):
        return None if model in ("dummy", asked.model) else model  # a server's URL stands in the place of a model
    if asked.url.startswith(_ROUTER):
        provider = asked.url[len(_ROUTER) :].partition("/")[0]
        return model if provider in _OWN else f"{model}:{provider}"
    return model


def opened(value: Any) -> Any:
    """A whole answer as it is; of a line of a stream the event, if it has one."""
    line = value.encode() if isinstance(value, str) else value
    if not line.startswith(_EVENT):
        return None if not line.strip() or line.startswith(_NO_EVENT) else value
    try:
        event = msgspec.json.decode(line[len(_EVENT) :].strip())
    except (msgspec.MsgspecError, ValueError, RecursionError):  # such as [DONE]
        return None
    kind = event.get("error_type") if isinstance(event, dict) else None
    return {**event, "error": {"type": kind, "message": event.get("error")}} if kind else event


def error_code(error: BaseException) -> str | None:
    """The code in the body of a refusal, else its status."""
    response: Any = getattr(error, "response", None)
    body = getattr(error, "response_error_payload", None)  # of aiohttp, which older releases are on
    if body is None:
        with suppress(Exception):  # as what cannot be read any more
            body = response.json()
    answer = fields(body)
    code = answer.get("error_type") or (failure(body, answer, "") or _NO_CODE)[0]
    if isinstance(code, str) and code not in _NO_CODE:
        return code
    status = getattr(response, "status_code", None) or getattr(error, "status", None)
    return str(status) if isinstance(status, int) else None


SDK: Final = Sdk(
    name="huggingface_hub",
    error_code=error_code,
    response_headers={b"x-request-id": (semconv.REQUEST_ID, str)},
    opened=opened,
)
INTEGRATION: Final = Integration(
    "huggingface_hub",
    "huggingface_hub",
    ">=0.31,<3",
    (
        calls(SDK, ("huggingface_hub.inference._client",), {"InferenceClient._inner_post": read}),
        calls(
            SDK,
            ("huggingface_hub.inference._generated._async_client",),
            {"AsyncInferenceClient._inner_post": read},
        ),
    ),
)
