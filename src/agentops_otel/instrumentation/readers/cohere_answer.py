"""What every answer of Cohere's says besides its text: id, end, tokens, and whether it is a failure.

Cohere counts twice: what a model has read and written, with the words of its own templates, and what it bills. The
first is the usage, the second the price.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ... import semconv
from .._content import as_text, fields, message_finish
from .._endpoint import NOT_AN_ANSWER, Attributes, Failure
from .answer import failure as any_failure
from .usage import count, write_tokens

_IDS: Final = ("id", "response_id", "generation_id")  # v2, and v1
_FAILED: Final = frozenset({"ERROR", "TIMEOUT"})
_FINISH: Final = {
    "COMPLETE": "stop",
    "STOP_SEQUENCE": "stop",
    "MAX_TOKENS": "length",
    "ERROR_LIMIT": "length",
    "TOOL_CALL": "tool_call",
    "ERROR_TOXIC": "content_filter",
    "TIMEOUT": "error",
    "ERROR": "error",
    "USER_CANCEL": "error",
}


def head(answer: Mapping[str, Any], attributes: Attributes, *, only_input: bool = False) -> None:
    """The fields that all answers have.

    Args:
        only_input: the call has no output that is made of tokens, as an embedding.
    """
    for name in _IDS:
        value = answer.get(name)
        if isinstance(value, str) and value:
            attributes[semconv.RESPONSE_ID] = value
            break
    reason = answer.get("finish_reason")
    if isinstance(reason, str) and reason:
        attributes[semconv.RESPONSE_FINISH_REASONS] = (reason,)
    _usage(fields(answer.get("usage")) or fields(answer.get("meta")), attributes, only_input=only_input)


def failure(value: Any, answer: Mapping[str, Any], body: str) -> Failure | None:
    """The code and the text of a failure that came as an ordinary answer; `body` as in `answer.failure()`."""
    reason = answer.get("finish_reason")
    if isinstance(reason, str) and reason in _FAILED:
        return reason, as_text(answer.get("error"))
    if isinstance(answer.get("message"), str):  # a refusal, which has an id, too
        return NOT_AN_ANSWER, answer["message"]
    return any_failure(value, answer, body)


def finish(reason: Any) -> str:
    """Why an answer's message ended, in the words of the schema."""
    return message_finish(_FINISH.get(reason, reason) if isinstance(reason, str) else None)


def _usage(said: Mapping[str, Any], attributes: Attributes, *, only_input: bool) -> None:
    """The tokens: what the model has counted, else what is billed. An answer without both says nothing of them."""
    counted, billed = fields(said.get("tokens")), fields(said.get("billed_units"))
    total_in, billed_in = _both("input_tokens", counted, billed)
    total_out, billed_out = (None, None) if only_input else _both("output_tokens", counted, billed)
    pictures = count(billed.get("image_tokens")) or 0
    if pictures > (total_in or 0):  # of an embedding: then they stand beside its text
        total_in = (count(billed.get("text_tokens")) or 0 if total_in is None else total_in) + pictures
    cached = count(said.get("cached_tokens")) or 0
    write_tokens(attributes, total_in, total_out, cache_read=cached if cached <= (total_in or 0) else 0)
    if pictures:
        attributes[semconv.USAGE_INPUT_IMAGE_TOKENS] = pictures
    if billed_in is not None and billed_in != total_in and not pictures:
        attributes[semconv.BILLED_INPUT_TOKENS] = billed_in
    if billed_out is not None and billed_out != total_out:
        attributes[semconv.BILLED_OUTPUT_TOKENS] = billed_out
    searches = count(billed.get("search_units"))
    if searches:
        attributes[semconv.USAGE_SEARCH_UNITS] = searches


def _both(name: str, counted: Mapping[str, Any], billed: Mapping[str, Any]) -> tuple[int | None, int | None]:
    """How many tokens the model has counted, and how many are billed: the same where only one of them is known."""
    found, paid = count(counted.get(name)), count(billed.get(name))
    return (paid if found is None else found), (found if paid is None else paid)
