"""Gemini's `generateContent`, at Google AI and on Vertex AI: how to read its requests and answers.

API reference: https://ai.google.dev/api/generate-content
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ... import semconv
from .._content import Content, Message, Part, as_text, fields, items
from .._endpoint import Attributes, Failure
from .answer import failure
from .generate_parts import content_parts, message_parts, said
from .generate_usage import write_usage
from .request import strings

_NUMBERS: Final = {
    "temperature": semconv.REQUEST_TEMPERATURE,
    "topP": semconv.REQUEST_TOP_P,
    "maxOutputTokens": semconv.REQUEST_MAX_TOKENS,
    "frequencyPenalty": semconv.REQUEST_FREQUENCY_PENALTY,
    "presencePenalty": semconv.REQUEST_PRESENCE_PENALTY,
    "seed": semconv.REQUEST_SEED,
}
_ROLES: Final = {"model": "assistant", "function": "tool"}
_FORMS: Final = {"application/json": "json", "text/x.enum": "json", "text/plain": "text"}
_OUTPUTS: Final = {"IMAGE": "image", "AUDIO": "speech"}
_FILTERED: Final = (
    *("SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR", "JAILBREAK"),
    *("IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "ESCALATION", "BLOCKED_REASON_UNSPECIFIED"),
)
# Why a message ended, in the words of the schema; `error` for all others.
_FINISH: Final = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "CONTINUATION": "length",  # the SDK asks for the rest by itself
    **dict.fromkeys(_FILTERED, "content_filter"),
}
_HEAD: Final = (("responseId", semconv.RESPONSE_ID), ("modelVersion", semconv.RESPONSE_MODEL))
_ANSWER: Final = ("candidates", "promptFeedback", "usageMetadata", "responseId")

# ---- requests ----


def request(body: Mapping[str, Any], attributes: Attributes) -> None:
    """The settings of a request."""
    settings = fields(said(body, "generationConfig"))
    for name, attribute in _NUMBERS.items():
        value = said(settings, name)
        if _is_number(value):
            attributes[attribute] = value
    top_k, choices = said(settings, "topK"), said(settings, "candidateCount")
    if _is_number(top_k) and top_k == top_k // 1:  # the SDK makes a float of it
        attributes[semconv.REQUEST_TOP_K] = int(top_k)
    if isinstance(choices, int) and choices != 1:
        attributes[semconv.REQUEST_CHOICE_COUNT] = choices
    stop = strings(said(settings, "stopSequences"))
    if stop:
        attributes[semconv.REQUEST_STOP_SEQUENCES] = stop
    level = said(fields(said(settings, "thinkingConfig")), "thinkingLevel")
    if isinstance(level, str) and level:
        attributes[semconv.REQUEST_REASONING_LEVEL] = level.lower()
    tier = said(body, "serviceTier")
    if isinstance(tier, str) and tier:
        attributes[semconv.REQUEST_SERVICE_TIER] = tier.lower()
    output = _output_type(settings)
    if output:
        attributes[semconv.OUTPUT_TYPE] = output


def _output_type(settings: Mapping[str, Any]) -> str | None:
    """What the answer is asked to be: a picture or speech before the form of its text."""
    for modality in strings(said(settings, "responseModalities")):
        if modality.upper() in _OUTPUTS:
            return _OUTPUTS[modality.upper()]
    form = said(settings, "responseMimeType")
    return _FORMS.get(form) if isinstance(form, str) else None


def prompt(body: Mapping[str, Any], content: Content, attributes: Attributes) -> None:
    """The system instruction, the messages and the tools of a request."""
    instructions = message_parts(said(body, "systemInstruction"), content)
    if instructions:
        attributes[semconv.SYSTEM_INSTRUCTIONS] = content.complete(instructions)
    given = body.get("contents")
    contents = given if isinstance(given, (list, tuple)) else (given,)
    messages = [_message(each, content) for each in contents if each is not None]
    if messages:
        attributes[semconv.INPUT_MESSAGES] = content.complete(messages)
    tools = [definition for tool in map(fields, items(body.get("tools"))) for definition in _definitions(tool)]
    if tools:
        attributes[semconv.TOOL_DEFINITIONS] = tools


def _message(value: Any, content: Content) -> Message:
    return content.message(_role(fields(value)), message_parts(value, content))


def _role(message: Mapping[str, Any]) -> str:
    """Who speaks: what a program says of the tools it has called is a user's message in this API."""
    role = message.get("role")
    role = _ROLES.get(role, role) if isinstance(role, str) and role else "user"
    if role != "user":
        return role
    parts = [fields(part) for part in content_parts(message)]
    return "tool" if parts and all(fields(said(part, "functionResponse")) for part in parts) else role


