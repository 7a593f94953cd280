"""Hosts that speak OpenAI's API: whose they are, and that their models have a price under that name."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from urllib.parse import urlsplit

import openai
import pytest

from agentops_otel import pricing, semconv
from agentops_otel.instrumentation import _hosts
from agentops_otel.instrumentation import openai as sdk
from agentops_otel.usage import Usage
from tests.fakes import llm_server
from tests.fakes.llm_server import Reply

USAGE = Usage(100_000, 10_000)
# The base URL that a provider's documentation gives, our name of it, one of its models, and dollars for 100,000 tokens
# in and 10,000 out. None: the table has no prices of it, and a price of another provider must not stand in for them.
HOSTS = [
    ("https://api.openai.com/v1", "openai", "gpt-4o", 0.35),
    ("https://eu.api.openai.com/v1", "openai", "gpt-4o", 0.35),
    ("https://me.openai.azure.com/openai/v1", "azure.ai.openai", "gpt-4o", 0.35),
    ("https://me.services.ai.azure.com/openai/v1", "azure.ai.openai", "gpt-4o", 0.35),
    ("https://me.eastus2.models.ai.azure.com/v1", "azure.ai.inference", "DeepSeek-R1", ...),
    ("https://bedrock-runtime.us-west-2.amazonaws.com/openai/v1", "aws.bedrock", "openai.gpt-oss-120b-1:0", 0.021),
    ("https://us-central1-aiplatform.googleapis.com/v1", "gcp.vertex_ai", "google/gemini-2.5-flash", 0.055),
    ("https://aiplatform.us.rep.googleapis.com/v1", "gcp.vertex_ai", "google/gemini-2.5-flash", 0.055),
    ("https://generativelanguage.googleapis.com/v1beta/openai", "gcp.gemini", "gemini-2.5-flash", 0.055),
    ("https://generativelanguage.googleapis.com/v1beta/openai", "gcp.gemini", "models/gemini-2.5-flash", 0.055),
    ("https://api.anthropic.com/v1", "anthropic", "claude-3-7-sonnet-latest", 0.45),
    ("https://api.arcee.ai/api/v1", "arcee", "deepseek/deepseek-v4-pro", ...),
    ("https://api.avian.io/v1", "avian", "Meta-Llama-3.3-70B-Instruct", ...),
    ("https://inference.baseten.co/v1", "baseten", "deepseek-ai/DeepSeek-V4-Pro", ...),
    ("https://api.cerebras.ai/v1", "cerebras", "llama-3.3-70b", 0.097),
    ("https://api.cloudflare.com/client/v4/accounts/1/ai/v1", "cloudflare", "@cf/baai/bge-large-en-v1.5", ...),
    ("https://api.cohere.ai/compatibility/v1", "cohere", "command-a", 0.35),
    ("https://api.cohere.com/compatibility/v1", "cohere", "command-a", 0.35),
    ("https://me.cloud.databricks.com/serving-endpoints", "databricks", "databricks-deepseek-v4-1-flash", ...),
    ("https://adb-1.2.azuredatabricks.net/serving-endpoints", "databricks", "databricks-deepseek-v4-1-flash", ...),
    ("https://api.deepseek.com", "deepseek", "deepseek-chat", 0.019),
    ("https://api.doubleword.ai/v1", "doubleword", "Qwen/Qwen3-14B-FP8", ...),
    ("https://api.fireworks.ai/inference/v1", "fireworks", "accounts/fireworks/models/deepseek-v3p2", 0.0728),
    ("https://api.githubcopilot.com", "github-copilot", "claude-haiku-4.5", ...),
    ("https://api.groq.com/openai/v1", "groq", "llama-3.3-70b-versatile", 0.0669),
    ("https://router.huggingface.co/v1", "huggingface", "openai/gpt-oss-120b:groq", ...),
    ("https://router.huggingface.co/v1", "huggingface", "openai/gpt-oss-120b", None),
    ("https://router.huggingface.co/v1", "huggingface", "openai/gpt-oss-120b:fastest", None),
    ("https://api.meta.ai/v1", "meta", "muse-spark-1.1", ...),
    ("https://api.minimax.io/v1", "minimax", "MiniMax-M2", 0.042),
    ("https://api.minimaxi.com/v1", "minimax", "MiniMax-M2", 0.042),
    ("https://api.mistral.ai/v1", "mistral_ai", "codestral-2508", ...),
    ("https://api.moonshot.ai/v1", "moonshot_ai", "kimi-k2-thinking", 0.085),
    ("https://api.moonshot.cn/v1", "moonshot_ai", "kimi-k2-thinking", 0.085),
    ("https://api.novita.ai/v3/openai", "novita", "deepseek/deepseek-r1", ...),
    ("https://openrouter.ai/api/v1", "openrouter", "openai/gpt-4o", 0.35),
    ("https://oai.endpoints.kepler.ai.cloud.ovh.net/v1", "ovhcloud", "Meta-Llama-3_3-70B-Instruct", ...),
    ("https://api.perplexity.ai", "perplexity", "sonar-deep-research", ...),
    # How much a request has searched is part of its price.
    ("https://api.perplexity.ai", "perplexity", "sonar-pro", None),
    ("https://api.together.xyz/v1", "together", "meta-llama/Llama-3.3-70B-Instruct-Turbo", 0.0968),
    ("https://api.together.ai/v1", "together", "meta-llama/Llama-3.3-70B-Instruct-Turbo", 0.0968),
    ("https://api.voyageai.com/v1", "voyageai", "voyage-3", ...),
    ("https://api.x.ai/v1", "x_ai", "grok-3", 0.45),
    ("https://eu-west-1.api.x.ai/v1", "x_ai", "grok-3", 0.45),
    ("https://api.z.ai/api/paas/v4", "zai", "GLM-5.2", ...),
    ("https://open.bigmodel.cn/api/paas/v4", "zhipuai", "GLM-4-Air", ...),
    # Known by name, without prices.
    ("https://dashscope-intl.aliyuncs.com/compatible-mode/v1", "dashscope", "qwen-plus", None),
    ("https://api.deepinfra.com/v1/openai", "deepinfra", "openai/gpt-oss-120b", None),
    ("https://api.featherless.ai/v1", "featherless_ai", "openai/gpt-oss-120b", None),
    ("https://api.hyperbolic.xyz/v1", "hyperbolic", "openai/gpt-oss-120b", None),
    ("https://api.studio.nebius.ai/v1", "nebius", "openai/gpt-oss-120b", None),
    ("https://api.tokenfactory.nebius.com/v1", "nebius", "openai/gpt-oss-120b", None),
    ("https://inference.api.nscale.com/v1", "nscale", "openai/gpt-oss-120b", None),
    ("https://api.publicai.co/v1", "publicai", "swiss-ai/Apertus-8B-Instruct-2509", None),
    ("https://api.sambanova.ai/v1", "sambanova", "openai/gpt-oss-120b", None),
    ("https://api.scaleway.ai/v1", "scaleway", "openai/gpt-oss-120b", None),
    ("https://us-south.ml.cloud.ibm.com/ml/v1", "ibm.watsonx.ai", "ibm/granite-4", None),
    # Servers of one's own: vLLM, LM Studio, llama.cpp.
    ("http://localhost:8000/v1", "openai", "meta-llama/Llama-3.3-70B-Instruct", None),
    ("http://127.0.0.1:1234/v1", "openai", "qwen3-8b", None),
    ("http://[::1]:8080/v1", "openai", "local", None),
]


@pytest.mark.parametrize(("url", "provider", "model", "dollars"), HOSTS, ids=lambda value: str(value)[:60])
def test_provider_and_price_of_a_host(url, provider, model, dollars):
    """Each host has its provider's name, and that provider's price for its models."""
    assert sdk.provider(openai.OpenAI, urlsplit(url).hostname) == provider
    # DeepSeek's prices depend on the time of day.
    priced = pricing.cost(provider, model, USAGE, pricing.Terms(datetime.now(timezone.utc).replace(hour=20)))
    if dollars is ...:  # whatever it costs today
        assert priced is not None
        assert priced.amount > 0
    else:
        assert (None if priced is None else pytest.approx(priced.amount)) == dollars


@pytest.mark.parametrize(("url", "provider"), [row[:2] for row in HOSTS], ids=lambda value: str(value)[:60])
def test_the_table_knows_the_hosts_too(url, provider):
    """A host that the price table knows by its address is the same provider in it as by our name."""
    known = [each.id for each in pricing._snapshot().providers if re.match(each.api_pattern, url)]
    name, _ = pricing._in_table(provider, "model")
    assert not known or name in known


def test_every_provider_of_hosts_is_tested():
    """There is a row for each name."""
    assert set(_hosts.PROVIDERS.values()) == {row[1] for row in HOSTS} - {"openai"}


@pytest.mark.parametrize(
    ("host", "provider"),
    [
        ("API.GROQ.COM", "groq"),
        ("api.groq.com.", "groq"),
        ("notgroq.com", None),
        ("groq.com.example.org", None),
        ("com", None),
        ("", None),
        ("....", None),
    ],
)
def test_only_whole_labels_count(host, provider):
    """A host that only looks like a provider's is nobody's."""
    assert _hosts.provider_of(host) == provider


def test_a_routed_call_costs_what_its_host_takes(client, spans, server):
    """The router's answer names the model alone; the request says which host was asked for, and that decides."""
    attributes = {
        semconv.OPERATION_NAME: "chat",
        semconv.PROVIDER_NAME: "huggingface",
        semconv.REQUEST_MODEL: "openai/gpt-oss-120b:groq",
        semconv.RESPONSE_MODEL: "gpt-oss-120b",
        semconv.USAGE_INPUT_TOKENS: 100,
        semconv.USAGE_OUTPUT_TOKENS: 10,
    }
    expected = pricing.cost("huggingface_groq", "openai/gpt-oss-120b", Usage(100, 10))
    assert pricing.span_cost(attributes) == expected is not None
    assert pricing.span_cost({**attributes, semconv.REQUEST_MODEL: "openai/gpt-oss-120b"}) is None


def test_what_a_host_says_that_a_call_has_cost_wins(client, spans, server):
    """OpenRouter states the cost of each call, which is right also for models that no table knows."""
    usage = {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12, "cost": 0.00042}
    server.then(Reply(llm_server.chat(model="some/new-model", usage=usage, provider="Somebody")))
    client.chat.completions.create(model="some/new-model", messages=[{"role": "user", "content": "Hello"}])
    assert pricing.span_cost(spans.one().attributes) == pricing.Cost(0.00042, "provider", None)
