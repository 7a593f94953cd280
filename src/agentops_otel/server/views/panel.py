"""The details of one span: what was said, with which parameters, what it cost and how that is computed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from itertools import takewhile
from typing import Any, Final

from ... import pricing
from ...figures import format_count
from ...rows import Message, SpanBody, SpanRow
from ...usage import Usage
from ..split import TokenClass, classes
from .notes import tokens_per_second
from .resend import as_curl, as_python
from .run import Run, key_of
from .session import Attribute, Panel, Piece, Price, Said
from .spoken import as_text, mark, piece, said, text_piece
from .tables import attributes, params

_ORDER: Final[tuple[TokenClass, ...]] = ("input", "cache read", "cache write", "output")


def panel(
    run: Run,
    span: SpanRow,
    rates: Mapping[str, float] | None = None,
    *,
    before: Sequence[SpanRow] | None = None,
) -> Panel:
    """The details of a span.

    Args:
        run: its session.
        span: the span, with its body.
        rates: what a person has set as the price of its model: US dollars per million tokens of ``input``, ``output``,
            ``cache_read`` and ``cache_write``.
        before: calls before it, with their bodies, which tell what was sent again; those of `run` when left out.
    """
    body = span.body or SpanBody()
    again, new = _messages(_calls_before(run, span) if before is None else before, body)
    usage = span.usage
    return Panel(
        span=replace(span, body=None),
        turn=run.turns.get(key_of(span)),
        at_ns=run.start(span),
        prices=prices(span, rates) if run.is_call(span) else (),
        share_of_cost=span.cost / run.row.cost if span.cost and run.row.cost and run.is_call(span) else None,
        tokens_per_second=tokens_per_second(span),
        sent_again=again,
        sent_again_tokens=usage.cache_read_tokens if usage and usage.cache_read_tokens else None,
        new=new,
        system=tuple(piece(part, f"system.{number}") for number, part in enumerate(body.system)),
        answer=tuple(said(message, f"output.{at}") for at, message in enumerate(body.output)),
        arguments=_text(body.arguments, "arguments"),
        result=_text(body.result, "result"),
        logs=_text(body.logs, "logs"),
        error=run.error(span),
        tools=tools_of(body.tools),
        params=tuple(params(span)),
        attributes=attributes(body.attributes),
        events=tuple((event.name, run.at(event.time_ns), _event_attributes(event.attributes)) for event in body.events),
        links=tuple((link.trace_id, link.span_id) for link in body.links),
        scores=run.row.last_scores(span.span_id),
        curl=as_curl(span) if run.is_call(span) else "",
        python=as_python(span) if run.is_call(span) else "",
    )


def _text(text: str | None, where: str) -> Piece | None:
    return None if text is None else text_piece(text, where, form="code")


def _event_attributes(values: Mapping[str, Any]) -> tuple[Attribute, ...]:
    return attributes(values, "")


def _calls_before(run: Run, span: SpanRow) -> list[SpanRow]:
    calls = (call.span for call in run.calls)
    return list(takewhile(lambda call: key_of(call) != key_of(span) and call.start_ns <= span.start_ns, calls))


def _messages(before: Sequence[SpanRow], body: SpanBody) -> tuple[tuple[Said, ...], tuple[Said, ...]]:
    """The messages that an earlier call of the session was sent or gave, and those that are new."""
    bodies = [call.body for call in before if call.body is not None]
    known = {mark(message) for each in bodies for message in (*each.input, *each.output)}
    again, new = list[Said](), list[Said]()
    for at, message in enumerate(body.input):
        is_known = mark(message) in known
        (again if is_known else new).append(said(message, f"input.{at}", again=is_known))
    return tuple(again), tuple(new)


def tools_of(tools: Any) -> tuple[tuple[str, str], ...]:
    """The tools that a model was offered: name and description."""
    found: list[tuple[str, str]] = []
    for tool in tools if isinstance(tools, (list, tuple)) else ():
        given = tool.get("function", tool) if isinstance(tool, Mapping) else {}
        given = given if isinstance(given, Mapping) else {}
        if given.get("name"):
            found.append((as_text(given["name"]), as_text(given.get("description"))[:500]))
    return tuple(found)


# ------------------------------------------------------------------------------------------------------------- money


def prices(span: SpanRow, rates: Mapping[str, float] | None = None) -> tuple[Price, ...]:
    """The cost of a call as a sum over its classes of tokens; without rates where they do not add up to the cost."""
    usage = span.usage
    if usage is None:
        return ()
    tokens = {name: number for name, number in classes(usage).items() if number}
    parts = {name: _price_of(span, usage_of(name, number), rates) for name, number in tokens.items()}
    known = [cost for cost in parts.values() if cost is not None]
    if span.cost is None or len(known) < len(parts) or not math.isclose(math.fsum(known), span.cost, rel_tol=1e-9):
        parts = dict.fromkeys(parts)
    notes = {"output": f"{format_count(usage.reasoning_tokens)} reasoning" if usage.reasoning_tokens else ""}
    return tuple(
        Price(
            tokens=name,
            count=tokens[name],
            per_million=None if (cost := parts[name]) is None else cost / tokens[name] * 1e6,
            cost=cost,
            note=notes.get(name, ""),
        )
        for name in _ORDER
        if name in tokens
    )


def usage_of(name: TokenClass, tokens: int) -> Usage:
    """So many tokens of one class and nothing else."""
    if name == "output":
        return Usage(output_tokens=tokens)
    read, write = tokens if name == "cache read" else 0, tokens if name == "cache write" else 0
    return Usage(input_tokens=tokens, cache_read_tokens=read, cache_write_tokens=write)


def _price_of(span: SpanRow, usage: Usage, rates: Mapping[str, float] | None) -> float | None:
    """What a usage costs at the rates that were set, else by the price table that is installed here."""
    if rates is not None:
        return pricing.at_rates(rates, usage)
    said = span.body.attributes if span.body else {}
    try:
        at = datetime.fromtimestamp(span.start_ns / 1e9, timezone.utc)
    except (OverflowError, ValueError, OSError):
        return None
    terms = pricing.Terms.of(said)._replace(at=at, web_searches=0, billed=(None, None))
    model = pricing.model_of(span.request_model, span.model, span.provider)
    found = pricing.cost(span.provider or "", model or "", usage, terms)
    return None if found is None else found.amount


def messages_of(span: SpanRow) -> tuple[Message, ...]:
    """All that was said in a call."""
    return (*span.body.input, *span.body.output) if span.body else ()
