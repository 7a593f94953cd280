"""What the dialects call tokens and cost; light, because a program that is recorded asks for it too."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from .. import semconv

# The beginnings of names: the GenAI conventions and AgentOps 0.4, OpenInference, OpenLLMetry, Pydantic AI, Langfuse.
_BEGINNINGS: Final = (
    "gen_ai.usage.",
    semconv.PRICE_TABLE,
    "llm.token_count.",
    "llm.cost.",
    "llm.usage.",
    "operation.cost",
    "langfuse.observation.usage",
    "langfuse.observation.cost",
)


def spending(names: Iterable[str]) -> list[str]:
    """The names of attributes that say tokens or a cost."""
    return [name for name in names if name.startswith(_BEGINNINGS)]
