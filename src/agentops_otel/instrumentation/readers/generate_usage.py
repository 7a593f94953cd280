"""The tokens of Gemini's API: it counts apart what we count together.

The prompt has the cached tokens in it, but not those that tools at the provider have read; the candidates do not have
the thoughts. Counts of 0 are left out of the JSON, and the total is the sum of all. A document counts as the pictures
of its pages, as its price does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ... import semconv
from .._content import fields, items
from .._endpoint import Attributes
from .generate_parts import said
from .usage import count, write_modalities, write_tokens

_INPUT: Final = ("promptTokensDetails", "toolUsePromptTokensDetails")
_OUTPUT: Final = ("candidatesTokensDetails", "responseTokensDetails")
_CACHED: Final = ("cacheTokensDetails",)
_PICTURES: Final = ("document", "image")


def write_usage(usage: Mapping[str, Any], attributes: Attributes, *, only_input: bool = False) -> None:
    """The tokens of an answer; a total that it does not say is left out.

    Args:
        only_input: the call has no output that is made of tokens, as an embedding.
    """
    if not usage:
        return
    total_in = count(said(usage, "promptTokenCount"))
    if total_in is not None:
        total_in += count(said(usage, "toolUsePromptTokenCount")) or 0
    thoughts = count(said(usage, "thoughtsTokenCount")) or 0
    write_tokens(
        attributes,
        total_in,
        None if only_input else _output(usage, total_in, thoughts),
        cache_read=count(said(usage, "cachedContentTokenCount")) or 0,
        reasoning=thoughts,
    )
    write_modalities(_by_modality(usage, _INPUT), _by_modality(usage, _OUTPUT), attributes)
    cached_sound = _by_modality(usage, _CACHED).get("audio_tokens")
    if cached_sound:
        attributes[semconv.USAGE_CACHE_READ_AUDIO_TOKENS] = cached_sound
    tier = traffic_tier(said(usage, "serviceTier") or said(usage, "trafficType"))  # Google AI's word, and Vertex AI's
    if tier:
        attributes[semconv.RESPONSE_SERVICE_TIER] = tier


def traffic_tier(said: Any) -> str:
    """The tier that Google AI or Vertex AI says; empty when it is no text."""
    return said.removeprefix("ON_DEMAND_").lower() if isinstance(said, str) else ""


def _output(usage: Mapping[str, Any], total_in: int | None, thoughts: int) -> int | None:
    """The candidates and the thoughts; where neither is said, what the total has more than the input."""
    made, total = count(said(usage, "candidatesTokenCount")), count(said(usage, "totalTokenCount"))
    if made is None:
        made = count(said(usage, "responseTokenCount"))
    if made is not None:
        is_inside = total_in is not None and total == total_in + made  # some models count the thoughts there already
        return made if is_inside else made + thoughts
    if thoughts:
        return thoughts
    return total - total_in if total is not None and total_in is not None and total >= total_in else None


def _by_modality(usage: Mapping[str, Any], lists: tuple[str, ...]) -> Mapping[str, int]:
    found: dict[str, int] = {}
    for each in (fields(each) for name in lists for each in items(said(usage, name))):
        modality, tokens = each.get("modality"), count(said(each, "tokenCount") or each.get("tokens"))
        if isinstance(modality, str) and tokens:
            kind = modality.lower()
            name = "image_tokens" if kind in _PICTURES else f"{kind}_tokens"
            found[name] = found.get(name, 0) + tokens
    return found
