"""A folder for its owner alone: what the journal opens, creates, locks and removes goes through here.

Everything in it is reached from the folder's own descriptor, so that nobody can put another folder in its place, and no
symbolic link is followed. Windows has neither; there the permissions of the user's profile protect it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from typing import Any, Final

from typing_extensions import Self

_WINDOWS: Final = sys.platform == "win32"
_SAFE: Final = (
    getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)  # a pipe in place of a file must not stop us
    | getattr(os, "O_BINARY", 0)
)


class Folder:
    """An open folder.

    Args:
        path: where it is.
        parent: with it, `path` is a name in there.
        create: make it, and what is missing above it.

    Raises:
        FileNotFoundError: it does not exist.
        PermissionError: it is someone else's, or others may write to it.
        OSError: it cannot be opened.
    """

    __slots__ = ("_closed", "_fd", "path")

    def __init__(self, path: str, parent: Folder | None = None, *, create: bool = False) -> None:
        self.path: str = os.path.join(parent.path, path) if parent is not None else path
        if create:
            with contextlib.suppress(FileExistsError):
                if parent is not None:
                    os.mkdir(parent.at(path), 0o700, **parent.there())
                else:
                    _make(path)
        self._closed = False
        self._fd: int | None = None
        if _WINDOWS:
            os.listdir(self.path)
            return
        name, there = (path, {}) if parent is None else (parent.at(path), parent.there())
        self._fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | _SAFE, **there)
        if not _is_ours(os.fstat(self._fd)):
            self.close()
            raise PermissionError(f"{self.path} is not ours alone")

    def at(self, name: str) -> str:
        """The path of a file for the functions of `os`, to be used together with `there()`."""
        return name if self._fd is not None else os.path.join(self.path, name)

    def there(self) -> dict[str, Any]:
        """What makes the functions of `os` look in this folder."""
        return {} if self._fd is None else {"dir_fd": self._fd}

    def open(self, name: str, flags: int) -> int:
        """A descriptor of a file that is ours alone; a new one is readable by nobody else."""
        descriptor = os.open(self.at(name), flags | _SAFE, 0o600, **self.there())
        info = os.fstat(descriptor)
        if not stat.S_ISREG(info.st_mode) or not _is_ours(info):
            os.close(descriptor)
            raise PermissionError(f"{name} is no file of ours alone")
        return descriptor

    def read(self, name: str) -> bytes:
        """All of a file, as long as it was when it was opened."""
        descriptor = self.open(name, os.O_RDONLY)
        with os.fdopen(descriptor, "rb") as file:
            return file.read(os.fstat(descriptor).st_size)

    def append(self, name: str, data: bytes) -> None:
        """Add to the end of a file."""
        self._write(self.open(name, os.O_WRONLY | os.O_APPEND | os.O_CREAT), data)

    def replace(self, name: str, data: bytes, *, modified: float | None = None) -> None:
        """Give a file a new content, all at once; `modified` (Unix time) is when it says it was changed."""
        draft = f"{name}.{os.getpid()}.new"
        try:
            self._write(self.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), data)
            if modified is not None:
                os.utime(self.at(draft), (modified, modified), **self.there())
            if _WINDOWS:
                os.replace(self.at(draft), self.at(name))
            else:
                os.replace(draft, name, src_dir_fd=self._fd, dst_dir_fd=self._fd)
        except OSError:
            self.unlink(draft)
            raise

    @staticmethod
    def _write(descriptor: int, data: bytes) -> None:
        try:
            write(descriptor, data)
        finally:
            os.close(descriptor)

    def unlink(self, name: str) -> None:
        """Remove a file, if it is there and can be removed."""
        with contextlib.suppress(OSError):
            os.unlink(self.at(name), **self.there())

    def rmdir(self, name: str) -> None:
        """Remove a folder in this one, if it is empty."""
        with contextlib.suppress(OSError):
            os.rmdir(self.at(name), **self.there())

    def stat(self, name: str) -> os.stat_result:
        """What is known of a file or folder in here; of a link, not of what it points to."""
        return os.stat(self.at(name), follow_symlinks=False, **self.there())

    def names(self) -> list[str]:
        """What is in it, sorted."""
        return sorted(os.listdir(self.path if self._fd is None else self._fd))

    def sync(self, name: str) -> None:
        """Wait until what was written to a file would survive a power loss."""
        descriptor = self.open(name, os.O_RDWR)
        try:
            getattr(os, "fdatasync", os.fsync)(descriptor)
            if self._fd is not None:
                os.fsync(self._fd)
        finally:
            os.close(descriptor)

    @property
    def is_open(self) -> bool:
        """Whether it was not closed."""
        return not self._closed

    def close(self) -> None:
        """Give up the descriptor."""
        fd, self._fd, self._closed = self._fd, None, True
        if fd is not None:
            os.close(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def write(descriptor: int, data: bytes) -> None:
    """Write all of it; what a full disk has taken of it so far stays where it is."""
    written = os.write(descriptor, data)
    while written < len(data):
        written += os.write(descriptor, data[written:])


def lock(descriptor: int, *, shared: bool = False) -> bool:
    """Lock a file until its last descriptor is closed; False when another one holds it."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN, errno.EDEADLK):
            return False
        raise
    return True


def _make(path: str) -> None:
    try:
        os.mkdir(path, 0o700)
    except FileNotFoundError:
        _make(os.path.dirname(path))
        os.mkdir(path, 0o700)


def _is_ours(info: os.stat_result) -> bool:
    return _WINDOWS or (info.st_uid == os.geteuid() and not info.st_mode & 0o022)
