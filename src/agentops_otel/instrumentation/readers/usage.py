"""The tokens that an answer has cost, wherever a host of OpenAI's API says them, and under whatever name.

Most hosts count cached tokens in the input and reasoning tokens in the output. For those that do not, the total
decides: what it counts and input and output do not is added to one of them, once. Where it does not help, a part that
is larger than the whole does.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, TypeAlias

from msgspec import Meta, Struct, ValidationError, convert

from ... import semconv
from .._content import NOTHING, fields, items
from .._endpoint import Attributes

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
_PARTS: Final = frozenset((*_CACHE_READ, *_CACHE_WRITE, *_REASONING))
_WRITTEN: Final = frozenset(_CACHE_WRITE)
# Tokens by modality, in the details of either direction.
_GIVEN: Final = {
    "text_tokens": semconv.USAGE_INPUT_TEXT_TOKENS,
    "image_tokens": semconv.USAGE_INPUT_IMAGE_TOKENS,
    "audio_tokens": semconv.USAGE_INPUT_AUDIO_TOKENS,
    "video_tokens": semconv.USAGE_INPUT_VIDEO_TOKENS,
}
_CACHED: Final = {
    "image_tokens": semconv.USAGE_CACHE_READ_IMAGE_TOKENS,
    "audio_tokens": semconv.USAGE_CACHE_READ_AUDIO_TOKENS,
}
_MADE: Final = {
    "text_tokens": semconv.USAGE_OUTPUT_TEXT_TOKENS,
    "image_tokens": semconv.USAGE_OUTPUT_IMAGE_TOKENS,
    "audio_tokens": semconv.USAGE_OUTPUT_AUDIO_TOKENS,
    "video_tokens": semconv.USAGE_OUTPUT_VIDEO_TOKENS,
}
_COST: Final = ("cost", "total_cost", "estimated_cost")  # OpenRouter, Perplexity and others; DeepInfra
_TICKS: Final = "cost_in_usd_ticks"  # xAI's, ten thousand million to the dollar
_A_DOLLAR: Final = 10**10  # https://docs.x.ai/developers/cost-tracking
_COSTS: Final = frozenset((*_COST, _TICKS))
_COST_TOTAL: Final = ("total_cost", "total", "amount", "cost", "usd")


_Tokens: TypeAlias = Annotated[int, Meta(ge=0)]


class _Given(Struct, forbid_unknown_fields=True):
    cached_tokens: _Tokens | None = 0
    audio_tokens: _Tokens | None = 0
    text_tokens: _Tokens | None = 0
    image_tokens: _Tokens | None = 0


class _Made(Struct, forbid_unknown_fields=True):
    reasoning_tokens: _Tokens | None = 0
    audio_tokens: _Tokens | None = 0
    text_tokens: _Tokens | None = 0
    image_tokens: _Tokens | None = 0
    accepted_prediction_tokens: _Tokens | None = 0
    rejected_prediction_tokens: _Tokens | None = 0


class _Usual(Struct, forbid_unknown_fields=True):
    """The usage of a chat completion as OpenAI sends it: where it is of this shape, nothing in it needs a search."""

    prompt_tokens: _Tokens
    completion_tokens: _Tokens
    total_tokens: _Tokens
    prompt_tokens_details: _Given | None = None
    completion_tokens_details: _Made | None = None


def count(value: Any) -> int | None:
    """A count of tokens: a whole number of at least 0, also as a float or as digits; None for anything else."""
    if type(value) is int:
        return value if 0 <= value < _MOST else None
    if isinstance(value, str):
        digits = _DIGITS.fullmatch(value)
        return int(digits[1]) if digits else None
    if isinstance(value, float) and value.is_integer():
        return count(int(value))
    return None


def said_in(response: Mapping[str, Any]) -> Mapping[str, Any]:
    """What an answer, or a chunk of one, says about its usage: at its top, at Groq's place, or in a choice."""
    top = fields(response.get("usage"))
    others = [fields(fields(response["x_groq"]).get("usage"))] if response.get("x_groq") else []
    for choice in items(response.get("choices")):
        found = fields(choice).get("usage")
        if found:
            others.append(fields(found))
    if not others:
        return top
    said: Mapping[str, Any] = NOTHING
    for place in reversed([top, *others]):
        said = merged(said, place)
    return said


