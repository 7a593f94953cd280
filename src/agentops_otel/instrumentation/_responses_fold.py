"""A streamed answer of the Responses API, put together again from its events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ._content import fields


class ResponsesFold:
    """The Responses API: its last event has the whole response; the pieces matter when it never comes."""

    __slots__ = ("done", "items", "last", "text")

    def __init__(self) -> None:
        self.last: Any = None
        self.items: list[Any] = []
        self.text: list[str] = []
        self.done = False

    def add(self, chunk: Any) -> None:
        event = fields(chunk)
        kind = event.get("type")
        if kind == "response.output_text.delta":
            self.text.append(event["delta"])
        elif kind == "response.output_item.done":
            self.items.append(event["item"])
            self.text.clear()
        elif event.get("response") is not None:
            self.last = event["response"]
            self.done = kind in ("response.completed", "response.incomplete", "response.failed", "response.cancelled")
        elif kind == "error":
            self.last = {**fields(self.last), "error": {"code": event.get("code"), "message": event.get("message")}}

    def response(self) -> Mapping[str, Any]:
        response = fields(self.last)
        if self.done:
            return response
        output = list(self.items)
        if self.text:
            output.append({"type": "message", "content": [{"type": "output_text", "text": "".join(self.text)}]})
        return {**response, "output": output}
