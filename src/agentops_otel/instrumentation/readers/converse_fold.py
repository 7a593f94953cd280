"""A streamed answer of Converse, or of Nova, put together again from its events.

Every field of an event is taken in on its own: one that is not what it should be costs itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from ... import guard
from .._content import NOTHING, as_text, fields, items
from .usage import count

_LAST: Final = ("usage", "serviceTier", "performanceConfig", "trace")


class _Block:
    """One block of the message, in pieces."""

    __slots__ = ("call", "image", "input", "others", "reasoning", "text")

    def __init__(self) -> None:
        self.text: list[str] = []
        self.reasoning: list[str] = []
        self.call: Mapping[str, Any] | None = None
        self.input: list[str] = []
        self.image: dict[str, Any] | None = None
        self.others: list[Mapping[str, Any]] = []

    def begin(self, start: Mapping[str, Any]) -> None:
        """Take in how it begins; a text has no beginning."""
        for name, said in start.items():
            if name == "toolUse":
                self.call = fields(said)
            elif name == "image":
                self.image = dict(fields(said))
            else:
                self.others.append({name: said})

    def add(self, delta: Mapping[str, Any]) -> None:
        """Take in one piece."""
        for name, said in delta.items():
            if name == "text":
                self.text.append(as_text(said))
            elif name == "toolUse":
                self.call = self.call or {}
                self.input.append(as_text(fields(said).get("input")))
            elif name == "reasoningContent":
                self.reasoning.append(as_text(fields(said).get("text")))
            elif name == "image":
                self._add_image(fields(said))
            elif name == "toolResult" and self.others:
                self._add_result(said)

    def _add_image(self, said: Mapping[str, Any]) -> None:
        self.image = self.image or {}
        earlier, later = (fields(each.get("source")) for each in (self.image, said))
        before, data = earlier.get("bytes"), later.get("bytes")
        if isinstance(before, bytes) and isinstance(data, bytes):
            later = {**later, "bytes": before + data}
        self.image["source"] = later or earlier

    def _add_result(self, blocks: Any) -> None:
        last = fields(self.others[-1].get("toolResult"))
        self.others[-1] = {"toolResult": {**last, "content": [*items(last.get("content")), *items(blocks)]}}

    def whole(self) -> list[Mapping[str, Any]]:
        """The block as it would have come in one piece."""
        found: list[Mapping[str, Any]] = []
        if any(self.reasoning):
            found.append({"reasoningContent": {"reasoningText": {"text": "".join(self.reasoning)}}})
        if self.text:
            found.append({"text": "".join(self.text)})
        if self.call is not None:
            found.append({"toolUse": {**self.call, "input": "".join(self.input)}})
        if self.image is not None:
            found.append({"image": self.image})
        return found + self.others


class ConverseFold:
    """The events of one stream."""

    __slots__ = ("_blocks", "_current", "_message", "_said", "done")

    def __init__(self) -> None:
        self._message: dict[str, Any] = {}
        self._blocks: dict[int, _Block] = {}
        self._current = 0
        self._said: dict[str, Any] = {}
        self.done: bool = False

    def extend(self, events: Sequence[Any]) -> None:
        """Take in the next events."""
        for event in events:
            guard.run(self._add, event)

    def _add(self, event: Any) -> None:
        for name, value in fields(event).items():
            said = fields(value)
            if name == "contentBlockDelta":
                self._block(said).add(fields(said.get("delta")))
            elif name == "contentBlockStart":
                self._block(said).begin(fields(said.get("start")))
            elif name == "messageStart":
                self._message["role"] = said.get("role")
            elif name == "messageStop":
                self._said["stopReason"] = said.get("stopReason")
            elif name == "metadata":
                self._said.update((field, said[field]) for field in _LAST if said.get(field) is not None)
                self.done = True  # it is the last event

    def _block(self, said: Mapping[str, Any]) -> _Block:
        """The block that an event belongs to; without an index it goes on with the last one."""
        index = count(said.get("contentBlockIndex"))
        self._current = self._current if index is None else index
        block = self._blocks.get(self._current)
        if block is None:
            block = self._blocks[self._current] = _Block()
        return block

    def response(self) -> Mapping[str, Any]:
        """The answer so far."""
        blocks = [part for index in sorted(self._blocks) for part in self._blocks[index].whole()]
        message = {**self._message, "content": blocks}
        return {**self._said, "output": {"message": message}} if self._message or blocks else self._said or NOTHING
