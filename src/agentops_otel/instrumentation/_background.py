"""Answers that a provider makes without anybody waiting: each is counted once, however often it is fetched.

The call that begins one comes back without usage, and so does a stream that broke off. Whoever fetches the answer, by
polling, say, sees the same usage each time.
"""

from __future__ import annotations

from typing import Final, TypeVar

from opentelemetry.trace import Link, SpanContext

from ._endpoint import Work

_MOST: Final = 4096  # answers that are remembered; the oldest go first
# Single operations of dicts are atomic: no lock that the garbage collector, which ends spans too, could find taken.
_begun: Final[dict[str, SpanContext]] = {}  # by response id: the call whose answer had no end yet
_counted: Final[dict[str, object]] = {}

Value = TypeVar("Value")


def note(work: Work, call: SpanContext) -> None:
    """Remember what the call that makes an answer has seen of it."""
    if not work.ended:
        _keep(_begun, work.response_id, call)
    elif work.background:
        _keep(_counted, work.response_id, None)


def ends(work: Work) -> tuple[Link, ...] | None:
    """What a fetch that shows an answer links to when it is the first that shows its end; None when it is not."""
    if not work.ended:
        return None
    begun = _begun.get(work.response_id)
    if begun is None and not work.background:
        return None
    fetch = object()
    if _keep(_counted, work.response_id, fetch) is not fetch:
        return None
    _begun.pop(work.response_id, None)  # not before: a fetch at the same moment that is not the first must not take it
    return () if begun is None else (Link(begun),)


def forget() -> None:
    """Forget all answers; for tests."""
    _begun.clear()
    _counted.clear()


def _keep(memory: dict[str, Value], key: str, value: Value) -> Value:
    if len(memory) >= _MOST:
        for oldest in list(memory)[: _MOST // 4]:
            memory.pop(oldest, None)
    return memory.setdefault(key, value)
