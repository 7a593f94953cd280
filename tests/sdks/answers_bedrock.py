"""Answers of Bedrock's runtime, in the shapes of its reference, with numbers of our own."""

from __future__ import annotations

from typing import Any

CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
NOVA = "us.amazon.nova-lite-v1:0"
LLAMA = "meta.llama3-1-8b-instruct-v1:0"
TITAN = "amazon.titan-text-express-v1"
TITAN_EMBED = "amazon.titan-embed-text-v2:0"
COMMAND = "cohere.command-r-plus-v1:0"
COHERE_EMBED = "cohere.embed-english-v3"
MISTRAL = "mistral.mistral-7b-instruct-v0:2"
MISTRAL_LARGE = "mistral.mistral-large-2402-v1:0"
JAMBA = "ai21.jamba-1-5-mini-v1:0"
HEADERS = {"x-amzn-requestid": "req-1"}

USAGE = {
    "inputTokens": 25,
    "outputTokens": 48,
    "totalTokens": 105,
    "cacheReadInputTokens": 20,
    "cacheWriteInputTokens": 12,
    "cacheDetails": [{"ttl": "1h", "inputTokens": 8}, {"ttl": "5m", "inputTokens": 4}],
}


def converse(*content: dict[str, Any], stop_reason: str = "end_turn", **fields: Any) -> dict[str, Any]:
    """An answer of Converse."""
    return {
        "output": {"message": {"role": "assistant", "content": list(content) or [{"text": "Paris"}]}},
        "stopReason": stop_reason,
        "usage": USAGE,
        "metrics": {"latencyMs": 300},
        **fields,
    }


