"""What a session did so far: calls, tools, actions, errors, tokens and cost, counted while its spans start and end.

Only LLM spans count that wrap no other one: that, or an agent span that carries the sums of its calls, would count the
same tokens twice. What lies below a tool or an agent that a call has asked for is another call. An error counts once,
where it happened, however many enclosing spans fail with it; it is *recovered* when a later call of the same tool,
model or agent under the same parent succeeds, or when a span around it ends well.
"""

from __future__ import annotations

import re
import threading
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, TypeAlias

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import StatusCode

from . import clock, guard, pricing, semconv
from .redaction import plain_dict
from .text import shown
from .usage import Usage

_MOST_OPEN: Final = 10_000
_MOST_UNSETTLED: Final = 4096
_MOST_BEGUN: Final = 4096
_LONGEST_READ: Final = 256  # characters or items; the name of a model is shorter
_LONGEST_WAIT: Final = 5.0  # seconds; the first price loads the table, which takes one of them
# All that is read of an LLM span to count it.
_COUNTED: Final = pricing.PRICED_BY | {
    semconv.OPENAI_API_TYPE,
    semconv.REQUEST_STREAM,
    semconv.RESPONSE_ID,
    semconv.RESPONSE_STATUS,
}
_SMALL: Final = frozenset({bool, float, int})
_UNFINISHED: Final = ("queued", "in_progress")
_TIMED: Final = (semconv.KIND_LLM, semconv.KIND_TOOL)
_MOST_ACTS: Final = 4096
_MOST_ANSWERS: Final = 64  # of calls that have ended, to know a span that says one of them again
_MOST_FAILURES: Final = 1024  # of one act, or below one span; beyond them, the oldest are told as one
# What is done again when it has failed.
_ACTS: Final = frozenset({
    semconv.KIND_ACTION,
    semconv.KIND_AGENT,
    semconv.KIND_LLM,
    semconv.KIND_TOOL,
    semconv.KIND_WORKFLOW,
})  # fmt: skip
_KIND_OF_OPERATION: Final = {
    semconv.OPERATION_INVOKE_AGENT: semconv.KIND_AGENT,
    semconv.OPERATION_INVOKE_WORKFLOW: semconv.KIND_WORKFLOW,
    semconv.OPERATION_EXECUTE_TOOL: semconv.KIND_TOOL,
    **dict.fromkeys(semconv.LLM_OPERATIONS, semconv.KIND_LLM),
}
_SPAN_ID: Final = re.compile("[0-9a-f]{16}")
_new: Final[Any] = tuple.__new__  # what a NamedTuple's own does, at a quarter of the price
_Act: TypeAlias = "tuple[int, str | None, str]"


def kind_of(attributes: Mapping[str, Any]) -> str | None:
    """The kind of a span, ours or of another instrumentation that follows the GenAI conventions."""
    kind = attributes.get(semconv.SPAN_KIND)
    if kind is not None:
        return kind if isinstance(kind, str) else None
    operation = attributes.get(semconv.OPERATION_NAME)
    return _KIND_OF_OPERATION.get(operation) if isinstance(operation, str) else None


def _id(span: ReadableSpan) -> int:
    context = span.get_span_context()
    return 0 if context is None else context.span_id


def _parent_id(span: ReadableSpan) -> int:
    return 0 if span.parent is None else span.parent.span_id


def _is_content(value: object) -> bool:
    return isinstance(value, (str, bytes, tuple, list)) and len(value) > _LONGEST_READ


def _can_be_asked(attributes: Mapping[str, Any]) -> bool:
    """Whether a host would say the usage of a stream if it was asked: that is a matter of OpenAI's API."""
    return semconv.OPENAI_API_TYPE in attributes or attributes.get(semconv.PROVIDER_NAME) == "openai"


def _model_of(attributes: Mapping[str, Any]) -> str:
    return str(attributes.get(semconv.RESPONSE_MODEL) or attributes.get(semconv.REQUEST_MODEL) or "unknown")


def _act(parent_id: int, kind: str | None, name: str) -> _Act | None:
    return (parent_id, kind, name) if kind in _ACTS else None


