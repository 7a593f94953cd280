"""`agentops-otel journal`: what is in the journal is shown, and nothing is changed."""

from __future__ import annotations

import json
import os

from agentops_otel import cli


def test_no_journal(capsys, tmp_path):
    """Where there is none, that is said."""
    assert cli.main(["journal", "--journal-dir", str(tmp_path / "none")]) == 0
    assert capsys.readouterr().out == f"There is no journal in {tmp_path / 'none'}.\n"


def test_what_is_there(closed, killed, capsys):
    """Spans, sessions, age, size and processes, the same in both forms; looking twice shows the same."""
    killed(closed)
    killed(closed, spans=5)
    for _ in range(2):
        assert cli.main(["journal", "--json"]) == 0
        (row,) = json.loads(capsys.readouterr().out)["destinations"]
        assert row["destination"] == f"{closed}/v1/traces"
        assert (row["spans"], row["left"], row["sessions"], row["dead"], row["alive"]) == (8, 10, 2, 2, 0)
        assert row["bytes"] > 0
        assert row["unreadable"] == row["rejected"] == 0
    assert cli.main(["journal"]) == 0
    shown = capsys.readouterr().out
    assert f"{closed}/v1/traces\n" in shown
    assert "of 2 sessions" in shown
    assert "0 running, 2 gone" in shown


def test_a_record_that_was_cut_short_is_no_damage(killed, server, capsys, tmp_path):
    """A write that the death of a process has cut short is called by its name, and all that was whole is sent."""
    killed(server.url)
    (path,) = tmp_path.rglob("*.seg")
    whole = path.read_bytes()
    for end in (len(whole) - 1, len(whole) - 40):
        os.truncate(path, end)
        assert cli.main(["journal", "--json"]) == 0
        (row,) = json.loads(capsys.readouterr().out)["destinations"]
        assert (row["unreadable"], row["torn"]) == (0, 1)
        assert cli.main(["journal"]) == 0
        shown = capsys.readouterr().out
        assert "  cut short         1 record that a process was writing when it died" in shown
        assert "damaged" not in shown
    assert cli.main(["flush"]) == 0
    assert "0 rejected, 0 left" in capsys.readouterr().out
    assert cli.main(["journal"]) == 0
    assert "cut short" not in capsys.readouterr().out


def test_a_process_that_runs(living, capsys):
    """A living process is told from a dead one."""
    assert cli.main(["journal"]) == 0
    assert "1 running, 0 gone" in capsys.readouterr().out


def test_a_wrong_folder_is_told(capsys):
    """A wrong value ends the command with a line that says what is allowed."""
    assert cli.main(["journal", "--journal-dir", " "]) == 2
    assert "expected" in capsys.readouterr().err
