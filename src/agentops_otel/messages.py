"""Messages as every dialect writes them -> messages in the schema of the GenAI conventions, with their digests.

The same message has the same digest wherever it stands: as a model's answer, and later in the input of the next call;
with the arguments of a tool as an object or as its text; in one item, or in the several of the Responses API.

https://github.com/open-telemetry/semantic-conventions/blob/main/docs/gen-ai/gen-ai-input-messages.json
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from typing import Any, Final

import msgspec

from .rows import Message
from .text import encodable

_MOST_DEPTH: Final = 48
_INT64: Final = 2**63
_ROLES: Final = {
    "ai": "assistant",
    "aimessage": "assistant",
    "aimessagechunk": "assistant",
    "function": "tool",
    "human": "user",
    "humanmessage": "user",
    "model": "assistant",
    "systemmessage": "system",
    "toolmessage": "tool",
}
_ORDERED: Final = msgspec.json.Encoder(order="deterministic")
_DECODE: Final = msgspec.json.decode
Part = dict[str, Any]

# ------------------------------------------------------------------------------------------------------------- values


def opened(value: Any) -> Any:
    """What a JSON text stands for; any other text and value as it is. Not made plain."""
    if not isinstance(value, str):
        return value
    try:
        return _DECODE(value)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        pass
    try:
        return json.loads(value)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return value


def structured(value: Any) -> Any:
    """As `opened()`, but only an object or a list is read out of a text (``"42"`` stays a text), and made plain."""
    return plain(_structure(value))


def _structure(value: Any) -> Any:
    return opened(value) if isinstance(value, str) and value.startswith(("{", "[")) else value


def plain(value: Any, depth: int = 0) -> Any:
    """A value as JSON has it: numbers of 64 bits, no NaN, no bytes, not too deep."""
    kind = type(value)
    if kind is str:
        return value if value.isascii() else encodable(value)
    if value is None or kind is bool:
        return value
    if kind is int:
        return value if -_INT64 <= value < _INT64 else f"<int of {value.bit_length()} bits>"
    if kind is float:
        return value if math.isfinite(value) else str(value)
    if depth >= _MOST_DEPTH:
        return "…"
    if kind is dict:
        return {encodable(str(key)): plain(each, depth + 1) for key, each in value.items()}
    if kind is list or kind is tuple:
        return [plain(each, depth + 1) for each in value]
    return f"<{len(value)} bytes>" if kind is bytes else str(value)


def as_json(value: Any) -> str:
    """A plain value as JSON."""
    return msgspec.json.encode(value).decode()


def as_text(value: Any) -> str:
    """A text as it is, nothing as an empty one, any other value as JSON."""
    return encodable(value) if isinstance(value, str) else "" if value is None else as_json(plain(value))


def digest(*values: Any) -> str:
    """32 hex digits for plain values; equal for equal ones."""
    return sha256(_ORDERED.encode(values)).hexdigest()[:32]


# -------------------------------------------------------------------------------------------------------------- parts


def parts(value: Any) -> list[Part]:
    """The parts of a message's content: a text, a list of parts of any API, or one."""
    if value is None or value == "":
        return []
    values = value if isinstance(value, (list, tuple)) else (value,)
    return [part(each) for each in values if each is not None]


def part(value: Any) -> Part:
    """One part of any API as the conventions have it; one that they do not know as it is."""
    if not isinstance(value, dict):
        return {"type": "text", "content": as_text(value)}
    kind = value.get("type")
    read = _PARTS.get(kind) if isinstance(kind, str) else None
    if read is not None:
        return read(value)
    if isinstance(kind, str) and kind:
        return _kept(value)
    if isinstance(value.get("text"), str):  # Bedrock and Gemini name a part by its only field
        return _text(value)
    call = value.get("toolUse") or value.get("function_call") or value.get("functionCall")
    if isinstance(call, dict):
        return _tool_call(call)
    return {"type": "text", "content": as_text(value)}


def _kept(value: Mapping[str, Any]) -> Part:
    return {encodable(str(key)): plain(each) for key, each in value.items()}


def _text(value: Mapping[str, Any]) -> Part:
    content = value.get("content")
    return {"type": "text", "content": as_text(value.get("text") if content is None else content)}


def _reasoning(value: Mapping[str, Any]) -> Part:
    for name in ("content", "thinking", "text", "reasoning", "summary"):
        if value.get(name):
            return {"type": "reasoning", "content": _joined(value[name])}
    return {"type": "reasoning", "content": ""}


def _joined(value: Any) -> str:
    """The texts of a list of texts, or of objects that have one."""
    if not isinstance(value, list):
        return as_text(value)
    texts = [each.get("text", each) if isinstance(each, dict) else each for each in value]
    return "\n".join(map(as_text, texts))


