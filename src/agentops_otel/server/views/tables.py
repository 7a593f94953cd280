"""The LLM calls, the errors and the spans of a session, each as a table."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from ... import semconv
from ...aftermath import Aftermath, Move
from ...failures import failed_at
from ...figures import format_count
from ...rows import ErrorUse, SpanRow
from ..format import duration_text
from ..store import ErrorGroup
from .notes import tokens_per_second
from .run import Run, key_of
from .session import CUT, Attribute, Call, Calls, ErrorRow, Errors, Numbers, Raw, RawSpan, StepError
from .spoken import as_text, signature

PAGE: Final = 200
"""Spans of one page of the raw view."""
_PARAMS: Final = {
    semconv.REQUEST_TEMPERATURE: "temperature",
    semconv.REQUEST_TOP_P: "top p",
    semconv.REQUEST_TOP_K: "top k",
    semconv.REQUEST_MAX_TOKENS: "max tokens",
    semconv.REQUEST_SEED: "seed",
    semconv.REQUEST_FREQUENCY_PENALTY: "frequency penalty",
    semconv.REQUEST_PRESENCE_PENALTY: "presence penalty",
    semconv.REQUEST_STOP_SEQUENCES: "stop",
    semconv.REQUEST_CHOICE_COUNT: "choices",
    semconv.REQUEST_REASONING_LEVEL: "reasoning",
    semconv.OUTPUT_TYPE: "output",
    semconv.OPENAI_RESPONSE_SERVICE_TIER: "service tier",
    semconv.RESPONSE_SERVICE_TIER: "service tier",
    semconv.OPENAI_REQUEST_SERVICE_TIER: "asked for tier",
    semconv.REQUEST_SERVICE_TIER: "asked for tier",
    semconv.REQUEST_STREAM: "stream",
    semconv.CONVERSATION_ID: "conversation",
}
"""The parameters of a call that are shown, and what they are called."""


def calls(run: Run) -> Calls:
    """The LLM calls by start, and their sum."""
    rows = tuple(
        Call(
            span=_light(call.span),
            turn=run.turns[key_of(call.span)],
            at_ns=run.start(call.span),
            asked=call.span.asked or "",
            answered=call.span.answered or "".join(f"asks for {', '.join(call.span.calls)}" if call.span.calls else ""),
            params=", ".join(f"{name} {value}" for name, value in params(call.span)[:4]),
            tokens_per_second=tokens_per_second(call.span),
            fate=run.failures.outcome(call.span).fate if call.span.failed else None,
        )
        for call in run.calls
    )
    row = run.row
    total = Numbers(
        input_tokens=row.usage.input_tokens,
        cached_tokens=row.usage.cache_read_tokens,
        output_tokens=row.usage.output_tokens,
        cost=row.known_cost,
        unpriced_calls=row.unpriced_calls,
        sums=True,
    )
    return Calls(rows, total)


def params(span: SpanRow) -> list[tuple[str, str]]:
    """The parameters with which a model was called: name and value."""
    attributes = span.body.attributes if span.body else {}
    return [(name, _plain(attributes[key])) for key, name in _PARAMS.items() if attributes.get(key) is not None]


def errors(run: Run, group_of: Callable[[str], ErrorGroup | None] | None = None) -> Errors:
    """The errors by time, each with what was done next.

    Args:
        run: the session.
        group_of: what the store knows of a fingerprint.
    """
    found = list(run.origins.values())
    aftermath = Aftermath(run.tree) if found else None
    rows: list[ErrorRow] = []
    for use in found:
        span = run.tree.by_key[use.trace_id, use.span_id]
        place = run.failures.place(span)
        move = aftermath.after(place, failed_at(span)) if aftermath else Move("nothing")
        group = group_of(use.fingerprint) if group_of else None
        rows.append(
            ErrorRow(
                use=use,
                at_ns=run.at(use.time_ns),
                error=run.error(span) or StepError(use.type, use.message, use.fate),
                signature=signature(place.body.arguments) if place.body and place.body.arguments else "",
                next=next_sentence(use),
                next_id=run.id(move.span) if move.span else None,
                seen=group.count if group else 0,
                sessions=group.sessions if group else 0,
            )
        )
    return Errors(tuple(rows))


def next_sentence(use: ErrorUse) -> str:
    """What was done next: ``called run_tests with other arguments 4.46 s later, which worked``."""
    if use.next == "nothing":
        return "nothing followed"
    later = f" {duration_text(use.next_after_ns or 0)} later"
    worked = {True: ", which worked", False: ", which failed too", None: ""}[use.next_worked]
    if use.next == "answer":
        return f"{use.next_label} answered without another tool{later}"
    if use.next == "other tool":
        return f"called {use.next_label}{later}{worked}"
    how = (
        "again"
        if use.kind == "llm"
        else "again with the same arguments"
        if use.next == "same call"
        else "with other arguments"
    )
    return f"called {use.next_label} {how}{later}{worked}"


def raw(run: Run, *, query: str = "", offset: int = 0, selected: str | None = None) -> Raw:
    """The spans as they were received.

    Args:
        run: the session, with bodies.
        query: words that all must stand in a span's name, ids or attributes.
        offset: of the first span.
        selected: the span on whose page to begin, when nothing is searched for.
    """
    words = query.lower().split()
    spans = [span for span in run.tree.spans if _has(span, words)]
    if selected in run.by_id and not words and not offset:
        at = next((number for number, span in enumerate(spans) if run.id(span) == selected), 0)
        offset = at - at % PAGE
    page = spans[max(0, offset) : max(0, offset) + PAGE]
    following = offset + PAGE
    return Raw(
        spans=tuple(RawSpan(_light(span), attributes(span.body.attributes if span.body else {})) for span in page),
        total=len(spans),
        query=query,
        next=following if following < len(spans) else None,
    )


def _has(span: SpanRow, words: list[str]) -> bool:
    if not words:
        return True
    said = f"{span.trace_id} {span.span_id} {span.name} {span.status_message} {span.kind}".lower()
    if all(word in said for word in words):
        return True
    if span.body is not None:
        said += " ".join(f"{name} {as_text(value)}" for name, value in span.body.attributes.items()).lower()
    return all(word in said for word in words)


def attributes(values: Mapping[str, Any], where: str = "attributes") -> tuple[Attribute, ...]:
    """Attributes by name, cut where they are long."""
    return tuple(_attribute(name, values[name], where) for name in sorted(values))


def _attribute(name: str, value: Any, where: str) -> Attribute:
    text = as_text(value)
    size = len(text.encode(errors="replace"))
    if len(text) <= CUT // 4:
        return Attribute(name, text, size)
    shown = text[: CUT // 4]
    return Attribute(name, shown, size, f"{where}.{name}" if where else "")


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return str(format_count(value)) if abs(value) >= 10_000 else str(value)
    if isinstance(value, (list, tuple)):
        return ", ".join(json.dumps(each, ensure_ascii=False) for each in value)[:200]
    return as_text(value)[:200]


def _light(span: SpanRow) -> SpanRow:
    from dataclasses import replace

    return replace(span, body=None)
