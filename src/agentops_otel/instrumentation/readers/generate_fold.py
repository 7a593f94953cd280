"""A streamed answer of Gemini's API, put together again from its chunks, each of which is an answer of its own.

Texts go on from chunk to chunk; usage is cumulative, so the last one counts. A stream that broke off has no count of
its output: what it has by then is no final one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from .._content import NOTHING, fields, items
from .event_fold import EventFold
from .generate_parts import content_parts, said
from .usage import count, merged

_HEAD: Final = ("responseId", "modelVersion", "promptFeedback", "error")
_GIVEN: Final = (
    *("promptTokenCount", "promptTokensDetails", "toolUsePromptTokenCount", "toolUsePromptTokensDetails"),
    *("cachedContentTokenCount", "cacheTokensDetails", "trafficType", "serviceTier"),
)
_VALUES: Final = ("stringValue", "numberValue", "boolValue", "nullValue")


class _Call:
    """One function call whose arguments come in pieces, each with the path of its place."""

    __slots__ = ("arguments", "call", "is_open")

    def __init__(self) -> None:
        self.call: dict[str, Any] = {}
        self.arguments: dict[str, Any] = {}
        self.is_open = True

    def add(self, call: Mapping[str, Any]) -> None:
        self.call |= {name: call[name] for name in ("id", "name", "args") if call.get(name) is not None}
        for piece in map(fields, items(said(call, "partialArgs"))):
            path = said(piece, "jsonPath")
            place = path.removeprefix("$.") if isinstance(path, str) else ""
            value = next((found for name in _VALUES if (found := said(piece, name)) is not None), None)
            before = self.arguments.get(place)
            whole = before + value if isinstance(before, str) and isinstance(value, str) else value
            self.arguments[place] = whole
        self.is_open = said(call, "willContinue") is True

    def whole(self) -> dict[str, Any]:
        arguments = self.call.get("args")
        if self.arguments:
            arguments = {**fields(arguments), **self.arguments}
        return {"functionCall": {**self.call, "args": arguments}}


class _Candidate:
    """One candidate, in pieces."""

    __slots__ = ("call", "ends", "parts", "texts", "thought")

    def __init__(self) -> None:
        self.ends: dict[str, Any] = {}
        self.parts: list[Any] = []  # a `_Call` stands for itself
        self.texts: list[str] = []  # of the part that goes on
        self.thought = False
        self.call: _Call | None = None  # the one that goes on

    def add(self, candidate: Mapping[str, Any]) -> None:
        for name in ("finishReason", "finishMessage"):
            if candidate.get(name):
                self.ends[name] = candidate[name]
        given = candidate.get("content")
        for part in content_parts(given) if given is not None else ():
            self._add_part(part)

    def _add_part(self, value: Any) -> None:
        part = fields(value)
        text = part.get("text")
        if isinstance(text, str):
            thought = part.get("thought") is True
            if text and thought is not self.thought:
                self._close()
                self.thought = thought
            if text:
                self.texts.append(text)
            return
        given = said(part, "functionCall")
        call = fields(given)
        is_piece = said(call, "partialArgs") is not None or said(call, "willContinue") is not None
        if given is not None and self.call is not None and self.call.is_open:
            self.call.add(call)
            return
        self._close()
        if is_piece:
            self.call = _Call()
            self.call.add(call)
        self.parts.append(self.call if is_piece else value)

    def _close(self) -> None:
        """The text that went on is whole."""
        if self.texts:
            self.parts.append({"text": "".join(self.texts), "thought": self.thought})
            self.texts = []

    def whole(self) -> Mapping[str, Any]:
        self._close()
        parts = [part.whole() if isinstance(part, _Call) else part for part in self.parts]
        return {"content": {"role": "model", "parts": parts}, **self.ends}


class GenerateFold(EventFold):
    """The chunks of one stream."""

    __slots__ = ("_candidates", "_head", "_usage")

    def __init__(self) -> None:
        super().__init__()
        self._head: dict[str, Any] = {}
        self._usage: Mapping[str, Any] = NOTHING
        self._candidates: dict[int, _Candidate] = {}

    def add(self, chunk: Any) -> None:
        """Take in one event."""
        chunk = fields(chunk)
        for name in _HEAD:
            if chunk.get(name):
                self._head[name] = chunk[name]
        if chunk.get("usageMetadata"):
            self._usage = merged(self._usage, fields(chunk["usageMetadata"]))
        for position, candidate in enumerate(map(fields, items(chunk.get("candidates")))):
            if candidate:
                index = count(candidate.get("index"))
                self._candidate(position if index is None else index).add(candidate)
        finished = [candidate.ends.get("finishReason") for candidate in self._candidates.values()]
        self.done = all(finished) if finished else bool(fields(self._head.get("promptFeedback")).get("blockReason"))

    def _candidate(self, index: int) -> _Candidate:
        if index not in self._candidates:
            self._candidates[index] = _Candidate()
        return self._candidates[index]

    def response(self) -> Mapping[str, Any]:
        """The answer so far."""
        usage = self._usage if self.done else {name: self._usage[name] for name in _GIVEN if name in self._usage}
        candidates = [self._candidates[index].whole() for index in sorted(self._candidates)]
        return {**self._head, "usageMetadata": usage, **({"candidates": candidates} if candidates else {})}
