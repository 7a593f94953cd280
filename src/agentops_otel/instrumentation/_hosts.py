"""Whose API a host is: the providers that speak OpenAI's API, by the last labels of their hosts.

The names are those of the GenAI conventions, else those of the price table. A host that is none of these, such as a
server of one's own, keeps `openai` and its own `server.address`.
"""

from __future__ import annotations

from typing import Final

PROVIDERS: Final = {
    "openai.azure.com": "azure.ai.openai",
    "cognitiveservices.azure.com": "azure.ai.openai",
    "services.ai.azure.com": "azure.ai.openai",
    "models.ai.azure.com": "azure.ai.inference",
    "inference.ai.azure.com": "azure.ai.inference",
    "amazonaws.com": "aws.bedrock",
    "aiplatform.googleapis.com": "gcp.vertex_ai",
    "rep.googleapis.com": "gcp.vertex_ai",
    "generativelanguage.googleapis.com": "gcp.gemini",
    "ml.cloud.ibm.com": "ibm.watsonx.ai",
    "aliyuncs.com": "dashscope",
    "anthropic.com": "anthropic",
    "api.cloudflare.com": "cloudflare",
    "api.meta.ai": "meta",
    "arcee.ai": "arcee",
    "avian.io": "avian",
    "azuredatabricks.net": "databricks",
    "baseten.co": "baseten",
    "bigmodel.cn": "zhipuai",
    "cerebras.ai": "cerebras",
    "cohere.ai": "cohere",
    "cohere.com": "cohere",
    "databricks.com": "databricks",
    "deepinfra.com": "deepinfra",
    "deepseek.com": "deepseek",
    "doubleword.ai": "doubleword",
    "endpoints.kepler.ai.cloud.ovh.net": "ovhcloud",
    "featherless.ai": "featherless_ai",
    "fireworks.ai": "fireworks",
    "githubcopilot.com": "github-copilot",
    "groq.com": "groq",
    "huggingface.cloud": "huggingface",
    "huggingface.co": "huggingface",
    "hyperbolic.xyz": "hyperbolic",
    "minimax.chat": "minimax",
    "minimax.io": "minimax",
    "minimaxi.com": "minimax",
    "mistral.ai": "mistral_ai",
    "moonshot.ai": "moonshot_ai",
    "moonshot.cn": "moonshot_ai",
    "nebius.ai": "nebius",
    "nebius.com": "nebius",
    "novita.ai": "novita",
    "nscale.com": "nscale",
    "openrouter.ai": "openrouter",
    "perplexity.ai": "perplexity",
    "publicai.co": "publicai",
    "sambanova.ai": "sambanova",
    "scaleway.ai": "scaleway",
    "together.ai": "together",
    "together.xyz": "together",
    "voyageai.com": "voyageai",
    "x.ai": "x_ai",
    "z.ai": "zai",
}


def provider_of(host: str) -> str | None:
    """The value of `gen_ai.provider.name` for a host; None for one that is not known."""
    host = host.lower().rstrip(".").replace("-aiplatform.", ".aiplatform.")  # Vertex AI's is {region}-aiplatform
    labels = host.split(".")
    names = (PROVIDERS.get(".".join(labels[start:])) for start in range(len(labels)))
    return next((name for name in names if name), None)
