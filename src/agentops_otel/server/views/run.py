"""One session as its views read it: its tree, its calls, what each part of it cost, and what became of its errors."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

from ...failures import Failures, error_of, failed_at
from ...rows import ErrorUse, SessionRow, SpanRow
from ...strip import Interval, shape
from ...summarize import Call, counted_calls
from ...tree import Key, Tree
from ..format import duration_text
from .session import Numbers, StepError, Waterfall
from .spoken import as_text

_PYTHON: Final = re.compile(r'^\s*File "([^"\n]{1,500})", line (\d+)', re.MULTILINE)
_JAVASCRIPT: Final = re.compile(r"^\s+at [^\n]{0,300}?\(?([^\s()]{1,500}):(\d+):\d+\)?$", re.MULTILINE)
GAP_SHARE: Final = 0.02
"""A gap is own code that takes more than this share of a session."""
_LEAST_GAP_NS: Final = 50_000_000
"""However short the session is: starting a program takes as long."""
_STACK: Final = 20_000
"""Characters of a stack that are shown: the end, where it was raised."""


@dataclass(slots=True)
class _Sums:
    input: int = 0
    cached: int = 0
    output: int = 0
    cost: float = 0.0
    priced: int = 0
    unpriced: int = 0
    calls: int = 0
    tools: int = 0

    def add(self, other: _Sums) -> None:
        self.input += other.input
        self.cached += other.cached
        self.output += other.output
        self.cost += other.cost
        self.priced += other.priced
        self.unpriced += other.unpriced
        self.calls += other.calls
        self.tools += other.tools


class Run:
    """One session as its views read it.

    Args:
        row: the session's row as it is stored.
        spans: all its spans, with bodies where the view needs them.
        now_ns: the reader's clock: a running session lasts until then.
    """

    def __init__(self, row: SessionRow, spans: Sequence[SpanRow], now_ns: int) -> None:
        self.tree = Tree(_with_root(row, spans))
        self.began_ns = row.started_ns
        self.running = row.state == "running"
        last_ns = max([row.last_ns, *(span.end_ns or span.start_ns for span in self.tree.spans)])
        self.now_ns = max(now_ns, last_ns)
        self.end_ns = self.now_ns if self.running else last_ns
        self.row = self._until_now(row)
        self.failures = Failures(self.tree, row.state)
        self.calls = counted_calls(self.tree)
        self.call_of: dict[Key, Call] = {key_of(call.span): call for call in self.calls}
        self.turns = self._count_turns()
        self.order: list[SpanRow] = []
        """All spans, each after its parent, siblings by start."""
        self.depth: dict[Key, int] = {}
        self._walk()
        self.so_far = self._add_up()
        self.sums = self._sum_up()
        self.ids = self._name()
        self.by_id = {self.ids[key]: span for key, span in self.tree.by_key.items()}
        self.last_waterfall: tuple[str | None, str | None, Waterfall] | None = None
        """With what was selected in it, and what it is the inside of: it is asked for twice, and by the next page."""

    def _until_now(self, row: SessionRow) -> SessionRow:
        if not self.running:
            return row
        times = shape(self.tree, self.began_ns, self.end_ns)
        return replace(row, last_ns=self.end_ns, llm_ns=times.llm_ns, tool_ns=times.tool_ns, own_ns=times.own_ns)

    def _walk(self) -> None:
        waiting = [(span, 0) for span in reversed(self.tree.tops())]
        while waiting:
            span, depth = waiting.pop()
            self.order.append(span)
            self.depth[key_of(span)] = depth
            waiting.extend((child, depth + 1) for child in reversed(self.tree.children(span)))

    def _count_turns(self) -> dict[Key, int]:
        counts: dict[tuple[str | None, str | None, str], int] = {}
        turns: dict[Key, int] = {}
        for call in self.calls:
            of = (
                call.span.agent,
                call.span.parent_id if call.span.agent is None else None,
                self.tree.act(call.span)[2],
            )
            turns[key_of(call.span)] = counts[of] = counts.get(of, 0) + 1
        return turns

    def _add_up(self) -> dict[Key, float]:
        """What the session cost up to and with each call."""
        spent, so_far = 0.0, dict[Key, float]()
        for call in self.calls:
            spent += call.cost or 0.0
            so_far[key_of(call.span)] = spent
        return so_far

    def _sum_up(self) -> dict[Key, _Sums]:
        """What is below each span, itself included."""
        sums: dict[Key, _Sums] = {}
        for span in reversed(self.order):
            key = key_of(span)
            own = sums.setdefault(key, _Sums())
            call = self.call_of.get(key)
            if call is not None:
                usage = call.usage
                own.add(
                    _Sums(
                        usage.input_tokens if usage else 0,
                        usage.cache_read_tokens if usage else 0,
                        usage.output_tokens if usage else 0,
                        call.cost or 0.0,
                        call.cost is not None,
                        call.unpriced,
                        1,
                    )
                )
            own.tools += span.kind == "tool"
            if self.depth[key] and span.parent_id is not None:
                sums.setdefault((span.trace_id, span.parent_id), _Sums()).add(own)
        return sums

    def _name(self) -> dict[Key, str]:
        """The id of each span in the page: its own, unless another trace has the same."""
        taken: set[str] = set()
        names: dict[Key, str] = {}
        for trace_id, span_id in self.tree.by_key:
            name = span_id if span_id not in taken else f"{trace_id[:16]}-{span_id}"
            taken.add(name)
            names[trace_id, span_id] = name
        return names

    # ---------------------------------------------------------------------------------------------------- questions

    @property
    def least_gap_ns(self) -> int:
        """How long no span must be open until that is worth a row."""
        return max(int(self.length_ns * GAP_SHARE), _LEAST_GAP_NS)

    @property
    def length_ns(self) -> int:
        """From the start to the end, or to now."""
        return max(0, self.end_ns - self.began_ns)

    def id(self, span: SpanRow) -> str:
        """Its id in the page."""
        return self.ids[key_of(span)]

    def at(self, ns: int) -> int:
        """A time from the session's start."""
        return max(0, ns - self.began_ns)

    def start(self, span: SpanRow) -> int:
        """Its start, from the session's."""
        return self.at(span.start_ns)

    def end(self, span: SpanRow) -> int | None:
        """Its end, from the session's start; None while it runs. One that was open when all ended, ended with it."""
        if span.end_ns is not None:
            return self.at(span.end_ns)
        return None if self.running else self.length_ns

    def until(self, span: SpanRow) -> int:
        """As `end()`, and for one that runs: now."""
        end = self.end(span)
        return self.length_ns if end is None else end

    @cached_property
    def bounds(self) -> dict[Key, Interval]:
        """`start()` and `until()` of every span, for views that ask for all of them."""
        return {key_of(span): (self.start(span), self.until(span)) for span in self.tree.spans}

    def is_call(self, span: SpanRow) -> bool:
        """Whether it is a counted call of a model."""
        return key_of(span) in self.call_of

    def speaker(self, span: SpanRow) -> str | None:
        """Whose conversation a call belongs to: an agent's, else that of the span around it."""
        return span.agent or span.parent_id

    def title(self, span: SpanRow) -> str:
        """Its label; of a model without the date of its version, when it was asked for without one."""
        label, asked = span.label or span.name, span.request_model
        if span.kind == "llm" and asked and label.startswith(f"{asked}-"):
            return asked if label[len(asked) :].replace("-", "").isdigit() else label
        return label

    def call_name(self, span: SpanRow) -> str:
        """Such as ``gpt-4.1, turn 2``; of anything else its label."""
        turn = self.turns.get(key_of(span))
        return f"{self.title(span)}, turn {turn}" if turn else self.title(span)

    def numbers(self, span: SpanRow) -> Numbers:
        """Its figures: a call's own, and of what has calls below it their sum."""
        key = key_of(span)
        call, sums = self.call_of.get(key), self.sums[key]
        if call is not None:
            usage = call.usage
            return Numbers(
                input_tokens=usage.input_tokens if usage and "input_tokens" not in usage.missing else None,
                cached_tokens=usage.cache_read_tokens if usage else None,
                output_tokens=usage.output_tokens if usage and "output_tokens" not in usage.missing else None,
                cost=call.cost,
                so_far=self.so_far[key],
                unpriced_calls=int(call.unpriced),
            )
        if not sums.calls:
            return Numbers()
        return Numbers(
            input_tokens=sums.input,
            cached_tokens=sums.cached,
            output_tokens=sums.output,
            cost=sums.cost if sums.priced else None,
            unpriced_calls=sums.unpriced,
            sums=True,
        )

    def error(self, span: SpanRow) -> StepError | None:
        """The error with which a span failed."""
        if not span.failed:
            return None
        kind, message = error_of(span)
        stack = (span.body.stack or "" if span.body else "")[-_STACK:]
        frames = _PYTHON.findall(stack) or _JAVASCRIPT.findall(stack)[::-1]
        outcome = self.failures.outcome(span)
        by = self.tree.by_key.get(outcome.by) if outcome.by else None
        return StepError(
            type=kind,
            message=message,
            fate=outcome.fate,
            stack=stack,
            frames=len(frames),
            raised_in=f"{short_path(frames[-1][0])}:{frames[-1][1]}" if frames else "",
            recovered_by=self.id(by) if by else None,
            recovery=self._recovery(span, by) if outcome.fate == "recovered" else "",
        )

    def _recovery(self, span: SpanRow, by: SpanRow | None) -> str:
        if by is not None:
            later = duration_text((by.end_ns or by.start_ns) - failed_at(span))
            return f"{by.label or by.name} worked {later} later"
        around = self.tree.parent(span)
        passed: set[Key] = set()  # parents that form a circle end nowhere
        while around is not None and around.failed and key_of(around) not in passed:
            passed.add(key_of(around))
            around = self.tree.parent(around)
        if around is None or around.failed or around.kind == "session":
            return "the session ended well"
        return f"{around.label or around.name} ended well"

    def arguments(self, span: SpanRow) -> str | None:
        """The arguments of a tool: its own, and of one that still runs those with which a model asked for it."""
        if span.body is not None and span.body.arguments:
            return span.body.arguments
        if span.end_ns is not None or span.kind != "tool":
            return None
        asker = next((call.span for call in reversed(self.calls) if span.label in call.span.calls), None)
        if asker is None or asker.start_ns > span.start_ns or asker.body is None:
            return None
        parts = [part for message in asker.body.output for part in message.parts if part.get("type") == "tool_call"]
        asked = [part.get("arguments") for part in parts if part.get("name") == span.label]
        return as_text(asked[0]) if len(asked) == 1 else None

    def own_error(self, span: SpanRow) -> bool:
        """Whether a span's error is shown at it: where it happened, and at the tool or call in which it did."""
        return span.failed and (span.kind in {"tool", "llm", "action", "error"} or self.happened_in(span))

    def happened_in(self, span: SpanRow) -> bool:
        """Whether an error happened in this very span."""
        return key_of(span) in self.origins

    @property
    def origins(self) -> dict[Key, ErrorUse]:
        """The session's errors by the span in which each happened."""
        if self._origins is None:
            self._origins = {(error.trace_id, error.span_id): error for error in self.failures.errors()}
        return self._origins

    _origins: dict[Key, ErrorUse] | None = None

    def orphans(self) -> Iterator[SpanRow]:
        """The spans whose parent has not arrived."""
        return (span for span in self.tree.tops() if span.parent_id is not None)

    def ancestors(self, span: SpanRow) -> set[Key]:
        """The spans around a span."""
        found: set[Key] = set()
        around = self.tree.parent(span)
        while around is not None and key_of(around) not in found:
            found.add(key_of(around))
            around = self.tree.parent(around)
        return found


def key_of(span: SpanRow) -> Key:
    """Trace id and span id."""
    return span.trace_id, span.span_id


def short_path(path: str) -> str:
    """The last two parts of a file's path."""
    return "/".join(path.replace("\\", "/").split("/")[-2:])


def _with_root(row: SessionRow, spans: Sequence[SpanRow]) -> list[SpanRow]:
    """The spans, with a root while that of our own session is not there: its id is known from the session's."""
    root_id = row.trace_id[:16]
    known = any(span.span_id == root_id and span.trace_id == row.trace_id for span in spans)
    if known or row.session_id.replace("-", "") != row.trace_id:
        return list(spans)
    if not any(span.parent_id == root_id for span in spans):
        return list(spans)
    root = SpanRow(
        trace_id=row.trace_id,
        span_id=root_id,
        parent_id=None,
        session_id=row.session_id,
        kind="session",
        name=f"session {row.name}".strip(),
        label=row.name,
        start_ns=row.started_ns,
        end_ns=None if not row.ended else row.last_ns,
        dialect="agentops",
        process=row.processes[0] if row.processes else spans[0].process,
    )
    return [*spans, root]
