"""How far the caller has read one answer that comes in pieces, and the end of its span.

The span ends on whatever comes first: the end of the answer, an error, `close()`, or the garbage collector. The hooks
are attributes of that one HTTP response object and are taken off it when the span ends.
"""

from __future__ import annotations

import sys
import time
import weakref
from collections import deque
from collections.abc import Callable
from contextvars import Token
from typing import Any, Final

from opentelemetry.context import Context

from .. import guard, semconv
from ..context import CURRENT
from ._endpoint import Fold
from ._span import CANCELLATIONS, Call

_BATCH: Final = 64  # chunks; folded one by one they cost four times as much, because the caches are cold
END: Final[Any] = object()
"""What `next()` gives at the end of an answer, in the place of an exception that costs as much as two chunks."""
_HOOKS: Final = ("close", "aclose", "iter_bytes", "aiter_bytes", "_parse_event")
# While one of these is on the stack, its lock may be held. The garbage collector can run there and find a stream
# whose span is open; ending it would wait for that very lock, so it waits in `collected` for the next call or for
# `drain()`.
_LOCKING: Final = (
    "opentelemetry.sdk",
    "agentops_otel.pipeline",
    "agentops_otel._session",
    "agentops_otel.api",
    "agentops_otel.totals",
    "logging",
)

collected: Final[deque[tuple[Reading, str]]] = deque()
_followed: Final[dict[int, Reading]] = {}


class Reading:
    """How far the caller has read one answer.

    Attributes:
        call: whose answer it is.
        busy: whether the SDK is reading right now; it closes the response when it is done.
        chunks: how many have come, those that are pending not counted.
        pending: chunks that are not folded yet.
        times: when each of them came; None where nobody measures it.
    """

    __slots__ = ("_room", "busy", "call", "chunks", "fold", "pending", "ref", "times")

    def __init__(self, call: Call) -> None:
        self.call = call
        self.fold: Fold | None = call.endpoint.fold() if call.endpoint.fold is not None else None
        self.busy = False
        self.chunks = 0
        self.pending: list[Any] = []
        self._room = 0  # how many more may be pending before the next look
        self.times = call.chunk_times()
        self.ref: weakref.ref[Any] | None = None

    def watch(self, response: Any, **hooks: Callable[..., Any]) -> None:
        """Put our hooks on what the caller reads, an HTTP response as a rule, and be told when it is garbage."""
        ref = self.ref = weakref.ref(response, _on_collected)
        _followed[id(ref)] = self
        if hooks:
            vars(response).update(hooks)

    def enter(self) -> Token[Context] | None:
        """The SDK's own reading begins, with the call's span as the current one."""
        try:
            self.busy = True
            outside, inside = self.call.around
            return CURRENT.set(inside) if CURRENT.get() is outside else self.call.enter()
        except Exception:
            guard.report("the context of a stream")
            return None

    def leave(self, token: Token[Context] | None) -> None:
        """It has a chunk, or none; in the frame of `enter()`."""
        try:
            self.busy = False
            if token is not None:
                CURRENT.reset(token)
        except ValueError:  # the garbage collector closes a coroutine in another context
            pass
        except Exception:
            guard.report("the context of a stream")

    def keep(self, chunk: Any) -> None:
        """Take in one chunk."""
        try:
            self.pending.append(chunk)
            if self.times is not None:
                self.times.append(time.perf_counter())
            self._room -= 1
            if self._room < 0:
                self._room = self.look()
        except Exception:
            guard.report("a chunk of a stream")

    def look(self) -> int:
        """Fold the pending chunks, or note the first one: the caller waits for it.

        Returns:
            How many may be pending before the next look.
        """
        if self.chunks or len(self.pending) > 1:
            self.fold_pending()
        else:
            self.note_first()
        return _BATCH - 1

    def note_first(self) -> None:
        """The first chunk has come."""
        self.call.note({semconv.RESPONSE_TIME_TO_FIRST_CHUNK: self.call.seconds})

    def fold_pending(self) -> None:
        """Fold what has come since the last time."""
        chunks = self.pending[:]
        del self.pending[: len(chunks)]
        self.chunks += len(chunks)
        if self.fold is not None:
            self.fold.extend(chunks)

    def closed(self) -> None:
        """The response was closed: by the caller, or by the SDK at the end of its reading."""
        if not self.busy:
            _end(self, semconv.OUTCOME_CLOSED)

    def finish(self, outcome: str) -> None:
        """End the span with what came."""
        self._leave(outcome)
        # Of a stream that was left before its first chunk, nothing is known; one that ended without any has failed.
        came = self.fold is not None and (self.chunks or outcome == semconv.OUTCOME_COMPLETED)
        self.call.answered(guard.run(self.fold.response) if self.fold is not None and came else None)

    def fail(self, error: BaseException) -> None:
        """End the span with what came and the error that stopped it."""
        self._leave(semconv.OUTCOME_CANCELLED if type(error).__name__ in CANCELLATIONS else semconv.OUTCOME_FAILED)
        self.call.failed(error, guard.run(self.fold.response) if self.fold is not None and self.chunks else None)

    def release(self) -> None:
        """Take our hooks off the HTTP response."""
        ref, self.ref = self.ref, None
        if ref is None:
            return
        _followed.pop(id(ref), None)
        held = getattr(ref(), "__dict__", None)  # (a generator has none)
        if held is not None:
            for name in _HOOKS:
                held.pop(name, None)

    def _leave(self, outcome: str) -> None:
        if self.pending:
            guard.run(self.fold_pending)
        self.call.note({semconv.STREAM_CHUNKS: self.chunks, semconv.STREAM_OUTCOME: outcome})
        self.release()


def close(reading: Reading, response: Any) -> None:
    """In the place of an HTTP response's own `close()`."""
    try:
        type(response).close(response)
    finally:
        guard.run(reading.closed)


async def aclose(reading: Reading, response: Any) -> None:
    """In the place of an HTTP response's own `aclose()`."""
    try:
        await type(response).aclose(response)
    finally:
        guard.run(reading.closed)


# ---- the garbage collector ----


def _on_collected(ref: weakref.ref[Any]) -> None:
    guard.run(abandon, ref)


def abandon(ref: weakref.ref[Any] | None) -> None:
    """Nobody reads this answer any more; one that has ended stays as it is.

    Args:
        ref: to the HTTP response, as its `Reading` holds it.
    """
    reading = _followed.pop(id(ref), None)
    if reading is not None:
        reading.busy = True  # the SDK's generators close the response on their way out
        _end(reading, semconv.OUTCOME_ABANDONED)


def _end(reading: Reading, outcome: str) -> None:
    """End the span here, or later when this thread may hold a lock that it needs."""
    if not _locking():
        reading.finish(outcome)
        return
    reading.call.stop()
    collected.append((reading, outcome))


def _locking() -> bool:
    frame: Any = sys._getframe(2)  # noqa: SLF001  (`inspect` reads source files)
    while frame is not None:
        if frame.f_globals.get("__name__", "").startswith(_LOCKING):
            return True
        frame = frame.f_back
    return False


def drain(*, everything: bool = False) -> None:
    """End the spans of streams that the garbage collector took.

    Args:
        everything: of those that are still open, too: nobody will read them, the process is about to end.
    """
    while collected:
        try:
            reading, outcome = collected.popleft()
        except IndexError:
            return
        guard.run(reading.finish, outcome)
    if everything:
        for reading in list(_followed.values()):
            guard.run(reading.finish, semconv.OUTCOME_ABANDONED)
