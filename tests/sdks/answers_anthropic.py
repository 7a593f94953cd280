"""Answers of Anthropic's Messages API, in the shapes of its public reference, whole and as events of a stream."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

MODEL = "claude-opus-4-8-20260413"
HELLO: dict[str, Any] = {
    "max_tokens": 64,
    "model": "claude-opus-4-8",
    "messages": [{"role": "user", "content": "Capital of France?"}],
}
HEADERS = {
    "request-id": "req_1",
    "anthropic-ratelimit-requests-remaining": "99",
    "anthropic-ratelimit-tokens-remaining": "149000",
}
# 25 fresh, 32 from the cache, 16 written to it, of which 4 for an hour.
USAGE = {
    "input_tokens": 25,
    "cache_creation_input_tokens": 16,
    "cache_read_input_tokens": 32,
    "cache_creation": {"ephemeral_5m_input_tokens": 12, "ephemeral_1h_input_tokens": 4},
    "output_tokens": 48,
    "output_tokens_details": {"thinking_tokens": 20},
    "service_tier": "standard",
}
THINKING = {"type": "thinking", "thinking": "France, so Paris", "signature": "EqQBCgIYAhIM"}
TEXT = {"type": "text", "text": "Paris"}
WEATHER = {"type": "tool_use", "id": "toolu_0", "name": "weather", "input": {"city": "Paris"}}
TIME = {"type": "tool_use", "id": "toolu_1", "name": "time", "input": {"zone": "CET"}}
_PIECES = {"text": ("text_delta", "text"), "thinking": ("thinking_delta", "thinking")}


def message(*content: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
    """An answer; without blocks it says `Paris`."""
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": list(content or (TEXT,)),
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": USAGE,
        **fields,
    }


def tools(**fields: Any) -> dict[str, Any]:
    """An answer that thinks, speaks and calls two tools."""
    return message(THINKING, TEXT, WEATHER, TIME, **{"stop_reason": "tool_use", **fields})


def events(answer: Mapping[str, Any] | None = None, *, placeholder: int = 1) -> list[dict[str, Any]]:
    """The streamed form of an answer: the counts of its output come at the end."""
    whole = message() if answer is None else dict(answer)
    said = whole["usage"]
    start = {name: value for name, value in said.items() if name != "output_tokens_details"}
    head = {**whole, "content": [], "stop_reason": None, "usage": {**start, "output_tokens": placeholder}}
    found: list[dict[str, Any]] = [{"type": "message_start", "message": head}, {"type": "ping"}]
    for index, block in enumerate(whole["content"]):
        found += _block(index, block)
    last = {name: said[name] for name in said if name not in ("cache_creation", "service_tier")}
    delta = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    return [*found, {"type": "message_delta", "delta": delta, "usage": last}, {"type": "message_stop"}]


def _block(index: int, block: Mapping[str, Any]) -> list[dict[str, Any]]:
    kind = block["type"]
    if kind in _PIECES:
        delta, name = _PIECES[kind]
        text, start = block[name], {**block, name: ""}
    elif kind == "tool_use":
        delta, name = "input_json_delta", "partial_json"
        text, start = json.dumps(block["input"]), {**block, "input": {}}
    else:
        delta, name, text, start = "", "", "", dict(block)
    pieces = [text[:2], text[2:]] if text else []
    return [
        {"type": "content_block_start", "index": index, "content_block": start},
        *({"type": "content_block_delta", "index": index, "delta": {"type": delta, name: piece}} for piece in pieces),
        {"type": "content_block_stop", "index": index},
    ]


def error(kind: str = "invalid_request_error", text: str = "no") -> dict[str, Any]:
    """A refusal."""
    return {"type": "error", "error": {"type": kind, "message": text}, "request_id": "req_1"}
