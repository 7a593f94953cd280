"""The address of a page: everything that it shows is in its query, and a link changes one thing of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlencode

_PLACE: Final = frozenset({"cursor", "at", "field"})
"""What a link forgets that changes the filter: the place in a list that is another one then."""
NAMES: Final = ("q", "state", "tag", "model", "agent", "tool", "error", "fate", "host", "since", "until")
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
    Period("today", "Today", "yesterday by now"),
    Period("24h", "Last 24 h", "the 24 h before"),
    Period("7d", "Last 7 days", "the 7 days before"),
    Period("30d", "Last 30 days", "the 30 days before"),
    Period("", "All", ""),
)


def segment(text: str) -> str:
    """A text as one part of a path, whatever it contains."""
    return quote(text, safe="")


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

    def own(self, *forgotten: str) -> str:
        """The query itself, for another address, without some names."""
        return urlencode({name: values for name, values in self.query.items() if name not in forgotten}, doseq=True)

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
    def period(self) -> Period:
        """The period that is on; one without a name where the query says other moments than the menu."""
        since, until = self.one("since"), self.one("until")
        for period in PERIODS:
            if period.name == since and not until:
                return period
        return Period(since, " to ".join(filter(None, (since[:16], until[:16]))), "the same time before")

    @property
    def filters(self) -> tuple[str, ...]:
        """The names that filter here."""
        return tuple(name for name in NAMES if self.values(name))


FILTERS: Final[Mapping[str, Callable[..., object]]] = {"segment": segment}
