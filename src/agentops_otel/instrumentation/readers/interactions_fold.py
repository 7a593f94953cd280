"""A streamed answer of the Interactions API, put together again from its events.

Its last event has the status and the counts, and as a rule not the steps: those come in pieces, told apart by an index.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from .._content import as_text, fields, items
from .event_fold import EventFold
from .usage import count

_ENDS: Final = frozenset({"interaction.completed", "interaction.complete"})


class _Step:
    """One step, in pieces."""

    __slots__ = ("arguments", "content", "fields", "summary", "texts")

    def __init__(self) -> None:
        self.fields: dict[str, Any] = {}
        self.content: list[Any] = []
        self.summary: list[Any] = []
        self.texts: list[str] = []  # of the content that goes on
        self.arguments: list[str] = []

    def begin(self, step: Mapping[str, Any]) -> None:
        self.fields |= step
        self.content += items(self.fields.pop("content", None))
        self.summary += items(self.fields.pop("summary", None))

    def add(self, delta: Mapping[str, Any]) -> None:
        kind = delta.get("type")
        if kind == "text" or (kind is None and "text" in delta):
            self.texts.append(as_text(delta.get("text")))
        elif kind == "thought_summary":
            self.summary.append(delta.get("content"))
        elif kind in ("arguments_delta", "arguments"):
            self.arguments.append(as_text(delta.get("arguments")))
        elif kind in ("image", "audio", "video", "document"):
            self._close()
            self.content.append(delta)
        else:  # a call, or a result of one, with the fields of its step
            self.fields |= {name: value for name, value in delta.items() if name != "type"}

    def _close(self) -> None:
        if self.texts:
            self.content.append({"type": "text", "text": "".join(self.texts)})
            self.texts = []

    def whole(self) -> Mapping[str, Any]:
        self._close()
        step = {"type": "thought" if self.summary else "model_output", **self.fields}
        if self.content:
            step["content"] = self.content
        if self.summary:
            step["summary"] = self.summary
        return {**step, "arguments": "".join(self.arguments)} if self.arguments else step


class InteractionsFold(EventFold):
    """The events of one stream."""

    __slots__ = ("_head", "_steps")

    def __init__(self) -> None:
        super().__init__()
        self._head: dict[str, Any] = {}
        self._steps: dict[int, _Step] = {}

    def add(self, chunk: Any) -> None:
        """Take in one event."""
        event = fields(chunk)
        kind = event.get("event_type")
        if event.get("error"):
            self._head["error"] = event["error"]
        elif kind == "step.start":
            self._step(event).begin(fields(event.get("step")))
        elif kind == "step.delta":
            self._step(event).add(fields(event.get("delta")))
        elif fields(event.get("interaction")):
            said = fields(event["interaction"])
            self._head |= {name: found for name, found in said.items() if found is not None}
            self.done = self.done or (isinstance(kind, str) and kind in _ENDS)
        elif kind == "interaction.status_update" and event.get("status"):
            self._head["status"] = event["status"]

    def _step(self, event: Mapping[str, Any]) -> _Step:
        index = count(event.get("index"))
        if index is None:  # it goes on
            index = max(self._steps, default=0)
        return self._steps.setdefault(index, _Step())

    def response(self) -> Mapping[str, Any]:
        """The answer so far."""
        if self._head.get("steps") or not self._steps:
            return self._head
        return {**self._head, "steps": [self._steps[index].whole() for index in sorted(self._steps)]}
