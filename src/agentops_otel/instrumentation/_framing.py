"""The events in the body of a streamed answer: server-sent events, lines of JSON, or AWS's event stream."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable
from typing import Any, Final

import msgspec

_AWS: Final = "application/vnd.amazon.eventstream"
_LINES: Final = ("application/jsonl", "application/stream+json", "application/x-jsonlines", "application/x-ndjson")
_PRELUDE: Final = 12  # bytes: the length of the message, that of its headers, and their checksum
_CHECKSUM: Final = 4
_EXCEPTION: Final = b"\x0f:exception-type\x07"  # the header as it is sent: lengths before texts, and 7 for a text


def events(body: bytes, content_type: str = "") -> tuple[list[Any], bool]:
    """The events of a body, and whether it says that it has come to its end; what cannot be read costs itself."""
    kind = content_type.partition(";")[0].strip().lower()
    are_lines = body.startswith(b"{")  # whatever they are called: Cohere's client for AWS has made lines of messages
    if kind == _AWS and not are_lines:
        return _messages(body), False
    if kind in _LINES or are_lines:
        found = (json_in(line) for line in body.splitlines() if line.strip())
        return [event for event in found if event is not None], False
    return _server_sent(body)


def json_in(body: bytes, decode: Callable[[bytes], Any] = msgspec.json.decode) -> Any:
    """The JSON in a text; None when it is none: that is for the SDK to report."""
    try:
        return decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):  # (older releases of msgspec raise no ValueError)
        pass
    try:
        return json.loads(body)  # which is less strict
    except (ValueError, RecursionError):
        return None


def document(body: bytes, decode: Callable[[bytes], Any]) -> Any:
    """The JSON of a whole body; a body that is none as text."""
    found = json_in(body, decode)
    return body.decode(errors="replace") if found is None else found


def _server_sent(body: bytes) -> tuple[list[Any], bool]:
    """Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html).

    An event may have several lines of data. Most have one, and hosts that forget the empty line after it exist, so a
    line that is JSON is an event; what is not, is tried together with the next ones. What is no JSON then either costs
    itself.
    """
    told = _at_once(body)
    if told is not None:
        return told
    found: list[Any] = []
    ended = False
    name, broken = b"", list[bytes]()
    for line in body.splitlines():
        if line.startswith(b"data:"):
            data = line[5:].strip()
            event = json_in(data)
            if event is not None:
                found.append(_named(name, event))
            elif data == b"[DONE]":
                ended = True
            elif data:
                broken.append(data)
        elif line.startswith(b"event:"):
            name = line[6:].strip()
        elif not line:
            event = json_in(b"\n".join(broken)) if len(broken) > 1 else None
            if event is not None:
                found.append(_named(name, event))
            name, broken = b"", []
    return found, ended


def _at_once(body: bytes) -> tuple[list[Any], bool] | None:
    """The events of a body in which each is one line with a JSON object, as nearly all are; None for any other.

    One by one they cost twice as much.
    """
    text = b"\n" + body
    if b"\nevent: error" in text or b"\nevent:error" in text:
        return None
    if b"\r" in text and text.count(b"\r") != text.count(b"\r\n"):
        return None
    lines = [after.partition(b"\n")[0] for after in text.split(b"\ndata:")[1:]]
    ended = bool(lines) and lines[-1].strip() == b"[DONE]"
    if ended:
        lines.pop()
    try:
        found = msgspec.json.decode(b"[%b]" % b",".join(lines))
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    are_whole = len(found) == len(lines) and {*map(type, found)} <= {dict}
    return (found, ended) if are_whole else None


def _named(name: bytes, event: Any) -> Any:
    """An event; one that only its name says to be an error as such."""
    is_error = name == b"error" and isinstance(event, dict) and not event.get("error")
    return {"error": event} if is_error else event


def _messages(body: bytes) -> list[Any]:
    """The payloads of AWS's messages (https://smithy.io/2.0/aws/amazon-eventstream.html); a torn last one is none.

    A model's own events are inside, as base64 in the field `bytes`.
    """
    found = []
    start = 0
    while start + _PRELUDE <= len(body):
        length = int.from_bytes(body[start : start + 4], "big")
        headers = int.from_bytes(body[start + 4 : start + 8], "big")
        end = start + length
        if length < _PRELUDE + headers + _CHECKSUM or end > len(body):
            break
        payload = start + _PRELUDE + headers
        event = json_in(body[payload : end - _CHECKSUM])
        inner = event.get("bytes") if isinstance(event, dict) else None
        if isinstance(inner, str):
            event = _inside(inner)
        elif _EXCEPTION in body[start + _PRELUDE : payload]:
            event = _exception(body[start + _PRELUDE : payload], event)
        if event is not None:
            found.append(event)
        start = end
    return found


def _exception(headers: bytes, event: Any) -> Any:
    value = headers.partition(_EXCEPTION)[2]
    code = value[2 : 2 + int.from_bytes(value[:2], "big")].decode(errors="replace")
    return {"error": {"code": code, "message": event.get("message") if isinstance(event, dict) else event}}


def _inside(text: str) -> Any:
    try:
        return json_in(b64decode(text))
    except ValueError:
        return None
