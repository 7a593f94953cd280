"""The address of a page: everything that it shows is in its query, and a link changes one thing of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

_PLACE: Final = frozenset({"cursor", "page"})
"""What a link forgets that changes the filter: the place in a list that is another one then."""
FILTERS: Final = ("q", "state", "tag", "model", "agent", "tool", "error", "fate", "host", "since", "until")
"""The names of a query that leave sessions out."""


@dataclass(frozen=True, slots=True)
class Period:
    """An entry of the period menu."""

    name: str
    """What ``since`` says; empty is all."""
    label: str
    before: str
    """What the time of the same length before it is called; empty where there is none."""


PERIODS: Final = (
    Period("1h", "Last hour", "the hour before"),
    Period("today", "Today", "yesterday"),
    Period("24h", "Last 24 h", "the 24 h before"),
    Period("7d", "Last 7 days", "the 7 days before"),
    Period("30d", "Last 30 days", "the 30 days before"),
    Period("", "All", ""),
)


@dataclass(frozen=True, slots=True)
class Address:
    """The query of a page, and links from it. A link is relative: ``?state=fail`` stays on the page it is on."""

    query: Mapping[str, Sequence[str]]

    def having(self, **changes: str | Iterable[str] | None) -> str:
        """A link to the same page with these names changed; None or empty takes one away."""
        query = {name: list(values) for name, values in self.query.items() if name not in _PLACE}
        for name, value in changes.items():
            query.pop(name, None)
            if value:
                query[name] = [value] if isinstance(value, str) else list(value)
        return "?" + urlencode(query, doseq=True)

    def toggled(self, name: str, value: str) -> str:
        """A link with one value of a name added, or taken away when it is there."""
        values = self.values(name)
        kept = tuple(one for one in values if one != value)
        return self.having(**{name: kept if value in values else (*values, value)})

    def values(self, name: str) -> tuple[str, ...]:
        """The values of a name."""
        return tuple(value for value in self.query.get(name, ()) if value)

    def has(self, name: str, value: str) -> bool:
        """Whether a name has this value."""
        return value in self.query.get(name, ())

    def one(self, name: str) -> str:
        """The last value of a name, empty without one."""
        return (self.values(name) or ("",))[-1]

    def to(self, path: str, **names: str | Iterable[str]) -> str:
        """A link to another page with the same period and project."""
        kept = {name: list(self.values(name)) for name in ("since", "until", "project") if self.values(name)}
        query = urlencode({**kept, **names}, doseq=True)
        return f"{path}?{query}" if query else path

    @property
    def filters(self) -> tuple[str, ...]:
        """The names that filter here."""
        return tuple(name for name in FILTERS if self.values(name))
