"""What has arrived since the box started: accepted, refused and why, and how fast; for the Empty and System pages.

The receivers count, pages read. Texts of senders are kept short and few, so that no sender can make this grow.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import Final, Literal

Signal = Literal["traces", "logs", "metrics"]
SECONDS: Final = 300
"""How far back the rate goes."""
_NAMES: Final = 50
_TEXT: Final = 200
_SECOND_NS: Final = 1_000_000_000
OTHERS: Final = "others"


@dataclass(frozen=True, slots=True)
class Accepted:
    """What was accepted of one signal."""

    signal: Signal
    requests: int
    records: int
    """Spans, log records or metric points. Metrics are accepted and not kept."""
    bytes: int
    """As they came over the wire."""


@dataclass(frozen=True, slots=True)
class Refused:
    """What was refused for one reason."""

    reason: str
    requests: int
    """Requests that were answered with an error."""
    records: int
    """Records of a request that was accepted in part."""
    last_ns: int
    sender: str
    """User agent of the last one."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends, by user agent."""

    name: str
    requests: int
    last_ns: int


@dataclass(frozen=True, slots=True)
class Received:
    """All that was counted, at one moment."""

    accepted: tuple[Accepted, ...] = ()
    refused: tuple[Refused, ...] = ()
    """The last one first."""
    senders: tuple[Sender, ...] = ()
    """The last one first."""
    rates: tuple[int, ...] = ()
    """Spans and log records in each of the last `SECONDS` seconds, oldest first; the second that runs is not in it."""
    last_ns: int | None = None
    """When something was accepted last."""

    @property
    def spans(self) -> int:
        """Spans that were accepted."""
        return sum(each.records for each in self.accepted if each.signal == "traces")

    @property
    def trend(self) -> tuple[int, ...]:
        """The rates in pieces of ten seconds."""
        return tuple(sum(self.rates[start : start + 10]) for start in range(0, len(self.rates), 10))

    @property
    def a_second(self) -> float:
        """Records a second over the last ten seconds."""
        return sum(self.rates[-10:]) / 10


class Counts:
    """Counters of one running box. Every method may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._accepted: dict[Signal, Accepted] = {}
        self._refused: dict[str, Refused] = {}
        self._senders: dict[str, Sender] = {}
        self._seconds: deque[tuple[int, int]] = deque(maxlen=SECONDS + 2)
        self._last_ns: int | None = None

    def accept(self, signal: Signal, records: int, now_ns: int, *, size: int = 0, sender: str = "") -> None:
        """A request was stored.

        Args:
            signal: traces, logs or metrics.
            records: the spans, log records or metric points in it.
            now_ns: when.
            size: bytes as they came over the wire.
            sender: the user agent.
        """
        with self._lock:
            had = self._accepted.get(signal, Accepted(signal, 0, 0, 0))
            self._accepted[signal] = Accepted(signal, had.requests + 1, had.records + records, had.bytes + size)
            self._last_ns = now_ns
            name = _name(sender, self._senders)
            if name:
                known = self._senders.get(name, Sender(name, 0, 0))
                self._senders[name] = Sender(name, known.requests + 1, now_ns)
            if signal != "metrics":
                self._count(records, now_ns // _SECOND_NS)

    def refuse(self, reason: str, now_ns: int, *, records: int = 0, sender: str = "") -> None:
        """A request was refused, or `records` of one that was accepted in part."""
        with self._lock:
            name = _name(reason, self._refused)
            had = self._refused.get(name, Refused(name, 0, 0, 0, ""))
            requests = had.requests + (not records)
            self._refused[name] = Refused(name, requests, had.records + records, now_ns, sender[:_TEXT])

    def read(self, now_ns: int) -> Received:
        """Everything, at one moment."""
        with self._lock:
            now = now_ns // _SECOND_NS
            by_second = dict(self._seconds)
            return Received(
                accepted=tuple(self._accepted.values()),
                refused=tuple(sorted(self._refused.values(), key=lambda each: -each.last_ns)),
                senders=tuple(sorted(self._senders.values(), key=lambda each: -each.last_ns)),
                rates=tuple(by_second.get(second, 0) for second in range(now - SECONDS, now)),
                last_ns=self._last_ns,
            )

    def _count(self, records: int, second: int) -> None:
        # A clock that was set back counts into the newest second.
        if self._seconds and self._seconds[-1][0] >= second:
            last, before = self._seconds[-1]
            self._seconds[-1] = (last, before + records)
        else:
            self._seconds.append((second, records))


def _name(text: str, known: dict[str, Refused] | dict[str, Sender]) -> str:
    """The name under which a text counts: itself, short, or `OTHERS` when there are too many."""
    name = text[:_TEXT]
    return name if name in known or len(known) < _NAMES else OTHERS
