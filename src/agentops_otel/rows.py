"""The rows that every store holds and every page reads: a span, a message, a session, and what a session used.

`normalize.py` makes a `SpanRow` of one received span of any dialect; `summarize.py` makes a `SessionRow` of the rows of
one session. No store and no page counts anything by itself, so all of them say the same numbers.

Times are nanoseconds since the epoch, durations nanoseconds, amounts US dollars.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any, Final, Literal

from .frozen import dataclass
from .usage import Usage

Kind = Literal["session", "agent", "workflow", "action", "tool", "llm", "error", "step"]
"""``step`` is everything else: an HTTP request, a chain of a framework, a wrapper around an LLM call."""
State = Literal["running", "success", "fail", "indeterminate"]
Status = Literal["unset", "ok", "error"]
ErrorFate = Literal["fatal", "recovered", "open"]
NextMove = Literal["same call", "other arguments", "other tool", "answer", "nothing"]
"""After an error: the same tool with the same arguments (or the same model), the same tool with other arguments,
another tool (or model), an answer of a model without any further tool, nothing."""
CELLS: Final = 200
"""The cells of a strip."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message to or from a model: its role and its parts in the schema of the GenAI conventions.

    Two messages with the same role and parts have the same `digest`, whatever dialect said them: it tells which
    messages of a call were sent before.
    """

    role: str
    parts: tuple[Mapping[str, Any], ...]
    digest: str = ""
    """32 hex digits of the SHA-256 of role and parts."""
    finish_reason: str | None = None
    """Of an output message; no part of the digest, since the same message is input of the next call."""


@dataclass(frozen=True, slots=True)
class SpanEvent:
    """An event of a span, such as an exception."""

    name: str
    time_ns: int
    attributes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SpanLink:
    """A link to another span."""

    trace_id: str
    span_id: str
    attributes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Process:
    """The process that made a span, from its resource."""

    service: str = ""
    host: str = ""
    pid: int | None = None
    runtime: str = ""
    """Such as ``python 3.12.4``."""
    instance: str = ""
    """``service.instance.id``, which tells two processes of the same host and id apart."""
    sdk: str = ""
    """Such as ``agentops-otel 0.9.0`` or ``opentelemetry 1.45.2``."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a span came from: its resource and instrumentation scope, as they were received."""

    resource: Mapping[str, Any] = field(default_factory=dict)
    scope: str = ""
    scope_version: str = ""


@dataclass(frozen=True, slots=True)
class SpanBody:
    """What only the page of one span or session needs, and a list never: texts and attributes."""

    system: tuple[Mapping[str, Any], ...] = ()
    """Parts of the system instructions."""
    input: tuple[Message, ...] = ()
    output: tuple[Message, ...] = ()
    tools: Any = None
    """The definitions of tools that the model was offered: a list of objects."""
    arguments: str | None = None
    """Of a tool, action, agent or workflow: what it was called with, JSON where it is structured."""
    result: str | None = None
    logs: str | None = None
    stack: str | None = None
    """The stack of the exception with which the span failed."""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    """All attributes as received, but for the messages, which stand above."""
    events: tuple[SpanEvent, ...] = ()
    links: tuple[SpanLink, ...] = ()
    source: Source = field(default_factory=Source)
    trace_state: str = ""
    flags: int = 0
    otel_kind: int = 0
    """SpanKind as OTLP numbers it: 1 internal, 2 server, 3 client, 4 producer, 5 consumer."""


