"""Bedrock's Converse, and the bodies of Nova, which are the same: how to read requests and answers.

API reference: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from ... import semconv
from .._content import NOTHING, Content, Message, Part, as_text, fields, items, message_finish
from .._endpoint import Attributes, Failure
from .answer import failure
from .request import output_type, role_of, strings
from .usage import count, write_tokens

_SETTINGS: Final = {
    "maxTokens": semconv.REQUEST_MAX_TOKENS,
    "max_new_tokens": semconv.REQUEST_MAX_TOKENS,
    "temperature": semconv.REQUEST_TEMPERATURE,
    "topP": semconv.REQUEST_TOP_P,
    "top_p": semconv.REQUEST_TOP_P,
    "topK": semconv.REQUEST_TOP_K,
    "top_k": semconv.REQUEST_TOP_K,
}
# Where models take how hard they should think: an object, and the field in it.
_EFFORTS: Final = (
    ("outputConfig", "effort"),
    ("output_config", "effort"),
    ("reasoningConfig", "maxReasoningEffort"),
)
_FINISH: Final = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "tool_call",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
    "malformed_model_output": "error",
    "malformed_tool_use": "error",
}
_OPTIMIZED: Final = "optimized"
_MEDIA: Final = ("image", "document", "video", "audio")
# The media types that are not the modality and the format.
_TYPES: Final = {
    "jpg": "image/jpeg",
    "pdf": "application/pdf",
    "csv": "text/csv",
    "doc": "application/msword",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xls": "application/vnd.ms-excel",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "html": "text/html",
    "txt": "text/plain",
    "md": "text/markdown",
    "mkv": "video/x-matroska",
    "mov": "video/quicktime",
    "wmv": "video/x-ms-wmv",
    "flv": "video/x-flv",
    "mpg": "video/mpeg",
    "three_gp": "video/3gpp",
    "mp3": "audio/mpeg",
    "mpga": "audio/mpeg",
    "m4a": "audio/mp4",
}
_INPUT: Final = ("inputTokens", "inputTokenCount")
_OUTPUT: Final = ("outputTokens", "outputTokenCount")
_CACHE_READ: Final = ("cacheReadInputTokens", "cacheReadInputTokenCount")
_CACHE_WRITE: Final = ("cacheWriteInputTokens", "cacheWriteInputTokenCount")


def model_of(name: str) -> str:
    """A model's name from its ARN; an ARN that does not say the model, as that of a deployment, stays."""
    if not name.startswith("arn:"):
        return name
    kind, _, model = name.split(":", 5)[-1].partition("/")
    return model if model and kind in ("foundation-model", "inference-profile") else name


# ---- requests ----


def request(body: Mapping[str, Any], attributes: Attributes) -> None:
    """The settings of a request: those of all models, and those that only some have."""
    more = fields(body.get("additionalModelRequestFields"))
    for said in (more, fields(more.get("inferenceConfig")), fields(body.get("inferenceConfig"))):
        for name, value in said.items():
            attribute = _SETTINGS.get(name)
            if attribute is not None and _is_number(value):
                attributes[attribute] = value
        stop = strings(said.get("stopSequences") or said.get("stop_sequences"))
        if stop:
            attributes[semconv.REQUEST_STOP_SEQUENCES] = stop
    output_type(fields(body.get("outputConfig")).get("textFormat"), attributes)
    efforts = [more.get("reasoning_effort")]
    efforts += [fields(said.get(name)).get(field) for said in (body, more) for name, field in _EFFORTS]
    effort = next((effort for effort in efforts if effort and isinstance(effort, str)), None)
    if effort is not None:
        attributes[semconv.REQUEST_REASONING_LEVEL] = effort


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 2**63


def prompt(body: Mapping[str, Any], content: Content, attributes: Attributes) -> None:
    """The instructions, the messages and the tools of a request."""
    instructions = _parts(body.get("system"), content)
    if instructions:
        attributes[semconv.SYSTEM_INSTRUCTIONS] = content.complete(instructions)
    messages = [found for message in items(body.get("messages")) for found in _messages(message, content)]
    if messages:
        attributes[semconv.INPUT_MESSAGES] = content.complete(messages)
    tools = [found for tool in items(fields(body.get("toolConfig")).get("tools")) if (found := _tool(fields(tool)))]
    if tools:
        attributes[semconv.TOOL_DEFINITIONS] = tools


def _tool(tool: Mapping[str, Any]) -> Mapping[str, Any]:
    """The definition of a tool in the words of the schema; none of what only marks a place in the cache."""
    said = fields(tool.get("toolSpec"))
    if said:
        found = {"type": "function", "name": said.get("name"), "description": said.get("description")}
        parameters = fields(said.get("inputSchema")).get("json")
        found = {name: value for name, value in found.items() if value is not None}
        return found if parameters is None else {**found, "parameters": parameters}
    system = fields(tool.get("systemTool"))
    return {"type": "system", **system} if system else NOTHING if "cachePoint" in tool else tool


# ---- messages ----


def _messages(value: Any, content: Content) -> Iterator[Message]:
    """A message; the results of tools in a user's message are one of their own."""
    message = fields(value)
    parts = _parts(message.get("content") if message else [value], content)
    results = [part for part in parts if part["type"] == "tool_call_response"]
    if results:
        yield content.message("tool", results)
        parts = [part for part in parts if part["type"] != "tool_call_response"]
    if parts or not results:
        yield content.message(role_of(message), parts)


def _parts(blocks: Any, content: Content) -> list[Part]:
    if isinstance(blocks, str):
        return [content.text(blocks)]
    return [part for block in items(blocks) for part in _block(block, content)]


