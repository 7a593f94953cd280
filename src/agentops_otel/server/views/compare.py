"""Two sessions side by side: what one did that the other did not, and what that changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from ...rows import SessionRow
from ..compare import Change, Pair, compare
from ..given import differences, given
from ..page import Asked, Missing, page
from ..store import Store

_ROWS: Final = 2_000
_CHOICES: Final = 20


@dataclass(frozen=True, slots=True)
class Alike:
    """Steps in a row that are alike."""

    pairs: Sequence[Pair]
    other_results: int
    """How many of them gave another result."""


@dataclass(frozen=True, slots=True)
class Sides:
    """Two sessions, and their steps."""

    a: SessionRow
    b: SessionRow
    given: Sequence[Change]
    """What their first calls were given that differs: instructions, tools, settings."""
    steps: Sequence[Alike | Pair]
    """In order."""
    first: int | None
    """The place in `steps` of the first difference; None: there is none."""
    left_out: int
    """Steps beyond the first two thousand."""

    @property
    def longest_ns(self) -> int:
        """Of the two."""
        return max(self.a.duration_ns, self.b.duration_ns)

    @property
    def most_ns(self) -> int:
        """The largest difference in time of any pair, for one scale."""
        differences = (abs(pair.slower_ns or 0) for step in self.steps for pair in _pairs(step))
        return max(differences, default=0)


@dataclass(frozen=True, slots=True)
class ComparePage:
    """The page of a comparison."""

    sides: Sides | None
    """None while fewer than two sessions are named."""
    chosen: SessionRow | None
    """The one that is named, when it is one."""
    choices: Sequence[SessionRow]
    """The last sessions, to choose from; first those with the same name as the one that is chosen."""


@page("/compare", "compare.html")
def comparison(asked: Asked) -> ComparePage:
    """Compare the sessions ``a`` and ``b``, or the two of ``pick``, of which a is the older one."""
    picked = [value for value in asked.query.get("pick", ()) if value]
    names = [asked.one(side) or (picked[place] if len(picked) > place else "") for place, side in enumerate("ab")]
    found = [_session(asked.store, name, asked.where.project) for name in names if name]
    if len(found) < 2:
        return _to_choose(asked, found[0] if found else None)
    a, b = found if asked.one("a") else sorted(found, key=lambda row: row.started_ns)
    spans = [asked.store.spans(row.session_id, bodies=True, project=asked.where.project) for row in (a, b)]
    compared = compare(*spans)
    steps = list(folded(compared.pairs[:_ROWS]))
    first = next((place for place, step in enumerate(steps) if isinstance(step, Pair)), None)
    return ComparePage(
        Sides(a, b, differences(*map(given, spans)), steps, first, max(0, len(compared.pairs) - _ROWS)), None, ()
    )


def folded(pairs: Sequence[Pair]) -> Iterator[Alike | Pair]:
    """Pairs in order; those that are alike and stand in a row are one."""
    alike: list[Pair] = []
    for pair in pairs:
        if not pair.difference:
            alike.append(pair)
            continue
        if alike:
            yield _alike(alike)
            alike = []
        yield pair
    if alike:
        yield _alike(alike)


def _alike(pairs: list[Pair]) -> Alike:
    return Alike(tuple(pairs), sum(pair.other_result for pair in pairs))


def _pairs(step: Alike | Pair) -> Sequence[Pair]:
    return step.pairs if isinstance(step, Alike) else (step,)


def _session(store: Store, key: str, project: str | None) -> SessionRow:
    found = store.session(key, project)
    if found is None:
        raise Missing(f"There is no session {key[:64]} here. Choose two in the list of sessions.")
    return found


def _to_choose(asked: Asked, chosen: SessionRow | None) -> ComparePage:
    rows = asked.store.sessions(asked.where, limit=5 * _CHOICES).rows
    if chosen is not None:
        others = [row for row in rows if row.session_id != chosen.session_id]
        rows = sorted(others, key=lambda row: (row.name != chosen.name, row.asked != chosen.asked))
    return ComparePage(None, chosen, rows[:_CHOICES])
