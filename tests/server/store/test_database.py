"""The file of the store: whose it is, which version it has, and who else may read it."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from importlib.resources import files

import pytest

from agentops_otel.server.store import Batch, Filter, database
from agentops_otel.server.store.database import Database, StoreUnusable
from agentops_otel.server.store.sqlite import SqliteStore
from agentops_otel.server.store.statement import migrations
from tests.server.store.rows import SECOND, START, session

NOW = START + 3600 * SECOND


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_s2_nobody_else_may_read_the_store(tmp_path):
    """The folder that is made is 0700 and every file in it 0600, whatever the umask is."""
    before = os.umask(0)
    try:
        with closing(SqliteStore(tmp_path / "new" / "deep" / "a.db")) as store:
            store.add(Batch(session()), NOW)
            files_of = list((tmp_path / "new" / "deep").iterdir())
            assert {path.name for path in files_of} == {"a.db", "a.db-wal", "a.db-shm"}
            assert {stat.S_IMODE(path.stat().st_mode) for path in files_of} == {0o600}
            assert stat.S_IMODE((tmp_path / "new" / "deep").stat().st_mode) == 0o700
    finally:
        os.umask(before)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_s2_a_store_that_others_may_read_is_closed_to_them(tmp_path):
    """A file with wider permissions is narrowed when it is opened; its folder, which is not ours, stays as it is."""
    path = tmp_path / "a.db"
    SqliteStore(path).close()
    path.chmod(0o644)
    tmp_path.chmod(0o755)
    SqliteStore(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give a file away")
def test_s19_what_another_user_has_put_there_is_refused(tmp_path):
    """A file or a link that belongs to someone else is not opened."""
    SqliteStore(tmp_path / "a.db").close()
    os.chown(tmp_path / "a.db", 4711, 4711)
    with pytest.raises(StoreUnusable, match="belongs to another user"):
        SqliteStore(tmp_path / "a.db")
    SqliteStore(tmp_path / "b.db").close()
    (tmp_path / "link.db").symlink_to(tmp_path / "b.db")
    os.chown(tmp_path / "link.db", 4711, 4711, follow_symlinks=False)
    with pytest.raises(StoreUnusable, match="belongs to another user"):
        SqliteStore(tmp_path / "link.db")


def test_a_file_that_is_no_store_is_refused(tmp_path):
    """Another program's database, a text and a folder are left alone, and the reason is said."""
    (tmp_path / "text.db").write_text("this is no database, but it is long enough to look like one. " * 30)
    with pytest.raises(StoreUnusable, match="cannot be opened: file is not a database"):
        SqliteStore(tmp_path / "text.db")
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection:
        connection.execute("CREATE TABLE mine (x)")
    with pytest.raises(StoreUnusable, match="another program"):
        SqliteStore(tmp_path / "other.db")
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection:
        assert connection.execute("SELECT name FROM sqlite_schema").fetchall() == [("mine",)]
    with pytest.raises(StoreUnusable, match="is not a file"):
        SqliteStore(tmp_path)
    with pytest.raises(StoreUnusable, match="there is no store at"):
        SqliteStore(tmp_path / "missing.db", create=False)
    assert not (tmp_path / "missing.db").exists()


def test_a_newer_schema_is_refused(tmp_path):
    """A store of a newer version is not touched, and the line says what to do."""
    SqliteStore(tmp_path / "a.db").close()
    with closing(sqlite3.connect(tmp_path / "a.db")) as connection:
        connection.execute("PRAGMA user_version = 4711")
    with pytest.raises(StoreUnusable, match=r"newer agentops-otel \(schema 4711, this one knows \d+\); update"):
        SqliteStore(tmp_path / "a.db")


@pytest.mark.parametrize("version", range(1, len(migrations()) + 1))
def test_a_store_of_every_earlier_version_is_migrated(tmp_path, version):
    """What an earlier version wrote has the newest schema after it is opened, and answers every question."""
    path = tmp_path / "a.db"
    with closing(_connect(path)) as connection:
        database.prepare(connection, migrations()[:version])
    SqliteStore(tmp_path / "new.db").close()
    with closing(SqliteStore(path)) as store:
        assert store.stats().schema == len(migrations())
        store.add(Batch(session()), NOW)
        assert store.session("session-1").spans == 4
    query = "SELECT type, name, sql FROM sqlite_schema ORDER BY 1, 2"
    with closing(sqlite3.connect(path)) as old, closing(sqlite3.connect(tmp_path / "new.db")) as new:
        assert old.execute(query).fetchall() == new.execute(query).fetchall()


