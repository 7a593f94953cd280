"""Anthropic's Messages API: how to read its requests and answers. Bedrock, Vertex AI and other hosts speak it, too.

API reference: https://platform.claude.com/docs/en/api/messages
The one thing to know: `input_tokens` leaves out what was read from a cache and written to one, and all tokens at the
top of a usage leave out those of a compaction, which the same model makes and which are paid like the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from ... import semconv
from .._content import Content, Message, fields, items, message_finish
from .._endpoint import Attributes, Failure
from .answer import failure
from .messages_parts import message_parts
from .request import output_type, role_of, strings
from .usage import count, write_cost, write_geo, write_searches, write_tokens

_COUNTS: Final = (("max_tokens", semconv.REQUEST_MAX_TOKENS), ("top_k", semconv.REQUEST_TOP_K))
_NUMBERS: Final = (("temperature", semconv.REQUEST_TEMPERATURE), ("top_p", semconv.REQUEST_TOP_P))
_HEAD: Final = (("id", semconv.RESPONSE_ID), ("model", semconv.RESPONSE_MODEL))
# Why an answer ended, in the words of the schema of messages.
_FINISH: Final = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_call",
    "refusal": "content_filter",
}
_COMPACTION: Final = "compaction"
# Without any output it is not billed, by Anthropic itself: https://platform.claude.com/docs/en/release-notes/overview
_REFUSAL: Final = "refusal"
_OTHER_HOSTS: Final = ("msg_bdrk_", "msg_vrtx_")
FAST: Final = "fast"

# ---- requests ----


def request(body: Mapping[str, Any], attributes: Attributes) -> None:
    """The settings of a request."""
    for name, attribute in _COUNTS:
        number = count(body.get(name))
        if number is not None:
            attributes[attribute] = number
    for name, attribute in _NUMBERS:
        value = body.get(name)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            attributes[attribute] = value
    stop = strings(body.get("stop_sequences"))
    if stop:
        attributes[semconv.REQUEST_STOP_SEQUENCES] = stop
    config = fields(body.get("output_config"))
    output_type(config.get("format") or body.get("output_format"), attributes)
    if isinstance(config.get("effort"), str):
        attributes[semconv.REQUEST_REASONING_LEVEL] = config["effort"]
    previous = fields(body.get("thread")).get("previous_message_id")
    if isinstance(previous, str):
        attributes[semconv.REQUEST_PREVIOUS_RESPONSE_ID] = previous
    if any(_is_compacted(fields(message).get("content")) for message in items(body.get("messages"))):
        attributes[semconv.CONVERSATION_COMPACTED] = True


def prompt(body: Mapping[str, Any], content: Content, attributes: Attributes) -> None:
    """The instructions, the messages and the tools of a request."""
    instructions = message_parts(body.get("system"), content)
    if instructions:
        attributes[semconv.SYSTEM_INSTRUCTIONS] = content.complete(instructions)
    messages = [message for value in items(body.get("messages")) for message in _messages(value, content)]
    if messages:
        attributes[semconv.INPUT_MESSAGES] = content.complete(messages)
    tools = [_tool_definition(tool) for tool in items(body.get("tools"))]
    if tools:
        attributes[semconv.TOOL_DEFINITIONS] = tools


def _messages(value: Any, content: Content) -> Iterator[Message]:
    """A message; the results of tools in a user's message are one of their own."""
    message = fields(value)
    if not message:
        yield content.message("user", message_parts(value, content))
        return
    role = role_of(message)
    parts = message_parts(message.get("content"), content)
    results = [part for part in parts if part["type"] == "tool_call_response"]
    if results:
        yield content.message("tool", results)
        parts = [part for part in parts if part["type"] != "tool_call_response"]
    if parts or not results:
        yield content.message(role, parts)


def _tool_definition(value: Any) -> Any:
    """A tool of the program's own in the words of the schema; one of the host's as it is."""
    tool = fields(value)
    if "input_schema" not in tool:
        return tool or value
    said = {name: tool[name] for name in ("name", "description") if name in tool}
    return {"type": "function", **said, "parameters": tool["input_schema"]}


