"""The shape of a run: which kind of work each instant belongs to.

LLM if a call of a model is open, else tool if one is open, else own code.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from .frozen import dataclass
from .rows import CELLS, ErrorFate, ErrorUse, Strip
from .tree import Tree

Interval = tuple[int, int]
_TOOL: Final = b"\1"
_LLM: Final = b"\2"


@dataclass(frozen=True, slots=True)
class Shape:
    """The times of a run by kind; no two intervals overlap, and those of one kind do not touch."""

    start_ns: int
    end_ns: int
    llm: Sequence[Interval]
    """When a call of a model was open."""
    tool: Sequence[Interval]
    """When a tool was open and no call of a model."""

    @property
    def llm_ns(self) -> int:
        """Sum of `llm`."""
        return sum(end - start for start, end in self.llm)

    @property
    def tool_ns(self) -> int:
        """Sum of `tool`."""
        return sum(end - start for start, end in self.tool)

    @property
    def own_ns(self) -> int:
        """The rest: with the other two it adds up to the whole."""
        return self.end_ns - self.start_ns - self.llm_ns - self.tool_ns

    def own(self) -> list[Interval]:
        """When neither was open."""
        return without([(self.start_ns, self.end_ns)], union([*self.llm, *self.tool]))


def shape(tree: Tree, start_ns: int, end_ns: int) -> Shape:
    """The shape of a run between two times; a span that is open lasts to the end."""
    llm, tool = list[Interval](), list[Interval]()
    for span in tree.spans:
        if span.kind == "tool":
            chosen = tool
        elif tree.is_call(span):
            chosen = llm
        else:
            continue
        start = max(span.start_ns, start_ns)
        end = end_ns if span.end_ns is None else min(span.end_ns, end_ns)
        if start < end:
            chosen.append((start, end))
    busy = union(llm)
    return Shape(start_ns, max(start_ns, end_ns), busy, without(union(tool), busy))


def union(intervals: Iterable[Interval]) -> list[Interval]:
    """The same time in intervals that neither overlap nor touch, sorted."""
    merged: list[Interval] = []
    for start, end in sorted(intervals):
        if merged and start <= merged[-1][1]:
            if end > merged[-1][1]:
                merged[-1] = merged[-1][0], end
        elif start < end:
            merged.append((start, end))
    return merged


def without(intervals: Sequence[Interval], taken: Sequence[Interval]) -> list[Interval]:
    """What is left of `intervals` after `taken`; both as `union()` makes them."""
    left: list[Interval] = []
    at = 0
    for begin, end in intervals:
        start = begin
        while at < len(taken) and taken[at][1] <= start:
            at += 1
        following = at
        while following < len(taken) and taken[following][0] < end:
            if taken[following][0] > start:
                left.append((start, taken[following][0]))
            start = taken[following][1]
            following += 1
        if start < end:
            left.append((start, end))
    return left


def strip(times: Shape, errors: Iterable[ErrorUse] = ()) -> Strip:
    """The strip of a shape: what took time at all has a cell at least, unless an LLM call has it."""
    length = times.end_ns - times.start_ns
    if length <= 0:
        return Strip(errors=tuple(sorted({(0, error.fate) for error in errors})))
    cells = bytearray(CELLS)
    for mark, intervals in ((_TOOL, times.tool), (_LLM, times.llm)):
        for start, end in intervals:
            first = min(_cell(start - times.start_ns, length), CELLS - 1)
            last = max(_cell(end - times.start_ns, length), first + 1)
            cells[first:last] = mark * (last - first)
    marks: set[tuple[int, ErrorFate]] = set()
    for error in errors:
        at = (error.time_ns - times.start_ns) * CELLS // length
        marks.add((max(0, min(at, CELLS - 1)), error.fate))
    return Strip(_runs(cells, _LLM), _runs(cells, _TOOL), tuple(sorted(marks)))


def _cell(offset: int, length: int) -> int:
    """The nearest border between cells."""
    return (2 * offset * CELLS + length) // (2 * length)


def _runs(cells: bytearray, mark: bytes) -> tuple[tuple[int, int], ...]:
    return tuple(found.span() for found in re.finditer(mark + b"+", cells))
