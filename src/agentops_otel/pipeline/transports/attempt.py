"""One attempt to deliver: what a transport does, and what it says came of it."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan

    from ..log_event import LogEvent

MAX_RETRY_AFTER: Final = 300.0  # seconds; a longer wait that a backend asks for is cut to it


class Verdict(Enum):
    """What one attempt came to."""

    ACCEPTED = "accepted"  # acknowledged; `Reply.rejected` spans of it were refused for good
    REJECTED = "rejected"  # something in this request is refused for good; the rest of it may be fine
    TOO_LARGE = "too large"  # the same, because of the size
    RETRY = "retry"  # the same request may be taken later
    FAILED = "failed"  # an error inside the backend, which the content may have caused
    REFUSED = "refused"  # the backend accepts nothing from us (wrong key, wrong address); do not repeat at once
    DROPPED = "dropped"  # the whole request is refused for good, and must not be repeated
    UNSUPPORTED = "unsupported"  # the backend does not know this signal


class Reply(msgspec.Struct, frozen=True):
    """The outcome of one attempt. `reason` is one short line without payload or secret; `retry_after` is in seconds."""

    verdict: Verdict
    reason: str = ""
    rejected: int = 0
    retry_after: float | None = None
    reached: bool = True  # False: decided here, nothing is known of the backend
    key_refused: bool = False


class Transport(Protocol):
    """One attempt at a time, at most `timeout` seconds as far as the transport can help it."""

    name: str  # where spans go, for messages; without secrets
    box: str | None  # where the pages are of the box of ours that has acknowledged something

    def send(self, spans: Sequence[ReadableSpan], timeout: float) -> Reply:
        """Try to deliver spans once."""

    def send_events(self, events: Sequence[LogEvent], resource: Resource, timeout: float) -> Reply:
        """Try to deliver log events once."""

    def flush(self, timeout: float) -> bool:
        """Wait until what was accepted has really left, for a transport that buffers."""

    def abandon(self) -> bool:
        """Called when an attempt is left behind unanswered; True when another one may start beside it."""

    def reset(self) -> None:
        """Called in a forked child: give up the parent's connections, and say nothing on them."""

    def close(self) -> None:
        """Give up connections and files."""