def _definitions(tool: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The functions that a tool declares; of one that runs at the provider its name and its settings."""
    found: list[Mapping[str, Any]] = []
    for name, settings in tool.items():
        if name in ("functionDeclarations", "function_declarations"):
            found += [_function(fields(each)) for each in items(settings)]
        elif settings is not None:
            found.append({**fields(settings), "type": name})
    return found


def _function(declared: Mapping[str, Any]) -> Mapping[str, Any]:
    parameters = said(declared, "parametersJsonSchema") or declared.get("parameters")
    function = {"type": "function", "name": declared.get("name"), "description": declared.get("description")}
    return {name: value for name, value in {**function, "parameters": parameters}.items() if value is not None}


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


# ---- answers ----


def response(value: Any, attributes: Attributes) -> Failure | None:
    """What an answer says besides its text."""
    response = fields(value)
    for name, attribute in _HEAD:
        found = response.get(name)
        if isinstance(found, str) and found:
            attributes[attribute] = found
    write_usage(fields(response.get("usageMetadata")), attributes)
    reasons = [_reason(candidate.get("finishReason")) for candidate in _candidates(response)]
    if any(reasons):
        attributes[semconv.RESPONSE_FINISH_REASONS] = tuple((reason or "error").lower() for reason in reasons)
    return failed(value, response, _ANSWER)


def failed(value: Any, response: Mapping[str, Any], answer: tuple[str, ...]) -> Failure | None:
    """The status and the text of a failure that came as an ordinary answer; None when it has a field of an answer."""
    error = fields(response.get("error"))
    status = error.get("status")
    if isinstance(status, str) and status:
        return status, as_text(error.get("message"))
    if not response.get("error") and any(response.get(name) for name in answer):
        return None
    return failure(value, response, answer[0])


def output(value: Any, content: Content) -> list[Message]:
    """The messages of an answer: one of each candidate; of a blocked prompt one that says so."""
    messages = []
    for candidate in _candidates(fields(value)):
        said_ = candidate.get("content")
        reason = _reason(candidate.get("finishReason"))
        finish = "error" if reason is None else _FINISH.get(reason, "error")
        parts = [] if said_ is None else message_parts(said_, content)
        if finish == "stop" and any(said(fields(part), "functionCall") is not None for part in content_parts(said_)):
            finish = "tool_call"
        messages.append(content.message("assistant", parts + _why(candidate, "finishMessage", content), finish))
    return content.complete(messages)


def _candidates(response: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The candidates; for a blocked prompt one that was ended by what blocked it."""
    candidates = [fields(candidate) for candidate in items(response.get("candidates"))]
    feedback = fields(response.get("promptFeedback"))
    reason = _reason(feedback.get("blockReason"))
    if candidates or reason is None:
        return candidates
    return [{"finishReason": reason, "finishMessage": feedback.get("blockReasonMessage")}]


def _why(candidate: Mapping[str, Any], name: str, content: Content) -> list[Part]:
    """What the API says of an end that is not the model's own."""
    text = candidate.get(name)
    return [content.text(text, "refusal")] if isinstance(text, str) and text else []


def _reason(value: Any) -> str | None:
    return value if isinstance(value, str) and value and not value.startswith("FINISH_REASON_UNSPEC") else None
