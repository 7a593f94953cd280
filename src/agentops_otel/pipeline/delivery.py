"""Delivery that tells the truth: the exporter behind the `BatchSpanProcessor`.

Each span handed to `DeliveryExporter.export()` is at any time exactly one of: acknowledged by the backend, dropped with
a counted reason, kept in memory for the next attempt, or left to the journal. `send()` makes one pass
without waiting; `export()` repeats it with back-off.
"""

from __future__ import annotations

import math
import random
import threading
import weakref
from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from ..clock import monotonic
from ..figures import format_count
from ..log import logger
from .log_event import LogEvent
from .outcome import (
    EXPORTER_FAILED,
    NOT_ENCODABLE,
    REJECTED,
    TOO_LARGE,
    UNDELIVERED,
    UNREADABLE,
    Counts,
    Outcome,
)
from .oversize import cut_values
from .parts import BATCH, halves, in_requests
from .sender import LeftBehind, Sender
from .transports.attempt import Reply, Transport, Verdict

T = TypeVar("T")

_SAID: Final = {
    REJECTED: "rejected by",
    TOO_LARGE: "too large for",
    NOT_ENCODABLE: "not encodable for",
    EXPORTER_FAILED: "not delivered by",
}  # and the name of the destination

_BACKOFF_GROWTH: Final = 1.5
_BACKOFF_CAP: Final = 30.0
_HURRIED_BACKOFF: Final = 0.2
_OUTAGE_BACKOFF_CAP: Final = 5.0  # what waits on disk is to be gone soon after a backend is back
_JITTER: Final = 0.2
_numbers: Final = random.SystemRandom()  # those of the module are the program's, which may have seeded it
_USEFUL_TIME: Final = 0.5  # seconds; a repeat with less could only leave a duplicate behind, unanswered
_SERVER_ERROR_ATTEMPTS: Final = 4
# How many parts of a batch are tried when none of them was ever taken: then it is not single spans that are refused.
_FRUITLESS_REJECTIONS: Final = 128
_FRUITLESS_SERVER_ERRORS: Final = 15
_QUIET_BETWEEN_OUTAGES: Final = 300.0
_EVENTS_TIMEOUT: Final = 5.0
_CLOSE_TIMEOUT: Final = 0.5
_A_WHILE: Final = 0.1  # seconds after which a request to a backend that is down is not waited for by a fork


