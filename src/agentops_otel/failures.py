"""The errors of a session: where each happened, and what became of it.

An error counts once, where it happened, however many spans around it fail with it. It is *recovered* when a later call
of the same tool, model or agent under the same parent succeeded, or when the span around it ended well. In a session
that still runs an error without that is *open*; in one that has ended it is *fatal*, unless the session ended well.
"""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_left
from collections import Counter, defaultdict
from functools import lru_cache
from typing import Final, NamedTuple

from .aftermath import Aftermath, Move
from .rows import ErrorFate, ErrorUse, SpanRow, State
from .tree import Act, Key, Tree

_NAMED: Final = frozenset({"tool", "llm", "agent", "workflow", "action"})
# What differs from time to time: UUIDs, hexadecimal numbers and ids of 8 digits or more, numbers.
_PASSING: Final = re.compile(
    r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b|\b0x[0-9a-fA-F]+\b"
    r"|\b(?=[0-9a-fA-F]*[0-9])[0-9a-fA-F]{8,}\b|\d+(?:[.,:]\d+)*"
)


class Outcome(NamedTuple):
    """What became of a failed span, and the key of the span that worked later."""

    fate: ErrorFate
    by: Key | None = None


class Failures:
    """The failed spans of a session, and what became of them.

    Args:
        state: of the session, which decides about errors that nothing inside of it has caught.
    """

    def __init__(self, tree: Tree, state: State) -> None:
        self._tree = tree
        self._escaped = Outcome(
            "recovered" if state == "success" else "open" if state == "running" else "fatal",
        )
        self._failed = [span for span in tree.spans if span.status == "error"]
        self._outcomes: dict[Key, Outcome] = {}
        self._successes = self._find_successes() if self._failed else {}

    def _find_successes(self) -> dict[Act, list[tuple[int, str, str]]]:
        """Start, trace id and span id of what worked, for everything like it that has failed."""
        found: dict[Act, list[tuple[int, str, str]]] = {
            self._tree.act(span): [] for span in map(self.place, self._failed) if span.kind in _NAMED
        }
        found |= {self._tree.act(span): [] for span in self._failed if span.kind in _NAMED}
        if found:
            for span in self._tree.spans:
                if (
                    span.status != "error"
                    and span.end_ns is not None
                    and (times := found.get(self._tree.act(span))) is not None
                ):
                    times.append((span.start_ns, span.trace_id, span.span_id))
        return found

    def place(self, span: SpanRow) -> SpanRow:
        """The tool, model or agent in which a failed span failed: itself, its trigger, or the next around it."""
        if span.trigger_id is not None:
            trigger = self._tree.by_key.get((span.trace_id, span.trigger_id))
            if trigger is not None:
                return trigger
        around: SpanRow | None = span
        for _ in range(64):
            if around is None or around.kind == "session":
                return span
            if around.kind in _NAMED:
                return around
            around = self._tree.parent(around)
        return span

    def origins(self) -> list[SpanRow]:
        """The failed spans in which an error happened, by the time they failed."""
        passed_on: set[Key] = set()
        for span in self._failed:
            parent = self._tree.parent(span)
            if parent is None or parent.status != "error" or not _ended_within(span, parent):
                continue
            later = self._later_success(span)
            # What was recovered from before is not why the parent failed.
            if later is None or not _ended_within(self._tree.by_key[later], parent):
                passed_on.add((parent.trace_id, parent.span_id))
        found = [
            span for span in self._failed if span.kind != "session" and (span.trace_id, span.span_id) not in passed_on
        ]
        return sorted(found, key=lambda span: (failed_at(span), span.trace_id, span.span_id))

    def outcome(self, span: SpanRow) -> Outcome:
        """What became of a failed span."""
        path: list[Key] = []
        found: Outcome | SpanRow = span
        while isinstance(found, SpanRow):
            key = (found.trace_id, found.span_id)
            known = self._outcomes.get(key)
            if known is None:
                path.append(key)
                self._outcomes[key] = self._escaped  # until it is known, and for circles
            found = known or self._settled(found)
        for key in path:
            self._outcomes[key] = found
        return found

    def _settled(self, node: SpanRow) -> Outcome | SpanRow:
        """What became of a failed span, or the span around it that failed with it."""
        later = self._later_success(node)
        if later is not None:
            return Outcome("recovered", later)
        parent = self._tree.parent(node)
        if parent is None or parent.kind == "session" or not _ended_within(node, parent):
            return self._escaped
        return parent if parent.status == "error" else Outcome("recovered")

    def _later_success(self, node: SpanRow) -> Key | None:
        like = self.place(node) if node.trigger_id is not None else node
        times = self._successes.get(self._tree.act(like))
        if not times:
            return None
        parent = self._tree.parent(like)
        for at in range(bisect_left(times, (failed_at(node), "", "")), len(times)):
            key = times[at][1:]
            worked_ns = self._tree.by_key[key].end_ns or 0
            if parent is None or parent.end_ns is None or worked_ns <= parent.end_ns:
                return key
        return None

    def errors(self) -> list[ErrorUse]:
        """The errors, in the order in which they happened; `cost_after` is not filled in."""
        origins = self.origins()
        aftermath = Aftermath(self._tree) if origins else None
        same: Counter[tuple[str, str]] = Counter()
        found: list[ErrorUse] = []
        for span in origins:
            place, outcome = self.place(span), self.outcome(span)
            repeated = 0
            if place.arguments_digest is not None:
                call = (place.label, place.arguments_digest)
                repeated, same[call] = same[call], same[call] + 1
            kind, message = error_of(span)
            move = aftermath.after(place, failed_at(span)) if aftermath else Move("nothing")
            found.append(
                ErrorUse(
                    span_id=span.span_id,
                    trace_id=span.trace_id,
                    time_ns=failed_at(span),
                    fingerprint=fingerprint(kind, place.kind, place.label, message),
                    type=kind,
                    message=message,
                    kind=place.kind,
                    label=place.label,
                    fate=outcome.fate,
                    recovered_by=outcome.by[1] if outcome.by else None,
                    repeated=repeated,
                    agent=aftermath.agent(place) if aftermath else None,
                    next=move.move,
                    next_label=move.span.label if move.span else "",
                    next_worked=None if move.span is None or move.span.end_ns is None else not move.span.failed,
                    next_after_ns=None if move.span is None else move.span.start_ns - failed_at(span),
                )
            )
        return found

    def by_tool(self) -> dict[str, tuple[int, int]]:
        """How many calls of each tool failed, and how many of these the session has recovered from."""
        failed = {(span.trace_id, span.span_id): span for span in self._failed if span.kind == "tool"}
        for span in self._failed:  # an error that was recorded about a call that did not fail by itself
            place = self.place(span) if span.trigger_id is not None else span
            if place.kind == "tool":
                failed.setdefault((place.trace_id, place.span_id), span)
        counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        for key, span in failed.items():
            count = counts[self._tree.by_key[key].label]
            count[0] += 1
            count[1] += self.outcome(span).fate == "recovered"
        return {label: (failures, recovered) for label, (failures, recovered) in counts.items()}


