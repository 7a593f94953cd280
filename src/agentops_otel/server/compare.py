"""Two sessions side by side: which step of one answers to which of the other, and what differs. Pure.

Comparing b with a gives the mirror of comparing a with b: both ways are one alignment, seen from two sides.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher
from typing import Any, Final, Literal

from ..rows import Kind, Message, SpanRow
from ..tree import Key, Tree
from ..usage import Usage

Pieces = tuple[tuple[str, bool], ...]
"""A text in pieces, and whether each is not in the other text."""
Difference = Literal["", "arguments", "tool", "model", "answer", "calls", "failure", "only here"]
CUT: Final = 2_000
"""Characters of one text that are compared."""
_WINDOW: Final = 400
_CELLS: Final = 40_000
_ALIKE: Final = 0.2
# What aligning is for, in this order: as many steps of the same name as can be, then as many with the same arguments,
# then no step alone beside another of its kind. A window has fewer steps than a thousand.
_SAME_NAME: Final = 1_000_000
_SAME_ACT: Final = 1_000
_SAME_KIND: Final = 1
_WORDS: Final = re.compile(r"\d+(?:[.,]\d+)*|\w+|\s+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that a session did: a leaf LLM call, a tool, or an action with neither inside."""

    span_id: str
    kind: Kind
    label: str
    start_ns: int
    """From the session's start."""
    duration_ns: int | None
    failed: bool
    cost: float | None = None
    usage: Usage | None = None
    arguments: Mapping[str, str] = field(default_factory=dict)
    """Of a tool or action: each argument as JSON; one with the name "" when it had no names."""
    calls: tuple[str, ...] = ()
    """Of an LLM call: the tools that it asks for."""
    says: str = ""
    """Of an LLM call: its answer in text."""
    result: str = ""
    turn: int = 1
    """2 when it is the second call with the same arguments."""

    @property
    def act(self) -> tuple[object, ...]:
        """What it did; its words count only when it did nothing else."""
        if self.kind == "llm":
            return self.calls or (self.says,)
        return tuple(sorted(self.arguments.items()))

    @property
    def key(self) -> tuple[str, str, str, bool]:
        """Equal for steps that are alike."""
        return self.kind, self.label, repr(self.act), self.failed


@dataclass(frozen=True, slots=True)
class Change:
    """A text of a step on both sides."""

    name: str
    """Of an argument; "" for an answer."""
    a: Pieces | None
    """None where there is none."""
    b: Pieces | None

    @property
    def same(self) -> bool:
        """Whether both say the same."""
        return self.a == self.b


@dataclass(frozen=True, slots=True)
class Pair:
    """A step of each side, or of one alone."""

    a: Step | None
    b: Step | None
    difference: Difference
    """Empty: they are alike."""
    changes: tuple[Change, ...] = ()
    other_result: bool = False
    """The same call gave another result."""

    @property
    def slower_ns(self) -> int | None:
        """How much longer b took; None when a side is missing or not over."""
        if self.a is None or self.b is None or self.a.duration_ns is None or self.b.duration_ns is None:
            return None
        return self.b.duration_ns - self.a.duration_ns


@dataclass(frozen=True, slots=True)
class Comparison:
    """All steps of both sides, in order."""

    pairs: tuple[Pair, ...]
    first: int | None
    """Index of the first pair that is not alike; None: all are."""


def compare(a: Sequence[SpanRow], b: Sequence[SpanRow]) -> Comparison:
    """Compare the spans of two sessions, which come with their bodies."""
    return compare_steps(steps(a), steps(b))


def compare_steps(a: Sequence[Step], b: Sequence[Step]) -> Comparison:
    """Compare the steps of two sessions."""
    pairs = tuple(_pair(*both) for both in align(a, b))
    return Comparison(pairs, next((index for index, pair in enumerate(pairs) if pair.difference), None))


def swapped(comparison: Comparison) -> Comparison:
    """The same comparison, seen from the other side."""
    pairs = tuple(
        replace(
            pair, a=pair.b, b=pair.a, changes=tuple(replace(change, a=change.b, b=change.a) for change in pair.changes)
        )
        for pair in comparison.pairs
    )
    return Comparison(pairs, comparison.first)


# ---------------------------------------------------------------------------------------------------------- the steps


