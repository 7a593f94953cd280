"""What dead processes left in the journal: who takes it over, what is in it, and the roots that nobody ended.

A writer holds the lock of its folder for as long as it lives: a lock that can be taken means that its process is dead.
"""

from __future__ import annotations

import contextlib
import os
import time
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import msgspec
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, Status, StatusCode, TraceFlags
from typing_extensions import Self

from .. import semconv
from ..span_copy import SpanCopy
from . import ids, rejected
from .folder import Folder, lock
from .records import (
    Acknowledged,
    End,
    Frame,
    Host,
    Kind,
    Place,
    Sign,
    Start,
    Table,
    Wish,
    attributes,
    encode,
    frame,
    frames,
    read_event,
    read_span,
)
from .transport import LogEvent

LOCK: Final = "lock"
WISHES: Final = "wishes"
ABOUT: Final = "destination.json"  # for people, and for who sends it without the process's settings
_NO_WRITERS: Final = (WISHES, ABOUT, rejected.REJECTED)
_YOUNG: Final = 60.0  # seconds in which a folder may still get its lock
_STATUS: Final = {"Success": StatusCode.OK, "Fail": StatusCode.ERROR, "Indeterminate": StatusCode.UNSET}
_SPANS: Final = (Kind.SPAN, Kind.ROOT)
_MARKS: Final = (Kind.START, Kind.END)  # settled together with the root span of their session
_ENTRIES: Final = (*_SPANS, *_MARKS, Kind.EVENT)  # what is there until it is acknowledged


def segment_file(number: int) -> str:
    """The name of a segment's file."""
    return f"{number:06}.seg"


def settled_file(number: int) -> str:
    """The name of the file that says what of a segment is acknowledged."""
    return f"{number:06}.ack"


def segments(folder: Folder) -> list[int]:
    """The numbers of the segments in a writer's folder, in order."""
    names = (name.removesuffix(".seg") for name in folder.names() if name.endswith(".seg"))
    return [int(name) for name in names if name.isascii() and name.isdigit()]


def writers(destination: Folder) -> list[str]:
    """The names of the writers of a destination, oldest first."""
    return [name for name in destination.names() if name not in _NO_WRITERS]


# Acknowledgements -----------------------------------------------------------------------------------------------------


def settle(folder: Folder, segment: int, seqs: Iterable[int]) -> None:
    """Write that records of a segment are acknowledged.

    Raises:
        OSError: it cannot be written.
    """
    ranges: list[tuple[int, int]] = []
    for seq in sorted(seqs):
        if ranges and seq == ranges[-1][1] + 1:
            ranges[-1] = (ranges[-1][0], seq)
        else:
            ranges.append((seq, seq))
    folder.append(settled_file(segment), frame(Kind.ACKNOWLEDGED, 0, encode(Acknowledged(ranges))))


class Settled:
    """The sequence numbers of a segment that are acknowledged."""

    def __init__(self, folder: Folder, segment: int) -> None:
        ranges: list[tuple[int, int]] = []
        with contextlib.suppress(OSError):
            for each in frames(folder.read(settled_file(segment))):
                if each is not None and each.kind == Kind.ACKNOWLEDGED:
                    with contextlib.suppress(msgspec.DecodeError):
                        ranges += msgspec.msgpack.decode(each.payload, type=Acknowledged).ranges
        ranges.sort()
        self._firsts = [first for first, _ in ranges]
        self._lasts: list[int] = []
        for _, last in ranges:
            self._lasts.append(max(last, self._lasts[-1]) if self._lasts else last)

    def __contains__(self, seq: int) -> bool:
        before = bisect_right(self._firsts, seq) - 1
        return before >= 0 and seq <= self._lasts[before]


class Lost(NamedTuple):
    """What was given up of a segment: bytes, spans, and the numbers of all records that were not acknowledged."""

    size: int
    spans: int
    seqs: set[int]


