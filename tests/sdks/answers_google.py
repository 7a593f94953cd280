"""Answers of Gemini's API, in the shapes of its public reference; each call makes a new one."""

from __future__ import annotations

from typing import Any

USAGE = {
    "promptTokenCount": 57,
    "candidatesTokenCount": 32,
    "thoughtsTokenCount": 16,
    "totalTokenCount": 105,
    "cachedContentTokenCount": 32,
    "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 57}],
    "cacheTokensDetails": [{"modality": "TEXT", "tokenCount": 32}],
    "candidatesTokensDetails": [{"modality": "TEXT", "tokenCount": 32}],
}
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def candidate(*parts: Any, finish: str | None = "STOP", **more: Any) -> dict[str, Any]:
    """One candidate; without a finish reason it goes on."""
    ended = {} if finish is None else {"finishReason": finish}
    return {"content": {"role": "model", "parts": [*parts] or [{"text": "Paris"}]}, **ended, "index": 0, **more}


def generated(*candidates: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A whole answer of `generateContent`."""
    return {
        "candidates": [*candidates] or [candidate()],
        "usageMetadata": USAGE,
        "modelVersion": "gemini-2.5-flash",
        "responseId": "resp_1",
        **more,
    }


def chunks() -> list[dict[str, Any]]:
    """The streamed form of `generated()`: the counts of each chunk are cumulative."""
    head = {"modelVersion": "gemini-2.5-flash", "responseId": "resp_1"}
    early = {"promptTokenCount": 57, "totalTokenCount": 73, "thoughtsTokenCount": 16}
    return [
        {"candidates": [candidate({"text": "Pa"}, finish=None)], "usageMetadata": early, **head},
        {
            "candidates": [candidate({"text": "r"}, finish=None)],
            "usageMetadata": {**early, "candidatesTokenCount": 2, "totalTokenCount": 75},
            **head,
        },
        {"candidates": [candidate({"text": "is"})], "usageMetadata": USAGE, **head},
    ]


def blocked(reason: str = "PROHIBITED_CONTENT", **more: Any) -> dict[str, Any]:
    """An answer without candidates, because the prompt was not let through."""
    return {
        "promptFeedback": {"blockReason": reason, **more},
        "usageMetadata": {"promptTokenCount": 8, "totalTokenCount": 8},
        "modelVersion": "gemini-2.5-flash",
        "responseId": "resp_1",
    }


def embedded(**more: Any) -> dict[str, Any]:
    """An answer of `batchEmbedContents`."""
    return {"embeddings": [{"values": [0.25, -0.5, 1.0, 0.0]}], "usageMetadata": {"promptTokenCount": 8}, **more}


def predicted(*counts: int) -> dict[str, Any]:
    """An answer of Vertex AI's `predict`, with one vector for each count of tokens."""
    vectors = [
        {"embeddings": {"values": [0.25, -0.5], "statistics": {"token_count": tokens, "truncated": False}}}
        for tokens in counts
    ]
    return {"predictions": vectors, "metadata": {"billableCharacterCount": 40}}


def error(status: str = "RESOURCE_EXHAUSTED", code: int = 429, message: str = "Quota exceeded.") -> dict[str, Any]:
    """A failure, as it comes with its own status, and in a stream with status 200."""
    return {"error": {"code": code, "message": message, "status": status}}


COUNTS = {
    "total_input_tokens": 57,
    "total_cached_tokens": 32,
    "total_output_tokens": 32,
    "total_thought_tokens": 16,
    "total_tokens": 105,
    "input_tokens_by_modality": [{"modality": "text", "tokens": 57}],
}


def interaction(*steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A whole answer of the Interactions API."""
    said = {"type": "model_output", "content": [{"type": "text", "text": "Paris"}]}
    return {
        "id": "ix_1",
        "object": "interaction",
        "status": "completed",
        "model": "gemini-3.5-flash",
        "steps": [*steps] or [said],
        "usage": COUNTS,
        **more,
    }


def interaction_events(**more: Any) -> list[Any]:
    """Its streamed form: the last event has the counts, and not the steps."""
    created = {"id": "ix_1", "status": "in_progress", "model": "gemini-3.5-flash", "object": "interaction"}
    completed = {**interaction(**more), "steps": None}
    thought = {"type": "thought_summary", "content": {"type": "text", "text": "Hm."}}
    return [
        {"event_type": "interaction.created", "interaction": created},
        {"event_type": "step.start", "index": 0, "step": {"type": "thought"}},
        {"event_type": "step.delta", "index": 0, "delta": thought},
        {"event_type": "step.stop", "index": 0},
        {"event_type": "step.start", "index": 1, "step": {"type": "model_output"}},
        {"event_type": "step.delta", "index": 1, "delta": {"type": "text", "text": "Pa"}},
        {"event_type": "step.delta", "index": 1, "delta": {"type": "text", "text": "ris"}},
        {"event_type": "step.stop", "index": 1},
        {"event_type": "interaction.completed", "interaction": completed},
        "[DONE]",
    ]
