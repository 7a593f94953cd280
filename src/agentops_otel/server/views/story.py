"""The transcript of a session: each message once, each call with what is new in it, agents inside of their callers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from ...figures import format_count
from ...rows import Message, Score, SpanBody, SpanRow
from ...strip import Interval, union, without
from ...tree import Key
from ..format import duration_text
from .notes import amount_of, call_note, new_summary, ordinal, place, result_summary, unquoted
from .run import GAP_SHARE, Run, key_of
from .session import Fold, Piece, Step, StepError, Story
from .shown import Shown
from .spoken import (
    as_text,
    blocks,
    gist,
    is_diff,
    mark,
    piece,
    said,
    signature,
    task,
    text_of,
    text_piece,
)

STEPS: Final = 1_000
"""Steps of a story that are built before a reader asks for all."""
_DEEPEST: Final = 16
"""Agents inside of agents; what is deeper stands at this level."""
_FRAMES: Final = 4
"""Agents around everything that are no steps."""
_INSTRUCTING: Final = frozenset({"system", "developer"})
_CONTAINERS: Final = frozenset({"agent", "workflow"})
_DONE: Final = frozenset({"agent", "workflow", "tool", "action"})
Before = Callable[[Sequence[Mapping[str, Any]]], int]


@dataclass(slots=True)
class _Entry:
    """A step and its place in time, with what stands before it; None is a step that does not take part in groups."""

    start: int
    end: int
    steps: list[Step]
    span: SpanRow | None = None


def story(run: Run, *, sessions_before: Before | None = None, most: int = STEPS) -> Story:
    """The transcript of a session.

    Args:
        run: the session, with the bodies of its spans.
        sessions_before: tells in how many sessions before some system instructions were sent.
        most: steps that are built; 0 is all.
    """
    return _Teller(run, sessions_before, most or len(run.order) + 1).tell()


class _Teller:
    def __init__(self, run: Run, sessions_before: Before | None, most: int) -> None:
        self._run = run
        self._before = sessions_before
        self._most = most
        self._built = self._left_out = self._gaps = self._groups = 0
        self._tasks: dict[str, str] = {}  # what agents were asked, and their steps
        self._systems: set[str] = set()
        self._arguments: dict[tuple[str, str], int] = {}
        self._stacks: set[str] = set()
        self._content = False
        self._scores: dict[str, dict[str, Score]] = {}
        for score in run.row.scores:
            if score.span_id:
                self._scores.setdefault(score.span_id, {})[score.name] = score
        self._least_gap = run.least_gap_ns
        self._asked = False
        self._names = {span.label for span in run.tree.spans if span.kind in _DONE}
        self._shown = Shown((span, run.id(span)) for span in run.tree.spans if span.kind in {"tool", "action"})

    def tell(self) -> Story:
        tops = [span for span in self._run.tree.tops() if span.parent_id is None]
        orphans: dict[Key, list[SpanRow]] = {}
        for span in self._run.orphans():
            orphans.setdefault((span.trace_id, span.parent_id or ""), []).append(span)
        visible, busy = self._visible(tops)
        asked = ""
        for _ in range(_FRAMES):
            inside = self._inside_of_frame(visible)
            if not inside[0]:
                break
            asked = asked or self._task(visible[0])
            visible, busy = inside
        steps = self._level(visible, busy, (0, self._run.length_ns), 0)
        if asked and not self._asked:  # no call says what the agent around all was asked
            start = self._run.start(visible[0])
            steps.insert(0, Step("ask", "user", start, start, "User", asked=text_piece(asked, "").text))
        for number, spans in enumerate(orphans.values(), 1):
            steps.append(self._placeholder(number, spans))
        return Story(tuple(steps), self._content or not self._run.calls, self._left_out)

    def _inside_of_frame(self, visible: Sequence[SpanRow]) -> tuple[list[SpanRow], list[Interval]]:
        """What is inside of an agent that is around everything: its steps are the session's. Else nothing."""
        if len(visible) != 1 or visible[0].kind not in _CONTAINERS or self._run.happened_in(visible[0]):
            return [], []
        return self._visible(self._run.tree.children(visible[0]))

    # ---------------------------------------------------------------------------------------------------- the tree

    def _visible(self, spans: Sequence[SpanRow]) -> tuple[list[SpanRow], list[Interval]]:
        """The spans that are steps among these and, in the place of those that are none, below them; and busy times."""
        run, found, busy = self._run, list[SpanRow](), list[Interval]()
        waiting = list(reversed(spans))
        while waiting:
            span = waiting.pop()
            below = run.tree.children(span)
            if self._is_step(span, below):
                found.append(span)
            else:
                waiting.extend(reversed(below))
                if below:
                    continue
            busy.append((run.start(span), run.until(span)))
        found.sort(key=lambda span: (span.start_ns, span.span_id))
        return found, busy

    def _is_step(self, span: SpanRow, below: Sequence[SpanRow]) -> bool:
        if span.kind == "llm":
            return self._run.is_call(span)
        if span.kind in {"tool", "action", "error"} or span.kind in _CONTAINERS or self._run.happened_in(span):
            return True
        if span.kind == "session" or below:
            return False
        return self._run.until(span) - self._run.start(span) > self._least_gap

    def _level(self, spans: Sequence[SpanRow], busy: Sequence[Interval], bounds: Interval, depth: int) -> list[Step]:
        """The steps of one level: calls that ran at once together, gaps between."""
        entries = [entry for span in spans if (entry := self._entry(span, depth)) is not None]
        entries += self._gap_entries(busy, bounds)
        entries.sort(key=lambda entry: entry.start)
        steps: list[Step] = []
        group: list[_Entry] = []
        for entry in entries:
            if group and not _at_once(group, entry):
                steps += self._together(group)
                group = []
            if entry.span is None:
                steps += entry.steps
            else:
                group.append(entry)
        return steps + self._together(group)

    def _entry(self, span: SpanRow, depth: int) -> _Entry | None:
        if self._built >= self._most:
            self._left_out += len(self._flattened([span]))
            return None
        self._built += 1
        steps = self._steps(span, depth)
        return _Entry(self._run.start(span), self._run.until(span), steps, span)

    def _gap_entries(self, busy: Sequence[Interval], bounds: Interval) -> list[_Entry]:
        entries: list[_Entry] = []
        if not busy:
            return entries
        for start, end in without([bounds], union(busy)) if bounds[0] < bounds[1] else []:
            if end - start <= self._least_gap:
                continue
            self._gaps += 1
            long = duration_text(end - start)
            title = f"no span for {long}: own code, or waiting for something that is not instrumented"
            entries.append(_Entry(start, end, [Step(f"gap-{self._gaps}", "gap", start, end, title)]))
        return entries

    def _together(self, group: list[_Entry]) -> list[Step]:
        if len(group) < 2:
            return [step for entry in group for step in entry.steps]
        self._groups += 1
        start, end = min(entry.start for entry in group), max(entry.end for entry in group)
        title = f"{format_count(len(group))} calls at once"
        alone = sum(entry.end - entry.start for entry in group)
        steps = [step for entry in group for step in entry.steps]
        before = [step for step in steps if step.kind == "user"]
        children = tuple(step for step in steps if step.kind != "user")
        running = any(step.end_ns is None for step in children)
        if not running and alone - (end - start) > self._run.length_ns * GAP_SHARE:
            title += f", {duration_text(end - start)} instead of {duration_text(alone)}"
        ended = None if running else end
        return [*before, Step(f"together-{self._groups}", "together", start, ended, title, children=children)]

    def _placeholder(self, number: int, spans: Sequence[SpanRow]) -> Step:
        visible, busy = self._visible(spans)
        start, end = min(map(self._run.start, spans)), max(map(self._run.until, spans))
        several = "s have" if len(spans) > 1 else " has"
        title = f"{format_count(len(spans))} span{several} a parent that has not arrived"
        children = tuple(self._level(visible, busy, (start, end), 1))
        return Step(f"orphans-{number}", "placeholder", start, end, title, children=children)

    # ---------------------------------------------------------------------------------------------------- the steps

    def _steps(self, span: SpanRow, depth: int) -> list[Step]:
        if self._run.is_call(span):
            return self._call(span, depth)
        if span.kind in _CONTAINERS:
            return [self._agent(span, depth)]
        return [self._tool(span, depth)]

    def _base(self, span: SpanRow) -> Step:
        run = self._run
        return Step(
            id=run.id(span),
            kind=span.kind,
            start_ns=run.start(span),
            end_ns=run.end(span),
            title=run.title(span),
            error=self._error(span) if run.own_error(span) else None,
            numbers=run.numbers(span),
            span=replace(span, body=None),
            scores=tuple(self._scores.get(span.span_id, {}).values()),
        )

    def _error(self, span: SpanRow) -> StepError | None:
        """The error of a span; a stack that was shown above is not shown again."""
        error = self._run.error(span)
        if error is None or not error.stack:
            return error
        if error.stack in self._stacks:
            return replace(error, stack="", frames=0)
        self._stacks.add(error.stack)
        return error

    def _inside(self, span: SpanRow, depth: int) -> tuple[Step, ...]:
        visible, busy = self._visible(self._run.tree.children(span))
        if depth >= _DEEPEST:
            visible = self._flattened(visible)
            return tuple(step for each in visible if (entry := self._entry(each, -1)) for step in entry.steps)
        own = busy if span.kind in _CONTAINERS else []
        return tuple(self._level(visible, own, (self._run.start(span), self._run.until(span)), depth + 1))

    def _flattened(self, spans: Sequence[SpanRow]) -> list[SpanRow]:
        found, waiting = list[SpanRow](), list(reversed(spans))
        while waiting:
            span = waiting.pop()
            found.append(span)
            if not self._run.is_call(span):
                waiting.extend(reversed(self._visible(self._run.tree.children(span))[0]))
        return found

    def _task(self, span: SpanRow) -> str:
        """What an agent was asked: the first message of a user, as frameworks record it, else its arguments."""
        given = span.body.input if span.body else ()
        texts = (text_of(message) for message in given if message.role == "user")
        if text := next(filter(None, texts), ""):
            return text
        return task(span.body.arguments) if span.body and span.body.arguments else span.asked or ""

    def _agent(self, span: SpanRow, depth: int) -> Step:
        step, sums = self._base(span), self._run.sums[key_of(span)]
        asked = self._task(span)
        if asked:
            self._content = True
            self._tasks.setdefault(gist(asked), step.id)
        parts = [str(span.kind)]
        if sums.calls:
            parts.append(format_count(sums.calls, "LLM call"))
        if sums.tools:
            parts.append(format_count(sums.tools, "tool"))
        children = self._inside(span, depth) if depth >= 0 else ()
        return replace(step, note=", ".join(parts), asked=asked, children=children)

    def _tool(self, span: SpanRow, depth: int) -> Step:
        step, body = self._base(span), span.body
        folds, pieces = list[Fold](), list[Piece]()
        arguments = self._run.arguments(span)
        if arguments:
            self._content = True
            for name, text in blocks(arguments):
                shown = text_piece(text, "arguments", form="diff" if is_diff(text) else "code")
                place(shown, f"{name}, {amount_of(shown)}", folds, pieces)
        children = self._inside(span, depth) if depth >= 0 else ()
        if body is not None and body.result:
            self._content = True
            result = unquoted(body.result)
            if not (children and self._shown.has_text(result)):  # it is the answer of a call inside
                shown = text_piece(result, "result", kind="result", form="code")
                place(shown, result_summary(shown), folds, pieces)
        if body is not None and body.logs:
            shown = text_piece(body.logs, "logs", form="code")
            folds.append(Fold(f"Logs, {amount_of(shown)}", pieces=(shown,)))
        return replace(
            step,
            signature=signature(arguments),
            note=self._repeat(span),
            folds=tuple(folds),
            pieces=tuple(pieces),
            children=children,
        )

    def _repeat(self, span: SpanRow) -> str:
        if span.arguments_digest is None or span.kind != "tool":
            return ""
        call = (span.label, span.arguments_digest)
        self._arguments[call] = times = self._arguments.get(call, 0) + 1
        return f"same arguments, {ordinal(times)} time" if times > 1 else ""

    # ---------------------------------------------------------------------------------------------------- the calls

    def _call(self, span: SpanRow, depth: int) -> list[Step]:
        step, body = self._base(span), span.body
        if body is None:
            note = call_note(span, has_text=bool(span.answered))
            return [replace(step, note=note, children=self._inside(span, depth) if depth >= 0 else ())]
        steps: list[Step] = []
        said_here: Counter[str] = Counter()
        again, asked, others = self._sort(body.input, said_here)
        folds: list[Fold] = []
        system = self._system(body, others)
        others = [(at, message) for at, message in others if message.role not in _INSTRUCTING]
        if asked:
            steps.append(self._user(step, asked, system))
        elif system is not None:
            folds.append(system)
        if again:
            folds.append(self._again_fold(span, again))
        if others:
            told = tuple(said(message, f"input.{at}") for at, message in others)
            folds.append(Fold(new_summary([message for _, message in others]), told))
        thoughts, pieces = self._answer(body)
        if thoughts:
            tokens = span.usage.reasoning_tokens if span.usage else 0
            summary = f"Thought, {format_count(tokens, 'token')}" if tokens else "Thought"
            folds.append(Fold(summary, pieces=tuple(thoughts)))
        for message in body.input:
            self._shown.put(message, step.id, said_here[mark(message)])
        for message in body.output:
            said_here[mark(message)] += 1
            self._shown.put(message, step.id, said_here[mark(message)])
        self._content = self._content or bool(body.input or body.output)
        note = call_note(span, has_text=any(each.kind == "text" for each in pieces))
        children = self._inside(span, depth) if depth >= 0 else ()
        steps.append(replace(step, note=note, folds=tuple(folds), pieces=tuple(pieces), children=children))
        return steps

    def _sort(
        self, messages: Sequence[Message], said_here: Counter[str]
    ) -> tuple[list[Message], list[tuple[int, Message]], list[tuple[int, Message]]]:
        """The messages that were shown before, those of a user that are new, and whatever else is new.

        Args:
            messages: of one call.
            said_here: how often each is among them; empty, and filled here.
        """
        again, asked, others = list[Message](), list[tuple[int, Message]](), list[tuple[int, Message]]()
        for at, message in enumerate(messages):
            said_here[mark(message)] += 1
            if self._shown.has(message, said_here[mark(message)]):
                again.append(message)
            elif message.role == "user" and (step := self._tasks.get(gist(text_of(message)))):
                self._shown.put(message, step)
            elif message.role == "user":
                asked.append((at, message))
            else:
                others.append((at, message))
        if len(asked) > 1 and others:  # a conversation of before: only its last question is this one's
            others = sorted([*others, *asked[:-1]], key=lambda each: each[0])
            asked = asked[-1:]
        return again, asked, others

    def _user(self, call: Step, messages: Sequence[tuple[int, Message]], system: Fold | None) -> Step:
        """The step of a user before a call."""
        name = f"ask-{call.id}" if self._asked else "ask"
        self._asked = True
        for _, message in messages:
            self._shown.put(message, name)
        start = call.start_ns
        asked = "\n\n".join(filter(None, (text_of(message) for _, message in messages)))
        others = [
            piece(part, f"input.{at}.{number}")
            for at, message in messages
            for number, part in enumerate(message.parts)
            if part.get("type") != "text"
        ]
        folds = () if system is None else (system,)
        return Step(
            name, "user", start, start, "User", asked=text_piece(asked, "").text, folds=folds, pieces=tuple(others)
        )

    def _system(self, body: SpanBody, others: Sequence[tuple[int, Message]]) -> Fold | None:
        """The system instructions, of their own or as messages, when they were not shown before."""
        found = [(f"system.{number}", part) for number, part in enumerate(body.system)]
        for at, message in others:
            if message.role in _INSTRUCTING:
                self._shown.put(message, "ask")
                found += [(f"input.{at}.{number}", part) for number, part in enumerate(message.parts)]
        parts = [part for _, part in found if as_text(part.get("content"))]
        if not parts:
            return None
        digest = gist([dict(part) for part in parts])
        if digest in self._systems:
            return None
        self._systems.add(digest)
        pieces = tuple(piece(part, where) for where, part in found)
        summary = (
            f"System instructions, {format_count(sum(len(as_text(part.get('content'))) for part in parts))} characters"
        )
        sessions = self._sessions_before(body)
        if sessions:
            summary += f", the same as in {format_count(sessions, 'session')} before"
        return Fold(summary, pieces=pieces)

    def _sessions_before(self, body: SpanBody) -> int:
        return self._before(body.system) if self._before is not None and body.system else 0

    def _again_fold(self, span: SpanRow, again: Sequence[Message]) -> Fold:
        summary = f"{format_count(len(again), 'message')} sent again"
        usage = span.usage
        if usage is not None and usage.cache_read_tokens:
            cached, whole = format_count(usage.cache_read_tokens), format_count(usage.input_tokens)
            summary += f", {cached} of {whole} tokens from the cache"
        return Fold(summary, link=next(filter(None, map(self._shown.step_of, again)), None))

    def _answer(self, body: SpanBody) -> tuple[list[Piece], list[Piece]]:
        """Thoughts, and what was said; calls of tools that are steps of their own are not said again."""
        thoughts, pieces = list[Piece](), list[Piece]()
        for at, message in enumerate(body.output):
            for number, part in enumerate(message.parts):
                shown = piece(part, f"output.{at}.{number}")
                if shown.kind == "reasoning":
                    if shown.text:
                        thoughts.append(shown)
                elif shown.kind == "call":
                    if not self._shown.is_tool(part.get("id")) and shown.name not in self._names:
                        pieces.append(shown)
                elif shown.kind == "media" or shown.text:
                    pieces.append(shown)
        return thoughts, pieces


def _at_once(group: Sequence[_Entry], entry: _Entry) -> bool:
    """Whether a step ran at the same time as all of a group, and not only for a moment."""
    if entry.span is None:
        return False
    overlap = min(each.end for each in group) - entry.start
    return overlap > 0 and overlap * 10 >= min(entry.end - entry.start, *(each.end - each.start for each in group))
