"""Whether a span failed, and with what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from .. import semconv
from ..frozen import dataclass
from ..rows import Status
from .received import ReceivedSpan
from .said import MESSAGE_LENGTH, Said, text_of_value

_STATUS: Final[tuple[Status, ...]] = ("unset", "ok", "error")


@dataclass(frozen=True, slots=True)
class Failure:
    """The error of a span; None is not known."""

    type: str | None = None
    message: str | None = None
    stack: str | None = None


NO_FAILURE: Final = Failure()


def status_of(span: ReceivedSpan, said: Said) -> Status:
    """The status as received; Langfuse says it with a level."""
    status = _STATUS[span.status_code] if 0 <= span.status_code <= 2 else "unset"
    return "error" if status == "unset" and said.text("level") == "ERROR" else status


def failure_of(span: ReceivedSpan, said: Said) -> Failure:
    """The error of a span that failed: its last exception, else what attributes and status say."""
    exception: Mapping[str, Any] = next(
        (each.attributes for each in reversed(span.events) if each.name == semconv.EXCEPTION_EVENT), {}
    )
    kind = _class_name(said.text("error_type") or text_of_value(exception.get(semconv.EXCEPTION_TYPE)))
    message = text_of_value(exception.get(semconv.EXCEPTION_MESSAGE), MESSAGE_LENGTH)
    if message is None:
        message = said.text("error_message", MESSAGE_LENGTH) or span.status_message[:MESSAGE_LENGTH]
        message = message or said.text("status_message", MESSAGE_LENGTH)
        message = message.removeprefix(f"{kind}: ") if message and kind else message
    stack = exception.get(semconv.EXCEPTION_STACKTRACE)
    return Failure(kind, message or None, stack if type(stack) is str and stack else None)


def _class_name(kind: str | None) -> str | None:
    """Without its module, which the same exception has in some dialects and not in others; a code stays as it is."""
    _, dot, name = (kind or "").rpartition(".")
    return name if dot and name[:1].isupper() else kind
