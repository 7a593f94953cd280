"""OpenLLMetry (Traceloop), and the numbered prompts and completions that others took over from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ..messages import messages, opened, plain, structured
from ..rows import Kind, SpanEvent
from . import kinds
from .dialect import Attributes, Content, Dialect
from .numbered import numbered

_PROMPT: Final = "gen_ai.prompt."
_COMPLETION: Final = "gen_ai.completion."
_FIRST: Final = frozenset(f"{prefix}0.{name}" for prefix in (_PROMPT, _COMPLETION) for name in ("role", "content"))
_FUNCTIONS: Final = ("llm.request.functions.", "gen_ai.request.functions.")


def content(attributes: Attributes, events: tuple[SpanEvent, ...], kind: Kind) -> Content | None:
    """The numbered messages, of releases before they became JSON."""
    if _FIRST.isdisjoint(attributes):
        return None
    used: set[str] = set()
    given = messages([_message(each) for each in numbered(attributes, _PROMPT, used)])
    said = messages([_message(each) for each in numbered(attributes, _COMPLETION, used)], "assistant")
    tools = [_tool(each) for prefix in _FUNCTIONS for each in numbered(attributes, prefix, used)]
    return Content(input=given, output=said, tools=tools or None, used=frozenset(used))


def _message(said: Mapping[str, Any]) -> dict[str, Any]:
    calls = [
        {"id": each.get("id"), "function": {"name": each.get("name"), "arguments": each.get("arguments")}}
        for each in numbered(said, "tool_calls.")
    ]
    return {
        "role": said.get("role"),
        "content": _parts(said.get("content")),
        "tool_call_id": said.get("tool_call_id"),
        "tool_calls": calls,
        "finish_reason": said.get("finish_reason"),
    }


def _parts(value: Any) -> Any:
    """Parts of a message are written as the JSON of a list."""
    found = structured(value)
    return (
        found if isinstance(found, list) and all(isinstance(each, dict) and "type" in each for each in found) else value
    )


def _tool(said: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "function", **{name: plain(opened(value)) for name, value in said.items()}}


OPENLLMETRY: Final = Dialect(
    name="openllmetry",
    heads=frozenset({"traceloop", "llm", "gen_ai"}),
    kinds=(
        ("traceloop.span.kind", kinds.OPENLLMETRY),
        ("llm.request.type", kinds.OPENLLMETRY_CALLS),
        ("gen_ai.request.type", kinds.OPENLLMETRY_CALLS),
    ),
    content=content,
    fields={
        "arguments": ("traceloop.entity.input",),
        "finish_reasons": ("gen_ai.response.finish_reason", "gen_ai.response.stop_reason"),
        "label": ("traceloop.entity.name",),
        "result": ("traceloop.entity.output",),
        "server_url": ("gen_ai.openai.api_base",),
        "service_tier": ("gen_ai.openai.response.service_tier",),
        "session_id": ("traceloop.association.properties.session_id",),
        "tags": ("traceloop.association.properties.tags",),
    },
    scopes=("traceloop.tracer", "opentelemetry.instrumentation.openai.v1"),
    marks=frozenset({"traceloop"}),
)
