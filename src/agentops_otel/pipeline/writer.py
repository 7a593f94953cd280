"""The folder into which this process's journal writes, and the files in it."""

from __future__ import annotations

import contextlib
import errno
import os

from .claim import Lost, lock_file, remove, segment_file, shrink, writer_name
from .descriptor import Descriptor
from .folder import Folder, lock


class Segment:
    """A file of records. Who has taken it appends to it, anybody acknowledges."""

    __slots__ = ("entries", "events", "fd", "free", "number", "settled", "size", "synced")

    def __init__(self, number: int, fd: Descriptor, free: list[Segment]) -> None:
        self.number: int = number
        self.free: list[Segment] = free  # where it is put back
        self.fd: Descriptor | None = fd  # None when it is full
        self.size: int = 0
        self.synced: int = 0
        self.entries: int = 0
        self.settled: set[int] = set()  # sequence numbers of what is acknowledged, or given up
        self.events: set[int] = set()  # sequence numbers of log events that are not

    def seal(self) -> None:
        """Close the file: nothing is appended to it any more."""
        fd, self.fd = self.fd, None
        if fd is not None:
            fd.close()

    @property
    def is_settled(self) -> bool:
        """Whether all records in it are acknowledged, or given up."""
        return len(self.settled) >= self.entries


class Writer:
    """The folder of this process, from the first record until `close()` or a fork."""

    def __init__(self, name: str, folder: Folder, held: Descriptor) -> None:
        self.name = name
        self.folder = folder
        self.held = held
        self.segments: dict[int, Segment] = {}
        self.sessions: dict[int, bytes] = {}  # starts of those whose root span has not arrived, by trace id
        self.free: list[Segment] = []  # those that nobody has taken; the last one is taken first
        self.is_closed = False

    def open_segments(self) -> list[Segment]:
        """Those that are not full."""
        return [segment for segment in list(self.segments.values()) if segment.fd is not None]

    def finish(self, segment: Segment) -> bool:
        """Remove a full segment when all of it is settled; whether it was."""
        finished = segment.fd is None and segment.is_settled
        if finished and self.segments.pop(segment.number, None) is not None:
            remove(self.folder, segment_file(segment.number))
        return finished

    def keeps(self) -> bool:
        """Whether the folder is still there and this process's; locked anew where the program has closed the lock."""
        if not self.held.is_ours:
            with contextlib.suppress(OSError), Folder(os.path.dirname(self.folder.path)) as destination:
                self.held = destination.open(lock_file(self.name), os.O_RDWR)
                if not lock(self.held):  # another process has taken it for that of a dead one
                    return False
        return os.path.exists(self.folder.path)

    def give_up(self, name: str, *, whole: bool) -> Lost:
        """`shrink()` one of the full segments."""
        segment = self.segments.get(int(name[:-4])) if name.endswith(".seg") else None
        if segment is None or segment.fd is not None:
            return Lost(0, 0, set())
        lost = shrink(self.folder, name, whole=whole)
        segment.settled |= lost.seqs
        segment.events -= lost.seqs
        self.finish(segment)
        return lost


def new_writer(destination: Folder) -> Writer:
    """A new folder for this process, locked.

    Raises:
        OSError: it cannot be made, or files cannot be locked there.
    """
    name = writer_name()
    with contextlib.ExitStack() as undo:
        held = destination.open(lock_file(name), os.O_RDWR | os.O_CREAT | os.O_EXCL)
        undo.callback(held.close)
        undo.callback(destination.unlink, lock_file(name))
        if not lock(held):
            raise OSError(errno.ENOLCK, "files cannot be locked here")
        folder = Folder(name, destination, create=True)
        undo.pop_all()
    return Writer(name, folder, held)
