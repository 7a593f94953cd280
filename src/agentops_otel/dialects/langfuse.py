"""Langfuse: everything of an observation is JSON; its counts stand beside each other, those of OpenAI inside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ..messages import messages, opened, plain
from ..rows import Kind, SpanEvent
from ..usage import Usage
from . import kinds
from .counts import count, dollars, usage_of
from .dialect import Attributes, Content, Cost, Dialect

_INPUT: Final = "langfuse.observation.input"
_OUTPUT: Final = "langfuse.observation.output"
_TYPE: Final = "langfuse.observation.type"
_USAGE: Final = "langfuse.observation.usage_details"
_COST: Final = "langfuse.observation.cost_details"


def usage(attributes: Attributes) -> Usage | None:
    """The tokens, in Langfuse's own names or in those of OpenAI's APIs."""
    details = opened(attributes.get(_USAGE))
    if not isinstance(details, dict):
        return None
    return _of_openai(details) if _DETAILED.intersection(details) else _of_langfuse(details)


_DETAILED: Final = frozenset(
    {"prompt_tokens", "prompt_tokens_details", "completion_tokens_details", "input_tokens_details"}
)


def _of_openai(details: Mapping[str, Any]) -> Usage | None:
    def first(*names: str) -> Any:
        return next((value for name in names if (value := details.get(name)) is not None), None)

    given, said = first("prompt_tokens_details", "input_tokens_details"), None
    said = first("completion_tokens_details", "output_tokens_details")
    inside = given if isinstance(given, dict) else {}
    thought = said if isinstance(said, dict) else {}
    return usage_of(
        count(first("prompt_tokens", "input_tokens")),
        count(first("completion_tokens", "output_tokens")),
        cache_read_tokens=count(inside.get("cached_tokens")),
        reasoning_tokens=count(thought.get("reasoning_tokens")),
        input_audio_tokens=count(inside.get("audio_tokens")),
        output_audio_tokens=count(thought.get("audio_tokens")),
    )


def _of_langfuse(details: Mapping[str, Any]) -> Usage | None:
    """Each name counts tokens of its own; the names are free, so they are read by the words in them.

    https://langfuse.com/docs/observability/features/token-and-cost-tracking
    """
    found = {"input": 0, "output": 0, "read": 0, "write": 0, "reasoning": 0}
    known = False
    for name, value in details.items():
        tokens = count(value)
        kind = _class_of(name)
        if tokens is not None and kind is not None:
            found[kind] += tokens
            known = True
    if not known:
        return None
    given, said = found["input"], found["output"]
    beside = found["read"] + found["write"], found["reasoning"]
    if count(details.get("total")) != given + said or not (given or said):
        given, said = given + beside[0], said + beside[1]
    return usage_of(
        given,
        said,
        cache_read_tokens=found["read"],
        cache_write_tokens=found["write"],
        reasoning_tokens=found["reasoning"],
    )


def _class_of(name: str) -> str | None:
    words = name.lower()
    if "total" in words:
        return None
    if "cache" in words:
        return "write" if "creation" in words or "write" in words else "read"
    if "reasoning" in words or "thought" in words:
        return "reasoning"
    return "input" if words.startswith(("input", "prompt")) else "output" if words.startswith(_OUTPUTS) else None


_OUTPUTS: Final = ("output", "completion")


def cost(attributes: Attributes) -> Cost | None:
    """The stated cost; the 0 of a call that failed before it used anything is none."""
    details = opened(attributes.get(_COST))
    if not isinstance(details, dict):
        return None
    amounts = [amount for name, value in details.items() if name != "total" and (amount := dollars(value)) is not None]
    amount = dollars(details.get("total"))
    amount = sum(amounts) if amount is None and amounts else amount
    return None if amount is None or (not amount and _USAGE not in attributes) else Cost(amount, "provider")


def content(attributes: Attributes, events: tuple[SpanEvent, ...], kind: Kind) -> Content | None:
    """The messages of a generation; of other observations input and output are arguments and result."""
    if kind != "llm" or (_INPUT not in attributes and _OUTPUT not in attributes):
        return None
    given = opened(attributes.get(_INPUT))
    tools = given.get("tools") if isinstance(given, dict) else None
    return Content(
        input=messages(given),
        output=messages(attributes.get(_OUTPUT), "assistant"),
        tools=plain(tools),
        used=frozenset({_INPUT, _OUTPUT}) if _TYPE in attributes else frozenset(),
    )


LANGFUSE: Final = Dialect(
    name="langfuse",
    heads=frozenset({"langfuse"}),
    kinds=((_TYPE, kinds.LANGFUSE),),
    usage=usage,
    cost=cost,
    content=content,
    fields={
        "arguments": (_INPUT,),
        "completion_start": ("langfuse.observation.completion_start_time",),
        "finish_reasons": ("langfuse.observation.metadata.finish_reason",),
        "level": ("langfuse.observation.level",),
        "response_model": ("langfuse.observation.model.name",),
        "result": (_OUTPUT,),
        "session_id": ("langfuse.session.id",),
        "session_name": ("langfuse.trace.name",),
        "status_message": ("langfuse.observation.status_message",),
        "tags": ("langfuse.trace.tags",),
    },
    scopes=("langfuse-sdk",),
    marks=frozenset({"langfuse"}),
)
