"""What dead processes left in the journal: who takes it over, what is in it, and the roots that nobody ended.

A writer holds the lock of its folder for as long as it lives: a lock that can be taken means that its process is dead.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

import msgspec
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, Status, StatusCode, TraceFlags
from typing_extensions import Self

from .. import semconv
from ..redaction import Redactor
from ..span_copy import SpanCopy
from . import ids, rejected
from .descriptor import Descriptor
from .folder import Folder, lock, unlock
from .frames import NO_RECORD, Frame, Kind, RecordRef, frame, frames
from .log_event import LogEvent
from .records import Description, End, Ranges, RecordHead, Start, attributes, decode, encode, read_event, read_span

RESOURCES: Final = "resources"  # a file in the folder of a writer
REQUESTED_ENDS: Final = "wishes"  # a folder beside those of the writers: the ends that joiners ask for
ABOUT: Final = "destination.json"  # for people, and for who sends it without the process's settings

_STATUS: Final = {"Success": StatusCode.OK, "Fail": StatusCode.ERROR, "Indeterminate": StatusCode.UNSET}
_DIED: Final = End("Indeterminate", "Process died (no end recorded)")
_SPANS: Final = (Kind.SPAN, Kind.ROOT)


def segment_file(number: int) -> str:
    """The name of a segment."""
    return f"{number:06}.seg"


def session_file(trace_id: int) -> str:
    """The name of the file that says how a session has started; it is there until the root span has arrived."""
    return f"{ids.session_id(trace_id)}.session"


def lock_file(writer: str) -> str:
    """The name of a writer's lock. It lies beside the folder, and so is locked before the folder can be seen."""
    return f"{writer}.lock"


def writer_name() -> str:
    """A new name for this process's folder; such names sort by age."""
    return f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{os.getpid()}-{os.urandom(4).hex()}"


def writers(destination: Folder) -> list[str]:
    """The names of the writers of a destination, oldest first."""
    return [name for name in destination.names() if re.fullmatch(r"\d{8}T\d{6}Z-\d+-[0-9a-f]{8}", name)]


# Segments -------------------------------------------------------------------------------------------------------------


def settle(folder: Folder, segment: int, seqs: Iterable[int]) -> None:
    """Write that records of a segment are acknowledged; they are sent once more if that is not possible."""
    ranges: list[tuple[int, int]] = []
    for seq in sorted(seqs):
        if ranges and seq == ranges[-1][1] + 1:
            ranges[-1] = (ranges[-1][0], seq)
        else:
            ranges.append((seq, seq))
    with contextlib.suppress(OSError):
        folder.append(_settled_file(segment_file(segment)), frame(Kind.SETTLED, 0, encode(ranges)))


def remove(folder: Folder, name: str) -> None:
    """Remove a segment, and after it what is known of its acknowledgements."""
    folder.unlink(name)
    folder.unlink(_settled_file(name))


def unsettled(folder: Folder, name: str) -> Iterator[tuple[Frame | None, bool]]:
    """The records of a segment, and whether each is unacknowledged; None for what is damaged.

    The beginning of a record whose writing was cut short is not, as there is nothing in it to send.

    Raises:
        OSError: none of it can be read.
    """
    data, ranges = folder.read(name), list[tuple[int, int]]()
    with contextlib.suppress(OSError):
        for each in frames(folder.read(_settled_file(name))):
            with contextlib.suppress(Exception):
                ranges += decode(each.payload, Ranges) if each is not None else ()
    ranges.sort()
    firsts, lasts = [first for first, _ in ranges], list[int]()
    for _, last in ranges:
        lasts.append(max(last, lasts[-1]) if lasts else last)
    for each in frames(data):
        if each is None or each.kind == Kind.TORN:
            yield each, False
            continue
        before = bisect_right(firsts, each.seq) - 1
        yield each, before < 0 or each.seq > lasts[before]


class Lost(NamedTuple):
    """What was given up of a file: bytes, spans, and the sequence numbers of all unacknowledged records."""

    size: int
    spans: int
    seqs: set[int]


def shrink(folder: Folder, name: str, *, whole: bool) -> Lost:
    """Give up the unacknowledged records of a file; unless `whole`, not those that show which sessions there were.

    Raises:
        OSError: it cannot be read or written.
    """
    status, kept, spans, lost = folder.stat(name), list[bytes](), 0, set[int]()
    for each, is_left in unsettled(folder, name):
        if each is None or not is_left:
            continue
        if each.kind in (Kind.ROOT, Kind.START, Kind.END) and not whole:
            kept.append(frame(each.kind, each.seq, bytes(each.payload)))
        else:
            spans += each.kind in _SPANS
            lost.add(each.seq)
    if not kept:
        remove(folder, name)
    elif lost:
        folder.replace(name, b"".join(kept), modified=status.st_mtime)
    return Lost(status.st_size - sum(map(len, kept)), spans, lost)


