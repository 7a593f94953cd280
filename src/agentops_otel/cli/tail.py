"""`agentops-otel tail`: what happens, while it happens."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any, Final

import click

from ..figures import format_cost
from .changes import Changes
from .extras import require
from .figures import nanoseconds, state
from .output import emit, emit_json, one_line, tell
from .show import MARKS, page_of
from .source import DEFAULT_URL, Source, newest, reads

_EVERY: Final = 0.5  # seconds between two looks where no box tells what changes
_AT_MOST: Final = 5.0  # seconds between two looks where one does: some states come with time alone
_PATIENCE: Final = 5.0  # seconds for a box to answer
_RECENT: Final = 50


@click.command(short_help="Show spans as they come.")
@click.option("--session", metavar="SESSION", help="Of this session alone, from its beginning: its id, or last.")
@click.option("--errors", "only_errors", is_flag=True, help="Only those that failed.")
@reads
def command(session: str | None, source: Source, *, only_errors: bool, as_json: bool) -> None:
    """Show each span when it has ended, indented as it is nested, until Ctrl-C; with --session until its end.

    A box that runs, at --url or else at http://127.0.0.1:4318, tells what changes, so that it is shown at once; without
    one the store is looked at twice a second. A box that goes away is waited for. With --json each is one JSON object
    in a line.
    """
    require("server")  # which a thread would find out
    changes = Changes(source.url or DEFAULT_URL, named=source.url is not None)
    changes.ready(_PATIENCE)
    follow = _Follow(source)
    if session:
        row = page_of(source, newest(source) if session == "last" else session, "waterfall")["row"]
        keys = _until_end(follow, changes, row["session_id"])
    else:
        follow.forget_past()
        keys = _endless(follow, changes)
    for key in keys:
        with follow.patience():
            _print(follow.news(key), only_errors=only_errors, as_json=as_json)


def _endless(follow: _Follow, changes: Changes) -> Iterator[str]:
    while True:
        ids = _wait(changes)
        found: list[str] = []
        with follow.patience():
            found = list(follow.changed() if ids is None else follow.known(ids))
        yield from found


def _until_end(follow: _Follow, changes: Changes, key: str) -> Iterator[str]:
    while True:
        yield key
        if follow.has_ended(key):
            return
        ids: list[str] | None = []
        while ids is not None and key not in ids:
            ids = _wait(changes)


def _wait(changes: Changes) -> list[str] | None:
    """What has changed, as soon as something may have."""
    return changes.wait(_AT_MOST if changes.connected else _EVERY)


class _Follow:
    """Remembers what was shown."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._lost = False
        self._versions: dict[str, tuple[Any, ...]] = {}
        self._shown: set[tuple[str, str]] = set()
        self._started: set[str] = set()

    def forget_past(self) -> None:
        """What has ended before now is not shown."""
        for row in (*self._rows(), *self._rows(state="running")):
            self._versions[row["session_id"]] = self._version(row)
            if row["state"] == "running":
                self._started.add(row["session_id"])
                for span in page_of(self._source, row["session_id"], "waterfall")["view"]["rows"]:
                    if span["end_ns"] is not None:
                        self._shown.add((row["session_id"], span["id"]))

    def changed(self) -> Iterator[str]:
        """The sessions that have changed since, the oldest first."""
        for row in reversed(self._rows()):
            key, version = row["session_id"], self._version(row)
            if self._versions.get(key) != version:
                self._versions[key] = version
                yield key

    @contextlib.contextmanager
    def patience(self) -> Iterator[None]:
        """A box that does not answer for a while will be asked again; a store that cannot be read is an error."""
        try:
            yield
        except click.ClickException as error:
            if self._source.url is None:
                raise
            if not self._lost:
                tell(f"agentops-otel tail: {error.message}; it is asked again until it answers")
            self._lost = True
        else:
            self._lost = False

    def known(self, ids: list[str]) -> list[str]:
        """Those that a box says have changed; where they are many, or its store may be another one, what we find."""
        return ids if self._source.url and len(ids) <= _RECENT else list(self.changed())

    def has_ended(self, key: str) -> bool:
        """Whether the end of a session was shown."""
        return (key, "") in self._shown

    def _rows(self, **where: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._source.page("/", {"limit": str(_RECENT), **where})["sessions"]
        return found

    @staticmethod
    def _version(row: dict[str, Any]) -> tuple[Any, ...]:
        """Differs when the session may have news: of a running one, every second."""
        moment = int(time.time()) if row["state"] == "running" else row["duration_ns"]
        return row["state"], row["llm_calls"], row["tool_calls"], row["errors"], row["output_tokens"], moment

    def news(self, key: str) -> Iterator[dict[str, Any]]:
        """Spans of a session that have ended and were not shown; its beginning, its end."""
        page = page_of(self._source, key, "waterfall")
        row = page["row"]
        if key not in self._started:
            self._started.add(key)
            yield {"session_id": key, "event": "start", "name": row["name"], "asked": row["asked"]}
        for span in page["view"]["rows"]:
            name = (key, span["id"])
            if span["end_ns"] is None or span["kind"] in ("session", "gap", "placeholder") or name in self._shown:
                continue
            self._shown.add(name)
            numbers = span["numbers"]
            yield {
                "session_id": key,
                "event": "span",
                **{field: span[field] for field in ("id", "level", "kind", "title", "detail", "fate")},
                "duration_ns": span["end_ns"] - span["start_ns"],
                "cost": None if numbers["sums"] else numbers["cost"],
            }
        if row["state"] != "running" and (key, "") not in self._shown:
            self._shown.add((key, ""))
            yield {"session_id": key, "event": "end", "state": row["state"], "reason": row["reason"]}


def _print(news: Iterator[dict[str, Any]], *, only_errors: bool, as_json: bool) -> None:
    for each in news:
        if only_errors and not each.get("fate") and each.get("state") != "fail":
            continue
        if as_json:
            emit_json(each, indent=None)
        else:
            emit(f"{each['session_id'][:8]}  {_line(each)}\n")


def _line(each: dict[str, Any]) -> str:
    if each["event"] == "start":
        return f"▸ {one_line(each['name'])}{'  ' + one_line(each['asked']) if each['asked'] else ''}"
    if each["event"] == "end":
        return f"{state(each['state'])}{': ' + one_line(each['reason']) if each['reason'] else ''}"
    parts = [
        f"{'  ' * max(0, each['level'] - 1)}{MARKS.get(each['kind'], ' ')} {one_line(each['title'])}",
        one_line(each["detail"]),
        nanoseconds(each["duration_ns"]),
        "" if each["cost"] is None else format_cost(each["cost"]),
        f"✗ {each['fate']}" if each["fate"] else "",
    ]
    return "  ".join(part for part in parts if part)
