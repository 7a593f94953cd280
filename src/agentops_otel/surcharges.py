"""What the place where a model runs adds to its price: the price table has the prices of calls that may run anywhere.

Some providers take more for calls that stay in one region. Which region that is stands in the host that was called, or
in the answer.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple


class _Region(NamedTuple):
    """Where a provider takes more: a pattern for the whole host, how many times the price, and for which models."""

    host: re.Pattern[str]
    times: float
    models: re.Pattern[str] = re.compile("")


_REGIONS: Final = (
    # Models of 2026-03-05 and later: https://developers.openai.com/api/docs/guides/data-residency
    _Region(
        re.compile(r"[a-z]{2}\.api\.openai\.com"),
        1.1,
        re.compile(r"(ft:)?(gpt-(5\.[4-9]|[6-9]|realtime-2\.[1-9]))"),
    ),
    # https://docs.mistral.ai/inference/regional-inference
    _Region(re.compile(r"api\.(eu|us)\.mistral\.ai"), 1.1),
    # https://docs.together.ai/docs/serverless/geo-specific-inference
    _Region(re.compile(r"(us|ca)-api\.together\.(ai|xyz)"), 1.25),
    # Regions and groups of regions, for Claude 4.5 and Gemini 3.1 and later:
    # https://cloud.google.com/vertex-ai/generative-ai/pricing
    _Region(
        re.compile(r"[a-z0-9-]+-aiplatform\.googleapis\.com|aiplatform\.[a-z]{2}\.rep\.googleapis\.com"),
        1.1,
        re.compile(
            r"claude-[a-z]+-(4[-.][5-9]|[5-9])"
            r"|(.*/)?gemini-(3\.1-flash-(image|lite)|3\.[5-9]|[4-9])"
        ),
    ),
)
# https://platform.claude.com/docs/en/manage-claude/data-residency
_ANTHROPIC: Final = {"": 1.0, "global": 1.0, "not_available": 1.0, "us": 1.1}


@lru_cache(maxsize=1024)
def surcharge(model: str, host: str = "", geo: str = "") -> float | None:
    """How many times the list price the tokens of a call cost; None where that is not known.

    Args:
        model: The model that answered.
        host: The ``server.address`` of the call.
        geo: Where the answer says that the model has run, such as ``us``; empty when it does not say.
    """
    if geo:
        return _ANTHROPIC.get(geo.lower())
    host, model = host.lower().rstrip("."), model.lower()
    for region in _REGIONS:
        if region.host.fullmatch(host) and region.models.match(model):
            return region.times
    return 1.0
