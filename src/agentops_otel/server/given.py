"""What a session's first call of a model was given beside the question: instructions, tools, settings. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from .. import semconv
from ..rows import SpanBody, SpanRow
from ..tree import Tree
from .compare import CUT, Change, change

_REQUEST: Final = "gen_ai.request."
# The model is compared at each step; what is read next depends on what came before.
_NO_SETTINGS: Final = frozenset(
    {semconv.REQUEST_MODEL, semconv.REQUEST_PREVIOUS_RESPONSE_ID, semconv.REQUEST_STREAM_CURSOR}
)
_INSTRUCTIONS: Final = ("system", "developer")


def given(spans: Sequence[SpanRow]) -> dict[str, str]:
    """The instructions, the names of the tools and each setting of the first call that has any content.

    Args:
        spans: of a session, with their bodies.
    """
    body = next((call.body for call in Tree(spans).calls() if call.body and _has_content(call.body)), None)
    if body is None:
        return {}
    found = {"instructions": _instructions(body), "tools": ", ".join(_tools(body.tools))}
    for name in sorted(body.attributes):
        if name.startswith(_REQUEST) and name not in _NO_SETTINGS:
            value = body.attributes[name]
            found[name.removeprefix(_REQUEST)] = value if isinstance(value, str) else json.dumps(value, default=str)
    return {name: text[:CUT] for name, text in found.items() if text}


def differences(a: Mapping[str, str], b: Mapping[str, str]) -> tuple[Change, ...]:
    """What differs between what two sessions were given."""
    names = [*a, *(name for name in b if name not in a)]
    return tuple(change(name, a.get(name), b.get(name)) for name in names if a.get(name) != b.get(name))


def _has_content(body: SpanBody) -> bool:
    return bool(body.system or body.input or body.tools)


def _instructions(body: SpanBody) -> str:
    parts = [*body.system, *(part for message in body.input if message.role in _INSTRUCTIONS for part in message.parts)]
    return "\n".join(part["content"] for part in parts if isinstance(part.get("content"), str))


def _tools(definitions: Any) -> list[str]:
    """The names of tools, as they were offered."""
    if not isinstance(definitions, list):
        return []
    found = []
    for each in definitions:
        inner = each.get("function", each) if isinstance(each, dict) else None
        name = inner.get("name") if isinstance(inner, dict) else None
        if isinstance(name, str):
            found.append(name)
    return sorted(found)