def merged(earlier: Mapping[str, Any], later: Mapping[str, Any]) -> Mapping[str, Any]:
    """The later usage; what it leaves empty or at 0 stays as it was."""
    if not earlier or not later:
        return earlier or later
    return {**later, **earlier, **{name: value for name, value in later.items() if _says_something(value)}}


def _says_something(value: Any) -> bool:
    inside = fields(value)  # such as the details, which are flat
    return any(inside.values()) if inside else bool(value)


def write_usage(said: Mapping[str, Any], attributes: Attributes, *, only_input: bool = False) -> None:
    """The tokens: both totals if they are known, a class only when it has any.

    Nothing when neither total is known, or both are 0, as in the placeholder that some hosts send.

    Args:
        only_input: the call has no output that is made of tokens, as an embedding.
    """
    if not only_input and "prompt_tokens" in said and _write_usual(said, attributes):
        return
    given, made = _details(said, _INPUT_DETAILS), _details(said, _OUTPUT_DETAILS)
    beside = NOTHING if _PARTS.isdisjoint(said) else said  # the details have them, as a rule
    cache_read = cache_write = reasoning = 0
    if given or beside:
        cache_read = _part(_CACHE_READ, given, beside)
        if beside or not _WRITTEN.isdisjoint(given):
            cache_write = _part(_CACHE_WRITE, given, beside)
    if made or beside:
        reasoning = _part(_REASONING, made, beside)
    total_in, total_out = _total(_INPUT, said), None if only_input else _total(_OUTPUT, said)
    total = count(said.get("total_tokens"))
    if only_input:
        total_in = total if total_in is None else total_in
    elif total is not None and not (total_in and total_out and total_in + total_out == total):
        total_in, total_out = _balanced(total, total_in, total_out, reasoning, cache_read + cache_write)
    # A part that is larger than the whole stands beside it, whatever the total says: so Anthropic counts its cache.
    if total_in is not None and cache_read + cache_write > total_in:
        total_in += cache_read + cache_write
    if total_out is not None and reasoning > total_out:
        total_out += reasoning
    write_tokens(
        attributes,
        total_in,
        total_out,
        cache_read=cache_read,
        cache_write=cache_write,
        reasoning=reasoning,
    )
    if (total_in or total_out) and (given or made):
        write_modalities(given, made, attributes)


def _write_usual(said: Mapping[str, Any], attributes: Attributes) -> bool:
    """As `write_usage()`, in a fraction of its steps; False where it is not of the usual shape, or does not add up."""
    try:
        usual = convert(said, _Usual)
    except ValidationError:
        return False
    total_in, total_out = usual.prompt_tokens, usual.completion_tokens
    given, made = usual.prompt_tokens_details, usual.completion_tokens_details
    cached = given.cached_tokens or 0 if given is not None else 0
    reasoning = made.reasoning_tokens or 0 if made is not None else 0
    if not (total_in and total_out) or total_in + total_out != usual.total_tokens or usual.total_tokens >= _MOST:
        return False
    if cached > total_in or reasoning > total_out:
        return False
    write_tokens(attributes, total_in, total_out, cache_read=cached, reasoning=reasoning)
    if given is not None and (given.audio_tokens or given.text_tokens or given.image_tokens):
        _write_media(said["prompt_tokens_details"], _GIVEN, attributes)
    if made is not None and (made.audio_tokens or made.text_tokens or made.image_tokens):
        _write_media(said["completion_tokens_details"], _MADE, attributes)
    return True


def write_tokens(
    attributes: Attributes,
    total_in: int | None,
    total_out: int | None,
    *,
    cache_read: int = 0,
    cache_write: int = 0,
    cache_write_1h: int = 0,
    reasoning: int = 0,
) -> None:
    """Counts as they are: both totals if they are known, with the classes inside; nothing when both are 0.

    Args:
        cache_write_1h: those of `cache_write` that are kept for an hour, which have a price of their own.
    """
    if not total_in and not total_out:
        return
    if total_in is not None:
        attributes[semconv.USAGE_INPUT_TOKENS] = total_in
    if total_out is not None:
        attributes[semconv.USAGE_OUTPUT_TOKENS] = total_out
    if cache_read:
        attributes[semconv.USAGE_CACHE_READ_TOKENS] = cache_read
    if cache_write:  # under both names while the conventions rename it
        attributes[semconv.USAGE_CACHE_CREATION_TOKENS] = attributes[semconv.USAGE_CACHE_WRITE_TOKENS] = cache_write
    if cache_write_1h:
        attributes[semconv.USAGE_CACHE_WRITE_1H_TOKENS] = cache_write_1h
    if reasoning:
        attributes[semconv.USAGE_REASONING_TOKENS] = reasoning


