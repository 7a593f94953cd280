"""Where the journal is."""

from __future__ import annotations

import os
import sys

import pytest

from agentops_otel.config import Configuration
from agentops_otel.pipeline.destination import Destination, journal_directory


@pytest.mark.skipif(sys.platform == "win32", reason="other variables there")
@pytest.mark.parametrize(
    ("given", "state", "home", "directory"),
    [
        (None, "/state", "/home/ada", "/state/agentops-otel/journal"),
        (None, None, "/home/ada", "/home/ada/.local/state/agentops-otel/journal"),
        (None, "relative", "/home/ada", "/home/ada/.local/state/agentops-otel/journal"),  # not valid, says XDG
        (None, None, None, "~/.local/state/agentops-otel/journal"),
        ("/mnt/journal", "/state", "/home/ada", "/mnt/journal"),
        ("here", "/state", "/home/ada", os.path.abspath("here")),
        ("~/here", "/state", "/home/ada", "/home/ada/here"),
        ("~/here", "/state", None, "~/here"),
    ],
)
def test_journal_directory(given, state, home, directory, monkeypatch):
    """The setting, else the state directory, else the home folder; without one, a path where nothing can be made."""
    for name, value in (("XDG_STATE_HOME", state), ("HOME", home)):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    monkeypatch.setattr("pwd.getpwuid", lambda number: {}[number])  # a user that has no name
    assert journal_directory(given) == directory


def test_users_of_one_address_are_apart(tmp_path):
    """What is kept for one user in the endpoint is not for another one; a changed password changes nothing."""

    def at(endpoint, **settings):
        return Destination.of(Configuration(endpoint=endpoint, **settings))

    ada = at("https://ada:geheim@host/?key=geheim")
    assert ada.endpoint == "https://host/v1/traces"
    assert "geheim" not in str(ada.about())
    assert "ada" not in str(ada.about())
    assert ada == at("https://ada:other@host")
    others = [at("https://bob:geheim@host"), at("https://host"), at("https://ada:geheim@host", api_key="key")]
    assert len({each.folder(str(tmp_path)) for each in (ada, *others)}) == 4
    assert at("https://ada:x@host", headers={"authorization": "Bearer t"}) == at("https://host")