def shrink(folder: Folder, segment: int, *, whole: bool) -> Lost:
    """Give up the unacknowledged records of a segment; unless `whole`, not those that show what sessions there were.

    Raises:
        OSError: it cannot be read or written.
    """
    name, settled, spans, lost, kept = segment_file(segment), Settled(folder, segment), 0, set[int](), bytearray()
    status, data, keeps = folder.stat(name), folder.read(name), False
    for each in frames(data):
        if each is None or each.seq in settled:
            continue
        is_kept = each.kind in (Kind.ROOT, *_MARKS) and not whole
        if is_kept or each.kind in (Kind.HOST, Kind.RESOURCE):
            kept += data[each.offset : each.offset + each.size]
            keeps |= is_kept
        else:
            lost.add(each.seq)
            spans += each.kind in _SPANS
    if not keeps:
        kept.clear()
        remove(folder, segment)
    elif lost:
        folder.replace(name, bytes(kept), modified=status.st_mtime)
    return Lost(len(data) - len(kept), spans, lost)


def remove(folder: Folder, segment: int) -> None:
    """Remove a segment, and after it what is known of its acknowledgements."""
    folder.unlink(segment_file(segment))
    folder.unlink(settled_file(segment))


# What is in the folder of a writer ------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Session:
    """What the records of a writer say about a session."""

    start: Start | None = None
    place: Place | None = None  # of `start`
    end: End | None = None
    end_seq: int = -1
    has_root: bool = False
    open_root: bool = False  # a root that is not acknowledged
    last_ns: int = 0
    marks: list[Place] = field(default_factory=list)
    is_left: bool = False  # something of it is not acknowledged


class Contents:
    """What is in the folder of a writer. Holds what is small; spans are read again when they are wanted.

    Attributes:
        left: unacknowledged sequence numbers by segment.
        spans: how many of these are spans.
        events: how many of these are log events.
        unreadable: how many stretches and records cannot be read.
        size: of all segments, in bytes.
        oldest_ns: the end of the oldest unacknowledged span; None without one.
        modified: when a segment was last written to, Unix time.
    """

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self.left: dict[int, set[int]] = {}
        self.spans = self.events = self.unreadable = self.size = 0
        self.oldest_ns: int | None = None
        self.modified = 0.0
        self.sessions: dict[bytes, _Session] = {}
        self._host: dict[str, Any] = {}
        self._tables: dict[int, Table] = {}
        self._resources: dict[int, Resource] = {}
        for segment in segments(folder):
            with contextlib.suppress(OSError):
                self._read(segment)

    def _read(self, segment: int) -> None:
        self.modified = max(self.modified, self._folder.stat(segment_file(segment)).st_mtime)
        data, settled = self._folder.read(segment_file(segment)), Settled(self._folder, segment)
        self.left[segment] = left = set()
        self.size += len(data)
        for each in frames(data):
            try:
                if each is None:
                    self.unreadable += 1
                elif each.kind == Kind.HOST:
                    self._host.update(attributes(msgspec.msgpack.decode(each.payload, type=Host).attributes))
                elif each.kind == Kind.RESOURCE:
                    table = msgspec.msgpack.decode(each.payload, type=Table)
                    self._tables.setdefault(table.number, table)
                elif each.kind in _ENTRIES:
                    is_settled = each.seq in settled
                    self._note(each, segment, is_settled=is_settled)
                    if not is_settled:
                        left.add(each.seq)
            except Exception:
                self.unreadable += 1

    def _note(self, each: Frame, segment: int, *, is_settled: bool) -> None:
        sign = msgspec.msgpack.decode(each.payload, type=Sign)
        session = self.sessions.get(sign.trace_id)
        if session is None:
            session = self.sessions[sign.trace_id] = _Session()
        session.is_left |= not is_settled
        if each.kind in _MARKS:
            if not is_settled:
                _mark(session, each, segment)
            return
        session.last_ns = max(session.last_ns, sign.time_ns or 0)
        session.has_root |= each.kind == Kind.ROOT
        if is_settled:
            return
        session.open_root |= each.kind == Kind.ROOT
        if each.kind == Kind.EVENT:
            self.events += 1
            return
        self.spans += 1
        if sign.time_ns is not None and (self.oldest_ns is None or sign.time_ns < self.oldest_ns):
            self.oldest_ns = sign.time_ns

    def resource(self, number: int) -> Resource:
        """The resource with this number, completed by what is known of the host as a living process does it.

        Where its record was damaged, another resource of the same process.
        """
        known = self._resources.get(number)
        if known is None:
            table = self._tables.get(number) or next(iter(self._tables.values()), None) or Table(0, {}, None)
            own = attributes(table.attributes)
            merged = {**self._host, **own}
            name = str(own.get(SERVICE_NAME, "unknown_service"))
            if name.startswith("unknown_service") and SERVICE_NAME in self._host:
                merged[SERVICE_NAME] = self._host[SERVICE_NAME]
            known = self._resources[number] = Resource(merged, table.schema_url)
        return known


