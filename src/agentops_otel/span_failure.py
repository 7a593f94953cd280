"""How a failure is written on a span: the `exception` event, `error.type` and status ERROR.

Texts of an exception can quote a prompt, and are left out when `capture_content` is ``off``.
"""

from __future__ import annotations

from opentelemetry.trace import Span, Status, StatusCode

from . import semconv
from .config import Configuration
from .text import MAX_LENGTH, shown, stacktrace_of
from .values import to_text


def write_exception(span: Span, error: BaseException, config: Configuration, *, event: bool = True) -> None:
    """Give the span status ERROR, `error.type` and, with `event`, the `exception` event."""
    kind = type(error).__qualname__
    span.set_attribute(semconv.ERROR_TYPE, kind)
    if event:
        write_failure(span, config, kind, message_of(error), stacktrace_of(error))
        return
    span.set_status(_status(kind, message_of(error), config))


def write_failure(
    span: Span,
    config: Configuration,
    kind: str,
    message: str | None,
    stacktrace: str | None,
    timestamp_ns: int | None = None,
) -> None:
    """Give the span the `exception` event and status ERROR; texts only as far as `capture_content` allows."""
    attributes = {semconv.EXCEPTION_TYPE: kind}
    if config.capture_content != "off":
        limit = config.max_content_length
        attributes |= {semconv.EXCEPTION_MESSAGE: to_text(message, max_length=limit)} if message else {}
        attributes |= {semconv.EXCEPTION_STACKTRACE: to_text(stacktrace, max_length=limit)} if stacktrace else {}
    span.add_event(semconv.EXCEPTION_EVENT, attributes, timestamp_ns)
    span.set_status(_status(kind, message, config))


def _status(kind: str, message: str | None, config: Configuration) -> Status:
    text = f"{kind}: {message}" if message and config.capture_content != "off" else kind
    return Status(StatusCode.ERROR, to_text(text, max_length=config.max_content_length))


def message_of(error: BaseException) -> str:
    """The exception's text, whatever its ``__str__`` does."""
    return shown(error, MAX_LENGTH)
