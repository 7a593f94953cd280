"""The journal of this process: every finished span is on disk before the program goes on.

One write for each record, without waiting for the disk: what is written outlives the process, and `sync()` makes it
outlive the machine. A segment is a file to which one thread at a time appends. Whoever finds all of them taken opens
another one, so that nothing here waits for a lock that an interrupted frame (a signal handler, a finaliser of the
garbage collector) or a stopped thread may hold.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import logging
import os
import secrets
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan

from .. import guard
from . import ids, rejected
from .claim import (
    ABOUT,
    LOCK,
    WISHES,
    by_segment,
    hold,
    release,
    remove,
    segment_file,
    segments,
    settle,
    shrink,
    writers,
)
from .folder import Folder, lock, write
from .records import (
    End,
    Frame,
    Host,
    Kind,
    Place,
    Start,
    Table,
    Wish,
    encode,
    event_payload,
    frame,
    frames,
    plain,
    read_event,
    read_span,
    span_payload,
)
from .transport import LogEvent

logger = logging.getLogger("agentops_otel")

_RETRY: Final = 1.0  # seconds between attempts to write while the disk is full
_PATIENCE: Final = 0.2  # seconds to wait for another thread
_MOST_OPEN: Final = 32  # segments, each for a thread that is writing right now
_MOST_RESOURCES: Final = 1024
_SPAN: Final = int(Kind.SPAN)
_ROOT: Final = int(Kind.ROOT)


class _Segment:
    """A file of records. Only who has taken it changes what is not about acknowledgements."""

    __slots__ = ("acknowledged", "entries", "fd", "host", "number", "others", "size", "synced", "tables")

    def __init__(self, number: int, fd: int) -> None:
        self.number = number
        self.fd = fd  # -1: sealed
        self.size = 0
        self.synced = 0
        self.entries = 0  # records that want to be acknowledged
        self.acknowledged: set[int] = set()
        self.others: set[int] = set()  # unacknowledged entries that are no spans
        self.tables: set[int] = set()  # resources that are described in it
        self.host: object = None  # the description of the host in it

    @property
    def is_settled(self) -> bool:
        return len(self.acknowledged) >= self.entries

    @property
    def spans(self) -> int:
        return max(0, self.entries - len(self.acknowledged) - len(self.others))

    def seal(self) -> None:
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)


class _Writer:
    """The folder of this process, from the first record until `close()` or a fork."""

    __slots__ = ("folder", "free", "held", "is_closed", "name", "segments")

    def __init__(self, name: str, folder: Folder, held: int) -> None:
        self.name = name
        self.folder = folder
        self.held = held
        self.segments: dict[int, _Segment] = {}
        self.free: list[_Segment] = []  # open ones that nobody has taken; the last one is taken first
        self.is_closed = False

    def open_segments(self) -> list[_Segment]:
        return [segment for segment in list(self.segments.values()) if segment.fd >= 0]


class _Session:
    """A session of this process whose root span is not acknowledged."""

    __slots__ = ("end", "has_root", "marks", "start")

    def __init__(self, start: Start) -> None:
        self.start = start
        self.end: End | None = None
        self.marks: list[Place] = []  # records of start and end, settled together with the root
        self.has_root = False


class Journal:
    """The journal of this process for one destination. Opens nothing until the first record.

    Nothing here raises an Exception. After `close()` and after a fork the next record opens a new folder.

    Args:
        directory: of the destination.
        about: what is written into the folder about the destination.
        segment_bytes: size at which a new file is begun.
        max_bytes: of all writers of the destination together; beyond it the oldest spans are dropped.
        max_age: seconds after which records are dropped.

    Attributes:
        dropped: how many spans were lost by `max_bytes` and `max_age`.
    """

    def __init__(
        self,
        directory: str,
        *,
        about: Mapping[str, Any] | None = None,
        segment_bytes: int = 16 << 20,
        max_bytes: int = 512 << 20,
        max_age: float = 7 * 86400.0,
    ) -> None:
        self.directory = directory
        self._about = about
        self._segment_bytes = segment_bytes
        self._max_bytes = max_bytes
        self._max_age = max_age
        self._seqs = itertools.count(1)
        self._numbers = itertools.count(1)
        self._table_numbers = itertools.count(1)
        self._warned = False
        self._begin()

    def _begin(self) -> None:
        self.dropped = 0
        self._lock = threading.RLock()  # for what is rare: a new file, the marks of a session
        self._writer: _Writer | None = None
        self._retry_at = 0.0
        self._trim_due = False  # the bounds are to be checked
        self._carry_due = False  # sessions are to be written again
        self._host: bytes | None = None
        self._known: dict[int, tuple[Resource, int]] = {}  # by id of the resource
        self._tables: dict[bytes, int] = {}  # payload of a resource without its number
        self._resources: dict[int, Resource] = {}
        self._sessions: dict[int, _Session] = {}  # by trace id
        self._roots: dict[int, int] = {}  # trace id by sequence number of the root span

    # Writing ----------------------------------------------------------------------------------------------------------

    def append(self, span: ReadableSpan, resource: Resource | None = None) -> Place | None:
        """Write a finished span, with another resource than its own if one is given; None when it is not on disk."""
        try:
            table = self._table(span.resource if resource is None else resource)
            if span.parent is not None:
                return self._write(_SPAN, span_payload(span, table), table)
            place = self._write(_ROOT, span_payload(span, table), table)
            self._recorded_root(span, place)
        except Exception:
            guard.report("the journal")
            return None
        return place

    def append_event(self, event: LogEvent, resource: Resource | None = None) -> Place | None:
        """Write a log event; without a resource it gets one that a span of this process has."""
        try:
            table = 0 if resource is None else self._table(resource)
            return self._write(Kind.EVENT, event_payload(event, table), table)
        except Exception:
            guard.report("the journal")
            return None

    def append_start(
        self,
        trace_id: int,
        span_id: int,
        name: str,
        start_ns: int,
        attributes: Mapping[str, Any],
        resource: Resource,
    ) -> None:
        """Write that a session has started; again when its attributes have changed."""
        try:
            table = self._table(resource)
            start = Start(trace_id.to_bytes(16, "big"), span_id, name, start_ns, table, dict(attributes))
            with self._locked():
                session = self._sessions.setdefault(trace_id, _Session(start))
                session.start = start
                self._renew(session)
        except Exception:
            guard.report("the journal")

    def append_end(self, trace_id: int, state: str | None, reason: str | None) -> None:
        """Write how the owner ends a session, before its root span; state None: it stays open, on purpose."""
        try:
            session = self._sessions.get(trace_id)
            if state is None or session is None:
                self.forget(trace_id)
            else:
                with self._locked():
                    session.end = End(trace_id.to_bytes(16, "big"), state, reason)
                    self._renew(session)
            with contextlib.suppress(OSError), Folder(os.path.join(self.directory, WISHES)) as wishes:
                wishes.unlink(ids.session_id(trace_id))
        except Exception:
            guard.report("the journal")

    def forget(self, trace_id: int) -> None:
        """No root span is to be made for this session: it was delivered without having been on disk."""
        session = self._sessions.pop(trace_id, None)
        if session is not None:
            with self._locked():
                self._settle(session.marks)

    def wish(self, session_id: str, state: str, reason: str | None) -> None:
        """Write how this process, which does not own the session, wants it to end."""
        try:
            name = ids.session_id(ids.trace_id(session_id))
            with Folder(self.directory, create=True) as destination, Folder(WISHES, destination, create=True) as wishes:
                wishes.replace(name, frame(Kind.WISH, 0, encode(Wish(state, reason))))
        except OSError as error:
            self._fail(error)
        except Exception:
            guard.report("the journal")

    def describe(self, attributes: Mapping[str, Any]) -> None:
        """Add what is known of the host to the resources of all that is written here."""
        try:
            self._host = frame(Kind.HOST, 0, encode(Host(dict(attributes))))
            if self._writer is not None:
                self._write(Kind.HOST, None, 0)
        except Exception:
            guard.report("the journal")

    def _table(self, resource: Resource) -> int:
        """The number of a resource."""
        known = self._known.get(id(resource))
        if known is not None and known[0] is resource:
            return known[1]
        if len(self._known) >= _MOST_RESOURCES:
            self._known.clear()
        content = encode((plain(resource.attributes), resource.schema_url))
        number = self._tables.setdefault(content, next(self._table_numbers))
        self._known[id(resource)] = resource, number
        self._resources[number] = resource
        return number

    def _write(self, kind: int, payload: bytes | None, table: int) -> Place | None:
        """Append to a segment that nobody else has; without a payload only what is due before the next record."""
        if self._retry_at and time.monotonic() < self._retry_at:
            return None
        try:
            writer, segment = self._take(0 if payload is None else len(payload))
        except OSError as error:
            self._fail(error)
            return None
        place = None
        try:
            place = self._put(segment, kind, payload, table)
        except OSError as error:
            self._fail(error)
            self._cut(segment)
        except BaseException:  # nobody knows how far it came
            segment.seal()
            raise
        else:
            if self._retry_at:
                self._retry_at, self._carry_due = 0.0, True
        if segment.fd >= 0:
            writer.free.append(segment)
        if self._carry_due:
            self._carry()
        return place

    def _put(self, segment: _Segment, kind: int, payload: bytes | None, table: int) -> Place | None:
        prefix = b""
        if table not in segment.tables or segment.host is not self._host:
            prefix = self._prefix(segment, table)
        size, host = segment.size, self._host
        if payload is None:
            write(segment.fd, prefix)
            segment.host, segment.size = host, size + len(prefix)
            return None
        seq = next(self._seqs)
        record = frame(kind, seq, payload)
        segment.entries += 1  # before it is there: else it might be removed as settled while it is written
        if kind > _ROOT or kind < _SPAN:
            segment.others.add(seq)
        try:
            write(segment.fd, prefix + record if prefix else record)
        except OSError:
            segment.entries -= 1
            segment.others.discard(seq)
            raise
        segment.size = size + len(prefix) + len(record)
        if prefix:
            segment.host = host
            segment.tables.add(table)
        return Place(seq, segment.number, size + len(prefix), len(record))

    def _prefix(self, segment: _Segment, table: int) -> bytes:
        """What a reader of this segment must know before the next record."""
        records = []
        if self._host is not None and segment.host is not self._host:
            records.append(self._host)
        resource = self._resources.get(table)
        if resource is not None and table not in segment.tables:
            content = Table(table, plain(resource.attributes), resource.schema_url)
            records.append(frame(Kind.RESOURCE, 0, encode(content)))
        return b"".join(records)

    def _cut(self, segment: _Segment) -> None:
        """Take off what was written of a record when the disk was full."""
        try:
            os.ftruncate(segment.fd, segment.size)
        except OSError:
            segment.seal()

    def _fail(self, error: OSError) -> None:
        self._retry_at = time.monotonic() + _RETRY
        if not self._warned:
            self._warned = True
            reason = error.strerror or str(error)
            logger.warning("the journal in %s cannot be written: %s. Spans wait in memory", self.directory, reason)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """With the lock, or after a while without: a thread that a signal handler has stopped may hold it."""
        locked = self._lock.acquire(timeout=_PATIENCE)
        try:
            yield
        finally:
            if locked:
                self._lock.release()

    # Files ------------------------------------------------------------------------------------------------------------

    def _take(self, size: int) -> tuple[_Writer, _Segment]:
        """A segment with room for so many bytes, for the caller alone until he gives it back."""
        while True:
            writer = self._writer or self._open()
            try:
                segment = writer.free.pop()
            except IndexError:
                with self._locked():
                    if writer.is_closed:
                        continue
                    return writer, self._new_segment(writer)
            if not segment.size or segment.size + size <= self._segment_bytes:
                return writer, segment
            with self._locked():
                segment.seal()
                self._carry_due = self._trim_due = True
                self._finish(writer, segment)
                return writer, self._new_segment(writer)

    def _new_segment(self, writer: _Writer) -> _Segment:
        until = time.monotonic() + _PATIENCE
        while len(writer.open_segments()) >= _MOST_OPEN:
            with contextlib.suppress(IndexError):
                return writer.free.pop()
            if time.monotonic() > until:
                raise BlockingIOError("too many threads are writing")
            time.sleep(0.001)
        number = next(self._numbers)
        fd = writer.folder.open(segment_file(number), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND)
        segment = writer.segments[number] = _Segment(number, fd)
        return segment

    def _open(self) -> _Writer:
        with self._locked(), Folder(self.directory, create=True) as destination:
            if self._about is not None and ABOUT not in destination.names():
                destination.replace(ABOUT, json.dumps(self._about, indent=1).encode())
            while self._writer is None:
                name = f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{os.getpid()}-{secrets.token_hex(4)}"
                folder = Folder(name, destination, create=True)
                try:
                    held = folder.open(LOCK, os.O_RDWR | os.O_CREAT | os.O_EXCL)
                except OSError:
                    folder.close()
                    raise
                writer = _Writer(name, folder, held)
                # Somebody who looks for dead writers may have been quicker than the lock.
                if not lock(held) or not os.fstat(held).st_nlink or self._writer is not None:
                    release(self.directory, name, folder, held, empty=True)
                    continue
                self._writer = writer
                self._carry_due = self._trim_due = True
            return self._writer

    def _carry(self) -> None:
        """Write the open sessions again where the files with their starts are full, so that these can go."""
        self._carry_due = False
        with self._locked():
            writer = self._writer
            current = set() if writer is None else {segment.number for segment in writer.open_segments()}
            for session in list(self._sessions.values()):
                if not session.has_root and (not session.marks or session.marks[-1].segment not in current):
                    self._renew(session)
            if writer is not None and self.bytes > self._max_bytes:
                self._trim(writer)

    def _renew(self, session: _Session) -> None:
        before = len(session.marks)
        for kind, mark in ((Kind.START, session.start), (Kind.END, session.end)):
            if mark is not None:
                place = self._write(kind, encode(mark), session.start.resource)
                if place is None:
                    return
                session.marks.append(place)
        self._settle(session.marks[:before])

    def _recorded_root(self, span: ReadableSpan, place: Place | None) -> None:
        context = span.get_span_context()
        if context is None or place is None:
            return
        session = self._sessions.get(context.trace_id)
        if session is not None and context.span_id == session.start.span_id:
            session.has_root = True
            self._roots[place.seq] = context.trace_id

    # Acknowledgements -------------------------------------------------------------------------------------------------

    def acknowledge(self, places: Iterable[Place]) -> None:
        """Remember on disk what the backend has taken; a full segment of which it has taken all is removed."""
        try:
            arrived, marks = list(places), []
            for place in arrived:
                session = self._sessions.pop(self._roots.pop(place.seq, -1), None)
                if session is not None:
                    marks += session.marks
            self._settle(marks)  # first: a start without its root would be taken for a session that nobody ended
            self._settle(arrived)
        except Exception:
            guard.report("the journal")

    def _settle(self, places: Iterable[Place]) -> None:
        writer = self._writer
        if writer is None:
            return
        for number, seqs in by_segment(places).items():
            segment = writer.segments.get(number)
            new = set() if segment is None else seqs - segment.acknowledged
            if segment is None or not new:
                continue
            segment.acknowledged |= new
            segment.others -= new
            if not self._finish(writer, segment):
                with contextlib.suppress(OSError):  # they are sent once more, should this process die
                    settle(writer.folder, number, new)

    @staticmethod
    def _finish(writer: _Writer, segment: _Segment) -> bool:
        """Remove a sealed segment with nothing left in it; whether it was removed."""
        if segment.fd >= 0 or not segment.is_settled:
            return False
        writer.segments.pop(segment.number, None)
        remove(writer.folder, segment.number)
        return True

    def reject(self, spans: Iterable[tuple[ReadableSpan, Place, str]]) -> None:
        """Set aside what the backend refused for good, for people to read, and acknowledge it."""
        refused = list(spans)
        if not refused:
            return
        try:
            name = f"{os.getpid()}" if self._writer is None else self._writer.name
            rejected.keep(self.directory, name, [(span, reason) for span, _, reason in refused])
        except OSError as error:
            self._fail(error)
        except Exception:
            guard.report("the journal")
        self.acknowledge(place for _, place, _ in refused)

    # Reading ----------------------------------------------------------------------------------------------------------

    def read(self, places: Sequence[Place]) -> list[tuple[Place, ReadableSpan | LogEvent]]:
        """Records of this process, in the order asked for; those that cannot be read are left out."""
        writer, found = self._writer, {}
        if writer is None:
            return []
        for number in {place.segment for place in places}:
            wanted = [place for place in places if place.segment == number]
            with contextlib.suppress(OSError):
                for each in _frames_at(writer.folder, segment_file(number), wanted):
                    with contextlib.suppress(Exception):
                        found[each.seq] = self._item(each)
        return [(place, found[place.seq]) for place in places if place.seq in found]

    def _item(self, each: Frame) -> ReadableSpan | LogEvent:
        if each.kind == Kind.EVENT:
            return read_event(each.payload)[0]
        return read_span(each.payload, lambda number: self._resources.get(number) or Resource.get_empty())

    def holds(self, place: Place) -> bool:
        """Whether the file of a record is there."""
        writer = self._writer
        return writer is not None and place.segment in writer.segments

    # On the worker ----------------------------------------------------------------------------------------------------

    def sync(self) -> None:
        """Make what was written so far outlive a power loss, and keep the journal within its bounds.

        Called about once a second, not on a thread of the user.
        """
        writer = self._writer
        if writer is None:
            return
        try:
            if not os.fstat(writer.held).st_nlink:  # somebody has removed the folder
                self.close()
                return
            for segment in list(writer.segments.values()):
                size = segment.size
                if size != segment.synced:
                    with contextlib.suppress(FileNotFoundError):
                        writer.folder.sync(segment_file(segment.number))
                    segment.synced = size
            if self._trim_due:
                self._trim(writer)
        except OSError as error:
            self._fail(error)
        except Exception:
            guard.report("the journal")

    def _trim(self, own: _Writer) -> None:
        """Drop what is too old; while all together is too large, spans, and then sessions as well, oldest first."""
        self._trim_due = False
        too_old, total, found = time.time() - self._max_age, 0, []
        with Folder(self.directory) as destination:
            for writer in writers(destination):
                with contextlib.suppress(OSError), Folder(writer, destination) as folder:
                    for number in segments(folder):
                        status = folder.stat(segment_file(number))
                        total += status.st_size
                        found.append((status.st_mtime, writer, number))
            for whole in (False, True):
                for modified, writer, number in sorted(found):
                    if modified < too_old or total > self._max_bytes:
                        with contextlib.suppress(OSError):
                            drop = self._drop_own if writer == own.name else self._drop
                            total -= drop(destination, writer, number, whole=whole or modified < too_old)
            with contextlib.suppress(OSError), Folder(WISHES, destination) as wishes:
                for name in wishes.names():
                    if wishes.stat(name).st_mtime < too_old:
                        wishes.unlink(name)

    def _drop_own(self, destination: Folder, name: str, number: int, *, whole: bool) -> int:
        writer = self._writer
        segment = None if writer is None else writer.segments.get(number)
        if writer is None or segment is None or segment.fd >= 0:
            return 0
        lost = shrink(writer.folder, number, whole=whole)
        self.dropped += lost.spans
        segment.acknowledged |= lost.seqs
        segment.others -= lost.seqs
        self._finish(writer, segment)
        return lost.size

    def _drop(self, destination: Folder, name: str, number: int, *, whole: bool) -> int:
        held = hold(destination, name)
        if held is None:  # its process lives, and looks after itself
            return 0
        folder, _ = held
        try:
            lost = shrink(folder, number, whole=whole)
            self.dropped += lost.spans
            return lost.size
        finally:
            release(self.directory, name, *held, empty=not segments(folder))

    # The end ----------------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Give up the folder: it is removed when nothing is unacknowledged, else left to the next process."""
        try:
            with self._locked():
                self._close()
        except Exception:
            guard.report("the journal")

    def _close(self) -> None:
        writer, self._writer = self._writer, None
        if writer is None:
            return
        writer.is_closed = True
        until = time.monotonic() + _PATIENCE
        while len(writer.free) < len(writer.open_segments()):
            if time.monotonic() > until:  # a thread that stands still: all is left as it is when the process ends
                return
            time.sleep(0.001)
        for segment in writer.open_segments():
            segment.seal()
        empty = all(segment.is_settled for segment in writer.segments.values())
        release(self.directory, writer.name, writer.folder, writer.held, empty=empty)

    def after_fork(self) -> None:
        """In a forked child: the folder is the parent's, and so is its lock, as long as we do not unlock it."""
        writer = self._writer
        if writer is not None:
            writer.is_closed = True
            for segment in writer.open_segments():
                segment.seal()
            os.close(writer.held)
            writer.folder.close()
        self._begin()

    @property
    def failed(self) -> bool:
        """Whether the last record did not reach the disk."""
        return self._retry_at > 0

    @property
    def unacknowledged(self) -> int:
        """How many spans are on disk and not acknowledged."""
        return sum(segment.spans for segment in self._segments())

    @property
    def bytes(self) -> int:
        """The size of this process's files."""
        return sum(segment.size for segment in self._segments())

    def _segments(self) -> list[_Segment]:
        return [] if self._writer is None else list(self._writer.segments.values())


def _frames_at(folder: Folder, name: str, places: Sequence[Place]) -> Iterator[Frame]:
    """The records at these places of a segment; a segment that has shrunk since is searched."""
    moved = set()
    with os.fdopen(folder.open(name, os.O_RDONLY), "rb") as file:
        for place in places:
            file.seek(place.offset)
            each = next(frames(file.read(place.size)), None)
            if each is not None and each.seq == place.seq:
                yield each
            else:
                moved.add(place.seq)
    if moved:
        yield from (each for each in frames(folder.read(name)) if each is not None and each.seq in moved)
