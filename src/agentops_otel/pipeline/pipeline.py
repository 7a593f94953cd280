"""One destination: journal, memory, batches, and what became of each span, from its end to the backend's answer."""

from __future__ import annotations

import functools
import threading
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from opentelemetry import metrics
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import Span

from .. import environment, providers, semconv
from ..clock import monotonic
from ..config import Configuration
from ..loading import load
from ..redaction import Redactor, plain_dict
from ..version import __version__
from .address import is_loopback
from .backlog import Backlog, how_to_send, priced
from .batcher import Batcher
from .delivery import DeliveryExporter
from .destination import Destination, journal_directory
from .frames import NO_RECORD, RecordRef
from .ids import session_id
from .journal import Journal
from .log_event import LogEvent
from .outcome import Outcome
from .parts import BATCH, text_size
from .processor import SessionSpans
from .resource import HostResource
from .transports import open_transport
from .worker import Worker

_ROOM_FOR_ROOTS: Final = 1024
# What the first request of a pipeline imports; see `loading.py` for why here.
_NEEDED: Final[Mapping[str, tuple[str, ...]]] = {
    "http/protobuf": ("agentops_otel.pipeline.connection",),
    "grpc": ("grpc", "google.rpc.error_details_pb2", "google.rpc.status_pb2"),
    "file": ("opentelemetry.proto.collector.trace.v1.trace_service_pb2", "google.protobuf.json_format"),
}
_MOST_EVENTS: Final = 4096
_MOST_BYTES: Final = 32 * 1024 * 1024  # of finished spans that wait in memory
_PATIENCE: Final = 10.0  # seconds of an outage after which a line tells of it, when nothing is lost by it
_NEAR_WAIT: Final = 200  # milliseconds before spans go to this machine, where a request costs next to nothing
_LAST_TRY: Final = 0.4  # seconds at the end for a backend that is known to be down
_MOST_SESSIONS: Final = 4096  # whose acknowledged spans are counted; the oldest ones have ended long ago


