"""AWS's event stream, as a server sends it: messages with headers, a payload and checksums.

Format: https://smithy.io/2.0/aws/amazon-eventstream.html
"""

from __future__ import annotations

import base64
import json
import struct
from binascii import crc32
from typing import Any

CONTENT_TYPE = {"content-type": "application/vnd.amazon.eventstream"}


def message(headers: dict[str, str], payload: bytes) -> bytes:
    """One message; its headers are texts."""
    head = b"".join(_header(name, value) for name, value in headers.items())
    prelude = struct.pack("!II", 12 + len(head) + len(payload) + 4, len(head))
    whole = prelude + struct.pack("!I", crc32(prelude)) + head + payload
    return whole + struct.pack("!I", crc32(whole))


def _header(name: str, value: str) -> bytes:
    name_, text = name.encode(), value.encode()
    return struct.pack("!B", len(name_)) + name_ + struct.pack("!BH", 7, len(text)) + text


def event(kind: str, payload: Any) -> bytes:
    """An event of a kind, such as `messageStart`, with JSON in it."""
    headers = {":event-type": kind, ":content-type": "application/json", ":message-type": "event"}
    return message(headers, json.dumps(payload).encode())


def events(payloads: list[dict[str, Any]]) -> list[bytes]:
    """Events from objects with one field, as the SDK hands them over: `{"messageStart": {"role": ...}}`."""
    return [event(*each) for payload in payloads for each in payload.items()]


def chunks(payloads: list[Any]) -> list[bytes]:
    """The events of a model's own stream, each as base64 in a `chunk`."""
    return [event("chunk", {"bytes": base64.b64encode(json.dumps(payload).encode()).decode()}) for payload in payloads]


def exception(kind: str, text: str = "no") -> bytes:
    """What ends a stream that fails, such as `throttlingException`."""
    headers = {":exception-type": kind, ":content-type": "application/json", ":message-type": "exception"}
    return message(headers, json.dumps({"message": text}).encode())
