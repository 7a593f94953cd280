"""Any JSON in the place of any field: what the readers of requests and answers have to live with."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from agentops_otel import semconv

ANY = settings(max_examples=100, deadline=None, database=None, suppress_health_check=list(HealthCheck))
FEW = settings(ANY, max_examples=40)
_NAMES = st.sampled_from(["type", "text", "id", "name", "content", "function", "error", "index", "value", "model"])
_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-5, 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=6)
)
ODD = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=3), max_leaves=5
)
# One of each kind, where every place is tried with all of them.
TYPES: list[Any] = [
    None,
    True,
    False,
    0,
    5,
    -5,
    2.5,
    "",
    "x",
    "5",
    [],
    ["x"],
    [[]],
    [{}],
    [5],
    {},
    {"x": 5},
    {"text": "x"},
    {"type": "x"},
]


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a JSON value, but the root."""
    if path:
        yield path
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in inside:
        yield from paths(inner, (*path, key))


def replaced(value: Any, path: tuple[Any, ...], odd: Any) -> Any:
    """A copy of a value with something else in one place."""
    whole = copy.deepcopy(value)
    inner = whole
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = odd
    return whole


def costs_itself(
    read: Callable[[Any], Mapping[Any, Any]],
    answer: Any,
    path: tuple[Any, ...],
    odd: Any,
    sources: Mapping[Any, Collection[str]],
) -> None:
    """What a field of an answer does not say is read as ever, whatever stands in its place.

    Args:
        read: what an answer says, each fact under a key of its own.
        sources: for each fact, the names of the fields that say it.
    """
    found = read(replaced(answer, path, odd))
    names = {key for key in path if isinstance(key, str)}
    if not names:  # a whole chunk
        return
    others = [fact for fact, said_by in sources.items() if names.isdisjoint(said_by)]
    usual = read(answer) if others else {}
    for fact in others:
        assert found.get(fact) == usual.get(fact), (fact, path, odd)


def message_facts(which: str, messages: list[dict[str, Any]]) -> dict[tuple[Any, ...], Any]:
    """What recorded messages say, each fact under a key of its own; they are what the schema asks for."""
    found: dict[tuple[Any, ...], Any] = {}
    for number, message in enumerate(messages):
        assert isinstance(message["role"], str)
        found[which, number, "role"] = message["role"]
        if which == semconv.OUTPUT_MESSAGES:
            assert isinstance(message["finish_reason"], str)
            found[which, number, "finish"] = message["finish_reason"]
        calls = [part for part in message["parts"] if part["type"] == "tool_call"]
        for place, call in enumerate(calls):
            for name in ("id", "name", "arguments"):
                found[which, number, f"call {place} {name}"] = call[name]
        for part in message["parts"]:
            if part["type"] in ("text", "reasoning"):
                assert isinstance(part["content"], str)
                found[which, number, part["type"], part["content"]] = True
    return found
