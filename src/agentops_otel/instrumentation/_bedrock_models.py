"""Whose API the body of an invoked model is: each model maker's own, with what Bedrock adds to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from .. import semconv
from . import anthropic, cohere
from ._content import fields, items
from ._endpoint import Endpoint
from .readers import bedrock_embeddings, bedrock_images, bedrock_text, chat, converse, invoke_model
from .readers.converse_fold import ConverseFold
from .readers.invoke_model import ChoicesFold, invoked
from .readers.rerank import RERANK as RANKING

CONVERSE: Final = Endpoint(
    semconv.OPERATION_CHAT,
    converse.request,
    converse.prompt,
    converse.response,
    converse.output,
    ConverseFold,
)
NOVA: Final = invoked(CONVERSE)
MESSAGES: Final = invoked(anthropic.MESSAGES)
COMMAND: Final = invoked(cohere.V1_CHAT)
COHERE_EMBEDDINGS: Final = invoked(cohere.EMBED)
RERANK: Final = invoked(RANKING)
CHAT: Final = invoked(
    Endpoint(
        semconv.OPERATION_CHAT,
        chat.request,
        chat.prompt,
        invoke_model.chat_response,
        invoke_model.chat_output,
        ChoicesFold,
    )
)
TEXT: Final = invoked(
    Endpoint(
        semconv.OPERATION_TEXT_COMPLETION,
        bedrock_text.request,
        bedrock_text.prompt,
        bedrock_text.response,
        bedrock_text.output,
        bedrock_text.TextFold,
    )
)
EMBEDDINGS: Final = invoked(
    Endpoint(
        semconv.OPERATION_EMBEDDINGS,
        bedrock_embeddings.request,
        bedrock_embeddings.prompt,
        bedrock_embeddings.response,
        bedrock_embeddings.output,
    )
)
IMAGES: Final = invoked(
    Endpoint(
        semconv.OPERATION_GENERATE_CONTENT,
        bedrock_images.request,
        bedrock_images.prompt,
        bedrock_images.response,
        bedrock_images.output,
    )
)


def endpoint_of(model: str, body: Mapping[str, Any]) -> Endpoint:
    """What a body asks for, by its fields: the name of a deployment does not say the model."""
    if "anthropic_version" in body:
        return MESSAGES
    if "query" in body and "documents" in body:
        return RERANK
    if "texts" in body or "cohere.embed" in model:
        return COHERE_EMBEDDINGS
    if "embed" in model or "embeddingTypes" in body:
        return EMBEDDINGS
    if "taskType" in body or "text_prompts" in body or "stability." in model:
        return IMAGES
    if "messages" in body:
        return NOVA if _is_nova(body) else CHAT
    return COMMAND if "message" in body else TEXT


def _is_nova(body: Mapping[str, Any]) -> bool:
    """Whether the messages are those of Converse, in which a block says by its name what it is."""
    first = next(iter(items(body["messages"])), None)
    blocks = items(fields(first).get("content"))
    return "inferenceConfig" in body or "schemaVersion" in body or any("type" not in fields(block) for block in blocks)
