"""Messages in log records: one record for a whole call, or, in older releases, one for each message."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from .. import semconv
from ..dialects.dialect import Content
from ..dialects.genai import content, event_message
from ..messages import messages
from ..rows import Message, SpanBody, SpanContent, SpanRow
from .previews import calls_of, previews
from .received import ReceivedLog


def content_of(log: ReceivedLog) -> SpanContent | None:
    """The messages of a log record; None when it has none, or belongs to no span."""
    if not log.trace_id or not log.span_id:
        return None
    if log.name == semconv.EVENT_OPERATION_DETAILS:
        body = log.body if isinstance(log.body, dict) else {}
        found = content({**body, **log.attributes}, (), "llm")
        if found is None:
            return None
        return SpanContent(log.trace_id, log.span_id, log.time_ns, found.system, found.input, found.output, found.tools)
    said = event_message(log.name, log.body if isinstance(log.body, dict) else log.attributes)
    if said is None:
        return None
    is_answer, message = said
    listed = messages([message], "assistant" if is_answer else "user")
    where = log.trace_id, log.span_id, log.time_ns
    return SpanContent(*where, output=listed) if is_answer else SpanContent(*where, input=listed)


def with_content(row: SpanRow, found: Iterable[SpanContent]) -> SpanRow:
    """The row with the messages of its log records, as far as it has not as many of its own.

    Args:
        found: all that is known, in any order; records that were sent twice count once.
    """
    ordered = sorted(found, key=lambda each: each.time_ns)
    body = row.body or SpanBody()
    merged = Content(
        system=next((each.system for each in ordered if each.system), ()),
        input=_joined([(each.time_ns, each.input) for each in ordered]),
        output=_joined([(each.time_ns, each.output) for each in ordered]),
        tools=next((each.tools for each in ordered if each.tools is not None), None),
    )
    whole = Content(
        system=body.system or merged.system,
        input=_longer(body.input, merged.input),
        output=_longer(body.output, merged.output),
        tools=merged.tools if body.tools is None else body.tools,
    )
    asked, answered = previews(row.kind, whole, body.arguments, body.result)
    reasons = tuple(each.finish_reason for each in whole.output if each.finish_reason)
    return replace(
        row,
        asked=asked,
        answered=answered,
        calls=calls_of(whole.output),
        finish_reasons=row.finish_reasons or reasons,
        body=replace(body, system=whole.system, input=whole.input, output=whole.output, tools=whole.tools),
    )


def _joined(found: list[tuple[int, tuple[Message, ...]]]) -> tuple[Message, ...]:
    """The messages of each record, one record after the other; those of a whole call stand in one."""
    longest = max((said for _, said in found), key=len, default=())
    if len(longest) > 1:
        return longest
    once: dict[tuple[int, str], Message] = {}
    for time_ns, said in found:
        if said:
            once.setdefault((time_ns, said[0].digest), said[0])
    return tuple(once.values())


def _longer(own: tuple[Message, ...], other: tuple[Message, ...]) -> tuple[Message, ...]:
    return other if len(other) > len(own) else own
