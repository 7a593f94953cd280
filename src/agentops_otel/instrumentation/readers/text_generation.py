"""The text-generation task of Hugging Face, as its Text Generation Inference servers speak it.

How many tokens there were is said in `details`, for which a request has to ask.
API reference: https://huggingface.co/docs/inference-providers/tasks/text-generation
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from ... import semconv
from .._content import NOTHING, Content, Message, as_text, fields, items, message_finish
from .._endpoint import Attributes, Failure
from .answer import failure
from .event_fold import EventFold
from .parts import message_parts
from .request import parameters, strings
from .usage import count, write_tokens

_FINISH: Final = {"eos_token": "stop", "stop_sequence": "stop"}


def request(body: Mapping[str, Any], attributes: Attributes) -> None:
    """The settings, all in an object of their own."""
    asked = fields(body.get("parameters"))
    parameters(asked, attributes)
    most = count(asked.get("max_new_tokens"))
    if most:
        attributes[semconv.REQUEST_MAX_TOKENS] = most
    stop = strings(asked.get("stop"))
    if stop:
        attributes[semconv.REQUEST_STOP_SEQUENCES] = stop
    if fields(asked.get("grammar")).get("type") in ("json", "json_schema"):
        attributes[semconv.OUTPUT_TYPE] = "json"


def prompt(body: Mapping[str, Any], content: Content, attributes: Attributes) -> None:
    """The text to go on with."""
    parts = message_parts(body.get("inputs"), content)
    if parts:
        attributes[semconv.INPUT_MESSAGES] = content.complete([content.message("user", parts)])


def response(value: Any, attributes: Attributes) -> Failure | None:
    """Why it ended, and the tokens."""
    answer = _answer(value)
    details = fields(answer.get("details"))
    reason = details.get("finish_reason")
    if isinstance(reason, str) and reason:
        attributes[semconv.RESPONSE_FINISH_REASONS] = (reason,)
    prefill = details.get("prefill")  # the tokens of the prompt, if they were asked for
    total_in = len(prefill) if isinstance(prefill, (list, tuple)) and prefill else count(details.get("input_length"))
    write_tokens(attributes, total_in, _made(details))
    if isinstance(answer.get("generated_text"), str) and not answer.get("error"):
        return None
    return failure(value, answer, "generated_text")


def output(value: Any, content: Content) -> list[Message]:
    """The text as one message."""
    answer = _answer(value)
    if "generated_text" not in answer:
        return []
    reason = fields(answer.get("details")).get("finish_reason")
    finish = message_finish(_FINISH.get(reason, reason) if isinstance(reason, str) else "stop")
    return content.complete([content.message("assistant", [content.text(answer["generated_text"])], finish)])


def _answer(value: Any) -> Mapping[str, Any]:
    """The answer itself; most servers put it into a list."""
    return fields(next(iter(items(value)), None)) if isinstance(value, (list, tuple)) else fields(value)


def _made(details: Mapping[str, Any]) -> int | None:
    """The tokens of all sequences of which the best was taken."""
    others: Iterable[Any] = map(fields, items(details.get("best_of_sequences")))
    best = count(details.get("generated_tokens"))
    return None if best is None else best + sum(count(each.get("generated_tokens")) or 0 for each in others)


class TextGenerationFold(EventFold):
    """The tokens of one stream; the last one has the whole text and the details."""

    __slots__ = ("_details", "_error", "_text", "_whole")

    def __init__(self) -> None:
        super().__init__()
        self._text: list[str] = []
        self._whole: str | None = None
        self._details: Mapping[str, Any] = NOTHING
        self._error: Any = None

    def add(self, chunk: Any) -> None:
        """Take in one token."""
        found = fields(chunk)
        token = fields(found.get("token"))
        text = token.get("text")
        if text and token.get("special") is not True:
            self._text.append(text if isinstance(text, str) else as_text(text))
        whole, details = found.get("generated_text"), fields(found.get("details"))
        if isinstance(whole, str):
            self._whole = whole
            self.done = True
        if details:
            self._details = details
            self.done = True
        if found.get("error"):
            self._error = found["error"]

    def response(self) -> Mapping[str, Any]:
        """The answer so far."""
        text = "".join(self._text) if self._whole is None else self._whole
        answer: dict[str, Any] = {"generated_text": text, "details": self._details}
        return answer if self._error is None else {**answer, "error": self._error}
