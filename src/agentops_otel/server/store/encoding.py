"""How rows are written into columns and bytes, and read back.

A span is written as columns for what lists and sums need, and as a body of bytes. What is large or said many times
(messages, arguments, results, definitions of tools) is a content, and the body names its digest: a conversation of a
hundred turns stores each message once. Nothing here is ever read with pickle.
"""

from __future__ import annotations

import hashlib
import json
import math
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Literal

import msgspec

from ...frozen import dataclass
from ...rows import Message, Process, Score, SessionEvent, Source, SpanBody, SpanEvent, SpanLink, SpanRow
from ...usage import Usage

Place = Literal["prompt", "answer", "arguments", "result", "error", "tools"]
Kind = Literal["message", "parts", "text", "tools"]
LARGEST: Final = 2**63 - 1
SEARCHED: Final = 100_000
"""So many characters of one content are searched."""
_RAW: Final = b"\0"
_DEFLATED: Final = b"\1"
_SMALL: Final = 300  # bytes below which compressing saves less than it takes
_SMALL_BODY: Final = 600  # half of a body is digests, which do not get smaller
_DEEPEST: Final = 100
_decode: Final = msgspec.msgpack.Decoder().decode
_encode: Final = msgspec.msgpack.Encoder(enc_hook=str).encode
_to_json: Final = msgspec.json.Encoder().encode
_of_json: Final = msgspec.json.Decoder(tuple[Any, ...]).decode
_events: Final = msgspec.msgpack.Decoder(SessionEvent)
# Rows of a table go into rows by position.
_span: Final[Callable[..., SpanRow]] = SpanRow
_usage: Final[Callable[..., Usage]] = Usage


Contents = dict[bytes, tuple[Kind, Any]]
"""What is stored once, however many spans say it: kind and value by digest, which has 16 bytes."""


@dataclass(frozen=True, slots=True)
class Origin:
    """A process with its resource and scope."""

    digest: bytes
    columns: tuple[Any, ...]
    is_exact: bool
    """Whether nothing of the process was replaced to be written."""


@dataclass(frozen=True, slots=True)
class EncodedSpan:
    """A span, ready to be written."""

    columns: tuple[Any, ...]
    """From ``trace_id`` on, as the table has them."""
    body: bytes | None
    named: Sequence[tuple[bytes, Place]]
    """The contents that the body names, and where they stand."""
    origin: Origin
    size: int
    digest: bytes
    """Of columns and body."""
    said: str | None
    """The session that it belongs to by its own word."""
    row: SpanRow | None
    """The span that its columns are read back as; None where something of it could not be written as it is."""

    @property
    def trace_id(self) -> str:
        """32 hex digits."""
        return str(self.columns[0])

    @property
    def span_id(self) -> str:
        """16 hex digits."""
        return str(self.columns[1])

    @property
    def start_ns(self) -> int:
        """When it began."""
        return int(self.columns[7])

    @property
    def is_unpriced(self) -> bool:
        """Whether it is a call of a model without a cost."""
        return self.columns[4] == "llm" and self.columns[29] is None

    @property
    def rank(self) -> tuple[bool, bool, int, bytes]:
        """Of two versions of a span, the one of the higher rank is kept, in whichever order they come.

        One that has ended before one that is open, what was sent at once before what a journal kept, then the one that
        says more.
        """
        return self.columns[8] is not None, not self.columns[_REPLAYED], self.size, self.digest


_REPLAYED: Final = 52


# ----------------------------------------------------------------------------------------------------- bytes


def encoded(value: Any) -> bytes:
    """Any plain value as bytes."""
    try:
        return _encode(value)
    except (OverflowError, UnicodeEncodeError, RecursionError, TypeError, ValueError):
        return _encode(clean(value))


def pack(value: Any) -> bytes:
    """Any plain value as bytes, compressed when that helps."""
    return deflate(encoded(value))


def deflate(data: bytes, small: int = _SMALL) -> bytes:
    """Bytes with a first byte that says how they are kept."""
    if len(data) < small:
        return _RAW + data
    # A small window and little memory: most contents are of a few kilobytes, and setting up 256 kB takes longer than
    # compressing them.
    compressor = zlib.compressobj(1, zlib.DEFLATED, -13 if len(data) < 8192 else -15, 6)
    return _DEFLATED + compressor.compress(data) + compressor.flush()


def inflate(data: bytes) -> bytes:
    """The bytes that `deflate` was given."""
    return zlib.decompress(data[1:], -15) if data[:1] == _DEFLATED else data[1:]


def unpack(data: bytes) -> Any:
    """The value that `pack` was given; tuples have become lists."""
    return _decode(inflate(data))