def write_modalities(given: Mapping[str, Any], made: Mapping[str, Any], attributes: Attributes) -> None:
    """The tokens of the input and of the output by modality: `text_tokens`, `audio_tokens` and so on."""
    if given:
        _write_media(given, _GIVEN, attributes)
        if "cached_tokens_details" in given:
            _write_media(fields(given["cached_tokens_details"]), _CACHED, attributes)
    if made:
        _write_media(made, _MADE, attributes)


def _write_media(details: Mapping[str, Any], names: Mapping[str, str], attributes: Attributes) -> None:
    for name, value in details.items():
        attribute = names.get(name)
        if attribute is not None and value and (tokens := count(value)):
            attributes[attribute] = tokens


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


def _details(said: Mapping[str, Any], names: tuple[str, ...]) -> Mapping[str, Any]:
    """The first object of one of these names, unless all in it is empty or 0, as it mostly is."""
    for name in names:
        value = said.get(name)
        if value and (found := fields(value)):
            return found if any(found.values()) else NOTHING
    return NOTHING


def _total(names: tuple[str, ...], said: Mapping[str, Any]) -> int | None:
    """The first count of one of these names that is not 0, else 0 if one of them is."""
    zero = None
    for name in names:
        found = count(said.get(name))
        if found:
            return found
        zero = found if zero is None else zero
    return zero


def _part(names: tuple[str, ...], *objects: Mapping[str, Any]) -> int:
    """The first count of one of these names that is not 0, else 0."""
    for said in objects:
        for name in names if said else ():
            found = said.get(name)
            if found and (found := count(found)):
                return found
    return 0


def write_cost(said: Mapping[str, Any], attributes: Attributes) -> None:
    """What the host says that the call has cost, in US dollars."""
    cost = None if _COSTS.isdisjoint(said) else _cost(said)
    if cost is not None:
        attributes[semconv.COST_AMOUNT] = cost
        attributes[semconv.COST_CURRENCY] = "USD"
        attributes[semconv.COST_SOURCE] = semconv.COST_SOURCE_PROVIDER


def write_searches(said: Mapping[str, Any], attributes: Attributes) -> None:
    """How often the provider has searched the web, where it says so as Anthropic does."""
    searches = count(fields(said["server_tool_use"]).get("web_search_requests")) if "server_tool_use" in said else None
    if searches:
        attributes[semconv.USAGE_WEB_SEARCHES] = searches


def write_geo(said: Mapping[str, Any], attributes: Attributes) -> None:
    """Where the model has run, where the answer says so as Anthropic's does: in some places it costs more."""
    geo = said.get("inference_geo")
    if geo and isinstance(geo, str):
        attributes[semconv.RESPONSE_INFERENCE_GEO] = geo


def _cost(said: Mapping[str, Any]) -> float | None:
    """A number, or an object with the total; with a key of the caller's own, what the model's host takes comes to it.

    https://openrouter.ai/docs/use-cases/usage-accounting
    """
    found = _stated(said)
    if found is None or said.get("is_byok") is not True:
        return found
    return found + (_amount(fields(said.get("cost_details")).get("upstream_inference_cost")) or 0)


def _stated(said: Mapping[str, Any]) -> float | None:
    for name in _COST:
        value = said.get(name)
        if value is None:
            continue
        inside = fields(value)
        if str(inside.get("currency") or "USD").upper() != "USD":
            continue
        for amount in [inside.get(total) for total in _COST_TOTAL] if inside else [value]:
            found = _amount(amount)
            if found is not None:
                return found
    ticks = count(said.get(_TICKS))
    return None if ticks is None else ticks / _A_DOLLAR


def _amount(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        amount = float(value)
    except (ValueError, OverflowError):
        return None
    return amount if 0 <= amount < math.inf else None