class _Ended(NamedTuple):
    """What is counted of a span that has ended: not its content, of which memory could be full before it is counted."""

    span_id: int
    parent_id: int
    name: str
    kind: str | None
    failed: bool
    times: tuple[int | None, int | None]
    attributes: Mapping[str, Any]  # of an LLM span, those that count
    trigger_id: int = 0  # of an error, the span that failed
    trigger: _Act | None = None  # what that is, while it goes on
    ours: bool = True

    @classmethod
    def of(cls, span: ReadableSpan, span_id: int) -> _Ended:
        attributes = plain_dict(span.attributes)
        kind = kind_of(attributes)
        read: dict[str, Any] = {}
        trigger_id = 0
        if kind == semconv.KIND_LLM:
            read = {name: attributes[name] for name in _COUNTED.intersection(attributes)}
            for name, value in [*read.items()]:
                if type(value) not in _SMALL and _is_content(value):
                    del read[name]
        elif kind == semconv.KIND_ERROR:
            trigger = attributes.get(semconv.ERROR_TRIGGER_SPAN_ID)
            if isinstance(trigger, str) and _SPAN_ID.fullmatch(trigger):
                trigger_id = int(trigger, 16)
        parent, scope = span.parent, span.instrumentation_scope
        return cls(
            span_id,
            0 if parent is None else parent.span_id,
            span.name,
            kind,
            span.status.status_code is StatusCode.ERROR,
            (span.start_time, span.end_time),
            read,
            trigger_id,
            ours=scope is not None and scope.name == semconv.SCOPE_NAME,
        )

    def says_again(self, call: _Ended) -> bool:
        """Whether this LLM span, beside a call of ours, was made for it: it starts before it and has its answer."""
        answer, (start, end) = self.attributes.get(semconv.RESPONSE_ID), self.times
        first, last = call.times
        return (
            answer is not None
            and call.ours
            and call.parent_id == self.parent_id
            and call.attributes.get(semconv.RESPONSE_ID) == answer
            and None not in (start, first, last, end)
            and start <= first <= last <= end  # type: ignore[operator]
        )

    @property
    def act(self) -> _Act | None:
        """What is done again when it has failed: its parent, kind and name."""
        return _act(self.parent_id, self.kind, self.name)


@dataclass(slots=True)
class _Errors:
    """Errors that nothing has survived so far."""

    number: int = 1

    def take(self) -> int:
        """Settle them; how many they were."""
        number, self.number = self.number, 0
        return number


class _Failure(NamedTuple):
    """An act that has failed: when, and with which errors."""

    ended: int
    errors: list[_Errors]


def _taken(errors: list[_Errors]) -> int:
    return sum(each.take() for each in errors)


def _fewer(errors: list[_Errors]) -> list[_Errors]:
    """Those that are not settled; the oldest as one, which only a span around them can survive."""
    left = [each for each in errors if each.number]
    oldest = left[:-_MOST_FAILURES]
    return [_Errors(_taken(oldest)), *left[-_MOST_FAILURES:]] if oldest else left


class OpenSpan(NamedTuple):
    """A span that has started and not ended."""

    span_id: int
    parent_id: int
    name: str
    kind: str | None
    start_time: int


@dataclass
class ModelTotals:
    """Calls and cost of one model."""

    calls: int = 0
    cost: float | None = None


@dataclass(frozen=True)
class Snapshot:
    """The totals at one moment; cost in US dollars, None when no call could be priced."""

    llm_calls: int = 0
    tool_calls: int = 0
    actions: int = 0
    errors: int = 0
    recovered_errors: int = 0
    usage: Usage = field(default_factory=Usage)
    cost: float | None = None
    unpriced_calls: int = 0
    streams_without_usage: int = 0
    models: Mapping[str, ModelTotals] = field(default_factory=dict)
    slowest: tuple[str, float] | None = None  # name and seconds

    def attributes(self) -> dict[str, Any]:
        """The `agentops.session.*` attributes of root span and log events."""
        attributes: dict[str, Any] = {
            semconv.SESSION_LLM_CALLS: self.llm_calls,
            semconv.SESSION_TOOL_CALLS: self.tool_calls,
            semconv.SESSION_ACTIONS: self.actions,
            semconv.SESSION_ERRORS: self.errors,
            semconv.SESSION_RECOVERED_ERRORS: self.recovered_errors,
            semconv.SESSION_INPUT_TOKENS: self.usage.input_tokens,
            semconv.SESSION_OUTPUT_TOKENS: self.usage.output_tokens,
            semconv.SESSION_CACHE_READ_TOKENS: self.usage.cache_read_tokens,
            semconv.SESSION_CACHE_WRITE_TOKENS: self.usage.cache_write_tokens,
            semconv.SESSION_REASONING_TOKENS: self.usage.reasoning_tokens,
        }
        if self.cost is not None:
            attributes[semconv.SESSION_COST] = self.cost
        if self.unpriced_calls:
            attributes[semconv.SESSION_UNPRICED_CALLS] = self.unpriced_calls
        return attributes


