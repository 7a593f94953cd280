"""Gemini's Interactions API: how to read its requests and answers. What was said and done are steps.

API reference: https://ai.google.dev/api/interactions-api
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ... import semconv
from .._content import Content, Message, Part, as_text, fields, items, message_finish
from .._endpoint import Attributes, Failure
from .answer import failure
from .generate_parts import media
from .generate_usage import write_usage
from .parts import plain_text
from .request import output_type, parameters, role_of, strings

_MEDIA: Final = frozenset({"image", "audio", "video", "document"})
# Why an interaction is where it is, in the words of chat completions; other words stay.
_FINISH: Final = {"completed": "stop", "requires_action": "tool_calls", "failed": "error"}
_UNDER_WAY: Final = frozenset({"in_progress", "queued"})
_HEAD: Final = (("id", semconv.RESPONSE_ID), ("model", semconv.RESPONSE_MODEL))
# The names of its counts, and those of `generateContent`.
_COUNTS: Final = {
    "total_input_tokens": "promptTokenCount",
    "total_tool_use_tokens": "toolUsePromptTokenCount",
    "total_cached_tokens": "cachedContentTokenCount",
    "total_output_tokens": "candidatesTokenCount",
    "total_thought_tokens": "thoughtsTokenCount",
    "total_tokens": "totalTokenCount",
    "input_tokens_by_modality": "promptTokensDetails",
    "cached_tokens_by_modality": "cacheTokensDetails",
    "tool_use_tokens_by_modality": "toolUsePromptTokensDetails",
    "output_tokens_by_modality": "candidatesTokensDetails",
}

# ---- requests ----


def request(body: Mapping[str, Any], attributes: Attributes) -> None:
    """The settings of a request."""
    settings = fields(body.get("generation_config"))
    parameters(settings, attributes)
    stop, level = strings(settings.get("stop_sequences")), settings.get("thinking_level")
    if stop:
        attributes[semconv.REQUEST_STOP_SEQUENCES] = stop
    if isinstance(level, str) and level:
        attributes[semconv.REQUEST_REASONING_LEVEL] = level
    tier, previous = body.get("service_tier"), body.get("previous_interaction_id")
    if isinstance(tier, str) and tier:
        attributes[semconv.REQUEST_SERVICE_TIER] = tier
    if isinstance(previous, str) and previous:
        attributes[semconv.REQUEST_PREVIOUS_RESPONSE_ID] = previous
    form = body.get("response_format")
    for each in map(fields, form if isinstance(form, (list, tuple)) else (form,)):
        if each.get("schema") is not None or each.get("mime_type") == "application/json":
            output_type({"type": "json_schema"}, attributes)


def prompt(body: Mapping[str, Any], content: Content, attributes: Attributes) -> None:
    """The instructions, the input and the tools of a request."""
    instructions = body.get("system_instruction")
    if instructions:
        attributes[semconv.SYSTEM_INSTRUCTIONS] = content.complete([content.text(instructions)])
    given = body.get("input")
    messages = _messages(given if isinstance(given, (list, tuple)) else (given,), content)
    if messages:
        attributes[semconv.INPUT_MESSAGES] = content.complete(messages)
    tools = [fields(tool) or tool for tool in items(body.get("tools")) if tool is not None]
    if tools:
        attributes[semconv.TOOL_DEFINITIONS] = tools


def _messages(given: Any, content: Content) -> list[Message]:
    """A text, contents that are one message of the user's, or the steps of what went before."""
    messages: list[Message] = []
    said: list[Part] = []
    for each in given:
        step = fields(each)
        if "role" in step:  # a turn
            role = "assistant" if step["role"] == "model" else role_of(step)
            messages.append(content.message(role, _contents(step.get("content"), content)))
        elif _is_step(step):
            kind = step["type"]
            role = "user" if kind == "user_input" else "tool" if kind == "function_result" else "assistant"
            messages.append(content.message(role, _step(step, content)))
        elif each is not None:
            said.append(_part(each, content))
    return [*messages, content.message("user", said)] if said else messages


# ---- steps ----


def _is_step(step: Mapping[str, Any]) -> bool:
    kind = step.get("type")
    return isinstance(kind, str) and kind != "text" and kind not in _MEDIA


def _step(step: Mapping[str, Any], content: Content) -> list[Part]:
    """The parts of one step; of a tool that runs at the provider which one, not its pages of results."""
    kind, call_id = step.get("type"), step.get("call_id") or step.get("id")
    if kind in ("user_input", "model_output"):
        return _contents(step.get("content"), content)
    if kind == "thought":
        text = "\n".join(plain_text(each) for each in items(step.get("summary")))
        return [content.text(text, "reasoning")] if text else []
    if kind in ("function_call", "code_execution_call"):
        name = step.get("name") or "code_execution"
        return [content.tool_call(call_id, name, step.get("arguments"))]
    if kind in ("function_result", "code_execution_result"):
        result = step.get("result")
        parts = _contents(result, content) if isinstance(result, (list, tuple)) else as_text(result)
        return [content.tool_response(call_id, parts)]
    return [content.other(as_text(kind), id=call_id if isinstance(call_id, str) else None)]


def _contents(value: Any, content: Content) -> list[Part]:
    values = value if isinstance(value, (list, tuple)) else (value,)
    return [_part(each, content) for each in values if each is not None]


def _part(value: Any, content: Content) -> Part:
    part = fields(value)
    kind = part.get("type")
    if isinstance(kind, str) and kind != "text":
        return media(part, content) if kind in _MEDIA else content.other(kind)
    return content.text(part.get("text") if "text" in part else value)


# ---- answers ----


def response(value: Any, attributes: Attributes) -> Failure | None:
    """What an answer says besides its text."""
    response = fields(value)
    for name, attribute in _HEAD:
        found = response.get(name)
        if isinstance(found, str) and found:
            attributes[attribute] = found
    write_usage(counts(fields(response.get("usage")), response.get("service_tier")), attributes)
    finish, status = _finish(response), response.get("status")
    if finish is not None:
        attributes[semconv.RESPONSE_FINISH_REASONS] = (finish,)
    elif isinstance(status, str) and status:
        attributes[semconv.RESPONSE_STATUS] = status
    failed = failure(value, response, "steps")
    if failed is None and status == "failed":
        first = next((fields(each) for each in items(response.get("errors"))), {})
        return as_text(first.get("code")) or "failed", as_text(first.get("message"))
    return failed


def counts(usage: Mapping[str, Any], tier: Any = None) -> Mapping[str, Any]:
    """A usage under the names of `generateContent`."""
    found = {_COUNTS[name]: value for name, value in usage.items() if name in _COUNTS}
    return {**found, "serviceTier": tier} if tier else found


def _finish(response: Mapping[str, Any]) -> str | None:
    status = response.get("status")
    if not isinstance(status, str) or not status or status in _UNDER_WAY:
        return None
    return _FINISH.get(status, status)


def output(value: Any, content: Content) -> list[Message]:
    """The message of an answer: all of its steps in one."""
    response = fields(value)
    steps = [fields(step) for step in items(response.get("steps"))]
    # Older revisions of the API have contents in the place of steps.
    parts = [part for step in steps for part in _step(step, content)] or _contents(response.get("outputs"), content)
    finish = _finish(response)
    finish = "length" if finish in ("incomplete", "requires_continuation") else message_finish(finish)
    return content.complete([content.message("assistant", parts, finish)]) if parts else []
