"""What the dialects call the words of a call: prompts, answers, arguments and results; light, as `spending.py` is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from .. import semconv

# Names, and what others begin with before a point: the GenAI conventions (also as older releases and Sentry have them),
# OpenInference, OpenLLMetry, Langfuse, Pydantic AI, AgentOps 0.4; then frameworks that record spans of their own.
_SPEECH: Final = frozenset((
    *(semconv.INPUT_MESSAGES, semconv.OUTPUT_MESSAGES, semconv.SYSTEM_INSTRUCTIONS, semconv.TOOL_DEFINITIONS),
    *(semconv.TOOL_CALL_ARGUMENTS, semconv.TOOL_CALL_RESULT, semconv.RETRIEVAL_DOCUMENTS, semconv.RETRIEVAL_QUERY_TEXT),
    *("gen_ai.prompt", "gen_ai.completion", "gen_ai.content", "gen_ai.event.content"),
    *(f"gen_ai.{role}.message" for role in ("system", "user", "assistant", "tool")),
    *("gen_ai.choice", "gen_ai.task.input", "gen_ai.task.output", "gen_ai.tool.input", "gen_ai.tool.output"),
    *("gen_ai.request.messages", "gen_ai.request.available_tools"),
    *("gen_ai.response.text", "gen_ai.response.tool_calls"),
    *("input.value", "output.value", "llm.input_messages", "llm.output_messages", "llm.completions"),
    *("llm.prompts", "llm.prompt_template", "prompt", "completion", "events"),
    *("llm.tools", "llm.function_call", "tool.parameters", "tool.result", "retrieval.documents", "reranker.query"),
    *("reranker.input_documents", "reranker.output_documents", "embedding.embeddings", "embedding.text"),
    *("traceloop.entity.input", "traceloop.entity.output", "llm.request.functions", "gen_ai.request.functions"),
    *("langfuse.observation.input", "langfuse.observation.output", "langfuse.trace.input", "langfuse.trace.output"),
    *("all_messages_events", "pydantic_ai.all_messages", "model_request_parameters", "request_data", "response_data"),
    *("tool_arguments", "tool_response", "final_result"),
    # Google's Agent Development Kit, MLflow, Haystack, LiveKit, CrewAI, Semantic Kernel, MCP.
    *("gcp.vertex.agent.llm_request", "gcp.vertex.agent.llm_response", "gcp.vertex.agent.data"),
    *("gcp.vertex.agent.tool_call_args", "gcp.vertex.agent.tool_response"),
    *("mlflow.spanInputs", "mlflow.spanOutputs", "mlflow.chat.messages", "mlflow.chat.tools"),
    *("haystack.component.input", "haystack.component.output", "haystack.agent.input", "haystack.agent.output"),
    *("haystack.pipeline.input_data", "haystack.pipeline.output_data"),
    *("lk.user_input", "lk.user_transcript", "lk.instructions", "lk.chat_ctx", "lk.function_tools", "lk.input_text"),
    *("lk.response.text", "lk.response.function_calls", "lk.function_tool.arguments", "lk.function_tool.output"),
    *("crewai.crew.tasks", "crewai.crew.result", "crewai.task.description", "crewai.task.expected_output"),
    *("crewai.task.result", "crewai.agent.goal", "crewai.agent.backstory", "crewai.agent.result"),
    *("semantic_kernel.function.arguments", "semantic_kernel.function.result"),
    *("mcp.request.argument", "mcp.request.arguments", "mcp.response.value"),
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
