"""What a store can do, named by intent; `sqlite.py` is the embedded one.

Every method may be called from any thread. Reads never wait for writes. A project is a short text, ``default`` for
what came without a key; `project=None` in a query is all projects.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from ...rows import (
    ErrorFate,
    Kind,
    ModelUse,
    NextMove,
    Process,
    Score,
    SessionEvent,
    SessionRow,
    SpanRow,
    State,
    ToolUse,
)
from ...usage import Usage

DEFAULT_PROJECT = "default"
Sort = Literal["started", "duration", "llm", "tools", "in", "cached", "out", "cost", "errors", "score"]


@dataclass(frozen=True, slots=True)
class Batch:
    """What one request brought; it is stored as a whole or not at all."""

    spans: Sequence[SpanRow] = ()
    events: Sequence[SessionEvent] = ()
    scores: Sequence[Score] = ()
    project: str = DEFAULT_PROJECT


@dataclass(frozen=True, slots=True)
class Added:
    """What a batch changed, for live pages."""

    sessions: tuple[str, ...] = ()
    """Ids of the sessions that changed."""
    new_spans: int = 0
    changed_spans: int = 0
    known_spans: int = 0
    """Spans that were stored before exactly so."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which sessions: all that are given must hold. Several values of one field are alternatives."""

    text: str = ""
    """Words of prompts, answers, tool arguments and errors; also the beginning of a session or trace id.

    All words must stand in one text; one of three letters or more finds what begins with it.
    """
    states: tuple[State, ...] = ()
    tags: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    """Fingerprints or types of errors."""
    fates: tuple[ErrorFate, ...] = ()
    hosts: tuple[str, ...] = ()
    since_ns: int | None = None
    until_ns: int | None = None
    """Sessions that started before this."""
    project: str | None = None


@dataclass(frozen=True, slots=True)
class SessionList:
    """One page of sessions."""

    rows: Sequence[SessionRow]
    """Without `models`, `tools`, `errors`, and the `scores` of single spans."""
    total: int
    next: str | None
    """The cursor of the next page (keyset); None on the last one."""
    previous: str | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    """The six numbers of a set of sessions."""

    sessions: int = 0
    running: int = 0
    success: int = 0
    fail: int = 0
    indeterminate: int = 0
    cost: float = 0.0
    unpriced_calls: int = 0
    llm_calls: int = 0
    tool_calls: int = 0
    usage: Usage = field(default_factory=Usage)
    median_ns: int | None = None
    p95_ns: int | None = None
    fatal_errors: int = 0
    recovered_errors: int = 0
    open_errors: int = 0
    error_sessions: int = 0
    """Sessions that have an error of any fate."""
    duration_ns: int = 0
    """Sum of the sessions' durations."""


@dataclass(frozen=True, slots=True)
class Facet:
    """How many sessions have one value of a field."""

    value: str
    sessions: int


@dataclass(frozen=True, slots=True)
class Facets:
    """The values of each field among the sessions of a filter, most frequent first, at most 50 of each."""

    states: Sequence[Facet] = ()
    tags: Sequence[Facet] = ()
    models: Sequence[Facet] = ()
    agents: Sequence[Facet] = ()
    tools: Sequence[Facet] = ()
    errors: Sequence[Facet] = ()
    """By type."""
    hosts: Sequence[Facet] = ()


@dataclass(frozen=True, slots=True)
class UseOfModel:
    """The sum of `ModelUse` over sessions, of one model and, when asked by time, of one bucket."""

    use: ModelUse
    """`use.hour` is the first hour of the bucket, 0 when not asked by time."""
    sessions: int
    by: str = ""
    """The tag, agent or session name, when asked by one."""


@dataclass(frozen=True, slots=True)
class UseOfTool:
    """The sum of `ToolUse` over sessions."""

    use: ToolUse
    sessions: int


@dataclass(frozen=True, slots=True)
class Moved:
    """What was done next after errors of a group, and how often that worked."""

    move: NextMove
    label: str
    """The tool or model of it."""
    count: int
    worked: int
    after_ns: int
    """Mean time from the error to it."""


