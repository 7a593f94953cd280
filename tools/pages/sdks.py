"""The table of docs/sdks.md: versions are those of the package, words are those below."""

from __future__ import annotations

from agentops_otel.instrumentation import known

BEGIN = "<!-- The table is written by tools/pages/sdks.py. -->\n"
# Name for `instrument()` -> what is recorded, and what is not.
WORDS = {
    "openai": (
        (
            "chat completions, responses (also in the background and over a connection), completions, embeddings, "
            "images, speech, transcriptions, translations, moderations, batches, vector store searches, "
            "assistants' runs, realtime; Azure and every host that speaks OpenAI's API"
        ),
        "files, fine-tuning, evaluations",
    ),
    "anthropic": (
        (
            "messages, `beta` and the stream helper included, through the clients for Anthropic, Bedrock, Vertex and "
            "Foundry. The spans that newer releases make themselves are not made for these calls, and no trace id goes "
            "to Anthropic; those of the tool runner stay"
        ),
        "token counts, message batches, hosted agents, text completions",
    ),
    "groq": (
        "chat completions, embeddings, speech, transcriptions, translations, batches, the tools that it runs itself",
        "files; compound systems have no cost, nor has Whisper where the answer does not say how long the sound is",
    ),
    "together": (
        "chat completions, completions, embeddings, rankings, pictures, speech, transcriptions, translations",
        "videos, realtime, batches, fine-tuning",
    ),
    "cerebras": ("chat completions, completions", ""),
    "fireworks": ("chat completions, completions, messages in Anthropic's shape", "fine-tuning, deployments"),
    "google-genai": (
        "generated content, chats, embeddings, pictures, interactions; at Google AI and on Vertex AI",
        "token counts, caches, files, batches, tuning, live sessions, agents, videos, background interactions",
    ),
    "mistralai": (
        "chats, agents, fill-in-the-middle, conversations, embeddings, OCR; at Mistral, on Azure and on Vertex AI",
        "files, batches, fine-tuning, transcriptions, speech, moderations, realtime",
    ),
    "cohere": (
        "chats of both versions, generations, embeddings, rankings",
        "classification, datasets, connectors, parsing, sound",
    ),
    "ollama": ("chats, generations, embeddings, scores; clients and functions of the module", "models, web search"),
    "bedrock": (
        (
            "Converse and InvokeModel with their streams, with the bodies of Anthropic, Amazon, Meta, Cohere, Mistral "
            "and AI21; through boto3 and aiobotocore"
        ),
        "agents, knowledge bases, other services of AWS",
    ),
    "litellm": (
        (
            "completions, text completions, responses, embeddings, rankings, pictures made or edited, transcriptions, "
            "whichever provider is behind them; of the router each attempt. What an SDK below records of the same call "
            "is not counted again"
        ),
        (
            "speech; `litellm.anthropic.messages`, the router's `aanthropic_messages`, `litellm.google_genai`; the "
            "proxy server itself (its clients are recorded as those of `openai`)"
        ),
    ),
    "huggingface_hub": (
        "chats, text generation, embeddings, of Hugging Face and of the providers behind it",
        "other tasks, such as pictures and sound",
    ),
}


def generated() -> str:
    """The table."""
    head = "| SDK | tested versions | recorded | not recorded |\n|---|---|---|---|\n"
    return head + "".join(_row(name) for name in sorted(known()) if name in WORDS)


def _row(name: str) -> str:
    integration = known()[name].load()
    package = "" if integration.package == name else f" (`{integration.package}`)"
    recorded, left = WORDS[name]
    return f"| `{name}`{package} | `{integration.supported}` | {recorded} | {left or '-'} |\n"
