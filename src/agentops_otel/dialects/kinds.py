"""What the dialects call the kinds of spans; light, because a program that is recorded asks for it too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from .. import semconv

if TYPE_CHECKING:
    from ..rows import Kind

OURS: Final[dict[str, Kind]] = {
    semconv.KIND_SESSION: "session",
    semconv.KIND_AGENT: "agent",
    semconv.KIND_WORKFLOW: "workflow",
    semconv.KIND_ACTION: "action",
    semconv.KIND_TOOL: "tool",
    semconv.KIND_LLM: "llm",
    semconv.KIND_ERROR: "error",
    semconv.KIND_STEP: "step",
    semconv.KIND_RETRIEVAL: "step",
}
GENAI: Final[dict[str, Kind]] = {
    semconv.OPERATION_INVOKE_AGENT: "agent",
    semconv.OPERATION_INVOKE_WORKFLOW: "workflow",
    semconv.OPERATION_EXECUTE_TOOL: "tool",
    semconv.OPERATION_RETRIEVAL: "step",
    **dict.fromkeys(semconv.LLM_OPERATIONS, "llm"),
}
OPENINFERENCE: Final[dict[str, Kind]] = {
    "llm": "llm",
    "embedding": "llm",
    "agent": "agent",
    "tool": "tool",
    **dict.fromkeys(("chain", "retriever", "reranker", "guardrail", "evaluator", "prompt", "unknown"), "step"),
}
OPENLLMETRY: Final[dict[str, Kind]] = {"workflow": "workflow", "task": "action", "agent": "agent", "tool": "tool"}
OPENLLMETRY_CALLS: Final[dict[str, Kind]] = {
    **dict.fromkeys(("chat", "completion", "embedding", "embeddings"), "llm"),
    **dict.fromkeys(("rerank", "unknown"), "step"),
}
LANGFUSE: Final[dict[str, Kind]] = {
    "generation": "llm",
    "embedding": "llm",
    "agent": "agent",
    "tool": "tool",
    **dict.fromkeys(("span", "event", "chain", "retriever", "evaluator", "guardrail"), "step"),
}
# Attributes and their values in lower case, in the order in which they are believed.
_SAID: Final[tuple[tuple[str, Mapping[str, Kind]], ...]] = (
    (semconv.SPAN_KIND, OURS),
    (semconv.OPERATION_NAME, GENAI),
    ("openinference.span.kind", OPENINFERENCE),
    ("traceloop.span.kind", OPENLLMETRY),
    ("llm.request.type", OPENLLMETRY_CALLS),
    ("gen_ai.request.type", OPENLLMETRY_CALLS),
    ("langfuse.observation.type", LANGFUSE),
)


def kind_in(attributes: Mapping[str, Any]) -> Kind | None:
    """The kind that the attributes of a span say, in whatever dialect; None where none of them does."""
    for name, kinds in _SAID:
        value = attributes.get(name)
        if type(value) is str:
            kind = kinds.get(value) or kinds.get(value.lower())
            if kind is not None:
                return kind
    return None
