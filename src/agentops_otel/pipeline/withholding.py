"""What other instrumentations have recorded, without what this session is not to record.

Ours never write it. Theirs have settings of their own, which need not say the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, TypeAlias

from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace.status import Status

from .. import semconv
from ..config import Configuration
from ..dialects.speech import is_speech, speech
from ..redaction import plain_dict
from ..span_copy import SpanCopy

Withhold: TypeAlias = Callable[[ReadableSpan], ReadableSpan]

_EXCEPTION_TEXTS: Final = (
    semconv.EXCEPTION_MESSAGE,
    semconv.EXCEPTION_STACKTRACE,
    "error.message",
    "langfuse.observation.status_message",
)


def withholding(config: Configuration) -> Withhold | None:
    """What takes it out of a span; None where all may be recorded."""
    if config.capture_content not in ("metadata", "off"):
        return None
    return partial(_without, texts=_EXCEPTION_TEXTS if config.capture_content == "off" else ())


def _without(span: ReadableSpan, texts: tuple[str, ...]) -> ReadableSpan:
    """A span of another tracer without what was said, and without these texts of its errors, which may quote it."""
    scope = span.instrumentation_scope
    if scope is None or scope.name == semconv.SCOPE_NAME:
        return span
    given = plain_dict(span.attributes)
    changes: dict[str, Any] = {}
    if (attributes := _left(given, texts)) is not given:
        changes["attributes"] = attributes
    if span.events:
        changes["events"] = tuple(_event(event, texts) for event in span.events if not is_speech(event.name))
    if texts and span.status.description is not None:
        changes["status"] = Status(span.status.status_code)
    return SpanCopy(span, **changes) if changes else span


def _event(event: Event, texts: tuple[str, ...]) -> Event:
    given = plain_dict(event.attributes)
    left = _left(given, texts)
    return event if left is given else Event(event.name, left, event.timestamp)


def _left(attributes: Mapping[str, Any], texts: tuple[str, ...]) -> Mapping[str, Any]:
    names = {*speech(attributes), *(name for name in texts if name in attributes)}
    return {name: value for name, value in attributes.items() if name not in names} if names else attributes
