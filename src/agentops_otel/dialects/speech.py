"""What the dialects call the words of a call: prompts, answers, arguments and results; light, as `spending.py` is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from .. import semconv

# Names, and what others begin with before a point: the GenAI conventions, OpenInference, OpenLLMetry, Langfuse,
# Pydantic AI, AgentOps 0.4.
_SPEECH: Final = frozenset((
    *(semconv.INPUT_MESSAGES, semconv.OUTPUT_MESSAGES, semconv.SYSTEM_INSTRUCTIONS, semconv.TOOL_DEFINITIONS),
    *(semconv.TOOL_CALL_ARGUMENTS, semconv.TOOL_CALL_RESULT, semconv.RETRIEVAL_DOCUMENTS, semconv.RETRIEVAL_QUERY_TEXT),
    *("gen_ai.prompt", "gen_ai.completion", "gen_ai.content", "gen_ai.event.content"),
    *("input.value", "output.value", "llm.input_messages", "llm.output_messages", "llm.completions"),
    *("llm.prompts", "llm.prompt_template", "prompt", "completion", "events"),
    *("llm.tools", "llm.function_call", "tool.parameters", "tool.result", "retrieval.documents", "reranker.query"),
    *("reranker.input_documents", "reranker.output_documents", "embedding.embeddings", "embedding.text"),
    *("traceloop.entity.input", "traceloop.entity.output", "llm.request.functions", "gen_ai.request.functions"),
    *("langfuse.observation.input", "langfuse.observation.output", "langfuse.trace.input", "langfuse.trace.output"),
    *("all_messages_events", "pydantic_ai.all_messages", "model_request_parameters", "request_data", "response_data"),
    *("tool_arguments", "tool_response", "final_result"),
    *(f"agentops.{kind}.{way}put" for kind in ("agent", "operation", "session", "task", "tool", "workflow", "entity")
      for way in ("in", "out")),
))  # fmt: skip
_BEGINNINGS: Final = tuple(f"{name}." for name in _SPEECH)
# These begin as those do, and say how a call was made.
_NONE: Final = ("gen_ai.prompt.name", "gen_ai.prompt.version", "llm.prompt_template.version")
_ASIDE: Final = (".finish_reason", ".role")
_EVENTS: Final = (
    *("gen_ai.system.message", "gen_ai.user.message", "gen_ai.assistant.message", "gen_ai.tool.message"),
    *("gen_ai.choice", "gen_ai.content.", semconv.EVENT_OPERATION_DETAILS),
)


def speech(attributes: Mapping[str, Any]) -> list[str]:
    """The names of attributes that say what was said; numbers count it."""
    return [name for name, value in attributes.items() if not isinstance(value, (int, float)) and _is_speech(name)]


def _is_speech(name: str) -> bool:
    if name in _SPEECH:
        return True
    return name.startswith(_BEGINNINGS) and not name.startswith(_NONE) and not name.endswith(_ASIDE)


def is_speech(event: str) -> bool:
    """Whether an event of this name is a message."""
    return event.startswith(_EVENTS)