def clean(value: Any, depth: int = 0) -> Any:
    """A value that can be written: lone surrogates, numbers of more than 64 bits and foreign objects are replaced."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if value is None or isinstance(value, (bool, float, bytes)):
        return value
    if isinstance(value, int):
        return value if -LARGEST <= value <= LARGEST else float(value) if abs(value) < 2**1023 else math.inf
    if depth >= _DEEPEST:
        return "..."
    if isinstance(value, Mapping):
        return {clean(str(key), depth): clean(each, depth + 1) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [clean(each, depth + 1) for each in value]
    return clean(str(value), depth)


def column(value: Any) -> Any:
    """A value that SQLite takes: a number of at most 64 bits, and text without lone surrogates."""
    if isinstance(value, int):
        return max(-LARGEST, min(LARGEST, value))
    return clean(value) if isinstance(value, str) else value


def digest_of(*parts: bytes) -> bytes:
    """16 bytes that stand for some others."""
    sum_of = hashlib.blake2b(digest_size=16)
    for part in parts:
        sum_of.update(part)
    return sum_of.digest()


# ----------------------------------------------------------------------------------------------------- spans


def encode_spans(rows: Iterable[SpanRow]) -> tuple[list[EncodedSpan], Contents]:
    """Spans, ready to be written, and all that they name; takes much of the time of a batch, and no database."""
    origins: dict[tuple[int, int], Origin] = {}
    contents: Contents = {}
    spans = []
    rows = list(rows)  # kept, so that no id is used twice
    for row in rows:
        source, process = _NOWHERE if row.body is None else row.body.source, row.process
        origin = origins.get((id(source), id(process)))
        if origin is None:
            origin = origins[id(source), id(process)] = _origin(source, process)
        spans.append(_encode_span(row, origin, contents))
    return spans, contents


def _origin(source: Source, process: Process) -> Origin:
    resource = pack(dict(source.resource))
    who = of_process(process)
    columns = tuple(column(value) for value in (*who, source.scope, source.scope_version))
    return Origin(digest_of(_encode(columns), resource), (*columns, resource), columns[: len(who)] == who)


def of_process(process: Process) -> tuple[Any, ...]:
    """A process as columns."""
    return process.service, process.host, process.pid, process.runtime, process.instance, process.sdk


def _encode_span(row: SpanRow, origin: Origin, contents: Contents) -> EncodedSpan:
    columns = _columns(row)
    is_number = row.cost is None or not math.isnan(row.cost)  # SQLite has no NaN
    light_row = row if is_number and origin.is_exact else None
    try:
        light = _encode(columns)
        if _too_large(row):
            raise OverflowError
    except (OverflowError, UnicodeEncodeError):
        columns = tuple(column(value) for value in columns)
        light, light_row = _encode(columns), None
    body, named = _encode_body(row, contents)
    plain = b"" if body is None else body
    return EncodedSpan(
        columns,
        None if body is None else deflate(body, _SMALL_BODY),
        named,
        origin,
        len(light) + len(plain),
        digest_of(light, plain, origin.digest)[:8],
        columns[3] or None,
        light_row,
    )


def _too_large(row: SpanRow) -> bool:
    """Whether a number has more than 63 bits; fixed64 of OTLP may have 64."""
    usage = 0 if row.usage is None else max(_tokens(row.usage))
    others = (row.end_ns or 0, row.first_token_ns or 0, row.retries, row.dropped_spans)
    return max(row.start_ns, usage, *others) > LARGEST or min(others) < -LARGEST


def _columns(row: SpanRow) -> tuple[Any, ...]:
    usage = row.usage
    tokens = _NO_TOKENS if usage is None else _tokens(usage)
    return (
        row.trace_id,
        row.span_id,
        row.parent_id,
        row.session_id,
        row.kind,
        row.name,
        row.label,
        row.start_ns,
        row.end_ns,
        row.status,
        row.status_message,
        row.operation,
        row.provider,
        row.model,
        row.request_model,
        row.response_id,
        *tokens,
        None if usage is None or not usage.missing else listed(sorted(usage.missing)),
        row.cost,
        row.cost_source,
        row.price_table,
        row.first_token_ns,
        listed(row.finish_reasons),
        row.outcome,
        row.retries,
        row.server,
        row.tool_call_id,
        row.arguments_digest,
        row.agent,
        row.error_type,
        row.error_message,
        row.trigger_id,
        row.asked,
        row.answered,
        listed(row.calls),
        listed(row.tags),
        row.end_state,
        row.end_reason,
        row.session_name,
        row.video,
        row.dropped_spans,
        row.replayed,
        row.dialect,
    )


TOKENS: Final = (
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "input_audio_tokens",
    "output_audio_tokens",
    "input_text_tokens",
    "input_image_tokens",
    "input_video_tokens",
    "output_text_tokens",
    "output_image_tokens",
)
"""The columns of a usage, in the order of `Usage`."""
_NO_TOKENS: Final = (None,) * len(TOKENS)
_KNOWN: Final[frozenset[str]] = frozenset()


def _tokens(usage: Usage) -> tuple[int, ...]:
    return (
        usage.input_tokens,
        usage.output_tokens,
        usage.cache_read_tokens,
        usage.cache_write_tokens,
        usage.reasoning_tokens,
        usage.input_audio_tokens,
        usage.output_audio_tokens,
        usage.input_text_tokens,
        usage.input_image_tokens,
        usage.input_video_tokens,
        usage.output_text_tokens,
        usage.output_image_tokens,
    )


def tokens(usage: Usage) -> tuple[int, ...]:
    """The columns of a usage."""
    return tuple(min(LARGEST, count) for count in _tokens(usage))


def listed(values: Sequence[Any]) -> str | None:
    """Texts or numbers as a JSON list; None when there are none."""
    if not values:
        return None
    try:
        return _to_json(values).decode()
    except (UnicodeEncodeError, OverflowError):
        return _to_json(clean(values)).decode()


def unlisted(text: str | None) -> tuple[Any, ...]:
    """What `listed` was given."""
    return _of_json(text) if text else ()


def span_of(columns: Sequence[Any], processes: dict[tuple[Any, ...], Process], body: SpanBody | None = None) -> SpanRow:
    """The span of the columns of ``spans.sql``.

    Args:
        processes: those that were read before, so that the spans of one process share it.
    """
    who = tuple(columns[54:60])
    process = processes.get(who)
    if process is None:
        process = processes[who] = Process(*who)
    usage = None
    if columns[16] is not None:
        usage = _usage(*columns[16:28], frozenset(unlisted(columns[28])) if columns[28] else _KNOWN)
    return _span(
        *columns[:16],
        usage,
        *columns[29:33],
        unlisted(columns[33]),
        *columns[34:45],
        unlisted(columns[45]),
        unlisted(columns[46]),
        *columns[47:_REPLAYED],
        bool(columns[_REPLAYED]),
        columns[_REPLAYED + 1],
        process,
        body,
    )


# ----------------------------------------------------------------------------------------------------- bodies

_NOWHERE: Final = Source()


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


def _encode_body(row: SpanRow, contents: Contents) -> tuple[bytes | None, Sequence[tuple[bytes, Place]]]:
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
        return _encode(body)
    except (OverflowError, UnicodeEncodeError, RecursionError, TypeError, ValueError):
        return _encode(clean([getattr(body, name) for name in _Body.__struct_fields__]))


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


# ----------------------------------------------------------------------------------------------------- search


def searchable(data: bytes, kind: str) -> str:
    """The words of a content, as the index has them. A change here needs a migration that builds the index anew."""
    return "" if kind == "tools" else _words(_decode(inflate(data)), kind)


def packed_content(kind: Kind, value: Any) -> tuple[bytes, str]:
    """The bytes of a content, and its words."""
    try:
        data = _encode(value)
        words = "" if kind == "tools" else _words(value, kind)
    except (OverflowError, UnicodeEncodeError, RecursionError, TypeError, ValueError):
        data = encoded(value)
        words = "" if kind == "tools" else _words(_decode(data), kind)
    return deflate(data), words


def _words(value: Any, kind: str) -> str:
    if kind == "text":
        return str(value)[:SEARCHED]
    return "\n".join(_texts(value[1] if kind == "message" else value))[:SEARCHED]


_json: Final = json.JSONEncoder(ensure_ascii=False).encode  # json.dumps() makes one each time


def _texts(parts: Any) -> Iterable[str]:
    for part in parts:
        if not isinstance(part, dict):
            continue
        for name in ("content", "name", "arguments", "response", "result"):
            value = part.get(name)
            if isinstance(value, str):
                # Not what is no text: a picture's bytes.
                if part.get("type") not in {"blob", "uri", "file"}:
                    yield value
            elif value is not None:
                yield _json(value)


# ----------------------------------------------------------------------------------------------------- events, scores


def encode_event(event: SessionEvent) -> tuple[bytes, bytes]:
    """The key and the bytes of an event. Of a process' heartbeats the last one is kept, so they share a key."""
    plain = _event(event)
    process = event.process
    who = encoded((process.service, process.host, process.pid, process.instance))
    if event.name == "heartbeat":
        return digest_of(b"heartbeat", who), deflate(plain)
    return digest_of(plain), deflate(plain)


def _event(event: SessionEvent) -> bytes:
    try:
        return _encode(event)
    except (OverflowError, UnicodeEncodeError, RecursionError, TypeError, ValueError):
        return _encode(clean(msgspec.to_builtins(event, enc_hook=str)))


def decode_event(data: bytes) -> SessionEvent:
    """The event of the bytes."""
    return _events.decode(inflate(data))


def score_columns(score: Score) -> tuple[Any, ...]:
    """A score's columns from ``session_id`` on."""
    return tuple(
        column(value)
        for value in (
            score.session_id,
            score.trace_id,
            score.span_id,
            score.name,
            score.time_ns,
            None if score.value is None or math.isnan(score.value) else float(score.value),
            score.label,
            score.comment,
        )
    )


def score_digest(columns: tuple[Any, ...]) -> bytes:
    """Equal for equal scores."""
    return digest_of(_encode(columns))
