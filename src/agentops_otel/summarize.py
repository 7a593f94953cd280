"""The spans of one session -> its row. Pure: the reader's clock is an argument."""

from __future__ import annotations

from collections.abc import Sequence

from .rows import Score, SessionEvent, SessionRow, SpanRow


def summarize(
    session_id: str,
    spans: Sequence[SpanRow],
    events: Sequence[SessionEvent],
    scores: Sequence[Score] = (),
    *,
    now_ns: int,
) -> SessionRow:
    """The row of a session.

    Args:
        session_id: its id; the trace id when no span says another.
        spans: all that is known, in any order; bodies are not read, so rows without them give the same.
        events: the log events, in any order.
        now_ns: decides whether a session without an end is running.
    """
    raise NotImplementedError
