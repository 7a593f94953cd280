"""What a dialect is: where it is recognised, and which attribute says which field of a row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from ..frozen import dataclass
from ..rows import Kind, Message, SpanEvent
from ..usage import Usage

Field = Literal[
    "action", "agent", "arguments", "completion_start", "end_reason", "end_state", "error_message", "error_type",
    "finish_reasons", "first_token_seconds", "label", "level", "logs", "operation", "outcome", "price_table",
    "provider", "request_model", "response_id", "response_model", "result", "retries", "server_address",
    "server_port", "server_url", "service_tier", "session_id", "session_name", "status_message", "tags", "tool",
    "tool_call_id", "trigger_id", "video", "workflow",
]  # fmt: skip
"""A field of a row that one attribute says."""
Attributes = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Content:
    """The messages of a span, and the attributes that said them: those need not be kept a second time."""

    system: tuple[Mapping[str, Any], ...] = ()
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
    """First words of names, up to the first dot, with which it is looked for; those of its tables are among them."""
    fields: Mapping[Field, tuple[str, ...]]
    """The attributes of each field; the first that has a value says it."""
    kinds: tuple[tuple[str, Mapping[str, Kind]], ...] = ()
    """Attributes that say the kind, and their values in lower case."""
    kind: Callable[[str, Attributes], Kind | None] | None = None
    """By scope and attributes, where no single attribute says it; asked first."""
    usage: Callable[[Attributes], Usage | None] | None = None
    amend: Callable[[Usage, Attributes], Usage] | None = None
    """What the dialect that the span is called by knows better of a usage, whichever dialect said that."""
    cost: Callable[[Attributes], Cost | None] | None = None
    content: Callable[[Attributes, tuple[SpanEvent, ...], Kind], Content | None] | None = None
    model: Callable[[Attributes], str | None] | None = None
    """The model that was asked for, where no attribute of its own says it."""
    own_tags: frozenset[str] = frozenset()
    """Tags that the instrumentation itself sets, and that say nothing of the user's."""
    scopes: tuple[str, ...] = ()
    """Beginnings of the names of instrumentation scopes whose spans are of this dialect."""
    marks: frozenset[str] = frozenset()
    """First words of names that make a span one of this dialect, whatever its scope."""
