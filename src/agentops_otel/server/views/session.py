"""What the page of one session shows, as data: its head, its ribbon and one of six views.

Times are nanoseconds from the session's start unless a name says otherwise. Sentences are made from data. Nothing here
knows of HTML: the templates turn a share into a width and a number into type.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote

from ...rows import ErrorFate, ErrorUse, Kind, Score, SessionRow, SpanRow

Tab = Literal["story", "waterfall", "replay", "calls", "errors", "raw"]
Work = Literal["llm", "tool", "other"]
Part = Literal["messages", "params", "attributes", "events"]
CUT = 65_536
"""Bytes of one text that a page shows before it asks."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One part of a message, or a tool's arguments, result or logs, ready to show."""

    kind: Literal["text", "reasoning", "call", "result", "media", "other"]
    text: str = ""
    """At most `CUT` bytes; JSON is indented."""
    size: int = 0
    """Bytes of the whole text, or of the media."""
    form: Literal["prose", "code", "json", "diff"] = "prose"
    whole: str = ""
    """Where the whole text is, relative to the span: ``input.3.0`` (message, part), ``result``; empty if not cut."""
    name: str = ""
    """Of a call or result: the tool's name."""
    signature: str = ""
    """Of a call: ``path="a.py", count=50``, at most 200 characters."""
    mime: str = ""
    digest: str = ""
    """Of media: SHA-256, where it is known."""
    data: str = ""
    """Base64 of a picture that the message really has; empty for anything else."""
    uri: str = ""
    """Of media elsewhere: shown as text, a link only if it is http(s)."""

    @property
    def shown(self) -> int:
        """Bytes of `text`."""
        return len(self.text.encode(errors="replace"))


@dataclass(frozen=True, slots=True)
class Said:
    """One message as it is shown: who says it, and what."""

    role: str
    pieces: tuple[Piece, ...]
    again: bool = False
    """Whether it was shown above, in an earlier step."""


@dataclass(frozen=True, slots=True)
class Fold:
    """Something folded away: the summary says what is inside and how much."""

    summary: str
    messages: tuple[Said, ...] = ()
    pieces: tuple[Piece, ...] = ()
    open: bool = False
    link: str | None = None
    """The step where the first of these messages is shown in full; then nothing is repeated here."""


@dataclass(frozen=True, slots=True)
class StepError:
    """An error as it stands at its step."""

    type: str
    message: str
    fate: ErrorFate
    stack: str = ""
    frames: int = 0
    raised_in: str = ""
    """Such as ``tools/shell.py:88``."""
    recovered_by: str | None = None
    """The step that worked later."""
    recovery: str = ""
    """Such as ``run_tests worked 24.6 s later`` or ``its agent ended well``."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """The figures of a step or of a row of the waterfall; None is blank."""

    input_tokens: int | None = None
    cached_tokens: int | None = None
    output_tokens: int | None = None
    cost: float | None = None
    so_far: float | None = None
    """What the session cost up to and with this step."""
    unpriced_calls: int = 0
    sums: bool = False
    """Whether they repeat what the children say (Σ)."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the story; `children` are those of a sub-agent, or the calls that ran at once."""

    id: str
    """The span's id, else ``ask``, ``gap-1``, ``together-1``, ``orphans-1``: unique in the page."""
    kind: Kind | Literal["user", "gap", "together", "placeholder"]
    start_ns: int
    end_ns: int | None
    """None while it runs."""
    title: str = ""
    """The model, tool or agent; a whole sentence for a gap or for calls at once."""
    signature: str = ""
    """Of a tool: ``path="a.py", count=50``, at most 200 characters."""
    note: str = ""
    """Such as ``first token 1.12 s, then 50 tokens/s``, ``asks for get_order``, ``same arguments, 2nd time``."""
    asked: str = ""
    """What a user or an agent was asked."""
    folds: tuple[Fold, ...] = ()
    pieces: tuple[Piece, ...] = ()
    error: StepError | None = None
    numbers: Numbers = Numbers()
    span: SpanRow | None = None
    """Without its body."""
    children: tuple[Step, ...] = ()
    scores: tuple[Score, ...] = ()


@dataclass(frozen=True, slots=True)
class Story:
    """The transcript: each message once."""

    steps: tuple[Step, ...]
    content: bool
    """Whether any content was captured."""
    folded: int = 0
    """Steps beyond the first thousands, which are loaded on demand."""


@dataclass(frozen=True, slots=True)
class WaterfallRow:
    """One row of the tree, in the order in which it is shown."""

    id: str
    level: int
    """1 is the top."""
    parent: str | None
    children: int
    kind: Kind | Literal["gap", "placeholder"]
    title: str
    detail: str
    """Of a tool: its arguments, at most 100 characters."""
    start_ns: int
    end_ns: int | None
    leaf: bool
    """Leaves are ink, containers brackets."""
    first_token_ns: int | None
    """From the row's start."""
    critical: tuple[tuple[int, int], ...]
    """The parts of it on the critical path, from the session's start."""
    fate: ErrorFate | None
    numbers: Numbers
    descendants: int = 0
    collapsed: bool = False


