"""Providers that end with the test, what was logged, and no proxy of the machine."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable

import pytest

from agentops_otel import client
from agentops_otel.config import Configuration
from agentops_otel.pipeline.provider import SessionProvider


@pytest.fixture
def make():
    made = []

    def make(**settings) -> SessionProvider:
        # What the client passes, because the first provider of a process stays the global one, for other tests too.
        provider = SessionProvider(
            Configuration(**settings),
            parent_for=client._parent_for,
            current_trace_id=client._current_trace_id,
            tick=lambda: None,
        )
        made.append(provider)
        return provider

    yield make
    for provider in made:
        provider.close(1.0)


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy of the machine reaches a test."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """What was logged at warning level or above under our name."""
    caplog.set_level(logging.DEBUG, logger="agentops_otel")
    return lambda: [
        r.getMessage() for r in caplog.records if r.name == "agentops_otel" and r.levelno >= logging.WARNING
    ]
