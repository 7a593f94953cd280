"""A span that is too large for a backend: the same with its long values cut."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import Link, Status

from ..span_copy import SpanCopy
from ..text import brief

_LONG_VALUE: Final = 64 * 1024
_SHORT_VALUE: Final = 1024


def cut_values(span: ReadableSpan) -> ReadableSpan:
    """The span with its long texts cut, each with a mark that tells how much is missing.

    Texts above 64 KiB are cut to that; when the span has so many of them that it would still be too large, all are cut
    to 1 KiB.
    """
    texts = [value for event in span.events for value in (event.attributes or {}).values()]
    texts += (span.attributes or {}).values()
    long = sum(len(str(value)) > _LONG_VALUE for value in texts)
    return _with_values_cut(span, _LONG_VALUE if long <= 8 else _SHORT_VALUE)


def _with_values_cut(span: ReadableSpan, limit: int) -> ReadableSpan:
    events = [Event(event.name, _cut_all(event.attributes, limit), event.timestamp) for event in span.events]
    links = [Link(link.context, _cut_all(link.attributes, limit)) for link in span.links]
    return SpanCopy(
        span,
        name=_cut(span.name, _SHORT_VALUE),
        attributes=_cut_all(span.attributes, limit),
        events=events,
        links=links,
        status=Status(span.status.status_code, span.status.description and _cut(span.status.description, limit)),
    )


def _cut_all(attributes: Any, limit: int) -> dict[str, Any]:
    return {key: _cut(value, limit) for key, value in (attributes or {}).items()}


def _cut(value: Any, limit: int) -> Any:
    if isinstance(value, str):
        return brief(value, limit)
    if isinstance(value, bytes):
        return value if len(value) <= limit else value[:limit]
    if isinstance(value, (list, tuple)):
        return _cut_items(value, limit)
    return value


def _cut_items(items: Sequence[Any], limit: int) -> tuple[Any, ...]:
    """Items up to the limit in sum, numbers counted as eight bytes; one that does not fit is cut to what is left."""
    kept: list[Any] = []
    for item in items:
        if limit <= 0:
            break
        kept.append(_cut(item, limit))
        limit -= len(item) if isinstance(item, (str, bytes)) else 8
    return tuple(kept)