def _block(value: Any, content: Content) -> list[Part]:
    """The parts of a content block: an object with one field, which says what it is."""
    block = fields(value)
    for name, said in block.items():
        if name == "text":
            return [content.text(said)]
        read = _BLOCKS.get(name)
        if read is not None and said is not None:
            return read(fields(said), content)
        if name in _MEDIA and said is not None:
            return [_media(name, fields(said), content)]
    if block:
        return [content.other(str(name)) for name in list(block)[:1] if name != "cachePoint"]
    return [content.text(value)] if value else []


def _call(said: Mapping[str, Any], content: Content) -> list[Part]:
    return [content.tool_call(said.get("toolUseId"), said.get("name"), said.get("input"))]


def _result(said: Mapping[str, Any], content: Content) -> list[Part]:
    blocks = said.get("content")
    parts: list[Part] = []
    for block in items(blocks):
        parts += [content.text(block["json"])] if "json" in fields(block) else _block(block, content)
    if len(parts) == 1 and parts[0]["type"] == "text":
        return [content.tool_response(said.get("toolUseId"), parts[0]["content"])]
    return [content.tool_response(said.get("toolUseId"), parts if parts or not blocks else as_text(blocks))]


def _reasoning(said: Mapping[str, Any], content: Content) -> list[Part]:
    """The text of reasoning; of what is encrypted nothing."""
    text = fields(said.get("reasoningText")).get("text")
    return [content.text(text, "reasoning")] if text else []


def _guarded(said: Mapping[str, Any], content: Content) -> list[Part]:
    text = fields(said.get("text")).get("text")
    return [content.text(text)] if text is not None else _block(said, content)


def _inside(said: Mapping[str, Any], content: Content) -> list[Part]:
    """What is said with its sources, and the texts of a search."""
    return _parts(said.get("content"), content)


_BLOCKS: Final[Mapping[str, Callable[[Mapping[str, Any], Content], list[Part]]]] = {
    "toolUse": _call,
    "toolResult": _result,
    "reasoningContent": _reasoning,
    "guardContent": _guarded,
    "citationsContent": _inside,
    "searchResult": _inside,
}


def _media(modality: str, said: Mapping[str, Any], content: Content) -> Part:
    """A picture, document, video or sound: a reference to its bytes, or its place in S3; of a text document that."""
    source, form = fields(said.get("source")), said.get("format")
    name = said.get("name")
    data, place = source.get("bytes"), fields(source.get("s3Location")).get("uri")
    if isinstance(data, (bytes, bytearray)):
        part = content.binary(modality, _media_type(modality, form), bytes(data))
    elif isinstance(data, str):  # base64, in a body of Nova's
        part = content.blob(modality, _media_type(modality, form), data)
    elif isinstance(place, str):
        part = content.media(modality, place)
    elif source.get("text") is not None:
        return content.text(source["text"])
    else:
        part = content.other(modality)
    return content.named(part, name) if isinstance(name, str) and name else part


def _media_type(modality: str, form: Any) -> str | None:
    if not isinstance(form, str) or not form:
        return None
    return _TYPES.get(form, f"{modality if modality != 'document' else 'application'}/{form}")


# ---- answers ----


def response(value: Any, attributes: Attributes) -> Failure | None:
    """What an answer says besides its text."""
    response = fields(value)
    reason = response.get("stopReason")
    if reason and isinstance(reason, str):
        attributes[semconv.RESPONSE_FINISH_REASONS] = (reason,)
    write_counts(fields(response.get("usage")), attributes)
    latency = fields(response.get("performanceConfig")).get("latency")
    write_tier(fields(response.get("serviceTier")).get("type"), latency, attributes)
    invoked = fields(fields(response.get("trace")).get("promptRouter")).get("invokedModelId")
    if invoked and isinstance(invoked, str):
        attributes[semconv.RESPONSE_MODEL] = model_of(invoked)
    return None if reason else failure(value, response, "output")


def write_tier(tier: Any, latency: Any, attributes: Attributes) -> None:
    """The tier that served a call; answers with less latency are one, too: they have prices of their own."""
    said = latency if latency == _OPTIMIZED and tier in (None, "default") else tier
    if said and isinstance(said, str):
        attributes[semconv.RESPONSE_SERVICE_TIER] = said


def output(value: Any, content: Content) -> list[Message]:
    """The message of an answer."""
    response = fields(value)
    message = fields(fields(response.get("output")).get("message"))
    parts = _parts(message.get("content"), content)
    reason = response.get("stopReason")
    if not parts and not reason:
        return []
    finish = message_finish(_FINISH.get(reason, reason) if isinstance(reason, str) else None)
    return content.complete([content.message(role_of(message, "assistant"), parts, finish)])


def write_counts(said: Mapping[str, Any], attributes: Attributes) -> None:
    """The tokens of a usage; what is read from a cache and written to one is not in Bedrock's input."""
    given, made = _count(_INPUT, said), _count(_OUTPUT, said)
    if given is None:  # a part without the whole says nothing
        write_tokens(attributes, None, made)
        return
    cache_read, cache_write = _count(_CACHE_READ, said) or 0, _count(_CACHE_WRITE, said) or 0
    details = [fields(detail) for detail in items(said.get("cacheDetails"))]
    hour = sum(count(detail.get("inputTokens")) or 0 for detail in details if detail.get("ttl") == "1h")
    write_tokens(
        attributes,
        given + cache_read + cache_write,
        made,
        cache_read=cache_read,
        cache_write=cache_write,
        cache_write_1h=min(hour, cache_write),
    )


def _count(names: tuple[str, ...], said: Mapping[str, Any]) -> int | None:
    return next((found for name in names if (found := count(said.get(name))) is not None), None)
