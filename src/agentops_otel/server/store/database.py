"""The file of the store: made for its owner alone, brought to this version's schema, and opened for reading or writing.

Other processes may read it while one writes (WAL), and a program that is killed loses nothing that was committed. A
machine that loses its power may lose what was committed in the last seconds, never more: `synchronous` is NORMAL.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from .statement import migrations
from .words import searchable

APPLICATION: Final = 0x616F7464
"""``aotd``: what SQLite's `application_id` says of a file of ours."""
_WAIT_SECONDS: Final = 10.0
_IDLE_READERS: Final = 3


class StoreUnusable(Exception):
    """The file cannot be used; the text says why and what to do."""


class Database:
    """Connections to one file."""

    def __init__(self, path: str | os.PathLike[str], *, create: bool = True) -> None:
        """Open the file, and make or migrate it where needed.

        Args:
            create: whether to make it when it is not there.

        Raises:
            StoreUnusable: it is not there, belongs to someone else, is no store or has a newer schema.
        """
        self.path = Path(path).absolute()
        self._idle: list[sqlite3.Connection] = []
        self._all: set[sqlite3.Connection] = set()
        self._lock = threading.Lock()
        self._closed = False
        _prepare_file(self.path, create=create)
        try:
            with contextlib.closing(self.connect()) as connection:
                prepare(connection, migrations())
        except sqlite3.DatabaseError as error:
            raise StoreUnusable(f"{self.path} cannot be opened: {error}") from error

    def connect(self) -> sqlite3.Connection:
        """A new connection that may write; whoever asks for it closes it."""
        connection = sqlite3.connect(
            self.path, timeout=_WAIT_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=256
        )
        try:
            _set_up(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection that sees one state of the store and cannot change it."""
        connection = self._reader()
        try:
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.execute("ROLLBACK")
        finally:
            self._give_back(connection)

    def _reader(self) -> sqlite3.Connection:
        with self._lock:
            if self._closed:
                raise StoreUnusable("the store is closed")
            if self._idle:
                return self._idle.pop()
        connection = self.connect()
        connection.execute("PRAGMA cache_size = -1024")
        connection.execute("PRAGMA query_only = ON")
        with self._lock:
            self._all.add(connection)
        return connection

    def _give_back(self, connection: sqlite3.Connection) -> None:
        with self._lock:
            if len(self._idle) < _IDLE_READERS and not self._closed:
                self._idle.append(connection)
                return
            self._all.discard(connection)
        connection.close()

    def close(self) -> None:
        """Close all readers that are not in use; the others close when they are given back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            self._all.difference_update(idle)
        for connection in idle:
            connection.close()


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit what is done inside, all of it or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # SQLite has rolled back by itself after some errors, such as a full disk.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _set_up(connection: sqlite3.Connection) -> None:
    connection.create_function("searchable", 2, searchable, deterministic=True)
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # takes effect in a new file only
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA cache_size = -4096")
    connection.execute("PRAGMA wal_autocheckpoint = 4000")
    connection.execute("PRAGMA journal_size_limit = 67108864")
    connection.execute("PRAGMA temp_store = MEMORY")


def _prepare_file(path: Path, *, create: bool) -> None:
    if not path.exists():
        if not create:
            raise StoreUnusable(f"there is no store at {path}; `agentops-otel up` makes one")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        except FileExistsError:
            pass  # another process was faster
        except OSError as error:
            raise StoreUnusable(f"{path} cannot be made: {error.strerror}") from error
    _check_owner(path)


def _check_owner(path: Path) -> None:
    """Refuse what someone else has put there, and keep what is ours from other people's eyes."""
    if not hasattr(os, "geteuid"):
        return
    for found in (path.lstat(), path.stat()):
        if found.st_uid != os.geteuid():
            raise StoreUnusable(f"{path} belongs to another user; choose another file with --db")
    if not stat.S_ISREG(path.stat().st_mode):
        raise StoreUnusable(f"{path} is not a file")
    if path.stat().st_mode & 0o077:
        path.chmod(0o600)


def prepare(connection: sqlite3.Connection, steps: Sequence[str]) -> None:
    """Bring the schema from whatever version it has to the one that `steps` lead to.

    Raises:
        StoreUnusable: it is newer, or the file is another program's.
    """
    if _version(connection, len(steps)) == len(steps):
        return
    with transaction(connection):
        for number in range(_version(connection, len(steps)), len(steps)):
            for command in _commands(steps[number]):
                connection.execute(command)
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute(f"PRAGMA user_version = {len(steps)}")


def _version(connection: sqlite3.Connection, known: int) -> int:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    application = int(connection.execute("PRAGMA application_id").fetchone()[0])
    empty = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0
    if application != APPLICATION and not empty:
        raise StoreUnusable("the file is a database of another program; choose another one with --db")
    if version > known:
        raise StoreUnusable(
            f"the store was written by a newer agentops-otel (schema {version}, this one knows {known}); "
            "update agentops-otel, or choose another file with --db"
        )
    return version


def _commands(script: str) -> Iterator[str]:
    command = ""
    for line in script.splitlines(keepends=True):
        command += line
        if sqlite3.complete_statement(command):
            yield command
            command = ""
