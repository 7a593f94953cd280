"""A streamed answer of Anthropic's Messages API, put together again from its events.

The output tokens of `message_start` are a placeholder: they are known from `message_delta` on, at the end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from ... import guard
from .._content import NOTHING, as_text, fields, items
from .usage import count, merged

# The kinds of deltas of which a block is made, and the field that has the piece, in the delta and in the block.
_PIECES: Final = {
    "text_delta": ("text", "text"),
    "thinking_delta": ("thinking", "thinking"),
    "input_json_delta": ("partial_json", "input"),
    "compaction_delta": ("content", "content"),
}
_TYPES: Final = {"text": "text", "thinking": "thinking", "input": "tool_use", "content": "compaction"}
_AT_THE_END: Final = ("output_tokens", "output_tokens_details")


class _Block:
    """One block of the content, in pieces."""

    __slots__ = ("pieces", "start")

    def __init__(self) -> None:
        self.start: Mapping[str, Any] = NOTHING
        self.pieces: dict[str, list[str]] = {}

    def whole(self) -> Mapping[str, Any]:
        if not self.pieces:
            return self.start
        block = dict(self.start)
        for name, pieces in self.pieces.items():
            if not isinstance(block.get("type"), str):
                block["type"] = _TYPES[name]
            text = "".join(pieces)
            if name != "input":
                block[name] = as_text(block.get(name)) + text
            elif text:  # a tool that takes nothing gets an empty text
                block[name] = text
        return block


class MessagesFold:
    """The events of one stream."""

    __slots__ = ("_blocks", "_error", "_head", "_latest", "_usage", "done")

    def __init__(self) -> None:
        self._head: dict[str, Any] = {}
        self._usage: Mapping[str, Any] = NOTHING
        self._error: Any = None
        self._blocks: dict[int | None, _Block] = {}
        self._latest: int | None = None  # the block that an event belongs to which does not say it
        self.done: bool = False

    def extend(self, chunks: Sequence[Any]) -> None:
        """Take in the next events. Nearly all are models of the SDK with a piece of the same block as before."""
        last_kind, last_index, pieces, field = "", -1, list[str](), ""
        for event in chunks:
            try:
                said = event.__dict__
                delta, index = said["delta"].__dict__, said["index"]
                kind = delta["type"]
                if kind != last_kind or index != last_index:
                    field, name = _PIECES[kind]
                    pieces = self._blocks[index].pieces.setdefault(name, [])
                    last_kind, last_index = kind, index
                    self._latest = index
                piece = delta[field]
                if type(piece) is str:
                    pieces.append(piece)
                    continue
            except (AttributeError, LookupError, TypeError):  # it is of another shape
                pass
            last_kind = ""
            guard.run(self.add, event)

    def add(self, chunk: Any) -> None:
        """Take in one event of any shape."""
        event = fields(chunk)
        kind = event.get("type")
        delta = fields(event.get("delta"))
        if kind == "content_block_delta":
            self._add_piece(event, delta)
        elif kind == "content_block_start":
            self._begin(self._block(event), fields(event.get("content_block")))
        elif kind == "message_start":
            message = fields(event.get("message"))
            self._head |= message
            said = fields(message.get("usage"))
            self._usage = merged(self._usage, {name: said[name] for name in said if name not in _AT_THE_END})
        elif kind == "message_delta":
            reason = delta.get("stop_reason")
            if reason:
                self._head["stop_reason"] = reason
            self._usage = merged(self._usage, fields(event.get("usage")))
        elif kind == "message_stop":
            self.done = True
        elif kind == "error" or event.get("error"):
            self._error = event.get("error") or "error"

    def _begin(self, block: _Block, start: Mapping[str, Any]) -> None:
        block.start = start
        if start.get("type") == "fallback":  # another model goes on from here, and has its own price
            model = fields(start.get("to")).get("model")
            if isinstance(model, str):
                self._head["model"] = model

    def _add_piece(self, event: Mapping[str, Any], delta: Mapping[str, Any]) -> None:
        kind = delta.get("type")
        field, name = _PIECES.get(kind, ("", "")) if isinstance(kind, str) else ("", "")
        piece = delta.get(field)
        if piece:
            self._block(event).pieces.setdefault(name, []).append(as_text(piece))

    def _block(self, event: Mapping[str, Any]) -> _Block:
        index = count(event.get("index"))
        if index is None:
            index = self._latest
        self._latest = index
        if index not in self._blocks:
            self._blocks[index] = _Block()
        return self._blocks[index]

    def response(self) -> Mapping[str, Any]:
        """The answer so far."""
        answer = {**self._head, "usage": self._usage}
        content = [block for each in self._blocks.values() if (block := each.whole())]
        if content:
            answer["content"] = [*items(answer.get("content")), *content]
        if self._error is not None:
            answer["error"] = self._error
        return answer
