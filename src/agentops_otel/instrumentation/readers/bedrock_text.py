"""Bodies of models that take one prompt: Llama, Titan, Mistral, DeepSeek, older ones of Cohere and others of that kind.

They differ in the names of their fields alone.
Reference: https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from ... import semconv
from .._content import Content, Message, as_text, fields, items, message_finish
from .._endpoint import Attributes, Failure
from .answer import failure
from .event_fold import EventFold
from .request import strings
from .usage import count, write_tokens

_SETTINGS: Final = {
    "max_gen_len": semconv.REQUEST_MAX_TOKENS,
    "max_tokens": semconv.REQUEST_MAX_TOKENS,
    "max_tokens_to_sample": semconv.REQUEST_MAX_TOKENS,
    "maxTokenCount": semconv.REQUEST_MAX_TOKENS,
    "temperature": semconv.REQUEST_TEMPERATURE,
    "top_p": semconv.REQUEST_TOP_P,
    "topP": semconv.REQUEST_TOP_P,
    "p": semconv.REQUEST_TOP_P,
    "top_k": semconv.REQUEST_TOP_K,
    "k": semconv.REQUEST_TOP_K,
    "seed": semconv.REQUEST_SEED,
    "frequency_penalty": semconv.REQUEST_FREQUENCY_PENALTY,
    "presence_penalty": semconv.REQUEST_PRESENCE_PENALTY,
}
_STOP: Final = ("stop", "stop_sequences", "stopSequences")
_PROMPTS: Final = ("prompt", "inputText", "inputPrompt")
_RESULTS: Final = ("results", "outputs", "generations", "choices")
_TEXTS: Final = ("outputText", "text", "generation", "completion", "message")
_REASONS: Final = ("completionReason", "stop_reason", "finish_reason", "finishReason")
_INPUT: Final = ("inputTextTokenCount", "prompt_token_count")
_OUTPUT: Final = ("generation_token_count", "totalOutputTextTokenCount", "tokenCount")
_IDS: Final = ("id", "generation_id")
_FINISH: Final = {
    "FINISH": "stop",
    "COMPLETE": "stop",
    "COMPLETED": "stop",
    "stop_sequence": "stop",
    "LENGTH": "length",
    "MAX_TOKENS": "length",
    "max_tokens": "length",
    "CONTENT_FILTERED": "content_filter",
    "ERROR_TOXIC": "content_filter",
    "ERROR": "error",
}

# ---- requests ----


def request(body: Mapping[str, Any], attributes: Attributes) -> None:
    """The settings of a request; Titan has them in an object."""
    for said in (fields(body.get("textGenerationConfig")), body):
        for name, value in said.items():
            attribute = _SETTINGS.get(name)
            if attribute is not None and _is_number(value):
                attributes[attribute] = value
        stop = next((found for name in _STOP if (found := strings(said.get(name)))), None)
        if stop:
            attributes[semconv.REQUEST_STOP_SEQUENCES] = stop
    choices = count(body.get("num_generations"))
    if choices is not None and choices > 1:
        attributes[semconv.REQUEST_CHOICE_COUNT] = choices


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 2**63


def prompt(body: Mapping[str, Any], content: Content, attributes: Attributes) -> None:
    """The prompt with its pictures."""
    text = _first(_PROMPTS, body)
    parts = [] if text is None else [content.text(text)]
    parts += [content.blob("image", None, image) for image in strings(body.get("images"))]
    if parts:
        attributes[semconv.INPUT_MESSAGES] = content.complete([content.message("user", parts)])


# ---- answers ----


def response(value: Any, attributes: Attributes) -> Failure | None:
    """What an answer says besides its text."""
    response = fields(value)
    reply_id = next((found for name in _IDS if isinstance(found := response.get(name), str) and found), None)
    if reply_id is not None:
        attributes[semconv.RESPONSE_ID] = reply_id
    results = _results(response)
    reasons = [_reason(result) for result in results]
    if any(reasons):
        attributes[semconv.RESPONSE_FINISH_REASONS] = tuple(reason or "error" for reason in reasons)
    counts = [_count(_OUTPUT, result) for result in results]
    known = [tokens for tokens in counts if tokens is not None]
    given, made = _count(_INPUT, response), sum(known) if len(known) == len(counts) and counts else None
    write_tokens(attributes, given, made)
    return None if results else failure(value, response, "results")


def output(value: Any, content: Content) -> list[Message]:
    """The messages of an answer: one of each result."""
    messages = []
    for result in _results(fields(value)):
        reason = _reason(result)
        finish = message_finish(None if reason is None else _FINISH.get(reason, reason))
        text = _first(_TEXTS, result)
        messages.append(content.message("assistant", [content.text(text)] if text else [], finish))
    return content.complete(messages)


def _results(response: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The results: objects in a list, or the answer itself."""
    several = [fields(result) for name in _RESULTS for result in items(response.get(name))]
    return several or ([response] if _first(_TEXTS, response) is not None or _reason(response) else [])


def _reason(result: Mapping[str, Any]) -> str | None:
    return next((found for name in _REASONS if isinstance(found := result.get(name), str) and found), None)


def _first(names: Iterable[str], said: Mapping[str, Any]) -> Any:
    return next((said[name] for name in names if said.get(name) is not None), None)


def _count(names: Iterable[str], said: Mapping[str, Any]) -> int | None:
    return next((found for name in names if (found := count(said.get(name))) is not None), None)


# ---- streams ----


class TextFold(EventFold):
    """The chunks of one stream: each is an answer with a piece of the text."""

    __slots__ = ("_reasons", "_said", "_texts")

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[str, Any] = {}
        self._texts: dict[int, list[str]] = {}
        self._reasons: dict[int, str] = {}

    def add(self, chunk: Any) -> None:
        """Take in one event."""
        said = fields(chunk)
        for place, result in enumerate(_results(said)):
            pieces, text, reason = self._texts.setdefault(place, []), _first(_TEXTS, result), _reason(result)
            if text:
                pieces.append(as_text(text))
            if reason is not None:
                self._reasons[place] = reason
        self._said.update((name, said[name]) for name in (*_IDS, *_INPUT, *_OUTPUT) if said.get(name) is not None)

    def response(self) -> Mapping[str, Any]:
        """The answer so far; the output is counted from chunk to chunk, and only at the end the count is one."""
        head: dict[str, Any] = {name: said for name, said in self._said.items() if name not in _OUTPUT}
        results: list[dict[str, Any]] = [
            {"text": "".join(pieces), "stop_reason": self._reasons.get(place)} for place, pieces in self._texts.items()
        ]
        if 0 in self._reasons:
            results[0].update((name, said) for name, said in self._said.items() if name in _OUTPUT)
        return {**head, "results": results}
