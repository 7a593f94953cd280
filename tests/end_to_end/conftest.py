"""A backend, an LLM API, and programs between them."""

from __future__ import annotations

import pytest

from tests.end_to_end.program import Programs
from tests.end_to_end.trace import Trace
from tests.fakes.llm_server import LlmServer


@pytest.fixture
def llm():
    """An LLM API."""
    with LlmServer() as server:
        yield server


@pytest.fixture
def programs(jaeger, llm, tmp_path):
    """Starts programs that send to Jaeger and talk to `llm`."""
    programs = Programs(tmp_path, jaeger.otlp_http, llm.url)
    yield programs
    programs.stop()


@pytest.fixture
def read(jaeger):
    """Reads a session back from Jaeger once it has that many spans: `read(session_id, spans=3)`."""

    def read(session_id: str, spans: int = 1) -> Trace:
        return Trace(session_id, jaeger.trace(session_id, wait=20.0, spans=spans))

    return read
