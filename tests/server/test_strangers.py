"""A trace of another instrumentation is a session like ours: in the list, and on a page of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentops_otel.server.store import Filter
from tests.server.running import RunningBox

FIXTURES = Path(__file__).parent.parent / "fixtures" / "dialects"
ALL = sorted(path.name.partition(".")[0] for path in FIXTURES.glob("*.traces.pb"))
SILENT = {"anthropic"}  # which records no messages


@pytest.fixture
def box(tmp_path):
    with RunningBox(tmp_path) as box:
        yield box


@pytest.mark.parametrize("name", ALL)
def test_a_stranger_has_a_page(box, name):
    """Every rendering of its page answers, and shows the question and the models."""
    for signal in ("logs", "traces"):
        path = FIXTURES / f"{name}.{signal}.pb"
        if path.exists():
            assert box.post(f"/v1/{signal}", path.read_bytes()).status == 200
    (row,) = box.store.sessions(Filter()).rows
    pages = {view: box.get(f"/s/{row.session_id}{view}") for view in ("", ".json", "?view=waterfall", "?view=raw")}
    assert {view: answer.status for view, answer in pages.items()} == dict.fromkeys(pages, 200)
    assert ("Who wrote the first program?" in pages[""].text) == (name not in SILENT)
    assert "additional_kwargs" not in pages[""].text  # LangChain's state around a question
    assert ("claude-sonnet-4-5" if name == "anthropic" else "gpt-4o") in pages[""].text
    for path in ("/", "/costs", "/tools", "/models", "/errors"):
        assert box.get(path).status == 200
