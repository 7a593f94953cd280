"""What the requests of OpenAI's endpoints have in common: settings and tool definitions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ... import semconv
from .._content import NOTHING, fields, items
from .._endpoint import Attributes

# Request fields that are attributes as they stand.
_PARAMETERS: Final = {
    "max_tokens": semconv.REQUEST_MAX_TOKENS,
    "max_completion_tokens": semconv.REQUEST_MAX_TOKENS,
    "max_output_tokens": semconv.REQUEST_MAX_TOKENS,
    "temperature": semconv.REQUEST_TEMPERATURE,
    "top_p": semconv.REQUEST_TOP_P,
    "top_k": semconv.REQUEST_TOP_K,
    "frequency_penalty": semconv.REQUEST_FREQUENCY_PENALTY,
    "presence_penalty": semconv.REQUEST_PRESENCE_PENALTY,
    "seed": semconv.REQUEST_SEED,
    "service_tier": semconv.OPENAI_REQUEST_SERVICE_TIER,
}
_OUTPUT_TYPES: Final = {"json_schema": "json", "json_object": "json", "text": "text"}


def parameters(body: Mapping[str, Any], attributes: Attributes) -> None:
    """The request's settings. Sentinels and other objects are no values of the API and are left out."""
    for name, value in body.items():
        attribute = _PARAMETERS.get(name)
        if attribute is not None and isinstance(value, (int, float, str)):
            attributes[attribute] = value


def choice_count(body: Mapping[str, Any], attributes: Attributes) -> None:
    """How many answers are asked for, if it is not one."""
    choices = body.get("n")
    if isinstance(choices, int) and choices != 1:
        attributes[semconv.REQUEST_CHOICE_COUNT] = choices


def reasoning_level(body: Mapping[str, Any], attributes: Attributes) -> None:
    """How hard the model should think; chat completions have it at the top, the Responses API in an object."""
    if "reasoning_effort" in body or "reasoning" in body:
        level = body.get("reasoning_effort") or fields(body.get("reasoning")).get("effort")
        if isinstance(level, str):
            attributes[semconv.REQUEST_REASONING_LEVEL] = level


def strings(value: Any) -> tuple[str, ...]:
    """The texts of a field that is one text or a list of them."""
    return (value,) if isinstance(value, str) else tuple(item for item in items(value) if isinstance(item, str))


def output_type(form: Any, attributes: Attributes) -> None:
    """What the answer is asked to be."""
    kind = fields(form).get("type")
    if isinstance(kind, str) and kind in _OUTPUT_TYPES:
        attributes[semconv.OUTPUT_TYPE] = _OUTPUT_TYPES[kind]


def conversation_id(body: Mapping[str, Any]) -> str | None:
    """The id of a stored conversation; `previous_response_id` names a response, not a conversation."""
    conversation = body.get("conversation")
    found = conversation if isinstance(conversation, str) else fields(conversation).get("id")
    return found if isinstance(found, str) else None


def role_of(message: Mapping[str, Any], usual: str = "user") -> str:
    """Who speaks; the usual one where the message does not say it in a word."""
    role = message.get("role")
    return role if isinstance(role, str) and role else usual


def tool_definitions(body: Mapping[str, Any], attributes: Attributes) -> None:
    """The definitions of the tools that the model may call."""
    if "tools" not in body and "functions" not in body:
        return
    tools = [_tool_definition(tool) for tool in items(body.get("tools"))]
    tools += [{"type": "function", **fields(function)} for function in items(body.get("functions"))]
    if tools:
        attributes[semconv.TOOL_DEFINITIONS] = tools


def _tool_definition(value: Any) -> Any:
    """Chat completions nest what the schema, like the Responses API, has at the top."""
    tool = fields(value)
    kind = tool.get("type")
    nested = fields(tool.get(kind)) if isinstance(kind, str) else NOTHING
    return {"type": kind, **nested} if nested else tool or value
