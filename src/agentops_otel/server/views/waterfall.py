"""The tree of a session with its time line: leaves are ink, containers brackets, and own code is a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Literal, NamedTuple

from ...figures import format_count
from ...rows import SpanRow
from ...strip import Interval, union, without
from ...tree import Key
from ..svg.timeline import scale_of
from .critical import critical_path
from .minimap import minimap
from .run import Run, key_of
from .session import Minimap, Numbers, Waterfall, WaterfallRow, Work
from .spoken import signature

MOST: Final = 2_000
"""Rows beyond which subtrees are folded."""
_DETAIL: Final = 100
_WORK: Final = frozenset({"tool", "llm", "action"})


class _Place(NamedTuple):
    """A row to be: a span, a gap or a placeholder, and where it stands."""

    row: SpanRow | Interval | list[SpanRow]
    level: int
    parent: str | None
    id: str


def waterfall(run: Run, *, selected: str | None = None, under: str | None = None) -> Waterfall:
    """The tree of a session.

    Args:
        run: the session; bodies are needed for the arguments of tools only.
        selected: the id of a row that must be seen.
        under: only what is inside of this row.
    """
    last = run.last_waterfall
    if last is None or last[:2] != (selected, under):
        last = run.last_waterfall = (selected, under, _Tree(run, selected).build(under))
    return last[2]


class _Tree:
    def __init__(self, run: Run, selected: str | None) -> None:
        self._run = run
        self._critical = critical_path(run)
        self._least_gap = run.least_gap_ns
        self._below: dict[str, list[_Place]] = {}
        self._descendants = self._count_descendants()
        self._works = self._find_works()
        chosen = run.by_id.get(selected) if selected else None
        self._opened = run.ancestors(chosen) if chosen is not None else set()

    def _count_descendants(self) -> dict[Key, int]:
        counts: dict[Key, int] = {}
        for span in reversed(self._run.order):
            own = counts.setdefault(key_of(span), 0)
            if span.parent_id is not None:
                above = (span.trace_id, span.parent_id)
                counts[above] = counts.get(above, 0) + own + 1
        return counts

    def _find_works(self) -> set[Key]:
        """The spans with a call, a tool or an action below them."""
        works: set[Key] = set()
        for span in reversed(self._run.order):
            if span.parent_id is not None and (span.kind in _WORK or key_of(span) in works):
                works.add((span.trace_id, span.parent_id))
        return works

    def build(self, under: str | None) -> Waterfall:
        run = self._run
        tops = self._tops() if under is None else self._inside_of(under)
        last_level = self._last_level(tops) if len(run.order) > MOST else None
        rows: list[WaterfallRow] = []
        waiting = list(reversed(tops))
        while waiting:
            place = waiting.pop()
            inside = self._inside(place)
            opened = last_level is None or place.level <= last_level or self._is_chosen(place)
            rows.append(self._row(place, inside, collapsed=bool(inside) and not opened))
            if opened:
                waiting.extend(reversed(inside))
        return Waterfall(
            rows=tuple(rows),
            scale_ns=scale_of(max(1, run.length_ns)),
            now_ns=run.length_ns if run.running else None,
            collapsed=any(row.collapsed for row in rows),
            minimap=self._minimap() if under is None else None,
        )

    def _minimap(self) -> Minimap:
        run = self._run
        leaves = [span for span in run.order if span.kind != "error" and self._is_leaf(span)]
        work = [(self._work(span), *run.bounds[key_of(span)]) for span in leaves]
        errors = ((run.at(error.time_ns), error.fate) for error in run.origins.values())
        return minimap(work, errors, scale_of(max(1, run.length_ns)))

    def _work(self, span: SpanRow) -> Work:
        if self._run.is_call(span):
            return "llm"
        return "tool" if span.kind in ("tool", "action") else "other"

    def _is_leaf(self, span: SpanRow) -> bool:
        """Whether it is work itself, and not what is around work."""
        is_container = span.kind in {"session", "agent", "workflow"} or key_of(span) in self._works
        return self._run.is_call(span) or not is_container

    def _last_level(self, tops: Sequence[_Place]) -> int:
        """The last level that is unfolded: the first always, the others while there is room for what is in them."""
        level, count, places = 1, len(tops), list(tops)
        while places:
            places = [inside for place in places for inside in self._inside(place)]
            count += len(places)
            if level > 1 and count > MOST:
                return level - 1 + (tops[0].level - 1)
            level += 1
        return level + tops[0].level if tops else 1

    def _is_chosen(self, place: _Place) -> bool:
        return isinstance(place.row, SpanRow) and key_of(place.row) in self._opened

    def _tops(self) -> list[_Place]:
        run = self._run
        tops = [_Place(span, 1, None, run.id(span)) for span in run.tree.tops() if span.parent_id is None]
        missing: dict[Key, list[SpanRow]] = {}
        for span in run.orphans():
            missing.setdefault((span.trace_id, span.parent_id or ""), []).append(span)
        numbered = enumerate(missing.values(), 1)
        return tops + [_Place(spans, 1, None, f"orphans-{number}") for number, spans in numbered]

    def _inside_of(self, under: str) -> list[_Place]:
        span = self._run.by_id.get(under)
        if span is not None:
            return self._inside(_Place(span, self._run.depth[key_of(span)] + 1, None, under))
        place = next((place for place in self._tops() if place.id == under), None)
        return self._inside(place) if place else []

    def _inside(self, place: _Place) -> list[_Place]:
        found = self._below.get(place.id)
        if found is None:
            found = self._below[place.id] = self._find_inside(place)
        return found

    def _find_inside(self, place: _Place) -> list[_Place]:
        run, level = self._run, place.level + 1
        if isinstance(place.row, list):
            return [_Place(span, level, place.id, run.id(span)) for span in place.row]
        if not isinstance(place.row, SpanRow):
            return []
        children = run.tree.children(place.row)
        found = [_Place(child, level, place.id, run.ids[key_of(child)]) for child in children]
        gaps = self._gaps_in(place.row, children)
        if gaps:
            found += [_Place(gap, level, place.id, f"gap-{place.id}-{number}") for number, gap in enumerate(gaps, 1)]
            found.sort(key=self._start)
        return found

    def _start(self, place: _Place) -> int:
        if isinstance(place.row, SpanRow):
            return self._run.start(place.row)
        return place.row[0] if isinstance(place.row, tuple) else self._run.start(place.row[0])

    def _gaps_in(self, span: SpanRow, children: Sequence[SpanRow]) -> list[Interval]:
        """Where none of its children was open for long; not in a call or tool, whose own time is its work."""
        run = self._run
        if not children or span.kind in _WORK:
            return []
        bounds = run.bounds[key_of(span)]
        if bounds[0] >= bounds[1]:
            return []
        busy = union(run.bounds[key_of(child)] for child in children)
        return [gap for gap in without([bounds], busy) if gap[1] - gap[0] > self._least_gap]

    # ---------------------------------------------------------------------------------------------------- the rows

    def _row(self, place: _Place, inside: Sequence[_Place], *, collapsed: bool) -> WaterfallRow:
        if isinstance(place.row, tuple):
            return self._bare(place, "gap", "own code, no span", place.row)
        if isinstance(place.row, list):
            return self._placeholder(place, place.row, collapsed=collapsed)
        run, span = self._run, place.row
        key = key_of(span)
        leaf = self._is_leaf(span)
        return WaterfallRow(
            id=place.id,
            level=place.level,
            parent=place.parent,
            children=len(inside),
            kind="step" if span.kind == "llm" and not run.is_call(span) else span.kind,
            title=(run.row.name if span.kind == "session" else "") or run.title(span),
            detail=_detail(run, span),
            start_ns=run.start(span),
            end_ns=run.end(span),
            leaf=leaf,
            first_token_ns=span.first_token_ns if leaf else None,
            critical=tuple(self._critical.get(key, ())) if leaf else (),
            fate=run.failures.outcome(span).fate if span.failed else None,
            numbers=run.numbers(span),
            descendants=self._descendants[key],
            collapsed=collapsed,
        )

    def _placeholder(self, place: _Place, spans: Sequence[SpanRow], *, collapsed: bool) -> WaterfallRow:
        run = self._run
        bounds = (min(map(run.start, spans)), max(map(run.until, spans)))
        title = f"{format_count(len(spans), 'span')} of a parent that has not arrived"
        row = self._bare(place, "placeholder", title, bounds)
        inside = len(spans) + sum(self._descendants[key_of(span)] for span in spans)
        return replace(row, children=len(spans), descendants=inside, collapsed=collapsed, leaf=False)

    def _bare(self, place: _Place, kind: Literal["gap", "placeholder"], title: str, bounds: Interval) -> WaterfallRow:
        return WaterfallRow(
            id=place.id,
            level=place.level,
            parent=place.parent,
            children=0,
            kind=kind,
            title=title,
            detail="",
            start_ns=bounds[0],
            end_ns=bounds[1],
            leaf=True,
            first_token_ns=None,
            critical=(),
            fate=None,
            numbers=Numbers(),
        )


def _detail(run: Run, span: SpanRow) -> str:
    text = signature(run.arguments(span)) if span.kind in {"tool", "action"} else ""
    return text if len(text) <= _DETAIL else text[: _DETAIL - 1] + "…"
