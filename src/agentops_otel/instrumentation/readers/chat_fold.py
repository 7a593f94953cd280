"""A streamed chat completion, or legacy completion, put together again from its chunks.

Every field of a chunk is taken in on its own: one that is not what it should be costs itself.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from ... import guard
from .._content import NOTHING, as_text, fields, items
from .usage import count, merged, said_in

_HEAD: Final = ("id", "model", "system_fingerprint")  # Azure's first chunk has empty ones
_KINDS: Final = ("text", "thinking")  # of pieces that go on from chunk to chunk
_RARE: Final = frozenset({"base_resp", "error", "time_info", "x_groq"})  # what few hosts say beside the choices


class _ToolCall:
    """One tool call, in pieces."""

    __slots__ = ("arguments", "call_id", "kind", "name")

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.call_id: Any = None
        self.name: Any = None
        self.arguments: list[Any] = []

    def add(self, said: Mapping[str, Any]) -> None:
        self.name = self.name or said.get("name")
        piece = said.get("arguments") or said.get("input")
        if piece:
            self.arguments.append(piece)

    def whole(self) -> dict[str, Any]:
        name = "input" if self.kind == "custom" else "arguments"
        return {"id": self.call_id, self.kind: {"name": self.name, name: _whole(self.arguments)}}


class _ToolCalls:
    """The tool calls of one choice, told apart by their id first, then by their index."""

    __slots__ = ("_at", "_by_id", "calls")

    def __init__(self) -> None:
        self.calls: list[_ToolCall] = []
        self._by_id: dict[str, _ToolCall] = {}
        self._at: dict[int | None, _ToolCall] = {}  # the last one of each index

    def add(self, deltas: Any) -> None:
        several = deltas if isinstance(deltas, (list, tuple)) else (deltas,)
        for position, delta in enumerate(map(fields, several)):
            if not delta:
                continue
            index = count(delta.get("index"))
            if index is None and len(several) > 1:
                index = position
            custom = fields(delta.get("custom"))
            said = custom or fields(delta.get("function"))
            call = self._which(delta.get("id"), index, said, "custom" if custom else "function")
            call.add(said)

    def goes_on(self, delta: Any) -> bool:
        """Take in a piece of the arguments of a call that has begun; whether that was all of a model's delta."""
        known = delta.__dict__
        function = known["function"].__dict__
        call, piece = self._at.get(known["index"]), function["arguments"]
        if call is None or known["id"] or function["name"] or type(piece) is not str:
            return False
        call.arguments.append(piece)
        return True

    def _which(self, call_id: Any, index: int | None, said: Mapping[str, Any], kind: str) -> _ToolCall:
        """The call that a piece belongs to; without an id it goes on with the last one of its index."""
        named = isinstance(call_id, (str, int)) and call_id != ""
        call = self._by_id.get(str(call_id)) if named else None
        if call is None:
            last = self._at.get(index)
            if last is None and self.calls and not named and (index is None or not said.get("name")):
                last = self.calls[-1]
            if last is not None and (last.call_id is None or not named) and not _is_next(last, said):
                call = last
        if call is None:
            call = _ToolCall(kind)
            self.calls.append(call)
        if named:
            call.call_id = call_id
            self._by_id[str(call_id)] = call
        self._at[index] = call
        return call


def _is_next(last: _ToolCall, said: Mapping[str, Any]) -> bool:
    """Whether a piece without an id begins a call: some hosts send whole calls, each with index 0."""
    name = said.get("name")
    if not name or not last.name:
        return False
    arguments = _whole(last.arguments)
    if name != last.name or not isinstance(arguments, str):
        return arguments is not None
    try:
        json.loads(arguments)
    except (ValueError, RecursionError):
        return False
    return True


