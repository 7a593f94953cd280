"""A session step by step: what the model had in front of it at each call, and what it said."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from ... import pricing
from ...rows import SpanBody
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
    calls = run.calls
    ids = [run.id(call.span) for call in calls]
    position = len(ids) - 1
    if at is not None:
        position = min(max(at - 1, 0), position)
    elif selected in ids:
        position = ids.index(selected)
    steps: list[ReplayStep] = []
    input_tokens = output_tokens = 0
    for number, call in enumerate(calls):
        if call.usage is not None:
            input_tokens += call.usage.input_tokens
            output_tokens += call.usage.output_tokens
        step = ReplayStep(
            id=ids[number],
            number=number + 1,
            title=run.call_name(call.span),
            at_ns=run.start(call.span),
            context=(),
            answer=(),
            context_tokens=call.usage.input_tokens if call.usage else None,
            context_limit=None,
            added=0,
            removed=0,
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            cost=run.so_far[key_of(call.span)],
            running=run.end(call.span) is None,
        )
        steps.append(_shown(run, step, position) if number == position else step)
    return Replay(tuple(steps), max(position, 0))


def _shown(run: Run, step: ReplayStep, position: int) -> ReplayStep:
    """The step that is shown: what was in front of the model, beside what it had in its last call."""
    span = run.calls[position].span
    earlier = (call.span for call in reversed(run.calls[:position]))
    before = next((call.body for call in earlier if run.speaker(call) == run.speaker(span)), None)
    body = span.body or SpanBody()
    had = Counter(mark(message) for message in (*before.input, *before.output)) if before else Counter[str]()
    sent = Counter(mark(message) for message in before.input) if before else Counter[str]()
    has = Counter(mark(message) for message in body.input)
    return replace(
        step,
        context_limit=pricing.context_window(span.provider or "", span.model or ""),
        context=_context(body, had, system=before is not None and before.system == body.system),
        answer=_answer(body),
        added=(has - had).total(),
        removed=(sent - has).total(),
    )


def _context(body: SpanBody, had: Counter[str], *, system: bool) -> tuple[Said, ...]:
    """The system instructions and the messages, in their order; `system` tells whether the former were sent before."""
    found: list[Said] = []
    if body.system:
        pieces = tuple(piece(part, f"system.{number}") for number, part in enumerate(body.system))
        found.append(Said("system", pieces, again=system))
    for at, message in enumerate(body.input):
        found.append(said(message, f"input.{at}", again=mark(message) in had))
    return tuple(found)


def _answer(body: SpanBody) -> tuple[Piece, ...]:
    return tuple(each for at, message in enumerate(body.output) for each in said(message, f"output.{at}").pieces)
