"""Logfire and Pydantic AI: the GenAI conventions, and what they had before them or have beside them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from ..messages import messages, opened
from ..rows import Kind, SpanEvent
from ..usage import Usage
from .counts import count, dollars, usage_of
from .dialect import Attributes, Content, Cost, Dialect
from .genai import event_message

_ALL_MESSAGES: Final = "pydantic_ai.all_messages"
_EVENTS: Final = ("events", "all_messages_events")
_RAW_USAGE: Final = "gen_ai.usage.raw"
_ERROR_LEVEL: Final = 17


def kind(scope: str, attributes: Attributes) -> Kind | None:
    """A streamed call is two: a span for the request, which is a step, and a log for the answer, which is the call."""
    if not scope.startswith("logfire.") or "gen_ai.operation.name" not in attributes:
        return None
    level = attributes.get("logfire.level_num")
    failed = isinstance(level, int) and level >= _ERROR_LEVEL
    return None if failed or "gen_ai.response.id" in attributes else "step"


def usage(attributes: Attributes) -> Usage | None:
    """The usage in the answer of releases before the GenAI conventions."""
    answer = opened(attributes.get("response_data"))
    found = answer.get("usage") if isinstance(answer, dict) else None
    return _of_openai(found) if isinstance(found, dict) else None


def _of_openai(found: dict[str, Any]) -> Usage | None:
    given, said = found.get("prompt_tokens_details"), found.get("completion_tokens_details")
    return usage_of(
        count(found.get("prompt_tokens")),
        count(found.get("completion_tokens")),
        cache_read_tokens=count(given.get("cached_tokens")) if isinstance(given, dict) else None,
        reasoning_tokens=count(said.get("reasoning_tokens")) if isinstance(said, dict) else None,
    )


def amend(usage: Usage, attributes: Attributes) -> Usage:
    """With the reasoning tokens, which have no name of the conventions here."""
    if usage.reasoning_tokens:
        return usage
    tokens = count(attributes.get("gen_ai.usage.details.reasoning_tokens"))
    if tokens is None and _RAW_USAGE in attributes:
        raw = opened(attributes[_RAW_USAGE])
        found = _of_openai(raw) if isinstance(raw, dict) else None
        tokens = None if found is None else found.reasoning_tokens
    return replace(usage, reasoning_tokens=tokens) if tokens and tokens <= usage.output_tokens else usage


def cost(attributes: Attributes) -> Cost | None:
    """What the sender reckoned, from a price table of its own."""
    amount = dollars(attributes.get("operation.cost"))
    return None if amount is None else Cost(amount, "local")


def content(attributes: Attributes, events: tuple[SpanEvent, ...], kind: Kind) -> Content | None:
    """The messages of an agent's run, and those of older releases, as events in JSON or as the request's data."""
    get = attributes.get
    if _ALL_MESSAGES in attributes:
        return Content(input=messages(get(_ALL_MESSAGES)), used=frozenset({_ALL_MESSAGES}))
    for name in _EVENTS:
        listed = opened(get(name))
        if isinstance(listed, list) and listed:  # (one that is empty says nothing, and is left as it is)
            return _of_events(name, listed)
    request, answer = opened(get("request_data")), opened(get("response_data"))
    given = request.get("messages") if isinstance(request, dict) else None
    said = answer.get("message") if isinstance(answer, dict) else None
    return Content(input=messages(given), output=messages(said, "assistant")) if given or said else None


def _of_events(name: str, listed: list[Any]) -> Content:
    found = [
        message
        for each in listed
        if isinstance(each, dict) and (message := event_message(str(each.get("event.name")), each)) is not None
    ]
    return Content(
        input=messages([message for is_answer, message in found if not is_answer]),
        output=messages([message for is_answer, message in found if is_answer], "assistant"),
        used=frozenset({name}),
    )


LOGFIRE: Final = Dialect(
    name="logfire",
    heads=frozenset(
        {"logfire", "operation", "pydantic_ai", "events", "all_messages_events", "request_data", "response_data"}
    ),
    kind=kind,
    usage=usage,
    amend=amend,
    cost=cost,
    content=content,
    fields={
        "agent": ("agent_name",),
        "arguments": ("tool_arguments",),
        "label": ("logfire.msg",),
        "result": ("tool_response", "final_result"),
        "tags": ("logfire.tags",),
    },
    own_tags=frozenset({"LLM"}),
    scopes=("logfire", "pydantic-ai"),
    marks=frozenset({"logfire"}),
)
