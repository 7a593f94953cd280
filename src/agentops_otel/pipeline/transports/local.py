"""What the transports have in common that write on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .attempt import Reply, Verdict

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource

    from ..log_event import LogEvent


class LocalTransport:
    """Writes spans alone, at once, and keeps nothing open."""

    box: str | None = None

    def send_events(self, events: Sequence[LogEvent], resource: Resource, timeout: float) -> Reply:
        """Log events are not written."""
        return Reply(Verdict.UNSUPPORTED)

    def flush(self, timeout: float) -> bool:
        """Nothing is buffered."""
        return True

    def abandon(self) -> bool:
        """Lines must not mix."""
        return False

    def reset(self) -> None:
        """Nothing is kept open."""

    def close(self) -> None:
        """Nothing is kept open."""