def error_of(span: SpanRow) -> tuple[str, str]:
    """Type and message of a failed span's error; both are texts, the message may be empty."""
    kind, message = span.error_type, span.error_message or span.status_message
    if kind is None:
        head, colon, rest = message.partition(": ")
        kind, message = (head, rest) if colon and head.isidentifier() else ("Error", message)
    return kind, message.removeprefix(f"{kind}: ")


def passing(message: str) -> tuple[tuple[str, bool], ...]:
    """A message in pieces, and whether each is a number or an id that differs from time to time."""
    found, end = [], 0
    for match in _PASSING.finditer(message):
        found += [(message[end : match.start()], False), (match[0], True)]
        end = match.end()
    return tuple(piece for piece in (*found, (message[end:], False)) if piece[0])


@lru_cache(maxsize=4096)
def fingerprint(kind: str, place: str, label: str, message: str) -> str:
    """16 hex digits, equal for errors that differ in numbers and ids only."""
    text = "\0".join((kind, place, label, _PASSING.sub("#", message)))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def failed_at(span: SpanRow) -> int:
    """When a span failed: its end."""
    return span.start_ns if span.end_ns is None else span.end_ns


def _ended_within(span: SpanRow, parent: SpanRow) -> bool:
    """Whether a span ended before its parent did; else the parent could not know."""
    return parent.end_ns is not None and failed_at(span) <= parent.end_ns
