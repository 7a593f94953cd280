"""The query of a URL -> a filter, for all pages alike."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final, get_args

from ..rows import ErrorFate, State
from .problem import Problem
from .store import Filter

_AGO: Final = re.compile(r"(\d{1,6})(s|m|h|d|w)")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_MOST_VALUES: Final = 50
_LONGEST: Final = 1_000


def where(query: Mapping[str, list[str]], now_ns: int) -> Filter:
    """The filter that a query says.

    Args:
        query: each name's values; q, state, tag, model, agent, tool, error, fate, host, since, until and project are
            read. Several values of a name are alternatives, an empty value is none.
        now_ns: what ``since=1d`` counts from.

    Raises:
        Problem: a value is not valid.
    """

    def several(name: str) -> tuple[str, ...]:
        found = tuple(dict.fromkeys(value for value in query.get(name, ()) if value))
        if len(found) > _MOST_VALUES or any(len(value) > _LONGEST for value in found):
            raise Problem(400, f"The filter {name} is too long.", todo=f"Give at most {_MOST_VALUES} short values.")
        return found

    def one(name: str) -> str:
        found = several(name)
        return found[-1] if found else ""

    states, fates = several("state"), several("fate")
    _known("state", states, get_args(State))
    _known("fate", fates, get_args(ErrorFate))
    return Filter(
        text=one("q").strip(),
        states=states,  # type: ignore[arg-type]
        tags=several("tag"),
        models=several("model"),
        agents=several("agent"),
        tools=several("tool"),
        errors=several("error"),
        fates=fates,  # type: ignore[arg-type]
        hosts=several("host"),
        since_ns=_instant("since", one("since"), now_ns),
        until_ns=_instant("until", one("until"), now_ns),
        project=one("project") or None,
    )


def _known(name: str, values: tuple[str, ...], known: tuple[str, ...]) -> None:
    for value in values:
        if value not in known:
            raise Problem(400, f"{name}={value[:40]} is not valid.", todo=f"Use one of {', '.join(known)}.")


def _instant(name: str, text: str, now_ns: int) -> int | None:
    """``24h`` ago, ``today``, an ISO date or time (local where it names no zone), or nanoseconds since the epoch."""
    if not text:
        return None
    if text == "today":
        now = datetime.fromtimestamp(now_ns / 1e9).astimezone()
        return int(now.replace(hour=0, minute=0, second=0, microsecond=0).timestamp() * 1e9)
    if ago := _AGO.fullmatch(text):
        return now_ns - int(ago[1]) * _SECONDS[ago[2]] * 1_000_000_000
    if re.fullmatch(r"\d{16,19}", text):
        return int(text)
    try:
        return int(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1e9)
    except (ValueError, OverflowError, OSError):
        raise Problem(
            400,
            f"{name}={text[:40]} is not a time.",
            todo="Use one such as 30m, 24h, 7d, today, 2026-11-28 or 2026-11-28T14:30.",
        ) from None
