"""Finished spans as an indented tree with durations, tokens and cost."""

from __future__ import annotations

from collections.abc import Sequence

from opentelemetry.sdk.trace import ReadableSpan


def span_tree(spans: Sequence[ReadableSpan]) -> str:
    """One line for each span, children under their parent in the order in which they started."""
    children: dict[int, list[ReadableSpan]] = {}
    for span in sorted(spans, key=lambda span: span.start_time or 0):
        children.setdefault(span.parent.span_id if span.parent else 0, []).append(span)
    return "\n".join(_lines(children, 0, 0))


def _lines(children: dict[int, list[ReadableSpan]], parent: int, depth: int) -> list[str]:
    lines = []
    for span in children.get(parent, ()):
        lines.append(_line(span, depth))
        lines += _lines(children, span.context.span_id, depth + 1)
    return lines


def _line(span: ReadableSpan, depth: int) -> str:
    attributes = span.attributes or {}
    seconds = ((span.end_time or 0) - (span.start_time or 0)) / 1e9
    line = f"{'  ' * depth + span.name:<34}{seconds:7.2f} s"
    if "gen_ai.usage.input_tokens" in attributes:
        line += f"{attributes['gen_ai.usage.input_tokens']:>7,} in {attributes['gen_ai.usage.output_tokens']:>4,} out"
        line += f" {attributes.get('gen_ai.usage.cache_read.input_tokens', 0):>5,} cached"
    cost = attributes.get("gen_ai.usage.cost.amount", attributes.get("agentops.session.cost"))
    if cost is not None:
        line += f"  ${cost:.6f}"
    if not span.status.is_ok and span.status.description:
        line += f"  ✗ {span.status.description}"
    return line
