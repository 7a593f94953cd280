"""What a session did next after something had failed: the same call again, another one, an answer, nothing."""

from __future__ import annotations

from bisect import bisect_left
from typing import Final, NamedTuple

from .rows import NextMove, SpanRow
from .tree import Key, Tree

_ACTS: Final = frozenset({"tool", "agent", "action", "workflow"})
_DEEPEST: Final = 64


class Move(NamedTuple):
    """What was done next, and the span that did it; None when nothing followed."""

    move: NextMove
    span: SpanRow | None = None


class Aftermath:
    """What followed what, among the spans of one agent: a sub-agent's errors are not what its caller goes on with."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._scopes: dict[Key, Key | None] = {}
        self._acts: dict[Key | None, list[SpanRow]] = {}
        self._calls: dict[Key | None, list[SpanRow]] = {}
        for span in tree.spans:
            if span.kind in _ACTS:
                self._acts.setdefault(self._scope(span), []).append(span)
            elif tree.is_call(span):
                self._calls.setdefault(self._scope(span), []).append(span)

    def after(self, failed: SpanRow, time_ns: int) -> Move:
        """What was done next after a tool, model or agent had failed."""
        scope = self._scope(failed)
        call = _next(self._calls.get(scope, ()), failed, time_ns)
        if failed.kind == "llm":
            if call is None:
                return Move("nothing")
            same = self._tree.act(call)[2] == self._tree.act(failed)[2]
            return Move("same call" if same else "other tool", call)
        act = _next(self._acts.get(scope, ()), failed, time_ns)
        if act is None:
            return Move("nothing") if call is None else Move("answer", call)
        if act.label != failed.label or act.kind != failed.kind:
            return Move("other tool", act)
        same = failed.arguments_digest is None or act.arguments_digest == failed.arguments_digest
        return Move("same call" if same else "other arguments", act)

    def agent(self, span: SpanRow) -> str | None:
        """The agent in which a span was made."""
        if span.agent:
            return span.agent
        around = span if span.kind == "agent" else None
        scope = self._scope(span)
        if around is None and scope is not None:
            around = self._tree.by_key[scope]
        return around.label if around is not None and around.kind == "agent" else None

    def _scope(self, span: SpanRow) -> Key | None:
        """The agent or session around a span."""
        around = self._tree.parent(span)
        path: list[Key] = []
        scope: Key | None = None
        for _ in range(_DEEPEST):
            if around is None:
                break
            key = (around.trace_id, around.span_id)
            if around.kind in {"agent", "session"}:
                scope = key
                break
            if key in self._scopes:
                scope = self._scopes[key]
                break
            path.append(key)
            around = self._tree.parent(around)
        self._scopes |= dict.fromkeys(path, scope)
        return scope


def _next(spans: list[SpanRow] | tuple[()], failed: SpanRow, time_ns: int) -> SpanRow | None:
    """The first that started at that time or later, and is not what failed."""
    for at in range(bisect_left(spans, time_ns, key=_start), len(spans)):
        if spans[at] is not failed:
            return spans[at]
    return None


def _start(span: SpanRow) -> int:
    return span.start_ns
