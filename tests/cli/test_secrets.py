"""What a command was given by mistake, or to get in: it repeats no key and no password of it."""

from __future__ import annotations

import importlib

import click
import pytest

from agentops_otel import cli
from agentops_otel.cli import entry
from tests.fakes.otlp_sink import OtlpSink

URLS = ("--url", "--endpoint", "--new-key-for", "--trace-url")
WORDS = {"diff": ["a", "b"], "export": ["a"], "import": ["no file"], "show": ["a"], "score": ["a", "b", "1"]}


def options():
    """Each command with each of its options that takes an address."""
    for name in entry._COMMANDS:
        command = importlib.import_module(f"agentops_otel.cli.{'import_' if name == 'import' else name}").command
        for part in (command, *getattr(command, "commands", {}).values()):
            path = [name] if part is command else [name, part.name]
            for option in (o for p in part.params if isinstance(p, click.Option) for o in p.opts if o in URLS):
                yield pytest.param([*path, *WORDS.get(name, []), option], id=" ".join([*path, option]))


@pytest.mark.parametrize("arguments", list(options()))
@pytest.mark.parametrize(
    "url",
    [
        "http://ada:geheim@127.0.0.1:{port}/y?api_key=geheim",
        "ada:geheim@127.0.0.1:{port}",
        "http://ada:ge/heim-geheim@127.0.0.1:port",
        "ftp://ada:geheim@127.0.0.1",
    ],
)
def test_a_command_repeats_no_password(arguments, url, capsys, tmp_path, monkeypatch):
    """Whether the address is right or wrong, and whatever answers there."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    with OtlpSink() as server:
        assert cli.main([*arguments, url.format(port=server.url.rpartition(":")[2])]) in (0, 1, 2)
    said = capsys.readouterr()
    assert "geheim" not in said.out + said.err


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_flush_names_its_endpoint_without_secrets(form, killed, closed, capsys):
    """The line and the object say where it went, and no more."""
    killed(closed)
    url = closed.replace("//", "//ada:geheim@") + "/y?api_key=geheim"
    assert cli.main(["flush", "--endpoint", url, *form]) == 1
    said = capsys.readouterr()
    assert f"{closed}/y" in said.out
    assert "geheim" not in said.out + said.err