def _settled_file(name: str) -> str:
    return f"{name.removesuffix('.seg')}.ack"


# Writers --------------------------------------------------------------------------------------------------------------


def hold(destination: Folder, writer: str) -> tuple[Folder, Descriptor] | None:
    """The folder of a dead writer and the descriptor of its lock, which is held now; None when it is not to be had.

    Nor is a folder that cannot be written: what was sent of it would be there as before, and be sent again and again.
    """
    with contextlib.ExitStack() as undo, contextlib.suppress(OSError):
        folder = undo.enter_context(Folder(writer, destination))
        if not folder.writable:
            return None
        held = destination.open(lock_file(writer), os.O_RDWR | os.O_CREAT)
        undo.callback(held.close)
        if lock(held):
            undo.pop_all()
            return folder, held
    return None


def release(destination: str, writer: str, folder: Folder, held: Descriptor, *, empty: bool) -> None:
    """Unlock the folder of a writer, and remove it if it is empty."""
    try:
        if empty:
            with contextlib.suppress(OSError):  # somebody may have removed it
                for name in folder.names():
                    folder.unlink(name)
                with Folder(destination) as parent:
                    parent.unlink(writer)
                    parent.unlink(lock_file(writer))
    finally:
        folder.close()
        unlock(held)


def give_up(destination: Folder, writer: str, name: str, *, whole: bool) -> Lost:
    """`shrink()` a file of a dead writer; nothing is lost where it lives.

    Raises:
        OSError: it cannot be read or written.
    """
    held = hold(destination, writer)
    if held is None:
        return Lost(0, 0, set())
    empty = False
    try:
        lost = shrink(held[0], name, whole=whole)
        empty = not any(name.endswith((".seg", ".session")) for name in held[0].names())
        return lost
    finally:
        release(destination.path, writer, *held, empty=empty)


class _Session(msgspec.Struct):
    """What the files of a writer say about a trace."""

    start: Start | None = None
    end: End | None = None
    has_root: bool = False
    is_left: bool = False  # something of it is not acknowledged
    last_ns: int = 0  # the latest sign of life


class Contents:
    """What is in the folder of a writer. It holds what is small; spans are read again when they are wanted.

    Attributes:
        left: sequence numbers of what is unacknowledged, by the number of the segment.
        roots: trace ids of unacknowledged root spans, by sequence number.
        unended: sessions that have a start and no root span, by trace id.
        traces: ids of traces with something unacknowledged.
        spans: unacknowledged ones.
        events: unacknowledged log events.
        unreadable: stretches and records that cannot be read.
        torn: files that end with the beginning of a record, whose writing the end of the process has cut short. The
            program had not gone on by then: nothing is lost by it.
        size: of the segments, in bytes.
        oldest_ns: when the oldest unacknowledged span or log event ended; None without one.
        modified: when a segment or session was last written to, Unix time in seconds.
        is_whole: all files could be read; one that could not may be readable the next time.
    """

    spans: int
    events: int
    unreadable: int
    torn: int
    size: int

    def __init__(self, folder: Folder) -> None:
        self.left: dict[int, set[int]] = {}
        self.roots: dict[int, bytes] = {}
        self.spans = self.events = self.unreadable = self.torn = self.size = 0
        self.oldest_ns: int | None = None
        self.modified: float = 0.0
        self.is_whole: bool = True
        self._sessions: defaultdict[bytes, _Session] = defaultdict(_Session)
        self._descriptions: dict[int, Description] = {}
        self._resources: dict[int, Resource] = {}
        for name in folder.names():
            if name == RESOURCES or name.endswith((".seg", ".session")):
                try:
                    self._read(folder, name)
                except (ValueError, FileNotFoundError):  # no name of ours; gone meanwhile
                    continue
                except OSError:
                    self.is_whole = False
                    self.unreadable += 1
        self.unended: dict[bytes, _Session] = {
            trace: each for trace, each in self._sessions.items() if each.start and not each.has_root
        }
        left = {trace for trace, each in self._sessions.items() if each.is_left}
        self.traces: set[bytes] = left | self.unended.keys()

    def _read(self, folder: Folder, name: str) -> None:
        left = set[int]()
        if name.endswith(".seg"):
            self.left[int(name[:-4])] = left
            self.size += folder.stat(name).st_size
        if name != RESOURCES:
            self.modified = max(self.modified, folder.stat(name).st_mtime)
        session: _Session | None = None  # of this file, if it is about one
        for each, is_left in unsettled(folder, name):
            try:
                if each is None:
                    self.unreadable += 1
                elif each.kind in (*_SPANS, Kind.EVENT):
                    self._note(each, is_left=is_left)
                    if is_left:
                        left.add(each.seq)
                elif each.kind == Kind.START:
                    start = decode(each.payload, Start)
                    session = self._sessions[start.trace_id]
                    session.start = start
                elif each.kind == Kind.END and session is not None:
                    end = decode(each.payload, End)
                    session.end = end if end.state in _STATUS else None
                elif each.kind == Kind.TORN:
                    self.torn += 1
                elif each.kind == Kind.RESOURCE:
                    description = decode(each.payload, Description)
                    self._descriptions[description.number] = description
            except Exception:
                self.unreadable += 1

    def _note(self, each: Frame, *, is_left: bool) -> None:
        head = decode(each.payload, RecordHead)
        session, time_ns = self._sessions[head.trace_id], head.time_ns or 0
        session.last_ns = max(session.last_ns, time_ns)
        session.has_root |= each.kind == Kind.ROOT
        if is_left:
            session.is_left = True
            self.spans += each.kind in _SPANS
            self.events += each.kind == Kind.EVENT
            self.oldest_ns = time_ns if self.oldest_ns is None else min(self.oldest_ns, time_ns)
            if each.kind == Kind.ROOT:
                self.roots[each.seq] = head.trace_id

    def resource(self, number: int) -> Resource:
        """The resource with this number.

        Where its description was damaged, another resource of the same process.
        """
        known = self._resources.get(number)
        if known is None:
            described = self._descriptions.get(number) or next(iter(self._descriptions.values()), None)
            own = attributes(described.attributes) if described else {}
            known = self._resources[number] = Resource(own, described.schema_url if described else None)
        return known


