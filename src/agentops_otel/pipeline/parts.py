"""Spans in parts, each for a request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from opentelemetry.sdk.trace import ReadableSpan

from ..redaction import plain_dict
from .transports.request import MAX_REQUEST_BYTES

BATCH: Final = 512  # spans in one request


def text_size(span: ReadableSpan) -> int:
    """About how many bytes a span takes, here and in a request: those of its record, or of the texts in it."""
    ref = getattr(span, "ref", None)
    if ref is not None:
        return int(ref.size)
    return 512 + sum([len(value) for value in plain_dict(span.attributes).values() if isinstance(value, (str, bytes))])


def in_requests(spans: Sequence[ReadableSpan]) -> Iterator[list[ReadableSpan]]:
    """Spans in parts that are likely to fit into a request each: to find out by encoding costs memory and time."""
    part: list[ReadableSpan] = []
    size = 0
    for span in spans:
        own = text_size(span)
        if part and (len(part) == BATCH or size + own > MAX_REQUEST_BYTES):
            yield part
            part, size = [], 0
        part.append(span)
        size += own
    if part:
        yield part


def halves(part: list[ReadableSpan]) -> list[list[ReadableSpan]]:
    """The two halves of a part."""
    middle = len(part) // 2
    return [part[:middle], part[middle:]]
