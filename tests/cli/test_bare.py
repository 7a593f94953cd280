"""A base install: what works without the extra `server`, what says how to get it, and what nobody pays for."""

from __future__ import annotations

import pytest

from agentops_otel.version import __version__
from tests.fakes.program import run

HIDE = """
import sys
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("jinja2", "markupsafe", "rich", "starlette", "uvicorn", "grpc"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Hidden())
from agentops_otel import cli
"""


def _command(*arguments, **variables):
    ended = run(f"{HIDE}\nsys.exit(cli.main({list(arguments)!r}))", variables)
    assert "Traceback" not in ended.err, ended.err
    return ended


def test_the_package_loads_no_command_line():
    """Who records pays nothing for commands, the dashboard or a notebook."""
    ended = run(
        "import sys, agentops_otel\n"
        "agentops_otel.init(auto_start_session=False)\n"
        "print(sorted({'click', 'rich', 'jinja2', 'starlette', 'uvicorn', 'IPython', 'sqlite3'} & set(sys.modules)))"
    )
    assert (ended.code, ended.out) == (0, "[]\n"), ended.err


def test_help_and_version():
    """Every command is listed, also those that need more."""
    assert _command("--version").out == f"agentops-otel {__version__}\n"
    said = _command("--help")
    assert said.code == 0
    for name in ("up", "run", "sessions", "show", "doctor", "flush", "journal"):
        assert f"\n  {name} " in said.out


@pytest.mark.parametrize("arguments", [["journal"], ["flush"], ["doctor", "--no-send"]], ids=" ".join)
def test_what_works(arguments, tmp_path):
    """These need nothing more."""
    ended = _command(*arguments, XDG_STATE_HOME=str(tmp_path))
    assert ended.code == 0, ended.err


@pytest.mark.parametrize("arguments", [["up", "--port=0"], ["sessions"], ["costs"], ["open"], ["tail"]], ids=" ".join)
def test_what_needs_more_says_so(arguments, tmp_path):
    """One line names what to install, and the exit code says that it is not the command that has failed."""
    ended = _command(*arguments, XDG_DATA_HOME=str(tmp_path), HOME=str(tmp_path))
    assert ended.code == 2
    assert "pip install 'agentops-otel[server]'" in ended.err
    assert len(ended.err.splitlines()) == 1


@pytest.mark.parametrize("arguments", [[], ["db"], ["keys"]], ids=str)
def test_a_group_without_a_command(arguments):
    """Its help is told once."""
    ended = _command(*arguments)
    assert (ended.out + ended.err).count("Usage: ") == 1
    assert "Commands:" in ended.out + ended.err


def test_a_journal_that_is_a_file(tmp_path):
    """It cannot be one, so nothing is said about what is left in it."""
    (tmp_path / "file").touch()
    for command in ("flush", "journal"):
        ended = _command(command, "--journal-dir", str(tmp_path / "file"))
        assert (ended.code, ended.out) == (2, "")
        assert "is a file" in ended.err


def test_completion_in_the_shell():
    """The shell is told the commands and their options."""
    asks = {"_AGENTOPS_OTEL_COMPLETE": "bash_complete", "COMP_CWORD": "1"}
    commands = _command(**asks, COMP_WORDS="agentops-otel s").out
    assert {"plain,sessions", "plain,show", "plain,score", "plain,sql"} <= set(commands.split())
    options = _command(**{**asks, "COMP_CWORD": "2"}, COMP_WORDS="agentops-otel sessions --s").out
    assert set(options.split()) == {"plain,--state", "plain,--since", "plain,--sort"}
    assert "complete -o nosort -F" in _command(_AGENTOPS_OTEL_COMPLETE="bash_source").out
