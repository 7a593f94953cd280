"""The tokens that an answer says it has cost, in OpenAI's shape.

Input counts cached tokens and output counts reasoning tokens already, so nothing is added up here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..usage import Usage
from ._content import fields


def read_usage(usage: Mapping[str, Any]) -> Usage | None:
    total_in = usage.get("prompt_tokens", usage.get("input_tokens"))
    total_out = usage.get("completion_tokens", usage.get("output_tokens"))
    if total_in is None and total_out is None:
        return None
    given = fields(usage.get("prompt_tokens_details") or usage.get("input_tokens_details"))
    made = fields(usage.get("completion_tokens_details") or usage.get("output_tokens_details"))
    return Usage(
        input_tokens=_count(total_in),
        output_tokens=_count(total_out),
        # DeepSeek counts its cache beside the other totals.
        cache_read_tokens=_count(given.get("cached_tokens")) or _count(usage.get("prompt_cache_hit_tokens")),
        cache_write_tokens=_count(given.get("cache_write_tokens")),
        reasoning_tokens=_count(made.get("reasoning_tokens")),
        input_audio_tokens=_count(given.get("audio_tokens")),
        output_audio_tokens=_count(made.get("audio_tokens")),
    )


def _count(value: Any) -> int:
    return value if type(value) is int else 0
