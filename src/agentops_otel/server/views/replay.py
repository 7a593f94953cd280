"""A session step by step: what the model had in front of it at each call, and what it said."""

from __future__ import annotations

from collections import Counter

from ...rows import SpanBody, SpanRow
from .run import Run, key_of
from .session import Piece, Replay, ReplayStep, Said
from .spoken import mark, piece, said


def replay(run: Run, *, at: int | None = None, selected: str | None = None) -> Replay:
    """The steps of the slider.

    Args:
        run: the session, with the bodies of its calls.
        at: the number of the step that is shown, from 1.
        selected: else the one of this span; else the last.
    """
    ids = [run.id(call.span) for call in run.calls]
    position = len(ids) - 1
    if at is not None:
        position = min(max(at - 1, 0), position)
    elif selected in ids:
        position = ids.index(selected)
    steps: list[ReplayStep] = []
    before: dict[str | None, Counter[str]] = {}
    seen: set[str] = set()
    input_tokens = output_tokens = 0
    for number, call in enumerate(run.calls):
        if call.usage is not None:
            input_tokens += call.usage.input_tokens
            output_tokens += call.usage.output_tokens
        span, body = call.span, call.span.body or SpanBody()
        marks = Counter(mark(message) for message in body.input)
        last = before.get(_speaker(span))
        shown = number == position
        steps.append(
            ReplayStep(
                id=ids[number],
                number=number + 1,
                title=run.call_name(span),
                at_ns=run.start(span),
                context=_context(body, seen) if shown else (),
                answer=_answer(body) if shown else (),
                context_tokens=call.usage.input_tokens if call.usage else None,
                context_limit=None,
                added=(marks - last).total() if last is not None else marks.total(),
                removed=(last - marks).total() if last is not None else 0,
                input_tokens=input_tokens,
                output_tokens=output_tokens,
                cost=run.so_far[key_of(span)],
                running=run.end(span) is None,
            )
        )
        before[_speaker(span)] = marks
        seen.update(marks)
    return Replay(tuple(steps), max(position, 0))


def _speaker(span: SpanRow) -> str | None:
    """Whose conversation a call belongs to."""
    return span.agent or span.parent_id


def _context(body: SpanBody, seen: set[str]) -> tuple[Said, ...]:
    """The system instructions and the messages, in their order."""
    found: list[Said] = []
    if body.system:
        pieces = tuple(piece(part, f"system.{number}") for number, part in enumerate(body.system))
        found.append(Said("system", pieces, again=bool(seen)))
    for at, message in enumerate(body.input):
        found.append(said(message, f"input.{at}", again=mark(message) in seen))
    return tuple(found)


def _answer(body: SpanBody) -> tuple[Piece, ...]:
    return tuple(each for at, message in enumerate(body.output) for each in said(message, f"output.{at}").pieces)