def steps(spans: Sequence[SpanRow]) -> tuple[Step, ...]:
    """What a session did, by start. A span around others of these is no step: its time is theirs."""
    tree = Tree(spans)
    began = min((span.start_ns for span in tree.spans), default=0)
    around = _above(tree)
    seen: dict[tuple[str, str, str], int] = {}
    found = []
    for span in tree.spans:
        if tree.is_call(span):
            found.append(_step(span, began))
        elif span.kind == "tool" or (span.kind == "action" and (span.trace_id, span.span_id) not in around):
            step = _step(span, began)
            seen[step.key[:3]] = seen.get(step.key[:3], 0) + 1
            found.append(replace(step, turn=seen[step.key[:3]]))
    return tuple(found)


def _above(tree: Tree) -> set[Key]:
    """The spans above tools and actions, and above LLM spans."""
    above: set[Key] = set()
    for span in tree.spans:
        parent = tree.parent(span) if span.kind in {"llm", "tool", "action"} else None
        while parent is not None and (key := (parent.trace_id, parent.span_id)) not in above:
            above.add(key)
            parent = tree.parent(parent)
    return above


def _step(span: SpanRow, began_ns: int) -> Step:
    body = span.body
    llm = span.kind == "llm"
    return Step(
        span_id=span.span_id,
        kind=span.kind,
        label=span.label,
        start_ns=span.start_ns - began_ns,
        duration_ns=span.duration_ns,
        failed=span.failed,
        cost=span.cost,
        usage=span.usage,
        arguments={} if llm or body is None else _arguments(body.arguments),
        calls=span.calls,
        says=((_words(body.output) if body else "") or span.answered or "")[:CUT] if llm else "",
        result="" if llm or body is None else (body.result or "")[:CUT],
    )


def _arguments(text: str | None) -> dict[str, str]:
    if not text:
        return {}
    try:
        value: Any = json.loads(text)
    except (ValueError, RecursionError):
        return {"": text[:CUT]}
    if not isinstance(value, dict):
        return {"": text[:CUT]}
    return {name: json.dumps(each, ensure_ascii=False)[:CUT] for name, each in value.items()}


def _words(messages: Sequence[Message]) -> str:
    parts = (part.get("content") for message in messages for part in message.parts if part.get("type") == "text")
    return "\n".join(text for text in parts if isinstance(text, str))


# ------------------------------------------------------------------------------------------------------ the alignment


def align(a: Sequence[Step], b: Sequence[Step]) -> list[tuple[Step | None, Step | None]]:
    """Which step answers to which: a longest common subsequence by kind and name, then by what was done."""
    keys_a, keys_b = [step.key for step in a], [step.key for step in b]
    if keys_b < keys_a:  # of several alignments that are equally good, the same one from both sides
        return [(a[i] if i is not None else None, b[j] if j is not None else None) for j, i in _indices(keys_b, keys_a)]
    return [(a[i] if i is not None else None, b[j] if j is not None else None) for i, j in _indices(keys_a, keys_b)]


_Key = tuple[str, str, str, bool]
_Index = tuple[int | None, int | None]


def _indices(a: Sequence[_Key], b: Sequence[_Key]) -> list[_Index]:
    found: list[_Index] = []
    i = j = 0
    while i < len(a) and j < len(b):
        if a[i] == b[j]:
            found.append((i, j))
            i, j = i + 1, j + 1
            continue
        part = _window(a[i : i + _WINDOW], b[j : j + _WINDOW])
        if len(a) - i > _WINDOW or len(b) - j > _WINDOW:
            part = _first_half(part)
        found += [(None if x is None else i + x, None if y is None else j + y) for x, y in part]
        i += sum(x is not None for x, _ in part)
        j += sum(y is not None for _, y in part)
    found += [(rest, None) for rest in range(i, len(a))]
    found += [(None, rest) for rest in range(j, len(b))]
    return found


def _first_half(part: list[_Index]) -> list[_Index]:
    """Up to where one side has used half of its window: what comes later may change with what is beyond the window."""
    used = [0, 0]
    for place, (x, y) in enumerate(part):
        used[0] += x is not None
        used[1] += y is not None
        if max(used) >= _WINDOW // 2:
            return part[: place + 1]
    return part