@dataclass(frozen=True, slots=True)
class SpanRow:
    """One span of any dialect, light enough to hold all spans of a session."""

    trace_id: str
    """32 hex digits."""
    span_id: str
    """16 hex digits."""
    parent_id: str | None
    session_id: str | None
    """What the span itself says; None when it says nothing, and then its trace decides."""
    kind: Kind
    name: str
    """The span's name as received."""
    label: str
    """What people call it: the model of a call, the name of a tool or an agent, else the span's name."""
    start_ns: int
    end_ns: int | None
    """None while it is open; it is then known from a heartbeat only."""
    status: Status = "unset"
    status_message: str = ""
    operation: str | None = None
    """``gen_ai.operation.name``."""
    provider: str | None = None
    model: str | None = None
    """The model that answered, else the one that was asked for."""
    request_model: str | None = None
    response_id: str | None = None
    usage: Usage | None = None
    cost: float | None = None
    cost_source: str | None = None
    """``provider`` or ``local``."""
    price_table: str | None = None
    """Version of the price table of a local price."""
    first_token_ns: int | None = None
    """Time from the start to the first token."""
    finish_reasons: tuple[str, ...] = ()
    outcome: str | None = None
    """``agentops.stream.outcome``."""
    retries: int = 0
    server: str | None = None
    """``server.address``, and the port when it is not 443."""
    tool_call_id: str | None = None
    arguments_digest: str | None = None
    """Equal for equal tool and equal arguments, however they are written."""
    agent: str | None = None
    error_type: str | None = None
    error_message: str | None = None
    """At most 2,000 characters."""
    trigger_id: str | None = None
    """Of an error span: the span that failed."""
    asked: str | None = None
    """At most 300 characters of the last text of a user that it was given (session and agent: the first)."""
    answered: str | None = None
    """At most 300 characters of its answer, in text."""
    calls: tuple[str, ...] = ()
    """The names of the tools that the answer of a model asks for."""
    tags: tuple[str, ...] = ()
    end_state: State | None = None
    """Of the root of a session."""
    end_reason: str | None = None
    session_name: str | None = None
    video: str | None = None
    dropped_spans: int = 0
    replayed: bool = False
    dialect: str = "genai"
    """agentops, genai, openinference, openllmetry, langfuse, logfire, agentops04 or other."""
    process: Process = field(default_factory=Process)
    body: SpanBody | None = field(default=None, compare=False)
    """None in rows that a store reads for a list or a tree."""

    @property
    def duration_ns(self) -> int | None:
        """None while it is open."""
        return None if self.end_ns is None else max(0, self.end_ns - self.start_ns)

    @property
    def failed(self) -> bool:
        """Whether its status is an error."""
        return self.status == "error"


@dataclass(frozen=True, slots=True)
class SpanContent:
    """Messages of a span that came apart from it, in log records."""

    trace_id: str
    span_id: str
    time_ns: int
    system: tuple[Mapping[str, Any], ...] = ()
    input: tuple[Message, ...] = ()
    output: tuple[Message, ...] = ()
    tools: Any = None


@dataclass(frozen=True, slots=True)
class SessionEvent:
    """A log event of a session: ``session.start``, ``agentops.session.join``, a heartbeat, ``session.end``."""

    name: Literal["start", "join", "heartbeat", "end"]
    session_id: str
    trace_id: str
    time_ns: int
    role: Literal["owner", "member"] = "owner"
    attributes: Mapping[str, Any] = field(default_factory=dict)
    open_spans: tuple[SpanRow, ...] = ()
    """Of a heartbeat."""
    session_name: str | None = None
    tags: tuple[str, ...] = ()
    end_state: State | None = None
    end_reason: str | None = None
    process: Process = field(default_factory=Process)
    source: Source = field(default_factory=Source)


@dataclass(frozen=True, slots=True)
class Score:
    """An evaluation of a session or of one span (``gen_ai.evaluation.result``), or a person's thumb."""

    session_id: str | None
    trace_id: str
    span_id: str | None
    """None: of the session as a whole."""
    name: str
    time_ns: int
    value: float | None = None
    label: str | None = None
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class ModelUse:
    """What a session used of one model in one hour of the day it began in (UTC); leaf LLM calls only."""

    provider: str
    model: str
    hour: int
    """Hours since the epoch, of the start of the calls."""
    calls: int
    failed: int
    usage: Usage
    cost: float
    """Sum of the priced calls."""
    unpriced: int
    """Calls without a known price."""
    duration_ns: int
    """Sum over the calls that have ended."""
    durations_ns: tuple[int, ...] = ()
    """Each call's, for percentiles; at most 1,000."""
    first_token_ns: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ToolUse:
    """What a session used of one tool."""

    tool: str
    calls: int
    failed: int
    recovered: int
    duration_ns: int
    durations_ns: tuple[int, ...] = ()
    repeated: int = 0
    """Calls with the same arguments as one before."""


