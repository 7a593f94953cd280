"""What is in the journal and no longer in memory, and how it gets away.

Spans and log events of this process are left here when there is no room or no time for them in memory. What processes
that are dead have left is sent by whichever process comes next, with their resource and not with ours.
"""

from __future__ import annotations

import math
import shlex
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Final

import msgspec
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan

from .. import pricing, semconv
from ..clock import monotonic
from ..config import Configuration
from ..redaction import plain_dict
from ..span_copy import SpanCopy
from .claim import Claim, claims
from .delivery import DeliveryExporter
from .destination import Destination, journal_directory
from .frames import RecordRef
from .journal import Journal
from .leaf import Leaf
from .log_event import LogEvent
from .outcome import Outcome
from .parts import BATCH

_BATCH_BYTES: Final = 4 * 1024 * 1024
_SLICE: Final = 1.0  # seconds for which the worker sends before it looks after its other tasks; not those of a search
_SEARCH_EVERY: Final = 60.0  # seconds between two looks for what died meanwhile, such as a worker process
_REST: Final = 20.0  # times as long as a search took, before the next one while the backend is down

# Settings that are not in the journal, and the variables from which the command reads them.
_SECRETS: Final = {
    "api_key": "AGENTOPS_API_KEY",
    "parent_key": "AGENTOPS_PARENT_KEY",
    "headers": "AGENTOPS_HEADERS",
}

Item = tuple[RecordRef, "ReadableSpan | LogEvent", Resource]


class Replayed(msgspec.Struct):
    """What became of the spans of dead processes, and how many of their log events were sent."""

    sent: int = 0
    rejected: int = 0
    events: int = 0
    held_back: int = 0
    late: bool = False  # there was no time for more
    seconds: float = 0.0  # that sending took


class Backlog:
    """See the module.

    Args:
        journal: of this process.
        exporter: to the journal's destination.
        complete: applied to spans of this process before they are sent (prices, resource).
        resource: of this process's log events.
        predecessors: further folders of the journal whose spans this exporter may send.
    """

    def __init__(
        self,
        journal: Journal,
        exporter: DeliveryExporter,
        *,
        complete: Callable[[ReadableSpan], ReadableSpan],
        resource: Callable[[], Resource],
        predecessors: Callable[[], Sequence[str]] = tuple,
    ) -> None:
        self._journal = journal
        self._predecessors = predecessors
        self._exporter = exporter
        self._complete = complete
        self._resource = resource
        self.after_fork()

    def after_fork(self) -> None:
        """In a forked child: what was left is the parent's to send."""
        self._left: deque[RecordRef] = deque()
        self._in_flight = 0
        self._search_at = 0.0
        self._rest_until = 0.0
        self._joined: set[int] = set()
        self._held_back = False
        self._has_children = False

    @property
    def waiting(self) -> int:
        """Spans and log events of this process that were left."""
        return len(self._left) + self._in_flight

    def has_forked(self) -> None:
        """There are children of this process: what they leave when they die is sent at its end, if not before."""
        self._has_children = True

    def join_session(self, trace_id: int) -> None:
        """This process takes part in a session of another one, whose end, if it dies, waits for what we say of it."""
        self._joined.add(trace_id)

    def leave_session(self, trace_id: int) -> None:
        """This process has said how the session ends, or has left it."""
        self._joined.discard(trace_id)
        self._search_at = 0.0

    def leave(self, refs: Iterable[RecordRef]) -> None:
        """Take over what memory has no room for; safe in any thread and signal handler."""
        self._left.extend(refs)

    def work(self) -> bool:
        """Send for about a second, and give way to a flush; True when nothing is left to do."""
        if not self.drain(monotonic() + _SLICE, yielding=True):
            return False
        return monotonic() < self._search_at or self._replay(None)

    def drain(self, deadline: float, *, yielding: bool = False, closing: bool = False) -> bool:
        """Send what this process has left; True when nothing of it is left.

        Args:
            deadline: `time.monotonic()` after which no further batch is sent.
            yielding: give way to a flush.
            closing: the process ends, and perhaps no other one will send what its children left. Nor will a next run
                that is as short as this one send what earlier ones left.
        """
        while self._left and monotonic() < deadline and (self._exporter.due or not yielding):
            if not self._send_some(yielding=yielding):
                break
        if self._left:
            return False
        if (self._held_back and not self._joined) or (closing and self._has_children):
            self._replay(None if yielding else deadline)
        elif closing and not self._search_at and self._exporter.counts.acknowledged and not self._exporter.failing:
            # A run too short for a look at what earlier ones have left; the backend is there.
            self._replay(min(deadline, monotonic() + _SLICE))
        return True

    def _replay(self, deadline: float | None) -> bool:
        """Send what dead processes have left, until `deadline`; None: nobody waits, and it may be put off."""
        yielding, books, begun = deadline is None, Replayed(), monotonic()
        if yielding and self._exporter.failing and begun < self._rest_until:
            return False
        until = math.inf if deadline is None else deadline  # not a slice: the search alone may take longer
        joined = self._joined.copy()
        for directory in (self._journal.directory, *self._predecessors()):
            if not replay(directory, self._exporter, until, books, not_yet=joined, yielding=yielding):
                if self._exporter.failing:
                    now = monotonic()
                    self._rest_until = now + _REST * (now - begun - books.seconds)
                return False
        self._held_back = bool(books.held_back)
        self._search_at = monotonic() + _SEARCH_EVERY
        return True

    def _send_some(self, *, yielding: bool) -> bool:
        refs = list(_first(self._left))
        self._in_flight = len(refs)
        found = self._journal.read(refs)
        own = self._resource()
        items: list[Item] = [
            (ref, self._complete(item) if isinstance(item, ReadableSpan) else item, own) for ref, item in found
        ]
        sent = _Pass(items)
        try:
            sent.send(self._exporter, yielding=yielding)
        finally:
            readable = {ref for ref, _ in found}
            lost = [ref for ref in refs if ref not in readable]
            # What the journal has dropped to stay within its bounds is in its own count.
            sent.outcome.unreadable = sum(map(self._journal.holds, lost))
            self._exporter.settle(sent.outcome)
            self._journal.acknowledge([*sent.done, *lost])
            self._journal.reject(sent.refused)
            self._left.extendleft(reversed(sent.unsent))
            self._in_flight = 0
        return not sent.unsent