def test_migrations_run_one_after_the_other_and_once(tmp_path):
    """Each step is run on the version before it, and a step that fails leaves the store as it was."""
    steps = ["CREATE TABLE a (x);\nINSERT INTO a VALUES (1);", "ALTER TABLE a ADD COLUMN y;\nUPDATE a SET y = x + 1;"]
    with closing(_connect(tmp_path / "a.db")) as connection:
        database.prepare(connection, steps[:1])
        database.prepare(connection, steps)
        database.prepare(connection, steps)
        assert connection.execute("SELECT * FROM a").fetchall() == [(1, 2)]
        with pytest.raises(sqlite3.OperationalError):
            database.prepare(connection, [*steps, "UPDATE a SET y = 7;\nUPDATE nothing SET x = 1;"])
        assert connection.execute("SELECT * FROM a").fetchall() == [(1, 2)]
        assert connection.execute("PRAGMA user_version").fetchone() == (2,)


def _connect(path):
    return sqlite3.connect(path, isolation_level=None)


READER = """
import sys
from contextlib import closing
from agentops_otel.server.store import Filter
from agentops_otel.server.store.sqlite import SqliteStore

with closing(SqliteStore(sys.argv[1], create=False)) as store:
    print("ready", flush=True)
    known = 0
    for line in sys.stdin:
        listed = store.sessions(Filter(), limit=1000)
        assert listed.total == len(listed.rows) >= known
        assert all(row.spans == 4 for row in listed.rows)
        known = listed.total
        print(known, flush=True)
"""


def test_another_process_reads_while_one_writes(tmp_path):
    """A reader in another process sees whole batches, the newest one too, and hinders no writer."""
    with closing(SqliteStore(tmp_path / "a.db")) as store:
        command = [sys.executable, "-c", READER, str(tmp_path / "a.db")]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as reader:
            assert reader.stdout.readline() == "ready\n"
            for trace in range(1, 21):
                store.add(Batch(session(trace)), NOW)
                reader.stdin.write("\n")
                reader.stdin.flush()
                assert reader.stdout.readline() == f"{trace}\n"
            reader.stdin.close()
            assert reader.wait(30) == 0
        store.add(Batch(session(99)), NOW)


def test_two_processes_write(tmp_path):
    """A second writer, such as an import while the server runs, waits for the first one."""
    program = (
        "import sys; from agentops_otel.server.store import Batch\n"
        "from agentops_otel.server.store.sqlite import SqliteStore\n"
        "from tests.server.store.rows import session\n"
        "store = SqliteStore(sys.argv[1])\n"
        "for trace in range(100, 120): store.add(Batch(session(trace)), 10**18)\n"
        "store.close()\n"
    )
    with closing(SqliteStore(tmp_path / "a.db")) as store:
        environ = {**os.environ, "PYTHONPATH": os.getcwd()}
        with subprocess.Popen([sys.executable, "-c", program, str(tmp_path / "a.db")], env=environ) as other:
            for trace in range(1, 21):
                store.add(Batch(session(trace)), NOW)
            assert other.wait(60) == 0
        assert store.sessions(Filter()).total == 40
        assert store.check().mended == ()


def test_connections_are_given_back(tmp_path):
    """Readers are used again, and not more than a few are kept."""
    base = Database(tmp_path / "a.db")
    with base.reading() as first, base.reading() as second:
        assert first is not second
    with base.reading() as again:
        assert again in (first, second)
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            again.execute("DELETE FROM span")
    base.close()
    with pytest.raises(StoreUnusable, match="closed"), base.reading():
        pass


def test_every_statement_is_used_and_found():
    """Each file of SQL is named by the code of the store, and each name in the code has a file."""
    folder = files("agentops_otel.server.store")
    code = "".join(file.read_text() for file in folder.iterdir() if file.name.endswith(".py"))
    names = {file.name[:-4] for file in (folder / "sql").iterdir() if file.name.endswith(".sql")}
    assert len(names) > 50
    tables = ("model", "tool", "error", "tag", "agent", "host")
    composed = {f"{verb}_session_{table}" for verb in ("add", "remove") for table in tables}
    assert composed <= names
    assert [name for name in sorted(names - composed) if f'"{name}"' not in code] == []
