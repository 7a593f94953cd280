"""The tokens that an answer has cost, wherever a host of OpenAI's API says them, and under whatever name.

Most hosts count cached tokens in the input and reasoning tokens in the output. For those that do not, the total
decides: what it counts and input and output do not is added to one of them, once.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from ..usage import Usage
from ._content import NOTHING, fields, items

_MOST: Final = 2**63  # what an attribute can hold
_DIGITS: Final = re.compile(r"\s*([0-9]{1,18})(?:\.0*)?\s*")
_INPUT: Final = ("prompt_tokens", "input_tokens")
_OUTPUT: Final = ("completion_tokens", "output_tokens")
_INPUT_DETAILS: Final = ("prompt_tokens_details", "input_tokens_details", "input_token_details")
_OUTPUT_DETAILS: Final = ("completion_tokens_details", "output_tokens_details", "output_token_details")
# Each is looked for in the details first, then beside the totals.
_CACHE_READ: Final = (
    "cached_tokens",
    "cache_read_input_tokens",
    "cache_read_tokens",
    "prompt_cache_hit_tokens",  # DeepSeek
)
_CACHE_WRITE: Final = (
    "cache_write_tokens",
    "cache_creation_tokens",  # LiteLLM
    "cache_creation_input_tokens",
    "cache_write_input_tokens",
)
_REASONING: Final = ("reasoning_tokens", "thinking_tokens")
_COST: Final = ("cost", "total_cost", "estimated_cost")  # OpenRouter, Perplexity and others; DeepInfra
_COST_TOTAL: Final = ("total_cost", "total", "amount", "cost", "usd")


def count(value: Any) -> int | None:
    """A count of tokens: a whole number of at least 0, also as a float or as digits; None for anything else."""
    if isinstance(value, str):
        digits = _DIGITS.fullmatch(value)
        return int(digits[1]) if digits else None
    if isinstance(value, float):
        value = int(value) if value.is_integer() else None
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MOST else None


def said_in(response: Mapping[str, Any]) -> Mapping[str, Any]:
    """What an answer, or a chunk of one, says about its usage: at its top, at Groq's place, or in a choice."""
    places = [place for place in _places(response) if place]
    if len(places) < 2:
        return places[0] if places else NOTHING
    said: Mapping[str, Any] = NOTHING
    for place in reversed(places):
        said = merged(said, place)
    return said


def _places(response: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield fields(response.get("usage"))
    if response.get("x_groq"):
        yield fields(fields(response["x_groq"]).get("usage"))
    for choice in items(response.get("choices")):
        found = fields(choice).get("usage")
        if found:
            yield fields(found)


def merged(earlier: Mapping[str, Any], later: Mapping[str, Any]) -> Mapping[str, Any]:
    """The later usage; what it leaves empty or at 0 stays as it was."""
    if not earlier:
        return later
    return {**later, **earlier, **{name: value for name, value in later.items() if _says_something(value)}}


def _says_something(value: Any) -> bool:
    inside = fields(value)  # such as the details, which are flat
    return any(inside.values()) if inside else bool(value)


def read_usage(said: Mapping[str, Any], *, only_input: bool = False) -> Usage | None:
    """The tokens; None when neither total is known, or both are 0, as in the placeholder that some hosts send.

    Args:
        only_input: the call has no output that is made of tokens, as an embedding.
    """
    given, made = _first_object(said, _INPUT_DETAILS), _first_object(said, _OUTPUT_DETAILS)
    cache_read = _count(_CACHE_READ, given, said) or 0
    cache_write = _count(_CACHE_WRITE, given, said) or 0
    total_in, total_out = _count(_INPUT, said), None if only_input else _count(_OUTPUT, said)
    total = count(said.get("total_tokens"))
    if total is not None:
        if only_input:
            total_in = total if total_in is None else total_in
        else:
            reasoning = _count(_REASONING, made, said) or 0
            total_in, total_out = _balanced(total, total_in, total_out, reasoning, cache_read + cache_write)
    if not total_in and not total_out:
        return None
    return Usage(
        input_tokens=total_in or 0,
        output_tokens=total_out or 0,
        cache_read_tokens=cache_read,
        cache_write_tokens=cache_write,
        reasoning_tokens=_count(_REASONING, made, said) or 0,
        input_audio_tokens=count(given.get("audio_tokens")) or 0,
        output_audio_tokens=count(made.get("audio_tokens")) or 0,
        input_text_tokens=count(given.get("text_tokens")) or 0,
        input_image_tokens=count(given.get("image_tokens")) or 0,
        input_video_tokens=count(given.get("video_tokens")) or 0,
        output_text_tokens=count(made.get("text_tokens")) or 0,
        output_image_tokens=count(made.get("image_tokens")) or 0,
        missing=frozenset(
            name for name, known in (("input_tokens", total_in), ("output_tokens", total_out)) if known is None
        ),
    )


def _balanced(
    total: int, total_in: int | None, total_out: int | None, reasoning: int, cached: int
) -> tuple[int | None, int | None]:
    """Input and output that add up to the total, if it says more than they do."""
    if not total_in:  # no call has an input of 0
        return (total - total_out if total_out is not None and total_out < total else total_in), total_out
    if total_out is None:
        return total_in, (total - total_in if total > total_in else None)
    beside = total - total_in - total_out
    if beside > 0 and cached and beside != reasoning and beside in (cached, cached + reasoning):
        total_in += cached
    return total_in, max(total_out, total - total_in)


def _first_object(said: Mapping[str, Any], names: tuple[str, ...]) -> Mapping[str, Any]:
    return next((found for found in (fields(said.get(name)) for name in names) if found), NOTHING)


def _count(names: tuple[str, ...], *objects: Mapping[str, Any]) -> int | None:
    """The first count of one of these names that is not 0, else 0 if one of them is."""
    zero = None
    for said in objects:
        for name in names:
            if name in said:
                found = count(said[name])
                if found:
                    return found
                zero = found if zero is None else zero
    return zero


def read_cost(said: Mapping[str, Any]) -> float | None:
    """What the host says that the call has cost, in US dollars: a number, or an object with the total."""
    for name in _COST:
        value = said.get(name)
        inside = fields(value)
        if str(inside.get("currency") or "USD").upper() != "USD":
            continue
        for amount in [inside.get(total) for total in _COST_TOTAL] if inside else [value]:
            found = _amount(amount)
            if found is not None:
                return found
    return None


def _amount(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        amount = float(value)
    except (ValueError, OverflowError):
        return None
    return amount if 0 <= amount < math.inf else None
