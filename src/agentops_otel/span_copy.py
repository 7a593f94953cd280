"""A finished span with something changed: cleaned, priced, or with another resource.

The SDK's own constructor forgets what the limits of the span dropped; a copy keeps it, and is otherwise a span as the
exporters know it.
"""

from __future__ import annotations

from typing import Any

from opentelemetry.sdk.trace import ReadableSpan
from typing_extensions import Self


class CountedSpan(ReadableSpan):
    """A finished span made of its parts that says how much its limits had dropped."""

    _dropped: tuple[int, int, int] = (0, 0, 0)

    @property
    def dropped_attributes(self) -> int:
        """How many attributes the limits of the span dropped."""
        return self._dropped[0]

    @property
    def dropped_events(self) -> int:
        """How many events they dropped."""
        return self._dropped[1]

    @property
    def dropped_links(self) -> int:
        """How many links they dropped."""
        return self._dropped[2]

    def with_dropped(self, attributes: int, events: int, links: int) -> Self:
        """This span, which from now on says that so many were dropped."""
        self._dropped = (attributes, events, links)
        return self


class SpanCopy(CountedSpan):
    """A copy of a finished span.

    Args:
        span: what is copied, also a copy.
        changes: what is different, by the names of the parameters of `ReadableSpan`.

    Attributes:
        ref: where the record of the span is kept; None where there is none. A copy of the copy has it too.
    """

    def __init__(self, span: ReadableSpan, **changes: Any) -> None:
        fields: dict[str, Any] = {
            "name": span.name,
            "context": span.get_span_context(),
            "parent": span.parent,
            "resource": span.resource,
            "attributes": span.attributes,
            "events": span.events,
            "links": span.links,
            "kind": span.kind,
            "status": span.status,
            "start_time": span.start_time,
            "end_time": span.end_time,
            "instrumentation_scope": span.instrumentation_scope,
        }
        super().__init__(**{**fields, **changes})
        self.with_dropped(span.dropped_attributes, span.dropped_events, span.dropped_links)
        self.ref: object | None = getattr(span, "ref", None)
