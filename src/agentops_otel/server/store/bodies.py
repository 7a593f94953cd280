"""The bodies of spans as bytes, and back.

What is large or said many times (messages, arguments, results, definitions of tools) is a content, and the body names
its digest: a conversation of a hundred turns stores each message once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal

import msgspec

from ...rows import Message, Source, SpanBody, SpanEvent, SpanLink, SpanRow
from .encoding import UNWRITABLE, clean, digest_of, encode, encoded, inflate

Place = Literal["prompt", "answer", "arguments", "result", "error", "tools"]
Kind = Literal["message", "parts", "text", "tools"]
Contents = dict[bytes, tuple[Kind, Any]]
"""What is stored once, however many spans say it: kind and value by digest, which has 16 bytes."""


class _Body(msgspec.Struct, array_like=True, omit_defaults=True):
    system: bytes | None = None
    input: bytes = b""
    output: bytes = b""
    finish_reasons: list[str | None] = []
    tools: bytes | None = None
    arguments: bytes | None = None
    result: bytes | None = None
    error: bytes | None = None
    logs: str | None = None
    stack: str | None = None
    attributes: dict[str, Any] = {}
    events: list[tuple[str, int, dict[str, Any]]] = []
    links: list[tuple[str, str, dict[str, Any]]] = []
    trace_state: str = ""
    flags: int = 0
    otel_kind: int = 0


_bodies: Final = msgspec.msgpack.Decoder(_Body)


def encode_body(row: SpanRow, contents: Contents) -> tuple[bytes | None, Sequence[tuple[bytes, Place]]]:
    """The body of a span, not compressed, and the contents that it names, which are added to `contents`."""
    error = _error(row)
    if row.body is None and error is None:
        return None, ()
    body = row.body or _EMPTY
    named: list[tuple[bytes, Place]] = []

    def kept(kind: Kind, value: Any, place: Place) -> bytes:
        digest = _kept(contents, kind, value)
        named.append((digest, place))
        return digest

    made = _Body(
        kept("parts", body.system, "prompt") if body.system else None,
        _messages(contents, body.input, "prompt", named) if body.input else b"",
        _messages(contents, body.output, "answer", named) if body.output else b"",
        [message.finish_reason for message in body.output],
        None if body.tools is None else kept("tools", body.tools, "tools"),
        None if body.arguments is None else kept("text", body.arguments, "arguments"),
        None if body.result is None else kept("text", body.result, "result"),
        None if error is None else kept("text", error, "error"),
        body.logs,
        body.stack,
        body.attributes if type(body.attributes) is dict else dict(body.attributes),
        [(event.name, event.time_ns, dict(event.attributes)) for event in body.events] if body.events else [],
        [(link.trace_id, link.span_id, dict(link.attributes)) for link in body.links] if body.links else [],
        body.trace_state,
        body.flags,
        body.otel_kind,
    )
    return _plain(made), named


def _plain(body: _Body) -> bytes:
    try:
        return encode(body)
    except UNWRITABLE:
        return encode(clean([getattr(body, name) for name in _Body.__struct_fields__]))


def _messages(contents: Contents, messages: Sequence[Message], place: Place, named: list[tuple[bytes, Place]]) -> bytes:
    """Their digests, one after the other."""
    found = []
    for message in messages:
        digest = _digest_of_message(message)
        if digest is None:
            digest = _kept(contents, "message", (message.role, message.parts))
        elif digest not in contents:
            contents[digest] = "message", (message.role, message.parts)
        found.append(digest)
        named.append((digest, place))
    return b"".join(found)


def _digest_of_message(message: Message) -> bytes | None:
    """The digest that it has; None where that is none."""
    try:
        digest = bytes.fromhex(message.digest)
    except ValueError:
        return None
    return digest if len(digest) == 16 and len(message.digest) == 32 else None


def _kept(contents: Contents, kind: Kind, value: Any) -> bytes:
    """Keep a value; its digest."""
    digest = digest_of(kind.encode(), value.encode("utf-8", "replace") if kind == "text" else encoded(value))
    contents.setdefault(digest, (kind, value))
    return digest


def digest_of_parts(parts: Sequence[Mapping[str, Any]]) -> bytes:
    """The digest under which system instructions are kept."""
    return digest_of(b"parts", encoded(tuple(parts)))


def _error(row: SpanRow) -> str | None:
    if not row.error_message and not (row.error_type and row.status == "error"):
        return None
    return ": ".join(filter(None, (row.error_type, row.error_message)))


_EMPTY: Final = SpanBody()


def named_by(data: bytes) -> list[tuple[bytes, Place]]:
    """The contents that a stored body names, and where they stand."""
    return _named(_bodies.decode(inflate(data)))


def _named(body: _Body) -> list[tuple[bytes, Place]]:
    named: list[tuple[bytes, Place]] = [(digest, "prompt") for digest in _digests(body.input)]
    named += [(digest, "answer") for digest in _digests(body.output)]
    if body.system is not None:
        named.append((body.system, "prompt"))
    if body.tools is not None:
        named.append((body.tools, "tools"))
    if body.arguments is not None:
        named.append((body.arguments, "arguments"))
    if body.result is not None:
        named.append((body.result, "result"))
    if body.error is not None:
        named.append((body.error, "error"))
    return named


def _digests(joined: bytes) -> list[bytes]:
    return [joined[start : start + 16] for start in range(0, len(joined), 16)]


def decode_body(data: bytes, source: Source, content: Callable[[bytes], Any]) -> SpanBody:
    """The body of a span.

    Args:
        content: gives the value of a content by its digest; None when there is none.
    """
    body = _bodies.decode(inflate(data))
    reasons = body.finish_reasons
    outputs = _digests(body.output)
    return SpanBody(
        tuple((body.system and content(body.system)) or ()),
        tuple(_said(digest, content) for digest in _digests(body.input)),
        tuple(_said(digest, content, reason) for digest, reason in zip(outputs, reasons, strict=True)),
        None if body.tools is None else content(body.tools),
        None if body.arguments is None else content(body.arguments),
        None if body.result is None else content(body.result),
        body.logs,
        body.stack,
        body.attributes,
        tuple(SpanEvent(*event) for event in body.events),
        tuple(SpanLink(*link) for link in body.links),
        source,
        body.trace_state,
        body.flags,
        body.otel_kind,
    )


def _said(digest: bytes, content: Callable[[bytes], Any], finish_reason: str | None = None) -> Message:
    role, parts = content(digest) or ("", ())
    return Message(role, tuple(parts), digest.hex(), finish_reason)
