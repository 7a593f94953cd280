"""Which provider LiteLLM asks, by the names of the conventions."""

from __future__ import annotations

from collections.abc import Mapping
from sys import modules
from typing import Any, Final

from ... import pricing
from .._content import fields

BEDROCK: Final = "aws.bedrock"
# LiteLLM's names of providers -> those of the conventions, else of the price table; others stay as they are.
PROVIDERS: Final = {
    "ai21_chat": "ai21",
    "aiohttp_openai": "openai",
    "anthropic_text": "anthropic",
    "azure": "azure.ai.openai",
    "azure_ai": "azure.ai.inference",
    "azure_text": "azure.ai.openai",
    "bedrock": BEDROCK,
    "bedrock_converse": BEDROCK,
    "bigmodel": "zhipuai",
    "codestral": "mistral_ai",
    "cohere_chat": "cohere",
    "custom_openai": "openai",
    "fireworks_ai": "fireworks",
    "gemini": "gcp.gemini",
    "github_copilot": "github-copilot",
    "hosted_vllm": "vllm",
    "meta_llama": "meta",
    "mistral": "mistral_ai",
    "moonshot": "moonshot_ai",
    "ollama_chat": "ollama",
    "openai_like": "openai",
    "text-completion-codestral": "mistral_ai",
    "text-completion-openai": "openai",
    "together_ai": "together",
    "vertex_ai": "gcp.vertex_ai",
    "vertex_ai_beta": "gcp.vertex_ai",
    "voyage": "voyageai",
    "watsonx": "ibm.watsonx.ai",
    "watsonx_text": "ibm.watsonx.ai",
    "xai": "x_ai",
}


def named(provider: str) -> str:
    """A provider of LiteLLM's, as the conventions call it."""
    return "gcp.vertex_ai" if provider.startswith("vertex_ai-") else PROVIDERS.get(provider, provider)


def asked(body: Mapping[str, Any]) -> tuple[str, Any]:
    """The provider, as far as it is known before the call, and the model as that provider calls it."""
    model, provider = body.get("model"), body.get("custom_llm_provider")
    if not isinstance(model, str):
        return "litellm", model
    prefix, slash, rest = model.partition("/")
    if slash and (provider is None or provider == prefix):
        return named(prefix), rest
    if not isinstance(provider, str):
        costs = fields(getattr(modules.get("litellm"), "model_cost", None))
        provider = fields(costs.get(model)).get("litellm_provider") or pricing.provider_of(model)
    return named(provider) if isinstance(provider, str) else "litellm", model
