"""What every answer says besides its text: id, model, tier, usage, cost, and whether it is a failure.

An answer with status 200 can be a failure: compatible hosts and the proxies before them report theirs that way.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ... import semconv
from ...media import replaced
from ...text import cut
from .._content import as_text, fields, items
from .._endpoint import NOT_AN_ANSWER, Attributes, Failure
from .usage import said_in, write_cost, write_searches, write_usage

_RESPONSE_FIELDS: Final = (
    ("id", semconv.RESPONSE_ID),
    ("model", semconv.RESPONSE_MODEL),
    ("service_tier", semconv.OPENAI_RESPONSE_SERVICE_TIER),
    ("system_fingerprint", semconv.OPENAI_SYSTEM_FINGERPRINT),
)
_SECONDS: Final = {  # how long the provider itself took: Groq says it in the usage, Cerebras beside it
    "queue_time": semconv.SERVER_QUEUE_TIME,
    "prompt_time": semconv.SERVER_PROMPT_TIME,
    "completion_time": semconv.SERVER_COMPLETION_TIME,
}
_TIMED: Final = frozenset(_SECONDS)
_MOST_SECONDS: Final = 1e6
_MOST_TEXT: Final = 512  # characters of a page that came instead of an answer


def head(response: Mapping[str, Any], attributes: Attributes, *, only_input: bool = False) -> None:
    """The fields that all answers have; `only_input` as in `write_usage()`."""
    for name, attribute in _RESPONSE_FIELDS:
        value = response.get(name)
        if isinstance(value, str) and value:
            attributes[attribute] = value
    said = said_in(response)
    if said:
        write_usage(said, attributes, only_input=only_input)
        write_cost(said, attributes)
        write_searches(said, attributes)
        if not _TIMED.isdisjoint(said):
            _write_seconds(said, attributes)
    if response.get("time_info"):
        _write_seconds(fields(response["time_info"]), attributes)


def finish_reasons(choices: Any, attributes: Attributes) -> None:
    """Why each of several answers ended, if it is said of one; the others keep their place."""
    found: list[str] = []
    is_said = False
    for choice in items(choices):
        reason = fields(choice).get("finish_reason")
        if isinstance(reason, str) and reason:
            found.append(reason)
            is_said = True
        else:
            found.append("error")
    if is_said:
        attributes[semconv.RESPONSE_FINISH_REASONS] = (*found,)


def _write_seconds(said: Mapping[str, Any], attributes: Attributes) -> None:
    for name, attribute in _SECONDS.items():
        value = said.get(name)
        if isinstance(value, (int, float)) and value is not True and 0 <= value < _MOST_SECONDS:
            attributes[attribute] = float(value)


def failure(value: Any, response: Mapping[str, Any], body: str) -> Failure | None:
    """The code and the text of a failure that came as an ordinary answer; None when it is an answer.

    Args:
        value: what came.
        response: its fields.
        body: the field that an answer of this endpoint has.
    """
    error = response.get("error")
    if not error and response.get("object") == "error":
        error = response
    if error:
        return _named(error, response)
    refused = fields(response.get("base_resp"))  # MiniMax
    if refused.get("status_code"):
        return str(refused["status_code"]), as_text(refused.get("status_msg"))
    for choice in map(fields, items(response.get("choices"))):
        if choice.get("error"):
            return _named(choice["error"], response)
        if choice.get("finish_reason") == "error":
            return "error", ""
    if response.get("id") or response.get(body) or said_in(response):
        return None
    text = value if isinstance(value, str) else response.get("message") or response.get("detail")
    shown = cut(replaced(as_text(text), _MOST_TEXT), _MOST_TEXT)
    return NOT_AN_ANSWER, shown or "the answer has no id and no other field that was expected"


def _named(error: Any, response: Mapping[str, Any]) -> Failure:
    found = fields(error)
    if isinstance(error, (bool, int)):
        return ("error" if error is True else str(error)), as_text(response.get("message"))
    if not found:
        return "error", as_text(error)
    names = (found.get("code"), found.get("type"), found.get("status"))
    name = next((str(name) for name in names if name and isinstance(name, (str, int)) and name is not True), "error")
    return name, as_text(found.get("message"))
