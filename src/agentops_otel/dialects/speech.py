"""What the dialects call the words of a call: prompts, answers, arguments and results; light, as `spending.py` is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from .. import semconv

# The beginnings of names: the GenAI conventions, OpenInference, OpenLLMetry, Langfuse, Pydantic AI, AgentOps 0.4.
_BEGINNINGS: Final = (
    *(semconv.INPUT_MESSAGES, semconv.OUTPUT_MESSAGES, semconv.SYSTEM_INSTRUCTIONS, semconv.TOOL_DEFINITIONS),
    *(semconv.TOOL_CALL_ARGUMENTS, semconv.TOOL_CALL_RESULT, semconv.RETRIEVAL_DOCUMENTS, semconv.RETRIEVAL_QUERY_TEXT),
    *("gen_ai.prompt", "gen_ai.completion", "gen_ai.content.", "gen_ai.event.content"),
    *("input.value", "output.value", "llm.input_messages", "llm.output_messages", "llm.prompt", "llm.completions"),
    *("llm.tools", "llm.function_call", "tool.parameters", "tool.result", "retrieval.documents", "reranker.query"),
    *("reranker.input_documents", "reranker.output_documents", "embedding.embeddings", "embedding.text"),
    *("traceloop.entity.input", "traceloop.entity.output", "llm.request.functions", "gen_ai.request.functions"),
    *("langfuse.observation.input", "langfuse.observation.output", "langfuse.trace.input", "langfuse.trace.output"),
    *("all_messages_events", "pydantic_ai.all_messages", "model_request_parameters", "request_data", "response_data"),
    *("tool_arguments", "tool_response", "final_result"),
    *(f"agentops.{kind}.{way}put" for kind in ("agent", "operation", "session", "task", "tool", "workflow", "entity")
      for way in ("in", "out")),
)  # fmt: skip
_NAMES: Final = frozenset({"events", "prompt", "completion"})  # whole, because other names begin so
# These begin as those do, and say how a call was made.
_NONE: Final = ("gen_ai.prompt.name", "gen_ai.prompt.version", "llm.prompt_template.version")
_EVENTS: Final = (
    *("gen_ai.system.message", "gen_ai.user.message", "gen_ai.assistant.message", "gen_ai.tool.message"),
    *("gen_ai.choice", "gen_ai.content.", semconv.EVENT_OPERATION_DETAILS),
)


def speech(names: Iterable[str]) -> list[str]:
    """The names of attributes that say what was said."""
    return [
        name
        for name in names
        if name in _NAMES
        or (name.startswith(_BEGINNINGS) and not name.startswith(_NONE) and not name.endswith(".finish_reason"))
    ]


def is_speech(event: str) -> bool:
    """Whether an event of this name is a message."""
    return event.startswith(_EVENTS)
