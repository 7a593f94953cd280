"""A streamed chat completion, or legacy completion, put together again from its chunks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ._content import fields, items


class _Choice:
    """One choice of a streamed chat completion, in pieces."""

    __slots__ = ("audio", "calls", "finish", "index", "reasoning", "refusal", "text", "transcript")

    def __init__(self, index: int) -> None:
        self.index = index
        self.finish: str | None = None
        self.text: list[str] = []
        self.reasoning: list[str] = []
        self.refusal: list[str] = []
        self.audio: list[str] = []
        self.transcript: list[str] = []
        self.calls: dict[int, dict[str, Any]] = {}

    def add_calls(self, deltas: Any) -> None:
        for position, delta in enumerate(map(fields, items(deltas))):
            index = delta.get("index")
            call = self.calls.setdefault(
                position if index is None else index, {"id": None, "name": None, "arguments": []}
            )
            function = fields(delta.get("function")) or fields(delta.get("custom"))
            call["id"] = call["id"] or delta.get("id")
            call["name"] = call["name"] or function.get("name")
            call["arguments"].append(function.get("arguments") or function.get("input") or "")

    def add_audio(self, audio: Mapping[str, Any]) -> None:
        self.audio.append(audio.get("data") or "")
        self.transcript.append(audio.get("transcript") or "")

    def whole(self) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": "".join(self.text)}
        if self.reasoning:
            message["reasoning_content"] = "".join(self.reasoning)
        if self.refusal:
            message["refusal"] = "".join(self.refusal)
        if self.audio:
            message["audio"] = {"data": "".join(self.audio), "transcript": "".join(self.transcript)}
        if self.calls:
            message["tool_calls"] = [
                {"id": call["id"], "function": {"name": call["name"], "arguments": "".join(call["arguments"])}}
                for call in self.calls.values()
            ]
        return {"index": self.index, "message": message, "finish_reason": self.finish}


class ChatFold:
    """Chat completions and legacy completions."""

    __slots__ = ("choices", "done", "head", "usage")

    def __init__(self) -> None:
        self.head: dict[str, Any] = {}
        self.choices: dict[int, _Choice] = {}
        self.usage: Any = None
        self.done = False

    def add(self, chunk: Any) -> None:
        found = fields(chunk)
        if not self.head.get("id"):
            self.head.update((name, value) for name, value in found.items() if name != "choices" and value)
        if found.get("usage"):
            self.usage = found["usage"]
        for item in found.get("choices") or ():
            choice = fields(item)
            index = choice.get("index") or 0
            kept = self.choices.get(index)
            if kept is None:
                kept = self.choices[index] = _Choice(index)
            delta = choice.get("delta")
            if delta is None:
                kept.text.append(choice.get("text") or "")
            else:
                self._add(kept, fields(delta))
            if choice.get("finish_reason"):
                kept.finish = choice["finish_reason"]
                self.done = all(other.finish for other in self.choices.values())

    @staticmethod
    def _add(kept: _Choice, delta: Mapping[str, Any]) -> None:
        get = delta.get
        text = get("content")
        if text:
            kept.text.append(text)
            if list(delta.values()).count(None) == len(delta) - 1:  # and nothing else, as in nearly all
                return
        if get("tool_calls"):
            kept.add_calls(get("tool_calls"))
        if get("refusal"):
            kept.refusal.append(delta["refusal"])
        if get("audio"):
            kept.add_audio(fields(delta["audio"]))
        reasoning = get("reasoning_content") or get("reasoning")
        if isinstance(reasoning, str):
            kept.reasoning.append(reasoning)

    def response(self) -> Mapping[str, Any]:
        choices = [choice.whole() for choice in self.choices.values()]
        for choice in choices:
            choice["text"] = choice["message"]["content"]
        return {**self.head, "usage": self.usage, "choices": choices}
