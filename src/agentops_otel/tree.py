"""The spans of a session as trees: which there are, who is whose parent, which LLM spans are calls."""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter
from typing import Final, TypeAlias

from . import semconv
from .rows import SpanRow

Key: TypeAlias = tuple[str, str]
"""Trace id and span id."""
Act: TypeAlias = tuple[Key | None, str, str]
_BY_START: Final = attrgetter("start_ns", "trace_id", "span_id")


class Tree:
    """The spans of one session, each once, in any number of traces.

    Parents that form a circle, which only a broken sender says, do no harm to `parent` and `calls`.
    """

    __slots__ = ("_above_llm", "_around_call", "_children", "by_key", "spans")

    def __init__(self, spans: Iterable[SpanRow]) -> None:
        self.by_key: dict[Key, SpanRow] = {}
        """The spans by trace id and span id, in the order of `spans`."""
        self.spans: list[SpanRow] = _each_once(spans)
        """By start."""
        self.by_key = {(span.trace_id, span.span_id): span for span in self.spans}
        self._above_llm = self._find_above_llm(frozenset())
        self._around_call = self._find_above_llm(semconv.CALLED_KINDS)
        self._children: dict[Key | None, list[SpanRow]] | None = None

    def _find_above_llm(self, ends: frozenset[str]) -> set[Key]:
        """The spans above LLM spans, each time up to the first of these kinds."""
        known, above = self.by_key, set[Key]()
        for span in self.spans:
            if span.kind != "llm":
                continue
            key = (span.trace_id, span.parent_id or "")
            while key not in above and (parent := known.get(key)) is not None and parent.kind not in ends:
                above.add(key)
                key = (parent.trace_id, parent.parent_id or "")
        return above

    def parent(self, span: SpanRow) -> SpanRow | None:
        """The parent, if it is known."""
        return None if span.parent_id is None else self.by_key.get((span.trace_id, span.parent_id))

    def is_call(self, span: SpanRow) -> bool:
        """Whether it is a call of a model: an LLM span around another one would count the same twice."""
        return span.kind == "llm" and (span.trace_id, span.span_id) not in self._around_call

    def has_llm_below(self, span: SpanRow) -> bool:
        """Whether a span stands above an LLM span."""
        return (span.trace_id, span.span_id) in self._above_llm

    def calls(self) -> list[SpanRow]:
        """The calls of models, by start."""
        return [span for span in self.spans if self.is_call(span)]

    def act(self, span: SpanRow) -> Act:
        """What is done again when it has failed: parent, kind and name; the tops of several traces are turns.

        A call's name is the model that was asked for: a call that failed knows no other.
        """
        parent = None if span.parent_id is None else (span.trace_id, span.parent_id)
        return parent, span.kind, (span.kind == "llm" and span.request_model) or span.label

    def children(self, span: SpanRow) -> list[SpanRow]:
        """The spans right below it, by start."""
        return self._below().get((span.trace_id, span.span_id), [])

    def tops(self) -> list[SpanRow]:
        """The spans whose parent is not known, by start; one of each circle too."""
        return self._below().get(None, [])

    def _below(self) -> dict[Key | None, list[SpanRow]]:
        if self._children is None:
            self._children = self._sorted_below()
        return self._children

    def _sorted_below(self) -> dict[Key | None, list[SpanRow]]:
        below: dict[Key | None, list[SpanRow]] = {None: []}
        for span in self.spans:
            key = (span.trace_id, span.parent_id) if span.parent_id is not None else None
            below.setdefault(key if key in self.by_key else None, []).append(span)
        reached = _reached(below)
        if len(reached) < len(self.spans):
            self._cut_circles(below, reached)
        return below

    def _cut_circles(self, below: dict[Key | None, list[SpanRow]], reached: set[Key]) -> None:
        """Make the first span of each circle a top."""
        for span in self.spans:
            key = (span.trace_id, span.span_id)
            if key in reached:
                continue
            siblings = below[span.trace_id, span.parent_id or ""]
            siblings.remove(span)
            below[None].append(span)
            reached |= _reached(below, key)
        below[None].sort(key=_BY_START)


def _reached(below: dict[Key | None, list[SpanRow]], start: Key | None = None) -> set[Key]:
    reached, waiting = set[Key](), [start]
    if start is not None:
        reached.add(start)
    while waiting:
        for span in below.get(waiting.pop(), ()):
            key = (span.trace_id, span.span_id)
            if key not in reached:
                reached.add(key)
                waiting.append(key)
    return reached


def _each_once(spans: Iterable[SpanRow]) -> list[SpanRow]:
    """The spans by start; of one that came twice what is known last: its end, when there is one."""
    found: dict[Key, SpanRow] = {}
    for span in spans:
        known = found.setdefault((span.trace_id, span.span_id), span)
        if known is not span and _knows_more(span, known):
            found[span.trace_id, span.span_id] = span
    return sorted(found.values(), key=_BY_START)


def _knows_more(span: SpanRow, known: SpanRow) -> bool:
    return _knowledge(span) > _knowledge(known)


def _knowledge(span: SpanRow) -> tuple[bool, int, bool, bool, bool, str, str]:
    usage, cost, error = span.usage is not None, span.cost is not None, span.status == "error"
    return span.end_ns is not None, span.end_ns or 0, usage, cost, error, span.label, span.answered or ""
