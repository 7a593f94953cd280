"""Find or build the TracerProvider, and run what hangs on it: processor, pipelines, worker, host resource.

A provider the host has made is used as it is: our processor is added, and nothing is exported unless the user said
where to. Without one, ours becomes the global provider for the life of the process; `close()` takes its pipelines away
and a later `init()` gives it new ones, because OpenTelemetry sets a global provider only once.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Span, SpanContext, TraceFlags, Tracer

from .. import environment, guard, providers, secrets, semconv, text
from ..clock import monotonic
from ..config import Configuration
from ..loading import load
from ..redaction import Redactor
from ..version import __version__
from . import succession
from .ids import SessionIdGenerator, root_span_id
from .pipeline import Pipeline
from .processor import SessionSpanProcessor
from .resource import HOST
from .tracer_provider import ParentFor, SessionTracerProvider
from .withholding import withholding
from .worker import Worker

# What the host's description imports; see `loading.py` for why here.
_HOST_NEEDS: Final = ("importlib.metadata",)

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
        self._pipelines: dict[tuple[object, ...], Pipeline] = {}
        self._lock = threading.RLock()
        self.worker: Worker = Worker(self._tick_all)
        if not config._disabled:
            self.worker.submit(self._describe_host)
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
        for name, value in (*config.headers.items(), *config._for_logs().headers.items()):
            secrets.learn(value, certain=secrets.is_secret_name(name))
        return Redactor(config.redact, max_length=config.max_content_length, withhold=withholding(config))

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


def _shares(pipelines: Sequence[Pipeline], deadline: float) -> Iterator[tuple[Pipeline, float]]:
    """Each pipeline with the time by which it must be done, so that one that hangs leaves time to the others."""
    for place, pipeline in enumerate(pipelines):
        now = monotonic()
        yield pipeline, now + (deadline - now) / (len(pipelines) - place)
