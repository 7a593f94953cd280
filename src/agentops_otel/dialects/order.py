"""The dialects in the order in which they are believed, and the tables of those that a span speaks."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from .agentops import OURS
from .agentops04 import AGENTOPS04
from .dialect import Dialect, Field
from .genai import GENAI
from .langfuse import LANGFUSE
from .logfire import LOGFIRE
from .openinference import OPENINFERENCE
from .openllmetry import OPENLLMETRY

ORDER: Final[tuple[Dialect, ...]] = (OURS, GENAI, OPENINFERENCE, OPENLLMETRY, LANGFUSE, LOGFIRE, AGENTOPS04)


def _heads_of(dialect: Dialect) -> frozenset[str]:
    named = [*dialect.fields.values(), [name for name, _ in dialect.kinds]]
    return dialect.heads.union(name.partition(".")[0] for names in named for name in names)


_HEADS_OF: Final = {dialect.name: _heads_of(dialect) for dialect in ORDER}
_HEADS: Final = frozenset(head for heads in _HEADS_OF.values() for head in heads)
# Whose names a span has is asked in another order: everybody writes `gen_ai.*` beside their own.
_BY_MARK: Final = (*(dialect for dialect in ORDER if dialect is not GENAI), GENAI)


class Spoken(NamedTuple):
    """What a span speaks."""

    by: Dialect | None
    """The dialect that it is called by."""
    dialects: tuple[Dialect, ...]
    """Those whose names it may have."""
    fields: Mapping[Field, tuple[str, ...]]
    """Their tables as one, of the attributes that are there."""


def spoken(scope: str, attributes: Mapping[str, object]) -> Spoken:
    """The dialects of a span, by the first words of the names of its attributes and by its scope."""
    return _spoken(scope[:100], frozenset(attributes))


@lru_cache(maxsize=256)  # a program writes few shapes of spans, and many of each
def _spoken(scope: str, names: frozenset[str]) -> Spoken:
    heads = _HEADS.intersection([name.partition(".")[0] for name in names])
    found = tuple(dialect for dialect in ORDER if _HEADS_OF[dialect.name] & heads or dialect is GENAI)
    fields: dict[Field, tuple[str, ...]] = {}
    for dialect in found:
        for field, attributes in dialect.fields.items():
            present = [name for name in attributes if name in names]
            if present:
                fields[field] = tuple(dict.fromkeys((*fields.get(field, ()), *present)))
    named = [dialect for dialect in ORDER if scope.startswith(dialect.scopes)] if scope else []
    named += [dialect for dialect in _BY_MARK if dialect.marks & heads]
    return Spoken(named[0] if named else None, found, fields)
