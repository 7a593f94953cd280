"""Find or build the TracerProvider, and run what hangs on it: processor, pipelines, worker, host resource.

A provider the host has made is used as it is: our processor is added, and nothing is exported unless the user said
where to. Without one, ours becomes the global provider for the life of the process; `close()` takes its pipelines away
and a later `init()` gives it new ones, because OpenTelemetry sets a global provider only once.
"""

from __future__ import annotations

import functools
import logging
import os
import threading
import weakref
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from opentelemetry import metrics, trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import Span, SpanContext, TraceFlags, Tracer

from .. import environment, guard, providers, secrets, semconv, text
from ..clock import monotonic
from ..config import Configuration
from ..loading import load
from ..redaction import Redactor
from ..version import __version__
from . import leaf, succession
from .address import is_loopback
from .backlog import Backlog, how_to_send, priced
from .batcher import Batcher
from .delivery import BATCH, DeliveryExporter, Outcome, text_size
from .destination import Destination, journal_directory
from .frames import NOWHERE, Place
from .guarded import GuardedProcessors, LateCalls, guarded
from .ids import SessionIdGenerator, root_span_id, session_id
from .journal import Journal
from .log_event import LogEvent
from .processor import SessionSpanProcessor, SessionSpans
from .resource import HOST, HostResource
from .transports import open_transport
from .worker import Worker

_ROOM_FOR_ROOTS: Final = 1024
# What the first request of a pipeline and the host's description import; see `loading.py` for why here.
_ENCODERS: Final = (
    "opentelemetry.proto.collector.logs.v1.logs_service_pb2",
    "opentelemetry.proto.collector.trace.v1.trace_service_pb2",
)
_NEEDED: Final[Mapping[str, tuple[str, ...]]] = {
    "http/protobuf": (*_ENCODERS, "agentops_otel.pipeline.connection"),
    "grpc": (*_ENCODERS, "grpc", "google.rpc.error_details_pb2", "google.rpc.status_pb2"),
    "file": (*_ENCODERS, "google.protobuf.json_format"),
}
_HOST_NEEDS: Final = ("importlib.metadata",)
_ATTRIBUTE_LIMIT: Final = 1024
_COUNT_VARIABLES: Final = ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_COUNT_LIMIT")
_MOST_EVENTS: Final = 4096
_MOST_BYTES: Final = 32 * 1024 * 1024  # of finished spans that wait in memory
_PATIENCE: Final = 10.0  # seconds of an outage after which a line tells of it, when nothing is lost by it
_NEAR_WAIT: Final = 200  # milliseconds before spans go to this machine, where a request costs next to nothing
_LAST_TRY: Final = 0.4  # seconds at the end for a backend that is known to be down
_MOST_SESSIONS: Final = 4096  # whose acknowledged spans are counted; the oldest ones have ended long ago

_LATE_CALLS: Final = LateCalls()

ParentFor = Callable[["Context | None"], "Context | None"]


class SessionTracerProvider(TracerProvider):
    """Our provider: a span that another tracer starts without a parent lands in the session that is current.

    Args:
        resource: of every span.
        parent_for: the context to start in instead, for a context without a span; None leaves it.

    Attributes:
        successor: the provider that the program has set after ours: spans of all tracers but ours are its own.
    """

    def __init__(self, resource: Resource, parent_for: ParentFor) -> None:
        self.successor: trace.TracerProvider | None = None
        self._is_limited = any(os.environ.get(name) for name in _COUNT_VARIABLES)
        self._limits = SpanLimits() if self._is_limited else SpanLimits(max_span_attributes=_ATTRIBUTE_LIMIT)
        self._processors = GuardedProcessors()
        super().__init__(
            resource=resource,
            shutdown_on_exit=False,
            active_span_processor=self._processors,
            id_generator=SessionIdGenerator(environment.id_generator() or RandomIdGenerator()),
            span_limits=self._limits,
        )
        logging.getLogger(TracerProvider.__module__).addFilter(_LATE_CALLS)
        self._parent_for = parent_for

    def offer_leaves(self, tracer: Tracer, sessions: SessionSpanProcessor) -> None:
        """Let `Scope.start_leaf()` make leaves with a tracer of ours while `sessions` is the only processor."""
        if not self._is_limited:
            leaf.offer(tracer, self._limits, self._processors, sessions)

    def _handle_fork(self) -> None:
        """Newer SDKs describe the forked process here, and read the environment for it."""
        with environment.usable():
            super()._handle_fork()

    def get_tracer(self, instrumenting_module_name: str, *about: Any, **more: Any) -> Tracer:
        """The SDK's tracer, whose spans without a parent join the current session."""
        with environment.usable(environment.METRICS):  # newer SDKs count the spans of a tracer
            tracer = super().get_tracer(instrumenting_module_name, *about, **more)
        if instrumenting_module_name == semconv.SCOPE_NAME or "start_span" in vars(tracer):
            return tracer
        start_span, parent_for = tracer.start_span, self._parent_for

        @functools.cache
        def succeeding(provider: trace.TracerProvider) -> Tracer:
            return provider.get_tracer(instrumenting_module_name, *about, **more)

        def start_in_session(name: str, context: Context | None = None, *args: Any, **options: Any) -> Span:
            if self.successor is not None:
                return succeeding(self.successor).start_span(name, context, *args, **options)
            if not trace.get_current_span(context).get_span_context().is_valid:
                context = parent_for(context) or context
            return guarded(start_span(name, context, *args, **options))

        # On the instance, so that the SDK's own start_as_current_span() goes through it too.
        tracer.start_span = start_in_session  # type: ignore[method-assign]
        return tracer


