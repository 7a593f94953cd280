"""Mistral's chat, its agents' chat and fill-in-the-middle, which speak OpenAI's API: what is different.

API reference: https://docs.mistral.ai/api
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ... import semconv
from .._content import Content, Message, fields, items
from .._endpoint import Attributes, Failure
from . import chat, compatible
from .request import strings
from .usage import count


def request(body: Mapping[str, Any], attributes: Attributes) -> None:
    """The settings of a request; an agent's model is not in it."""
    compatible.request(body, attributes)
    seed = body.get("random_seed")
    if isinstance(seed, int) and not isinstance(seed, bool):
        attributes[semconv.REQUEST_SEED] = seed
    agent = body.get("agent_id")
    if isinstance(agent, str) and agent:
        attributes[semconv.AGENT_ID] = agent


def fim_prompt(body: Mapping[str, Any], content: Content, attributes: Attributes) -> None:
    """What stands before the gap, and what stands behind it."""
    parts = [content.text(text) for name in ("prompt", "suffix") for text in strings(body.get(name))]
    if parts:
        attributes[semconv.INPUT_MESSAGES] = content.complete([content.message("user", parts)])


def response(value: Any, attributes: Attributes) -> Failure | None:
    """What an answer says besides its text."""
    failed = compatible.response(value, attributes)
    said = fields(fields(value).get("usage"))
    tier = said.get("service_tier")
    if isinstance(tier, str) and tier:
        attributes[semconv.RESPONSE_SERVICE_TIER] = tier
    seconds = said.get("prompt_audio_seconds")
    if isinstance(seconds, (int, float)) and not isinstance(seconds, bool) and seconds > 0:
        attributes[semconv.USAGE_AUDIO_SECONDS] = float(seconds)
        _write_sound(said, attributes)
    return failed


def output(value: Any, content: Content) -> list[Message]:
    """The messages of an answer: one of each choice, or all of a choice that has several."""
    answer = fields(value)
    choices: list[Mapping[str, Any]] = []
    for choice in map(fields, items(answer.get("choices"))):
        several = () if choice.get("message") else items(choice.get("messages"))
        choices += [{**choice, "message": message} for message in several] or [choice]
    return chat.output({**answer, "choices": choices}, content)


def _write_sound(said: Mapping[str, Any], attributes: Attributes) -> None:
    """The tokens of sound are in the total alone, and a part of the input."""
    given, made = count(said.get("prompt_tokens")), count(said.get("completion_tokens"))
    total = count(said.get("total_tokens"))
    if given is None or made is None or total is None or total <= given + made:
        return
    attributes[semconv.USAGE_INPUT_TOKENS], attributes[semconv.USAGE_OUTPUT_TOKENS] = total - made, made
    attributes[semconv.USAGE_INPUT_AUDIO_TOKENS] = total - made - given
