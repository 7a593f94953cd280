"""A folder for its owner alone: all that the journal opens, makes, locks and removes goes through here.

Files are reached from the folder's own descriptor, so that nobody can put another folder in its place, and no symbolic
link is followed. Windows has neither; there the permissions of the user's profile must do.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from typing import Final

from typing_extensions import Self

from .descriptor import Descriptor, behind_streams

# Not when they are needed: a span that ends while the interpreter is taken apart can import nothing any more.
if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_WINDOWS: Final = sys.platform == "win32"
_MOST_BYTES: Final = 256 << 20  # that are read of one file
# O_NONBLOCK: a pipe in place of a file must not stop us.
_SAFE: Final = sum(getattr(os, name, 0) for name in ("O_CLOEXEC", "O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"))


class Folder:
    """An open folder.

    Args:
        path: where it is; with `parent`, a name in there.
        parent: the folder that it is in.
        create: make it if it is missing, and what is missing above it.

    Raises:
        PermissionError: it is someone else's, or others may write to it.
        OSError: it cannot be opened.
    """

    def __init__(self, path: str, parent: Folder | None = None, *, create: bool = False) -> None:
        self.path: str = path if parent is None else os.path.join(parent.path, path)
        self._fd: Descriptor | None = None
        if create:
            _make(self.path)
        if _WINDOWS:
            os.listdir(self.path)
            return
        where = (path, None) if parent is None else parent.at(path)
        self._fd = _opened(*where)
        if not _is_ours(os.fstat(self._fd)):
            self.close()
            raise PermissionError(f"{self.path} is open to other users")

    @property
    def writable(self) -> bool:
        """Whether files can be made and removed in it."""
        return os.access(self.path, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids)

    def at(self, name: str) -> tuple[str, int | None]:
        """Path and `dir_fd` of a file, for the functions of `os`."""
        here = self._here()
        return (os.path.join(self.path, name), None) if here is None else (name, here)

    def _here(self) -> int | None:
        """Its descriptor, which is opened anew where the program has closed it; None where there is none."""
        before = self._fd
        if before is None or before.is_ours:
            return before
        again = _opened(self.path)
        if again.file != before.file:  # another one is in its place
            again.close()
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), self.path)
        self._fd = again
        return again

    def open(self, name: str, flags: int) -> Descriptor:
        """A descriptor of a file that is ours alone; nobody else can read one that is new."""
        path, here = self.at(name)
        descriptor = Descriptor(behind_streams(os.open(path, flags | _SAFE, 0o600, dir_fd=here)))
        info = os.fstat(descriptor)
        if not stat.S_ISREG(info.st_mode) or not _is_ours(info):
            os.close(descriptor)
            raise PermissionError(f"{name} is not a plain file that only its owner can open")
        return descriptor

    def read(self, name: str) -> bytes:
        """All that is in a file by now."""
        with os.fdopen(self.open(name, os.O_RDONLY), "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > _MOST_BYTES:
                raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), name)
            return file.read(size)

    def append(self, name: str, data: bytes, flags: int = os.O_CREAT) -> None:
        """Add to the end of a file."""
        descriptor = self.open(name, os.O_WRONLY | os.O_APPEND | flags)
        try:
            write(descriptor, data)
        finally:
            os.close(descriptor)

    def replace(self, name: str, data: bytes, *, modified: float | None = None) -> None:
        """Give a file a new content in one step, and optionally a time (Unix) of its last change."""
        draft = f"{name}.{os.getpid()}.new"
        path, here = self.at(draft)
        try:
            self.append(draft, data, os.O_CREAT | os.O_TRUNC)
            if modified is not None:
                os.utime(path, (modified, modified), dir_fd=here)
            os.replace(path, self.at(name)[0], src_dir_fd=here, dst_dir_fd=here)
        except OSError:
            self.unlink(draft)
            raise

    def unlink(self, name: str) -> None:
        """Remove a file, or an empty folder; nothing happens where that is not possible."""
        path, here = self.at(name)
        for remove in (os.unlink, os.rmdir):
            with contextlib.suppress(OSError):
                remove(path, dir_fd=here)

    def stat(self, name: str) -> os.stat_result:
        """What is known of a file; of a link, not of what it points to."""
        path, here = self.at(name)
        return os.stat(path, dir_fd=here, follow_symlinks=False)

    def names(self) -> list[str]:
        """What is in it, sorted."""
        here = self._here()
        return sorted(os.listdir(self.path if here is None else here))

    def sync(self, name: str) -> None:
        """Wait until a file as it is now would outlive a power loss."""
        descriptor = self.open(name, os.O_RDWR)
        try:
            getattr(os, "fdatasync", os.fsync)(descriptor)
            here = self._here()
            if here is not None:
                os.fsync(here)
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """Give up the descriptor."""
        fd, self._fd = self._fd, None
        if fd is not None:
            fd.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def write(descriptor: int, data: bytes) -> None:
    """Write all of it; when the disk is full, a part may have been written."""
    written = os.write(descriptor, data)
    while written < len(data):
        written += os.write(descriptor, data[written:])


def lock(descriptor: int, *, shared: bool = False) -> bool:
    """Lock a file until its last descriptor is closed; False when that is not possible, or another one holds it."""
    try:
        if sys.platform == "win32":
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def unlock(descriptor: Descriptor) -> None:
    """Unlock and close a file. Closing alone would leave it locked while a forked child has the descriptor."""
    if sys.platform != "win32" and descriptor.is_ours:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
    descriptor.close()


def _make(path: str) -> None:
    """Make a folder and what is missing above it, for us alone (`os.makedirs` lets others into the upper ones)."""
    if not os.path.isabs(path):  # there is no home folder, and the working directory is not ours to write to
        raise FileNotFoundError(errno.ENOENT, "no such folder, and no home folder to make it in", path)
    with contextlib.suppress(FileExistsError):
        try:
            os.mkdir(path, 0o700)
        except FileNotFoundError:
            above = os.path.dirname(path)
            if above in ("", path):
                raise
            _make(above)
            os.mkdir(path, 0o700)


def _opened(path: str, parent: int | None = None) -> Descriptor:
    """The descriptor of a folder."""
    return Descriptor(behind_streams(os.open(path, os.O_RDONLY | os.O_DIRECTORY | _SAFE, dir_fd=parent)))


def _is_ours(info: os.stat_result) -> bool:
    return _WINDOWS or (info.st_uid == os.geteuid() and not info.st_mode & 0o022)
