"""A streamed answer of Mistral's conversations, put together again from its events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from ... import guard
from .._content import as_text, fields
from .chat_fold import joined
from .usage import count

_KINDS: Final = frozenset({"message.output", "function.call", "tool.execution", "agent.handoff"})


class _Entry:
    """One entry of the output, in pieces of its content or of its arguments."""

    __slots__ = ("arguments", "content", "head")

    def __init__(self, kind: str) -> None:
        self.head: dict[str, Any] = {"type": kind}
        self.content: list[Any] = []
        self.arguments: list[str] = []

    def add(self, event: Mapping[str, Any]) -> None:
        for name, value in event.items():
            if name == "content":
                if value:
                    self.content.append(value)
            elif name == "arguments":
                self.arguments.append(as_text(value))
            elif name != "type" and value is not None:
                self.head[name] = value

    def whole(self) -> dict[str, Any]:
        entry = dict(self.head)
        if self.content:
            entry["content"] = joined(self.content)
        if self.arguments:
            entry["arguments"] = "".join(self.arguments)
        return entry


class ConversationFold:
    """The events of one stream."""

    __slots__ = ("_entries", "_error", "_head", "_usage", "done")

    def __init__(self) -> None:
        self._head: dict[str, Any] = {}
        self._entries: dict[Any, _Entry] = {}
        self._usage: Any = None
        self._error: Any = None
        self.done: bool = False

    def extend(self, chunks: Sequence[Any]) -> None:
        """Take in the next events."""
        for event in chunks:
            guard.run(self.add, event)

    def add(self, chunk: Any) -> None:
        """Take in one event of any shape."""
        event = fields(chunk)
        name = event.get("type")
        kind = name.rpartition(".")[0] if isinstance(name, str) else ""
        if event.get("error") or name == "conversation.response.error":
            self._error = event.get("error") or {"code": event.get("code"), "message": event.get("message")}
        elif name == "conversation.response.started":
            self._head["conversation_id"] = event.get("conversation_id")
        elif name == "conversation.response.done":
            self._usage = event.get("usage")
            self.done = True
        elif kind in _KINDS:
            self._entry(event, kind).add(event)

    def _entry(self, event: Mapping[str, Any], kind: str) -> _Entry:
        """The entry that an event belongs to, told by its id, else by its place."""
        key = event.get("id")
        if not isinstance(key, str):
            key = count(event.get("output_index"))
        if key not in self._entries:
            self._entries[key] = _Entry(kind)
        return self._entries[key]

    def response(self) -> Mapping[str, Any]:
        """The answer so far."""
        answer = {**self._head, "outputs": [entry.whole() for entry in self._entries.values()], "usage": self._usage}
        return answer if self._error is None else {**answer, "error": self._error}