@dataclass(frozen=True, slots=True)
class MinimapBar:
    """Work in one row of the minimap, from one cell to another."""

    kind: Work
    row: int
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Minimap:
    """The work of the whole session in a small picture, in the order of the tree from above to below."""

    cells: int
    """Its width, which stands for the time line."""
    rows: int
    bars: tuple[MinimapBar, ...]
    errors: tuple[tuple[int, ErrorFate], ...]
    """Cell and fate, at most one of each a cell."""


@dataclass(frozen=True, slots=True)
class Waterfall:
    """The tree with its time line."""

    rows: tuple[WaterfallRow, ...]
    scale_ns: int
    """What the whole width of the lane stands for: five divisions."""
    now_ns: int | None
    """Where the blue edge stands while it runs, from the session's start."""
    collapsed: bool = False
    """Whether subtrees are folded because there are more than 2,000 rows."""
    minimap: Minimap | None = None
    """None where only the inside of a row is asked for."""


@dataclass(frozen=True, slots=True)
class ReplayStep:
    """One position of the slider: what the model had in front of it, and what it said."""

    id: str
    number: int
    """From 1."""
    title: str
    at_ns: int
    context: tuple[Said, ...]
    """New messages first told, the rest as `again`."""
    answer: tuple[Piece, ...]
    context_tokens: int | None
    context_limit: int | None
    """The model's, where it is known; of the shown step."""
    added: int
    """Messages that the step before did not have."""
    removed: int
    """Messages that the step before had, and this one not: the context was cut or compacted."""
    input_tokens: int
    """Of the session up to and with this step."""
    output_tokens: int
    cost: float
    running: bool = False


@dataclass(frozen=True, slots=True)
class Replay:
    """The steps of the slider, and the one that is shown."""

    steps: tuple[ReplayStep, ...]
    """Only the shown one has `context` and `answer`."""
    position: int
    """Index of the one that is shown."""


@dataclass(frozen=True, slots=True)
class Call:
    """A row of the table of LLM calls."""

    span: SpanRow
    turn: int
    """Which call of its model and agent, from 1."""
    at_ns: int
    asked: str
    answered: str
    params: str
    """Such as ``temperature 0.2, max tokens 1,024``."""
    tokens_per_second: float | None
    fate: ErrorFate | None


@dataclass(frozen=True, slots=True)
class Calls:
    """The LLM calls, the sum last."""

    calls: tuple[Call, ...]
    total: Numbers


@dataclass(frozen=True, slots=True)
class ErrorRow:
    """An error with what the agent did next."""

    use: ErrorUse
    at_ns: int
    error: StepError
    signature: str
    next: str
    """Such as ``asked run_tests again with other arguments, 24.6 s later``."""
    next_id: str | None
    seen: int = 0
    """How often it was seen, in all sessions."""
    sessions: int = 0


@dataclass(frozen=True, slots=True)
class Errors:
    """The errors by time."""

    rows: tuple[ErrorRow, ...]


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of a span or of the session's root."""

    key: str
    value: str
    """JSON where it is structured, at most `CUT` bytes."""
    size: int
    whole: str = ""

    @property
    def shown(self) -> int:
        """Bytes of `value`."""
        return len(self.value.encode(errors="replace"))


@dataclass(frozen=True, slots=True)
class RawSpan:
    """One span as it was received, in a list that can be searched."""

    span: SpanRow
    attributes: tuple[Attribute, ...]


@dataclass(frozen=True, slots=True)
class Raw:
    """The spans as they were received; at most 200 a page."""

    spans: tuple[RawSpan, ...]
    total: int
    query: str
    next: int | None
    """Offset of the next page."""


@dataclass(frozen=True, slots=True)
class Money:
    """A band of the ribbon: an LLM call's time, and its money; or several calls that are too small to see alone."""

    id: str
    title: str
    """Such as ``claude-sonnet-4-5, turn 1`` or ``14 calls of gpt-4.1-mini``."""
    label: str
    """The model."""
    start_ns: int
    end_ns: int
    duration_ns: int
    """Sum over the calls."""
    cost: float
    before: float
    """What the session cost before it."""
    calls: int = 1


@dataclass(frozen=True, slots=True)
class Mention:
    """A step that the caption names: the slowest, the dearest, a running one."""

    id: str
    title: str
    duration_ns: int | None = None
    since_ns: int | None = None
    """Since the epoch, of one that runs."""
    cost: float | None = None
    note: str = ""
    """Such as ``failed``."""


