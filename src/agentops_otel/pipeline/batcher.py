"""The SDK's `BatchSpanProcessor`, whose thread can be ended for a fork and started again with the next need.

The only file that touches private names of it, because a processor that was shut down takes no span any more, and each
new one stays registered for every later fork. Where the names are not there, the thread stays during a fork.
"""

from __future__ import annotations

import threading
import weakref
from typing import Any, Final

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from .delivery import DeliveryExporter
from .worker import ended

_NEEDED: Final = ("_queue", "emit", "_shutdown", "_worker_awaken", "_worker_thread", "worker")


class _NoThread:
    """Stands where the SDK's handler in a forked child puts the thread that it starts."""

    name = "OtelBatchSpanRecordProcessor"

    def start(self) -> None:
        """Leave it to `Batcher.start()`."""

    def join(self, timeout: float | None = None) -> None:
        """Return at once: there is nothing to wait for."""

    def is_alive(self) -> bool:
        return False


class _WorkerThread:
    """The attribute `_worker_thread` of the SDK's processor: what the SDK sets in a forked child is not taken."""

    def __get__(self, inner: Any, owner: type) -> Any:
        return vars(inner)["_worker_thread"]

    def __set__(self, inner: Any, thread: threading.Thread) -> None:
        vars(inner)["_worker_thread"] = _NoThread()


class Batcher(BatchSpanProcessor):
    """Collects finished spans and hands them to the exporter in batches, on a thread of its own.

    Attributes:
        was_held: a fork came between, and what waited then is with the exporter.
    """

    def __init__(self, exporter: DeliveryExporter, *, size: int, delay: float, batch: int) -> None:
        super().__init__(
            exporter, max_queue_size=size, schedule_delay_millis=delay, max_export_batch_size=min(batch, size)
        )
        self._exporter = exporter
        self._largest = min(batch, size)
        inner = getattr(self, "_batch_processor", None)
        self._inner: Any = inner if all(hasattr(inner, name) for name in _NEEDED) else None
        self._begin()
        BATCHERS.add(self)

    def _begin(self) -> None:
        self._held = False
        self._is_ended = True  # the thread, by a fork; also said before anyone has looked
        self._leaving: threading.Thread | None = None
        self._lock = threading.RLock()  # a signal handler may come to it again
        self.was_held: bool = False

    def on_end(self, span: ReadableSpan) -> None:
        """Take a span that has ended."""
        with self._lock:  # else `hold()` comes just before the SDK looks, and it drops the span
            if self._held:
                self._inner._queue.appendleft(span)  # noqa: SLF001  as the SDK does where it is not shut down
                return
            if self._inner is None:
                super().on_end(span)
            else:
                self._inner.emit(span)  # as the SDK does for a span that is sampled
        if self._is_ended:
            self.start()

    def force_flush(self, timeout_millis: int | None = None) -> bool:
        """Hand over what waits, also while a fork is near."""
        if not self._held:
            return super().force_flush(timeout_millis if timeout_millis is not None else 30_000)
        queue = self._inner._queue  # noqa: SLF001
        while queue:
            self._exporter.export(_taken(queue, self._largest))
        return True

    def start(self) -> None:
        """Start the thread anew when a fork has ended it."""
        inner = self._inner
        if inner is None or inner._worker_thread.is_alive():  # noqa: SLF001
            self._is_ended = self._held
            return
        with self._lock:
            if self._held or inner._shutdown or inner._worker_thread.is_alive():  # noqa: SLF001
                return
            thread = threading.Thread(target=inner.worker, name=inner._worker_thread.name, daemon=True)  # noqa: SLF001
            try:
                thread.start()
            except RuntimeError:  # the interpreter is about to end
                return
            vars(inner)["_worker_thread"] = thread  # past `_WorkerThread`
            self._is_ended = False

    def hold(self) -> None:
        """Before a fork: let the thread hand over what waits, which the exporter keeps, and end."""
        inner = self._inner
        if inner is None or inner._shutdown:  # noqa: SLF001
            return
        locked = self._lock.acquire(timeout=0.1)  # the thread that has it may stand still in a signal handler
        try:
            self._held, self._is_ended, self._leaving = True, True, inner._worker_thread  # noqa: SLF001
            inner._shutdown = True  # noqa: SLF001
        finally:
            if locked:
                self._lock.release()
        inner._worker_awaken.set()  # noqa: SLF001

    def join(self, until: float) -> bool:
        """Wait for the end of the thread until `until` (`monotonic()`); whether it has come."""
        return ended(self._leaving, until)

    def release(self) -> None:
        """In the parent, after the fork."""
        if self._held:
            self._inner._shutdown = False  # noqa: SLF001
            self._held, self._leaving, self.was_held = False, None, True

    def after_fork(self) -> None:
        """In a forked child, before the SDK's own handler, which empties the queue and starts a thread."""
        if self._held:
            self._inner._shutdown = False  # noqa: SLF001
        self._begin()

    def start_later(self) -> None:
        """In a forked child too: let the SDK's own handler start no thread; `start()` does it at need.

        Under gevent to start one switches to another greenlet. Those of the parent would go on in the child, before a
        `subprocess` becomes another program, and fork again.
        """
        kind = type(self._inner)
        if self._inner is not None and "_worker_thread" not in vars(kind):
            self._inner.__class__ = type(kind.__name__, (kind,), {"_worker_thread": _WorkerThread()})


def _taken(queue: Any, most: int) -> list[ReadableSpan]:
    spans: list[ReadableSpan] = []
    while queue and len(spans) < most:
        try:
            spans.append(queue.pop())
        except IndexError:  # the thread was quicker
            break
    return spans


BATCHERS: Final[weakref.WeakSet[Batcher]] = weakref.WeakSet()
"""All that there are; `forks.py` sees to them."""
