"""What a dialect is: where it is recognised, and which attribute says which field of a row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ..messages import Part
from ..rows import Kind, Message, SpanEvent
from ..usage import Usage

Field = Literal[
    "action", "agent", "arguments", "completion_start", "end_reason", "end_state", "error_message", "error_type",
    "finish_reasons", "first_token_seconds", "level", "logs", "operation", "outcome", "price_table", "provider",
    "request_model", "response_id", "response_model", "result", "retries", "server_address", "server_port",
    "server_url", "service_tier", "session_id", "session_name", "status_message", "tags", "tool", "tool_call_id",
    "trigger_id", "video", "workflow",
]  # fmt: skip
"""A field of a row that one attribute says."""
Attributes = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Content:
    """The messages of a span, and the attributes that said them: those need not be kept a second time."""

    system: tuple[Part, ...] = ()
    input: tuple[Message, ...] = ()
    output: tuple[Message, ...] = ()
    tools: Any = None
    used: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Cost:
    """An amount in US dollars and whose word it is, ``provider`` or ``local``."""

    amount: float
    source: str


@dataclass(frozen=True, slots=True)
class Dialect:
    """One dialect's names. A function here returns None where the dialect says nothing."""

    name: str
    heads: frozenset[str]
    """The first words of names, up to the first dot, that the dialect is looked for with."""
    fields: Mapping[Field, tuple[str, ...]]
    """The attributes of each field; the first that has a value says it."""
    kinds: tuple[tuple[str, Mapping[str, Kind]], ...] = ()
    """Attributes that say the kind, and their values in lower case."""
    usage: Callable[[Attributes], Usage | None] | None = None
    cost: Callable[[Attributes], Cost | None] | None = None
    content: Callable[[Attributes, tuple[SpanEvent, ...], Kind], Content] | None = None
    scopes: tuple[str, ...] = ()
    """Beginnings of the names of instrumentation scopes whose spans are of this dialect."""
    marks: frozenset[str] = frozenset()
    """First words of names that make a span one of this dialect, whatever its scope."""
