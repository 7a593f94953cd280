"""Runs of an assistant: an agent that its provider hosts, on a thread that it keeps.

A run is begun by one request and, when it is not streamed, followed by others that show how far it is: the first that
shows its end has its usage.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote

from ... import semconv
from .._content import Content, Message, Part, fields, items
from .._endpoint import Attributes, Endpoint, Failure
from . import form
from .answer import failure, head
from .event_fold import EventFold
from .parts import message_parts, tool_calls
from .request import output_type, parameters, role_of, tool_definitions

_THREAD: Final = "thread_id"
_ENDS: Final = frozenset({"completed", "incomplete", "failed", "cancelled", "expired", "requires_action"})
_FAILURES: Final = ("failed", "expired")

# ---- requests ----


def body(options: Any) -> Mapping[str, Any]:
    """The fields of a request, and the thread in its path."""
    places = options.url.strip("/").split("/")  # threads/{id}/runs, or threads/runs with a thread in the body
    thread = {_THREAD: unquote(places[1])} if len(places) > 2 else {}
    return {**form.body(options), **thread}


def request(body: Mapping[str, Any], attributes: Attributes) -> None:
    """Which assistant on which thread, and the settings."""
    parameters(body, attributes)
    _ids(body, attributes)
    output_type(body.get("response_format"), attributes)


def prompt(body: Mapping[str, Any], content: Content, attributes: Attributes) -> None:
    """What this run is told besides what the thread has already."""
    told = message_parts(body.get("instructions"), content) + message_parts(
        body.get("additional_instructions"), content
    )
    if told:
        attributes[semconv.SYSTEM_INSTRUCTIONS] = content.complete(told)
    given = (*items(fields(body.get("thread")).get("messages")), *items(body.get("additional_messages")))
    messages = [content.message(role_of(said), _parts(said, content)) for said in map(fields, given)]
    if messages:
        attributes[semconv.INPUT_MESSAGES] = content.complete(messages)
    tool_definitions(body, attributes)


def _ids(said: Mapping[str, Any], attributes: Attributes) -> None:
    for name, attribute in (("assistant_id", semconv.AGENT_ID), (_THREAD, semconv.CONVERSATION_ID)):
        if isinstance(said.get(name), str) and said[name]:
            attributes[attribute] = said[name]


def _parts(message: Mapping[str, Any], content: Content) -> list[Part]:
    """The parts of a message, of which a text is an object, and a picture may be a file that the provider has."""
    given = message.get("content")
    if isinstance(given, str):
        return [content.text(given)]
    parts: list[Part] = []
    for each in items(given):
        said = fields(each)
        text, file = fields(said.get("text")), fields(said.get("image_file"))
        if text:
            parts.append(content.text(text.get("value")))
        elif file:
            parts.append(content.file("image", file.get("file_id")))
        else:
            parts += message_parts([each], content)
    return parts


# ---- answers ----


def response(value: Any, attributes: Attributes) -> Failure | None:
    """What a run says besides its messages."""
    said = fields(value)
    head(said, attributes)
    _ids(said, attributes)
    status = said.get("status")
    if isinstance(status, str) and status:
        attributes[semconv.RESPONSE_STATUS] = status
    error = fields(said.get("last_error"))
    if status in _FAILURES:
        code, text = error.get("code"), error.get("message")
        return (code if isinstance(code, str) and code else str(status)), text if isinstance(text, str) else ""
    return failure(value, said, "status")


def output(value: Any, content: Content) -> list[Message]:
    """What the assistant has said, and the tools that it waits for."""
    said = fields(value)
    finish = _finish(said)
    parts = [_parts(message, content) for message in map(fields, items(said.get("messages")))]
    calls = fields(fields(said.get("required_action")).get("submit_tool_outputs")).get("tool_calls")
    if calls:
        parts.append(tool_calls(calls, content))
    return content.complete([content.message("assistant", each, finish) for each in parts if each])


def _finish(run: Mapping[str, Any]) -> str:
    status = run.get("status")
    if status == "requires_action":
        return "tool_call"
    if status == "incomplete":
        return "length"
    return "stop" if status == "completed" else "error"


class RunFold(EventFold):
    """The events of one run: the run itself each time that it changes, and its messages piece by piece."""

    __slots__ = ("_error", "_messages", "_run")

    def __init__(self) -> None:
        super().__init__()
        self._run: Mapping[str, Any] = {}
        self._messages: dict[str, Any] = {}  # by id: the whole message, or the pieces of one that is not complete
        self._error: Any = None

    def add(self, chunk: Any) -> None:
        """Take in one event."""
        event = fields(chunk)
        said = fields(event.get("data")) or event  # a raw stream has the name of an event beside its data
        kind = said.get("object")
        if event.get("event") == "error" or event.get("error"):
            self._error = event.get("error") or event.get("data")
        elif kind == "thread.run":
            self._run = said
            self.done = said.get("status") in tuple(_ENDS)
        elif kind == "thread.message" and said.get("role") == "assistant" and said.get("content"):
            self._messages[str(said.get("id"))] = said
        elif kind == "thread.message.delta":
            kept = self._messages.setdefault(str(said.get("id")), [])
            if isinstance(kept, list):
                kept += [_piece(part) for part in items(fields(said.get("delta")).get("content"))]

    def response(self) -> Mapping[str, Any]:
        """The run so far, with its messages."""
        messages = [
            {"content": [{"text": {"value": "".join(kept)}}]} if isinstance(kept, list) else kept
            for kept in self._messages.values()
            if kept
        ]
        answer = {**self._run, "messages": messages}
        return answer if self._error is None else {**answer, "error": self._error}


def _piece(part: Any) -> str:
    text = fields(fields(part).get("text")).get("value")
    return text if isinstance(text, str) else ""


RUNS: Final = Endpoint(
    semconv.OPERATION_INVOKE_AGENT,
    request,
    prompt,
    response,
    output,
    RunFold,
    body=body,
    kind=semconv.KIND_AGENT,
    target="assistant_id",
)
