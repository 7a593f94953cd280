"""Providers that end with the test."""

from __future__ import annotations

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
