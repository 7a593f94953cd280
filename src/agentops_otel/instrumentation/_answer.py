"""What every answer says besides its text: id, model, tier, usage, cost, and whether it is a failure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from .. import semconv
from ._content import fields
from ._endpoint import Answer
from ._usage import read_usage

_RESPONSE_FIELDS: Final = (
    ("id", semconv.RESPONSE_ID),
    ("model", semconv.RESPONSE_MODEL),
    ("service_tier", semconv.OPENAI_RESPONSE_SERVICE_TIER),
    ("system_fingerprint", semconv.OPENAI_SYSTEM_FINGERPRINT),
)


def head(response: Mapping[str, Any]) -> Answer:
    answer = Answer()
    for name, attribute in _RESPONSE_FIELDS:
        value = response.get(name)
        if isinstance(value, str):
            answer.attributes[attribute] = value
    usage = fields(response.get("usage"))
    if usage:
        answer.usage = read_usage(usage)
        # OpenRouter and others say what a call cost.
        cost = usage.get("cost")
        if isinstance(cost, (int, float)) and not isinstance(cost, bool):
            answer.attributes[semconv.COST_AMOUNT] = float(cost)
            answer.attributes[semconv.COST_CURRENCY] = "USD"
            answer.attributes[semconv.COST_SOURCE] = semconv.COST_SOURCE_PROVIDER
    return answer


def failure(response: Mapping[str, Any]) -> tuple[str, str] | None:
    error = fields(response.get("error"))
    if not error:
        return None
    return str(error.get("code") or error.get("type") or "error"), str(error.get("message") or "")