class _Choice:
    """One choice, in pieces."""

    __slots__ = ("audio", "calls", "error", "executed", "finish", "function", "index", "reasoning", "refusal", "text")

    def __init__(self, index: int) -> None:
        self.index = index
        self.finish: str | None = None
        self.error: Any = None
        self.text: list[Any] = []
        self.reasoning: list[Any] = []
        self.refusal: list[Any] = []
        self.audio: list[Mapping[str, Any]] = []
        self.calls: _ToolCalls | None = None
        self.function: _ToolCall | None = None
        self.executed: dict[int, dict[str, Any]] = {}

    def add(self, delta: Mapping[str, Any]) -> None:
        """Take in the delta of one chunk."""
        get = delta.get
        text = get("content")
        if text:
            self.text.append(text)
            if list(delta.values()).count(None) == len(delta) - 1:  # and nothing else, as in nearly all
                return
        if get("tool_calls"):
            if self.calls is None:
                self.calls = _ToolCalls()
            self.calls.add(delta["tool_calls"])
        if fields(get("function_call")):
            if self.function is None:
                self.function = _ToolCall("function")
            self.function.add(fields(delta["function_call"]))
        if get("executed_tools"):
            self._add_executed(delta["executed_tools"])
        if get("refusal"):
            self.refusal.append(delta["refusal"])
        if get("audio"):
            self.audio.append(fields(delta["audio"]))
        reasoning = get("reasoning_content") or get("reasoning")
        if reasoning:
            self.reasoning.append(reasoning)

    def _add_executed(self, tools: Any) -> None:
        """Tools that the provider has run come whole: when they begin, and again when they are done."""
        for position, tool in enumerate(map(fields, items(tools))):
            index = count(tool.get("index"))
            kept = self.executed.setdefault(position if index is None else index, {})
            kept.update({name: tool[name] for name in ("type", "arguments") if tool.get(name)})

    def goes_on(self, delta: Any) -> bool:
        """Take in a piece of reasoning, or of a tool call's arguments; whether that was all of a model's delta."""
        known, unknown = delta.__dict__, delta.__pydantic_extra__
        if len([*filter(None, known.values()), *filter(None, unknown.values())]) != (2 if known["role"] else 1):
            return False
        reasoning = unknown.get("reasoning_content") or unknown.get("reasoning") or known.get("reasoning")
        if reasoning and type(reasoning) is str:
            self.reasoning.append(reasoning)
            return True
        pieces = known["tool_calls"]
        return self.calls is not None and bool(pieces) and len(pieces) == 1 and self.calls.goes_on(pieces[0])

    def whole(self) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": joined(self.text) or ""}
        if self.reasoning:
            message["reasoning_content"] = joined(self.reasoning)
        if self.refusal:
            message["refusal"] = joined(self.refusal)
        if self.audio:
            message["audio"] = self._sound()
        if self.calls is not None:
            message["tool_calls"] = [call.whole() for call in self.calls.calls]
        if self.executed:
            message["executed_tools"] = [self.executed[index] for index in sorted(self.executed)]
        if self.function is not None:
            message["function_call"] = self.function.whole()["function"]
        choice = {"index": self.index, "message": message, "text": message["content"], "finish_reason": self.finish}
        return choice if self.error is None else {**choice, "error": self.error}

    def _sound(self) -> dict[str, Any]:
        sound = {}
        for name in ("data", "transcript"):
            pieces = [piece for audio in self.audio if isinstance(piece := audio.get(name), str)]
            if pieces:
                sound[name] = "".join(pieces)
        return sound