def replay(
    directory: str,
    exporter: DeliveryExporter,
    deadline: float,
    books: Replayed,
    *,
    not_yet: Collection[int] = (),
    yielding: bool = False,
    settled: Callable[[int], None] = lambda spans: None,
) -> bool:
    """Send what dead processes have left for one destination; True when all of it is settled.

    Args:
        directory: of the destination in the journal.
        exporter: to that destination.
        deadline: `time.monotonic()` after which no further batch is sent. With a deadline of the exporter, none is
            begun when less time is left than the last one took.
        books: counts what was sent and rejected, in addition to what is in there.
        not_yet: trace ids of sessions whose roots are not to be made anew yet.
        yielding: give way to a flush, and to other tasks after a batch when sending has taken about a second.
        settled: told after each batch of how many spans something is known.
    """
    took = 0.0
    for claim in claims(directory):
        with claim:
            for items in _batches(claim, not_yet, books):
                begun = monotonic()
                # A request that is given up halfway may be stored, and its spans would be sent again.
                books.late = begun >= deadline or begun + took >= (exporter.deadline or math.inf)
                if books.late or (yielding and not exporter.due):
                    return False
                sent = _Pass(items)
                try:
                    sent.send(exporter, yielding=yielding)
                finally:
                    claim.acknowledge(sent.done)
                    claim.reject(sent.refused)
                    books.sent += len(sent.outcome.acknowledged)
                    books.rejected += len(sent.outcome.rejected) + len(sent.outcome.unnamed)
                    books.events += sent.events
                settled(len(sent.outcome.acknowledged) + len(sent.outcome.rejected) + len(sent.outcome.unnamed))
                took = monotonic() - begun
                books.seconds += took
                if sent.unsent or (yielding and books.seconds >= _SLICE):
                    return False
    return True