class Pipeline:
    """One destination: journal, batcher, exporter, log events and the books; shared by sessions that export alike.

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
        self._transport = open_transport(config)
        if config.exporter is None and config.protocol in _NEEDED:
            worker.submit(lambda: load(*_NEEDED[config.protocol]))
        self._lock = threading.RLock()
        self._events: deque[tuple[LogEvent, Place]] = deque()
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
        place = None
        if self.journal is not None:
            place = self.journal.append(span, self._resource(span.resource))
        place = place or Place(0, 0, 0, text_size(span))  # no place but memory
        span.place = place  # type: ignore[attr-defined]
        # A limit, because the thread that has the lock may stand still in a signal handler.
        locked = self._lock.acquire(timeout=0.1)
        try:
            self.recorded += 1
            if session is not None:
                session.recorded += 1
            room = (
                self._given - self._taken < self.config.max_queue_size and self._bytes + place.size <= _MOST_BYTES
            ) or (span.parent is None and not place.seq)
            if room:
                self._given += 1
                self._bytes += place.size
                self._unwritten += not place.seq
            elif not place.seq:
                self._overflow += 1
        finally:
            if locked:
                self._lock.release()
        if not room:
            if place.seq and self.backlog is not None:
                self.backlog.leave([place])
        elif self.exporter.closing:
            # Past the batcher: it may be at work on a full queue, and this may be a root.
            self.exporter.keep([span])
        else:
            self._batcher.on_end(span)
            if not self._worker.is_running:  # a fork has ended it
                self._worker.start()

    def journal_start(self, root: Span, attributes: Mapping[str, Any]) -> None:
        """Write down that a session has started, or what has changed on its root since."""
        if self.journal is not None and isinstance(root, ReadableSpan) and root.context is not None:
            ids = root.context
            resource = self._resource(root.resource)
            self.journal.append_start(ids.trace_id, ids.span_id, root.name, root.start_time or 0, attributes, resource)

    def journal_end(self, root: Span, state: str | None, reason: str | None, *, owner: bool) -> None:
        """Write down how a session ends, before its root span does: as the owner says, or as a joiner wishes.

        State None: left open on purpose.
        """
        if self.journal is None:
            return
        trace_id = root.get_span_context().trace_id
        if owner:
            self.journal.append_end(trace_id, state, reason)
        elif state is not None:
            self.journal.wish(session_id(trace_id), state, reason)

    def journal_reason(self, root: Span, reason: str | None) -> None:
        """Write down why a session fails if nobody ends it; None takes it back."""
        if self.journal is not None:
            self.journal.append_reason(root.get_span_context().trace_id, reason)

    def join(self, trace_id: int) -> None:
        """This process takes part in a session of another one."""
        if self.backlog is not None:
            self.backlog.join(trace_id)

    def part(self, trace_id: int) -> None:
        """It does so no more."""
        if self.backlog is not None:
            self.backlog.part(trace_id)

    def acknowledged(self, session: str) -> int:
        """How many spans of a session, named by its id, the backend has acknowledged."""
        return self._acknowledged[session]

    def emit(self, event: LogEvent) -> None:
        """Send a log event soon, on the worker."""
        if self.config.exporter is not None or self.config.protocol == "console" or not self.config._exports_logs:
            return
        event = self._described(event)
        place = None if self.journal is None else self.journal.append_event(event, self._resource())
        self._events.append((event, place or NOWHERE))
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
                self.journal.acknowledge(place for _, place in events if place.seq)
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
        """What the backend took and refused is done with: in the journal, in memory and in the books."""
        done = [*outcome.acknowledged, *outcome.unnamed]
        refused = [span for span, _ in outcome.rejected]
        if self.journal is not None:
            self.journal.acknowledge(place for place in map(_place, done) if place.seq)
            self.journal.reject([(span, place, why) for span, why in outcome.rejected if (place := _place(span)).seq])
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
        before = _place(span)
        place = None if self.journal is None or before.seq else self.journal.append(span)
        if place is not None:
            span.place = place  # type: ignore[attr-defined]
            with self._lock:
                self._bytes += place.size - before.size
                self._unwritten -= before.size > 0

    def _leave(self, spans: list[ReadableSpan]) -> list[ReadableSpan]:
        """Memory has no room for these any more: those on disk wait there, the others are returned."""
        with self._lock:
            self._free(spans)
        if self.backlog is None:
            return spans
        self.backlog.leave(place for place in map(_place, spans) if place.seq)
        return [span for span in spans if not _place(span).seq]

    def _free(self, spans: Iterable[ReadableSpan]) -> None:
        for place in map(_place, spans):
            self._bytes -= place.size
            self._unwritten -= place.size > 0 and not place.seq

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


def _place(span: ReadableSpan) -> Place:
    return getattr(span, "place", None) or NOWHERE


def _shares(pipelines: Sequence[Pipeline], deadline: float) -> Iterator[tuple[Pipeline, float]]:
    """Each pipeline with the time by which it must be done, so that one that hangs leaves time to the others."""
    for place, pipeline in enumerate(pipelines):
        now = monotonic()
        yield pipeline, now + (deadline - now) / (len(pipelines) - place)


_processors: weakref.WeakKeyDictionary[TracerProvider, SessionSpanProcessor] = weakref.WeakKeyDictionary()


class SessionProvider:
    """The provider and everything that runs on it, for one `init()` until `close()`.

    Args:
        config: of the process.
        parent_for: see `SessionTracerProvider`.
        current_trace_id: see `SessionSpanProcessor`.
        tick: called about once a second on the worker.
    """

    def __init__(
        self,
        config: Configuration,
        *,
        parent_for: ParentFor,
        current_trace_id: Callable[[Context | None], int | None],
        tick: Callable[[], object],
    ) -> None:
        self.config = config
        text.bound(environment.length_limit())
        self.host = HOST
        self._tick = tick
        self.worker: Worker = Worker(self._tick_all)
        if not config._disabled:
            self.worker.submit(self._describe_host)
        self._pipelines: dict[tuple[object, ...], Pipeline] = {}
        self._lock = threading.RLock()
        with environment.usable():
            existing = providers.tracer_provider()
            if isinstance(existing, TracerProvider):
                self.provider: TracerProvider = existing
            else:
                self.provider = SessionTracerProvider(self.host.identity(config.service_name), parent_for)
                # (not beside one of another kind: OpenTelemetry would refuse ours with a warning)
                if isinstance(existing, trace.ProxyTracerProvider) and not config._disabled:
                    trace.set_tracer_provider(self.provider)
                    succession.allow(self._succeeded)
        self.own: bool = isinstance(self.provider, SessionTracerProvider)
        processor = _processors.get(self.provider)
        if processor is None:
            processor = _processors[self.provider] = SessionSpanProcessor(current_trace_id)
            self.provider.add_span_processor(processor)
        self.processor = processor
        processor.flush = self.flush
        with environment.usable(environment.METRICS):
            self.tracer: Tracer = self.provider.get_tracer(semconv.SCOPE_NAME, __version__)
        if isinstance(self.provider, SessionTracerProvider):
            self.provider.offer_leaves(self.tracer, processor)
        self._ids = self._session_ids()
        if not config.require_session:
            self.processor.sessionless(self.pipeline(config), self.redactor(config))

    def _succeeded(self, provider: trace.TracerProvider) -> None:
        """The program has set a provider of its own: its spans are its own, and ours go on as before.

        Those that lie in a session's trace also go where the user sends sessions to. Not to where `OTEL_*` says: there
        the program sends them itself.
        """
        if provider is self.provider or not isinstance(self.provider, SessionTracerProvider):
            return
        self.provider.successor = provider
        if isinstance(provider, TracerProvider) and self.config._has_destination:
            provider.add_span_processor(self.processor.follower())

    def _tick_all(self) -> None:
        self._tick()
        for pipeline in self.pipelines:
            pipeline.tick()

    def _describe_host(self) -> None:
        if not self.config.env_data_opt_out:
            load(*_HOST_NEEDS)
        self.host.start(opt_out=self.config.env_data_opt_out)

    def _session_ids(self) -> SessionIdGenerator | None:
        """The id generator of our tracer, which can be told a root's ids; None where the SDK is disabled."""
        base = getattr(self.tracer, "id_generator", None)
        if base is None or isinstance(base, SessionIdGenerator):
            return base
        ids = SessionIdGenerator(base)
        self.tracer.id_generator = ids  # type: ignore[attr-defined]
        return ids

    def redactor(self, config: Configuration) -> Redactor:
        """What cleans the spans of a session: the user's hook and the length limit; our own keys go from all spans."""
        for secret in config._secrets:
            secrets.learn(secret)
        for name, value in config.headers.items():
            secrets.learn(value, certain=secrets.is_secret_name(name))
        return Redactor(config.redact, max_length=config.max_content_length)

    def pipeline(self, config: Configuration) -> Pipeline | None:
        """The pipeline of a configuration.

        None when the host's own provider exports and the user named no destination, or nothing is to be exported.
        """
        if not config._exports or not (self.own or config._has_destination):
            return None
        with self._lock:
            pipeline = self._pipelines.get(config._export_key)
            if pipeline is None:
                pipeline = self._pipelines[config._export_key] = Pipeline(config, self.host, self.worker)
            return pipeline

    @property
    def pipelines(self) -> Sequence[Pipeline]:
        """The open pipelines."""
        with self._lock:
            return list(self._pipelines.values())

    def start_root(self, trace_id: int, name: str, attributes: Mapping[str, Any]) -> Span:
        """Start the root span of a session with the ids that its session id says."""
        try:
            if self._ids is None:
                return self.tracer.start_span(name, Context())
            with self._ids.root(trace_id):
                return self.tracer.start_span(
                    name, Context(), attributes=attributes, record_exception=False, set_status_on_exception=False
                )
        except Exception:  # of a processor or sampler on the program's own provider
            guard.report("the start of a session's root span", ours=False)
            return self.remote_root(trace_id, root_span_id(trace_id))

    def remote_root(self, trace_id: int, span_id: int) -> Span:
        """The root span of a session that another process owns, sampled as that process's sampler must have decided."""
        sampler, sampled = getattr(self.provider, "sampler", None), True
        try:
            if sampler is not None:
                sampled = sampler.should_sample(Context(), trace_id, "session").decision.is_sampled()
        except Exception:
            guard.report("the sampling of a session", ours=False)
        flags = TraceFlags(TraceFlags.SAMPLED if sampled else TraceFlags.DEFAULT)
        return trace.NonRecordingSpan(SpanContext(trace_id, span_id, is_remote=True, trace_flags=flags))

    def flush(self, timeout: float) -> bool:
        """Flush every pipeline within `timeout` seconds; True when all of them delivered everything."""
        delivered = [pipeline.flush(until) for pipeline, until in _shares(self.pipelines, monotonic() + timeout)]
        return all(delivered)

    def close(self, timeout: float) -> None:
        """End every pipeline and thread within `timeout` seconds; the provider stays, for a later `init()`."""
        deadline = monotonic() + timeout
        self.processor.sessionless(None, Redactor())
        self.processor.flush = lambda seconds: True
        for pipeline, until in _shares(self.pipelines, deadline):
            pipeline.close(until)
        self.worker.stop(min(0.5, deadline - monotonic() + 0.05))

    def leave_journals(self) -> None:
        """Take away the files of journals in which nothing is left to send; a span that still ends makes new ones."""
        for pipeline in self.pipelines:
            if pipeline.journal is not None:
                pipeline.journal.close()

    def has_forked(self) -> None:
        """This process has a child now, which may leave something behind."""
        for pipeline in self._pipelines.values():
            if pipeline.backlog is not None:
                pipeline.backlog.has_forked()

    def after_fork(self) -> None:
        """In a forked child: the counts stayed in the parent."""
        self._lock = threading.RLock()
        for pipeline in self._pipelines.values():
            pipeline.after_fork()


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