@dataclass(frozen=True, slots=True)
class ErrorGroup:
    """Errors with one fingerprint."""

    fingerprint: str
    type: str
    message: str
    """Of the last one."""
    kind: str
    label: str
    count: int
    fatal: int
    recovered: int
    open: int
    sessions: int
    failed_sessions: int
    first_ns: int
    last_ns: int
    cost_of_failed: float
    """What the sessions cost that failed with it."""
    last_session_id: str
    last_span_id: str
    times_ns: tuple[int, ...] = ()
    """Of each, oldest first, at most 1,000; for a sparkline."""
    fates: tuple[ErrorFate, ...] = ()
    """The fate of each of `times_ns`."""
    time_of_failed_ns: int = 0
    """How long the sessions took that failed with it."""
    agents: tuple[str, ...] = ()
    """In which it happened, at most 20."""
    moves: tuple[Moved, ...] = ()
    """The most frequent first."""


@dataclass(frozen=True, slots=True)
class Example:
    """One span of a list over sessions."""

    session_id: str
    span: SpanRow
    """Without its body."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A process that sent spans."""

    process: Process
    sessions: int
    last_ns: int
    sdks: tuple[str, ...] = ()
    """Of its last session: the packages that were called, such as ``openai 3.52``."""


@dataclass(frozen=True, slots=True)
class Price:
    """A price that a person set for a model that no table knows, in US dollars per million tokens."""

    provider: str
    """As in ``gen_ai.provider.name``; empty: any."""
    model: str
    input: float
    output: float
    cache_read: float | None = None
    """None: as `input`."""
    cache_write: float | None = None
    """None: as `input`."""
    set_ns: int = 0


@dataclass(frozen=True, slots=True)
class Hit:
    """A place where the words of a search stand."""

    session_id: str
    span_id: str
    trace_id: str
    kind: str
    label: str
    where: Literal["prompt", "answer", "arguments", "result", "error"]
    snippet: tuple[tuple[str, bool], ...]
    """Pieces of text, and whether each is a word that was searched for."""
    time_ns: int


@dataclass(frozen=True, slots=True)
class Checked:
    """What `check` found: roll-ups that were not those of their spans, and whether the file is sound."""

    sessions: int
    mended: tuple[str, ...] = ()
    """Ids of the sessions whose row was written anew."""
    damage: tuple[str, ...] = ()
    """What SQLite's own check says of the file."""