def _mark(session: _Session, each: Frame, segment: int) -> None:
    place = Place(each.seq, segment, each.offset, each.size)
    if each.kind == Kind.START:
        start = msgspec.msgpack.decode(each.payload, type=Start)
        if session.place is None or session.place.seq < each.seq:
            session.start, session.place = start, place
    else:
        end = msgspec.msgpack.decode(each.payload, type=End)
        if session.end_seq < each.seq:
            session.end, session.end_seq = end, each.seq
    session.marks.append(place)


# Claims ---------------------------------------------------------------------------------------------------------------


class Record(NamedTuple):
    """What a dead process left. A place of size 0: made by the reader, there is nothing to acknowledge."""

    place: Place
    item: ReadableSpan | LogEvent
    resource: Resource


class Claim:
    """What one dead process left; nobody else has it until this context manager is left.

    Attributes:
        writer: the name of the process's folder.
        spans: how many spans were unacknowledged.
        sessions: of how many sessions something was unacknowledged.
        unreadable: how many places were damaged.
    """

    def __init__(self, destination: str, writer: str, folder: Folder, held: int) -> None:
        self.writer = writer
        self._destination = destination
        self._folder = folder
        self._held = held
        self._contents = contents = Contents(folder)
        self._left = contents.left
        self.spans = contents.spans
        self.unreadable = contents.unreadable
        self.sessions = sum(session.is_left for session in contents.sessions.values())
        self._marks: dict[int, list[Place]] = {}  # by the sequence number of a root: what else it settles
        for session in contents.sessions.values():
            if session.open_root or (session.start is not None and not session.has_root):
                continue
            for place in session.marks:  # its root has arrived, or nothing is known of it
                self._left[place.segment].discard(place.seq)

    @property
    def is_empty(self) -> bool:
        """Whether all of it is acknowledged."""
        return not any(self._left.values())

    def records(self) -> Iterator[Record]:
        """What is unacknowledged, segment by segment, and then the roots of sessions that nobody ended."""
        for segment, left in self._left.items():
            if left:
                yield from self._segment(segment, left)
        for session in self._contents.sessions.values():
            if session.start is not None and session.place is not None and not session.has_root:
                yield from self._root(session, session.start, session.place)

    def _segment(self, segment: int, left: set[int]) -> Iterator[Record]:
        try:
            data = self._folder.read(segment_file(segment))
        except OSError:
            return
        for each in frames(data):
            if each is None or each.kind not in (*_SPANS, Kind.EVENT) or each.seq not in left:
                continue
            try:
                record = self._record(each, Place(each.seq, segment, each.offset, each.size))
            except Exception:
                self.unreadable += 1
                left.discard(each.seq)  # it goes with the rest
                continue
            yield record

    def _record(self, each: Frame, place: Place) -> Record:
        if each.kind == Kind.EVENT:
            event, number = read_event(each.payload)
            return Record(place, event, self._contents.resource(number))
        span = read_span(each.payload, self._contents.resource)
        if each.kind == Kind.ROOT:
            context = span.get_span_context()
            assert context is not None  # noqa: S101  (read_span() makes one)
            self._marks[each.seq] = self._contents.sessions[context.trace_id.to_bytes(16, "big")].marks
            span = SpanCopy(span, attributes={**(span.attributes or {}), semconv.REPLAYED: True})
        return Record(place, span, span.resource)

    def _root(self, session: _Session, start: Start, place: Place) -> Iterator[Record]:
        """The root span that the process would have ended, and the log event that goes with it."""
        trace_id = int.from_bytes(start.trace_id, "big")
        end = session.end or self._wish(trace_id)
        state, reason = (end.state, end.reason) if end else ("Indeterminate", "Process died (no end recorded)")
        status = _STATUS.get(state, StatusCode.UNSET)
        last_ns = max(start.start_ns, session.last_ns, int(self._contents.modified * 1e9))
        said = {**attributes(start.attributes), semconv.SESSION_END_STATE: state, semconv.REPLAYED: True}
        if reason:
            said[semconv.SESSION_END_STATE_REASON] = reason
        resource = self._contents.resource(start.resource)
        root = ReadableSpan(
            name=start.name,
            context=SpanContext(trace_id, start.span_id, False, TraceFlags(TraceFlags.SAMPLED)),
            resource=resource,
            attributes=said,
            status=Status(status, reason if status is StatusCode.ERROR else None),
            start_time=start.start_ns,
            end_time=last_ns,
            instrumentation_scope=InstrumentationScope(semconv.SCOPE_NAME),
        )
        event = LogEvent(
            semconv.EVENT_SESSION_END,
            last_ns,
            trace_id,
            start.span_id,
            {**said, semconv.SESSION_ROLE: semconv.ROLE_OWNER},
        )
        self._marks[place.seq] = session.marks
        yield Record(place, root, resource)
        yield Record(place._replace(size=0), event, resource)

    def _wish(self, trace_id: int) -> Wish | None:
        with contextlib.suppress(Exception), Folder(os.path.join(self._destination, WISHES)) as wishes:
            each = next(frames(wishes.read(ids.session_id(trace_id))))
            if each is not None and each.kind == Kind.WISH:
                wish = msgspec.msgpack.decode(each.payload, type=Wish)
                return wish if wish.state in _STATUS else None
        return None

    def acknowledge(self, places: Iterable[Place]) -> None:
        """Remember on disk what has arrived; a segment of which all has arrived is removed."""
        arrived = [place for place in places if place.size]
        for group in ([mark for place in arrived for mark in self._marks.pop(place.seq, ())], arrived):
            for segment, seqs in by_segment(group).items():
                left = self._left.get(segment, set())
                if not left & seqs:
                    continue
                left -= seqs
                if left:
                    with contextlib.suppress(OSError):
                        settle(self._folder, segment, seqs)
                else:
                    remove(self._folder, segment)

    def reject(self, spans: Iterable[tuple[ReadableSpan, Place, str]]) -> None:
        """Set aside what the backend refused for good, for people to read, and acknowledge it."""
        refused = list(spans)
        if not refused:
            return
        with contextlib.suppress(OSError):
            rejected.keep(self._destination, self.writer, [(span, reason) for span, _, reason in refused])
        self.acknowledge(place for _, place, _ in refused)

    def close(self) -> None:
        """Remove the folder when all is acknowledged, else leave it to the next one."""
        if self._folder.is_open:
            release(self._destination, self.writer, self._folder, self._held, empty=self.is_empty)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def by_segment(places: Iterable[Place]) -> dict[int, set[int]]:
    """Sequence numbers by segment."""
    groups: dict[int, set[int]] = {}
    for place in places:
        groups.setdefault(place.segment, set()).add(place.seq)
    return groups


