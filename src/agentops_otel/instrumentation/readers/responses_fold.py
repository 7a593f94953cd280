"""A streamed answer of the Responses API or the Realtime API, put together again from its events.

Its last event has the whole response. The pieces matter when that never comes, or comes without its output.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from ... import guard
from .._content import as_text, fields
from .usage import count

_ENDS: Final = frozenset(
    {"response.completed", "response.incomplete", "response.failed", "response.cancelled", "response.done"}
)
_PIECES: Final = {
    "response.output_text.delta": "text",
    "response.refusal.delta": "refusal",
    "response.reasoning_text.delta": "reasoning",
    "response.reasoning_summary_text.delta": "summary",
    "response.function_call_arguments.delta": "arguments",
    "response.custom_tool_call_input.delta": "input",
    "response.output_audio_transcript.delta": "transcript",
    "response.text.delta": "text",  # the Realtime API before its release
    "response.audio_transcript.delta": "transcript",
}
_TYPES: Final = {
    "arguments": "function_call",
    "input": "custom_tool_call",
    "reasoning": "reasoning",
    "summary": "reasoning",
}


class _Item:
    """One item of the output, in pieces until it is done."""

    __slots__ = ("done", "item", "pieces")

    def __init__(self) -> None:
        self.item: Any = None
        self.done: bool = False
        self.pieces: dict[str, list[str]] = {}

    def whole(self) -> Any:
        if self.done or not self.pieces:
            return self.item
        found = {name: "".join(pieces) for name, pieces in self.pieces.items()}
        item = dict(fields(self.item))
        kind = next((_TYPES[name] for name in found if name in _TYPES), "message")
        item.setdefault("type", kind)
        item |= {name: found[name] for name in ("arguments", "input") if name in found}
        content = [{"type": "output_text", "text": found["text"]}] if "text" in found else []
        content += [{"type": "output_audio", "transcript": found["transcript"]}] if "transcript" in found else []
        content += [{"type": "refusal", "refusal": found["refusal"]}] if "refusal" in found else []
        content += [{"type": "reasoning_text", "text": found["reasoning"]}] if "reasoning" in found else []
        if content:
            item["content"] = content
        if "summary" in found:
            item["summary"] = [{"type": "summary_text", "text": found["summary"]}]
        return item


class ResponsesFold:
    """The events of one stream."""

    __slots__ = ("_error", "_items", "_last", "_latest", "done")

    def __init__(self) -> None:
        self._last: Mapping[str, Any] = {}
        self._error: Any = None
        self._items: dict[Any, _Item] = {}
        self._latest = _Item()  # the item that an event belongs to which does not say it
        self.done: bool = False

    def extend(self, chunks: Sequence[Any]) -> None:
        """Take in the next events. Nearly all are models of the SDK with a piece of the same item as the one before."""
        last_kind, last_index, pieces = "", -1, list[str]()
        for event in chunks:
            try:
                said = event.__dict__
                kind, piece, index = said["type"], said["delta"], said["output_index"]
                if piece and type(piece) is str and type(index) is int and index >= 0:
                    if kind != last_kind or index != last_index:
                        name = _PIECES[kind]
                        pieces = self._item(said).pieces.setdefault(name, [])
                        last_kind, last_index = kind, index
                    pieces.append(piece)
                    continue
            except (AttributeError, LookupError, TypeError):  # it is of another shape
                pass
            last_kind = ""
            guard.run(self.add, event)

    def add(self, chunk: Any) -> None:
        """Take in one event of any shape."""
        event = fields(chunk)
        if event.get("event") == "error":  # openai 1 puts such an event into one of its own
            event = {"type": "error", **fields(event.get("data"))}
        kind = event.get("type")
        if not isinstance(kind, str):
            kind = ""
        name = _PIECES.get(kind)
        if name is not None:
            piece = event.get("delta")
            if piece:
                self._item(event).pieces.setdefault(name, []).append(
                    piece if isinstance(piece, str) else as_text(piece)
                )
        elif kind in ("response.output_item.added", "response.output_item.done"):
            item = self._item(event)
            if fields(event.get("item")):
                item.item = event["item"]
                item.done = kind.endswith("done")
        elif kind == "error" or event.get("error"):
            self._error = event.get("error") or {"code": event.get("code"), "message": event.get("message")}
        else:
            response = fields(event.get("response")) or (event if event.get("object") == "response" else {})
            if response:
                self._last = {**self._last, **{name: value for name, value in response.items() if value is not None}}
            self.done = self.done or kind in _ENDS

    def _item(self, event: Mapping[str, Any]) -> _Item:
        index = count(event.get("output_index"))
        key = index if index is not None else event.get("item_id") or fields(event.get("item")).get("id")
        if isinstance(key, (int, str)):
            if key not in self._items:
                self._items[key] = _Item()
            self._latest = self._items[key]
        elif self._latest not in self._items.values():
            self._items[""] = self._latest
        return self._latest

    def response(self) -> Mapping[str, Any]:
        """The response so far."""
        response = dict(self._last)
        if self._error is not None:
            response["error"] = self._error
        if not self.done or not response.get("output"):
            output = [whole for item in self._items.values() if (whole := item.whole()) is not None]
            if output:
                response["output"] = output
        return response