@dataclass(frozen=True, slots=True)
class StoreStats:
    """How large the store is."""

    path: str
    bytes: int
    free_bytes: int
    """Inside the file, for what comes."""
    sessions: int
    spans: int
    messages: int
    oldest_ns: int | None
    schema: int


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key of a project, never the key itself."""

    key_id: str
    """The first characters of the key."""
    project: str
    created_ns: int
    revoked_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """The answer to a query in SQL."""

    columns: tuple[str, ...]
    rows: Sequence[tuple[object, ...]]
    more: bool
    """Whether there were more rows than were asked for."""


class StoreFull(Exception):
    """The disk is full, or the store may grow no more: nothing of the batch was stored; try again later."""


class OverLimit(StoreFull):
    """The store is larger than its limit until `retain` has removed old sessions."""


class Store(Protocol):
    """A place for spans that can answer the questions of the pages."""

    def add(self, batch: Batch, now_ns: int) -> Added:
        """Store a batch durably, and bring the rows of its sessions up to date, in one transaction.

        Raises:
            StoreFull: there is no room; nothing of the batch is stored.
        """
        ...

    def refresh(self, now_ns: int) -> tuple[str, ...]:
        """Bring sessions up to date that change with time alone (a heartbeat that is too old); their ids."""
        ...

    def sessions(
        self,
        where: Filter,
        *,
        sort: Sort = "started",
        descending: bool = True,
        limit: int = 50,
        cursor: str | None = None,
    ) -> SessionList:
        """One page of the sessions of a filter."""
        ...

    def figures(self, where: Filter) -> Figures:
        """The six numbers of the sessions of a filter."""
        ...

    def figures_over_time(
        self, where: Filter, edges_ns: Sequence[int], *, percentiles: bool = True
    ) -> Sequence[Figures]:
        """The figures of the sessions that started between each two edges; for sparklines.

        Without `percentiles` (which take most of the time) there is no median and no 95 %.
        """
        ...

    def facets(self, where: Filter) -> Facets:
        """The values of the fields among the sessions of a filter."""
        ...

    def session(self, key: str, project: str | None = None) -> SessionRow | None:
        """One session whole, by session id or trace id, or by the beginning of one of at least 6 characters."""
        ...

    def spans(
        self, session_id: str, *, bodies: bool | Collection[str] = False, project: str | None = None
    ) -> Sequence[SpanRow]:
        """All spans of a session by start; open ones too.

        Args:
            session_id: its id.
            bodies: whether with their bodies, or the ids of the spans whose bodies are read.
            project: None for any.
        """
        ...

    def events(self, session_id: str, project: str | None = None) -> Sequence[SessionEvent]:
        """The log events of a session by time, as they were received; for an export that loses nothing."""
        ...

    def span(self, session_id: str, span_id: str, project: str | None = None) -> SpanRow | None:
        """One span with its body; the id of its trace serves as well as that of its session."""
        ...

    def neighbours(self, session_id: str, where: Filter) -> tuple[str | None, str | None]:
        """The sessions that started next after it and next before it."""
        ...

    def costs(
        self, where: Filter, *, by: Literal["model", "tag", "agent", "name", "tool"] = "model", hours: int = 0
    ) -> Sequence[UseOfModel]:
        """Use by model (and by tag, agent, name), in buckets of so many hours; 0 is one bucket for all."""
        ...

    def tools(self, where: Filter) -> Sequence[UseOfTool]:
        """Use by tool, most calls first."""
        ...

    def errors(self, where: Filter) -> Sequence[ErrorGroup]:
        """Groups of errors, the last seen first."""
        ...

    def slowest(self, where: Filter, kind: Kind, label: str, *, limit: int = 5) -> Sequence[Example]:
        """The spans of a tool (or of a model: leaf LLM calls) that took longest, longest first."""
        ...

    def set_price(self, price: Price) -> int:
        """Price the calls of a model that have no price, those that are stored and those to come.

        A price set before for the same provider and model is replaced. Returns how many sessions changed.
        """
        ...

    def prices(self) -> Sequence[Price]:
        """The prices that were set, by model."""
        ...

    def processes(self, where: Filter, *, limit: int = 50) -> Sequence[Seen]:
        """The processes that sent spans, the last seen first."""
        ...

    def search(self, text: str, where: Filter, *, limit: int = 100) -> Sequence[Hit]:
        """Places where all words stand, the newest first."""
        ...

    def seen_before(self, digests: Iterable[str], session_id: str, project: str | None = None) -> dict[str, int]:
        """In how many sessions before this one each message was sent."""
        ...

    def instructions_before(
        self, parts: Sequence[Mapping[str, Any]], session_id: str, project: str | None = None
    ) -> int:
        """In how many sessions before this one these system instructions were sent."""
        ...

    def retain(self, now_ns: int, *, max_age_ns: int | None, max_bytes: int | None) -> int:
        """Remove a few of the oldest sessions beyond the limits; how many. Call again until it returns 0.

        From then on `add` raises StoreFull while the store is larger than `max_bytes` by more than a tenth.
        """
        ...

    def check(self) -> Checked:
        """Count every roll-up anew from the spans, mend what differs, and let SQLite check the file."""
        ...

    def vacuum(self) -> None:
        """Give room that is no longer used back to the file system."""
        ...

    def stats(self) -> StoreStats:
        """Size and contents."""
        ...

    def sql(self, query: str, *, seconds: float = 2.0, limit: int = 10_000) -> Table:
        """The answer to a query that reads, and does nothing else.

        Raises:
            ValueError: it is not valid, would change something or takes longer than `seconds`.
        """
        ...

    def projects(self) -> Sequence[str]:
        """Every project that has a key or a session."""
        ...

    def create_key(self, project: str, now_ns: int) -> str:
        """Make a key for a project, which is made too if it is new; the key, which is not stored in clear."""
        ...

    def revoke_key(self, key_id: str, now_ns: int) -> bool:
        """Refuse a key from now on; False when there is none."""
        ...

    def keys(self) -> Sequence[ApiKey]:
        """All keys, revoked ones too."""
        ...

    def project_of(self, session_id: str, project: str | None = None) -> str | None:
        """The project of a session; None when there is no such session."""
        ...

    def project_of_key(self, key: str) -> str | None:
        """The project of a key that is not revoked."""
        ...

    def project_known_as(self, known_as: str) -> str | None:
        """The project of the key of which a program has made this id for its spans, when it is not revoked.

        A key of a store that an earlier version has made is known when it was used once.
        """
        ...

    def close(self) -> None:
        """End the writer and every connection."""
        ...
