"""A streamed answer of Cohere's chat or generate, version 1 of the API, put together again from its events.

The last event has the whole answer. The pieces matter when it never comes, and on Bedrock, where it has none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ... import guard
from .._content import NOTHING, as_text, fields
from .usage import count


class _Events:
    """What the events of both have in common."""

    def __init__(self) -> None:
        self._id: Any = None
        self._texts: dict[int, list[str]] = {}
        self._finish: dict[int | None, Any] = {}  # of a text; without an index of the answer
        self._error: Any = None
        self._last: Mapping[str, Any] = NOTHING
        self.done: bool = False

    def extend(self, chunks: Sequence[Any]) -> None:
        """Take in the next events."""
        for event in chunks:
            guard.run(self.add, event)

    def add(self, chunk: Any) -> None:
        """Take in one event of any shape."""
        event = fields(chunk)
        index = count(event.get("index"))
        if event.get("generation_id"):
            self._id = event["generation_id"]
        if event.get("text"):
            self._texts.setdefault(index or 0, []).append(as_text(event["text"]))
        if event.get("finish_reason"):
            self._finish[index] = event["finish_reason"]
        if event.get("err"):
            self._error = event["err"]
        if event.get("event_type") == "stream-end" or (event.get("is_finished") is True and index is None):
            self._last = fields(event.get("response"))
            self.done = True

    def _whole(self, answer: Mapping[str, Any]) -> Mapping[str, Any]:
        """The answer with what the last event says of it."""
        told = {name: value for name, value in self._last.items() if value is not None}
        finish = {} if None not in self._finish else {"finish_reason": self._finish[None]}
        return {**answer, **finish, **told, **({} if self._error is None else {"error": self._error})}


class CohereChatFold(_Events):
    """The events of one streamed chat."""

    def __init__(self) -> None:
        super().__init__()
        self._calls: Any = None

    def add(self, chunk: Any) -> None:
        """Take in one event of any shape. The plan comes in pieces, and whole with the calls."""
        event = fields(chunk)
        if event.get("event_type") == "tool-calls-generation":
            self._calls = event.get("tool_calls")
            if event.get("text"):
                self._texts.clear()
        super().add(event)

    def response(self) -> Mapping[str, Any]:
        """The answer so far."""
        text = "".join(piece for index in sorted(self._texts) for piece in self._texts[index])
        return self._whole({"generation_id": self._id, "text": text, "tool_calls": self._calls})


class CohereGenerateFold(_Events):
    """The events of one streamed completion."""

    def response(self) -> Mapping[str, Any]:
        """The answer so far."""
        places = sorted({*self._texts, *(index for index in self._finish if index is not None)})
        texts = [
            {"index": index, "text": "".join(self._texts.get(index, ())), "finish_reason": self._finish.get(index)}
            for index in places
        ]
        return self._whole({"id": self._id, "generations": texts})