def _tool_call(value: Mapping[str, Any]) -> Part:
    """A call, of any API: of functions, and of custom tools, whose input is any text."""
    function = value.get("function")
    if not isinstance(function, dict):
        function = custom if isinstance(custom := value.get("custom"), dict) else value
    arguments, name, call_id = _first(function, _ARGUMENTS), function.get("name"), _first(value, _CALL_IDS)
    return {
        "type": "tool_call",
        "id": None if call_id is None else as_text(call_id),
        "name": as_text(value.get("tool_name") if name is None else name),
        "arguments": structured(arguments),
    }


def _tool_response(value: Mapping[str, Any]) -> Part:
    call_id = _first(value, _CALL_IDS)
    return {
        "type": "tool_call_response",
        "id": None if call_id is None else as_text(call_id),
        "response": _response(_first(value, _RESPONSES)),
    }


def _first(value: Mapping[str, Any], names: Iterable[str]) -> Any:
    """The first field that says anything."""
    for name in names:
        found = value.get(name)
        if found is not None:
            return found
    return None


def _response(value: Any) -> Any:
    """A result that is one text is that text, in whatever parts it came."""
    if isinstance(value, list) and value and all(isinstance(each, dict) and "type" in each for each in value):
        found = [part(each) for each in value]
        return found[0]["content"] if len(found) == 1 and found[0]["type"] == "text" else found
    return plain(value)


def _refusal(value: Mapping[str, Any]) -> Part:
    content = value.get("content")
    return {"type": "refusal", "content": as_text(value.get("refusal") if content is None else content)}


def _linked(modality: str, name: str) -> Callable[[Mapping[str, Any]], Part]:
    def read(value: Mapping[str, Any]) -> Part:
        given = value.get(name, value.get("url"))
        url = given.get("url") if isinstance(given, dict) else given
        if not isinstance(url, str):
            return {"type": "file", "modality": modality, "file_id": as_text(value.get("file_id"))}
        head, comma, data = url.partition(",")
        if not comma or not head.startswith("data:"):
            return {"type": "uri", "modality": modality, "uri": encodable(url)}
        return _blob(modality, head[5:].partition(";")[0], data)

    return read


def _blob(modality: str, mime_type: Any, data: Any) -> Part:
    return {
        "type": "blob",
        "modality": modality,
        "mime_type": as_text(mime_type) or None,
        "content": as_text(data),
    }


def _inline(value: Mapping[str, Any]) -> Part:
    """Media of Anthropic and MCP, whose data are in the part or in its `source`."""
    modality = str(value["type"])
    source = value.get("source")
    source = source if isinstance(source, dict) else value
    if isinstance(source.get("data"), str):
        return _blob(modality, source.get("media_type") or source.get("mimeType"), source["data"])
    if isinstance(source.get("url"), str):
        return {"type": "uri", "modality": modality, "uri": encodable(source["url"])}
    return _kept(value)


def _sound(value: Mapping[str, Any]) -> Part:
    audio = value.get("input_audio")
    audio = audio if isinstance(audio, dict) else {}
    form = audio.get("format")
    return _blob("audio", f"audio/{form}" if isinstance(form, str) and form else None, audio.get("data"))


_ARGUMENTS: Final = ("arguments", "input", "args", "action", "operation")
_CALL_IDS: Final = ("call_id", "tool_call_id", "tool_use_id", "toolUseId", "id")
_RESPONSES: Final = ("response", "result", "content", "output")
_CALL_KINDS: Final = (
    *("tool_call", "tool_use", "tool-call", "function", "function_call", "custom_tool_call", "computer_call"),
    *("local_shell_call", "shell_call", "apply_patch_call"),
)
_RESPONSE_KINDS: Final = (
    *("tool_call_response", "tool_result", "tool-result", "function_call_output", "custom_tool_call_output"),
    *("computer_call_output", "local_shell_call_output", "shell_call_output", "apply_patch_call_output"),
)
_PARTS: Final[Mapping[str, Callable[[Mapping[str, Any]], Part]]] = {
    **dict.fromkeys(("text", "input_text", "output_text"), _text),
    **dict.fromkeys(("reasoning", "thinking", "reasoning_text", "summary_text"), _reasoning),
    **dict.fromkeys(_CALL_KINDS, _tool_call),
    **dict.fromkeys(_RESPONSE_KINDS, _tool_response),
    "refusal": _refusal,
    "image_url": _linked("image", "image_url"),
    "input_image": _linked("image", "image_url"),
    "audio_url": _linked("audio", "audio_url"),
    "video_url": _linked("video", "video_url"),
    "input_audio": _sound,
    **dict.fromkeys(("image", "audio", "document"), _inline),
}

# ----------------------------------------------------------------------------------------------------------- messages


def messages(value: Any, role: str = "user") -> tuple[Message, ...]:
    """The messages in what a dialect wrote: text or JSON; of one message, of several, or of a whole request.

    Args:
        role: of what has none.
    """
    found = _structure(value)
    if isinstance(found, dict):
        found = next((found[name] for name in _LISTS if isinstance(found.get(name), list)), [found])
    if not isinstance(found, list):
        found = [] if found is None or found == "" else [found]
    return merged(_message(each, role) for each in found if each is not None)


