"""Spans as lines on standard output."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from ... import semconv
from ...figures import format_cost
from ...secrets import one_line
from .attempt import Reply, Verdict
from .local import LocalTransport

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan


class ConsoleTransport(LocalTransport):
    """One readable line per span on standard output, indented under its parent: time, name, duration, tokens, cost."""

    name = "the console"

    def send(self, spans: Sequence[ReadableSpan], timeout: float) -> Reply:
        """Write the spans in the order they started."""
        own = {span.context.span_id: span for span in spans if span.context}
        lines = [
            f"{'  ' * _depth(span, own)}{_summary(span)}\n"
            for span in sorted(spans, key=lambda span: span.start_time or 0)
        ]
        try:
            sys.stdout.write("".join(lines))
            sys.stdout.flush()
        except (OSError, ValueError, AttributeError) as error:  # closed, or None under pythonw
            return Reply(Verdict.REFUSED, f"standard output: {type(error).__name__}")
        return Reply(Verdict.ACCEPTED)


def _depth(span: ReadableSpan, own: Mapping[int, ReadableSpan]) -> int:
    """Distance to the root; a parent that is not here (it ends later) counts as one step."""
    depth = 0
    parent = span.parent
    while parent is not None and depth < 32:
        depth += 1
        parent = own[parent.span_id].parent if parent.span_id in own else None
    return depth


def _summary(span: ReadableSpan) -> str:
    attributes = span.attributes or {}
    start, end = span.start_time or 0, span.end_time or 0
    parts = [
        datetime.fromtimestamp(start / 1e9, timezone.utc).astimezone().strftime("%H:%M:%S.%f")[:-3],
        one_line(span.name),
        f"{(end - start) / 1e9:.3f} s",
    ]
    tokens_in, tokens_out = attributes.get(semconv.USAGE_INPUT_TOKENS), attributes.get(semconv.USAGE_OUTPUT_TOKENS)
    if tokens_in is not None or tokens_out is not None:
        parts.append(f"{tokens_in or 0} in, {tokens_out or 0} out")
    cost = attributes.get(semconv.COST_AMOUNT, attributes.get(semconv.SESSION_COST))
    if isinstance(cost, (int, float)):
        parts.append(format_cost(cost))
    state = attributes.get(semconv.SESSION_END_STATE)
    if state:
        parts.append(one_line(state))
    if span.status.status_code.name == "ERROR":
        parts.append(f"ERROR {one_line(span.status.description or '')}".strip())
    return "  ".join(parts)
