"""A folder for its owner alone."""

from __future__ import annotations

import os
import stat
import subprocess
import sys

import pytest

from agentops_otel.pipeline import folder as folder_module
from agentops_otel.pipeline.folder import Folder, lock, unlock


@pytest.fixture
def folder(tmp_path):
    with Folder(str(tmp_path / "above" / "folder"), create=True) as folder:
        yield folder


def test_it_is_made_for_its_owner_alone(folder):
    """And so is what was missing above it, whatever the umask is."""
    for path in (folder.path, os.path.dirname(folder.path)):
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o700
    before = os.umask(0)
    try:
        folder.append("file", b"a")
        with Folder("inner", folder, create=True) as inner:
            assert stat.S_IMODE(os.stat(inner.path).st_mode) == 0o700
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat("file").st_mode) == 0o600


def test_where_there_is_nothing_none_is_made(tmp_path, monkeypatch):
    """A relative path, and the folder that it is relative to is gone."""
    monkeypatch.chdir(tmp_path)
    os.rmdir(tmp_path)
    with pytest.raises(FileNotFoundError):
        Folder("a/b", create=True)


def test_files_are_written_read_and_removed(folder):
    """Added to, replaced in one step, removed without complaint."""
    folder.append("file", b"a")
    folder.append("file", b"b")
    assert folder.read("file") == b"ab"
    folder.replace("file", b"c", modified=7.0)
    assert folder.read("file") == b"c"
    assert folder.stat("file").st_mtime == 7
    folder.sync("file")
    assert folder.names() == ["file"]
    folder.unlink("file")
    folder.unlink("file")
    assert folder.names() == []


def test_a_replacement_that_fails_changes_nothing(folder, monkeypatch):
    """Neither the file nor a draft of it is left behind half done."""
    folder.append("file", b"old")

    def full(descriptor, data):
        raise OSError("no space")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="no space"):
        folder.replace("file", b"new")
    monkeypatch.undo()
    assert folder.names() == ["file"]
    assert folder.read("file") == b"old"


def test_it_cannot_be_exchanged(folder, tmp_path):
    """What is opened later is looked for in the folder that was opened, not at its path."""
    os.rename(folder.path, tmp_path / "elsewhere")
    os.mkdir(folder.path)
    folder.append("file", b"a")
    assert os.listdir(folder.path) == []
    assert os.listdir(tmp_path / "elsewhere") == ["file"]


@pytest.mark.skipif(sys.platform == "win32", reason="a folder is not open there")
def test_it_is_opened_again_where_the_program_has_closed_it(folder, tmp_path):
    """It is the same folder, or none, and not what has the number of its descriptor now."""
    (tmp_path / "other").mkdir()
    number = int(folder._fd)
    os.close(number)
    other = os.open(tmp_path / "other", os.O_RDONLY)
    assert other == number
    folder.append("file", b"a")
    assert folder.names() == ["file"]
    os.close(int(folder._fd))
    os.rename(folder.path, tmp_path / "elsewhere")
    os.mkdir(folder.path)
    for _ in range(2):
        with pytest.raises(FileNotFoundError):
            folder.append("second", b"a")
    folder.close()
    os.close(other)
    assert os.listdir(folder.path) == os.listdir(tmp_path / "other") == []


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o720, 0o702])
def test_what_others_may_write_to_is_refused(folder, mode):
    """A folder, and a file."""
    folder.append("file", b"a")
    os.chmod(os.path.join(folder.path, "file"), mode)
    with pytest.raises(PermissionError):
        folder.read("file")
    os.chmod(folder.path, mode)
    with pytest.raises(PermissionError):
        Folder(folder.path)


def test_links_are_not_followed(folder, tmp_path):
    """Neither to a file nor to a folder, also where they are made to be written."""
    (tmp_path / "target").write_bytes(b"target")
    os.symlink(tmp_path / "target", os.path.join(folder.path, "link"))
    os.symlink(tmp_path, os.path.join(folder.path, "folder link"))
    for attempt in (folder.read, lambda name: folder.append(name, b"x"), lambda name: Folder(name, folder)):
        for name in ("link", "folder link"):
            with pytest.raises(OSError):
                attempt(name)
    assert (tmp_path / "target").read_bytes() == b"target"


def test_a_lock_is_seen_by_others_until_it_is_given_up(folder):
    """By another process as by this one; a child that still has the descriptor does not keep it."""
    look = "import sys, os; from agentops_otel.pipeline.folder import *; print(lock(os.open(sys.argv[1], os.O_RDWR)))"

    def is_free():
        path = os.path.join(folder.path, "lock")
        return subprocess.check_output([sys.executable, "-c", look, path], env=os.environ) == b"True\n"

    descriptor, other = (folder.open("lock", os.O_RDWR | os.O_CREAT) for _ in range(2))
    assert lock(descriptor)
    assert not lock(other)
    assert not lock(other, shared=True)
    assert not is_free()
    os.set_inheritable(descriptor, True)
    child = subprocess.Popen(["sleep", "60"], close_fds=False)
    try:
        unlock(descriptor)
        assert is_free()
    finally:
        child.kill()
        child.wait()
    os.close(other)


def test_a_file_that_is_too_large_is_not_read(folder, monkeypatch):
    """A forged file must not fill the memory; one that is as large as allowed is read."""
    monkeypatch.setattr(folder_module, "_MOST_BYTES", 100)
    folder.append("file", b"x" * 100)
    assert folder.read("file") == b"x" * 100
    folder.append("file", b"x")
    with pytest.raises(OSError, match="large"):
        folder.read("file")
