"""What the user asked first and what was answered last, from the messages of a session's LLM calls.

For the session's root span. The messages are read as they have left the redaction, so that the root shows nothing that
the calls do not show.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from . import semconv
from .text import brief
from .totals import kind_of

_MOST_TRIES: Final = 8  # calls that are looked at for what the user asked
_TOOL_CALL: Final = '"tool_call"'
_TEXTS: Final = ('"type":"text"', '"type": "text"')


class Conversation:
    """Fed with the attributes of finished spans; the user's thread only keeps the last answer, as JSON."""

    def __init__(self) -> None:
        self._asked: str | None = None
        self._tries = 0
        self._answer = ""

    def note(self, attributes: Mapping[str, Any] | None) -> None:
        """Note the messages of an LLM call; other spans have none."""
        attributes = attributes or {}
        if kind_of(attributes) != semconv.KIND_LLM:
            return
        if self._asked is None and self._tries < _MOST_TRIES:
            prompt = attributes.get(semconv.INPUT_MESSAGES)
            if isinstance(prompt, str):
                self._tries += 1
                self._asked = _first_text(prompt, "user")
        answer = attributes.get(semconv.OUTPUT_MESSAGES)
        if not isinstance(answer, str) or (_TEXTS[0] not in answer and _TEXTS[1] not in answer):
            return
        if _TOOL_CALL not in answer or _first_text(answer, None):  # the arguments of a tool may look like a text
            self._answer = answer

    def attributes(self) -> dict[str, str]:
        """`input.value` and `output.value` of the root span, as far as they are known."""
        values = {semconv.INPUT_VALUE: self._asked, semconv.OUTPUT_VALUE: _first_text(self._answer, None)}
        return {name: brief(text) for name, text in values.items() if text}


def _first_text(messages: str, role: str | None) -> str | None:
    """The text of the first message, of this role, that has one; None for what is not the JSON of messages."""
    try:
        parsed = json.loads(messages)
    except ValueError:
        return None
    for message in parsed if isinstance(parsed, list) else ():
        if not isinstance(message, dict) or role not in (None, message.get("role")):
            continue
        parts = message.get("parts")
        texts = [
            part["content"]
            for part in (parts if isinstance(parts, list) else ())
            if isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("content"), str)
        ]
        if text := "\n".join(filter(None, texts)):
            return text
    return None