def _window(a: Sequence[_Key], b: Sequence[_Key]) -> list[_Index]:
    """The best alignment of two short sequences."""
    best = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i in range(len(a) - 1, -1, -1):
        row, below, left = best[i], best[i + 1], a[i]
        for j in range(len(b) - 1, -1, -1):
            skipped = max(below[j], row[j + 1])
            worth = _worth(left, b[j])
            paired = worth + below[j + 1] if worth else 0
            row[j] = max(skipped, paired)
    found: list[_Index] = []
    i = j = 0
    while i < len(a) and j < len(b):
        worth = _worth(a[i], b[j])
        if worth and best[i][j] == worth + best[i + 1][j + 1]:
            found.append((i, j))
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            found.append((i, None))
            i += 1
        else:
            found.append((None, j))
            j += 1
    found += [(rest, None) for rest in range(i, len(a))]
    found += [(None, rest) for rest in range(j, len(b))]
    return found


def _worth(a: _Key, b: _Key) -> int:
    if a[0] != b[0]:
        return 0
    if a[1] != b[1]:
        return _SAME_KIND
    return _SAME_NAME + _SAME_ACT if a[2] == b[2] else _SAME_NAME


# ----------------------------------------------------------------------------------------------------- what differs


def _pair(a: Step | None, b: Step | None) -> Pair:
    if a is None or b is None:
        return Pair(a, b, "only here")
    difference = _difference(a, b)
    names = [*a.arguments, *(name for name in b.arguments if name not in a.arguments)]
    changes = [change(name, a.arguments.get(name), b.arguments.get(name)) for name in sorted(names)]
    if a.kind == "llm" and a.says != b.says:
        changes.append(change("", a.says, b.says))
    same_call = a.kind != "llm" and difference in {"", "failure"}
    return Pair(a, b, difference, tuple(changes), other_result=same_call and a.result != b.result)


def _difference(a: Step, b: Step) -> Difference:
    if a.label != b.label:
        return "model" if a.kind == "llm" else "tool"
    if a.kind != "llm" and a.act != b.act:
        return "arguments"
    if a.calls != b.calls:
        return "calls"
    if a.act != b.act:
        return "answer"
    return "failure" if a.failed != b.failed else ""


def change(name: str, a: str | None, b: str | None) -> Change:
    """A text of both sides, of which one may be missing, with what differs marked."""
    if a is None or b is None:
        return Change(name, None if a is None else ((a, True),), None if b is None else ((b, True),))
    return Change(name, *pieces(a, b))


def pieces(a: str, b: str) -> tuple[Pieces, Pieces]:
    """Both texts in pieces: what only one of them has is marked."""
    if b < a:
        mirrored = pieces(b, a)
        return mirrored[1], mirrored[0]
    words_a, words_b = _WORDS.findall(a), _WORDS.findall(b)
    start = _common(words_a, words_b)
    end = _common(words_a[start:][::-1], words_b[start:][::-1])
    middle_a, middle_b = words_a[start : len(words_a) - end], words_b[start : len(words_b) - end]
    marked_a = [(word, False) for word in words_a[:start]]
    marked_b = list(marked_a)
    for kind, i, k, j, m in _operations(middle_a, middle_b):
        marked_a += [(word, kind != "equal") for word in middle_a[i:k]]
        marked_b += [(word, kind != "equal") for word in middle_b[j:m]]
    tail = [(word, False) for word in words_a[len(words_a) - end :]]
    return _joined(marked_a + tail), _joined(marked_b + tail)


def _operations(a: Sequence[str], b: Sequence[str]) -> Sequence[tuple[str, int, int, int, int]]:
    if len(a) * len(b) > _CELLS:
        return [("replace", 0, len(a), 0, len(b))]
    found = SequenceMatcher(None, a, b, autojunk=False).get_opcodes()
    alike = sum(not word.isspace() for kind, i, k, _, _ in found if kind == "equal" for word in a[i:k])
    if alike < _ALIKE * max(len(a), len(b)):  # two texts that share an "a" and a "the" are two texts
        return [("replace", 0, len(a), 0, len(b))]
    return found


def _common(a: Sequence[str], b: Sequence[str]) -> int:
    """How many first words are the same."""
    for index, (one, other) in enumerate(zip(a, b, strict=False)):
        if one != other:
            return index
    return min(len(a), len(b))


def _joined(words: Iterable[tuple[str, bool]]) -> Pieces:
    """Words with the same mark as one piece."""
    found: list[tuple[str, bool]] = []
    for word, marked in words:
        if found and found[-1][1] is marked:
            found[-1] = (found[-1][0] + word, marked)
        else:
            found.append((word, marked))
    return tuple(found)