def hold(destination: Folder, writer: str) -> tuple[Folder, int] | None:
    """The folder of a dead writer and the descriptor of its lock, which is held now; None when it is not to be had."""
    try:
        folder = Folder(writer, destination)
    except OSError:
        return None
    try:
        held = folder.open(LOCK, os.O_RDWR)
    except OSError:
        folder.close()
        with contextlib.suppress(OSError):
            if time.time() - destination.stat(writer).st_mtime > _YOUNG:
                destination.rmdir(writer)  # its process died between two steps
        return None
    # Without a name it is the lock of a folder that has just been removed.
    if lock(held) and os.fstat(held).st_nlink:
        return folder, held
    os.close(held)
    folder.close()
    return None


def release(destination: str, writer: str, folder: Folder, held: int, *, empty: bool) -> None:
    """Unlock the folder of a writer; an empty one is removed."""
    try:
        if empty:
            for name in folder.names():
                if name != LOCK:
                    folder.unlink(name)
    finally:
        os.close(held)
        if empty:
            folder.unlink(LOCK)
        folder.close()
    if empty:
        with contextlib.suppress(OSError), Folder(destination) as parent:
            parent.rmdir(writer)


def claims(directory: str) -> Iterator[Claim]:
    """What dead processes left for a destination, oldest first; what is wholly acknowledged is removed on the way.

    Each claim is closed when the next one is asked for.
    """
    try:
        destination = Folder(directory)
    except OSError:
        return
    with destination:
        for writer in writers(destination):
            held = hold(destination, writer)
            if held is None:
                continue
            with Claim(directory, writer, *held) as claim:
                if not claim.is_empty:
                    yield claim