# Claims ---------------------------------------------------------------------------------------------------------------


class Record(NamedTuple):
    """What a dead process left."""

    ref: RecordRef
    item: ReadableSpan | LogEvent
    resource: Resource


class Claim:
    """What one dead process left; nobody else has it until this context manager is left.

    Attributes:
        writer: the name of the process's folder.
        spans: how many spans were unacknowledged.
        sessions: of how many sessions something was unacknowledged.
        unreadable: how many places were damaged.
        torn: see `Contents`.
    """

    spans: int
    sessions: int
    unreadable: int
    torn: int

    def __init__(self, destination: str, writer: str, folder: Folder, held: Descriptor, contents: Contents) -> None:
        self.writer = writer
        self._destination = destination
        self._folder = folder
        self._held: Descriptor | None = held
        self._contents = contents
        self.spans, self.sessions = contents.spans, len(contents.traces)
        self.unreadable, self.torn = contents.unreadable, contents.torn
        self._roots = dict(contents.roots)  # trace ids by sequence number; numbers below zero: roots made here
        self._roots.update({-number: trace_id for number, trace_id in enumerate(contents.unended, 1)})

    @property
    def is_empty(self) -> bool:
        """Whether all of it is acknowledged."""
        contents = self._contents
        return contents.is_whole and not any(contents.left.values()) and not any(seq < 0 for seq in self._roots)

    def records(self) -> Iterator[Record]:
        """What is unacknowledged, segment by segment, and then the roots of sessions that nobody ended."""
        contents = self._contents
        for segment, left in contents.left.items():
            for each, _ in self._unsettled(segment) if left else ():
                if each is None or each.seq not in left:
                    continue
                try:
                    record = self._record(each, RecordRef(each.seq, segment, each.offset, each.size))
                except Exception:
                    self.unreadable += 1
                    left.discard(each.seq)  # it goes with the rest
                    continue
                yield record
        for number, session in enumerate(contents.unended.values(), 1):
            if session.start is not None and -number in self._roots:
                yield from self._root(session, session.start, NO_RECORD._replace(seq=-number))

    def _unsettled(self, segment: int) -> Iterator[tuple[Frame | None, bool]]:
        with contextlib.suppress(OSError):
            yield from unsettled(self._folder, segment_file(segment))

    def _record(self, each: Frame, ref: RecordRef) -> Record:
        if each.kind == Kind.EVENT:
            event, number = read_event(each.payload)
            return Record(ref, event, self._contents.resource(number))
        span = read_span(each.payload, self._contents.resource)
        if each.kind == Kind.ROOT:
            span = SpanCopy(span, attributes={**(span.attributes or {}), semconv.REPLAYED: True})
        return Record(ref, span, span.resource)

    def _root(self, session: _Session, start: Start, ref: RecordRef) -> Iterator[Record]:
        """The root span that the process would have ended, and the log event that goes with it."""
        trace_id = int.from_bytes(start.trace_id, "big")
        end = session.end or self._requested_end(trace_id) or _DIED
        status = _STATUS.get(end.state, StatusCode.UNSET)
        last_ns = max(start.start_ns, session.last_ns, int(self._contents.modified * 1e9))
        said = {**attributes(start.attributes), semconv.SESSION_END_STATE: end.state, semconv.REPLAYED: True}
        if end.reason:
            said[semconv.SESSION_END_STATE_REASON] = end.reason
        resource = self._contents.resource(start.resource)
        root = ReadableSpan(
            name=start.name,
            context=SpanContext(trace_id, start.span_id, False, TraceFlags(TraceFlags.SAMPLED)),
            resource=resource,
            attributes=said,
            status=Status(status, end.reason if status is StatusCode.ERROR else None),
            start_time=start.start_ns,
            end_time=last_ns,
            instrumentation_scope=InstrumentationScope(semconv.SCOPE_NAME),
        )
        root = Redactor().clean(root)  # (an earlier version has written down the start and the end as they were)
        yield Record(ref, root, resource)
        by_owner = {**(root.attributes or {}), semconv.SESSION_ROLE: semconv.ROLE_OWNER}
        event = LogEvent(semconv.EVENT_SESSION_END, last_ns, trace_id, start.span_id, by_owner)
        yield Record(NO_RECORD, event, resource)

    def _requested_end(self, trace_id: int) -> End | None:
        with contextlib.suppress(OSError), Folder(os.path.join(self._destination, REQUESTED_ENDS)) as requested:
            for each in frames(requested.read(ids.session_id(trace_id))):
                with contextlib.suppress(Exception):
                    end = decode(each.payload, End) if each is not None else _DIED
                    return end if end.state in _STATUS else None
        return None

    def acknowledge(self, refs: Iterable[RecordRef]) -> None:
        """Remember on disk what has arrived; a segment of which all has arrived is removed."""
        arrived = list(refs)
        for ref in arrived:  # first: the start of a session without its root looks as if nobody had ended it
            trace_id = self._roots.pop(ref.seq, None)
            if trace_id is not None:
                number = int.from_bytes(trace_id, "big")
                self._folder.unlink(session_file(number))
                with contextlib.suppress(OSError), Folder(os.path.join(self._destination, REQUESTED_ENDS)) as requested:
                    requested.unlink(ids.session_id(number))
        for segment, seqs in by_segment(arrived).items():
            left = self._contents.left.get(segment, set())
            if left.isdisjoint(seqs):
                continue
            left -= seqs
            if left:
                settle(self._folder, segment, seqs)
            else:
                remove(self._folder, segment_file(segment))

    def reject(self, spans: Iterable[tuple[ReadableSpan, RecordRef, str]]) -> None:
        """Set aside what the backend refused for good, for people to read, and acknowledge it."""
        refused = list(spans)
        if not refused:
            return
        with contextlib.suppress(OSError):
            rejected.keep(self._destination, self.writer, [(span, reason) for span, _, reason in refused])
        self.acknowledge(ref for _, ref, _ in refused)

    def close(self) -> None:
        """Remove the folder when all is acknowledged, else leave it to the next one."""
        held, self._held = self._held, None
        if held is not None:
            release(self._destination, self.writer, self._folder, held, empty=self.is_empty)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def by_segment(refs: Iterable[RecordRef]) -> dict[int, set[int]]:
    """Sequence numbers by segment."""
    groups: dict[int, set[int]] = {}
    for ref in refs:
        groups.setdefault(ref.segment, set()).add(ref.seq)
    return groups


def claims(directory: str) -> Iterator[Claim]:
    """What dead processes left for a destination, oldest first; what is wholly acknowledged is removed on the way.

    A claim is closed when the next one is asked for.
    """
    with contextlib.suppress(OSError), Folder(directory) as destination:
        for writer in writers(destination):
            held = hold(destination, writer)
            if held is None:
                continue
            try:
                contents = Contents(held[0])
            except OSError:  # the next look may find it readable
                release(directory, writer, *held, empty=False)
                continue
            with Claim(directory, writer, *held, contents) as claim:
                if not claim.is_empty:
                    yield claim
