"""Our TracerProvider, where the program has none: spans that other tracers start land in the current session."""

from __future__ import annotations

import functools
import logging
import os
import threading
from collections.abc import Callable
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk import trace as sdk
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import Span, Tracer

from .. import environment, guard, semconv
from . import leaf
from .guarded import GuardedProcessors, LateCalls, guarded
from .ids import SessionIdGenerator
from .processor import SessionSpanProcessor

_ATTRIBUTE_LIMIT: Final = 1024
_COUNT_VARIABLES: Final = ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_COUNT_LIMIT")
_LATE_CALLS: Final = LateCalls()
ParentFor = Callable[["Context | None"], "Context | None"]


class SessionTracer(sdk.Tracer):
    """The SDK's tracer, whose spans without a parent join the current session.

    Its class says so, not the tracer itself: OpenInference calls the `start_span()` of a tracer's class.
    """

    start_in_session: Callable[..., Span]

    def start_span(self, *args: Any, **options: Any) -> Span:
        """As the SDK's, which `start_as_current_span()` calls too."""
        return self.start_in_session(*args, **options)


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
        """Let `Scope.start_span()` make leaves with a tracer of ours while `sessions` is the only processor."""
        if not self._is_limited:
            leaf.offer(tracer, self._limits, self._processors, sessions)

    def _handle_fork(self) -> None:
        """Describe no forked process here, as newer SDKs do in threads of a pool: `HostResource` knows it at need.

        Under gevent to wait for a thread lets the greenlets of the parent go on in the child.
        """
        self._tracers_lock = threading.Lock()

    def get_tracer(self, instrumenting_module_name: str, *about: Any, **more: Any) -> Tracer:
        """The SDK's tracer, whose spans without a parent join the current session."""
        try:
            return self._tracer(instrumenting_module_name, *about, **more)
        except Exception:
            guard.report("a tracer")
            return super().get_tracer(instrumenting_module_name, *about, **more)

    def _tracer(self, instrumenting_module_name: str, *about: Any, **more: Any) -> Tracer:
        with environment.usable(environment.METRICS):  # newer SDKs count the spans of a tracer
            tracer = super().get_tracer(instrumenting_module_name, *about, **more)
        if instrumenting_module_name == semconv.SCOPE_NAME or type(tracer) is not sdk.Tracer:
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

        tracer.__class__ = SessionTracer
        tracer.start_in_session = start_in_session  # type: ignore[attr-defined]
        return tracer
