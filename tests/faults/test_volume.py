"""Rows Q1, Q2, Q4 and Q5: more spans than can be sent or held, and no place to keep them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.stage import BATCH, Stage

BIG = {"AGENTOPS_MAX_CONTENT_LENGTH": "1000000"}
MIB = 1024  # in KiB


FULL = """
import errno, pathlib
full, write, cut = pathlib.Path(os.environ["FULL"]), os.write, set()

def write_if_room(descriptor, data):
    journal = os.readlink(f"/proc/self/fd/{descriptor}").startswith(os.environ["JOURNAL"])
    if not journal or not full.exists():
        cut.discard(descriptor)
        return write(descriptor, data)
    if descriptor in cut:  # as a full disk does it: a part of the first write, and nothing of the next
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    cut.add(descriptor)
    return write(descriptor, data[: len(data) // 2])

os.write = write_if_room
"""
PHASES = """
start()
spans(200)
pause()
spans(1000)
pause()
spans(50)
pause()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_q4_disk_full(stage):
    """Writes that fail for lack of room."""
    full = stage.folder / "full"
    body = FULL + PHASES
    victim = stage.victim(body, FULL=str(full), JOURNAL=str(stage.journal))
    disk_full(stage, victim, full.touch, full.unlink)


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root may mount a small disk")
def test_q4_disk_full_for_real(stage):
    """A disk of one megabyte, and somebody else fills it."""
    disk = stage.folder / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "victim", disk], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"not even root may mount here: {mounted.stderr.decode().strip()}")
    try:
        victim = stage.victim(PHASES, AGENTOPS_JOURNAL_DIR=str(disk / "journal"))
        stage.journal = disk / "journal"
        disk_full(stage, victim, lambda: fill(disk / "other"), (disk / "other").unlink)
    finally:
        stage.close()
        subprocess.run(["umount", "-l", disk], check=True)


def fill(path: Path) -> None:
    """Write until there is no room."""
    with path.open("wb", buffering=0) as file:
        try:
            while file.write(b"\0" * 4096):
                pass
        except OSError:
            pass


def disk_full(stage: Stage, victim, fill, free) -> None:
    """The host never sees it, memory takes over with one warning, and the journal goes on when there is room again."""
    victim.wait_for("waiting")
    fill()
    victim.go_on()
    victim.wait_for("waiting")
    stage.drained(victim)
    free()
    stage.backend.down()
    stage.pause(1.2)  # the journal tries again at most once a second
    victim.go_on()
    victim.wait_for("waiting")
    victim.send(signal.SIGKILL)
    exit_ = victim.exit()
    assert exit_.code == -signal.SIGKILL
    assert len([line for line in exit_.lines if "journal" in line]) == 1, exit_.lines
    assert len(exit_.lines) <= 3, exit_.lines
    stage.backend.up()
    done = stage.command("flush", AGENTOPS_JOURNAL_DIR=str(stage.journal))
    assert done.code == 0, done.err
    stage.arrived(victim)
    assert stage.kept() == 0


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_q4_what_waited_in_memory_is_written_when_there_is_room(stage):
    """Spans from the time of the full disk outlive a process that is killed later, though no other span follows."""
    full = stage.folder / "full"
    stage.backend.down()
    victim = stage.victim(FULL + "start()\npause()\nspans(20)\npause()", FULL=str(full), JOURNAL=str(stage.journal))
    victim.wait_for("waiting")
    full.touch()
    victim.go_on()
    victim.wait_for("waiting")
    assert stage.kept() < 20
    full.unlink()
    stage.wait_until(lambda: stage.kept() == 20)
    victim.send(signal.SIGKILL)
    assert victim.exit().code == -signal.SIGKILL
    stage.backend.up()
    assert stage.command("flush").code == 0
    stage.arrived(victim)


UNUSABLE = {
    "home-is-no-folder": "os.environ.pop('XDG_STATE_HOME'); os.environ['HOME'] = '/dev/null'",
    "no-home": (
        "import pwd; pwd.getpwuid = lambda number: {}[number]\n"  # as for the user of a container that has no name
        "os.environ.pop('XDG_STATE_HOME'); os.environ.pop('HOME')"
    ),
    "a-file-in-the-way": "open('file', 'w').close(); os.environ['AGENTOPS_JOURNAL_DIR'] = os.path.abspath('file')",
    "no-folder-can-be-made": "os.environ['AGENTOPS_JOURNAL_DIR'] = '/proc/agentops/journal'",
    "read-only": (
        "os.mkdir('locked', 0o500); os.environ['AGENTOPS_JOURNAL_DIR'] = os.path.abspath('locked/journal')\n"
        "if os.geteuid() == 0:\n"
        "    mkdir = os.mkdir\n"
        "    def refuse(path, *args, **options):\n"  # root is let through everywhere
        "        if '/locked' in str(path): raise PermissionError(13, 'Permission denied', path)\n"
        "        mkdir(path, *args, **options)\n"
        "    os.mkdir = refuse"
    ),
}


