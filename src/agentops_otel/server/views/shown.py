"""What a story has shown so far, so that it tells nothing twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

from ...rows import Message, SpanRow
from .spoken import as_text, gist, mark, text_of

_MOST_FAILURES: Final = 50
_LEAST_TELLING: Final = 8
"""Characters of an error's message by which a result is known to be of that error."""


class Shown:
    """The messages, results of tools and answers that a story has shown, and the steps where they stand.

    Args:
        tools: the tools that are steps of their own, and the ids of these steps.
    """

    def __init__(self, tools: Iterable[tuple[SpanRow, str]]) -> None:
        self._steps: dict[str, str] = {}
        self._counts: Counter[str] = Counter()
        self._parts: set[tuple[str, ...]] = set()
        self._texts: set[str] = set()
        self._results: dict[str, str] = {}
        self._failures: list[tuple[str, str]] = []
        for span, step in tools:
            self._note_tool(span, step)

    def _note_tool(self, span: SpanRow, step: str) -> None:
        if span.tool_call_id:
            self._results.setdefault(span.tool_call_id, step)
        if span.body and span.body.result:
            self._results.setdefault(gist(span.body.result), step)
        message = span.error_message or ""
        if len(message) >= _LEAST_TELLING and len(self._failures) < _MOST_FAILURES:
            self._failures.append((message, step))

    def put(self, message: Message, step: str, times: int = 1) -> None:
        """Note that a message stands in a step, and that it is so many times in one conversation."""
        key = mark(message)
        if times <= self._counts[key]:
            return
        self._steps.setdefault(key, step)
        self._counts[key] = times
        self._parts.update(map(_part_mark, message.parts))
        if text := text_of(message):
            self._texts.add(gist(text))

    def has(self, message: Message, times: int = 1) -> bool:
        """Whether a message, that comes for the so-manieth time in its conversation, stands above."""
        if times <= self._counts[mark(message)]:
            return True
        step = self._step_of_result(message)
        if step is None and message.role == "assistant" and message.parts and times == 1:
            # Two messages that were sent again as one.
            step = "" if all(_part_mark(part) in self._parts for part in message.parts) else None
        if step is None:
            return False
        if step:
            self._steps.setdefault(mark(message), step)
        return True

    def has_text(self, text: str) -> bool:
        """Whether a message that stands above says just this."""
        return gist(text) in self._texts

    def is_tool(self, call_id: object) -> bool:
        """Whether a call of a tool, by its id, is a step of its own."""
        return str(call_id) in self._results

    def step_of(self, message: Message) -> str | None:
        """The step in which a message stands."""
        return self._steps.get(mark(message))

    def _step_of_result(self, message: Message) -> str | None:
        """The step of the tool, when a message has nothing but results of tools that are steps of their own."""
        found: str | None = None
        for part in message.parts:
            if part.get("type") != "tool_call_response":
                return None
            response = part.get("response", part.get("result"))
            step = self._results.get(str(part.get("id"))) or self._results.get(gist(response)) or self._failed(response)
            if step is None:
                return None
            found = found or step
        return found

    def _failed(self, response: Any) -> str | None:
        text = as_text(response)
        return next((step for message, step in self._failures if message in text), None)


def _part_mark(part: Mapping[str, Any]) -> tuple[str, ...]:
    if part.get("type") == "tool_call":
        return "call", as_text(part.get("name")), gist(part.get("arguments"))
    return as_text(part.get("type")), gist(part.get("content", part.get("response")))
