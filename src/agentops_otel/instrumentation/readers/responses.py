"""The Responses API: how to read its requests and answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from ... import semconv
from .._content import Content, Message, Part, fields, items, message_finish
from .._endpoint import Attributes, Failure
from .answer import failure, head
from .parts import message_parts, plain_text
from .request import conversation_id, output_type, parameters, reasoning_level, role_of, tool_definitions

_FINISH: Final = {"completed": "stop", "failed": "error", "max_output_tokens": "length"}
# Calls that the program has to answer: the tool's name, unless the call has one, and the fields of its arguments.
_CALLS: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "function_call": ("", ("arguments",)),
    "custom_tool_call": ("", ("input",)),
    "computer_call": ("computer", ("action", "actions")),
    "local_shell_call": ("local_shell", ("action",)),
    "shell_call": ("shell", ("action",)),
    "apply_patch_call": ("apply_patch", ("operation",)),
}
_COMPACTION: Final = "compaction"
_SEARCH: Final = "web_search_call"

# ---- requests ----


def request(body: Mapping[str, Any], attributes: Attributes) -> None:
    """The settings of a request."""
    parameters(body, attributes)
    attributes[semconv.OPENAI_API_TYPE] = "responses"
    conversation = conversation_id(body)
    if conversation:
        attributes[semconv.CONVERSATION_ID] = conversation
    if isinstance(body.get("previous_response_id"), str):
        attributes[semconv.REQUEST_PREVIOUS_RESPONSE_ID] = body["previous_response_id"]
    if "text" in body:
        output_type(fields(body["text"]).get("format"), attributes)
    reasoning_level(body, attributes)
    if _COMPACTION in kinds(body.get("input")):
        attributes[semconv.CONVERSATION_COMPACTED] = True


def prompt(body: Mapping[str, Any], content: Content, attributes: Attributes) -> None:
    """The instructions, the input and the tools of a request."""
    instructions = message_parts(body.get("instructions"), content)
    if instructions:
        attributes[semconv.SYSTEM_INSTRUCTIONS] = content.complete(instructions)
    given = body.get("input")
    if isinstance(given, str):
        messages = [content.message("user", [content.text(given)])]
    else:
        messages = [each for item in items(given) if (each := message(item, content)) is not None]
    if messages:
        attributes[semconv.INPUT_MESSAGES] = content.complete(messages)
    tool_definitions(body, attributes)


# ---- items ----


def kinds(items_: Any) -> set[str]:
    """What there is among some items."""
    found: Iterable[Any] = (fields(item).get("type") for item in items(items_))
    return {kind for kind in found if isinstance(kind, str)}


def message(value: Any, content: Content) -> Message | None:
    """The message of one item; None when there is nothing in it to read."""
    item = fields(value)
    kind = item.get("type")
    if isinstance(kind, str) and kind != "message":
        part = _item_part(kind, item, content)
        role = "tool" if kind.endswith("_output") else "assistant"
        return None if part is None else content.message(role, [part])
    return content.message(role_of(item), message_parts(item.get("content") if item else value, content))


def _item_part(kind: str, item: Mapping[str, Any], content: Content) -> Part | None:
    """One item that is no message; None when there is nothing in it to read, as in encrypted reasoning."""
    call_id = item.get("call_id") or item.get("id")
    if kind in _CALLS:
        name, names = _CALLS[kind]
        found = {name: item[name] for name in names if item.get(name) is not None}
        arguments = found if name == "computer" else next(iter(found.values()), None)
        return content.tool_call(call_id, item.get("name") or name, arguments)
    if kind.removesuffix("_output") in _CALLS:
        output = item.get("output")
        return content.tool_response(call_id, output if isinstance(output, str) else message_parts(output, content))
    if kind == "reasoning":
        texts = [plain_text(part) for part in (*items(item.get("summary")), *items(item.get("content")))]
        return content.text("\n".join(texts), "reasoning") if any(texts) else None
    if kind == "image_generation_call" and isinstance(item.get("result"), str):
        form = item.get("output_format")
        return content.blob("image", f"image/{form if isinstance(form, str) else 'png'}", item["result"])
    # Tools that run at the provider (web search, code interpreter ...): which one, not its pages of results.
    return content.other(kind, id=item.get("id"))


# ---- answers ----


def response(value: Any, attributes: Attributes) -> Failure | None:
    """What an answer says besides its text."""
    response = fields(value)
    head(response, attributes)
    finish = _finish(response)
    if finish:
        attributes[semconv.RESPONSE_FINISH_REASONS] = (finish,)
    conversation = conversation_id(response)
    if conversation:
        attributes[semconv.CONVERSATION_ID] = conversation
    found = kinds(response.get("output"))
    if _COMPACTION in found:
        attributes[semconv.CONVERSATION_COMPACTED] = True
    if _SEARCH in found and (searches := sum(map(_is_search, items(response["output"])))):
        attributes[semconv.USAGE_WEB_SEARCHES] = searches
    failed = failure(value, response, "output")
    if failed is None and response.get("status") == "failed":
        return "failed", ""
    return failed


def _is_search(item: Any) -> bool:
    """Whether an item is a search of the web, which is paid; to open a page that was found is not.

    https://developers.openai.com/api/docs/guides/tools-web-search
    """
    found = fields(item)
    return found.get("type") == _SEARCH and fields(found.get("action")).get("type") in (None, "search")


def _finish(response: Mapping[str, Any]) -> str | None:
    """Why the model stopped, in the words of chat completions; None while it has not."""
    status = response.get("status")
    if status is None and response.get("object") == "response.compaction":  # which comes whole
        status = "completed"
    if status == "incomplete":
        status = fields(response.get("incomplete_details")).get("reason") or status
    elif status == "completed":
        found = kinds(response.get("output"))
        # A call whose output is there too was made at the provider.
        if any(kind in _CALLS and f"{kind}_output" not in found for kind in found):
            status = "tool_calls"
    if not isinstance(status, str) or status in ("in_progress", "queued"):
        return None
    return _FINISH.get(status, status)


def output(value: Any, content: Content) -> list[Message]:
    """The message of an answer."""
    return output_message(value, _finish(fields(value)), content)


def output_message(value: Any, finish: str | None, content: Content) -> list[Message]:
    """The message of an answer: all of its items in one."""
    parts: list[Part] = []
    for each in items(fields(value).get("output")):
        item = fields(each)
        kind = item.get("type")
        if not isinstance(kind, str) or kind == "message":
            parts += message_parts(item.get("content") if item else each, content)
        else:
            part = _item_part(kind, item, content)
            if part is not None:
                parts.append(part)
    return content.complete([content.message("assistant", parts, message_finish(finish))]) if parts else []