@dataclass(frozen=True, slots=True)
class ErrorUse:
    """One error of a session: where it happened, and what became of it."""

    span_id: str
    trace_id: str
    time_ns: int
    fingerprint: str
    """16 hex digits, of type, place and the message without what differs from time to time (numbers, ids)."""
    type: str
    message: str
    kind: Kind
    label: str
    """The tool, model or agent in which it happened."""
    fate: ErrorFate
    recovered_by: str | None = None
    """The span that worked later; None when only the parent ended well."""
    repeated: int = 0
    """How many earlier errors were of the same call: equal tool and equal arguments."""
    cost_after: float | None = None
    """What the session cost from this error to its end."""
    agent: str | None = None
    next: NextMove = "nothing"
    """What the session did next: the next LLM call's next tool call after a tool, the next LLM call after a model."""
    next_label: str = ""
    """The tool or model of it."""
    next_worked: bool | None = None
    """Whether it ended well; None when nothing followed or it is still open."""
    next_after_ns: int | None = None
    """From the end of what failed to the start of it."""


@dataclass(frozen=True, slots=True)
class Strip:
    """The shape of a run: each instant belongs to one kind, so the three add up to the whole.

    LLM if an LLM call is open, else tool, else own code. Runs are (first cell, cell after the last) of `CELLS` cells.
    """

    llm: tuple[tuple[int, int], ...] = ()
    tool: tuple[tuple[int, int], ...] = ()
    errors: tuple[tuple[int, ErrorFate], ...] = ()
    """Cell and fate of each error, at most one of each a cell."""


@dataclass(frozen=True, slots=True)
class SessionRow:
    """One session: what it was asked, how it ended, what it used. All numbers are of its leaf spans."""

    session_id: str
    trace_id: str
    """The first trace; a session of other instrumentations may have several."""
    state: State
    name: str
    """The session's name, else that of its first agent, its service, its first root span."""
    started_ns: int
    last_ns: int
    """The end, or the last thing known of it."""
    ended: bool
    asked: str = ""
    """At most 300 characters."""
    ending: str = ""
    """One sentence, made from data: the answer, the error, what it does now, its last act."""
    ending_since_ns: int | None = None
    """Of a running session: since when it does what `ending` says, for a clock behind it."""
    reason: str | None = None
    """The end state's reason."""
    heartbeat_ns: int | None = None
    llm_ns: int = 0
    tool_ns: int = 0
    own_ns: int = 0
    """Time by kind; the three add up to the whole."""
    strip: Strip = field(default_factory=Strip)
    usage: Usage = field(default_factory=Usage)
    cost: float = 0.0
    """Sum of the priced calls."""
    priced_calls: int = 0
    unpriced_calls: int = 0
    llm_calls: int = 0
    tool_calls: int = 0
    agents: int = 0
    actions: int = 0
    spans: int = 0
    open_spans: int = 0
    fatal_errors: int = 0
    recovered_errors: int = 0
    open_errors: int = 0
    models: tuple[ModelUse, ...] = ()
    tools: tuple[ToolUse, ...] = ()
    errors: tuple[ErrorUse, ...] = ()
    agent_names: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    processes: tuple[Process, ...] = ()
    sdks: tuple[str, ...] = ()
    """Such as ``openai 3.52``; from the packages of ``session.start``, those that were called."""
    video: str | None = None
    dropped_spans: int = 0
    replayed: bool = False
    scores: tuple[Score, ...] = ()

    @property
    def duration_ns(self) -> int:
        """From the start to the end, or to the last thing known."""
        return max(0, self.last_ns - self.started_ns)

    @property
    def known_cost(self) -> float | None:
        """The cost, or None when there were calls and none could be priced."""
        return None if self.unpriced_calls and not self.priced_calls else self.cost

    @property
    def score(self) -> float | None:
        """The mean of the last values of the session as a whole, by which a list is sorted; None without one."""
        values = [score.value for score in self.last_scores() if score.value is not None]
        return sum(values) / len(values) if values else None

    def last_scores(self, span_id: str | None = None) -> tuple[Score, ...]:
        """The last score of each name, of one span or of the session as a whole."""
        return tuple({score.name: score for score in self.scores if score.span_id == span_id}.values())
