"""Ollama's answers, as its API reference shows them: https://docs.ollama.com/api"""

from __future__ import annotations

from typing import Any

from tests.fakes.llm_server import LINES, Reply

HEAD = {"model": "qwen3", "created_at": "2026-11-01T10:00:00.000000Z"}
COUNTS = {
    "total_duration": 4_883_583_458,
    "load_duration": 1_334_875,
    "prompt_eval_count": 26,
    "prompt_eval_duration": 342_546_000,
    "eval_count": 11,
    "eval_duration": 4_535_599_000,
}
END = {**HEAD, "done": True, "done_reason": "stop", **COUNTS}
CALLS = [
    {"function": {"name": "weather", "arguments": {"city": "Paris"}}},
    {"function": {"name": "weather", "arguments": {"city": "Rome"}}},
]


def chat(message: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    return {**END, "message": {"role": "assistant", "content": "Paris", **(message or {})}, **fields}


def generate(**fields: Any) -> dict[str, Any]:
    return {**END, "response": "Paris", "context": [1, 2, 3], **fields}


def piece(**message: Any) -> dict[str, Any]:
    return {**HEAD, "message": {"role": "assistant", "content": "", **message}, "done": False}


def chat_pieces(*before: dict[str, Any], **fields: Any) -> list[dict[str, Any]]:
    """The streamed form of `chat()`."""
    return [*before, *(piece(content=text) for text in ("Pa", "r", "is")), {**chat({"content": ""}), **fields}]


def generate_pieces() -> list[dict[str, Any]]:
    """The streamed form of `generate()`."""
    texts = [{**HEAD, "response": text, "done": False} for text in ("Pa", "r", "is")]
    return [*texts, generate(response="")]


def stream(events: list[Any], **how: Any) -> Reply:
    """A stream as Ollama sends it: lines of JSON."""
    return Reply(events, headers=LINES, **how)


EMBED = {**HEAD, "embeddings": [[0.25, -0.5, 1.0], [0.5, 0.5, 0.5]], "total_duration": 14, "prompt_eval_count": 8}
EMBEDDINGS = {"embedding": [0.25, -0.5, 1.0, 0.0]}
SCORES = {
    "model": "qwen3",
    "answers": {"safe": {"type": "noul", "noul": 0.93}},
    "usage": {"input_tokens": 47, "output_tokens": 0},
}