class _Pass:
    """One pass over spans and log events from the journal: what is done with and refused; all others are unsent.

    `events` of what is done with are log events.
    """

    def __init__(self, items: Sequence[Item]) -> None:
        self.outcome = Outcome()
        self.done: list[RecordRef] = []
        self.refused: list[tuple[ReadableSpan, RecordRef, str]] = []
        self.events = 0
        self._items = items
        self._unsent = {id(item): ref for ref, item, _ in items}

    @property
    def unsent(self) -> list[RecordRef]:
        """In the order of the items."""
        return list(self._unsent.values())

    def send(self, exporter: DeliveryExporter, *, yielding: bool) -> None:
        """Send; when it raises, what has happened until then is known here."""
        take = self._unsent.pop
        spans = [item for _, item, _ in self._items if isinstance(item, ReadableSpan)]
        if spans:
            self.outcome = exporter.send_once(spans, monotonic() + exporter.retry_for, yielding=yielding)
        self.done += [take(id(span)) for span in (*self.outcome.acknowledged, *self.outcome.unnamed)]
        self.refused += [(span, take(id(span)), why) for span, why in self.outcome.rejected]
        exporter.raise_interrupt()
        events = [(item, resource) for _, item, resource in self._items if isinstance(item, LogEvent)]
        for _, group in groupby(events, key=lambda pair: id(pair[1])):
            batch = list(group)
            if self.outcome.unsent or not exporter.send_events(
                [event for event, _ in batch], batch[0][1], yielding=yielding
            ):
                break
            self.done += [take(id(event)) for event, _ in batch]
            self.events += len(batch)


def how_to_send(config: Configuration, *, key_refused: bool = False, refused: bool = False) -> str:
    """What sends the spans that are kept for a configuration; each command in it does so as it stands."""
    directory = ""
    if "journal_dir" in config._given:
        directory = f" --journal-dir {shlex.quote(journal_directory(config.journal_dir))}"
    by_argument = [setting for setting in _SECRETS if setting in config._given]
    destination = Destination.of(config)
    if key_refused and destination is not None:
        setting = config._credential or "api_key"
        what = "user and password" if setting == "endpoint" else "key"
        new = f" --new-key-for {shlex.quote(destination.endpoint)}"
        if setting == "headers" and destination.project is None:  # what was kept goes with any key
            new = ""
        return f"set the right {what} in {config._variable(setting)}, then: agentops-otel flush{directory}{new}"
    secrets = f" (with {' and '.join(_SECRETS[setting] for setting in by_argument)} set)" if by_argument else ""
    if refused:  # most likely the address is wrong, and what is kept for it stays its own
        return (
            "the next run with this endpoint sends them, or to another one: "
            f"agentops-otel flush{directory} --endpoint URL{secrets}"
        )
    return f"the next run sends them, or: agentops-otel flush{directory}{secrets}"


def priced(span: ReadableSpan, resource: Resource | None = None) -> ReadableSpan:
    """The span with the price of its tokens, and with another resource if one is given; a copy unless it is ours."""
    attributes = plain_dict(span.attributes)  # each look into the SDK's own mapping takes a lock
    cost = None if semconv.COST_AMOUNT in attributes else pricing.span_cost(attributes)
    resource = resource or span.resource
    price = {} if cost is None else pricing.attributes(cost)
    if not price and resource is span.resource:
        return span
    if isinstance(span, Leaf):
        span.complete(price, resource)
        return span
    return SpanCopy(span, attributes=attributes | price, resource=resource)


def _ends(item: ReadableSpan | LogEvent) -> int:
    """The trace id of the session whose end this is; 0 when it is no such thing."""
    if isinstance(item, LogEvent):
        return item.trace_id if item.name == semconv.EVENT_SESSION_END else 0
    context = item.get_span_context()
    return context.trace_id if context is not None and item.parent is None else 0


def _first(left: deque[RecordRef]) -> Iterator[RecordRef]:
    """Take the first off, as many as fit into one request."""
    size = number = 0
    while left and number < BATCH and size < _BATCH_BYTES:
        ref = left.popleft()
        size, number = size + ref.size, number + 1
        yield ref


def _batches(claim: Claim, not_yet: Collection[int], books: Replayed) -> Iterator[list[Item]]:
    batch: list[Item] = []
    size = 0
    for ref, item, resource in claim.records():
        if not_yet and _ends(item) in not_yet:
            books.held_back += 1
            continue
        batch.append((ref, priced(item) if isinstance(item, ReadableSpan) else item, resource))
        size += ref.size
        if len(batch) >= BATCH or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
