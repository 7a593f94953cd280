"""The journal of this process: what has been recorded is on disk before the program goes on.

One write for each span, without waiting for the disk: what is written outlives the process, and `sync()` makes it
outlive the machine. To a segment only one thread at a time appends; a thread that finds every segment taken opens
another. So no thread waits for a lock that an interrupted frame (under a signal handler, or a finaliser that the
garbage collector runs) or a stopped thread may hold.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan

from .. import guard
from ..clock import monotonic
from ..log import logger
from ..redaction import plain_dict
from . import ids, rejected
from .claim import (
    ABOUT,
    REQUESTED_ENDS,
    RESOURCES,
    by_segment,
    give_up,
    release,
    segment_file,
    session_file,
    settle,
    writers,
)
from .folder import Folder, write
from .frames import Frame, Kind, RecordRef, frame, frames
from .log_event import LogEvent
from .records import NO_END, Description, End, Start, encode, event_payload, read_event, read_span, span_payload
from .writer import Segment, Writer, new_writer

_RETRY: Final = 1.0  # seconds between attempts while the disk does not take anything
_PATIENCE: Final = 0.2  # seconds to wait for another thread
_MOST_OPEN: Final = 32  # segments, each for a thread that is writing right now
_MOST_RESOURCES: Final = 1024
_new: Final[Any] = tuple.__new__  # what a NamedTuple's own does, at a quarter of the price


class Journal:
    """The journal of this process for one destination; it opens nothing before the first record.

    Nothing here raises an Exception. After `close()`, and in a forked child, the next record opens a new folder.

    Args:
        directory: of the destination.
        about: what is written into the folder about the destination.
        segment_bytes: size at which a new file is begun.
        max_bytes: of all writers of the destination together; beyond it the oldest spans are given up.
        max_age: seconds after which everything is.

    Attributes:
        dropped: how many spans were given up.
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
        self._seqs, self._segment_numbers, self._resource_numbers = (itertools.count(1) for _ in range(3))
        self._is_warned = False
        self._begin()

    def _begin(self) -> None:
        self.dropped: int = 0
        self._lock = threading.RLock()  # for opening and closing files
        self._writer: Writer | None = None
        self._retry_at = 0.0  # `time.monotonic()`; 0: all is well
        self._trim_due = False
        self._trimming = threading.Lock()
        self._known: dict[int, tuple[Resource, int]] = {}  # resources and their numbers, by id
        self._resources: dict[int, Resource] = {}  # by number
        self._described: list[bytes] = []  # records of resources, for every folder
        self._unsynced: set[str] = set()  # files that are not segments
        self._roots: dict[int, int] = {}  # trace ids by sequence number of their root span

    # What is recorded -------------------------------------------------------------------------------------------------

    def append(self, span: ReadableSpan, resource: Resource | None = None) -> RecordRef | None:
        """Write a finished span, with another resource than its own if one is given; None when it is not on disk."""
        try:
            if self._retry_at and monotonic() < self._retry_at:
                return None
            if resource is None:
                resource = span.resource
            number = self._number(resource)
            context = span.get_span_context() if span.parent is None else None
            if context is None or self._writer is None or context.trace_id not in self._writer.sessions:
                return self._write(Kind.SPAN, span_payload(span, number))
            ref = self._write(Kind.ROOT, span_payload(span, number))
            self._roots[ref.seq] = context.trace_id
            return ref
        except OSError as error:
            self._fail(error)
        except Exception:
            guard.report("the journal")
        return None

    def append_event(self, event: LogEvent, resource: Resource | None = None) -> RecordRef | None:
        """Write a log event; without a resource it will have that of this process's spans. None: it is not on disk."""
        with self._safely():
            if not self._retry_at or monotonic() >= self._retry_at:
                number = 0 if resource is None else self._number(resource)
                return self._write(Kind.EVENT, event_payload(event, number))
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
        with self._safely():
            number = self._number(resource)
            start = Start(trace_id.to_bytes(16, "big"), span_id, name, start_ns, number, dict(attributes))
            self._start(trace_id, frame(Kind.START, 0, encode(start)))

    def _start(self, trace_id: int, record: bytes) -> None:
        self._note(session_file(trace_id), record).sessions[trace_id] = record

    def append_end(self, trace_id: int, state: str | None, reason: str | None) -> None:
        """Write how its owner ends a session, before the root span; state None: nobody is to end it."""
        with self._safely():
            with contextlib.suppress(OSError), Folder(os.path.join(self.directory, REQUESTED_ENDS)) as requested:
                requested.unlink(ids.session_id(trace_id))
            if state is None:
                self.forget(trace_id)
            elif self._writer is not None and trace_id in self._writer.sessions:
                self._note(session_file(trace_id), frame(Kind.END, 0, encode(End(state, reason))))

    def append_reason(self, trace_id: int, reason: str | None) -> None:
        """Write why a session fails if its process dies now; None takes it back. Takes no lock of ours."""
        with self._safely():
            if self._writer is not None and trace_id in self._writer.sessions:
                end = End("Fail", reason) if reason is not None else NO_END
                self._note(session_file(trace_id), frame(Kind.END, 0, encode(end)))

    def forget(self, trace_id: int) -> None:
        """No root span is to be made for this session: it has arrived without having been on disk."""
        writer = self._writer
        if writer is not None and trace_id in writer.sessions:
            writer.folder.unlink(session_file(trace_id))
            writer.sessions.pop(trace_id, None)

    def request_end(self, session_id: str, state: str, reason: str | None) -> None:
        """Write how this process, which does not own the session, wants it to end."""
        with self._safely():
            name = ids.session_id(ids.trace_id(session_id))
            with (
                Folder(self.directory, create=True) as destination,
                Folder(REQUESTED_ENDS, destination, create=True) as requested,
            ):
                requested.replace(name, frame(Kind.END, 0, encode(End(state, reason))))

    def _number(self, resource: Resource) -> int:
        """The number of a resource that is described on disk."""
        known = self._known.get(id(resource))
        if known is not None and known[0] is resource:
            return known[1]
        if len(self._known) >= _MOST_RESOURCES:
            for memory in (self._known, self._resources, self._described):
                memory.clear()
        number = next(self._resource_numbers)
        description = Description(number, plain_dict(resource.attributes), resource.schema_url)
        self._describe(frame(Kind.RESOURCE, 0, encode(description)))
        self._resources[number] = resource
        self._known[id(resource)] = resource, number
        return number

    def _describe(self, record: bytes) -> None:
        with self._locked():
            if self._writer is not None:  # else `_open()` will write it
                self._note(RESOURCES, record)
            self._described.append(record)

    def _note(self, name: str, record: bytes) -> Writer:
        """Add a record to a file that is no segment."""
        writer = self._writer or self._open()
        try:
            writer.folder.append(name, record)
        except FileNotFoundError:
            if not self._begins_anew(writer):
                raise
            writer = self._writer or self._open()
            writer.folder.append(name, record)
        self._unsynced.add(name)
        return writer

    def _begins_anew(self, writer: Writer) -> bool:
        """Whether the folder is lost: then it goes on in a new one, with what is known of the sessions."""
        with self._locked():
            if writer.keeps():
                return False
            if self._writer is writer:  # else another thread has done so
                self.close()
                for trace_id, record in list(writer.sessions.items()):
                    self._start(trace_id, record)
        return True

    # Files ------------------------------------------------------------------------------------------------------------

    def _write(self, kind: int, payload: bytes) -> RecordRef:
        """Append to a segment that nobody else has."""
        seq = next(self._seqs)
        record = frame(kind, seq, payload)
        segment = self._take(len(record))
        fd = segment.fd or -1
        segment.entries += 1  # first: after an interrupted write the segment must not look settled
        if kind == Kind.EVENT:
            segment.events.add(seq)
        try:
            written = os.write(fd, record)
            if written < len(record):
                write(fd, record[written:])
        except OSError:
            segment.entries -= 1
            segment.events.discard(seq)
            try:
                os.ftruncate(fd, segment.size)  # a full disk takes a part
                segment.free.append(segment)
            except OSError:
                segment.seal()
            raise
        except BaseException:  # it is not known how much was written
            segment.seal()
            raise
        ref: RecordRef = _new(RecordRef, (seq, segment.number, segment.size, len(record)))
        segment.size += len(record)
        segment.free.append(segment)
        self._retry_at = 0.0
        return ref

    def _fail(self, error: OSError) -> None:
        self._retry_at = monotonic() + _RETRY
        if not self._is_warned:
            self._is_warned = True
            reason = error.strerror or str(error)
            logger.warning("the journal in %s cannot be written: %s. Spans wait in memory", self.directory, reason)

    @contextlib.contextmanager
    def _safely(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self._fail(error)
        except Exception:
            guard.report("the journal")

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """With the lock, or after a while without: a thread that a signal handler has stopped may hold it."""
        locked = self._lock.acquire(timeout=_PATIENCE)
        try:
            yield
        finally:
            if locked:
                self._lock.release()

    def _take(self, size: int) -> Segment:
        """A segment with room for so many bytes, to be given back to `free`."""
        while True:
            writer = self._writer or self._open()
            try:
                segment = writer.free.pop()
            except IndexError:
                pass
            else:
                fd = segment.fd
                is_open = fd is not None and fd.is_ours
                if is_open and (not segment.size or segment.size + size <= self._segment_bytes):
                    return segment
                segment.seal()
                writer.finish(segment)
                if not is_open:
                    self._begins_anew(writer)
                self._trim_due = True
                if self.bytes > self._max_bytes:
                    self._trim(writer)
            with self._locked():
                if writer.is_closed:
                    continue
                try:
                    return self._new_segment(writer)
                except FileNotFoundError:
                    if not self._begins_anew(writer):
                        raise

    def _new_segment(self, writer: Writer) -> Segment:
        until = monotonic() + _PATIENCE
        while len(writer.open_segments()) >= _MOST_OPEN:
            if monotonic() > until:
                raise BlockingIOError("too many threads are writing")
            time.sleep(0.001)
            with contextlib.suppress(IndexError):
                return writer.free.pop()
        number = next(self._segment_numbers)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
        fd = writer.folder.open(segment_file(number), flags)
        segment = writer.segments[number] = Segment(number, fd, writer.free)
        return segment

    def _open(self) -> Writer:
        with self._locked(), Folder(self.directory, create=True) as destination:
            if self._about is not None:
                about, there = json.dumps(self._about, indent=1).encode(), b""
                with contextlib.suppress(OSError):
                    there = destination.read(ABOUT)
                if there != about:  # also a file that is damaged
                    destination.replace(ABOUT, about)
            writer = self._writer or new_writer(destination)
            if self._writer is not None:  # by a signal handler in the meantime, or before we had the lock
                if writer is not self._writer:
                    release(self.directory, writer.name, writer.folder, writer.held, empty=True)
                return self._writer
            self._writer, self._trim_due = writer, True
            try:
                self._note(RESOURCES, b"".join(self._described))
            except OSError:
                self._known.clear()  # to be described once more
                raise
            return writer

    # Acknowledgements -------------------------------------------------------------------------------------------------

    def acknowledge(self, refs: Iterable[RecordRef]) -> None:
        """Remember on disk what the backend has taken; a full segment of which it has taken all is removed."""
        with self._safely():
            arrived, writer = list(refs), self._writer
            for ref in arrived:  # first: the start of a session without its root looks as if nobody had ended it
                trace_id = self._roots.pop(ref.seq, None)
                if trace_id is not None:
                    self.forget(trace_id)
            for number, seqs in by_segment(arrived).items():
                segment = writer.segments.get(number) if writer is not None else None
                new = seqs - segment.settled if segment is not None else None
                if writer is None or segment is None or not new:
                    continue
                segment.settled |= new
                segment.events -= new
                if not writer.finish(segment):
                    settle(writer.folder, number, new)

    def reject(self, spans: Iterable[tuple[ReadableSpan, RecordRef, str]]) -> None:
        """Set aside what the backend refused for good, for people to read, and acknowledge it."""
        refused = list(spans)
        if not refused:
            return
        with self._safely():
            name = self._writer.name if self._writer is not None else str(os.getpid())
            rejected.keep(self.directory, name, [(span, reason) for span, _, reason in refused])
        self.acknowledge(ref for _, ref, _ in refused)

    def read(self, refs: Sequence[RecordRef]) -> list[tuple[RecordRef, ReadableSpan | LogEvent]]:
        """What was recorded by this process, in the order asked for; what cannot be read is left out."""
        found: dict[int, ReadableSpan | LogEvent] = {}
        writer = self._writer
        if writer is None:
            return []
        for number in {ref.segment for ref in refs}:
            with contextlib.suppress(OSError):
                for each in _frames_at(writer.folder, number, [ref for ref in refs if ref.segment == number]):
                    with contextlib.suppress(Exception):
                        found[each.seq] = self._item(each)
        return [(ref, found[ref.seq]) for ref in refs if ref.seq in found]

    def _item(self, each: Frame) -> ReadableSpan | LogEvent:
        if each.kind == Kind.EVENT:
            return read_event(each.payload)[0]
        return read_span(each.payload, lambda number: self._resources.get(number) or Resource.get_empty())

    def holds(self, ref: RecordRef) -> bool:
        """Whether the file of a record is there."""
        writer = self._writer
        return writer is not None and ref.segment in writer.segments

    # On the worker, and at the end ------------------------------------------------------------------------------------

    def sync(self) -> None:
        """Make what was written so far outlive a power loss, and keep the journal within its bounds.

        To be called about once a second, not on a thread of the user.
        """
        writer = self._writer
        if writer is None:
            return
        with self._safely():
            if self._begins_anew(writer):
                return
            for segment in list(writer.segments.values()):
                size = segment.size
                if size != segment.synced:
                    with contextlib.suppress(FileNotFoundError):
                        writer.folder.sync(segment_file(segment.number))
                    segment.synced = size
            while self._unsynced:
                with contextlib.suppress(FileNotFoundError):
                    writer.folder.sync(self._unsynced.pop())
            if self._trim_due:
                self._trim(writer)

    def _trim(self, own: Writer) -> None:
        """Give up what is too old, and while all together is too large, the oldest spans but no sessions."""
        if not self._trimming.acquire(blocking=False):
            return
        try:
            self._trim_due = False
            self._keep_within_bounds(own)
        finally:
            self._trimming.release()

    def _keep_within_bounds(self, own: Writer) -> None:
        too_old, total, found = time.time() - self._max_age, 0, list[tuple[float, str, str]]()
        with contextlib.suppress(OSError), Folder(self.directory) as destination:
            for writer in (*writers(destination), REQUESTED_ENDS):
                with contextlib.suppress(OSError), Folder(writer, destination) as folder:
                    for name in folder.names():
                        status = folder.stat(name)
                        total += status.st_size
                        if writer == REQUESTED_ENDS and status.st_mtime < too_old:
                            folder.unlink(name)
                        elif name.endswith((".seg", ".session")):
                            found.append((status.st_mtime, writer, name))
            names = set(destination.names())
            for name in names:  # a process died between its lock and its folder
                is_alone = name.endswith(".lock") and name.removesuffix(".lock") not in names
                if is_alone and destination.stat(name).st_mtime < too_old:
                    destination.unlink(name)
            for modified, writer, name in sorted(found):
                is_old = modified < too_old
                if is_old or total > self._max_bytes:
                    with contextlib.suppress(OSError):
                        if writer == own.name:
                            lost = own.give_up(name, whole=is_old)
                        else:
                            lost = give_up(destination, writer, name, whole=is_old)
                        total -= lost.size
                        self.dropped += lost.spans

    def close(self) -> None:
        """Give up the folder: it is removed when nothing in it is unacknowledged, else left to the next process."""
        with self._safely(), self._locked():
            writer, self._writer = self._writer, None
            if writer is None:
                return
            writer.is_closed = True
            until = monotonic() + _PATIENCE
            while writer.open_segments():
                with contextlib.suppress(IndexError):
                    writer.free.pop().seal()
                    continue
                if monotonic() > until:  # a thread stands still with one: the lock goes when the process does
                    return
                time.sleep(0.001)
            empty = not writer.sessions and all(segment.is_settled for segment in list(writer.segments.values()))
            release(self.directory, writer.name, writer.folder, writer.held, empty=empty)

    def after_fork(self) -> None:
        """In a forked child: the files are the parent's, and so is the lock, as long as we only close it."""
        writer = self._writer
        if writer is not None:
            writer.is_closed = True
            for segment in writer.open_segments():
                segment.seal()
            writer.held.close()
            writer.folder.close()
        self._begin()

    @property
    def failed(self) -> bool:
        """Whether the last record did not reach the disk."""
        return self._retry_at > 0

    @property
    def unacknowledged(self) -> int:
        """How many spans are on disk and not acknowledged."""
        waiting = (each.entries - len(each.settled) - len(each.events) for each in self._segments())
        return sum(max(0, count) for count in waiting)

    @property
    def bytes(self) -> int:
        """The size of this process's segments."""
        return sum(segment.size for segment in self._segments())

    def _segments(self) -> list[Segment]:
        return list(self._writer.segments.values()) if self._writer is not None else []


def _frames_at(folder: Folder, segment: int, refs: Sequence[RecordRef]) -> Iterator[Frame]:
    """The records that these name; a segment that has been made smaller since is searched."""
    moved = set[int]()
    with os.fdopen(folder.open(segment_file(segment), os.O_RDONLY), "rb") as file:
        for ref in refs:
            file.seek(ref.offset)
            each = next(frames(file.read(ref.size)), None)
            if each is not None and each.seq == ref.seq:
                yield each
            else:
                moved.add(ref.seq)
    if moved:
        yield from (each for each in frames(folder.read(segment_file(segment))) if each and each.seq in moved)