@dataclass(frozen=True, slots=True)
class Ribbon:
    """Time above, money below."""

    duration_ns: int
    cost: float
    time: tuple[tuple[Literal["llm", "tool", "own"], int, int], ...]
    """What each instant belongs to: kind, from, to."""
    money: tuple[Money, ...]
    errors: tuple[tuple[int, ErrorFate, str], ...]
    """When, fate, id of the step."""
    running: bool
    slowest: Mention | None = None
    dearest: Mention | None = None
    open: tuple[Mention, ...] = ()
    after_error: tuple[float, float] | None = None
    """Shares of the time and of the money after the first fatal error."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One line of "why it failed"."""

    kind: Kind
    fatal: bool
    sentence: tuple[tuple[str, str | None], ...]
    """Pieces of text, each with the id of the step that it links to."""


@dataclass(frozen=True, slots=True)
class Why:
    """Why it failed, in a few lines: the call, the raise, the repeats, the end."""

    reasons: tuple[Reason, ...]
    seen: str = ""
    """Such as ``Seen 12 times in 4 sessions since Wednesday, never recovered.``"""
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class Price:
    """One line of the sum of a call's cost."""

    tokens: str
    """``input``, ``cache read``, ``cache write``, ``output``."""
    count: int
    per_million: float | None
    cost: float | None
    note: str = ""
    """Such as ``412 reasoning``."""


@dataclass(frozen=True, slots=True)
class Panel:
    """The details of one span, with its body."""

    span: SpanRow
    turn: int | None
    at_ns: int
    prices: tuple[Price, ...]
    share_of_cost: float | None
    """Of the session."""
    tokens_per_second: float | None
    sent_again: tuple[Said, ...]
    sent_again_tokens: int | None
    new: tuple[Said, ...]
    system: tuple[Piece, ...]
    answer: tuple[Said, ...]
    arguments: Piece | None
    result: Piece | None
    logs: Piece | None
    error: StepError | None
    tools: tuple[tuple[str, str], ...]
    """The tools that the model was offered: name and description."""
    params: tuple[tuple[str, str], ...]
    attributes: tuple[Attribute, ...]
    events: tuple[tuple[str, int, tuple[Attribute, ...]], ...]
    """Name, time, attributes."""
    links: tuple[tuple[str, str], ...]
    scores: tuple[Score, ...] = ()
    curl: str = ""
    """The call as a command line; empty when it is no call or its content was not captured. No key is in it."""
    python: str = ""
    trace_url: str = ""
    """Its trace in another viewer; empty when the box knows of none."""


@dataclass(frozen=True, slots=True)
class Session:
    """The page of one session."""

    row: SessionRow
    tab: Tab
    title: str
    """What it was asked, else its name."""
    verdict: tuple[tuple[str, bool], ...]
    """Pieces of the sentence, and whether each is strong."""
    running_since_ns: int | None
    """Since the epoch: of the running span that the verdict speaks of."""
    so_far: str
    """What follows the verdict of a running session: ``One error so far, recovered.``"""
    how_computed: str
    """The cost as a sentence."""
    newer: str | None
    older: str | None
    ribbon: Ribbon
    why: Why | None
    orphans: int
    """Spans whose parent has not arrived."""
    view: Story | Waterfall | Replay | Calls | Errors | Raw
    panel: Panel | None
    selected: str | None
    """The span of ``?span=``."""
    unfolded: bool = False
    """``?text=all``."""
    flame: bool = False
    """``?flame=1``."""
    range_ns: tuple[int, int] | None = None
    """The part of the time that is shown, ``?range=12.5-20`` in seconds; None is all of it."""
    part: Part = "messages"
    """The part of the panel that is on: ``?part=``."""
    trace_url: str = ""
    """Its first trace in another viewer; empty when the box knows of none."""

    @property
    def here(self) -> str:
        """The path of the session, without a slash at its end."""
        return path_of(self.row)

    @property
    def template(self) -> str:
        """The template of the view."""
        return f"{self.tab}.html" if self.tab != "errors" else "errors_of_session.html"


@dataclass(frozen=True, slots=True)
class SpanPanel:
    """The panel of one span alone, which a page puts into itself: ``/s/{key}/panel?span=``."""

    row: SessionRow
    tab: Tab
    panel: Panel
    part: Part = "messages"

    @property
    def here(self) -> str:
        """The path of the session, without a slash at its end."""
        return path_of(self.row)


@dataclass(frozen=True, slots=True)
class SpanRows:
    """What is inside of a row that was folded: ``/s/{key}/rows?under=``."""

    row: SessionRow
    view: Waterfall
    selected: str | None = None


def path_of(row: SessionRow) -> str:
    """The path of a session's page."""
    return f"/s/{quote(row.session_id, safe='')}"