_LISTS: Final = ("messages", "choices")
_Drafted = tuple[str, list[Part], "str | None"]


def _message(value: Any, role: str) -> _Drafted:
    if isinstance(value, list) and len(value) == 2 and value[0] in _PAIRED:  # LangChain's short way
        value = {"role": value[0], "content": value[1]}
    if not isinstance(value, dict):
        return role, parts(value), None
    finish = _finish(value)
    if _SAYS.isdisjoint(value):  # a choice, or a message of LangChain
        value = next((each for name in _INNER if isinstance(each := value.get(name), dict)), value)
    given = value.get("parts")
    if isinstance(given, list):
        return _role(value, role), [part(each) for each in given if each is not None], finish
    kind = value.get("type")
    if "role" not in value and isinstance(kind, str) and kind in _PARTS:  # an item of the Responses API
        found = part(value)
        return "tool" if found["type"] == "tool_call_response" else "assistant", [found], finish
    role = _role(value, role)
    content = value.get("content")
    if role == "tool":
        call_id = value.get("tool_call_id") or value.get("id") or value.get("name")
        return role, [_tool_response({"id": call_id, "content": content})], finish
    if not _SAYS.isdisjoint(value):
        return role, [*_thought(value), *parts(content), *_spoken(value)], finish
    return role, parts(value.get("text", value)), finish


_PAIRED: Final = ("user", "human", "assistant", "ai", "system")
_INNER: Final = ("message", "kwargs", "data")
_SAYS: Final = frozenset({"role", "parts", "content", "tool_calls", "function_call", "refusal", "reasoning_content"})


def _role(value: Mapping[str, Any], role: str) -> str:
    given = value.get("role") or value.get("type") or role
    given = given if isinstance(given, str) and given != "message" else role
    return _ROLES.get(given.lower(), encodable(given[:64]))


def _finish(value: Mapping[str, Any]) -> str | None:
    reason = value.get("finish_reason") or value.get("stop_reason")
    return encodable(reason[:64]) if isinstance(reason, str) else None


def _thought(value: Mapping[str, Any]) -> list[Part]:
    text = value.get("reasoning_content") or value.get("reasoning")
    return [{"type": "reasoning", "content": _joined(text)}] if text else []


def _spoken(value: Mapping[str, Any]) -> list[Part]:
    """What an assistant's message holds besides its content."""
    found: list[Part] = []
    if value.get("refusal"):
        found.append(_refusal({"refusal": value["refusal"]}))
    calls = value.get("tool_calls")
    found += [_tool_call(call) for call in (calls if isinstance(calls, list) else ()) if isinstance(call, dict)]
    if isinstance(value.get("function_call"), dict):
        found.append(_tool_call(value["function_call"]))
    return found


def merged(drafts: Iterable[_Drafted]) -> tuple[Message, ...]:
    """The messages, with what the Responses API has in items of their own (reasoning, calls) in one message."""
    found: list[_Drafted] = []
    for given_role, all_parts, finish in drafts:
        role, own = _own(given_role, all_parts)
        if found and role == found[-1][0] == "assistant" and _belong_together(found[-1][1], own):
            found[-1] = role, [*found[-1][1], *own], finish or found[-1][2]
            continue
        found.append((role, own, finish))
    return tuple(Message(role, tuple(own), digest(role, own), finish) for role, own, finish in found)


def message(role: str, given: Iterable[Any]) -> Message:
    """The message of a role and parts of any API; that of a whole list may have more in it, see `merged()`."""
    role, own = _own(_role({"role": role}, role), [part(each) for each in given if each is not None])
    return Message(role, tuple(own), digest(role, own))


def _own(role: str, found: list[Part]) -> tuple[str, list[Part]]:
    own = _without_empty(found)
    # Anthropic's way: what a tool returned is in a message of the user.
    of_tool = role == "user" and own and all(each["type"] == "tool_call_response" for each in own)
    return "tool" if of_tool else role, own


def _without_empty(found: list[Part]) -> list[Part]:
    """Without texts that say nothing beside other parts, such as the content "" beside a tool call."""
    if len(found) < 2:
        return found
    return [each for each in found if each["type"] != "text" or each.get("content")] or found[:1]


def _belong_together(before: list[Part], after: list[Part]) -> bool:
    return all(each["type"] == "reasoning" for each in before) or all(
        each["type"] in ("tool_call", "reasoning") for each in after
    )


def text_of(found: Iterable[Mapping[str, Any]]) -> str:
    """The texts of parts, a line each."""
    return "\n".join(
        content for each in found if each.get("type") == "text" and isinstance(content := each.get("content"), str)
    )


def dumped(found: Iterable[Message]) -> str:
    """Messages as the JSON of the conventions."""
    return as_json([
        {"role": each.role, "parts": each.parts}
        | ({} if each.finish_reason is None else {"finish_reason": each.finish_reason})
        for each in found
    ])  # fmt: skip
