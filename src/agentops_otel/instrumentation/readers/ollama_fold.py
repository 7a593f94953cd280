"""A streamed answer of Ollama, put together again: each object has the next piece, the last one all else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from .._content import NOTHING, as_text, fields, items
from .event_fold import EventFold

_LAST: Final = ("done", "done_reason", "eval_count", "error")  # fields by which the last object is known


class OllamaFold(EventFold):
    """The objects of one stream, of a chat or of a generation."""

    __slots__ = ("_calls", "_head", "_image", "_is_chat", "_role", "_text", "_thinking")

    def __init__(self) -> None:
        super().__init__()
        self._head: Mapping[str, Any] = NOTHING  # the last object, else the first one
        self._is_chat = False
        self._role: Any = None
        self._text: list[str] = []
        self._thinking: list[str] = []
        self._calls: list[Any] = []
        self._image: Any = None

    def add(self, chunk: Any) -> None:
        """Take in one object."""
        found = fields(chunk)
        get = found.get
        if not self._head or any(map(get, _LAST)):
            self._head = {**self._head, **{name: value for name, value in found.items() if value is not None}}
            self.done = self.done or get("done") is True
        message = fields(get("message"))
        if message:
            self._is_chat = True
            self._role = self._role or message.get("role")
            text, thinking = message.get("content"), message.get("thinking")
            if message.get("tool_calls"):
                self._calls += items(message["tool_calls"])
        else:
            text, thinking = get("response"), get("thinking")
            self._image = get("image") or self._image
        if text:
            self._text.append(text if isinstance(text, str) else as_text(text))
        if thinking:
            self._thinking.append(thinking if isinstance(thinking, str) else as_text(thinking))

    def response(self) -> Mapping[str, Any]:
        """The answer so far."""
        text, thinking = "".join(self._text), "".join(self._thinking)
        if self._is_chat:
            message = {"role": self._role, "content": text, "thinking": thinking, "tool_calls": self._calls}
            return {**self._head, "message": message}
        return {**self._head, "response": text, "thinking": thinking, "image": self._image}