# Overview -------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class DestinationState:
    """What the journal holds for one destination.

    Attributes:
        name: of its folder.
        alive: writers whose process runs.
        dead: writers whose process does not.
        segments: files.
        bytes: in them.
        spans: unacknowledged.
        events: unacknowledged log events.
        sessions: with something unacknowledged.
        unreadable: damaged places.
        rejected: spans that were refused for good and can be read in `rejected/`.
        rejected_bytes: of these files.
        oldest: when the oldest unacknowledged span ended, Unix time in seconds; None without one.
    """

    name: str
    alive: int = 0
    dead: int = 0
    segments: int = 0
    bytes: int = 0
    spans: int = 0
    events: int = 0
    sessions: int = 0
    unreadable: int = 0
    rejected: int = 0
    rejected_bytes: int = 0
    oldest: float | None = None


@dataclass(slots=True)
class State:
    """What the journal holds."""

    directory: str
    destinations: list[DestinationState] = field(default_factory=list)


def state(directory: str) -> State:
    """Look into the journal of all destinations without changing anything."""
    found = State(directory)
    with contextlib.suppress(OSError), Folder(directory) as top:
        for name in top.names():
            with contextlib.suppress(OSError), Folder(name, top) as destination:
                found.destinations.append(_destination_state(destination, name))
    return found


def _destination_state(destination: Folder, name: str) -> DestinationState:
    state, sessions = DestinationState(name), set()
    for writer in writers(destination):
        with contextlib.suppress(OSError), Folder(writer, destination) as folder:
            if _is_alive(folder):
                state.alive += 1
            else:
                state.dead += 1
            contents = Contents(folder)
            state.segments += len(contents.left)
            state.bytes += contents.size
            state.spans += contents.spans
            state.events += contents.events
            state.unreadable += contents.unreadable
            sessions |= {trace_id for trace_id, session in contents.sessions.items() if session.is_left}
            if contents.oldest_ns is not None:
                state.oldest = min(state.oldest or float("inf"), contents.oldest_ns / 1e9)
    state.sessions = len(sessions)
    with contextlib.suppress(OSError), Folder(rejected.REJECTED, destination) as folder:
        for file in folder.names():
            data = folder.read(file)
            state.rejected += data.count(b"\n")
            state.rejected_bytes += len(data)
    return state


def _is_alive(folder: Folder) -> bool:
    try:
        held = folder.open(LOCK, os.O_RDWR)
    except OSError:
        return False
    try:
        return not lock(held, shared=True)
    finally:
        os.close(held)
