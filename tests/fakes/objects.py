"""Objects as programs have them, odd and hostile ones among them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum

from hypothesis import strategies as st


class Unprintable:
    def __str__(self):
        raise RuntimeError("no")

    def __bool__(self):
        raise RuntimeError("no")

    def __len__(self):
        raise RuntimeError("no")


class HostileDict(dict):
    def items(self):
        raise RuntimeError("no")


class Liar:
    @property
    def __class__(self):
        raise RuntimeError("no")


class Scalar:
    """What a NumPy scalar looks like."""

    shape = ()

    def __init__(self, value):
        self.value = value

    def item(self):
        return self.value


class Array:
    """What a NumPy array looks like."""

    def __init__(self, *values, shape=None):
        self.values = values
        self.shape = shape or (len(values),)

    def tolist(self):
        return list(self.values)


class Color(Enum):
    RED = "red"


class Number(IntEnum):
    ONE = 1


class Text(str):
    __slots__ = ()

    def __str__(self):
        raise RuntimeError("no")


@dataclass
class Point:
    x: int
    label: str


CYCLIC: list[object] = [1]
CYCLIC.append(CYCLIC)
CYCLIC_DICT: dict[str, object] = {}
CYCLIC_DICT["me"] = CYCLIC_DICT

PLAIN = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=()))
    | st.binary()
)
KEYS = st.text(st.characters(exclude_categories=()), max_size=5) | st.integers() | st.none() | st.tuples(st.integers())
ODD = st.one_of(
    *(st.builds(kind) for kind in (Unprintable, Liar)),
    st.builds(HostileDict, a=st.integers()),
    st.builds(Scalar, st.integers()),
    st.builds(Point, st.integers(), st.just("\ud83d")),
    st.sampled_from([CYCLIC, CYCLIC_DICT, Color.RED, object]),
)
TREES = st.recursive(
    PLAIN | st.decimals() | st.datetimes() | st.uuids() | ODD,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4) | st.tuples(inner, inner),
    max_leaves=12,
)