class ChatFold:
    """The chunks of one stream."""

    __slots__ = ("_choices", "_head", "_texts", "_tier", "_usage", "_wanted", "done")

    def __init__(self) -> None:
        self._head: dict[str, Any] = {}
        self._tier = ""  # the last one: only the end of a stream knows which one served it
        self._wanted: Sequence[str] = _HEAD
        self._choices: dict[int, _Choice] = {}
        self._texts: dict[int, Callable[[str], None]] = {}  # add to the text of a choice; none while the head is wanted
        self._usage: Mapping[str, Any] = NOTHING
        self.done: bool = False

    def extend(self, chunks: Sequence[Any]) -> None:
        """Take in the next chunks.

        Nearly all are models of the SDK with a piece of one choice's text and nothing else. Each attribute of a model
        costs as much as all else in a line, so that such a chunk is asked for no more than what tells it from others.
        What a host says of itself, of the tier and of the usage of a choice, it says at the end, too.
        """
        last = append = None
        for chunk in chunks:
            try:
                said = chunk.__dict__
                (choice,) = said["choices"]
                part = choice.__dict__
                delta = part["delta"]
                known = delta.__dict__
                text, index = known["content"], part["index"]
                if (
                    text  # of whatever type
                    and part["finish_reason"] is None
                    and said["usage"] is None
                    and (len(delta.__pydantic_fields_set__) == 1 or _is_text_alone(delta))
                    and not ((unknown := delta.__pydantic_extra__) and any(unknown.values()))
                ):
                    if index is not last or append is None:
                        append, last = self._texts[index], index
                    append(text)
                    continue
                if not text and said["usage"] is None and type(index) is int:
                    if part["finish_reason"] is None and index in self._texts:
                        if self._choices[index].goes_on(delta):
                            continue
                    elif (
                        len([*filter(None, known.values())]) == (1 if known["role"] else 0)
                        and not (choice.__pydantic_extra__ or delta.__pydantic_extra__)
                        and self._marks(index, said, part, chunk.__pydantic_extra__)
                    ):
                        continue
            except (AttributeError, LookupError, TypeError, ValueError):  # it is of another shape
                pass
            guard.run(self.add, chunk)

    def _marks(
        self, index: int, said: Mapping[str, Any], part: Mapping[str, Any], unknown: Mapping[str, Any] | None
    ) -> bool:
        """Take in the first or the last chunk of a choice, which has no piece; False for one with more than its head.

        Args:
            said, part: the declared fields of the chunk and of its choice.
            unknown: further fields of the chunk.
        """
        for place in (said, unknown):
            if place and not _RARE.isdisjoint(place) and any(map(place.get, _RARE)):
                return False
        if self._wanted:
            self._add_head(said)
        reason, tier = part["finish_reason"], said["service_tier"]
        if tier and type(tier) is str:
            self._tier = tier
        kept = self._choices.get(index)
        if kept is None:
            kept = self._choices[index] = _Choice(index)
        if reason and type(reason) is str:
            kept.finish = reason
            self.done = len(self._choices) == 1 or all(other.finish for other in self._choices.values())
        self._know_texts()
        return True

    def add(self, chunk: Any) -> None:
        """Take in one chunk of any shape."""
        found = fields(chunk)
        get = found.get
        if self._wanted:
            self._add_head(found)
        tier = get("service_tier")
        if tier and tier != self._tier and isinstance(tier, str):
            self._tier = tier
        choices = get("choices")
        if get("error") or (not choices and get("object") == "error"):
            self._head["error"] = get("error") or found
        for name in ("time_info", "base_resp"):
            if get(name):
                self._head[name] = found[name]
        if get("usage") or get("x_groq"):
            self._usage = merged(self._usage, said_in({**found, "choices": ()}))
            error = fields(get("x_groq")).get("error")
            if error:
                self._head["error"] = error
        if choices:
            for position, item in enumerate(items(choices)):
                self._add_choice(position, fields(item))
            self._know_texts()

    def _know_texts(self) -> None:
        """Once the head is known, a chunk with a piece of a known choice's text is asked for nothing else."""
        if len(self._texts) < len(self._choices) and "id" in self._head and "model" in self._head:
            self._texts = {index: choice.text.append for index, choice in self._choices.items()}

    def _add_head(self, found: Mapping[str, Any]) -> None:
        wanted = []
        for name in self._wanted:
            value = found.get(name)
            if value and isinstance(value, str):
                self._head[name] = value
            else:
                wanted.append(name)
        self._wanted = wanted

    def _add_choice(self, position: int, choice: Mapping[str, Any]) -> None:
        get = choice.get
        index = get("index")
        if type(index) is not int:
            known = count(index)
            index = known if known is not None else 0 if index is None else position
        kept = self._choices.get(index)
        if kept is None:
            kept = self._choices[index] = _Choice(index)
        delta = get("delta") or get("message")
        if isinstance(delta, str) or not delta:
            text = delta or get("text")
            if text:
                kept.text.append(text)
        else:
            kept.add(fields(delta))
        reason = get("finish_reason")
        if reason and isinstance(reason, str):
            kept.finish = reason
            self.done = all(other.finish for other in self._choices.values())
        if get("usage"):
            self._usage = merged(self._usage, fields(choice["usage"]))
        if get("error"):
            kept.error = choice["error"]

    def response(self) -> Mapping[str, Any]:
        """The answer so far."""
        choices = [self._choices[index].whole() for index in sorted(self._choices)]
        return {**self._head, "service_tier": self._tier, "usage": self._usage, "choices": choices}


def _is_text_alone(delta: Any) -> bool:
    """Whether a delta has nothing but its text and its role."""
    said = delta.__dict__
    return list(said.values()).count(None) == len(said) - (1 if said["role"] is None else 2)


def _whole(pieces: list[Any]) -> Any:
    """The whole of pieces that are texts, as they should be; else the only one, or their list."""
    try:
        return "".join(pieces) if pieces else None
    except TypeError:
        return pieces[0] if len(pieces) == 1 else pieces


def joined(pieces: list[Any]) -> Any:
    """The whole of the pieces of a content: a text, or, where some are no text, a list of parts."""
    whole = _whole(pieces)
    if whole is not pieces:
        return whole
    parts: list[dict[str, Any]] = []
    for piece in pieces:
        for part in piece if isinstance(piece, (list, tuple)) else (piece,):
            _append(parts, part)
    return parts


def _append(parts: list[dict[str, Any]], value: Any) -> None:
    """Add a part, or let the last one go on with it."""
    part = {} if isinstance(value, str) else fields(value)
    kind = part.get("type") or ("text" if not part or "text" in part else None)
    if kind not in _KINDS:
        parts.append(dict(part))
        return
    text = part.get(kind) if part else value
    if parts and parts[-1].get("type") == kind:
        parts[-1][kind] = _sum(parts[-1][kind], text)
    else:
        parts.append({"type": kind, kind: text})


def _sum(earlier: Any, later: Any) -> Any:
    if isinstance(earlier, list) and isinstance(later, (list, tuple)):
        return [*earlier, *later]
    return as_text(earlier) + as_text(later)
