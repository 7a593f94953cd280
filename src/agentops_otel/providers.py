"""The program's own OpenTelemetry providers: those that it has given us, else the global ones.

`instrument(tracer_provider=, meter_provider=, logger_provider=)` gives them, as other instrumentors are given theirs.
The logs API of OpenTelemetry for Python was changed more than once since 1.34; `emit()` is the one place that knows.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec
from opentelemetry import metrics, trace
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, SpanContext, set_span_in_context

from . import environment, guard, semconv
from .version import __version__

if TYPE_CHECKING:
    from opentelemetry import _logs


class Providers(msgspec.Struct, frozen=True):
    """What a program has given us in place of the global providers; None where it gave nothing."""

    tracer: trace.TracerProvider | None = None
    meter: metrics.MeterProvider | None = None
    logger: _logs.LoggerProvider | None = None


given: Providers = Providers()


def give(providers: Providers) -> None:
    """Use these from now on, and the global ones where it says None."""
    global given  # noqa: PLW0603  (one set for a process)
    given = providers


def tracer_provider() -> trace.TracerProvider:
    """The given one, else the global one."""
    return given.tracer or environment.tracer_provider()


def meter_provider() -> metrics.MeterProvider | None:
    """The given one, else the global one; None while that is the API's, which measures nothing."""
    found = given.meter or environment.meter_provider()
    return None if type(found).__module__.startswith("opentelemetry.metrics") else found


def logger_provider() -> _logs.LoggerProvider | None:
    """The given one, else the global one; None while that is the API's, which emits nothing."""
    found = given.logger or environment.logger_provider()
    return None if type(found).__module__.startswith("opentelemetry._logs") else found


def emit(name: str, attributes: Mapping[str, Any], span: SpanContext) -> None:
    """Emit an event through the program's LoggerProvider, if it has one, with the ids of a span."""
    try:
        provider = logger_provider()
        if provider is not None:
            _emit(provider.get_logger(semconv.SCOPE_NAME, __version__), name, attributes, span)
    except Exception:  # of a processor or exporter of the program
        guard.report("the program's LoggerProvider", ours=False)


def _emit(logger: Any, name: str, attributes: Mapping[str, Any], span: SpanContext) -> None:
    from opentelemetry import _logs  # only a program with a LoggerProvider needs it

    fields: dict[str, Any] = {
        "timestamp": time.time_ns(),
        "severity_number": _logs.SeverityNumber.INFO,
        "severity_text": "INFO",
        "attributes": dict(attributes),
    }
    context = set_span_in_context(NonRecordingSpan(span), Context())
    if "event_name" in _parameters(type(logger).emit):
        logger.emit(**fields, event_name=name, context=context)
        return
    # Older releases take a record, of the SDK's class where the logger is the SDK's.
    record: Any = _logs.LogRecord
    if hasattr(logger, "resource"):
        from opentelemetry.sdk import _logs as sdk

        record = sdk.LogRecord  # type: ignore[attr-defined, unused-ignore]
        fields["resource"] = logger.resource
    if "event_name" in _parameters(record.__init__):
        logger.emit(record(**fields, event_name=name, context=context))
        return
    fields["attributes"] = {**attributes, "event.name": name}
    ids = {"trace_id": span.trace_id, "span_id": span.span_id, "trace_flags": span.trace_flags}
    logger.emit(record(**fields, **ids))


@lru_cache(maxsize=8)
def _parameters(function: Any) -> frozenset[str]:
    return frozenset(inspect.signature(function).parameters)
