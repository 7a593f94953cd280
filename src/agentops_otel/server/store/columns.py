"""Spans as columns, with what else is written of them, and back.

A span is written as columns for what lists and sums need, and as a body of bytes, which is in `bodies.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any, Final

from ...frozen import dataclass
from ...rows import Process, Source, SpanBody, SpanRow
from ...usage import Usage
from .bodies import Contents, Place, encode_body
from .encoding import LARGEST, column, deflate, digest_of, encode, listed, pack, unlisted

_SMALL_BODY: Final = 600  # half of a body is digests, which do not get smaller
_NOWHERE: Final = Source()
# Rows of a table go into rows by position.
_span: Final[Callable[..., SpanRow]] = SpanRow
_usage: Final[Callable[..., Usage]] = Usage


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
    return Origin(digest_of(encode(columns), resource), (*columns, resource), columns[: len(who)] == who)


def of_process(process: Process) -> tuple[Any, ...]:
    """A process as columns."""
    return process.service, process.host, process.pid, process.runtime, process.instance, process.sdk


def _encode_span(row: SpanRow, origin: Origin, contents: Contents) -> EncodedSpan:
    columns = _columns(row)
    is_number = row.cost is None or not math.isnan(row.cost)  # SQLite has no NaN
    light_row = row if is_number and origin.is_exact else None
    try:
        light = encode(columns)
        if _too_large(row):
            raise OverflowError
    except (OverflowError, UnicodeEncodeError):
        columns = tuple(column(value) for value in columns)
        light, light_row = encode(columns), None
    body, named = encode_body(row, contents)
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
_tokens: Final[Callable[[Usage], tuple[int, ...]]] = attrgetter(*TOKENS)


def tokens(usage: Usage) -> tuple[int, ...]:
    """The columns of a usage."""
    return tuple(min(LARGEST, count) for count in _tokens(usage))


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