class Pipeline:
    """One destination: journal, batcher, exporter, log events and counts; shared by sessions that export alike.

    A span that ends is written to the journal first, on the thread that ends it; then it waits in memory to be sent.
    What finds no room there, or no time, stays in the journal and is the backlog's to send.

    Attributes:
        journal: None where what is recorded waits in memory only.
        recorded: spans handed over so far, in this process.
    """

    def __init__(self, config: Configuration, host: HostResource, worker: Worker) -> None:
        self.config = config
        self._host = host
        self._worker = worker
        self._identity = host.identity(config.service_name)
        config._warn_of_exporters()
        self._transport = open_transport(config)
        if config.exporter is None and config.protocol in _NEEDED:
            worker.submit(lambda: load(*_NEEDED[config.protocol]))
        self._lock = threading.RLock()
        self._events: deque[tuple[LogEvent, RecordRef]] = deque()
        destination = Destination.of(config) if config.journal == "disk" else None
        self.journal: Journal | None = None
        if destination is not None:
            folder = destination.folder(journal_directory(config.journal_dir))
            self.journal = Journal(folder, about=destination.about())
        self.exporter: DeliveryExporter = DeliveryExporter(
            self._transport,
            prepare=self._prepare,
            on_settled=self._settle,
            leave=self._leave,
            retry_for=config.timeout,
            max_kept=0 if config.journal == "off" else config.max_queue_size,
            patience=_PATIENCE if self.journal is not None else 0.0,
        )
        self.backlog: Backlog | None = None
        if self.journal is not None:
            self.backlog = Backlog(
                self.journal,
                self.exporter,
                complete=self._complete,
                resource=self._resource,
                predecessors=self._predecessors,
            )
        # We refuse what is too much before the batcher would drop it without counting; roots are let in beyond that.
        with environment.usable():
            self._batcher = Batcher(
                self.exporter,
                size=config.max_queue_size + _ROOM_FOR_ROOTS,
                delay=_wait_time(config),
                batch=min(BATCH, config.max_queue_size),
            )
        self._begin()
        worker.submit(self.tick)  # what dead processes left, without waiting for the first second to pass

    def _begin(self) -> None:
        self.recorded: int = 0
        self._acknowledged: Counter[str] = Counter()  # by session id
        self._overflow = 0
        self._given = self._taken = 0  # spans that were given to the batcher, and that left its queue
        self._bytes = 0  # of spans in memory
        self._unwritten = 0  # spans in memory that are not on disk
        self._reported = 0  # lost spans of which an earlier flush has told already
        self._sending_events = False
        self._metered: Counter[str] = Counter()

    def after_fork(self) -> None:
        """In a forked child: the batcher's queue is empty, the counts are the parent's."""
        self._lock = threading.RLock()
        self._events.clear()
        if self.journal is not None:
            self.journal.after_fork()
        if self.backlog is not None:
            self.backlog.after_fork()
        self._begin()

    @property
    def destination(self) -> str:
        """Where spans go, for messages."""
        return self._transport.name

    def record(self, span: ReadableSpan, session: SessionSpans | None = None) -> None:
        """Write a finished span down and hand it to the batcher; where too many wait it stays on disk, or is lost."""
        ref = None
        if self.journal is not None:
            ref = self.journal.append(span, self._resource(span.resource))
        ref = ref or RecordRef(0, 0, 0, text_size(span))  # it is in memory alone
        span.ref = ref  # type: ignore[attr-defined]
        # A limit, because the thread that has the lock may stand still in a signal handler.
        locked = self._lock.acquire(False) or self._lock.acquire(timeout=0.1)  # (the first is quick)
        try:
            self.recorded += 1
            if session is not None:
                session.recorded += 1
            room = (
                self._given - self._taken < self.config.max_queue_size and self._bytes + ref.size <= _MOST_BYTES
            ) or (span.parent is None and not ref.seq)
            if room:
                self._given += 1
                self._bytes += ref.size
                self._unwritten += not ref.seq
            elif not ref.seq:
                self._overflow += 1
        finally:
            if locked:
                self._lock.release()
        if not room:
            if ref.seq and self.backlog is not None:
                self.backlog.leave([ref])
        elif self.exporter.closing:
            # Past the batcher: it may be at work on a full queue, and this may be a root.
            self.exporter.keep([span])
        else:
            self._batcher.on_end(span)
            if not self._worker.is_running:  # a fork has ended it
                self._worker.start()

    def journal_start(self, root: Span, attributes: Mapping[str, Any], redactor: Redactor) -> None:
        """Write down that a session has started, or what has changed on its root since; without secrets."""
        if self.journal is not None and isinstance(root, ReadableSpan) and root.context is not None:
            ids, start_ns, resource = root.context, root.start_time or 0, self._resource(root.resource)
            clean = redactor.clean(ReadableSpan(root.name, attributes=attributes, resource=resource))
            said = plain_dict(clean.attributes)
            self.journal.append_start(ids.trace_id, ids.span_id, clean.name, start_ns, said, resource)

    def journal_end(
        self, root: Span, state: str | None, reason: str | None, redactor: Redactor, *, owner: bool
    ) -> None:
        """Write down how a session ends, before its root span does: as the owner says, or as a joiner asks for.

        State None: left open on purpose.
        """
        if self.journal is None:
            return
        trace_id = root.get_span_context().trace_id
        reason = None if reason is None else redactor.clean_reason(reason)
        if owner:
            self.journal.append_end(trace_id, state, reason)
        elif state is not None:
            self.journal.request_end(session_id(trace_id), state, reason)

    def journal_reason(self, root: Span, reason: str | None) -> None:
        """Write down why a session fails if nobody ends it; None takes it back.

        It is called by signal handlers, where the hook of the user must not run: the reason is a sentence of ours.
        """
        if self.journal is not None:
            self.journal.append_reason(root.get_span_context().trace_id, reason)

    def join_session(self, trace_id: int) -> None:
        """This process takes part in a session of another one."""
        if self.backlog is not None:
            self.backlog.join_session(trace_id)

    def leave_session(self, trace_id: int) -> None:
        """It does so no more."""
        if self.backlog is not None:
            self.backlog.leave_session(trace_id)

    def acknowledged(self, session: str) -> int:
        """How many spans of a session, named by its id, the backend has acknowledged."""
        return self._acknowledged[session]

    def emit(self, event: LogEvent) -> None:
        """Send a log event soon, on the worker."""
        if self.config.exporter is not None or self.config.protocol == "console" or not self.config._exports_logs:
            return
        event = self._described(event)
        ref = None if self.journal is None else self.journal.append_event(event, self._resource())
        self._events.append((event, ref or NO_RECORD))
        while len(self._events) > _MOST_EVENTS:
            _, oldest = self._events.popleft()
            if oldest.seq and self.backlog is not None:
                self.backlog.leave([oldest])
        with self._lock:
            if self._sending_events:
                return
            self._sending_events = True
        self._worker.submit(lambda: self._send_events(now=False))

    def _described(self, event: LogEvent) -> LogEvent:
        """The start of a session with the installed packages, as soon as they are known."""
        if event.name != semconv.EVENT_SESSION_START or semconv.PYTHON_PACKAGES in event.attributes:
            return event
        packages = self._host.packages()
        return msgspec.structs.replace(event, attributes={**event.attributes, **packages}) if packages else event

    def _send_events(self, *, now: bool = True) -> None:
        with self._lock:
            self._sending_events = False
        if not self._events or not self.exporter.due:
            return
        if not now and self._host.packages() is None:  # the next tick sends them, with what is known by then
            return
        events = [self._events.popleft() for _ in range(len(self._events))]
        if self.exporter.send_events([self._described(event) for event, _ in events], self._resource()):
            if self.journal is not None:
                self.journal.acknowledge(ref for _, ref in events if ref.seq)
        else:
            self._events.extendleft(reversed(events))

    def tick(self) -> None:
        """What is done about once a second, on the worker: make the disk certain, and try what is left over."""
        self._count_losses()
        if self.journal is not None:
            self.journal.sync()
        self._write_down()
        if not self.exporter.due or self.exporter.closing:
            return
        until = monotonic() + self.config.timeout
        self._batcher.start()
        came_between, self._batcher.was_held = self._batcher.was_held, False
        if self.exporter.kept and (self.exporter.failing or came_between):
            self.exporter.send_kept(until)
        if self._events:
            self._send_events()
        # While the backend fails one attempt at a time is enough; without spans in memory it is the backlog's.
        if self.backlog is not None and not (self.exporter.failing and self.exporter.kept):
            self.backlog.work()

    def _settle(self, outcome: Outcome) -> None:
        """What the backend took and refused is done with: in the journal, in memory and in the counts."""
        done = [*outcome.acknowledged, *outcome.unnamed]
        refused = [span for span, _ in outcome.rejected]
        if self.journal is not None:
            self.journal.acknowledge(ref for ref in map(_ref_of, done) if ref.seq)
            self.journal.reject([(span, ref, why) for span, why in outcome.rejected if (ref := _ref_of(span)).seq])
        counts = Counter(str((span.attributes or {}).get(semconv.SESSION_ID, "")) for span in outcome.acknowledged)
        with self._lock:
            self._free([*done, *refused])
            self._acknowledged.update(counts)
            while len(self._acknowledged) > _MOST_SESSIONS:
                del self._acknowledged[next(iter(self._acknowledged))]

    def _write_down(self) -> None:
        """What waits in memory alone is written once the journal takes it again, after a full disk, say."""
        if self.journal is not None and self._unwritten:
            self.exporter.visit_kept(self._write_one_down)

    def _write_one_down(self, span: ReadableSpan) -> None:
        before = _ref_of(span)
        ref = None if self.journal is None or before.seq else self.journal.append(span)
        if ref is not None:
            span.ref = ref  # type: ignore[attr-defined]
            with self._lock:
                self._bytes += ref.size - before.size
                self._unwritten -= before.size > 0

    def _leave(self, spans: list[ReadableSpan]) -> list[ReadableSpan]:
        """Memory has no room for these any more: those on disk wait there, the others are returned."""
        with self._lock:
            self._free(spans)
        if self.backlog is None:
            return spans
        self.backlog.leave(ref for ref in map(_ref_of, spans) if ref.seq)
        return [span for span in spans if not _ref_of(span).seq]

    def _free(self, spans: Iterable[ReadableSpan]) -> None:
        for ref in map(_ref_of, spans):
            self._bytes -= ref.size
            self._unwritten -= ref.size > 0 and not ref.seq

    def _predecessors(self) -> Sequence[str]:
        destination = Destination.of(self.config)
        if destination is None:
            return ()
        directory = journal_directory(self.config.journal_dir)
        return destination.predecessors(directory, key_replaced=self.config.key_replaced)

    def _resource(self, given: Resource | None = None) -> Resource:
        """The completed resource of a span, or of what has none; a service name of this pipeline's own wins."""
        if given is None or self.config.service_name:
            given = self._identity
        return self._host.merge_into(given)

    def _prepare(self, span: ReadableSpan) -> ReadableSpan:
        self._taken += 1  # only one thread at a time exports
        return self._complete(span)

    def _complete(self, span: ReadableSpan) -> ReadableSpan:
        """What can wait until a span leaves: the price of its tokens and the resource of the host."""
        return priced(span, self._resource(span.resource))

    def flush(self, deadline: float, *, hurried: bool = False) -> bool:
        """Send what waits, until `deadline` (`time.monotonic()`).

        Args:
            hurried: the program is waiting; a backend that is down gets at most two attempts.

        Returns:
            True when the backend acknowledged everything handed over.
        """
        closing = self.exporter.closing
        if (closing or hurried) and self.exporter.failing and self.journal is not None and not self._unwritten:
            # All of it is on disk, and the backend is known to be down: one short try, and not twice in a row.
            if not self.exporter.due:
                return False
            deadline = min(deadline, monotonic() + _LAST_TRY)
        self.exporter.hurried = hurried
        self.exporter.deadline = deadline
        flushed = self._worker.call(lambda: self._flush(deadline, closing=closing), deadline - monotonic())
        # Another deadline is that of the process's end, which came meanwhile and stays.
        if not closing and self.exporter.deadline == deadline:
            self.exporter.hurried = False
            self.exporter.deadline = None
        self._write_down()
        self._count_losses()
        if not flushed:
            return False
        with self._lock:
            lost = sum(self.dropped().values())
            delivered = lost == self._reported and self.exporter.kept == 0
            self._reported = lost
        return delivered and (self.backlog is None or self.backlog.waiting == 0)

    def _flush(self, deadline: float, *, closing: bool) -> None:
        if closing:  # the roots, which went past the batcher, before all that waits in there
            self._flush_kept(deadline)
        self._batcher.force_flush()
        self._flush_kept(deadline)
        if self._events:
            self._send_events()
        if self.backlog is not None:
            self.backlog.drain(deadline, closing=closing)

    def _flush_kept(self, deadline: float) -> None:
        if self.exporter.kept:
            self.exporter.force_flush(int(max(0.0, deadline - monotonic()) * 1000))

    def dropped(self) -> dict[str, int]:
        """Spans that are known to be lost, by reason."""
        reasons = dict(self.exporter.counts.dropped)
        if self._overflow:
            reasons["queue full"] = self._overflow
        if self.journal is not None and self.journal.dropped:
            reasons["journal full"] = self.journal.dropped
        return reasons

    def _count_losses(self) -> None:
        """Tell the program's MeterProvider, if there is one, of spans that were lost since the last time."""
        for reason, count in self.dropped().items():
            lost = count - self._metered[reason]
            provider = providers.meter_provider() if lost > 0 else None
            if provider is not None:
                self._metered[reason] = count
                _dropped_spans(provider).add(lost, {semconv.ERROR_TYPE: reason})

    @property
    def advice(self) -> str:
        """What sends the spans that are kept."""
        return how_to_send(self.config, key_refused=self.exporter.key_refused, refused=self.exporter.refused)

    @property
    def on_disk(self) -> bool:
        """Whether nothing that waits would be lost with the process."""
        return self.journal is not None and not self._unwritten

    @property
    def kept(self) -> int:
        """Spans that are on disk and will be sent: by this process, by the next one, or by `agentops-otel flush`."""
        if self.journal is None:
            return 0
        with self._lock:
            missing = self.recorded - self.exporter.counts.acknowledged - sum(self.dropped().values())
            # (somebody may have removed the folder)
            return min(max(0, missing - self._unwritten), self.journal.unacknowledged)

    def close(self, deadline: float) -> None:
        """Flush and end the threads of this pipeline, until `deadline`."""
        self.exporter.closing = True
        self.flush(deadline)
        self.exporter.deadline = deadline
        self._worker.call(self._batcher.shutdown, deadline - monotonic())


@functools.lru_cache(maxsize=4)
def _dropped_spans(provider: metrics.MeterProvider) -> metrics.Counter:
    # As in https://opentelemetry.io/docs/specs/semconv/otel/sdk-metrics/ the reason is an `error.type`.
    meter = provider.get_meter(semconv.SCOPE_NAME, __version__)
    return meter.create_counter(semconv.METRIC_SPANS_DROPPED, "{span}", "Spans that were lost")


def _ref_of(span: ReadableSpan) -> RecordRef:
    return getattr(span, "ref", None) or NO_RECORD


def _wait_time(config: Configuration) -> int:
    """Milliseconds that a finished span waits before it is sent: as the user says, else shorter to this machine.

    Somebody may be looking at the dashboard that takes it.
    """
    wait = config.max_wait_time
    if "max_wait_time" in config._given or "max_wait_time" in config._sources:
        return wait
    remote = config.exporter is not None or config.protocol not in ("http/protobuf", "grpc")
    near = not remote and is_loopback(urlsplit(config._signal_endpoint("traces")).hostname)
    return min(wait, _NEAR_WAIT) if near else wait