class Totals:
    """The running totals of one session, fed by the span processor.

    The user's thread only notes that a span started or ended; the counting is done in `settle()`, by the worker or by
    the thread that reads the totals. Single operations on dicts and deques are atomic, so the noting takes no lock that
    a signal handler or a garbage collection could find taken.
    """

    def __init__(self) -> None:
        # With the kind it began as, because limits may drop attributes, and `clock.offset()` at its start.
        self._open: dict[int, tuple[ReadableSpan, str | None, int]] = {}
        self._ended: deque[_Ended] = deque()
        self._settling = threading.RLock()
        self.longest_wait = _LONGEST_WAIT
        """Seconds to wait for another thread that counts; little when a signal handler may have stopped it for good."""
        self._with_llm_below: set[int] = set()  # spans around an LLM call
        self._above: dict[int, int] = {}  # the spans around open ones that are in another trace, so not their parents
        self._answers: deque[_Ended] = deque(maxlen=_MOST_ANSWERS)  # calls of ours that have been counted
        self._unhandled: dict[int, list[_Errors]] = {}  # right below each open span
        self._failures: dict[int, dict[_Act, list[_Failure]]] = {}  # by the act's parent, which ends all second tries
        self._acts: dict[int, _Act] = {}  # the last that have ended, for errors that are recorded about them
        self._models: dict[str, ModelTotals] = {}
        self._kinds: Counter[str] = Counter()
        self._errors = self._recovered = self._llm_calls = 0
        self._unpriced = self._streams_without_usage = 0
        # Calls whose answer had no end yet, by its id: whether they count as unpriced, and as streams without usage.
        self._begun: dict[str, tuple[bool, bool]] = {}
        self._going_on: dict[int, str] = {}  # calls that were counted before they have ended, and their models
        self._usage = Usage()
        self._cost: float | None = None
        self._slowest: tuple[str, float] | None = None
        self.changes: int = 0  # about how often the set of open spans changed

    def on_start(self, span: ReadableSpan) -> None:
        """Note a span that starts."""
        self.begin(span, _id(span), span.attributes or {}, clock.offset())

    def begin(self, span: ReadableSpan, span_id: int, attributes: Mapping[str, Any], offset: int) -> None:
        """Note a span that has started with these attributes when `clock.offset()` was `offset`."""
        spans = self._open
        if len(spans) >= _MOST_OPEN:  # spans that nobody ends must not fill the memory
            spans.pop(next(iter(spans), 0), None)
        spans[span_id] = span, kind_of(attributes), offset
        self.changes += 1

    def place(self, span_id: int, above_id: int) -> None:
        """An open span lies in another one that is not its parent, because its trace is another."""
        if len(self._above) >= _MOST_OPEN:
            self._above.pop(next(iter(self._above), 0), None)
        self._above[span_id] = above_id

    def on_end(self, span: ReadableSpan) -> None:
        """Note a span that ended."""
        self.end(span, _id(span))

    def end(self, span: ReadableSpan, span_id: int) -> None:
        """Note a span that has ended; one whose start was not noted, such as the root, does not count."""
        begun = self._open.pop(span_id, None)
        if begun is None:
            return
        figures: Mapping[str, Any] | None = getattr(span, "figures", None)  # of a leaf
        if figures is None:
            ended = _Ended.of(span, span_id)
            if ended.kind == semconv.KIND_STEP:  # a wrapper of a call is done again like a call, see `nesting.py`
                ended = ended._replace(kind=begun[1])
        else:
            leaf: Any = span
            parent_id, name, status, times = leaf.told()
            failed = status is StatusCode.ERROR
            ended = _new(_Ended, (span_id, parent_id, name, begun[1], failed, times, figures, 0, None, True))
        if self._above and (above_id := self._above.pop(span_id, 0)):
            ended = ended._replace(parent_id=above_id)
        if ended.trigger_id and (trigger := self._open.get(ended.trigger_id)) is not None:
            about, kind, _ = trigger
            ended = ended._replace(trigger=_act(_parent_id(about), kind, about.name))
        self._ended.append(ended)
        self.changes += 1
        if len(self._ended) >= _MOST_UNSETTLED:
            self.settle()

    def forget(self, span_id: int) -> None:
        """Do not count a span that has started."""
        self._open.pop(span_id, None)
        self._above.pop(span_id, None)
        self.changes += 1

    def wraps_a_call(self, span: ReadableSpan, span_id: int) -> bool:
        """Whether an LLM span of another tracer that ends says a call again; nothing is counted for that.

        It has an LLM call below it, ended or going on; or it is made when the call has ended and beside it, starts
        before it and has the same answer.
        """
        ended = [*self._ended]
        if span_id in self._with_llm_below or span_id in self._above_calls(ended):
            return True
        own = _Ended.of(span, span_id)
        if not any(own.says_again(call) for call in (*ended, *self._answers)):
            return False
        self._with_llm_below.add(span_id)
        return True

    def close(self) -> None:
        """Count the calls that go on, such as streams that are left but not closed, until their ends count."""
        with self._settled():
            above = self._with_llm_below | self._above_calls([])
            for span_id, (span, kind, _) in list(self._open.items()):
                if kind == semconv.KIND_LLM and span_id not in above and span_id not in self._going_on:
                    self._going_on[span_id] = name = _model_of(plain_dict(span.attributes))
                    self._count_going_on(name, 1)

    def _count_going_on(self, name: str, number: int) -> None:
        model = self._models.setdefault(name, ModelTotals())
        model.calls += number
        self._llm_calls += number
        self._unpriced += number
        if not model.calls:
            del self._models[name]

    def settle(self) -> None:
        """Count what has ended so far, prices included, in the order in which it ended."""
        with self._settled():
            pass

    @contextmanager
    def _settled(self) -> Iterator[None]:
        """A block during which no thread counts; everything that waited is counted before.

        Not so where the thread that counts stands still, see `longest_wait`.
        """
        held = self._settling.acquire(timeout=self.longest_wait)
        try:
            if held:
                self._count_ended()
            yield
        finally:
            if held:
                self._settling.release()

    def _count_ended(self) -> None:
        batch = [*self._ended]
        if batch:
            self._with_llm_below |= self._above_calls(batch)
        for span in batch:
            self._ended.popleft()  # (not before, see `wraps_a_call()`)
            try:
                self._count(span)
            except Exception:  # (a span of another instrumentation, that has anything in it)
                guard.report("the totals of a session")

    def _above_calls(self, batch: list[_Ended]) -> set[int]:
        """The spans around each LLM call, ended or going on: a stream may outlive the span around it."""
        known = [(span.span_id, span.parent_id, span.kind) for span in batch]
        above_of = self._above.get
        for span_id, (span, kind, _) in list(self._open.items()):
            known.append((span_id, above_of(span_id) or _parent_id(span), kind))
        parents = {span_id: parent_id for span_id, parent_id, kind in known if kind not in semconv.CALLED_KINDS}
        found: set[int] = set()
        for parent_id in (parent_id for _, parent_id, kind in known if kind == semconv.KIND_LLM):
            above = parent_id
            while above in parents and above not in found:
                found.add(above)
                above = parents[above]
        return found

    def _count(self, span: _Ended) -> None:
        self._count_error(span)
        if span.kind != semconv.KIND_LLM:
            self._kinds[span.kind or ""] += 1
        elif span.span_id not in self._with_llm_below:
            if (model := self._going_on.pop(span.span_id, None)) is not None:
                self._count_going_on(model, -1)
            self._count_call(span.attributes, failed=span.failed)
            if span.ours and semconv.RESPONSE_ID in span.attributes:
                self._answers.append(span)
        self._with_llm_below.discard(span.span_id)
        start, end = span.times
        if span.kind in _TIMED and isinstance(start, int) and isinstance(end, int):
            seconds = (end - start) / 1e9
            if self._slowest is None or seconds > self._slowest[1]:
                self._slowest = (shown(span.name), seconds)

    def _count_error(self, span: _Ended) -> None:
        below = [each for each in self._unhandled.pop(span.span_id, ()) if each.number]
        self._failures.pop(span.span_id, None)
        act = span.act
        if act is not None:
            if len(self._acts) >= _MOST_ACTS:
                self._acts.pop(next(iter(self._acts)))
            self._acts[span.span_id] = act
        if not span.failed:
            self._recovered += _taken(below) + (0 if act is None else self._done_again(act, span.times[0] or 0))
            return
        if not below:
            self._errors += 1
            below = [_Errors()]
        unhandled = self._unhandled.setdefault(span.parent_id, [])
        unhandled += below
        if len(unhandled) > 2 * _MOST_FAILURES:
            unhandled[:] = _fewer(unhandled)
        act = span.trigger or self._acts.get(span.trigger_id, act)
        if act is not None:
            self._wait_for(act, _Failure(span.times[1] or 0, below))

    def _wait_for(self, act: _Act, failure: _Failure) -> None:
        """Remember a failure until its act is done again."""
        failures = self._failures.setdefault(act[0], {}).setdefault(act, [])
        failures.append(failure)
        if len(failures) > _MOST_FAILURES:
            first, second = failures[:2]
            if second.errors[0].number:
                second.errors[0].number += _taken(first.errors)
            failures[:2] = [second._replace(ended=max(first.ended, second.ended))]

    def _done_again(self, act: _Act, started: int) -> int:
        """How many errors are recovered by a success that has started later and is the same act."""
        siblings = self._failures.get(act[0])
        failures = None if siblings is None else siblings.pop(act, None)
        if siblings is None or failures is None:
            return 0
        left = [each for each in failures if each.ended > started]
        if left:
            siblings[act] = left
        return sum(_taken(each.errors) for each in failures if each.ended <= started)

    def _count_call(self, attributes: Mapping[str, Any], *, failed: bool) -> None:
        model = self._models.setdefault(_model_of(attributes), ModelTotals())
        response_id = attributes.get(semconv.RESPONSE_ID)
        begun = self._begun.pop(response_id, None) if isinstance(response_id, str) else None
        if begun is None:
            self._llm_calls += 1
            model.calls += 1
        else:  # its answer had no end then, and has one now: the same call
            self._unpriced -= begun[0]
            self._streams_without_usage -= begun[1]
        usage = Usage.from_attributes(attributes)
        if usage is None and semconv.USAGE_AUDIO_SECONDS not in attributes:  # sound may be paid by its length
            # A failed call costs nothing, so it is not one whose price is missing.
            streamed = bool(attributes.get(semconv.REQUEST_STREAM)) and not failed and _can_be_asked(attributes)
            self._unpriced += not failed
            self._streams_without_usage += streamed
            if isinstance(response_id, str) and attributes.get(semconv.RESPONSE_STATUS) in _UNFINISHED:
                if len(self._begun) >= _MOST_BEGUN:
                    self._begun.pop(next(iter(self._begun)))
                self._begun[response_id] = not failed, streamed
            return
        self._usage += usage or Usage()
        cost = pricing.span_cost(attributes)
        if cost is None:
            self._unpriced += 1
            return
        model.cost = (model.cost or 0.0) + cost.amount
        self._cost = (self._cost or 0.0) + cost.amount

    def snapshot(self, *, survived: bool = False) -> Snapshot:
        """The totals now.

        Args:
            survived: the session ended well, so that errors nothing else recovered from count as recovered.
        """
        with self._settled():
            return Snapshot(
                llm_calls=self._llm_calls,
                tool_calls=self._kinds[semconv.KIND_TOOL],
                actions=self._kinds[semconv.KIND_ACTION],
                errors=self._errors,
                recovered_errors=self._recovered + (self._unsurvived() if survived else 0),
                usage=self._usage,
                cost=self._cost,
                unpriced_calls=self._unpriced,
                streams_without_usage=self._streams_without_usage,
                models={name: ModelTotals(m.calls, m.cost) for name, m in self._models.items()},
                slowest=self._slowest,
            )

    def _unsurvived(self) -> int:
        return sum(each.number for below in self._unhandled.values() for each in below)

    def open_ids(self) -> list[int]:
        """The ids of the spans that are open now."""
        return list(self._open)

    def open_kind(self, span_id: int) -> str | None:
        """The kind that an open span began as."""
        found = self._open.get(span_id)
        return None if found is None else found[1]

    def clock_offset(self, span_id: int) -> int | None:
        """The `clock.offset()` at the start of an open span."""
        found = self._open.get(span_id)
        return None if found is None else found[2]

    def open_spans(self, most: int = 64) -> list[OpenSpan]:
        """The spans that are open now, oldest first, at most `most` of them."""
        return [
            OpenSpan(
                span_id=span_id,
                parent_id=_parent_id(span),
                name=shown(span.name),
                kind=kind or kind_of(span.attributes or {}),
                start_time=span.start_time if isinstance(span.start_time, int) else 0,
            )
            for span_id, (span, kind, _) in list(self._open.items())[:most]
        ]
