"""What the journal holds, for people: how many spans wait, of which sessions, and what dead processes left."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field

from . import rejected
from .claim import Contents, lock_file, writers
from .folder import Folder, lock


@dataclass(slots=True)
class DestinationState:
    """What the journal holds for one destination.

    Attributes:
        name: of its folder.
        alive: writers whose process lives.
        dead: writers whose process does not.
        read_only: of these, how many have a folder that cannot be written, of which nothing is sent.
        segments: files, with so many `bytes`.
        spans: unacknowledged ones.
        left: of these, what dead processes left, and the roots that will be made anew.
        events: unacknowledged log events.
        sessions: with something unacknowledged, or without an end.
        oldest: when the oldest of it ended, Unix time in seconds; None without one.
        unreadable: damaged places.
        torn: records that a process was still writing when it died; nothing is lost by them.
        rejected: spans that were refused for good, in files with so many `rejected_bytes`.
    """

    name: str
    alive: int = 0
    dead: int = 0
    read_only: int = 0
    segments: int = 0
    bytes: int = 0
    spans: int = 0
    left: int = 0
    events: int = 0
    sessions: int = 0
    oldest: float | None = None
    unreadable: int = 0
    torn: int = 0
    rejected: int = 0
    rejected_bytes: int = 0


@dataclass(slots=True)
class State:
    """What the journal holds."""

    directory: str
    destinations: list[DestinationState] = field(default_factory=list)


def state(directory: str) -> State:
    """Look into the journal of all destinations; nothing is changed."""
    found = State(directory)
    with contextlib.suppress(OSError), Folder(directory) as top:
        for name in top.names():
            with contextlib.suppress(OSError), Folder(name, top) as destination:
                found.destinations.append(_look_into(destination, name))
    return found


def destination_state(directory: str, name: str) -> DestinationState:
    """Look into the journal of one destination; nothing is changed.

    Raises:
        OSError: there is none, or it is not ours alone.
    """
    with Folder(os.path.join(directory, name)) as destination:
        return _look_into(destination, name)


def _look_into(destination: Folder, name: str) -> DestinationState:
    state, traces = DestinationState(name), set[bytes]()
    for writer in writers(destination):
        with contextlib.suppress(OSError), Folder(writer, destination) as folder:
            contents, is_alive = Contents(folder), _is_alive(destination, writer)
            state.alive += is_alive
            state.dead += not is_alive
            state.read_only += not is_alive and not folder.writable
            state.segments += len(contents.left)
            state.bytes += contents.size
            state.spans += contents.spans
            state.left += 0 if is_alive else contents.spans + len(contents.unended)
            state.events += contents.events
            state.unreadable += contents.unreadable
            state.torn += 0 if is_alive else contents.torn
            traces |= contents.traces
            if contents.oldest_ns is not None:
                state.oldest = min(state.oldest or float("inf"), contents.oldest_ns / 1e9)
    state.sessions = len(traces)
    with contextlib.suppress(OSError), Folder(rejected.REJECTED, destination) as folder:
        for file in folder.names():
            data = folder.read(file)
            state.rejected += data.count(b"\n")
            state.rejected_bytes += len(data)
    return state


def _is_alive(destination: Folder, writer: str) -> bool:
    try:
        held = destination.open(lock_file(writer), os.O_RDWR)
    except OSError:
        return False
    try:
        return not lock(held, shared=True)
    finally:
        os.close(held)
