"""What holds for every test."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest_plugins = ["tests.backends.fixtures"]

# A shell starts what runs in the background with SIGINT ignored, and so would be every program that a test starts.
# https://pubs.opengroup.org/onlinepubs/9799919799/utilities/V3_chap02.html#tag_19_12
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the long forms out, unless `-m` names the mark; not by `addopts`, which another `-m` overrides."""
    if re.search(r"\blong\b", config.option.markexpr):
        return
    long = [item for item in items if item.get_closest_marker("long")]
    if long:
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in long]


@pytest.fixture(autouse=True)
def clean_environ(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of the person who runs the tests reaches a test, nor does a test write to that person's journal.

    AGENTOPS_TEST_* are the tests' own.
    """
    for name in list(os.environ):
        if name.startswith(("AGENTOPS_", "OTEL_")) and not name.startswith("AGENTOPS_TEST_"):
            monkeypatch.delenv(name)
    for name in ("XDG_STATE_HOME", "LOCALAPPDATA"):  # where the journal is
        monkeypatch.setenv(name, str(tmp_path / "state"))


# The place for the fixture that resets the package's global state after each test: sessions, pipelines, patches, hooks.
@pytest.fixture(autouse=True)
def fresh_package(clean_environ: None) -> Iterator[None]:
    """Errors of our own are raised in tests, and nothing that a test has set up outlives it.

    OpenTelemetry's global provider can be set only once in a process: the first `init()` of a run sets ours, and it
    stays. A test that needs another provider runs in a process of its own.
    """
    from agentops_otel import api, client, environment, guard, secrets
    from agentops_otel.instrumentation import _background

    shutdown = api.shutdown  # before a test replaces it
    guard.reraise = True
    yield
    try:
        shutdown(1.0)
    finally:
        guard.reraise = False
        guard._reported.clear()
        _background.forget()
        client._sessions_ended = 0
        environment._told.clear()
        secrets.forget()
