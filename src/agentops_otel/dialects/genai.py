"""The OpenTelemetry GenAI conventions, version 1.41 and the older ones: messages on attributes, else on span events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from .. import semconv
from ..messages import as_text, messages, opened, parts, plain
from ..pricing import stated_cost
from ..rows import Kind, SpanEvent
from ..usage import Usage
from . import kinds
from .dialect import Attributes, Content, Cost, Dialect
from .history import history

# Events of a span in older versions, and what carries the message: attributes of the event.
# https://github.com/open-telemetry/semantic-conventions/blob/v1.36.0/docs/gen-ai/gen-ai-events.md
_EVENT_ROLES: Final = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
}
_EVENT_CHOICE: Final = "gen_ai.choice"
_EVENT_PROMPT: Final = ("gen_ai.content.prompt", "gen_ai.prompt")
_EVENT_COMPLETION: Final = ("gen_ai.content.completion", "gen_ai.completion")


def content(attributes: Attributes, events: tuple[SpanEvent, ...], kind: Kind) -> Content | None:
    """The messages on attributes; those on the events of the span where there are none."""
    if not events and _CONTENT.isdisjoint(attributes):
        return None
    get = attributes.get
    given, said = history(get(semconv.INPUT_MESSAGES)), history(get(semconv.OUTPUT_MESSAGES), "assistant")
    if events and not (given and said):
        details = next((each.attributes for each in events if each.name == semconv.EVENT_OPERATION_DETAILS), {})
        given = given or messages(details.get(semconv.INPUT_MESSAGES)) or messages(list(_asked(events)))
        said = said or messages(details.get(semconv.OUTPUT_MESSAGES), "assistant") or messages(list(_answered(events)))
    return Content(
        system=tuple(parts(opened(get(semconv.SYSTEM_INSTRUCTIONS)))),
        input=given,
        output=said,
        tools=plain(opened(get(semconv.TOOL_DEFINITIONS))),
    )


_CONTENT: Final = frozenset(
    {semconv.INPUT_MESSAGES, semconv.OUTPUT_MESSAGES, semconv.SYSTEM_INSTRUCTIONS, semconv.TOOL_DEFINITIONS}
)


def event_message(name: str, said: Mapping[str, Any]) -> tuple[bool, Any] | None:
    """Whether the event of an older version is an answer, and its message; None for another event."""
    if name == _EVENT_CHOICE:
        message = opened(said.get("message"))
        message = message if isinstance(message, dict) else {"content": message or said.get("content")}
        calls = opened(said.get("tool_calls"))
        calls = {} if calls is None else {"tool_calls": calls}
        return True, {"role": "assistant", "finish_reason": said.get("finish_reason"), **calls, **message}
    role = _EVENT_ROLES.get(name)
    if role is None:
        return None
    opened_fields = {key: opened(value) if key == "tool_calls" else value for key, value in said.items()}
    return False, {"role": role, **opened_fields}


def _asked(events: tuple[SpanEvent, ...]) -> Iterator[Any]:
    for event in events:
        found = event_message(event.name, event.attributes)
        if found is not None and not found[0]:
            yield found[1]
        elif event.name in _EVENT_PROMPT:
            yield from _listed(event.attributes.get("gen_ai.prompt"))


def _answered(events: tuple[SpanEvent, ...]) -> Iterator[Any]:
    for event in events:
        found = event_message(event.name, event.attributes)
        if found is not None and found[0]:
            yield found[1]
        elif event.name in _EVENT_COMPLETION:
            yield from _listed(event.attributes.get("gen_ai.completion"))


def _listed(value: Any) -> list[Any]:
    found = opened(value)
    return found if isinstance(found, list) else [] if found is None else [as_text(found)]


def cost(attributes: Attributes) -> Cost | None:
    """The cost that the span states."""
    found = stated_cost(attributes)
    return None if found is None else Cost(found.amount, found.source)


GENAI: Final = Dialect(
    name="genai",
    heads=frozenset({"gen_ai", "server", "error", "url", "anthropic"}),
    kinds=((semconv.OPERATION_NAME, kinds.GENAI),),
    usage=Usage.from_attributes,
    cost=cost,
    content=content,
    fields={
        "agent": (semconv.AGENT_NAME,),
        "arguments": (semconv.TOOL_CALL_ARGUMENTS,),
        "error_message": ("error.message",),
        "error_type": (semconv.ERROR_TYPE,),
        "finish_reasons": (semconv.RESPONSE_FINISH_REASONS, "anthropic.message.stop_reason"),
        "first_token_seconds": (semconv.RESPONSE_TIME_TO_FIRST_CHUNK, "gen_ai.server.time_to_first_token"),
        "operation": (semconv.OPERATION_NAME,),
        "provider": (semconv.PROVIDER_NAME, semconv.OLD_PROVIDER_NAME),
        "request_model": (semconv.REQUEST_MODEL,),
        "response_id": (semconv.RESPONSE_ID,),
        "response_model": (semconv.RESPONSE_MODEL,),
        "result": (semconv.TOOL_CALL_RESULT,),
        "retries": (semconv.RESEND_COUNT,),
        "server_address": (semconv.SERVER_ADDRESS,),
        "server_port": (semconv.SERVER_PORT,),
        "server_url": ("url.full",),
        "service_tier": (semconv.OPENAI_RESPONSE_SERVICE_TIER, semconv.RESPONSE_SERVICE_TIER),
        "tool": (semconv.TOOL_NAME,),
        "tool_call_id": (semconv.TOOL_CALL_ID,),
        "workflow": (semconv.WORKFLOW_NAME,),
    },
    marks=frozenset({"gen_ai"}),
)