@pytest.mark.skipif(sys.platform == "win32", reason="other folders there")
@pytest.mark.parametrize("why", UNUSABLE)
def test_q5_no_place_for_a_journal(stage, why):
    """Without a folder to write to, memory takes over: one warning, `init()` does not raise, all is delivered."""
    work = stage.folder / "work"
    work.mkdir()
    victim = stage.victim(f"os.chdir({str(work)!r})\n{UNUSABLE[why]}\nstart()\nspans(100)")
    lines = stage.ended_well(victim).lines
    assert len([line for line in lines if "journal" in line and "agentops-otel: Session" not in line]) == 1, lines
    stage.arrived(victim)
    assert stage.duplicates() == 0
    assert not (work / "~").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="other permissions there")
def test_q5_a_journal_that_everybody_may_write_to(stage):
    """A folder in which others could put spans, or links, is not used: the same warning."""
    first = stage.victim("start()\nspans(10)")
    assert stage.ended_well(first).lines[1:] == []
    (folder,) = stage.journal.iterdir()
    folder.chmod(0o777)
    victim = stage.victim("start()\nspans(100)")
    lines = stage.ended_well(victim).lines
    assert len([line for line in lines if "journal" in line]) == 1, lines
    stage.arrived(first, victim)
    assert list(folder.glob("*/*.seg")) == []


@pytest.mark.parametrize("end", ["exit", "SIGKILL"])
def test_q5_a_journal_that_is_removed(stage, end):
    """What is kept is told as it is, and the session itself is written once more."""
    stage.backend.down()
    victim = stage.victim("start()\nspans(30)\npause()\nspans(10)\npause()")
    victim.wait_for("waiting")
    shutil.rmtree(stage.journal)
    stage.wait_until(lambda: list(stage.journal.glob("*/*/*.session")))
    victim.go_on()
    victim.wait_for("waiting")
    if end == "SIGKILL":
        victim.send(signal.SIGKILL)
        assert victim.exit().code == -signal.SIGKILL
    else:
        victim.go_on()
        lines = stage.ended_well(victim).lines
        assert any("30 of 41 spans not delivered" in line for line in lines), lines
        assert any("11 of 41 spans kept in" in line for line in lines), lines
    stage.backend.up()
    assert stage.command("flush").code == 0
    stage.arrived(victim, but=30)
    assert victim.roots <= stage.stored()


# Those that need the machine for themselves come last, when nothing is run ahead any more.


@pytest.mark.parametrize("count", [20_000, pytest.param(100_000, marks=[pytest.mark.long, pytest.mark.timeout(600)])])
def test_q1_burst(alone, count):
    """A burst that outruns queue and backend many times over loses nothing."""
    victim = alone.victim(f"start()\nspans({count})")
    alone.ended_well(victim)
    arrived = len(alone.stored())
    alone.deliver_rest(victim, exact=False)
    assert alone.duplicates() <= BATCH
    print(f"Q1: {count:,} spans, {arrived:,} had arrived at the end, 0 lost, {alone.duplicates()} sent twice")


LARGE = """
start()
for n in range({count}):
    span(prompt=f"{{n:06}}" + "x" * {size})
agentops.flush(2)
tell_memory()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
@pytest.mark.parametrize("count", [300, pytest.param(1_000, marks=[pytest.mark.long, pytest.mark.timeout(600)])])
def test_q2_big_prompts_while_the_backend_is_down(alone, count):
    """What waits in memory is bounded by bytes; the rest waits on disk, and all of it arrives."""
    alone.backend.down()
    control = alone.victim(LARGE.format(count=10, size=500), **BIG)
    alone.ended_well(control)
    victim = alone.victim(LARGE.format(count=count, size=500_000), **BIG)
    alone.ended_well(victim)
    grown = victim.number("memory") - control.number("memory")
    assert grown < 80 * MIB, f"{grown / MIB:.0f} MiB for {count / 2} MB of prompts, of which memory may hold 32"
    alone.backend.up()
    alone.deliver_rest(control, victim)
    assert alone.duplicates() == 0
    print(f"Q2: {count / 2} MB of prompts, memory grew by {grown / MIB:.0f} MiB, 0 lost")


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
@pytest.mark.long
@pytest.mark.timeout(900)
def test_q2_more_than_the_journal_may_hold(alone):
    """Above the journal's own limit of 512 MiB the oldest spans go, counted exactly, and the root stays."""
    alone.backend.down()
    victim = alone.victim(LARGE.format(count=2040, size=500_000), **BIG)
    lines = alone.ended_well(victim).lines
    memory = victim.number("memory") / MIB
    assert memory < 200, f"{memory:.0f} MiB"  # to give a segment up it is read
    kept = alone.kept()
    dropped = len(victim.spans) + 1 - kept
    assert dropped > 0
    assert any(f"{dropped:,}" in line or str(dropped) in line for line in lines), (dropped, lines)
    alone.backend.up()
    assert alone.command("flush").code == 0
    alone.arrived(victim, but=dropped)
    assert victim.roots <= alone.stored()
    print(f"Q2: {len(victim.spans)} spans of 500 kB, {kept} delivered, {dropped} dropped and told, {memory:.0f} MiB")