def converse_events(*, usage: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """The events of a stream of Converse: a thought, a text and a tool call."""
    return [
        {"messageStart": {"role": "assistant"}},
        {"contentBlockDelta": {"delta": {"reasoningContent": {"text": "France, "}}, "contentBlockIndex": 0}},
        {"contentBlockDelta": {"delta": {"reasoningContent": {"text": "so Paris"}}, "contentBlockIndex": 0}},
        {"contentBlockDelta": {"delta": {"reasoningContent": {"signature": "c2ln"}}, "contentBlockIndex": 0}},
        {"contentBlockStop": {"contentBlockIndex": 0}},
        {"contentBlockDelta": {"delta": {"text": "Pa"}, "contentBlockIndex": 1}},
        {"contentBlockDelta": {"delta": {"text": "ris"}, "contentBlockIndex": 1}},
        {"contentBlockStop": {"contentBlockIndex": 1}},
        {
            "contentBlockStart": {
                "start": {"toolUse": {"toolUseId": "call_0", "name": "weather"}},
                "contentBlockIndex": 2,
            }
        },
        {"contentBlockDelta": {"delta": {"toolUse": {"input": '{"city":'}}, "contentBlockIndex": 2}},
        {"contentBlockDelta": {"delta": {"toolUse": {"input": '"Paris"}'}}, "contentBlockIndex": 2}},
        {"contentBlockStop": {"contentBlockIndex": 2}},
        {"messageStop": {"stopReason": "tool_use"}},
        {"metadata": {"usage": usage or USAGE, "metrics": {"latencyMs": 300}}},
    ]


MESSAGE = {
    "id": "msg_bdrk_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5-20250929",
    "content": [{"type": "text", "text": "Paris"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {
        "input_tokens": 25,
        "cache_creation_input_tokens": 12,
        "cache_read_input_tokens": 20,
        "cache_creation": {"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 8},
        "output_tokens": 48,
    },
}
METRICS = {
    "inputTokenCount": 25,
    "outputTokenCount": 48,
    "cacheReadInputTokenCount": 20,
    "cacheWriteInputTokenCount": 12,
    "invocationLatency": 300,
    "firstByteLatency": 100,
}
MESSAGE_EVENTS = [
    {
        "type": "message_start",
        "message": {
            **MESSAGE,
            "content": [],
            "stop_reason": None,
            "usage": {**MESSAGE["usage"], "output_tokens": 1},
        },
    },
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Pa"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "ris"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 48}},
    {"type": "message_stop", "amazon-bedrock-invocationMetrics": METRICS},
]
NOVA_ANSWER = {
    "output": {"message": {"role": "assistant", "content": [{"text": "Paris"}]}},
    "stopReason": "end_turn",
    "usage": {
        "inputTokens": 25,
        "outputTokens": 48,
        "totalTokens": 93,
        "cacheReadInputTokenCount": 20,
        "cacheWriteInputTokenCount": 0,
    },
}
LLAMA_ANSWER = {"generation": "Paris", "prompt_token_count": 57, "generation_token_count": 48, "stop_reason": "stop"}
TITAN_ANSWER = {
    "inputTextTokenCount": 57,
    "results": [{"tokenCount": 48, "outputText": "Paris", "completionReason": "FINISH"}],
}
COMMAND_ANSWER = {
    "response_id": "r_1",
    "generation_id": "g_1",
    "text": "Paris",
    "finish_reason": "COMPLETE",
    "chat_history": [{"role": "USER", "message": "Capital?"}, {"role": "CHATBOT", "message": "Paris"}],
}
MISTRAL_ANSWER = {"outputs": [{"text": "Paris", "stop_reason": "stop"}]}
MISTRAL_CHAT_ANSWER = {
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Paris"}, "stop_reason": "stop"}]
}
JAMBA_ANSWER = {
    "id": "chat-1",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Paris"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 57, "completion_tokens": 48, "total_tokens": 105},
}
TITAN_VECTOR = {"embedding": [0.25, -0.5, 1.0, 0.0], "inputTextTokenCount": 8}
COHERE_VECTORS = {"id": "e_1", "response_type": "embeddings_floats", "embeddings": [[0.25, -0.5], [1.0, 0.0]]}

ASK = [{"role": "user", "content": "Capital of France?"}]
# Of each model that is invoked: its name, its request, its answer, and the chunks of its stream.
INVOKED: dict[str, tuple[str, dict[str, Any], dict[str, Any], list[Any] | None]] = {
    "claude": (
        CLAUDE,
        {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 100, "messages": ASK},
        MESSAGE,
        MESSAGE_EVENTS,
    ),
    "nova": (
        NOVA,
        {
            "messages": [{"role": "user", "content": [{"text": "Capital of France?"}]}],
            "inferenceConfig": {"maxTokens": 100},
        },
        NOVA_ANSWER,
        [
            {"messageStart": {"role": "assistant"}},
            {"contentBlockDelta": {"delta": {"text": "Pa"}, "contentBlockIndex": 0}},
            {"contentBlockDelta": {"delta": {"text": "ris"}, "contentBlockIndex": 0}},
            {"contentBlockStop": {"contentBlockIndex": 0}},
            {"messageStop": {"stopReason": "end_turn"}},
            {
                "metadata": {"usage": NOVA_ANSWER["usage"], "metrics": {}},
                "amazon-bedrock-invocationMetrics": {**METRICS, "cacheWriteInputTokenCount": 0},
            },
        ],
    ),
    "llama": (
        LLAMA,
        {"prompt": "Capital of France?", "max_gen_len": 100},
        LLAMA_ANSWER,
        [
            {"generation": "Pa", "prompt_token_count": 57, "generation_token_count": 1, "stop_reason": None},
            {"generation": "ris", "prompt_token_count": None, "generation_token_count": 2, "stop_reason": None},
            {
                "generation": "",
                "prompt_token_count": None,
                "generation_token_count": 48,
                "stop_reason": "stop",
                "amazon-bedrock-invocationMetrics": {"inputTokenCount": 57, "outputTokenCount": 48},
            },
        ],
    ),
    "titan": (
        TITAN,
        {"inputText": "Capital of France?", "textGenerationConfig": {"maxTokenCount": 100}},
        TITAN_ANSWER,
        [
            {"outputText": "Pa", "index": 0, "totalOutputTextTokenCount": None, "completionReason": None},
            {
                "outputText": "ris",
                "index": 0,
                "totalOutputTextTokenCount": 48,
                "completionReason": "FINISH",
                "inputTextTokenCount": 57,
                "amazon-bedrock-invocationMetrics": {"inputTokenCount": 57, "outputTokenCount": 48},
            },
        ],
    ),
    "command": (
        COMMAND,
        {"message": "Capital of France?", "max_tokens": 100},
        COMMAND_ANSWER,
        [
            {"is_finished": False, "event_type": "text-generation", "text": "Pa"},
            {"is_finished": False, "event_type": "text-generation", "text": "ris"},
            {
                "is_finished": True,
                "event_type": "stream-end",
                "finish_reason": "COMPLETE",
                "response": COMMAND_ANSWER,
                "amazon-bedrock-invocationMetrics": {"inputTokenCount": 57, "outputTokenCount": 48},
            },
        ],
    ),
    "mistral": (
        MISTRAL,
        {"prompt": "<s>[INST]Capital of France?[/INST]", "max_tokens": 100},
        MISTRAL_ANSWER,
        [
            {"outputs": [{"text": "Pa", "stop_reason": None}]},
            {
                "outputs": [{"text": "ris", "stop_reason": "stop"}],
                "amazon-bedrock-invocationMetrics": {"inputTokenCount": 57, "outputTokenCount": 48},
            },
        ],
    ),
    "mistral-chat": (
        MISTRAL_LARGE,
        {"messages": ASK, "max_tokens": 100},
        MISTRAL_CHAT_ANSWER,
        [
            {"choices": [{"index": 0, "message": {"role": "assistant", "content": "Pa"}, "stop_reason": None}]},
            {
                "choices": [{"index": 0, "message": {"role": "assistant", "content": "ris"}, "stop_reason": "stop"}],
                "amazon-bedrock-invocationMetrics": {"inputTokenCount": 57, "outputTokenCount": 48},
            },
        ],
    ),
    "jamba": (
        JAMBA,
        {"messages": ASK, "max_tokens": 100},
        JAMBA_ANSWER,
        [
            {"id": "chat-1", "choices": [{"index": 0, "delta": {"role": "assistant", "content": "Pa"}}]},
            {
                "id": "chat-1",
                "choices": [{"index": 0, "delta": {"content": "ris"}, "finish_reason": "stop"}],
                "usage": JAMBA_ANSWER["usage"],
                "amazon-bedrock-invocationMetrics": {"inputTokenCount": 57, "outputTokenCount": 48},
            },
        ],
    ),
    "titan-embed": (TITAN_EMBED, {"inputText": "Paris", "dimensions": 4}, TITAN_VECTOR, None),
    "cohere-embed": (
        COHERE_EMBED,
        {"texts": ["Paris", "Rome"], "input_type": "search_document"},
        COHERE_VECTORS,
        None,
    ),
}

PICTURE = "iVBORw0KGgo" + "A" * 60
# Of each model that draws: its name, its request, its answer.
DRAWN = {
    "canvas": (
        "amazon.nova-canvas-v1:0",
        {"taskType": "TEXT_IMAGE", "textToImageParams": {"text": "Paris"}, "imageGenerationConfig": {"seed": 7}},
        {"images": [PICTURE], "error": None},
    ),
    "sdxl": (
        "stability.stable-diffusion-xl-v1",
        {"text_prompts": [{"text": "Paris"}], "seed": 7},
        {"result": "success", "artifacts": [{"seed": 7, "base64": PICTURE, "finishReason": "SUCCESS"}]},
    ),
    "sd3": (
        "stability.sd3-5-large-v1:0",
        {"prompt": "Paris", "seed": 7},
        {"seeds": [7], "finish_reasons": [None], "images": [PICTURE]},
    ),
}
