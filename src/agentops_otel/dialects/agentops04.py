"""AgentOps 0.4: the names before the GenAI conventions, and decorators' input and output under their own kind."""

from __future__ import annotations

from typing import Final

from ..rows import Kind
from ..usage import Usage
from .counts import dollars, total
from .dialect import Attributes, Cost, Dialect

_KINDS: Final[dict[str, Kind]] = {
    "agent": "agent",
    "llm": "llm",
    "operation": "action",
    "session": "session",
    "task": "action",
    "tool": "tool",
    "workflow": "workflow",
    **dict.fromkeys(("chain", "guardrail", "http", "text", "unknown"), "step"),
}
_DECORATED: Final = ("agent", "operation", "session", "task", "tool", "workflow")


def amend(usage: Usage, attributes: Attributes) -> Usage:
    """With cached tokens inside of the input: of Anthropic it passes on the counts, which stand beside each other."""
    provider = attributes.get("gen_ai.system")
    beside = (
        isinstance(provider, str) and provider.lower() == "anthropic" and "gen_ai.usage.prompt_tokens" in attributes
    )
    return total(usage) if beside else usage


def cost(attributes: Attributes) -> Cost | None:
    """The cost that was given to a decorated tool."""
    amount = dollars(attributes.get("gen_ai.usage.total_cost"))
    return None if amount is None else Cost(amount, "provider")


AGENTOPS04: Final = Dialect(
    name="agentops04",
    heads=frozenset({"agentops", "operation", "tool", "gen_ai"}),
    kinds=(("agentops.span.kind", _KINDS),),
    amend=amend,
    cost=cost,
    fields={
        "agent": ("agent.name",),
        "arguments": (*(f"agentops.{kind}.input" for kind in _DECORATED), "tool.parameters"),
        "finish_reasons": ("gen_ai.response.finish_reason",),
        "first_token_seconds": ("gen_ai.streaming.time_to_first_token",),
        "label": ("agentops.entity.name", "operation.name"),
        "result": (*(f"agentops.{kind}.output" for kind in _DECORATED), "tool.result"),
        "tags": ("agentops.tags",),
        "tool": ("tool.name",),
        "tool_call_id": ("tool.call.id",),
    },
    scopes=("agentops", "openai", "anthropic"),
)