def _is_compacted(blocks: Any) -> bool:
    return any(fields(block).get("type") == _COMPACTION for block in items(blocks))


# ---- answers ----


def response(value: Any, attributes: Attributes) -> Failure | None:
    """What an answer says besides its text."""
    answer = fields(value)
    for name, attribute in _HEAD:
        text = answer.get(name)
        if isinstance(text, str) and text:
            attributes[attribute] = text
    reason = answer.get("stop_reason")
    if isinstance(reason, str) and reason:
        attributes[semconv.RESPONSE_FINISH_REASONS] = (reason,)
    if _is_compacted(answer.get("content")):
        attributes[semconv.CONVERSATION_COMPACTED] = True
    usage(fields(answer.get("usage")), attributes)
    if reason == _REFUSAL and not answer.get("content") and not str(answer.get("id")).startswith(_OTHER_HOSTS):
        attributes[semconv.BILLED_INPUT_TOKENS] = attributes[semconv.BILLED_OUTPUT_TOKENS] = 0
    return failure(value, answer, "content")


def output(value: Any, content: Content) -> list[Message]:
    """The message of an answer."""
    answer = fields(value)
    parts, reason = message_parts(answer.get("content"), content), answer.get("stop_reason")
    if not parts and not reason:
        return []
    finish = message_finish(_FINISH.get(reason, reason) if isinstance(reason, str) else None)
    return content.complete([content.message(role_of(answer, "assistant"), parts, finish)])


# ---- tokens ----


class _Tokens(NamedTuple):
    fresh: int | None
    made: int | None
    read: int
    written: int
    written_1h: int

    def plus(self, other: _Tokens) -> _Tokens:
        """The sum; what is not known here is not known of it."""
        return _Tokens(
            None if self.fresh is None else self.fresh + (other.fresh or 0),
            None if self.made is None else self.made + (other.made or 0),
            self.read + other.read,
            self.written + other.written,
            self.written_1h + other.written_1h,
        )


def usage(said: Mapping[str, Any], attributes: Attributes) -> None:
    """The tokens of an answer, the tier that served it, and what it has cost if the host says so."""
    found = _tokens(said)
    iterations = [fields(each) for each in items(said.get("iterations"))]
    for each in iterations:
        if each.get("type") == _COMPACTION:
            found = found.plus(_tokens(each))
    if len(iterations) > 1:
        models = (each.get("model") or attributes.get(semconv.RESPONSE_MODEL) for each in iterations)
        attributes[semconv.RESPONSE_ITERATIONS] = tuple(model if isinstance(model, str) else "" for model in models)
    fresh, made, read, written, written_1h = found
    thinking = count(fields(said.get("output_tokens_details")).get("thinking_tokens")) or 0
    if any(found):
        write_tokens(
            attributes,
            # No request has an input of 0: it is the placeholder of a host that counts at the end.
            None if fresh is None else fresh + read + written or None,
            made,
            cache_read=read,
            cache_write=written,
            cache_write_1h=written_1h,
            reasoning=thinking if made is not None and thinking <= made else 0,
        )
    # Fast answers have prices of their own, and no other tier.
    tier = FAST if said.get("speed") == FAST else said.get("service_tier")
    if isinstance(tier, str) and tier:
        attributes[semconv.RESPONSE_SERVICE_TIER] = tier
    write_geo(said, attributes)
    write_cost(said, attributes)
    write_searches(said, attributes)


def _tokens(said: Mapping[str, Any]) -> _Tokens:
    by_life = fields(said.get("cache_creation"))
    of_5m, of_1h = (count(by_life.get(f"ephemeral_{life}_input_tokens")) or 0 for life in ("5m", "1h"))
    return _Tokens(
        count(said.get("input_tokens")),
        count(said.get("output_tokens")),
        count(said.get("cache_read_input_tokens")) or 0,
        max(count(said.get("cache_creation_input_tokens")) or 0, of_5m + of_1h),
        of_1h,
    )