class DeliveryExporter(SpanExporter):
    """Delivers spans through a transport and keeps the books.

    Args:
        transport: where spans go.
        prepare: applied to each span once before it is sent (prices, resource); when it raises, the span goes as it is.
        on_settled: told of each pass: what the backend took, and what it refused.
        leave: takes spans for which there is no room or no time any more; returns those that it has no place for.
        retry_for: longest time in seconds for one `export()`, repeated attempts included.
        max_kept: most undelivered spans that are kept for the next attempt; the oldest ones above it are dropped.
        backoff: seconds before the second attempt; each further one waits 1.5 times as long, at most 30 s.
        patience: seconds that an outage may last before a line tells of it.

    Attributes:
        closing: the process is about to end.
        hurried: somebody waits for the end of a session. As with `closing`, an outage that is already known gets one
            attempt and no wait.
        failing: the last attempt did not reach its aim.
        refused: it did not, and somebody has to change something.
        key_refused: it did not because the backend refused the key.
        last_error: one line on the last failed delivery, for the summary; None when there was none.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        prepare: Callable[[ReadableSpan], ReadableSpan] | None = None,
        on_settled: Callable[[Outcome], None] | None = None,
        leave: Callable[[list[ReadableSpan]], list[ReadableSpan]] = lambda spans: spans,
        retry_for: float = 10.0,
        max_kept: int = 2048,
        backoff: float = 1.0,
        patience: float = 0.0,
    ) -> None:
        self.transport = transport
        self.retry_for = retry_for
        self.closing: bool = False
        self.hurried: bool = False
        self._prepare = prepare
        self._on_settled = on_settled
        self._leave = leave
        self._max_kept = max_kept
        self._backoff = backoff
        self._patience = patience
        self._closed = False
        self._deadline: float | None = None
        self._half_time = 0.0  # between the moment in which the deadline was set and the deadline
        self._events_off = False
        self._told: set[str] = set()
        self._begin()
        EXPORTERS.add(self)

    def _begin(self) -> None:
        """The state that belongs to one process."""
        self._changed = threading.Condition()
        self._delivering = threading.Lock()
        self._sender = Sender(self._changed, self.transport.abandon)
        self._kept: deque[ReadableSpan] = deque()
        self._in_flight = 0
        self._acknowledged = 0
        self._dropped: Counter[str] = Counter()
        self._not_before = 0.0
        self._wakes = 0
        self._server_errors = 0
        self.held: bool = False
        self.failing: bool = False
        self.refused: bool = False
        self.key_refused: bool = False
        self._failing_since = 0.0
        self._next_try = 0.0
        self._outage_wait = self._backoff
        self._announced = False
        self._announce_from = 0.0
        self._dropped_before = 0
        self.last_error: str | None = None

    def after_fork(self) -> None:
        """In a forked child: the spans, counts, threads and connections are the parent's."""
        self._begin()
        self._deadline = None
        self.closing = self.hurried = False
        self.transport.reset()

    def hold(self) -> None:
        """Before a fork: begin no request and end every wait, but for a flush, for which somebody waits."""
        with self._changed:
            self.held = True
            self._changed.notify_all()

    def join(self, until: float) -> bool:
        """Let the sender's thread end until `until` (`monotonic()`); whether it has ended."""
        return self._sender.hold(until)

    def release(self) -> None:
        """In the parent, after the fork."""
        self.held = False
        self._sender.release()

    @property
    def is_stuck(self) -> bool:
        """Whether a request to a backend that is known to be down has been under way for a while."""
        return self.failing and self._sender.busy_for > _A_WHILE

    @property
    def counts(self) -> Counts:
        """The books so far; what is neither acknowledged nor dropped is still kept."""
        with self._changed:
            return Counts(self._acknowledged, dict(self._dropped))

    @property
    def kept(self) -> int:
        """Spans that were handed over and are neither acknowledged nor dropped yet."""
        with self._changed:
            return len(self._kept) + self._in_flight

    def visit_kept(self, visit: Callable[[ReadableSpan], None]) -> None:
        """Show each span that is kept; during a delivery none, as it may be sent and settled meanwhile."""
        if self._delivering.acquire(blocking=False):
            try:
                for span in list(self._kept):
                    visit(span)
            finally:
                self._delivering.release()

    @property
    def deadline(self) -> float | None:
        """`time.monotonic()` after which nothing here blocks any more; setting it also ends a back-off wait at once."""
        return self._deadline

    @deadline.setter
    def deadline(self, value: float | None) -> None:
        with self._changed:
            self._deadline = value
            self._half_time = (monotonic() + (value or 0.0)) / 2
            self._wakes += value is not None
            self._changed.notify_all()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Deliver spans, and those kept from before, within `retry_for` and `deadline`; never raises.

        Only a KeyboardInterrupt of the main thread passes, after the spans were put in the books.
        """
        try:
            return self._export(spans)
        except Exception:
            self._tell_once("export", "an internal error in the exporter", exc_info=True)
            return SpanExportResult.FAILURE

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Deliver what is kept; True when nothing is left over."""
        try:
            until = monotonic() + timeout_millis / 1000
            self._deliver(until)
            flushed = self._call(self.transport.flush, until)
            return flushed and self.kept == 0
        except Exception:
            return False

    def send_events(self, events: Sequence[LogEvent], resource: Resource, *, yielding: bool = False) -> bool:
        """Send log events once to the logs signal of the same endpoint.

        Args:
            events: what to send.
            resource: of all of them.
            yielding: as in `send()`.

        Returns:
            True when nothing is left to do: acknowledged, or the backend takes no logs (asked once, then never again).
        """
        if self._events_off or not events:
            return True
        until = monotonic() + min(self.retry_for, _EVENTS_TIMEOUT)
        if self._gives_way_to_a_fork:
            return False
        try:
            reply = self._call(
                lambda left: self.transport.send_events(events, resource, left), until, yielding=yielding
            )
        except Exception:
            return False
        self._events_off = reply.verdict is Verdict.UNSUPPORTED
        return reply.verdict in (Verdict.ACCEPTED, Verdict.UNSUPPORTED)

    def shutdown(self) -> None:
        """Give what is kept one more chance, drop the rest, close the transport; bounded by `deadline`, else 2 s."""
        if self._closed:
            return
        self.closing = True
        until = min(self._limit(math.inf), monotonic() + 2.0)
        try:
            if self._kept:
                self._deliver(until)
            self._close()
            self._call(lambda left: self.transport.close(), monotonic() + _CLOSE_TIMEOUT, closing=True)
        except Exception:
            logger.debug("closing %s failed", self.transport.name, exc_info=True)
        finally:
            self._sender.close()

    def prepared(self, span: ReadableSpan) -> ReadableSpan:
        """The span as it is sent; the span itself when the preparation fails."""
        if self._prepare is None:
            return span
        try:
            prepared: object = self._prepare(span)
        except Exception:
            self._tell_once("prepare", "a span could not be completed and is sent as it is", exc_info=True)
            return span
        return prepared if isinstance(prepared, ReadableSpan) else span

    def send(self, spans: Sequence[ReadableSpan], deadline: float, *, yielding: bool = False) -> Outcome:
        """One pass over spans without any wait between requests; the books are not touched.

        Requests that are too large are halved. When the backend refuses a request for its content, halves of it are
        tried until only the refused spans are left. The first failure that has to do with the backend ends the pass.

        Args:
            spans: what to send, as it is (see `prepared()`).
            deadline: `time.monotonic()` by which the pass is over.
            yielding: no caller waits for this pass; when another thread flushes, the pass leaves it half of the time.
        """
        outcome = Outcome()
        # Each part with whether it is a piece of a request that was refused.
        parts = deque((part, False) for part in in_requests(spans))
        fruitless = 0
        while parts:
            part, piece = parts.popleft()
            reply = self._attempt(part, deadline, yielding)
            verdict = reply.verdict
            if verdict is Verdict.ACCEPTED:
                self._accept(part, reply, outcome)
                self._server_errors = self._server_errors if piece else 0
            elif verdict is Verdict.DROPPED:
                self._reject(part, EXPORTER_FAILED, reply, outcome)
            elif verdict is Verdict.TOO_LARGE and len(part) == 1:
                self._send_cut(part[0], reply, deadline, outcome, yielding)
            elif verdict is Verdict.TOO_LARGE:
                parts.extendleft((half, piece) for half in reversed(halves(part)))
            elif verdict is Verdict.REJECTED and (len(part) == 1 or fruitless >= _FRUITLESS_REJECTIONS):
                self._reject(part, REJECTED if reply.reached else NOT_ENCODABLE, reply, outcome)
            elif verdict is Verdict.REJECTED or self._suspicious(verdict, part, fruitless):
                fruitless += reply.reached and not outcome.acknowledged
                parts.extend((half, True) for half in halves(part))
            elif verdict is Verdict.FAILED and piece and len(part) == 1:
                outcome.unsent += part
                outcome.server_error, outcome.again = True, not outcome.acknowledged
            else:
                self._server_errors += verdict is Verdict.FAILED
                outcome.unsent += part
                outcome.unsent += (span for rest, _ in parts for span in rest)
                outcome.server_error = verdict is Verdict.FAILED
                outcome.again = verdict in (Verdict.RETRY, Verdict.FAILED)
                outcome.retry_after = reply.retry_after
                parts.clear()
        return outcome

    # One attempt -----------------------------------------------------------------------------------------------------

    def _attempt(self, spans: Sequence[ReadableSpan], until: float, yielding: bool) -> Reply:  # noqa: FBT001
        if self._limit(until) <= monotonic() or (yielding and self._deadline is not None):
            return Reply(Verdict.RETRY, "no time left", reached=False)
        if monotonic() < self._not_before:
            return Reply(Verdict.RETRY, "the backend asked to wait", reached=False)
        if self._gives_way_to_a_fork:
            return Reply(Verdict.RETRY, "the process forks", reached=False)
        try:
            reply = self._call(lambda left: self.transport.send(spans, left), until, yielding=yielding)
        except LeftBehind:
            gave_way = yielding and self._deadline is not None  # that says nothing of the backend
            reply = Reply(Verdict.RETRY, "no answer in time", reached=not gave_way)
        except Exception as error:
            logger.debug("sending to %s failed", self.transport.name, exc_info=True)
            reply = Reply(Verdict.RETRY, type(error).__name__)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt) and threading.current_thread() is threading.main_thread():
                self._interrupted = True
            reply = Reply(Verdict.RETRY, type(error).__name__)
        self._note(reply)
        return reply

    _interrupted = False  # the main thread was waiting here when the user pressed Ctrl-C

    def _call(
        self, function: Callable[[float], T], until: float, *, closing: bool = False, yielding: bool = False
    ) -> T:
        def left() -> float:
            limit = until if closing else self._limit(until)
            if yielding and self._deadline is not None:
                limit = min(limit, self._half_time)
            return limit - monotonic()

        def bounded() -> T:
            # A little less than is left, so that the transport can say itself what happened.
            return function(max(left() * 0.95 - 0.02, 0.01))

        return self._sender.call(bounded, left)

    @property
    def _gives_way_to_a_fork(self) -> bool:
        return self.held and self._deadline is None

    def _limit(self, until: float) -> float:
        if self._closed:
            return 0.0
        return until if self._deadline is None else min(until, self._deadline)

    def _accept(self, part: list[ReadableSpan], reply: Reply, outcome: Outcome) -> None:
        taken = len(part) - min(reply.rejected, len(part))
        outcome.acknowledged += part[:taken]
        if taken < len(part):
            outcome.unnamed += part[taken:]
            self._tell_of_loss(len(part) - taken, REJECTED, reply)
        elif reply.reason:
            self._tell_once("partial", "%s accepted the spans with a message: %r", self.transport.name, reply.reason)

    def _reject(self, part: list[ReadableSpan], why: str, reply: Reply, outcome: Outcome) -> None:
        outcome.rejected += ((span, why) for span in part)
        self._tell_of_loss(len(part), why, reply)

    def _tell_of_loss(self, count: int, why: str, reply: Reply) -> None:
        reason = reply.reason.removeprefix(f"{why}: ")
        self.last_error = f"{why}: {reason}"[:500]
        self._tell_once(
            why,
            "%s dropped, %s %s: %r; further ones are only counted",
            format_count(count, "span"),
            _SAID[why],
            self.transport.name,
            reason,
        )

    def _send_cut(
        self,
        span: ReadableSpan,
        refusal: Reply,
        deadline: float,
        outcome: Outcome,
        yielding: bool,  # noqa: FBT001
    ) -> None:
        """A span that is too large by itself goes once more with its long values cut."""
        reply = self._attempt([cut_values(span)], deadline, yielding)
        if reply.verdict is Verdict.ACCEPTED:
            self._accept([span], reply, outcome)
            self._tell_once("cut", "a span too large for %s was sent with its long values cut", self.transport.name)
        elif reply.verdict in (Verdict.TOO_LARGE, Verdict.REJECTED):
            self._reject([span], TOO_LARGE, refusal, outcome)
        else:
            outcome.unsent.append(span)
            outcome.retry_after = reply.retry_after

    def _suspicious(self, verdict: Verdict, part: list[ReadableSpan], fruitless: int) -> bool:
        """Whether a server error may be due to one span: it came again and again, and there is something to halve."""
        return (
            verdict is Verdict.FAILED
            and self._server_errors >= 2
            and len(part) > 1
            and fruitless < _FRUITLESS_SERVER_ERRORS
        )

    # Repeated attempts -----------------------------------------------------------------------------------------------

    @property
    def _in_a_hurry(self) -> bool:
        return self.closing or self.hurried

    @property
    def due(self) -> bool:
        """Whether it is time for an attempt: there is no outage, or it has been left alone for long enough."""
        return monotonic() >= max(self._not_before, self._next_try if self.failing else 0.0)

    def keep(self, spans: Sequence[ReadableSpan]) -> bool:
        """Take spans for the next delivery, without sending anything now; False when it is too late for that."""
        fresh = [self.prepared(span) for span in spans]
        with self._changed:
            closed = self._closed
            if not closed:
                self._kept.extend(fresh)
        if closed:
            self._let_go(fresh)
        return not closed

    def send_kept(self, deadline: float) -> bool:
        """One pass over what is kept that gives way to a flush; True when nothing is left over."""
        return self._deliver(deadline, yielding=True)

    def send_once(self, spans: Sequence[ReadableSpan], deadline: float, *, yielding: bool) -> Outcome:
        """One pass over spans that this exporter does not hold.

        What comes of it is the caller's to book, and then to call `raise_interrupt()`.
        """
        if not self._enter(deadline):
            return Outcome(unsent=list(spans))
        try:
            outcome = self.send(spans, deadline, yielding=yielding)
            self._heed(outcome)
            return outcome
        finally:
            self._delivering.release()

    def raise_interrupt(self) -> None:
        """Raise the KeyboardInterrupt that came while the main thread was waiting here; in that thread only."""
        if self._interrupted and threading.current_thread() is threading.main_thread():
            self._interrupted = False
            raise KeyboardInterrupt

    def settle(self, outcome: Outcome) -> None:
        """Write what a pass came to into the books."""
        with self._changed:
            self._acknowledged += len(outcome.acknowledged)
            self._dropped.update(why for _, why in outcome.rejected)
            for why, count in ((REJECTED, len(outcome.unnamed)), (UNREADABLE, outcome.unreadable)):
                if count:
                    self._dropped[why] += count
        if self._on_settled is not None:
            self._on_settled(outcome)

    def _heed(self, outcome: Outcome) -> None:
        if outcome.retry_after:
            self._not_before = monotonic() + outcome.retry_after

    def _export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        if not self.keep(spans):
            return SpanExportResult.FAILURE
        delivered = self._deliver(monotonic() + self.retry_for)
        return SpanExportResult.SUCCESS if delivered else SpanExportResult.FAILURE

    def _deliver(self, until: float, *, yielding: bool = False) -> bool:
        """Send what is kept until it is gone or the time is up; True when all of it was acknowledged."""
        if not self._enter(until):
            return False
        taken: list[ReadableSpan] = []
        try:
            with self._changed:
                taken.extend(self._kept)
                self._kept.clear()
                if self._in_a_hurry and len(taken) > BATCH:  # time may be too short for all, and roots say the most
                    taken.sort(key=lambda span: span.parent is not None)
                self._in_flight = len(taken)
            clean = self._send_repeatedly(taken, until, yielding)
        finally:
            self._put_back(taken)
            self._delivering.release()
        self.raise_interrupt()
        return clean and not taken

    def _enter(self, until: float) -> bool:
        left = self._limit(until) - monotonic()
        return self._delivering.acquire(timeout=min(max(left, 0.0), threading.TIMEOUT_MAX))

    def _send_repeatedly(self, taken: list[ReadableSpan], until: float, yielding: bool) -> bool:  # noqa: FBT001
        """Leaves in `taken` what could not be sent; False when something was rejected."""
        clean = True
        known_outage = self.failing
        wait, attempts, server_errors = min(self._backoff, _HURRIED_BACKOFF if self._in_a_hurry else math.inf), 0, 0
        while taken and self._pause(0.0, until):
            wakes = self._wakes
            outcome = self.send(taken, until, yielding=yielding)
            self.settle(outcome)
            with self._changed:
                taken[:] = outcome.unsent
                self._in_flight = len(taken)
            clean = clean and not outcome.rejected and not outcome.unnamed
            attempts += 1
            server_errors += outcome.server_error
            self._heed(outcome)
            if not taken or not outcome.again or self._interrupted or server_errors >= _SERVER_ERROR_ATTEMPTS:
                break
            if yielding:
                break
            if self._in_a_hurry and (known_outage or attempts >= 2):
                break
            if not self._pause(wait * _jitter(), until, wakes):
                break
            wait = min(wait * _BACKOFF_GROWTH, _BACKOFF_CAP)
        return clean

    def _pause(self, seconds: float, until: float, wakes: int | None = None) -> bool:
        """Wait, longer when the backend asked for it; False, at once, when too little time would be left after that.

        A new deadline means that somebody flushes: it ends the back-off, but not what the backend asked for.

        Args:
            wakes: how many deadlines there were before the attempt: one that came while it was made ends this, too.
        """
        with self._changed:
            wakes = self._wakes if wakes is None else wakes
            end = monotonic() + seconds
            while not self._gives_way_to_a_fork:
                now = monotonic()
                due = max(end if self._wakes == wakes else now, self._not_before)
                if due >= self._limit(until) - (_USEFUL_TIME if due > now else 0.0):
                    return False
                if due <= now:
                    return True
                self._changed.wait(due - now)
            return False

    def _put_back(self, unsent: list[ReadableSpan]) -> None:
        with self._changed:
            self._in_flight = 0
            self._kept.extendleft(reversed(unsent))
            over = len(self._kept) if self._closed else len(self._kept) - self._max_kept
            late = [self._kept.popleft() for _ in range(over)]
        self._let_go(late)

    def _close(self) -> None:
        with self._changed:
            self._closed = True
            late = list(self._kept)
            self._kept.clear()
            self._changed.notify_all()
        self._let_go(late)

    def _let_go(self, spans: list[ReadableSpan]) -> None:
        """There is no more room or time for these: leave them to whoever has them on disk, and count the others."""
        lost = self._leave(spans) if spans else []
        if lost:
            with self._changed:
                self._dropped[UNDELIVERED] += len(lost)

    # What the user is told -------------------------------------------------------------------------------------------

    def _note(self, reply: Reply) -> None:
        if not reply.reached:
            return
        now = monotonic()
        if reply.verdict in (Verdict.RETRY, Verdict.FAILED, Verdict.REFUSED):
            if not self.failing:
                self.failing, self._failing_since, self._outage_wait = True, now, self._backoff
            self._next_try = now + self._outage_wait * _jitter()
            self._outage_wait = min(self._outage_wait * _BACKOFF_GROWTH, _OUTAGE_BACKOFF_CAP)
            self.last_error = reply.reason[:500]
            self.refused, self.key_refused = reply.verdict is Verdict.REFUSED, reply.key_refused
            if reply.verdict is Verdict.REFUSED or now - self._failing_since >= self._patience:
                self._announce(reply.reason)
            return
        self.failing = self.refused = self.key_refused = False
        if self._announced:
            self._announced = False
            lost = self._dropped[UNDELIVERED] - self._dropped_before
            _tell("%s accepts spans again; spans lost in the meantime: %d", self.transport.name, lost)

    def _announce(self, reason: str) -> None:
        """One line per outage, and not one per blink of a backend that comes and goes."""
        now = monotonic()
        if self._announced or now < self._announce_from:
            return
        self._announced = True
        self._announce_from = now + _QUIET_BETWEEN_OUTAGES
        self._dropped_before = self._dropped[UNDELIVERED]
        _tell("spans cannot be delivered to %s: %s", self.transport.name, reason[:300])

    def _tell_once(self, topic: str, message: str, *values: object, exc_info: bool = False) -> None:
        if topic not in self._told:
            self._told.add(topic)
            _tell(message, *values, exc_info=exc_info)


def _tell(message: str, *values: object, exc_info: bool = False) -> None:
    """Log a warning; what a handler of the program raises must change nothing in the books, nor end a thread."""
    try:
        logger.warning(message, *values, exc_info=exc_info)
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: S110  (there is nowhere left to tell)
        pass


EXPORTERS: Final[weakref.WeakSet[DeliveryExporter]] = weakref.WeakSet()
"""All that there are; `forks.py` sees to them."""


def _jitter() -> float:
    return _numbers.uniform(1 - _JITTER, 1 + _JITTER)
