"""A streamed answer of Cohere's chat, version 2 of the API, put together again from its events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from ... import guard
from .._content import as_text, fields
from .usage import count

_KINDS: Final = ("text", "thinking")


class _Part:
    """One part of the content, in pieces of a text, of thinking, or of both."""

    __slots__ = ("pieces",)

    def __init__(self) -> None:
        self.pieces: dict[str, list[str]] = {}

    def add(self, said: Mapping[str, Any]) -> None:
        for kind in _KINDS:
            if said.get(kind):
                self.pieces.setdefault(kind, []).append(as_text(said[kind]))

    def whole(self) -> list[dict[str, Any]]:
        return [{"type": kind, kind: "".join(pieces)} for kind, pieces in self.pieces.items()]


class _ToolCall:
    """One tool call, in pieces of its arguments."""

    __slots__ = ("arguments", "call_id", "name")

    def __init__(self, said: Mapping[str, Any]) -> None:
        self.call_id = said.get("id")
        self.name = fields(said.get("function")).get("name")
        self.arguments: list[str] = []

    def add(self, said: Mapping[str, Any]) -> None:
        piece = fields(said.get("function")).get("arguments")
        if piece:
            self.arguments.append(as_text(piece))

    def whole(self) -> dict[str, Any]:
        function = {"name": self.name, "arguments": "".join(self.arguments)}
        return {"id": self.call_id, "type": "function", "function": function}


class CohereFold:
    """The events of one stream."""

    __slots__ = ("_calls", "_calls_at", "_end", "_id", "_parts", "_plan", "_texts", "done")

    def __init__(self) -> None:
        self._id: Any = None
        self._parts: dict[int, _Part] = {}
        self._texts: dict[int, list[str]] = {}  # of each part that has begun with a text
        self._plan: list[str] = []
        self._calls: list[_ToolCall] = []
        self._calls_at: dict[int, _ToolCall] = {}
        self._end: Mapping[str, Any] = {}
        self.done: bool = False

    def extend(self, chunks: Sequence[Any]) -> None:
        """Take in the next events. Nearly all are a piece of a part's text, and nothing else."""
        for event in chunks:
            try:
                text = event["delta"]["message"]["content"]["text"]
                if type(text) is str and event["type"] == "content-delta":
                    self._texts[event["index"]].append(text)
                    continue
            except (LookupError, TypeError):  # it is of another shape
                pass
            guard.run(self.add, event)

    def add(self, chunk: Any) -> None:
        """Take in one event of any shape."""
        event = fields(chunk)
        kind = event.get("type")
        if event.get("id") and self._id is None:
            self._id = event["id"]
        delta = fields(event.get("delta"))
        message = fields(delta.get("message"))
        if kind == "message-end":
            self._end = delta
            self.done = True
        elif isinstance(kind, str) and kind.startswith("tool-call-"):
            self._add_call(kind, count(event.get("index")) or 0, message.get("tool_calls"))
        elif message.get("tool_plan"):
            self._plan.append(as_text(message["tool_plan"]))
        elif message.get("content"):
            self._add_content(count(event.get("index")) or 0, message["content"])

    def _add_content(self, index: int, said: Any) -> None:
        part = self._parts.setdefault(index, _Part())
        part.add(fields(said) or {"text": said})
        if "text" in part.pieces:
            self._texts[index] = part.pieces["text"]

    def _add_call(self, kind: str, index: int, said: Any) -> None:
        for each in map(fields, said if isinstance(said, (list, tuple)) else (said,) if said else ()):
            call = self._calls_at.get(index)
            if call is None or kind == "tool-call-start":
                call = self._calls_at[index] = _ToolCall(each)
                self._calls.append(call)
            call.add(each)

    def response(self) -> Mapping[str, Any]:
        """The answer so far."""
        message: dict[str, Any] = {"role": "assistant"}
        if self._plan:
            message["tool_plan"] = "".join(self._plan)
        if self._parts:
            message["content"] = [piece for index in sorted(self._parts) for piece in self._parts[index].whole()]
        if self._calls:
            message["tool_calls"] = [call.whole() for call in self._calls]
        return {**self._end, "id": self._id, "message": message}
