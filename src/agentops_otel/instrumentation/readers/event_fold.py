"""What the folds have in common that take in one event of a stream after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ... import guard


class EventFold:
    """A `Fold` whose `add()` takes in one event, and may fail: an event that cannot be read costs itself."""

    __slots__ = ("done",)

    def __init__(self) -> None:
        self.done: bool = False

    def extend(self, chunks: Sequence[Any]) -> None:
        """Take in the next events."""
        for chunk in chunks:
            guard.run(self.add, chunk)

    def add(self, chunk: Any) -> None:
        """Take in one event."""
        raise NotImplementedError
